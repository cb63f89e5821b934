//===- Backward.cpp - Reverse-mode differentiation --------------------------===//
#include "llmpar/Training/Backward.h"

#include "GradientRules.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace llmpar {
namespace {

class Backward {
public:
  Backward(OpBuilder &builder, Value loss, Value seed) : builder(builder), loss(loss) { gradients[loss] = seed; }

  FailureOr<SmallVector<Value>> run(ValueRange values) {
    findActive(values);
    Block *block = loss.getParentBlock();
    SmallVector<Operation *> order; // before anything is appended
    for (Operation &op : *block)
      order.push_back(&op);
    for (Operation *op : llvm::reverse(order))
      if (llvm::any_of(op->getResults(),
                       [&](Value result) { return gradients.contains(result) && active.contains(result); }))
        if (failed(differentiate(op)))
          return failure();
    joinSlices();
    return llvm::map_to_vector(values, [&](Value value) { return gradients.lookup(value); });
  }

private:
  OpBuilder &builder;
  Value loss;
  llvm::DenseMap<Value, Value> gradients;
  llvm::DenseSet<Value> active; ///< floats that depend on one of the values

  void findActive(ValueRange values) {
    active.insert_range(values);
    for (Operation &op : *loss.getParentBlock())
      if (llvm::any_of(op.getOperands(), [&](Value operand) { return active.contains(operand); }))
        for (Value result : op.getResults())
          if (isFloat(result))
            active.insert(result);
  }

  LogicalResult differentiate(Operation *op) {
    SmallVector<Value> resultGradients;
    for (Value result : op->getResults())
      resultGradients.push_back(gradients.lookup(result));
    SmallVector<char> needed;
    for (Value operand : op->getOperands())
      needed.push_back(active.contains(operand));
    if (!llvm::is_contained(needed, 1)) // one of the values itself
      return success();
    auto add = [&](Value operand, Value gradient) { accumulate(op->getLoc(), operand, gradient); };
    GradientContext context(builder, op, resultGradients, needed, add);
    return addGradients(op, context);
  }

  void accumulate(Location loc, Value operand, Value gradient) {
    Value &sum = gradients[operand];
    sum = sum ? BinaryOp::create(builder, loc, "add", sum, gradient).getResult() : gradient;
    if (sum != gradient)
      sums.push_back(sum.getDefiningOp());
  }

  //===-- A value that is read in slices ------------------------------------------===//

  SmallVector<Operation *> sums;
  llvm::DenseMap<Value, SmallVector<Value, 1>> haveGradient; ///< the keys of `gradients` by value

  /// The gradients of slices that a sum is made of; false if there is anything else in it, or if another has a part.
  bool collectSlices(Value value, SmallVectorImpl<SliceGradOp> &slices) const {
    Operation *op = value.getDefiningOp();
    if (!op || !value.hasOneUse() || haveGradient.contains(value))
      return false;
    if (auto slice = dyn_cast<SliceGradOp>(op)) {
      slices.push_back(slice);
      return llvm::all_of(slice.getSteps(), [](int64_t step) { return step == 1; });
    }
    auto add = dyn_cast<BinaryOp>(op);
    return add && add.getKind() == "add" && collectSlices(add.getA(), slices) && collectSlices(add.getB(), slices);
  }

  /// The dimension along which slices, in their order, are all of a value of that shape; -1 if there is none.
  static int64_t dimOfParts(ArrayRef<SliceGradOp> slices, ArrayRef<int64_t> shape) {
    for (int64_t dim = 0, rank = static_cast<int64_t>(shape.size()); dim < rank; ++dim) {
      SmallVector<int64_t> end(shape.size(), 0); // of the slices so far
      bool follow = llvm::all_of(slices, [&](SliceGradOp slice) {
        SmallVector<int64_t> extents(shapeOf(slice.getDy())), whole(shape);
        bool isNext = slice.getStarts() == ArrayRef<int64_t>(end);
        whole[dim] = extents[dim];
        end[dim] += extents[dim];
        return isNext && extents == whole;
      });
      if (follow && end[dim] == shape[dim])
        return dim;
    }
    return -1;
  }

  /// With all that the sum is made of.
  void erase(Operation *op) {
    SmallVector<Value> parts;
    if (isa<BinaryOp>(op))
      parts.assign(op->operand_begin(), op->operand_end());
    llvm::erase(sums, op);
    op->erase();
    for (Value part : parts)
      erase(part.getDefiningOp());
  }

  /// The sum of the gradients of slices that are all of a value is a concatenation: nothing is padded and added.
  void joinSlices() {
    for (auto [value, gradient] : gradients)
      haveGradient[gradient].push_back(value);
    while (!sums.empty()) { // a sum before those that it is made of
      auto add = cast<BinaryOp>(sums.pop_back_val());
      SmallVector<SliceGradOp> slices;
      if (!collectSlices(add.getA(), slices) || !collectSlices(add.getB(), slices))
        continue;
      llvm::sort(slices, [](SliceGradOp a, SliceGradOp b) { return a.getStarts() < b.getStarts(); });
      int64_t dim = dimOfParts(slices, shapeOf(add));
      if (dim < 0)
        continue;
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPoint(add);
      SmallVector<Value> parts;
      for (SliceGradOp slice : slices)
        parts.push_back(slice.getDy());
      Value whole = ConcatOp::create(builder, add.getLoc(), add.getType(), parts, dim);
      for (Value value : haveGradient.lookup(add.getResult()))
        gradients[value] = whole;
      add.getResult().replaceAllUsesWith(whole);
      erase(add);
    }
  }
};

} // namespace

FailureOr<SmallVector<Value>> gradientsOf(OpBuilder &builder, Value loss, Value seed, ValueRange values) {
  assert(seed.getType() == loss.getType() && isFloat(loss) && "the seed is a gradient of the loss");
  return Backward(builder, loss, seed).run(values);
}

} // namespace llmpar
