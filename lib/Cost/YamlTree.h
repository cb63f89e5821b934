//===- YamlTree.h - A small YAML document in memory -------------*- C++ -*-===//
//
// LLVM's YAML parser streams; a cluster file fits in memory, and errors want the place of any node.
//
//   devices:            mapping {"devices": sequence [mapping {"count": scalar "8"}]}
//     - count: 8
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_COST_YAMLTREE_H
#define LLMPAR_LIB_COST_YAMLTREE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/SourceMgr.h"
#include <memory>
#include <string>
#include <vector>

namespace llmpar {

struct YamlNode {
  enum Kind { Null, Scalar, Sequence, Mapping } kind = Null;
  llvm::SMLoc where;
  std::string text;                        ///< of a scalar
  std::vector<YamlNode> keys;              ///< of a mapping: scalars, in the order of the file
  std::vector<YamlNode> values;            ///< of a mapping, one for each key; the items of a sequence
};

class YamlTree {
public:
  /// Errors: no YAML; an anchor, an alias or a tag; a key that occurs twice in its mapping.
  static llvm::Expected<YamlTree> parse(llvm::StringRef text, llvm::StringRef fileName);

  const YamlNode &root() const { return root_; }
  /// "file:line:column: message".
  llvm::Error error(llvm::SMLoc where, const llvm::Twine &message) const;

private:
  std::string fileName;
  std::unique_ptr<llvm::SourceMgr> sources;
  YamlNode root_;
};

} // namespace llmpar

#endif // LLMPAR_LIB_COST_YAMLTREE_H
