//===- RaiseRotary.cpp - Rotary position embedding as it is written ----------===//
//
//   y = x cos + turn(x) sin                  turn (a, b) = (-b, a); cos and sin as wide as x
//   y = (a cos - b sin, b cos + a sin)       cos and sin with one angle for each pair
//
// a and b are the halves of x, or its neighbours; x may be the first elements of longer rows, whose rest is appended.
// Tables as wide as x give each angle twice. That is followed through what computes them, which then gives it once.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Dialect/MasterWeights.h"
#include "llmpar/Fusion/Fusions.h"
#include "llmpar/Fusion/Passes.h"

#include "Algebra.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_RAISEROTARY
#include "llmpar/Fusion/Passes.h.inc"

namespace {

using Operations = Algebra::Operations;

ArrayRef<int64_t> shapeOf(Value value) { return tensorType(value).getShape(); }
ArrayRef<int64_t> leadingOf(Value value) { return shapeOf(value).drop_back(); }
int64_t lastOf(Value value) { return shapeOf(value).empty() ? 0 : shapeOf(value).back(); }
bool isLast(int64_t axis, Value value) { return axis + 1 == tensorType(value).getRank(); }

//===-- Parts of rows -------------------------------------------------------------===//

/// Every step-th of `count` elements of the rows of `base`.
struct Part {
  Value base;
  int64_t start = 0, step = 1, count = 0;
};

/// Which element of the last dimension an op takes alone.
std::optional<int64_t> takenAlone(Operation *op) {
  if (auto slice = dyn_cast_or_null<SliceOp>(op);
      slice && lastOf(slice) == 1 && leadingOf(slice) == leadingOf(slice.getX()))
    return slice.getStarts().back();
  auto gather = dyn_cast_or_null<GatherOp>(op);
  auto index = gather ? gather.getIndices().getDefiningOp<ConstantOp>() : ConstantOp();
  if (!index || !isLast(gather.getAxis(), gather.getData()) || index.getValue().getNumElements() != 1)
    return std::nullopt;
  int64_t at = (*index.getValue().value_begin<APInt>()).getSExtValue();
  return at < 0 ? at + lastOf(gather.getData()) : at;
}

/// Of rows [.., n k] seen as [.., n, k]: every k-th element, as [.., n] or [.., n, 1].
std::optional<Part> columnOf(Value value, Operations &ops) {
  auto reshape = value.getDefiningOp<ReshapeOp>();
  Value taken = reshape && lastOf(reshape.getX()) == 1 ? reshape.getX() : value;
  std::optional<int64_t> at = takenAlone(taken.getDefiningOp());
  auto apart = at ? taken.getDefiningOp()->getOperand(0).getDefiningOp<ReshapeOp>() : ReshapeOp();
  if (!apart || tensorType(apart).getRank() != tensorType(apart.getX()).getRank() + 1 ||
      leadingOf(apart).drop_back() != leadingOf(apart.getX()) ||
      shapeOf(value).take_front(leadingOf(apart).size()) != leadingOf(apart))
    return std::nullopt;
  for (Operation *op : {value.getDefiningOp(), taken.getDefiningOp(), apart.getOperation()})
    ops.insert(op);
  return Part{apart.getX(), *at, lastOf(apart), leadingOf(apart).back()};
}

Part partOf(Value value, Operations &ops) {
  Part part = columnOf(value, ops).value_or(Part{value, 0, 1, lastOf(value)});
  while (auto slice = part.base.getDefiningOp<SliceOp>()) {
    int64_t start = slice.getStarts().back(), step = slice.getSteps().back();
    if (step < 1 || leadingOf(slice) != leadingOf(slice.getX()) ||
        !llvm::all_of(slice.getSteps().drop_back(), [](int64_t by) { return by == 1; }))
      return part;
    part = {slice.getX(), start + step * part.start, step * part.step, part.count};
    ops.insert(slice);
  }
  return part;
}

/// Elements `start` to `start + 2 count` of the rows of `base`, as pairs of halves or of neighbours.
struct Pairs {
  Value base;
  int64_t start = 0, count = 0;
  bool interleaved = false;

