//===- ArrayPool.h - Equal arrays once, equal steps once --------*- C++ -*-===//
//
// A model repeats its blocks, and so does its problem. The arrays of a ReducedProblem (costs of a node, matrices,
// bytes, labels) never change and are interned: equal ones are the same object. A step that makes arrays of arrays
// is remembered by its inputs, so that all blocks but one cost a look-up:
//
//   const Made &sum = pool.once(Step::Add, {a, b}, [&] { return Made{pool.intern(added(a, b))}; });
//
// Answers never depend on what is remembered.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_PLANNER_ARRAYPOOL_H
#define LLMPAR_LIB_PLANNER_ARRAYPOOL_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/IntrusiveRefCntPtr.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <deque>
#include <vector>

namespace llmpar {

/// An immutable array of a pool. Counted without locks: a pool and all that is made of it belong to one thread.
struct InternedArray : llvm::RefCountedBase<InternedArray>, std::vector<int64_t> {
  explicit InternedArray(std::vector<int64_t> values);
  bool forbids; ///< one of its numbers is kForbidden or more
};

/// Arrays of one pool are equal if and only if their addresses are. Null is no array.
using Numbers = llvm::IntrusiveRefCntPtr<const InternedArray>;

/// What a step makes; null where the step says so.
using Made = llvm::SmallVector<Numbers, 3>;

/// The steps that are remembered.
enum class Step { Add, Select, SelectColumns, Transpose, Along, Rows, Pairs, Normalize, Bypass, Lift, Lower, Imply, Dominate, Price };

class ArrayPool {
public:
  /// An array or a number that a step depends on.
  struct Input {
    Input(const Numbers &array) : bits(reinterpret_cast<uintptr_t>(array.get())) {}
    Input(uint64_t number) : bits(number) {}
    uint64_t bits;
  };

  Numbers intern(std::vector<int64_t> values);
  /// What `make` returns; it is called once for equal inputs. The reference is valid until `trim`.
  const Made &once(Step step, llvm::ArrayRef<Input> inputs, llvm::function_ref<Made()> make);
  /// Forgets steps, and arrays that nobody else holds, if there are many.
  void trim();

private:
  struct Known {
    uint64_t hash;
    size_t begin, count; ///< of its inputs in `inputs`
    Made made;
  };
  /// Places of entries by hash, with open addressing: -1 is empty.
  struct Index {
    std::vector<int32_t> places = std::vector<int32_t>(1 << 10, -1);
    size_t used = 0;
    template <typename IsEntry> int32_t *find(uint64_t hash, IsEntry isEntry);
    template <typename HashOf> void makeRoom(HashOf hashOf);
  };
  std::vector<std::pair<uint64_t, Numbers>> arrays; ///< with hashes
  std::deque<Known> known;
  std::vector<uint64_t> inputs;
  Index arrayIndex, knownIndex;
  size_t numbers = 0, limit = 1 << 23; ///< in all arrays; 64 MiB
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_ARRAYPOOL_H
