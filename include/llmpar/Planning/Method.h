//===- Method.h - Parallelization methods as limits of the search -*- C++ -*-===//
//
// A method says which dimensions a mesh axis may split. Dimensions are told apart by where they come
// from: the batch and the sequence of the inputs, and all others (features, heads, vocabulary).
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNING_METHOD_H
#define LLMPAR_PLANNING_METHOD_H

#include "llmpar/Dialect/RuleCache.h"

namespace llmpar {

enum class Method : uint8_t {
  Single,   ///< one device
  Data,     ///< the batch
  Tensor,   ///< features, heads, vocabulary
  Sequence, ///< the sequence; anything but the batch where no weight is involved (attention); weights are whole
  Expert,   ///< the experts of mixtures, always; elsewhere the tokens, as batch or sequence, over the same axis
  Zero,     ///< as Data, with gradients and the states of the optimizer split (ZeRO 1 and 2); of training
  Gathered, ///< as Data, with weights split at rest and gathered for use; in training the states too (ZeRO 3)
  Hybrid,   ///< the first axis as Data, the others as Tensor
  Auto,     ///< anything
};

struct MethodName {
  Method method;
  llvm::StringRef name, what;
};
inline constexpr MethodName methodNames[] = {
    {Method::Single, "single", "one device"},
    {Method::Data, "data", "the batch split over the devices"},
    {Method::Tensor, "tensor", "features, heads and vocabulary split"},
    {Method::Sequence, "sequence", "the sequence split, weights whole"},
    {Method::Expert, "expert", "experts split, tokens split over the same devices and sent to their experts"},
    {Method::Zero, "zero", "the batch split, gradients and optimizer states split (ZeRO 1 and 2)"},
    {Method::Gathered, "gathered", "the batch split, weights split at rest and gathered for use"},
    {Method::Hybrid, "hybrid", "the batch over the first axis, features over the others"},
    {Method::Auto, "auto", "the cheapest of all splits"},
};
llvm::StringRef nameOf(Method method);
std::optional<Method> methodOf(llvm::StringRef name);

/// What a dimension of a value is, or a factor of an op.
enum class DimRole : uint8_t { Other, Batch, Sequence, Expert };

/// Roles of all dimensions, from the first input's first (batch) and the first integer input's second dimension
/// (sequence) forward through the factor rules. Inputs share roles by the names of their symbolic dimensions,
/// else by size.
class DimRoles {
public:
  DimRoles(mlir::Block &body, RuleCache &rules);
  DimRole of(mlir::Value value, int dim) const;
  /// By factor of an op's rule.
  llvm::SmallVector<DimRole> ofFactors(mlir::Operation *op, const FactorRule &rule) const;

private:
  llvm::DenseMap<mlir::Value, llvm::SmallVector<DimRole, 4>> roles;
};

/// True if a function has a mixture of experts (llmpar.experts), which Method::Expert needs.
bool hasExperts(mlir::Block &body);

/// True for the op that steps a parameter.
bool isOptimizer(mlir::Operation *op);
/// Whether an op reads a state in its optimizer's place, in whatever parts: the optimizer's op itself, the narrow copy of a
/// parameter (Dialect/MasterWeights.h), and the choice between a state's new and old value.
bool followsOptimizer(mlir::Operation *op);
/// True if steps change weights of a function, which Method::Zero needs.
bool isTraining(mlir::Block &body);

/// True if `axis` may split a factor of this role; `isWeightFactor`: a weight of the op has it.
bool allows(Method method, AxisId axis, DimRole role, bool isWeightFactor);

} // namespace llmpar

#endif // LLMPAR_PLANNING_METHOD_H
