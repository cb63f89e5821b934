//===- FactorRule.h - Index notation of an operator -------------*- C++ -*-===//
//
// A factor is an index of an operator's index notation. A dimension of an operand
// or result is a product of factors, major first; one without factors must be whole.
//
//   matmul   "b m k, k n -> b m n ; sum(k)"
//            shard m: every rank computes its rows.
//            shard k: every rank's result is a partial sum.
//   reshape  [6,4] -> [3,8] is "(a b) c -> a (b c)": only a is the major factor everywhere,
//            so only a can be sharded.
//   softmax  "b k -> b k ; combine(k)"
//            shard k: every rank has its part of the result, but needs the maximum and the sum over all
//            parts: llmpar-decompose-split-reductions makes the op primitive ones and reductions.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_CORE_FACTORRULE_H
#define LLMPAR_CORE_FACTORRULE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <string>

namespace llmpar {

/// What a result is when its factor is sharded.
enum class FactorKind : uint8_t {
  PassThrough, ///< the result is sharded too (or the factor is only in operands that agree)
  Sum,         ///< the result is a partial sum
  Max,
  Min,
  Prod,
  Combine,     ///< the result is complete, but the op must be decomposed: it reduces over the axes inside
  Whole,       ///< must not be sharded
};

/// True if sharding such a factor leaves a result that is partial.
constexpr bool isReduction(FactorKind kind) {
  return kind == FactorKind::Sum || kind == FactorKind::Max || kind == FactorKind::Min || kind == FactorKind::Prod;
}

struct Factor {
  std::string name;
  int64_t size = 1;
  FactorKind kind = FactorKind::PassThrough;
  bool offset = false; ///< the kernel is told where its shard starts
};

/// Factors of each dimension of a tensor, major first; indices into FactorRule::factors.
using TensorFactors = llvm::SmallVector<llvm::SmallVector<int, 1>, 4>;

struct FactorRule {
  llvm::SmallVector<Factor, 6> factors;
  llvm::SmallVector<TensorFactors, 3> operands, results;

  int add(llvm::StringRef name, int64_t size, FactorKind kind = FactorKind::PassThrough, bool offset = false);

  /// A factor can be sharded if it is not whole and is the first factor of every dimension that has it.
  bool isShardable(int factor) const;
  /// Product of the factors behind `factor` in the dimension of `tensor` that has it first; 0 if none has.
  /// This is the unit of that dimension when the factor is split in ones.
  int64_t minorSize(const TensorFactors &tensor, int factor) const;
  /// Index of the dimension of `tensor` whose first factor is `factor`, or -1.
  static int dimOf(const TensorFactors &tensor, int factor);
  /// "b m k, k n -> b m n ; sum(k)"
  std::string str() const;
};

using Shape = llvm::SmallVector<int64_t, 4>;

/// Parses a rule and binds it to shapes. `...` stands for leading dimensions that broadcast
/// as in NumPy: a dimension that is missing or has size 1 where the result's is larger has no factor.
/// A malformed rule is a bug of ours (assert); shapes were checked by the op's verifier.
FactorRule parseFactorRule(llvm::StringRef rule, llvm::ArrayRef<Shape> operands, llvm::ArrayRef<Shape> results);

/// The common refinement of two shapes of equal element count, as a reshape's rule; where dimension
/// boundaries do not divide, the dimensions between are whole.
FactorRule reshapeFactorRule(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to);

} // namespace llmpar

#endif // LLMPAR_CORE_FACTORRULE_H
