//===- SplitPackedWeights.cpp - Parts of a packed weight as weights ---------===//
//
//   weight @w : 6x12                            weight @"w[:, 0:4]" : 6x4 {llmpar.part = ...}
//   %w = load_weight @w                         weight @"w[:, 4:12]" : 6x8 {llmpar.part = ...}
//   %a = slice %w, columns 0 to 4        ->     %a = load_weight @"w[:, 0:4]"
//   %b = slice %w, columns 4 to 12              %b = load_weight @"w[:, 4:12]"
//
//===----------------------------------------------------------------------===//
#include "llmpar/Dialect/MasterWeights.h"
#include "llmpar/Dialect/OpWriter.h"
#include "llmpar/Dialect/WeightParts.h"
#include "llmpar/Training/Passes.h"
#include "llvm/ADT/MapVector.h"
#include <map>

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_SPLITPACKEDWEIGHTS
#include "llmpar/Training/Passes.h.inc"

namespace {

/// Slices by where they begin.
using Slices = std::map<SmallVector<int64_t>, SmallVector<SliceOp>>;

/// Adds the slices that are all uses of a weight or of its narrow copy; false if there is another use.
bool addSlices(Value value, Slices &slices) {
  for (Operation *user : value.getUsers()) {
    if (isNarrowCopy(user)) {
      if (!addSlices(user->getResult(0), slices))
        return false;
      continue;
    }
    auto slice = dyn_cast<SliceOp>(user);
    if (!slice || llvm::any_of(slice.getSteps(), [](int64_t step) { return step != 1; }))
      return false;
    slices[llvm::to_vector(slice.getStarts())].push_back(slice);
  }
  return true;
}

/// Whether slices are the whole, cut along one dimension.
bool cover(Slices &slices, ArrayRef<int64_t> shape) {
  if (slices.size() < 2)
    return false;
  SmallVector<int64_t> end(shape.size(), 0); // of the slice before
  int64_t cutDim = -1;
  for (auto &[starts, same] : slices) {
    ArrayRef<int64_t> extents = tensorType(same.front()).getShape();
    for (SliceOp slice : same)
      if (tensorType(slice).getShape() != extents)
        return false;
    for (auto [index, size] : llvm::enumerate(shape)) {
      auto dim = static_cast<int64_t>(index);
      if (extents[dim] == size)
        continue;
      if ((cutDim >= 0 && cutDim != dim) || starts[dim] != end[dim])
        return false;
      cutDim = dim;
      end[dim] = starts[dim] + extents[dim];
    }
  }
  return cutDim >= 0 && end[cutDim] == shape[cutDim];
}

struct SplitPackedWeights : impl::SplitPackedWeightsBase<SplitPackedWeights> {
  using Base::Base;
  void runOnOperation() override {
    auto function = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!function || !function.getBody().hasOneBlock()) {
      getOperation().emitError("packed weights are split in a function @main of one block");
      return signalPassFailure();
    }
    llvm::MapVector<StringAttr, SmallVector<LoadWeightOp>> loads;
    for (auto load : function.getBody().front().getOps<LoadWeightOp>())
      loads[load.getWeightAttr().getAttr()].push_back(load);
    SymbolTable symbols(getOperation());
    for (auto &[name, all] : loads) {
      auto weight = symbols.lookup<WeightOp>(name);
      Slices slices;
      if (llvm::all_of(all, [&](LoadWeightOp load) { return addSlices(load, slices); }) &&
          cover(slices, tensorType(all.front()).getShape()))
        split(symbols, weight, all, slices);
    }
  }

private:
  void split(SymbolTable &symbols, WeightOp weight, MutableArrayRef<LoadWeightOp> loads, Slices &slices) {
    for (auto &[starts, same] : slices) {
      WeightBox box = boxOf(weight);
      for (auto [from, start] : llvm::zip(box.starts, starts))
        from += start;
      RankedTensorType type = tensorType(loads.front()).clone(tensorType(same.front()).getShape());
      auto part = cast<WeightOp>(weight->clone());
      part.setType(type);
      part.setSymName(nameOf(box, type.getShape()));
      setBox(part, box);
      StringAttr symbol = symbols.insert(part, Block::iterator(weight));
      for (SliceOp slice : same) {
        OpBuilder builder(slice);
        Value value = LoadWeightOp::create(builder, slice.getX().getLoc(), type, symbol.getValue());
        slice.replaceAllUsesWith(
            OpWriter{builder, slice.getX().getLoc()}.cast(value, tensorType(slice).getElementType()));
        slice.erase();
      }
    }
    for (LoadWeightOp load : loads) {
      for (Operation *copy : llvm::make_early_inc_range(load->getUsers()))
        copy->erase();
      load.erase();
    }
    symbols.erase(weight);
  }
};

} // namespace
} // namespace llmpar
