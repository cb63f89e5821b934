//===- PlaceState.cpp - Weights that steps change, as arguments -------------===//
//
//   %w = load_weight @w {out = [-, tp]}            func @main(..., %w {llmpar.state = @w, out = [-, tp]})
//   %0 = matmul %x, %w                             %0 = matmul %x, %w
//   %s = load_weight @w {out = [dp, -]}     ->     %1:3 = adam %w, ...  {in = [[dp, -], ...]}
//   %1:3 = adam %s, ...                            return %1#0, wanted as [-, tp]
//   return %1#0 {llmpar.next = @w}
//
// Between steps the weight rests as it is loaded first; InsertReshards does what others want.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Partition/Passes.h"

namespace llmpar {
#define GEN_PASS_DEF_PLACESTATE
#include "llmpar/Partition/Passes.h.inc"

namespace {

class StatePlacer {
public:
  StatePlacer(mlir::func::FuncOp function, const Mesh &mesh) : function(function), mesh(mesh) {}

  void run(llvm::ArrayRef<WeightOp> weights) {
    for (auto load : function.getBody().front().getOps<LoadWeightOp>())
      loads[load.getWeight()].push_back(load);
    for (WeightOp weight : weights)
      if (auto found = loads.find(weight.getSymName()); found != loads.end())
        place(weight, found->second);
    mlir::Operation *ret = function.getBody().front().getTerminator();
    llvm::SmallVector<Sharding> wanted = inShardings(ret, mesh);
    for (unsigned result = 0; result < wanted.size(); ++result)
      if (auto next = function.getResultAttrOfType<mlir::FlatSymbolRefAttr>(result, LlmparDialect::kNext))
        if (auto found = rest.find(next.getValue()); found != rest.end())
          wanted[result] = found->second;
    setInShardings(ret, wanted, mesh);
  }

private:
  mlir::func::FuncOp function;
  const Mesh &mesh;
  llvm::StringMap<llvm::SmallVector<LoadWeightOp>> loads;
  llvm::StringMap<Sharding> rest;

  void place(WeightOp weight, llvm::MutableArrayRef<LoadWeightOp> uses) {
    mlir::Builder builder(function.getContext());
    Sharding sharding = shardingOf(uses.front().getResult(), mesh);
    rest[weight.getSymName()] = sharding;
    unsigned index = function.getNumArguments();
    auto attributes = builder.getDictionaryAttr(
        {builder.getNamedAttr(LlmparDialect::kName, weight.getSymNameAttr()),
         builder.getNamedAttr(LlmparDialect::kState, mlir::FlatSymbolRefAttr::get(weight.getSymNameAttr()))});
    (void)function.insertArgument(index, weight.getType(), attributes, weight.getLoc());
    mlir::Value state = function.getArgument(index);
    setSharding(state, sharding, mesh);
    for (LoadWeightOp load : uses) {
      load.replaceAllUsesWith(state);
      load.erase();
    }
  }
};

struct PlaceState : impl::PlaceStateBase<PlaceState> {
  using Base::Base;
  void runOnOperation() override {
    llvm::SmallVector<WeightOp> weights;
    for (auto weight : getOperation().getOps<WeightOp>())
      if (weight->hasAttr(LlmparDialect::kMutable))
        weights.push_back(weight);
    if (weights.empty())
      return;
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    StatePlacer(function, meshOf(getOperation())).run(weights);
  }
};
} // namespace
} // namespace llmpar
