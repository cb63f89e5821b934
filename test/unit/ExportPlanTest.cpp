//===- ExportPlanTest.cpp - A plan for other frameworks ---------------------===//
#include "llmpar/Planning/ExportPlan.h"

#include "llmpar/Partition/Passes.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include <gmock/gmock.h>

using namespace llmpar;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

namespace {

PlacedTensor tensor(const char *name, Shape shape, llvm::SmallVector<DimSharding, 4> dims) {
  return {name, std::move(shape), Sharding{.dims = std::move(dims), .partial = {}}};
}
WeightUse product(const char *weight, WeightSplit split, llvm::SmallVector<AxisId, 2> axes) {
  WeightUse use;
  use.weight = weight;
  use.split = split;
  use.axes = std::move(axes);
  use.isProduct = true;
  return use;
}
WeightUse embedding(const char *weight, WeightSplit split, llvm::SmallVector<AxisId, 2> axes, int64_t rows) {
  WeightUse use = product(weight, split, std::move(axes));
  use.isProduct = false;
  use.isEmbedding = true;
  use.rows = rows;
  return use;
}

/// Megatron's own layout: batch over dp, a block over tp.
PlacedModel megatronModel() {
  PlacedModel model;
  model.name = "gpt.onnx";
  model.mesh = *Mesh::parse("dp=2,tp=4");
  model.inputs = {tensor("ids", {4, 16}, {{{0}, 1}, {}})};
  model.weights = {tensor("wte", {1000, 64}, {{{1}, 1}, {}}), tensor("up", {64, 256}, {{}, {{1}, 1}}),
                   tensor("down", {256, 64}, {{{1}, 1}, {}})};
  model.outputs = {tensor("logits", {4, 16, 1000}, {{{0}, 1}, {}, {{1}, 1}})};
  model.uses = {embedding("wte", WeightSplit::Vocabulary, {1}, 1000), embedding("wpe", WeightSplit::Whole, {}, 16),
                product("up", WeightSplit::Column, {1}), product("down", WeightSplit::Row, {1})};
  return model;
}
std::vector<std::string> lossesOf(const ExportedPlan &plan) {
  std::vector<std::string> texts;
  for (const Loss &loss : plan.lost)
    texts.push_back(loss.tensor + " " + loss.why);
  return texts;
}

TEST(ExportPlanTest, MegatronsLayoutLosesNothing) {
  ExportedPlan megatron = exportMegatron(megatronModel()), vllm = exportVllm(megatronModel());
  EXPECT_THAT(lossesOf(megatron), IsEmpty());
  EXPECT_THAT(megatron.text, HasSubstr("\n--tensor-model-parallel-size 4\n--pipeline-model-parallel-size 1\n"));
  EXPECT_THAT(megatron.text, Not(HasSubstr("--sequence-parallel")));
  EXPECT_THAT(lossesOf(vllm), IsEmpty());
  EXPECT_THAT(vllm.text, HasSubstr("\n--tensor-parallel-size 4\n--data-parallel-size 2\n"));
}

TEST(ExportPlanTest, CachesSplitByHeadsAreAsTheTargetsHaveThem) {
  PlacedModel model = megatronModel();
  model.inputs.push_back(tensor("past.0.key", {4, 8, 16, 64}, {{{0}, 1}, {{1}, 1}, {}, {}}));
  EXPECT_THAT(lossesOf(exportMegatron(model)), IsEmpty());
  model.inputs.push_back(tensor("past.0.value", {4, 8, 16, 64}, {{}, {{0}, 1}, {}, {}}));
  EXPECT_THAT(lossesOf(exportMegatron(model)), testing::ElementsAre("past.0.value is split over 'dp' in dimension 1"));
}

TEST(ExportPlanTest, NormalizationsSplitOverTheTensorAxisAreSequenceParallel) {
  PlacedModel model = megatronModel();
  model.sequenceAxes = {1};
  EXPECT_THAT(exportMegatron(model).text, HasSubstr("--sequence-parallel\n"));
  EXPECT_THAT(exportVllm(model).lost.front().why, HasSubstr("vLLM keeps it whole"));
}

TEST(ExportPlanTest, ExpertsAndContext) {
  PlacedModel model = megatronModel();
  model.inputs = {tensor("ids", {4, 16}, {{}, {{0}, 1}})};
  model.uses.push_back(product("experts", WeightSplit::Expert, {0}));
  EXPECT_THAT(exportMegatron(model).text, HasSubstr("--context-parallel-size 2\n--expert-model-parallel-size 2\n"));
  EXPECT_THAT(exportVllm(model).text, HasSubstr("--enable-expert-parallel\n"));
  EXPECT_THAT(lossesOf(exportVllm(model)),
              testing::Contains(HasSubstr("splits experts over 2 ranks: vLLM splits them over all 8")));
}

TEST(ExportPlanTest, WhatMegatronCannotSayIsNamed) {
  struct Case {
    std::function<void(PlacedModel &)> edit;
    const char *loss;
  };
  const Case cases[] = {
      {[](PlacedModel &m) { m.uses[2] = product("up", WeightSplit::Whole, {}); }, "up is whole: Megatron-LM splits it"},
      {[](PlacedModel &m) { m.uses[2] = product("up", WeightSplit::Column, {0}); },
       "up is split over 'dp', not over 'tp'"},
      {[](PlacedModel &m) { m.uses[2] = product("up", WeightSplit::Other, {0, 1}); },
       "up is split over 'dp+tp' in a way that Megatron-LM has no name for"},
      {[](PlacedModel &m) { m.uses[2].inputAxes = {1}; },
       "up has its columns split behind a gathered input: Megatron-LM splits its rows"},
      {[](PlacedModel &m) { m.uses[0] = embedding("wte", WeightSplit::Whole, {}, 1000); },
       "wte is whole: Megatron-LM splits its vocabulary"},
      {[](PlacedModel &m) { m.weights[1] = tensor("up", {64, 256}, {{{0}, 1}, {{1}, 1}}); },
       "up rests split over 'dp' and is gathered for use"},
      {[](PlacedModel &m) { m.inputs = {tensor("ids", {4, 16}, {{{1}, 1}, {}})}; },
       "ids is split over 'tp' in dimension 0, and so are weights"},
      {[](PlacedModel &m) { m.inputs = {tensor("ids", {4, 16}, {{}, {}})}; },
       "mesh has axis 'dp' that splits no weight and no input"},
      {[](PlacedModel &m) { m.mesh = *Mesh::parse("dp=2,tp=4,z=2"); }, "mesh has its tensor axis 'tp' outside of 'z'"},
  };
  for (const Case &it : cases) {
    PlacedModel model = megatronModel();
    it.edit(model);
    ExportedPlan exported = exportMegatron(model);
    EXPECT_THAT(lossesOf(exported), testing::Contains(HasSubstr(it.loss)));
    EXPECT_THAT(exported.text, HasSubstr(std::string("# lost: ") + it.loss));
  }
}

TEST(ExportPlanTest, PartitionSpecs) {
  PlacedModel model = megatronModel();
  model.weights.push_back(tensor("both", {16, 6}, {{{1, 0}, 1}, {}}));
  model.weights.push_back(tensor("odd\"\n", {64, 6}, {{}, {{1}, 1}}));
  ExportedPlan jax = exportJax(model);
  EXPECT_THAT(jax.text, HasSubstr("MESH = {\"dp\": 2, \"tp\": 4}"));
  EXPECT_THAT(jax.text, HasSubstr("\"up\": P(None, \"tp\"),"));
  EXPECT_THAT(jax.text, HasSubstr("\"both\": P((\"tp\", \"dp\"), None),"));
  EXPECT_THAT(jax.text, HasSubstr("\"odd\\x22\\x0a\": P(None, None),"));
  EXPECT_THAT(lossesOf(jax),
              testing::ElementsAre(HasSubstr("dimension 1 of 6 is split as 'tp', which is uneven and JAX cannot say")));
}

TEST(ExportPlanTest, Placements) {
  PlacedModel model = megatronModel();
  model.weights = {tensor("up", {64, 256}, {{}, {{1}, 1}}), tensor("both", {16, 6}, {{{0, 1}, 1}, {}}),
                   tensor("uneven", {64, 6}, {{}, {{1}, 1}}), tensor("swapped", {16, 6}, {{{1, 0}, 1}, {}}),
                   tensor("heads", {64, 6}, {{}, {{1}, 2}})};
  ExportedPlan torch = exportDTensor(model);
  EXPECT_THAT(torch.text, HasSubstr("\"up\": [Replicate(), Shard(1)],"));
  EXPECT_THAT(torch.text, HasSubstr("\"both\": [Shard(0), Shard(0)],"));
  EXPECT_THAT(torch.text, HasSubstr("\"uneven\": [Replicate(), Shard(1)],"));
  EXPECT_THAT(lossesOf(torch),
              testing::ElementsAre(
                  HasSubstr("swapped dimension 0 of 16 is split as 'tp+dp', in another order than the mesh's"),
                  HasSubstr("heads dimension 1 of 6 is split as 'tp:2', in units that DTensor does not have")));
}

class PlacedModelTest : public testing::Test {
protected:
  mlir::MLIRContext context;

