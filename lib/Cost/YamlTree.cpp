//===- YamlTree.cpp - A small YAML document in memory -----------------------===//
#include "YamlTree.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/YAMLParser.h"

namespace llmpar {
namespace {

/// Copies nodes of the stream; the first complaint wins.
class Copier {
public:
  std::string complaint;
  llvm::SMLoc where;

  YamlNode copy(llvm::yaml::Node *node) {
    YamlNode result;
    if (!node)
      return result;
    result.where = node->getSourceRange().Start;
    if (!node->getAnchor().empty() || !node->getRawTag().empty() || llvm::isa<llvm::yaml::AliasNode>(node))
      complain(result.where, "anchors, aliases and tags have no meaning here: write the value itself");
    if (auto *scalar = llvm::dyn_cast<llvm::yaml::ScalarNode>(node)) {
      llvm::SmallString<64> storage;
      result.kind = YamlNode::Scalar;
      result.text = scalar->getValue(storage).trim().str();
    } else if (auto *block = llvm::dyn_cast<llvm::yaml::BlockScalarNode>(node)) {
      result.kind = YamlNode::Scalar;
      result.text = block->getValue().trim().str();
    } else if (auto *sequence = llvm::dyn_cast<llvm::yaml::SequenceNode>(node)) {
      result.kind = YamlNode::Sequence;
      for (llvm::yaml::Node &item : *sequence)
        result.values.push_back(copy(&item));
    } else if (auto *mapping = llvm::dyn_cast<llvm::yaml::MappingNode>(node)) {
      result.kind = YamlNode::Mapping;
      for (llvm::yaml::KeyValueNode &entry : *mapping)
        copyEntry(entry, result);
    }
    return result;
  }

private:
  void copyEntry(llvm::yaml::KeyValueNode &entry, YamlNode &mapping) {
    YamlNode key = copy(entry.getKey());
    if (key.kind != YamlNode::Scalar)
      complain(key.where, "a key is a word");
    if (llvm::any_of(mapping.keys, [&](const YamlNode &other) { return other.text == key.text; }))
      complain(key.where, "'" + key.text + "' occurs twice");
    mapping.keys.push_back(std::move(key));
    mapping.values.push_back(copy(entry.getValue()));
  }

  void complain(llvm::SMLoc at, const std::string &what) {
    if (!complaint.empty())
      return;
    complaint = what;
    where = at;
  }
};

} // namespace

llvm::Error YamlTree::error(llvm::SMLoc where, const llvm::Twine &message) const {
  std::string place = fileName;
  if (where.isValid()) {
    auto [line, column] = sources->getLineAndColumn(where);
    place += llvm::formatv(":{0}:{1}", line, column).str();
  }
  return llvm::createStringError(place + ": " + message.str());
}

llvm::Expected<YamlTree> YamlTree::parse(llvm::StringRef text, llvm::StringRef fileName) {
  YamlTree tree;
  tree.fileName = fileName.str();
  tree.sources = std::make_unique<llvm::SourceMgr>();
  llvm::SMDiagnostic syntaxError;
  tree.sources->setDiagHandler(
      [](const llvm::SMDiagnostic &diagnostic, void *first) {
        auto *kept = static_cast<llvm::SMDiagnostic *>(first);
        if (kept->getMessage().empty())
          *kept = diagnostic;
      },
      &syntaxError);
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(text, fileName);
  llvm::MemoryBufferRef contents = *buffer;
  tree.sources->AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  llvm::yaml::Stream stream(contents, *tree.sources);
  Copier copier;
  auto document = stream.begin();
  if (document != stream.end() && !stream.failed())
    tree.root_ = copier.copy(document->getRoot());
  tree.sources->setDiagHandler(nullptr);
  if (stream.failed() || !syntaxError.getMessage().empty())
    return tree.error(syntaxError.getLoc(), "this is not YAML: " + syntaxError.getMessage());
  if (!copier.complaint.empty())
    return tree.error(copier.where, copier.complaint);
  return tree;
}

} // namespace llmpar
