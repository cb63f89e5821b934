//===- NoPlanFits.h - Which constraints conflict, and ways out --*- C++ -*-===//
//
//   no plan of method 'data' fits into a device of 'dgx-h100' (80.0 GiB): the smallest one found needs 132.4 GiB on
//   dp=8, and none needs less than 130.0 GiB; in conflict: method 'data', the memory; ways out: method 'auto' (71.2
//   GiB), bf16 for f32 (66.1 GiB, estimated), batch 6 for 8 (79.0 GiB, estimated)
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNING_NOPLANFITS_H
#define LLMPAR_PLANNING_NOPLANFITS_H

#include "llmpar/Planner/Explain.h"
#include "llmpar/Planning/PlanShardings.h"

namespace llmpar {

/// The error of planShardings where memory, pins and method leave no plan.
struct NoPlanFits : llvm::ErrorInfo<NoPlanFits> {
  static char ID;
  struct WayOut {
    std::string change;    ///< "method 'auto'", "batch 6 for 8"
    int64_t peakBytes = 0; ///< of a plan that was found with it
    /// The problem was scaled, not built again: shards that do not divide evenly may take a little more.
    bool isEstimate = false;
  };
  std::string method, cluster;
  int64_t memoryBytes = 0;           ///< of a device, or the request's limit
  std::string mesh;                  ///< on which a plan needs least
  SmallestPeak peak;                 ///< over all meshes
  std::vector<std::string> conflict; ///< together they leave no plan; without any one of them there is one
  bool isProved = true;   ///< false: the search ran out of time, so that a plan may exist after all
  std::vector<WayOut> waysOut;       ///< least change first
  bool isComplete = true; ///< false: time ran out before every constraint and way out was tried

  void log(llvm::raw_ostream &os) const override;
  std::error_code convertToErrorCode() const override { return llvm::inconvertibleErrorCode(); }
};

/// Finds out why `request` has no plan for `module`, in about 10 seconds or the request's time limit at most. `searched`:
/// what findShardings said.
llvm::Error whyNoPlanFits(mlir::ModuleOp module, const PlanRequest &request, const ShardingPlan &searched);

} // namespace llmpar

#endif // LLMPAR_PLANNING_NOPLANFITS_H
