//===- FactorSharding.h - From factors to operand shardings -----*- C++ -*-===//
//
// An operator's sharding is a choice of axes per factor; the shardings of its
// operands and results follow from its rule.
//
//   matmul "b m k, k n -> b m n ; sum(k)" with k over tp:
//     a = [{},{},{tp}]  b = [{tp},{}]  result = [{},{},{}] partial {tp: sum}
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_CORE_FACTORSHARDING_H
#define LLMPAR_CORE_FACTORSHARDING_H

#include "llmpar/Core/Sharding.h"
#include <optional>

namespace llmpar {

/// Axes and unit of each factor of a rule, the unit counted in steps of the factor.
using FactorShardings = llvm::SmallVector<DimSharding, 6>;

/// The sharding that an operand must have, normalized.
Sharding operandSharding(const FactorRule &rule, int operand, llvm::ArrayRef<int64_t> shape,
                         const FactorShardings &factors, const Mesh &mesh);

/// The sharding that a result then has, normalized: partial over the axes of reducing factors that are its.
Sharding resultSharding(const FactorRule &rule, int result, llvm::ArrayRef<int64_t> shape,
                        const FactorShardings &factors, const Mesh &mesh);

/// What a dimension's sharding means for its first factor: the same ranges, in steps of the factor.
/// None if a shard would cut through the dimension's minor factors.
std::optional<DimSharding> factorOfDim(const FactorRule &rule, const TensorFactors &tensor, int dim,
                                       const DimSharding &sharding, int64_t size, const Mesh &mesh);

} // namespace llmpar

#endif // LLMPAR_CORE_FACTORSHARDING_H
