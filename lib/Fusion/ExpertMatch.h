//===- ExpertMatch.h - What an expert looks like ----------------*- C++ -*-===//
//
// An expert is down(f(up x)) or down(f(gate x) * up x), f one unary op or x * sigmoid(x). How its
// products are written differs between exporters, so that part is a function:
//
//   ExpertMatcher matcher(matchMyProduct);
//   std::optional<Expert> expert = matcher.match(result);   // result: what the down product gives
//   bool mayReplace = expert && matcher.isClosed(userOfResult);
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_FUSION_EXPERTMATCH_H
#define LLMPAR_LIB_FUSION_EXPERTMATCH_H

#include "llmpar/Dialect/OpWriter.h"
#include "mlir/IR/Builders.h"

namespace llmpar {

/// A product with a weight, result features by rows: [.., out, in], or [.., in, out] if `isTransposed`.
struct Product {
  mlir::Value x;
  LoadWeightOp weight;
  bool isTransposed = false;
  int64_t begin = 0, size = 0; ///< of the out dimension, where others are for another product
};

struct Expert {
  Product up, down;
  std::optional<Product> gate;
  std::string kind;
  llvm::APFloat alpha{1.0}, beta{0.0};
};

class ExpertMatcher {
public:
  /// The product that computes a value; `ops` gets the ops in between, and may grow on failure.
  using Operations = llvm::SmallVector<mlir::Operation *, 16>;
  using MatchProduct = std::optional<Product> (*)(mlir::Value value, Operations &ops);
  explicit ExpertMatcher(MatchProduct matchProduct) : matchProduct(matchProduct) {}

  std::optional<Expert> match(mlir::Value result);
  /// True if only the expert's own ops and `user` use what the expert computes.
  bool isClosed(mlir::Operation *user) const;
  llvm::ArrayRef<mlir::Operation *> operations() const { return ops; }

private:
  MatchProduct matchProduct;
  Operations ops;

  std::optional<Product> product(mlir::Value value);
  std::optional<Product> activation(mlir::Value value, Expert &expert);
};

/// The chosen experts of every token and their weights, both [.., k].
struct Choice {
  mlir::Value weights, indices;
  int64_t k = 0, experts = 0;
  bool operator==(const Choice &other) const { return weights == other.weights && indices == other.indices; }
};
/// None unless `indices` are those of a top-k along the last dimension, so that an expert that is not chosen is not
/// weighted at all.
std::optional<Choice> matchChoice(mlir::Value weights, mlir::Value indices);

mlir::Value stripReshapes(mlir::Value value);

/// Weights of every expert, [.., experts]: sum over j of weights[.., j] * (indices[.., j] == expert).
mlir::Value createRouting(mlir::OpBuilder &builder, mlir::Location loc, const Choice &choice);

/// The op for experts whose weights are stacked: `up`, `down` and `gate` name weights [experts, ..]. x and the result
/// have the type's dimensions but the last.
mlir::Value createExperts(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value x, const Expert &stacked,
                          const Choice &choice);

/// Raises every mixture of @main that is written in one way; true if there was one.
bool raiseUnrolledExperts(mlir::func::FuncOp function);
bool raiseGatheredExperts(mlir::func::FuncOp function);

} // namespace llmpar

#endif // LLMPAR_LIB_FUSION_EXPERTMATCH_H
