//===- FlopCount.cpp - Floating-point operations of an op ------------------===//
#include "llmpar/Dialect/FlopCount.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace llmpar {

static double elements(const Shape &shape) {
  double count = 1;
  for (int64_t extent : shape)
    count *= static_cast<double>(extent);
  return count;
}

static std::optional<double> evaluateTerm(StringRef term, const FactorRule &rule, ArrayRef<int64_t> sizes) {
  double product = 1;
  SmallVector<StringRef> tokens;
  llvm::SplitString(term, tokens);
  for (StringRef token : tokens) {
    double number;
    if (!token.getAsDouble(number)) {
      product *= number;
      continue;
    }
    for (auto [factor, size] : llvm::zip(rule.factors, sizes))
      if (token == "..." ? StringRef(factor.name).starts_with("_") : token == factor.name)
        product *= static_cast<double>(size);
    // A dimension of size 1 has no factor; a name that no matmul or reduction uses is a spelling error.
    if (token != "..." && token.size() > 1)
      return std::nullopt;
  }
  return product;
}

std::optional<double> evaluatePolynomial(StringRef polynomial, const FactorRule &rule, ArrayRef<int64_t> sizes) {
  double sum = 0;
  SmallVector<StringRef> terms;
  polynomial.split(terms, '+');
  for (StringRef term : terms) {
    std::optional<double> value = evaluateTerm(term, rule, sizes);
    if (!value)
      return std::nullopt;
    sum += *value;
  }
  return sum;
}

FlopCount::FlopCount(Operation *op) : op(op) {
  auto factorOp = dyn_cast<FactorOpInterface>(op);
  if (!factorOp || isa<ReduceOp>(op) || factorOp.getFlopPolynomial().empty())
    return;
  polynomial = factorOp.getFlopPolynomial();
  rule = factorOp.getFactorRule();
}

/// A factor's size on this rank is the extent of a dimension that has only this factor.
static void bindFactors(SmallVector<int64_t> &sizes, const TensorFactors &tensor, const Shape &shape) {
  for (auto [factors, extent] : llvm::zip(tensor, shape))
    if (factors.size() == 1)
      sizes[factors[0]] = extent;
}

double FlopCount::at(ArrayRef<Shape> operands, ArrayRef<Shape> results) const {
  if (isa<TransposeOp, ReshapeOp, BroadcastOp, SliceOp, AllSliceOp, ConcatOp, PadOp, GatherOp, GatherElementsOp,
          GatherNdOp, GatherGradOp, SliceGradOp, ScatterNdOp, ScatterElementsOp, IotaOp, CastOp, SelectOp, AllReduceOp, AllGatherOp,
          ReduceScatterOp, AllToAllOp, DispatchOp, CombineOp>(op))
    return 0;
  if (isa<ConvOp>(op)) { // every result element: channels of a group times the window
    const Shape &w = operands[1];
    return w.empty() || w[0] == 0 ? 0 : 2 * elements(results[0]) * elements(w) / static_cast<double>(w[0]);
  }
  if (auto experts = dyn_cast<ExpertsOp>(op)) { // routing weights that are not 0, each times the expert's products
    double routed = elements(operands[1]) * static_cast<double>(experts.getK()) / static_cast<double>(experts.getExperts());
    double weights = 0; // of one expert
    for (const Shape &weight : ArrayRef(operands).drop_front(2))
      weights += static_cast<double>(weight[1]) * static_cast<double>(weight[2]);
    return 2 * routed * weights;
  }
  if (isa<ReduceOp>(op))
    return elements(operands[0]);
  if (!rule)
    return elements(results[0]);
  SmallVector<int64_t> sizes;
  for (const Factor &factor : rule->factors)
    sizes.push_back(factor.size);
  for (auto [shape, tensor] : llvm::zip(operands, rule->operands))
    bindFactors(sizes, tensor, shape);
  for (auto [shape, tensor] : llvm::zip(results, rule->results))
    bindFactors(sizes, tensor, shape);
  return evaluatePolynomial(polynomial, *rule, sizes).value_or(elements(results[0]));
}

} // namespace llmpar
