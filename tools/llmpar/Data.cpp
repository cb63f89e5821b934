//===- Data.cpp - llmpar data -----------------------------------------------===//
#include "Session.h"
#include "llmpar/Data/TokenFile.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar::tool {
namespace {

/// Arguments: tokenizer, text, output. Writes the number of classes and the tokens as u32.
constexpr llvm::StringLiteral tokenizeScript = R"(
import array, sys
try:
    from tokenizers import Tokenizer
except ImportError:
    sys.exit("the Python package 'tokenizers' is not installed for " + sys.executable +
             ": `pip install tokenizers` there, or name another Python with LLMPAR_PYTHON")
try:
    tokenizer = Tokenizer.from_file(sys.argv[1])
except Exception as error:
    sys.exit(str(error))
text = open(sys.argv[2], encoding="utf-8", newline="").read()
ids = tokenizer.encode(text).ids
tokens = array.array("I", [max([tokenizer.get_vocab_size() - 1, *ids]) + 1, *ids])
if sys.byteorder == "big":
    tokens.byteswap()
open(sys.argv[3], "wb").write(tokens.tobytes())
)";

struct TokenizedText {
  int64_t tokens = 0;
  uint32_t classes = 0;
};

llvm::Expected<std::string> contents(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createStringError(path + ": " + buffer.getError().message());
  return (*buffer)->getBuffer().str();
}

llvm::Expected<TokenizedText> tokenizeBytes(const Options &options) {
  llvm::Expected<std::string> text = contents(options.model);
  if (!text)
    return text.takeError();
  if (llvm::Error error = TokenFile::writeBytes(options.output, *text))
    return error;
  return TokenizedText{static_cast<int64_t>(text->size()), 256};
}

/// $LLMPAR_PYTHON, else python3 of the path.
llvm::Expected<std::string> findPython() {
  if (const char *given = std::getenv("LLMPAR_PYTHON"))
    return std::string(given);
  llvm::ErrorOr<std::string> found = llvm::sys::findProgramByName("python3");
  if (!found)
    return llvm::createStringError(
        "--tokenizer needs Python: there is no python3, and LLMPAR_PYTHON does not name one");
  return *found;
}

llvm::Expected<TokenizedText> tokenize(const Options &options) {
  if (!llvm::sys::fs::exists(options.tokenizer))
    return llvm::createStringError("--tokenizer " + options.tokenizer + ": no such file");
  llvm::Expected<std::string> python = findPython();
  if (!python)
    return python.takeError();
  llvm::SmallString<128> ids, errors;
  if (std::error_code code = llvm::sys::fs::createTemporaryFile("llmpar", "ids", ids))
    return llvm::createStringError("no temporary file: " + code.message());
  llvm::scope_exit removeIds([&] { llvm::sys::fs::remove(ids); });
  if (std::error_code code = llvm::sys::fs::createTemporaryFile("llmpar", "errors", errors))
    return llvm::createStringError("no temporary file: " + code.message());
  llvm::scope_exit removeErrors([&] { llvm::sys::fs::remove(errors); });
  int code = llvm::sys::ExecuteAndWait(*python, {*python, "-c", tokenizeScript, options.tokenizer, options.model, ids},
                                       /*Env=*/std::nullopt, {std::nullopt, std::nullopt, errors.str()});
  if (code != 0) {
    llvm::Expected<std::string> text = contents(errors);
    llvm::StringRef why = text ? llvm::StringRef(*text).trim() : "";
    return llvm::createStringError("--tokenizer " + options.tokenizer + ": " + why.substr(why.rfind('\n') + 1));
  }
  llvm::Expected<std::string> bytes = contents(ids);
  if (!bytes)
    return bytes.takeError();
  std::vector<uint32_t> tokens(bytes->size() / 4);
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = llvm::support::endian::read32le(bytes->data() + 4 * i);
  llvm::ArrayRef<uint32_t> behind = llvm::ArrayRef(tokens).drop_front();
  if (llvm::Error error = TokenFile::write(options.output, behind, tokens.front()))
    return error;
  return TokenizedText{static_cast<int64_t>(behind.size()), tokens.front()};
}

} // namespace

int dataCommand(const Options &options) {
  Failure failure;
  TokenizedText result;
  if (options.output.empty())
    failure.set(Usage, "where should the tokens go? add -o tokens.bin");
  else if (auto made = options.tokenizer.empty() ? tokenizeBytes(options) : tokenize(options))
    result = *made;
  else
    failure.set(Usage, llvm::toString(made.takeError()));
  if (failure.code != Ok)
    return failure.report(options);
  if (options.json)
    print(rt::JsonObject()
              .add("ok", true)
              .add("tokens", result.tokens)
              .add("classes", result.classes)
              .add("file", options.output));
  else
    llvm::outs() << result.tokens << " tokens of " << result.classes << " classes: " << options.output << "\n";
  return Ok;
}

} // namespace llmpar::tool
