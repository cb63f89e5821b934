//===- SplitBatches.cpp - Attention whose batch and heads are one dimension -===//
//
//   %q, %k, %v : [b h, s, d]                       %q4, %k4, %v4 : [b, h, s, d]     reshaped, which costs nothing
//   %0 = matmul %q, %k'    : [b h, s, s]           %0 = matmul %q4, %k4'   : [b, h, s, s]
//   %1 = reshape %0        : [b, h, s, s]    ->
//   %2 = softmax %1                                %2 = softmax %0
//   %3 = reshape %2        : [b h, s, s]
//   %4 = matmul %3, %v     : [b h, s, d]           %3 = matmul %2, %v4 ; %4 = reshape %3
//
//===----------------------------------------------------------------------===//
#include "llmpar/Fusion/Fusions.h"
#include "llmpar/Fusion/Passes.h"

#include "Algebra.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_SPLITBATCHES
#include "llmpar/Fusion/Passes.h.inc"

namespace {

ArrayRef<int64_t> shapeOf(Value value) { return tensorType(value).getShape(); }

/// Whether `few` dimensions become `many`, all but the last two, which are matrices.
bool splitsBatches(ArrayRef<int64_t> few, ArrayRef<int64_t> many) {
  return few.size() >= 3 && many.size() > few.size() && few.take_back(2) == many.take_back(2);
}
bool isElementwise(Operation *op) { return isa_and_nonnull<BinaryOp, SelectOp, CastOp, UnaryOp>(op); }
bool isProductOfBatches(Operation *op) {
  auto matmul = dyn_cast_or_null<MatmulOp>(op);
  return matmul && shapeOf(matmul).size() >= 3 && shapeOf(matmul.getA()).size() == shapeOf(matmul).size() &&
         shapeOf(matmul.getB()).drop_back(2) == shapeOf(matmul).drop_back(2) &&
         shapeOf(matmul.getA()).drop_back(2) == shapeOf(matmul).drop_back(2);
}

/// A value with its leading dimensions split as `batches`.
class Splitter {
public:
  Splitter(OpBuilder &builder, ArrayRef<int64_t> batches) : builder(builder), batches(batches) {}

  /// Whether it is a product, and what is between it and here is elementwise.
  static bool canSplit(Value value) {
    Operation *op = value.getDefiningOp();
    if (!value.hasOneUse() || isProductOfBatches(op))
      return value.hasOneUse();
    if (!isElementwise(op))
      return false;
    bool found = false;
    for (Value operand : op->getOperands()) {
      ArrayRef<int64_t> shape = shapeOf(operand), whole = shapeOf(value);
      if (shape == whole && canSplit(operand))
        found = true;
      else if (shape.size() > 2 && (shape.size() != whole.size() || (!isOfBatches(shape, whole) && !isForAll(shape))))
        return false;
    }
    return found;
  }

  Value split(Value value) {
    Operation *op = value.getDefiningOp();
    ArrayRef<int64_t> shape = shapeOf(value);
    if (!canSplit(value))
      return reshape(value);
    OpWriter write{builder, op->getLoc()};
    if (auto matmul = dyn_cast<MatmulOp>(op))
      return MatmulOp::create(builder, write.loc, withBatches(value), reshape(matmul.getA()), reshape(matmul.getB()),
                              matmul.getTransposeA(), matmul.getTransposeB());
    IRMapping operands;
    for (Value operand : op->getOperands())
      operands.map(operand, shapeOf(operand) == shape     ? split(operand)
                            : shapeOf(operand).size() > 2 ? reshape(operand)
                                                          : operand);
    Operation *clone = builder.clone(*op, operands);
    clone->getResult(0).setType(withBatches(value));
    return clone->getResult(0);
  }

  Value reshape(Value value) {
    OpWriter write{builder, value.getLoc()};
    return write.reshape(value, withBatches(value).getShape());
  }

private:
  OpBuilder &builder;
  ArrayRef<int64_t> batches;

  static bool isOfBatches(ArrayRef<int64_t> shape, ArrayRef<int64_t> whole) {
    return shape.drop_back(2) == whole.drop_back(2);
  }
  static bool isForAll(ArrayRef<int64_t> shape) {
    return llvm::all_of(shape.drop_back(2), [](int64_t size) { return size == 1; });
  }

