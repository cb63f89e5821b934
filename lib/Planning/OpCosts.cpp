//===- OpCosts.cpp - Time and memory of an op on its shards -----------------===//
#include "llmpar/Planning/OpCosts.h"

#include "llmpar/Dialect/Decompositions.h"
#include "llvm/ADT/SmallVectorExtras.h"

using namespace mlir;

namespace llmpar {

static RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// The kind that decides a kernel's class: the unary function, the reduction.
static StringRef kindOf(Operation *op) {
  auto kind = op->getAttrOfType<StringAttr>("kind");
  return kind ? kind.getValue() : StringRef();
}

namespace {
struct LocalValues {
  SmallVector<Shape> shapes;
  double bytes = 0;
};
} // namespace

static LocalValues localValues(ValueRange values, ArrayRef<Sharding> shardings, const Mesh &mesh) {
  LocalValues local;
  for (auto [value, sharding] : llvm::zip_equal(values, shardings)) {
    local.shapes.push_back(localShape(sharding, typeOf(value).getShape(), mesh));
    local.bytes += static_cast<double>(localBytes(sharding, typeOf(value), mesh));
  }
  return local;
}

int64_t kernelCost(const ShardedOp &sharded, const ReshardCosts &costs) {
  Operation *op = sharded.op;
  if (isa<ReshapeOp>(op)) // the same bytes under another shape
    return 0;
  LocalValues in = localValues(op->getOperands(), sharded.operands, costs.mesh());
  LocalValues out = localValues(op->getResults(), sharded.results, costs.mesh());
  Value first = op->getOperands().empty() ? op->getResult(0) : op->getOperand(0);
  auto matmul = dyn_cast<MatmulOp>(op);
  OpWork work = workOf({.kernel = op->getName().stripDialect(),
                        .kind = kindOf(op),
                        .type = toDType(typeOf(first).getElementType()).value_or(DType::F32),
                        .inputs = in.shapes,
                        .outputs = out.shapes,
                        .inputBytes = in.bytes,
                        .outputBytes = out.bytes,
                        .flops = sharded.flops.at(in.shapes, out.shapes),
                        .transposesLeft = matmul && matmul.getTransposeA(),
                        .rightIsWeight = sharded.rightIsWeight});
  Seconds slowest = 0;
  for (const DeviceGroup &group : costs.cluster().devices)
    slowest = std::max(slowest, opTime(group.device, work));
  return toPicoseconds(slowest);
}

DecomposedOp::DecomposedOp(Operation *op) {
  for (Value operand : op->getOperands())
    body.addArgument(operand.getType(), op->getLoc());
  OpBuilder builder(op->getContext());
  builder.setInsertionPointToEnd(&body);
  Operation *copy = builder.clone(*op);
  copy->setOperands(body.getArguments());
  auto softmax = dyn_cast<SoftmaxOp>(op);
  if (MatmulOp divided = softmax ? productOver(softmax) : MatmulOp()) {
    product = body.addArgument(divided.getType(), op->getLoc());
    Value sum = exponentiate(builder, cast<SoftmaxOp>(copy)).sum;
    divide(builder, product, sum);
  } else {
    decompose(builder, copy);
  }
  copy->erase();
  for (Operation &part : body)
    if (part.getNumOperands() > 0) // a constant is computed before the first step
      parts.push_back({&part, cast<FactorOpInterface>(&part).getFactorRule(), FlopCount(&part)});
}

/// Of [.., s, d], from that of the softmax's [.., s, t].
Sharding DecomposedOp::productSharding(const Sharding &x, const Mesh &mesh) const {
  ArrayRef<int64_t> shape = typeOf(product).getShape();
  Sharding sharding = Sharding::replicated(shape.size());
  for (size_t back = 1; back < x.dims.size() && back < shape.size(); ++back)
    sharding.dims[shape.size() - 1 - back] = x.dims[x.dims.size() - 1 - back];
  normalize(sharding, shape, mesh);
  return sharding;
}

DecomposedOp::Cost DecomposedOp::of(ArrayRef<Sharding> operands, ReshardCosts &costs) {
  const Mesh &mesh = costs.mesh();
  llvm::DenseMap<Value, Sharding> known;
  for (auto [argument, sharding] : llvm::zip(body.getArguments(), operands))
    known[argument] = sharding;
  if (product)
    known[product] = productSharding(operands[0], mesh);
  auto shardingOf = [&](Value value) {
    auto it = known.find(value);
    return it == known.end() ? Sharding::replicated(typeOf(value).getRank()) : it->second;
  };
  Cost cost;
  int64_t live = 0, peak = 0, last = 0;
  for (const Part &part : parts) {
    SmallVector<Sharding> have = llvm::map_to_vector(part.op->getOperands(), shardingOf);
    FactorShardings factors = followOperands(part.op, part.rule, have, mesh);
    SmallVector<Sharding> wanted;
    for (OpOperand &operand : part.op->getOpOperands())
      wanted.push_back(operandSharding(part.rule, static_cast<int>(operand.getOperandNumber()),
                                       typeOf(operand.get()).getShape(), factors, mesh));
    RankedTensorType type = typeOf(part.op->getResult(0));
    Sharding result = resultSharding(part.rule, 0, type.getShape(), factors, mesh), reduced = result;
    reduced.partial.clear();
    cost.picoseconds += kernelCost({part.op, part.flops, wanted, result}, costs) +
                        costs.between(costs.intern(result), costs.intern(reduced), type);
    known[part.op->getResult(0)] = reduced;

    last = localBytes(reduced, type, mesh);
    live += last;
    int64_t freed = 0; // operands that end here; an elementwise op writes into one of them
    for (Value operand : llvm::SmallPtrSet<Value, 4>(part.op->operand_begin(), part.op->operand_end()))
      if (operand.getDefiningOp() &&
          llvm::all_of(operand.getUsers(), [&](Operation *user) { return !part.op->isBeforeInBlock(user); }))
        freed += localBytes(shardingOf(operand), typeOf(operand), mesh);
    bool inPlace = isa<UnaryOp, BinaryOp>(part.op);
    peak = std::max(peak, inPlace ? live - std::min(freed, last) : live);
    live -= freed;
  }
  int64_t kept = product ? localBytes(operands[0], typeOf(body.getArgument(0)), mesh) : last;
  cost.scratchBytes = std::max<int64_t>(0, peak - kept);
  return cost;
}

} // namespace llmpar
