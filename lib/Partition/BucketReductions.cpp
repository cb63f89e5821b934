//===- BucketReductions.cpp - One collective for many small gradients --------===//
//
//   %a = all_reduce %x : 48                     %c = concat (reshape %x), (reshape %y) : 192
//   %b = all_reduce %y : 12x12            ->    %r = all_reduce %c
//   adam .., %a, ..                             %a = slice %r [0, 48) ; %b = reshape (slice %r [48, 192))
//   adam .., %b, ..                             adam .., %a, .. ; adam .., %b, ..
//
// A bucket is reduced as soon as it is full, or somebody needs one of its sums, beside the rest of the backward pass.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Dialect/OpWriter.h"
#include "llmpar/Partition/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace llmpar {
#define GEN_PASS_DEF_BUCKETREDUCTIONS
#include "llmpar/Partition/Passes.h.inc"

namespace {

class Bucketer {
public:
  Bucketer(const Mesh &mesh, int64_t bytes) : mesh(mesh), bytes(bytes) {}

  void run(mlir::Block &body) {
    for (mlir::Operation &op : llvm::make_early_inc_range(body)) {
      for (auto &[key, bucket] : open)
        if (llvm::any_of(op.getOperands(), [&](mlir::Value operand) { return bucket.holds(operand); }))
          close(bucket);
      if (auto reduce = mlir::dyn_cast<AllReduceOp>(op); reduce && isSmall(reduce))
        add(reduce);
    }
  }

private:
  const Mesh &mesh;
  int64_t bytes;
  struct Bucket {
    llvm::SmallVector<AllReduceOp> members;
    int64_t bytes = 0;
    bool holds(mlir::Value value) const {
      auto reduce = value.getDefiningOp<AllReduceOp>();
      return reduce && llvm::is_contained(members, reduce);
    }
  };
  llvm::MapVector<mlir::Attribute, Bucket> open; ///< by axis, reduction and element type

  static int64_t bytesOf(AllReduceOp reduce) {
    auto type = mlir::cast<mlir::RankedTensorType>(reduce.getType());
    return type.getNumElements() * static_cast<int64_t>((type.getElementTypeBitWidth() + 7) / 8);
  }

  /// Shards do not lie in a row, and may differ from rank to rank.
  bool isSmall(AllReduceOp reduce) const {
    return shardingOf(reduce.getResult(), mesh).isReplicated() && bytesOf(reduce) < bytes;
  }

  void add(AllReduceOp reduce) {
    mlir::Builder b(reduce.getContext());
    mlir::Attribute key = b.getArrayAttr({b.getStringAttr(reduce.getAxis()), b.getStringAttr(reduce.getReduction()),
                                          mlir::TypeAttr::get(mlir::getElementTypeOrSelf(reduce.getType()))});
    Bucket &bucket = open[key];
    bucket.members.push_back(reduce);
    bucket.bytes += bytesOf(reduce);
    if (bucket.bytes >= bytes)
      close(bucket);
  }

  /// The result of an op on whole tensors, partial as its operand.
  template <typename Op> mlir::Value whole(Op op, bool isReduced) {
    auto operands = llvm::map_to_vector(op->getOperands(), [&](mlir::Value x) { return shardingOf(x, mesh); });
    setInShardings(op, operands, mesh);
    Sharding sharding = Sharding::replicated(mlir::cast<mlir::RankedTensorType>(op.getResult().getType()).getRank());
    if (!isReduced)
      sharding.partial = operands.front().partial;
    setSharding(op.getResult(), sharding, mesh);
    return op.getResult();
  }

  static mlir::Operation *firstUser(AllReduceOp reduce) {
    mlir::Operation *first = nullptr;
    for (mlir::Operation *user : reduce->getUsers())
      if (!first || user->isBeforeInBlock(first))
        first = user;
    return first;
  }

  void close(Bucket &bucket) {
    llvm::SmallVector<AllReduceOp> members = std::move(bucket.members);
    bucket = {};
    if (members.size() < 2)
      return;
    AllReduceOp last = members.back();
    mlir::OpBuilder builder(last);
    builder.setInsertionPointAfter(last);
    mlir::Location loc = last.getLoc();
    auto vector = [&](mlir::Value x, int64_t size) {
      return mlir::RankedTensorType::get({size}, mlir::getElementTypeOrSelf(x.getType()));
    };
    auto sizeOf = [](AllReduceOp reduce) { return mlir::cast<mlir::RankedTensorType>(reduce.getType()).getNumElements(); };
    int64_t size = 0;
    llvm::SmallVector<mlir::Value> parts;
    for (AllReduceOp member : members) {
      parts.push_back(whole(ReshapeOp::create(builder, loc, vector(member.getX(), sizeOf(member)), member.getX()), false));
      size += sizeOf(member);
    }
    mlir::RankedTensorType type = vector(last.getX(), size);
    mlir::Value joined = whole(ConcatOp::create(builder, loc, type, parts, /*axis=*/0), false);
    mlir::Value sums = whole(AllReduceOp::create(builder, loc, type, joined, last.getAxis(), last.getReduction()), true);
    int64_t begin = 0;
    for (AllReduceOp member : members) {
      mlir::RankedTensorType part = vector(sums, sizeOf(member));
      if (mlir::Operation *user = firstUser(member)) // no sooner: whoever computes it waits for the bucket
        builder.setInsertionPoint(user);
      mlir::Value slice = whole(SliceOp::create(builder, member.getLoc(), part, sums, llvm::ArrayRef<int64_t>(begin),
                                                llvm::ArrayRef<int64_t>(1)), true);
      begin += sizeOf(member);
      member.getResult().replaceAllUsesWith(whole(ReshapeOp::create(builder, member.getLoc(), member.getType(), slice), true));
      member.erase();
    }
  }
};

struct BucketReductions : impl::BucketReductionsBase<BucketReductions> {
  using Base::Base;
  void runOnOperation() override {
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    mlir::Block &body = function.getBody().front();
    if (bytes > 0 && llvm::any_of(body, [](mlir::Operation &op) { return mlir::isa<AdamOp, SgdOp>(op); })) {
      Mesh mesh = meshOf(getOperation());
      Bucketer(mesh, bytes).run(body);
    }
  }
};
} // namespace
} // namespace llmpar
