//===- RouteTokens.cpp - Send a token only to where its experts are ---------===//
#include "llmpar/Partition/Passes.h"

namespace llmpar {
#define GEN_PASS_DEF_ROUTETOKENS
#include "llmpar/Partition/Passes.h.inc"

namespace {

class TokenRouter {
public:
  TokenRouter(ExpertsOp experts, const Mesh &mesh) : experts(experts), mesh(mesh) {
    if (llvm::SmallVector<Sharding> wanted = inShardings(experts, mesh); wanted.size() > 1)
      expertAxes = wanted[1].dims.back().axes;
  }

  /// The tokens come from an all_gather over an axis of the experts, and nobody else needs all of them.
  void routeTokens() {
    auto gather = experts.getX().getDefiningOp<AllGatherOp>();
    if (!gather || !gather->hasOneUse() || !isRouted(gather.getAxis(), gather.getDim()))
      return;
    mlir::OpBuilder builder(experts); // behind the routing weights
    auto dispatch = DispatchOp::create(builder, gather.getLoc(), gather.getType(), gather.getX(), experts.getRouting(),
                                       gather.getAxis(), gather.getDim(), experts.getK());
    replace(gather, dispatch);
  }

  /// The sums over the axis go to the ranks that have the tokens.
  void routeResults() {
    auto scatter = experts->hasOneUse() ? mlir::dyn_cast<ReduceScatterOp>(*experts->user_begin()) : ReduceScatterOp();
    if (!scatter || scatter.getReduction() != "sum" || !isRouted(scatter.getAxis(), scatter.getDim()))
      return;
    mlir::OpBuilder builder(scatter);
    auto combine = CombineOp::create(builder, scatter.getLoc(), scatter.getType(), scatter.getX(), experts.getRouting(),
                                     scatter.getAxis(), scatter.getDim(), experts.getK());
    replace(scatter, combine);
  }

private:
  ExpertsOp experts;
  const Mesh &mesh;
  llvm::SmallVector<AxisId, 2> expertAxes;

  /// A gather of features is none of tokens.
  bool isRouted(llvm::StringRef axis, uint64_t dim) {
    auto tokens = mlir::cast<mlir::RankedTensorType>(experts.getType());
    return llvm::is_contained(expertAxes, mesh.find(axis)) && static_cast<int64_t>(dim) < tokens.getRank() - 1;
  }

  static void replace(mlir::Operation *old, mlir::Operation *with) {
    with->setAttr(LlmparDialect::kOutShardings, old->getAttr(LlmparDialect::kOutShardings));
    old->replaceAllUsesWith(with);
    old->erase();
  }
};

struct RouteTokens : impl::RouteTokensBase<RouteTokens> {
  using Base::Base;
  void runOnOperation() override {
    Mesh mesh = meshOf(getOperation());
    llvm::SmallVector<ExpertsOp> mixtures; // first: a rewrite erases the op that a walk would visit next
    getOperation().walk([&](ExpertsOp experts) { mixtures.push_back(experts); });
    for (ExpertsOp experts : mixtures) {
      TokenRouter router(experts, mesh);
      router.routeTokens();
      router.routeResults();
    }
  }
};
} // namespace
} // namespace llmpar
