//===- ExportPlan.h - A plan for other frameworks ---------------*- C++ -*-===//
//
// Where inputs, weights and outputs lie, said as JAX PartitionSpecs, PyTorch DTensor placements, or arguments of
// Megatron-LM and vLLM:
//
//   llvm::Expected<PlacedModel> placed = placedModel(module);   // after llmpar-propagate-shardings
//   ExportedPlan jax = exportJax(*placed);
//   write(jax.text);
//   for (const Loss &loss : jax.lost) ... // "h.0.attn.c_attn.weight": "its parts are used as [-, tp] ..."
//
// Every export says what its target cannot express. ONNX annotations are in Frontend/DeviceConfigurations.h.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNING_EXPORTPLAN_H
#define LLMPAR_PLANNING_EXPORTPLAN_H

#include "llmpar/Core/Sharding.h"
#include "mlir/IR/BuiltinOps.h"

namespace llmpar {

struct PlacedTensor {
  std::string name; ///< as the model file says it
  Shape shape;      ///< global
  Sharding sharding;
  int64_t parts = 1; ///< tensors of the file that it stacks in dimension 0 (the weights of experts)
};

/// How an op splits a weight that it reads.
enum class WeightSplit : uint8_t {
  Whole,
  Column,     ///< of a product: what its result has
  Row,        ///< of a product: what it sums over
  Vocabulary, ///< of an embedding
  Expert,     ///< of a batch of products
  Other,      ///< several at once, or of any other op
};

struct WeightUse {
  std::string weight;
  WeightSplit split = WeightSplit::Whole;
  llvm::SmallVector<AxisId, 2> axes; ///< that split it
  llvm::SmallVector<AxisId, 2>
      inputAxes; ///< that split the activation before the op takes it, but not as the op takes it
  bool isProduct = false, isEmbedding = false, isNormalization = false; ///< the op; all false: any other
  int64_t rows = 0;                                                     ///< of an embedding: its vocabulary
};

/// Something that the target cannot express.
struct Loss {
  std::string tensor, why; ///< a tensor's name, or "mesh"
  bool operator==(const Loss &) const = default;
};

struct PlacedModel {
  std::string name; ///< file name
  Mesh mesh;
  std::vector<PlacedTensor> inputs, weights, outputs;
  std::vector<WeightUse> uses;
  llvm::SmallVector<AxisId, 2> sequenceAxes; ///< that split the sequence of normalizations (dimension 1 of 3)
  std::vector<Loss> lost; ///< what no list of tensors by name says: weights that are used in several ways
};

/// `module` has `llmpar.in` and `llmpar.out` on every op. Errors: no @main; an op without them.
llvm::Expected<PlacedModel> placedModel(mlir::ModuleOp module);

struct ExportedPlan {
  std::string text;
  std::vector<Loss> lost;
};

/// A Python file: MESH, INPUTS, WEIGHTS, OUTPUTS (name -> PartitionSpec), make_mesh() and shardings(). JAX splits a
/// dimension evenly or not at all.
ExportedPlan exportJax(const PlacedModel &model);
/// A Python file: the same with a list of placements, one for each dimension of the mesh. DTensor splits a dimension
/// over the axes of the mesh in their order, in chunks.
ExportedPlan exportDTensor(const PlacedModel &model);
/// Arguments, one a line, with comments. Megatron-LM has one tensor axis, next to each other in rank order, that
/// splits columns, rows, vocabulary and heads; the batch over the rest.
ExportedPlan exportMegatron(const PlacedModel &model);
ExportedPlan exportVllm(const PlacedModel &model);

struct ExportFormat {
  llvm::StringRef name, what;
  ExportedPlan (*run)(const PlacedModel &); ///< null: annotateOnnx of Frontend/DeviceConfigurations.h
};
/// "jax", "dtensor", "megatron", "vllm", "onnx".
llvm::ArrayRef<ExportFormat> exportFormats();

} // namespace llmpar

#endif // LLMPAR_PLANNING_EXPORTPLAN_H
