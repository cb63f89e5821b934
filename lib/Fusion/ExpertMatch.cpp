//===- ExpertMatch.cpp - What an expert looks like -------------------------===//
#include "llmpar/Fusion/Passes.h"

#include "ExpertMatch.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace llmpar {

Value stripReshapes(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getX();
  return value;
}

std::optional<Product> ExpertMatcher::product(Value value) { return matchProduct(value, ops); }

/// f(product), and f into `expert`.
std::optional<Product> ExpertMatcher::activation(Value value, Expert &expert) {
  if (auto unary = value.getDefiningOp<UnaryOp>(); unary && unary.getType() == unary.getX().getType()) {
    ops.push_back(unary);
    expert.kind = unary.getKind().str();
    expert.alpha = unary.getAlpha();
    expert.beta = unary.getBeta();
    return product(unary.getX());
  }
  auto multiply = value.getDefiningOp<BinaryOp>();
  if (!multiply || multiply.getKind() != "mul")
    return std::nullopt;
  for (auto [x, sigmoid] : {std::pair(multiply.getA(), multiply.getB()), std::pair(multiply.getB(), multiply.getA())}) {
    auto unary = sigmoid.getDefiningOp<UnaryOp>();
    if (!unary || unary.getKind() != "sigmoid" || unary.getX() != x)
      continue;
    ops.append({multiply, unary});
    expert.kind = "silu";
    expert.alpha = llvm::APFloat(1.0);
    expert.beta = llvm::APFloat(0.0);
    return product(x);
  }
  return std::nullopt;
}

std::optional<Expert> ExpertMatcher::match(Value result) {
  Expert expert;
  std::optional<Product> down = product(result);
  if (!down)
    return std::nullopt;
  expert.down = *down;
  size_t before = ops.size();
  if (std::optional<Product> up = activation(down->x, expert)) {
    expert.up = *up;
    return expert;
  }
  ops.resize(before);
  auto multiply = down->x.getDefiningOp<BinaryOp>();
  if (!multiply || multiply.getKind() != "mul")
    return std::nullopt;
  for (auto [a, b] : {std::pair(multiply.getA(), multiply.getB()), std::pair(multiply.getB(), multiply.getA())}) {
    ops.resize(before);
    ops.push_back(multiply);
    std::optional<Product> gate = activation(a, expert);
    std::optional<Product> up = gate ? product(b) : std::nullopt;
    if (!up || gate->x != up->x)
      continue;
    expert.gate = *gate;
    expert.up = *up;
    return expert;
  }
  return std::nullopt;
}

bool ExpertMatcher::isClosed(Operation *user) const {
  llvm::SmallPtrSet<Operation *, 16> own(ops.begin(), ops.end());
  return llvm::all_of(ops, [&](Operation *op) {
    return llvm::all_of(op->getUsers(), [&](Operation *other) { return other == user || own.contains(other); });
  });
}

std::optional<Choice> matchChoice(Value weights, Value indices) {
  auto topK = indices.getDefiningOp<TopKOp>();
  if (!topK || indices != topK.getIndices() || tensorType(weights).getShape() != tensorType(indices).getShape())
    return std::nullopt;
  RankedTensorType scores = tensorType(topK.getX());
  if (static_cast<int64_t>(topK.getAxis()) != scores.getRank() - 1)
    return std::nullopt;
  return Choice{weights, indices, tensorType(indices).getShape().back(), scores.getShape().back()};
}

static Value reshape(OpBuilder &builder, Location loc, Value value, ArrayRef<int64_t> shape) {
  RankedTensorType type = tensorType(value).clone(shape);
  return type == value.getType() ? value : ReshapeOp::create(builder, loc, type, value).getResult();
}

Value createRouting(OpBuilder &builder, Location loc, const Choice &choice) {
  Shape column(tensorType(choice.weights).getShape());
  column.push_back(1);
  Value weights = reshape(builder, loc, choice.weights, column), indices = reshape(builder, loc, choice.indices, column);
  auto all = RankedTensorType::get({choice.experts}, tensorType(indices).getElementType());
  Value experts = IotaOp::create(builder, loc, all, builder.getI64IntegerAttr(0), builder.getF64FloatAttr(0),
                                 builder.getF64FloatAttr(1));
  Value isChosen = BinaryOp::create(builder, loc, "equal", indices, experts);
  RankedTensorType type = tensorType(isChosen).clone(tensorType(weights).getElementType());
  Value mask = CastOp::create(builder, loc, type, isChosen);
  Value chosen = BinaryOp::create(builder, loc, "mul", weights, mask);
  return ReduceOp::create(builder, loc, "sum", chosen, ArrayRef<int64_t>{type.getRank() - 2}, false);
}

/// The weight as [experts, out, in], with the product's part of `out`.
static Value createWeight(OpBuilder &builder, Product product) {
  Value weight = product.weight.getResult();
  Location loc = weight.getLoc();
  int64_t out = product.isTransposed ? 2 : 1;
  Shape shape(tensorType(weight).getShape());
  if (product.size != shape[out]) {
    SmallVector<int64_t> starts(3, 0), steps(3, 1);
    shape[out] = product.size;
    starts[out] = product.begin;
    weight = SliceOp::create(builder, loc, tensorType(weight).clone(shape), weight, starts, steps);
  }
  if (product.isTransposed)
    weight = TransposeOp::create(builder, loc, weight, ArrayRef<int64_t>{0, 2, 1});
  return weight;
}

Value createExperts(OpBuilder &builder, Location loc, Value x, const Expert &stacked, const Choice &choice) {
  Shape tokens(tensorType(x).getShape().drop_back());
  tokens.push_back(choice.experts);
  Value routing = reshape(builder, loc, createRouting(builder, loc, choice), tokens);
  Value up = createWeight(builder, stacked.up), down = createWeight(builder, stacked.down);
  Value gate = stacked.gate ? createWeight(builder, *stacked.gate) : Value();
  return ExpertsOp::create(builder, loc, x, routing, up, down, gate, builder.getStringAttr(stacked.kind),
                           builder.getFloatAttr(builder.getF64Type(), stacked.alpha),
                           builder.getFloatAttr(builder.getF64Type(), stacked.beta), builder.getI64IntegerAttr(choice.k),
                           builder.getI64IntegerAttr(choice.experts));
}

} // namespace llmpar
