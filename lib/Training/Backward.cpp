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
  }
};

} // namespace

FailureOr<SmallVector<Value>> gradientsOf(OpBuilder &builder, Value loss, Value seed, ValueRange values) {
  assert(seed.getType() == loss.getType() && isFloat(loss) && "the seed is a gradient of the loss");
  return Backward(builder, loss, seed).run(values);
}

} // namespace llmpar