  /// A module, sharded by propagation from its inputs.
  mlir::OwningOpRef<mlir::ModuleOp> propagated(llvm::StringRef text) {
    context.loadDialect<LlmparDialect, mlir::func::FuncDialect>();
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    mlir::PassManager pm(&context);
    pm.addPass(createPropagateShardings());
    EXPECT_TRUE(module && mlir::succeeded(pm.run(*module)));
    return module;
  }
};

constexpr llvm::StringLiteral mlp = R"(
llmpar.mesh @mesh <["dp"=2, "tp"=2]>
llmpar.weight @wte : tensor<16x6xf32> from #llmpar.external<"w.data", 0, 384>
llmpar.weight @up : tensor<6x20xf32> from #llmpar.external<"w.data", 0, 480>
llmpar.weight @down : tensor<10x6xf32> from #llmpar.external<"w.data", 0, 240>
func.func @main(%ids: tensor<4xi64> {llmpar.name = "ids", llmpar.out = #llmpar.sharding<@mesh, [{"dp"}]>}) -> (tensor<4x6xf32> {llmpar.name = "y"}) {
  %wte = llmpar.load_weight @wte : tensor<16x6xf32>
  %x = llmpar.gather %wte, %ids {axis = 0, llmpar.factors = {v = #llmpar.dim<{"tp"}>, i0 = #llmpar.dim<{"dp"}>}} : (tensor<16x6xf32>, tensor<4xi64>) -> tensor<4x6xf32>
  %up = llmpar.load_weight @up : tensor<6x20xf32>
  %half = llmpar.slice %up {starts = array<i64: 0, 5>, steps = array<i64: 1, 1>} : (tensor<6x20xf32>) -> tensor<6x10xf32>
  %0 = llmpar.matmul %x, %half {llmpar.factors = {m = #llmpar.dim<{"dp"}>, n = #llmpar.dim<{"tp"}>}} : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32>
  %down = llmpar.load_weight @down : tensor<10x6xf32>
  %1 = llmpar.matmul %0, %down {llmpar.factors = {m = #llmpar.dim<{"dp"}>, k = #llmpar.dim<{"tp"}>}} : (tensor<4x10xf32>, tensor<10x6xf32>) -> tensor<4x6xf32>
  return %1 : tensor<4x6xf32>
}
)";

TEST_F(PlacedModelTest, FindsHowWeightsAreUsed) {
  auto module = propagated(mlp);
  llvm::Expected<PlacedModel> model = placedModel(*module);
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  ASSERT_EQ(model->uses.size(), 3u);
  EXPECT_EQ(model->uses[0].split, WeightSplit::Vocabulary);
  EXPECT_EQ(model->uses[0].rows, 16);
  EXPECT_EQ(model->uses[1].split, WeightSplit::Column);
  EXPECT_EQ(model->uses[1].weight, "up");
  EXPECT_EQ(model->uses[2].split, WeightSplit::Row);
  EXPECT_EQ(model->outputs[0].name, "y");
  EXPECT_TRUE(model->outputs[0].sharding.partial.empty());
  // A part of a weight is split, the weight is not.
  ASSERT_EQ(model->lost.size(), 1u);
  EXPECT_EQ(model->lost[0].tensor, "up");
  EXPECT_THAT(model->lost[0].why, HasSubstr("is whole, though what is computed from it is used as [-, tp]"));
  EXPECT_THAT(lossesOf(exportMegatron(*model)), testing::ElementsAre(HasSubstr("up is whole, though")));
}

TEST_F(PlacedModelTest, WantsPropagatedShardings) {
  context.loadDialect<LlmparDialect, mlir::func::FuncDialect>();
  auto module = mlir::parseSourceString<mlir::ModuleOp>(mlp, &context);
  llvm::Expected<PlacedModel> model = placedModel(*module);
  ASSERT_FALSE(bool(model));
  EXPECT_THAT(llvm::toString(model.takeError()), HasSubstr("run llmpar-propagate-shardings first"));
}

} // namespace
