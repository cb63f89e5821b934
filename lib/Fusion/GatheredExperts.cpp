//===- GatheredExperts.cpp - A mixture by gathering weights ----------------===//
//
// For tokens t and the k experts of each, rows (t k):
//
//   rows    = broadcast of x over k, [(t k), h]
//   product = weights[indices] . rows           a matrix of its own for each row
//   result  = sum over k of down(f(gate rows) * up rows) * weights
//
// gate and up may be slices of one packed product. Reshapes may stand anywhere: they keep the order
// of elements, so that (t k) is the order of the top-k's own [.., k].
//
//===----------------------------------------------------------------------===//
#include "llmpar/Fusion/Passes.h"

#include "ExpertMatch.h"

using namespace mlir;

namespace llmpar {
namespace {

/// As stripReshapes, with the reshapes in `ops`.
Value strip(Value value, ExpertMatcher::Operations &ops) {
  for (auto reshape = value.getDefiningOp<ReshapeOp>(); reshape; reshape = value.getDefiningOp<ReshapeOp>()) {
    ops.push_back(reshape);
    value = reshape.getX();
  }
  return value;
}

/// weights[indices] of a stacked weight.
struct Gathered {
  LoadWeightOp weight;
  Value indices;
};
std::optional<Gathered> matchGathered(Value value) {
  Gathered gathered;
  if (auto op = value.getDefiningOp<GatherNdOp>(); op && op.getBatchDims() == 0) {
    if (tensorType(op.getIndices()).getShape().back() == 1) // else it is a part of a matrix
      gathered = {op.getData().getDefiningOp<LoadWeightOp>(), op.getIndices()};
  } else if (auto op = value.getDefiningOp<GatherOp>(); op && op.getAxis() == 0) {
    gathered = {op.getData().getDefiningOp<LoadWeightOp>(), op.getIndices()};
  }
  if (!gathered.weight || tensorType(gathered.weight).getRank() != 3 || tensorType(value).getRank() != 3)
    return std::nullopt;
  return gathered;
}

/// A product of every row with the matrix of its expert, or a part of its result.
std::optional<Product> matchRowProduct(Value value, ExpertMatcher::Operations &ops) {
  Value result = strip(value, ops);
  int64_t begin = 0, size = tensorType(result).getShape().empty() ? 0 : tensorType(result).getShape().back();
  bool isSlice = false;
  if (auto slice = result.getDefiningOp<SliceOp>()) {
    if (llvm::any_of(slice.getSteps(), [](int64_t step) { return step != 1; }) ||
        llvm::any_of(slice.getStarts().drop_back(), [](int64_t start) { return start != 0; }) ||
        tensorType(slice).getShape().drop_back() != tensorType(slice.getX()).getShape().drop_back())
      return std::nullopt;
    ops.push_back(slice);
    begin = slice.getStarts().back();
    isSlice = true;
    result = strip(slice.getX(), ops);
  }
  auto matmul = result.getDefiningOp<MatmulOp>();
  if (!matmul)
    return std::nullopt;
  ops.push_back(matmul);
  std::optional<Gathered> left = matchGathered(matmul.getA()), right = matchGathered(matmul.getB());
  if (left.has_value() == right.has_value())
    return std::nullopt;
  Value vector = left ? matmul.getB() : matmul.getA();
  ArrayRef<int64_t> shape = tensorType(vector).getShape();
  // A matrix for each row, and one column (or row) beside it.
  if (shape.size() != 3 || shape[0] != tensorType(left ? matmul.getA() : matmul.getB()).getDimSize(0) ||
      shape[left ? (matmul.getTransposeB() ? 1 : 2) : (matmul.getTransposeA() ? 2 : 1)] != 1)
    return std::nullopt;
  LoadWeightOp weight = left ? left->weight : right->weight;
  bool isTransposed = left ? matmul.getTransposeA() : !matmul.getTransposeB();
  int64_t out = tensorType(weight).getDimSize(isTransposed ? 2 : 1);
  return Product{.x = strip(vector, ops), .weight = weight, .isTransposed = isTransposed, .begin = begin,
                 .size = isSlice ? size : out};
}

/// The tokens that `rows`, [(t k), h], repeat k times; null if they do not.
Value matchTokens(Value rows, const Choice &choice) {
  auto broadcast = rows.getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return {};
  ArrayRef<int64_t> from = tensorType(broadcast.getX()).getShape(), to = tensorType(broadcast).getShape();
  size_t rank = to.size();
  if (rank < 2 || from.size() != rank || to[rank - 2] != choice.k || from[rank - 2] != 1 ||
      from.drop_back(2) != to.drop_back(2) || from.back() != to.back())
    return {};
  Value x = stripReshapes(broadcast.getX());
  return tensorType(x).getShape().back() == to.back() ? x : Value();
}

/// The indices that all gathers of the expert read, as the top-k gives them.
Value commonIndices(ArrayRef<Operation *> ops) {
  Value common;
  for (Operation *op : ops) {
    auto matmul = dyn_cast<MatmulOp>(op);
    if (!matmul)
      continue;
    std::optional<Gathered> gathered = matchGathered(matmul.getA());
    if (!gathered)
      gathered = matchGathered(matmul.getB());
    Value indices = stripReshapes(gathered->indices);
    if (common && common != indices)
      return {};
    common = indices;
  }
  return common;
}

struct Mixture {
  Expert expert;
  Choice choice;
  Value tokens;
};

/// sum: over the k rows of a token.
std::optional<Mixture> matchMixture(ReduceOp sum) {
  ArrayRef<int64_t> shape = tensorType(sum.getX()).getShape();
  int64_t rank = shape.size();
  if (sum.getKind() != "sum" || rank < 2 || sum.getAxes() != ArrayRef<int64_t>{rank - 2})
    return std::nullopt;
  ExpertMatcher matcher(matchRowProduct);
  ExpertMatcher::Operations reshapes;
  auto scaled = strip(sum.getX(), reshapes).getDefiningOp<BinaryOp>();
  if (!scaled || scaled.getKind() != "mul" || !scaled->hasOneUse())
    return std::nullopt;
  for (auto [result, scale] : {std::pair(scaled.getA(), scaled.getB()), std::pair(scaled.getB(), scaled.getA())}) {
    ArrayRef<int64_t> column = tensorType(scale).getShape();
    if (column.empty() || column.back() != 1)
      continue;
    std::optional<Expert> expert = matcher.match(result);
    if (!expert || !matcher.isClosed(scaled))
      return std::nullopt;
    Value indices = commonIndices(matcher.operations());
    std::optional<Choice> choice = indices ? matchChoice(stripReshapes(scale), indices) : std::nullopt;
    if (!choice || shape[rank - 2] != choice->k || tensorType(expert->down.weight).getDimSize(0) != choice->experts ||
        tensorType(expert->up.weight).getDimSize(0) != choice->experts)
      return std::nullopt;
    Value tokens = matchTokens(expert->up.x, *choice);
    if (!tokens || tensorType(tokens).getShape().back() == 0)
      return std::nullopt;
    int64_t rows = tensorType(tokens).getNumElements() / tensorType(tokens).getShape().back() * choice->k;
    if (rows != tensorType(indices).getNumElements() || rows != tensorType(scale).getNumElements() ||
        rows * shape.back() != tensorType(sum.getX()).getNumElements())
      return std::nullopt;
    return Mixture{*expert, *choice, tokens};
  }
  return std::nullopt;
}

} // namespace

bool raiseGatheredExperts(func::FuncOp function) {
  bool any = false;
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
    auto sum = dyn_cast<ReduceOp>(op);
    std::optional<Mixture> mixture = sum ? matchMixture(sum) : std::nullopt;
    if (!mixture)
      continue;
    OpBuilder builder(sum);
    Value result = createExperts(builder, sum.getLoc(), mixture->tokens, mixture->expert, mixture->choice);
    if (result.getType() != sum.getType())
      result = ReshapeOp::create(builder, sum.getLoc(), sum.getType(), result);
    sum.replaceAllUsesWith(result);
    any = true;
  }
  return any;
}

} // namespace llmpar
