//===- JsonReader.cpp - Text that may be gzip, to JSON ----------------------===//
#include "JsonReader.h"

#include "llmpar/Core/Gzip.h"

namespace llmpar {

/// LLVM's parser recurses: a file of a million brackets would overflow the stack.
static bool isDeep(llvm::StringRef text) {
  constexpr int deepest = 100;
  int depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"')
      inString = !inString;
    else if (inString)
      i += c == '\\'; // what it escapes does not end the string
    else if ((depth += (c == '[' || c == '{') - (c == ']' || c == '}')) > deepest)
      return true;
  }
  return false;
}

llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text) {
  std::optional<std::string> inflated;
  if (isGzip(text) && !(inflated = gunzip(text)))
    return llvm::createStringError("not a complete gzip file");
  if (inflated)
    text = *inflated;
  if (isDeep(text))
    return llvm::createStringError("not a problem or plan: its brackets are nested more than 100 deep");
  llvm::Expected<llvm::json::Value> document = llvm::json::parse(text);
  if (!document)
    return llvm::createStringError("not JSON: " + llvm::toString(document.takeError()));
  return document;
}

} // namespace llmpar
