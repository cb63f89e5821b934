//===- FactorSharding.cpp - From factors to operand shardings ---------------===//
#include "llmpar/Core/FactorSharding.h"

namespace llmpar {

static Sharding tensorSharding(const FactorRule &rule, const TensorFactors &tensor, llvm::ArrayRef<int64_t> shape,
                               const FactorShardings &factors, const Mesh &mesh) {
  Sharding sharding = Sharding::replicated(shape.size());
  for (auto [dim, list] : llvm::enumerate(tensor)) {
    if (list.empty() || factors[list.front()].axes.empty())
      continue;
    sharding.dims[dim] = factors[list.front()];
    sharding.dims[dim].unit *= rule.minorSize(tensor, list.front());
  }
  normalize(sharding, shape, mesh);
  return sharding;
}

Sharding operandSharding(const FactorRule &rule, int operand, llvm::ArrayRef<int64_t> shape,
                         const FactorShardings &factors, const Mesh &mesh) {
  return tensorSharding(rule, rule.operands[operand], shape, factors, mesh);
}

Sharding resultSharding(const FactorRule &rule, int result, llvm::ArrayRef<int64_t> shape,
                        const FactorShardings &factors, const Mesh &mesh) {
  Sharding sharding = tensorSharding(rule, rule.results[result], shape, factors, mesh);
  for (auto [index, factor] : llvm::enumerate(rule.factors)) {
    bool isOwn = FactorRule::dimOf(rule.results[result], static_cast<int>(index)) >= 0; // then it holds a part of it
    if (isReduction(factor.kind) && !isOwn)
      for (AxisId axis : factors[index].axes)
        sharding.partial.push_back({axis, factor.kind});
  }
  normalize(sharding, shape, mesh);
  return sharding;
}

std::optional<DimSharding> factorOfDim(const FactorRule &rule, const TensorFactors &tensor, int dim,
                                       const DimSharding &sharding, int64_t size, const Mesh &mesh) {
  int64_t minor = rule.minorSize(tensor, tensor[dim].front());
  if (minor <= 1)
    return sharding;
  if (sharding.unit % minor == 0)
    return DimSharding{sharding.axes, sharding.unit / minor};
  // The unit says nothing, but the split may still fall between steps of the factor: 128 = 8 x 16 over 4.
  Sharding wanted;
  wanted.dims.push_back(sharding);
  normalize(wanted, {size}, mesh);
  int64_t largest = localShape(wanted, {size}, mesh)[0];
  for (int64_t steps : {int64_t(1), largest / minor}) {
    Sharding asFactor;
    asFactor.dims.push_back({sharding.axes, std::max<int64_t>(steps, 1) * minor});
    normalize(asFactor, {size}, mesh);
    if (wanted == asFactor)
      return DimSharding{sharding.axes, std::max<int64_t>(steps, 1)};
  }
  return std::nullopt;
}

} // namespace llmpar