  bool areAllOf(const Part &x) const {
    return x.base == base && x.start == start && x.step == 1 && x.count == 2 * count;
  }
};
std::optional<Pairs> pairsOf(const Part &a, const Part &b) {
  bool halves = a.step == 1 && b.start == a.start + a.count, neighbours = a.step == 2 && b.start == a.start + 1;
  if (a.base != b.base || a.step != b.step || a.count != b.count || !(halves || neighbours))
    return std::nullopt;
  return Pairs{a.base, a.start, a.count, neighbours};
}

/// Two values joined as halves or as neighbours of rows.
struct Joined {
  Value first, second;
  bool interleaved = false;
};
std::optional<Joined> joined(Value value, Operations &ops) {
  auto concat = value.getDefiningOp<ConcatOp>();
  auto flat = value.getDefiningOp<ReshapeOp>(); // [.., n, 2] to [.., 2 n]
  if (flat && tensorType(flat).getRank() + 1 == tensorType(flat.getX()).getRank() && lastOf(flat.getX()) == 2 &&
      leadingOf(flat) == leadingOf(flat.getX()).drop_back())
    concat = flat.getX().getDefiningOp<ConcatOp>();
  if (!concat || concat.getInputs().size() != 2 || !isLast(concat.getAxis(), concat) ||
      concat.getInputs()[0].getType() != concat.getInputs()[1].getType())
    return std::nullopt;
  Joined found{concat.getInputs()[0], concat.getInputs()[1], flat != nullptr};
  ops.insert(concat);
  if (!flat)
    return found;
  ops.insert(flat);
  for (Value *part : {&found.first, &found.second})
    if (auto column = part->getDefiningOp<ReshapeOp>(); column && shapeOf(column.getX()) == leadingOf(column)) {
      ops.insert(column);
      *part = column.getX();
    }
  return found;
}

/// x of -x, with `negative` turned; another value itself.
Value withoutSign(Value value, bool &negative, Operations &ops) {
  auto unary = value.getDefiningOp<UnaryOp>();
  auto binary = value.getDefiningOp<BinaryOp>();
  Value x = unary && unary.getKind() == "neg" ? unary.getX() : Value();
  if (binary && binary.getKind() == "mul")
    x = constantNumber(binary.getB()) == -1.0   ? binary.getA()
        : constantNumber(binary.getA()) == -1.0 ? binary.getB()
                                                : Value();
  if (!x || x.getType() != value.getType())
    return value;
  negative = !negative;
  ops.insert(value.getDefiningOp());
  return x;
}

//===-- Tables of angles ------------------------------------------------------------===//

/// Of tables whose rows give each angle twice: the angles once.
class Angles {
public:
  explicit Angles(MLIRContext *context) : builder(context) {}

  /// Null if the table is not known to be one. Then `unknown` says what of it is not, if it is no argument.
  Value once(Value table, bool interleaved, Operation *&unknown) {
    if (Value found = known[interleaved].lookup(table))
      return found;
    Operation *op = table.getDefiningOp();
    Value found = op && lastOf(table) % 2 == 0 ? find(op, table, interleaved, unknown) : Value();
    if (found)
      known[interleaved][table] = found;
    else if (!unknown)
      unknown = op;
    return found;
  }

private:
  OpBuilder builder;
  llvm::DenseMap<Value, Value> known[2]; ///< of halves, of neighbours

  static RankedTensorType halved(Value table) {
    SmallVector<int64_t> shape(shapeOf(table));
    shape.back() /= 2;
    return tensorType(table).clone(shape);
  }

  Value find(Operation *op, Value table, bool interleaved, Operation *&unknown) {
    builder.setInsertionPointAfter(op);
    OpWriter write{builder, op->getLoc()};
    Operations ops;
    if (auto constant = dyn_cast<ConstantOp>(op))
      return halfOf(constant, interleaved);
    if (auto both = joined(table, ops); both && both->first == both->second && both->interleaved == interleaved)
      return write.reshape(both->first, halved(table).getShape());
    auto flat = dyn_cast<ReshapeOp>(op);
    auto repeated = flat ? flat.getX().getDefiningOp<BroadcastOp>() : BroadcastOp();
    if (interleaved && repeated && lastOf(repeated) == 2 && lastOf(repeated.getX()) == 1 &&
        tensorType(repeated).getRank() > 1 && lastOf(table) == 2 * leadingOf(repeated).back()) {
      SmallVector<int64_t> single(shapeOf(repeated));
      single.back() = 1;
      return write.reshape(write.broadcast(repeated.getX(), single), halved(table).getShape());
    }
    return keepsRows(op) ? withHalves(op, interleaved, unknown) : Value();
  }

