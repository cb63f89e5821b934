//===- RecordPlan.h - Loads, records and storages of a function -*- C++ -*-===//
//
// What is the same on every rank: which ops become records of `init` and `main`, which weights
// (or slices of them) are loaded, and which values share a storage.
//
//   %w = load_weight @w ; %s = slice %w       -> a load of the slice only
//   %t = transpose %s                         -> init record: depends on weights only
//   %y = matmul %x, %t                        -> main record; %t's storage: Staging (packed)
//   %z = unary "gelu" %y                      -> main record, in place: %z shares %y's storage
//   %r = reshape %z                           -> no record: %r is %z's storage
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LOWERING_RECORDPLAN_H
#define LLMPAR_LOWERING_RECORDPLAN_H

#include "llmpar/Abi/Lanes.h"
#include "llmpar/Lowering/ValueLayouts.h"
#include "llmpar/Planner/PackBuffers.h"
#include <vector>

namespace llmpar {

/// Where a storage's bytes come from.
enum class Origin : uint8_t { Load, Input, Init, Main };
/// Where they live: the arenas Weights and Staging, or Activations during init or main.
enum class Home : uint8_t { Weights, Staging, Init, Main };

/// Memory that one or more values share. All have the same bytes on every rank.
struct Storage {
  mlir::Value value; ///< one of them
  Origin origin;
  Home home = Home::Main;
  Lifetime lifetime;     ///< records of init or main, for the homes Init and Main; see keepUntilJoined
  int64_t lastInit = -1; ///< last record of init that reads it, -1: none
  int64_t lastMain = -1;
  bool isPacked = true; ///< main reads it only as the weight of packable products
  bool isState = false; ///< an argument whose next value `main` writes in its place
  int nextOf = -1;      ///< the state in whose place it is computed, because nobody reads the old value any more

  /// The last record of the entry that it lives in that reads it, -1: none.
  int64_t lastUse() const { return home == Home::Init ? lastInit : lastMain; }
};

/// A box of a weight or constant; its extents are the valid ones of `value`.
struct LoadPlan {
  mlir::Value value;
  mlir::Attribute source;          ///< FlatSymbolRefAttr of a weight, or the constant
  llvm::SmallVector<int64_t> base; ///< where the global value begins in the source
  int storage;
};

struct RecordPlan {
  mlir::Operation *op; ///< null: copies `source` to an output's own storage, or with `mean` to itself
  mlir::Value source;
  llvm::SmallVector<int, 3> inputs;  ///< storages of the operands
  llvm::SmallVector<int, 1> outputs; ///< storages of the results
  Lane lane = Lane::Compute;
  struct Mean {
    AxisId axis;
    int64_t every; ///< steps
  };
  std::optional<Mean> mean = std::nullopt; ///< over the ranks of an axis, in place
};

struct OutputPlan {
  unsigned result; ///< of the function
  mlir::Value value;
  int storage;
};

struct FunctionPlan {
  std::vector<Storage> storages;
  std::vector<LoadPlan> loads;
  std::vector<RecordPlan> init, main;
  llvm::SmallVector<int> arguments; ///< storages, -1 for an unused argument
  std::vector<OutputPlan> outputs;
  std::vector<int> group; ///< storage -> the one whose place it takes (in-place reuse), or itself
};

/// Records are in the order of the ops in `order`, which are all but the terminator.
mlir::FailureOr<FunctionPlan> planRecords(mlir::func::FuncOp func, const ValueLayouts &layouts,
                                          llvm::ArrayRef<mlir::Operation *> order);

/// Keeps what a collective touches until the compute lane has waited for it: later compute records, which
/// may run before it has ended, must not get that memory. Part of planRecords.
///
///   #1 communication all_reduce %a -> %r
///   #2 compute       ... -> %b            not in the place of %a, though nobody reads %a any more
///   #3 compute       add %b, %r -> %c     may take it: it begins when #1 has ended
void keepUntilJoined(FunctionPlan &plan);

/// Lets results take the place of operands that end at their record. Part of planRecords.
void reuseInPlace(FunctionPlan &plan, const ValueLayouts &layouts);

} // namespace llmpar

#endif // LLMPAR_LOWERING_RECORDPLAN_H