  RankedTensorType withBatches(Value value) const {
    RankedTensorType type = tensorType(value);
    SmallVector<int64_t> shape(batches);
    if (isForAll(type.getShape()))
      shape.assign(batches.size(), 1);
    llvm::append_range(shape, type.getShape().take_back(2));
    return type.clone(shape);
  }
};

/// Erases an op that nothing uses any more, and what leads to it without another product.
void eraseWithOperands(Operation *root) {
  Algebra::Operations ops;
  SmallVector<Operation *> open{root};
  while (!open.empty()) {
    Operation *op = open.pop_back_val();
    if (op && ops.insert(op) && (op == root || isElementwise(op) || isa<ReshapeOp>(op)))
      for (Value operand : op->getOperands())
        open.push_back(operand.getDefiningOp());
  }
  eraseUnused(ops, root);
}

using Visited = llvm::SmallPtrSet<Operation *, 16>;

/// The reshape that scores pass on their way to a softmax, if it splits batches.
ReshapeOp splitOfScores(Value scores, Visited &visited) {
  Operation *op = scores.getDefiningOp();
  if (!visited.insert(op).second)
    return ReshapeOp();
  if (auto reshape = dyn_cast_or_null<ReshapeOp>(op))
    return splitsBatches(shapeOf(reshape.getX()), shapeOf(reshape)) && reshape->hasOneUse() &&
                   Splitter::canSplit(reshape.getX())
               ? reshape
               : ReshapeOp();
  if (isElementwise(op))
    for (Value operand : op->getOperands())
      if (shapeOf(operand) == shapeOf(scores))
        if (ReshapeOp found = splitOfScores(operand, visited))
          return found;
  return ReshapeOp();
}

/// The product of a softmax's results, with batches merged, and values.
MatmulOp productOfMerged(Value probabilities, Visited &visited) {
  for (Operation *user : probabilities.getUsers()) {
    if (!visited.insert(user).second)
      continue;
    if (auto reshape = dyn_cast<ReshapeOp>(user);
        reshape && reshape->hasOneUse() && splitsBatches(shapeOf(reshape), shapeOf(reshape.getX()))) {
      auto matmul = dyn_cast<MatmulOp>(*reshape->user_begin());
      if (matmul && matmul.getA() == reshape.getResult() && isProductOfBatches(matmul))
        return matmul;
    } else if (isElementwise(user) && shapeOf(user->getResult(0)) == shapeOf(probabilities)) {
      if (MatmulOp found = productOfMerged(user->getResult(0), visited))
        return found;
    }
  }
  return MatmulOp();
}

struct SplitBatches : impl::SplitBatchesBase<SplitBatches> {
  using Base::Base;
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        splitBatches(function);
  }
};

} // namespace

void splitBatches(func::FuncOp function) {
  for (SoftmaxOp softmax : llvm::to_vector(function.getBody().front().getOps<SoftmaxOp>())) {
    if (static_cast<int64_t>(softmax.getAxis()) + 1 != tensorType(softmax.getX()).getRank())
      continue;
    OpBuilder builder(softmax);
    Visited before, behind;
    if (ReshapeOp reshape = splitOfScores(softmax.getX(), before)) {
      builder.setInsertionPoint(reshape);
      Value split = Splitter(builder, shapeOf(reshape).drop_back(2)).split(reshape.getX());
      reshape.replaceAllUsesWith(split);
      eraseWithOperands(reshape);
    }
    if (MatmulOp matmul = productOfMerged(softmax.getResult(), behind)) {
      builder.setInsertionPoint(matmul);
      auto merge = matmul.getA().getDefiningOp<ReshapeOp>();
      Splitter splitter(builder, shapeOf(merge.getX()).drop_back(2));
      SmallVector<int64_t> shape(shapeOf(merge.getX()).drop_back(2));
      llvm::append_range(shape, shapeOf(matmul).take_back(2));
      Value product = MatmulOp::create(builder, matmul.getLoc(), tensorType(matmul).clone(shape), merge.getX(),
                                       splitter.reshape(matmul.getB()), matmul.getTransposeA(), matmul.getTransposeB());
      matmul.replaceAllUsesWith(OpWriter{builder, matmul.getLoc()}.reshape(product, shapeOf(matmul)));
      eraseWithOperands(matmul);
    }
  }
}

} // namespace llmpar