  /// Whether each element of the result is computed from elements at its place in rows, or from those of rows of one.
  static bool keepsRows(Operation *op) {
    if (auto reshape = dyn_cast<ReshapeOp>(op))
      return lastOf(reshape) == lastOf(reshape.getX());
    if (auto slice = dyn_cast<SliceOp>(op))
      return lastOf(slice) == lastOf(slice.getX()) && slice.getSteps().back() == 1;
    if (auto transpose = dyn_cast<TransposeOp>(op))
      return isLast(transpose.getPermutation().back(), transpose);
    if (auto gather = dyn_cast<GatherOp>(op))
      return !isLast(gather.getAxis(), gather.getData());
    return isa<UnaryOp, BinaryOp, SelectOp, CastOp, BroadcastOp>(op);
  }

  Value withHalves(Operation *op, bool interleaved, Operation *&unknown) {
    Value table = op->getResult(0);
    IRMapping halves;
    for (OpOperand &operand : op->getOpOperands()) {
      bool isIndex = isa<GatherOp>(op) && operand.getOperandNumber() == 1;
      if (isIndex || lastOf(operand.get()) != lastOf(table))
        continue;
      Value half = once(operand.get(), interleaved, unknown);
      if (!half)
        return Value();
      halves.map(operand.get(), half);
    }
    builder.setInsertionPointAfter(op);
    Value half = builder.clone(*op, halves)->getResult(0);
    half.setType(halved(table));
    return half;
  }

  Value halfOf(ConstantOp constant, bool interleaved) {
    auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
    RankedTensorType type = halved(constant);
    size_t bytes = type.getElementTypeBitWidth() / 8;
    if (!elements || bytes == 0)
      return Value();
    if (elements.isSplat())
      return ConstantOp::create(builder, constant.getLoc(), type, elements.resizeSplat(type));
    ArrayRef<char> data = elements.getRawData();
    SmallVector<char> half;
    size_t row = lastOf(constant) * bytes, run = interleaved ? bytes : row / 2;
    for (size_t at = 0; at < data.size(); at += 2 * run) {
      ArrayRef<char> first = data.slice(at, run), second = data.slice(at + run, run);
      if (first != second)
        return Value();
      llvm::append_range(half, first);
    }
    return ConstantOp::create(builder, constant.getLoc(), type, DenseElementsAttr::getFromRawBuffer(type, half));
  }
};

//===-- The rotation ------------------------------------------------------------------===//

class RotaryRaiser {
public:
  RotaryRaiser(MLIRContext *context, FusionReport *report) : angles(context), report(report) {}

  /// What may be turn(x), or a whole rotation.
  void raise(Operation *op) {
    Rotation found;
    std::optional<Joined> both = joined(op->getResult(0), found.ops);
    if (!both || !(matchTurned(op->getResult(0), *both, found) || matchPairs(op, *both, found)))
      return;
    appendRest(found);
    Operation *user = userOutside(found.ops, found.root);
    if (found.missing.empty() && user)
      found.missing = "'" + nodeName(user) + "' uses a value inside of it too";
    if (found.missing.empty())
      create(found);
    found.ops.insert_range(found.parts);
    if (report)
      report->push_back({"rotary", nodeNames(found.ops, found.root), found.missing});
    if (!found.missing.empty())
      return;
    dead.insert_range(found.ops);
    dead.insert(found.root);
  }

  /// At the end, when no candidate is one of them.
  void eraseDead() {
    if (!dead.empty())
      eraseUnused(dead, dead.back());
  }

private:
  struct Rotation {
    Operation *root = nullptr;
    Pairs pairs;
    Value cos, sin; ///< of each pair
    bool turnsBack = false, isWhole = false;
    Operations ops, parts; ///< parts of x may have other users
    std::string missing;
  };
  /// A product of a part of x and a table.
  struct Term {
    Part x;
    Value table;
    bool negative = false;
  };

  Angles angles;
  FusionReport *report;
  Operations dead;

