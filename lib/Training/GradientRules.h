//===- GradientRules.h - The gradient of each op ----------------*- C++ -*-===//
#ifndef LLMPAR_LIB_TRAINING_GRADIENTRULES_H
#define LLMPAR_LIB_TRAINING_GRADIENTRULES_H

#include "llmpar/Dialect/OpWriter.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace llmpar {

/// What a rule works with: an op whose results have gradients, and a way to add to those of its operands.
class GradientContext : public OpWriter {
public:
  using Accumulate = llvm::function_ref<void(mlir::Value operand, mlir::Value gradient)>;
  GradientContext(mlir::OpBuilder &builder, mlir::Operation *op, llvm::ArrayRef<mlir::Value> resultGradients,
                  llvm::ArrayRef<char> neededOperands, Accumulate accumulate)
      : OpWriter{builder, op->getLoc()}, op(op), resultGradients(resultGradients), neededOperands(neededOperands),
        accumulate(accumulate) {}

  /// Of a result; null if the loss does not depend on it.
  mlir::Value dy(unsigned result = 0) const { return resultGradients[result]; }
  /// Whether anyone wants the gradient of an operand.
  bool needs(unsigned operand) const { return neededOperands[operand]; }
  /// Adds to the gradient of an operand. Dimensions that the op has broadcast are summed.
  void add(unsigned operand, mlir::Value gradient);
  mlir::LogicalResult refuse(const llvm::Twine &why) const;

private:
  mlir::Operation *op;
  llvm::ArrayRef<mlir::Value> resultGradients;
  llvm::ArrayRef<char> neededOperands;
  Accumulate accumulate;
};

llvm::ArrayRef<int64_t> shapeOf(mlir::Value value);
bool isFloat(mlir::Value value);

/// Adds the gradients of the op's operands, or fails with an error at the op.
mlir::LogicalResult addGradients(mlir::Operation *op, GradientContext &g);

// By family; none if the op is not of the family.
std::optional<mlir::LogicalResult> elementwiseGradients(mlir::Operation *op, GradientContext &g);
std::optional<mlir::LogicalResult> rowGradients(mlir::Operation *op, GradientContext &g);
std::optional<mlir::LogicalResult> indexingGradients(mlir::Operation *op, GradientContext &g);

} // namespace llmpar

#endif // LLMPAR_LIB_TRAINING_GRADIENTRULES_H
