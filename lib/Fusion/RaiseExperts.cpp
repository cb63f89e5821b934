//===- RaiseExperts.cpp - A mixture of experts becomes one op --------------===//
#include "llmpar/Fusion/Passes.h"

#include "ExpertMatch.h"
#include "llvm/ADT/DenseSet.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace llmpar {
#define GEN_PASS_DEF_RAISEEXPERTS
#include "llmpar/Fusion/Passes.h.inc"

namespace {
struct RaiseExperts : impl::RaiseExpertsBase<RaiseExperts> {
  using Base::Base;
  void runOnOperation() override {
    bool anyWhere = false;
    for (auto function : getOperation().getOps<mlir::func::FuncOp>()) {
      if (function.isExternal())
        continue;
      bool any = raiseUnrolledExperts(function);
      any |= raiseGatheredExperts(function);
      if (!any)
        continue;
      anyWhere = true;
      // What the experts were written in. Last first: then a use that is dead is gone.
      for (mlir::Operation &op : llvm::make_early_inc_range(llvm::reverse(function.getBody().front())))
        if (mlir::isOpTriviallyDead(&op))
          op.erase();
    }
    if (anyWhere)
      eraseUnusedWeights(getOperation());
  }

  /// Those of single experts.
  static void eraseUnusedWeights(mlir::ModuleOp module) {
    llvm::DenseSet<mlir::StringAttr> used;
    module.walk([&](LoadWeightOp load) { used.insert(load.getWeightAttr().getAttr()); });
    for (WeightOp weight : llvm::make_early_inc_range(module.getOps<WeightOp>()))
      if (!used.contains(weight.getSymNameAttr()))
        weight.erase();
  }
};
} // namespace
} // namespace llmpar