  static BinaryOp userOfKind(Value value, ArrayRef<StringRef> kinds) {
    BinaryOp first; // users are listed last first
    for (Operation *user : value.getUsers())
      if (auto binary = dyn_cast<BinaryOp>(user); binary && llvm::is_contained(kinds, binary.getKind()))
        first = binary;
    return first;
  }
  static Value otherOperand(BinaryOp op, Value operand) { return op.getA() == operand ? op.getB() : op.getA(); }

  /// x cos + turn(x) sin
  bool matchTurned(Value turned, const Joined &both, Rotation &found) {
    bool firstNegative = false, secondNegative = false;
    Value b = withoutSign(both.first, firstNegative, found.ops),
          a = withoutSign(both.second, secondNegative, found.ops);
    std::optional<Pairs> pairs = pairsOf(partOf(a, found.parts), partOf(b, found.parts));
    BinaryOp product = pairs && pairs->interleaved == both.interleaved ? userOfKind(turned, {"mul"}) : BinaryOp();
    BinaryOp sum = product && product.getType() == turned.getType() ? userOfKind(product, {"add", "sub"}) : BinaryOp();
    if (!sum || sum.getType() != turned.getType())
      return false;
    found.pairs = *pairs;
    found.root = sum;
    found.ops.insert(product);
    auto straight = otherOperand(sum, product).getDefiningOp<BinaryOp>();
    Value table;
    if (straight && straight.getKind() == "mul" && (sum.getKind() == "add" || sum.getB() == product.getResult()))
      for (Value x : straight->getOperands())
        if (pairs->areAllOf(partOf(x, found.parts)))
          table = otherOperand(straight, x);
    if (!table) {
      found.missing = "'" + nodeName(sum) + "' adds no product of the values that are turned";
      return true;
    }
    found.ops.insert(straight);
    if (firstNegative == secondNegative)
      found.missing = "of the halves that it swaps one must be negated";
    found.turnsBack = secondNegative != (sum.getKind() == "sub");
    found.cos = once(table, found);
    found.sin = once(otherOperand(product, turned), found);
    return true;
  }

  Value once(Value table, Rotation &found) {
    Operation *unknown = nullptr;
    Value half =
        lastOf(table) == 2 * found.pairs.count ? angles.once(table, found.pairs.interleaved, unknown) : Value();
    if (!half && found.missing.empty())
      found.missing = "its angles are not known to come twice: " +
                      (unknown ? "'" + nodeName(unknown) + "' (" + unknown->getName().stripDialect().str() + ")"
                               : "an input or a table of another width") +
                      " gives them";
    return half;
  }

  /// The two terms of a sum of products, each with both orders of its factors.
  static SmallVector<std::pair<Term, Term>, 2> productsOf(Value value, Rotation &found) {
    auto sum = value.getDefiningOp<BinaryOp>();
    if (!sum || (sum.getKind() != "add" && sum.getKind() != "sub"))
      return {};
    Operations ops, parts;
    SmallVector<std::pair<Term, Term>, 2> products;
    ops.insert(sum);
    for (Value operand : {sum.getA(), sum.getB()}) {
      bool negative = !products.empty() && sum.getKind() == "sub";
      auto mul = withoutSign(operand, negative, ops).getDefiningOp<BinaryOp>();
      if (!mul || mul.getKind() != "mul" || mul.getType() != value.getType())
        return {};
      ops.insert(mul);
      Value a = withoutSign(mul.getA(), negative, ops), b = withoutSign(mul.getB(), negative, ops);
      products.push_back({{partOf(a, parts), b, negative}, {partOf(b, parts), a, negative}});
    }
    found.ops.insert_range(ops);
    found.parts.insert_range(parts);
    return products;
  }

