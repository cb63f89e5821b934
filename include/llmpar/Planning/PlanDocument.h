//===- PlanDocument.h - A plan as a file ------------------------*- C++ -*-===//
//
// What planShardings chose, as JSON that people read, edit, compare and replay (docs/plans.md):
//
//   PlanDocument document = documentPlan(module, *plan, cluster, method);
//   write(writePlanDocument(document));
//   ...
//   llvm::Expected<PlanDocument> read = readPlanDocument(text);
//   if (llvm::Error stale = replayPlan(sameModule, *read, cluster)) ... // "the plan is for another model: op 12 ..."
//
// A plan belongs to one graph (in the form that planShardings saw) and one cluster; on any other it is refused.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNING_PLANDOCUMENT_H
#define LLMPAR_PLANNING_PLANDOCUMENT_H

#include "llmpar/Planning/PlanShardings.h"

namespace llmpar {

/// A sharding in a plan file, one entry for each dimension: "-", "x", "x+y" (major first), "y:64" (shards are
/// multiples of 64 elements); then "sum(x)" where a value is still to be summed over an axis (pinned inputs alone).
using ShardingWords = std::vector<std::string>;

struct PlanDocument {
  static constexpr int64_t currentVersion = 1;

  struct Input {
    std::string name, type; ///< "ids", "tensor<2x64xi64>"
    ShardingWords sharding;
    bool operator==(const Input &) const = default;
  };
  struct Op {
    int64_t index = 0;                        ///< position in the function, from 0
    std::string op, node;                     ///< "matmul", and the ONNX node that it comes from ("" if it has no name)
    std::string type;                         ///< of the first result
    std::map<std::string, std::string> shard; ///< axes by factor of the op's rule; what is not named stays whole
    std::vector<ShardingWords> keep;          ///< by result, where the plan keeps results in another form; else empty
    std::vector<ShardingWords> rest;          ///< by operand, where weights are split further at rest; else empty
    bool operator==(const Op &) const = default;
  };

  std::string model;  ///< file name
  std::string digest; ///< of the graph, 16 hexadecimal digits
  std::vector<std::string>
      opDigests; ///< of every op with all that it reads, 8 digits: the first that differs names the op
  std::string cluster, clusterText; ///< its name, and all of it as writeCluster says it
  std::string method;
  std::string mesh;                 ///< "x=2,y=4"; "" for one device
  Seconds cost = 0, lowerBound = 0; ///< of a step, as predicted
  int64_t peakBytes = 0;            ///< of the fullest device
  std::vector<Input> inputs;
  std::vector<Op> ops; ///< those that a plan decides, in order
  bool operator==(const PlanDocument &) const = default;
};

/// Describes the choice that planShardings just wrote into `module`.
PlanDocument documentPlan(mlir::ModuleOp module, const ShardingPlan &plan, const Cluster &cluster, Method method);

/// The JSON text; readPlanDocument gives the same document again.
std::string writePlanDocument(const PlanDocument &document);
/// Errors name the place in the file and the value: "plan.ops[3].shard.n is 7: expected axes ...".
llvm::Expected<PlanDocument> readPlanDocument(llvm::StringRef text);

/// Writes the document's choice into `module` as planShardings would: the mesh, `llmpar.factors`, `llmpar.out`.
/// It replaces pins. Errors, with the module unchanged: the graph or the cluster is another than the plan's (names
/// the first op or line that differs); the module's mesh is another; an entry names an axis that the mesh, or a
/// factor that the op, does not have; an op that needs an entry has none.
llvm::Error replayPlan(mlir::ModuleOp module, const PlanDocument &document, const Cluster &cluster);

/// What differs between two plans.
struct PlanDifferences {
  struct Field {
    std::string name, a, b; ///< "mesh", "x=8", "x=2,y=4"
  };
  /// Ops of one kind that change in the same way, in nodes whose names differ in numbers only; or inputs.
  struct Group {
    int64_t count = 0;
    std::string op, nodes; ///< "matmul", "h.*.mlp.c_fc"; "input" and its name
    std::string change;    ///< "n: y -> -"
  };
  std::vector<Field> fields;
  std::vector<Group> groups; ///< in order of first occurrence
  bool empty() const { return fields.empty() && groups.empty(); }
};
/// Ops are matched by kind and node, so that plans of two versions of a model compare too.
PlanDifferences diffPlans(const PlanDocument &a, const PlanDocument &b);

ShardingWords wordsOf(const Sharding &sharding, const Mesh &mesh);
std::string wordOf(const DimSharding &dim, const Mesh &mesh);
/// Inverse of wordOf. Errors: an axis that the mesh does not have, or twice; a unit below 1.
llvm::Expected<DimSharding> parseWord(llvm::StringRef word, const Mesh &mesh);
/// Inverse of wordsOf, normalized for a tensor of this shape. Errors: those of parseWord; an axis twice; another
/// number of dimensions.
llvm::Expected<Sharding> parseWords(const ShardingWords &words, llvm::ArrayRef<int64_t> shape, const Mesh &mesh);

/// Digests of every op of a function's body, in order: kind, attributes, types, and the digests of what it reads;
/// discardable attributes and locations do not count.
std::vector<uint64_t> digestOps(mlir::Block &body);
/// A name with every number replaced: "h.11.mlp" -> "h.*.mlp". Equal for what repeats in every layer.
std::string namePattern(llvm::StringRef name);
/// Name of the ONNX node that an op comes from; "" if it has none.
llvm::StringRef nodeNameOf(mlir::Operation *op);

} // namespace llmpar

#endif // LLMPAR_PLANNING_PLANDOCUMENT_H