  /// (a cos - b sin, b cos + a sin)
  bool matchPairs(Operation *op, const Joined &both, Rotation &found) {
    auto first = productsOf(both.first, found), second = productsOf(both.second, found);
    if (first.empty() || second.empty())
      return false;
    found.root = op;
    found.ops.remove(op);
    for (Value base : {first[0].first.x.base, first[0].second.x.base}) {
      SmallVector<Term, 4> terms; // a cos, b sin, b cos, a sin
      for (const auto &[term, swapped] : llvm::concat<std::pair<Term, Term>>(first, second))
        terms.push_back(term.x.base == base ? term : swapped);
      if (!llvm::all_of(terms, [&](const Term &term) { return term.x.base == base; }))
        continue;
      std::optional<Pairs> pairs = pairsOf(terms[0].x, terms[1].x);
      if (!pairs) {
        std::swap(terms[0], terms[1]);
        pairs = pairsOf(terms[0].x, terms[1].x);
      }
      if (terms[2].x.start != terms[1].x.start)
        std::swap(terms[2], terms[3]);
      auto inverse = pairsOf(terms[3].x, terms[2].x);
      if (!pairs || !inverse || inverse->start != pairs->start || pairs->interleaved != inverse->interleaved ||
          pairs->interleaved != both.interleaved || leadingOf(both.first) != leadingOf(base))
        continue;
      found.pairs = *pairs;
      found.cos = terms[0].table;
      found.sin = terms[1].table;
      found.turnsBack = !terms[1].negative;
      if (terms[2].table != found.cos || terms[3].table != found.sin || terms[0].negative || terms[2].negative ||
          terms[3].negative == terms[1].negative || lastOf(found.cos) != pairs->count ||
          lastOf(found.sin) != pairs->count)
        found.missing = "its halves are not turned by one angle";
      return true;
    }
    return false;
  }

  /// The rest of the rows, behind what is rotated.
  static void appendRest(Rotation &found) {
    const Pairs &pairs = found.pairs;
    int64_t width = lastOf(pairs.base), rotated = 2 * pairs.count;
    found.isWhole = pairs.start == 0 && rotated == width;
    if (found.isWhole || pairs.start != 0 || !found.root->hasOneUse())
      return;
    auto concat = dyn_cast<ConcatOp>(*found.root->user_begin());
    if (!concat || !isLast(concat.getAxis(), concat) || concat.getInputs().size() != 2 ||
        concat.getInputs()[0] != found.root->getResult(0))
      return;
    Part rest = partOf(concat.getInputs()[1], found.parts);
    if (rest.base != pairs.base || rest.start != rotated || rest.step != 1 || rest.count != width - rotated)
      return;
    found.ops.insert(found.root);
    found.root = concat;
    found.isWhole = true;
  }

  static void create(Rotation &found) {
    const Pairs &pairs = found.pairs;
    Value x = pairs.base;
    // Kernels compute narrow floats in f32.
    auto widened = x.getDefiningOp<CastOp>();
    auto narrowed = found.root->hasOneUse() ? dyn_cast<CastOp>(*found.root->user_begin()) : CastOp();
    if (widened && narrowed && tensorType(x).getElementType().isF32() &&
        isNarrowFloat(tensorType(narrowed).getElementType()) &&
        tensorType(widened.getX()).getElementType() == tensorType(narrowed).getElementType()) {
      found.ops.insert(found.root);
      found.root = narrowed;
      x = widened.getX();
    }
    OpBuilder builder(found.root);
    OpWriter write{builder, found.root->getLoc()};
    if (!found.isWhole) {
      SmallVector<int64_t> shape(shapeOf(x)), starts(shape.size(), 0), steps(shape.size(), 1);
      shape.back() = 2 * pairs.count;
      starts.back() = pairs.start;
      x = SliceOp::create(builder, write.loc, tensorType(x).clone(shape), x, starts, steps);
    }
    Value sin = found.turnsBack ? write.unary("neg", found.sin) : found.sin;
    Value y = RotaryOp::create(builder, write.loc, x, found.cos, sin, builder.getBoolAttr(pairs.interleaved));
    found.root->getResult(0).replaceAllUsesWith(y);
  }
};

struct RaiseRotary : impl::RaiseRotaryBase<RaiseRotary> {
  using Base::Base;
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        raiseRotary(function);
  }
};

} // namespace

void raiseRotary(func::FuncOp function, FusionReport *report) {
  SmallVector<Operation *> candidates;
  for (Operation &op : function.getBody().front())
    if (isa<ConcatOp, ReshapeOp>(op) && isa<FloatType>(tensorType(op.getResult(0)).getElementType()))
      candidates.push_back(&op);
  RotaryRaiser raiser(function.getContext(), report);
  for (Operation *op : candidates)
    raiser.raise(op);
  raiser.eraseDead();
}

} // namespace llmpar
