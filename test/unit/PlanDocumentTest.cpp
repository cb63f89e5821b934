//===- PlanDocumentTest.cpp - Plans as files --------------------------------===//
#include "llmpar/Planning/PlanDocument.h"

#include "llmpar/Partition/Passes.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include <gmock/gmock.h>

using namespace llmpar;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

constexpr llvm::StringLiteral planned = R"(
module attributes {llmpar.model = "mlp.onnx"} {
llmpar.mesh @mesh <["x"=2, "y"=2]>
llmpar.weight @w1 : tensor<6x10xf32> from #llmpar.external<"w.data", 0, 240>
llmpar.weight @w2 : tensor<10x14xf32> from #llmpar.external<"w.data", 240, 560>
func.func @main(%x: tensor<4x6xf32> {llmpar.name = "x", llmpar.out = #llmpar.sharding<@mesh, [{"x"}, {}]>}) -> (tensor<4x14xf32> {llmpar.name = "y"}) {
  %w1 = llmpar.load_weight @w1 : tensor<6x10xf32>
  %0 = llmpar.matmul %x, %w1 {llmpar.factors = {m = #llmpar.dim<{"x"}>, n = #llmpar.dim<{"y" : 5}>}} : (tensor<4x6xf32>, tensor<6x10xf32>) -> tensor<4x10xf32> loc("h.0.up")
  %1 = llmpar.unary "gelu" %0 {llmpar.factors = {_0 = #llmpar.dim<{"x"}>, _1 = #llmpar.dim<{"y"}>}} : (tensor<4x10xf32>) -> tensor<4x10xf32> loc("h.0.act")
  %w2 = llmpar.load_weight @w2 : tensor<10x14xf32>
  %2 = llmpar.matmul %1, %w2 {llmpar.factors = {m = #llmpar.dim<{"x"}>, k = #llmpar.dim<{"y"}>}, llmpar.out = [#llmpar.sharding<@mesh, [{"x"}, {}]>]} : (tensor<4x10xf32>, tensor<10x14xf32>) -> tensor<4x14xf32> loc("h.0.down")
  return %2 : tensor<4x14xf32>
}
})";

class PlanDocumentTest : public testing::Test {
protected:
  mlir::MLIRContext context;
  Cluster cluster;
  ShardingPlan plan;

  void SetUp() override {
    context.loadDialect<LlmparDialect, mlir::func::FuncDialect>();
    llvm::Expected<Cluster> found = findCluster("cpu-4");
    ASSERT_TRUE(bool(found));
    cluster = *found;
    plan.meshes.push_back({.mesh = *Mesh::parse("x=2,y=2"),
                           .plan = {.choice = {0}, .cost = 1'500'000, .lowerBound = 1'200'000, .peakBytes = 4711}});
    plan.lowerBound = 1'200'000;
  }

  mlir::OwningOpRef<mlir::ModuleOp> plannedModule() {
    mlir::OwningOpRef<mlir::ModuleOp> module = mlir::parseSourceString<mlir::ModuleOp>(planned, &context);
    EXPECT_TRUE(module);
    return module;
  }
  /// The same graph before planning.
  mlir::OwningOpRef<mlir::ModuleOp> bareModule() {
    auto module = plannedModule();
    setMesh(*module, {});
    module->walk([](mlir::Operation *op) {
      for (llvm::StringRef name : {LlmparDialect::kFactors, LlmparDialect::kOutShardings})
        op->removeAttr(name);
      if (auto function = mlir::dyn_cast<mlir::func::FuncOp>(op))
        function.removeArgAttr(0, mlir::StringAttr::get(op->getContext(), LlmparDialect::kOutShardings));
    });
    return module;
  }
  PlanDocument document() {
    auto module = plannedModule();
    return documentPlan(*module, plan, cluster, Method::Auto);
  }
  std::string textOf(mlir::ModuleOp module) {
    std::string text;
    llvm::raw_string_ostream(text) << module;
    return text;
  }
  /// The error of a replay into the bare module, which it must leave as it was; "" if there is none.
  std::string replayError(const PlanDocument &document) { return replayError(document, *bareModule(), cluster); }
  std::string replayError(const PlanDocument &document, mlir::ModuleOp module, const Cluster &onCluster) {
    std::string before = textOf(module);
    llvm::Error error = replayPlan(module, document, onCluster);
    if (!error)
      return "";
    EXPECT_EQ(textOf(module), before);
    return llvm::toString(std::move(error));
  }
};

TEST_F(PlanDocumentTest, DescribesWhatWasChosen) {
  PlanDocument it = document();
  EXPECT_EQ(it.model, "mlp.onnx");
  EXPECT_EQ(it.mesh, "x=2,y=2");
  EXPECT_EQ(it.method, "auto");
  EXPECT_DOUBLE_EQ(it.cost, 1.5e-6);
  EXPECT_EQ(it.peakBytes, 4711);
  ASSERT_EQ(it.inputs.size(), 1u);
  EXPECT_THAT(it.inputs[0].sharding, ElementsAre("x", "-"));
  ASSERT_EQ(it.ops.size(), 3u); // weights are not listed
  EXPECT_EQ(it.ops[0].op, "matmul");
  EXPECT_EQ(it.ops[0].node, "h.0.up");
  EXPECT_EQ(it.ops[0].shard, (std::map<std::string, std::string>{{"m", "x"}, {"n", "y:5"}}));
  EXPECT_THAT(it.ops[2].keep, ElementsAre(ElementsAre("x", "-")));
  EXPECT_EQ(it.opDigests.size(), 6u);
}

TEST_F(PlanDocumentTest, TextReadsBackAsTheSameDocument) {
  PlanDocument it = document();
  it.ops[1].rest = {{"x+y"}, {}};
  llvm::Expected<PlanDocument> read = readPlanDocument(writePlanDocument(it));
  ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
  EXPECT_EQ(*read, it);
}

TEST_F(PlanDocumentTest, ReplayWritesWhatPlanningWrote) {
  auto replayed = bareModule(), original = plannedModule();
  ASSERT_EQ(llvm::toString(replayPlan(*replayed, document(), cluster)), "");
  EXPECT_EQ(textOf(*replayed), textOf(*original));
  mlir::PassManager pm(&context);
  pm.addPass(createPropagateShardings());
  EXPECT_TRUE(mlir::succeeded(pm.run(*replayed)));
}

TEST_F(PlanDocumentTest, ReplayReplacesPins) {
  auto replayed = plannedModule(), original = plannedModule();
  replayed->walk([](MatmulOp op) { op->removeAttr(LlmparDialect::kOutShardings); });
  ASSERT_EQ(llvm::toString(replayPlan(*replayed, document(), cluster)), "");
  EXPECT_EQ(textOf(*replayed), textOf(*original));
}

TEST_F(PlanDocumentTest, AnEditedPlanIsFollowed) {
  PlanDocument it = document();
  it.ops[0].shard = {{"m", "x+y"}};
  auto module = bareModule();
  ASSERT_EQ(llvm::toString(replayPlan(*module, it, cluster)), "");
  EXPECT_THAT(textOf(*module), HasSubstr("llmpar.factors = {m = #llmpar.dim<{\"x\", \"y\"}>}"));
}

TEST_F(PlanDocumentTest, AnotherModelIsRefusedWithTheFirstOpThatDiffers) {
  auto module = bareModule();
  module->walk([](UnaryOp op) { op.setKind("relu"); });
  EXPECT_THAT(
      replayError(document(), *module, cluster),
      HasSubstr("the plan is for another model: op 2 is 'unary' of node 'h.0.act' : tensor<4x10xf32> in the model"));
}

TEST_F(PlanDocumentTest, OtherDimensionsAreRefusedWithTheInput) {
  PlanDocument it = document();
  it.inputs[0].type = "tensor<8x6xf32>";
  EXPECT_THAT(replayError(it), HasSubstr("its input 'x' is tensor<8x6xf32>, the model's is tensor<4x6xf32>"));
  it.inputs.clear();
  EXPECT_THAT(replayError(it), HasSubstr("it has 0 inputs, the model 1"));
}

TEST_F(PlanDocumentTest, AMissingTailIsRefused) {
  PlanDocument it = document();
  it.opDigests.pop_back();
  EXPECT_THAT(replayError(it), HasSubstr("it has 5 ops, the model 6"));
}

TEST_F(PlanDocumentTest, AnotherClusterIsRefusedWithTheLineThatDiffers) {
  Cluster other = *findCluster("cpu-4");
  other.devices.front().device.memoryBytes = 1 << 30;
  EXPECT_THAT(replayError(document(), *bareModule(), other),
              testing::AllOf(HasSubstr("the plan is for another cluster, 'cpu-4' instead of 'cpu-4': line "),
                             HasSubstr("memory: 1 GiB' here")));
}

TEST_F(PlanDocumentTest, AMeshOfItsOwnMustBeThePlans) {
  auto module = bareModule();
  setMesh(*module, *Mesh::parse("x=4"));
  EXPECT_THAT(replayError(document(), *module, cluster), HasSubstr("the plan's mesh is 'x=2,y=2', not 'x=4'"));
  PlanDocument it = document();
  it.mesh = "x=2";
  EXPECT_THAT(replayError(it), HasSubstr("has 2 ranks, but cluster 'cpu-4' has 4 devices"));
}

TEST_F(PlanDocumentTest, AnEditThatMakesNoSenseNamesTheOp) {
  struct Case {
    std::function<void(PlanDocument &)> edit;
    const char *message;
  };
  const Case cases[] = {
      {[](PlanDocument &it) { it.ops[0].shard["m"] = "z"; },
       "plan.ops[0], op 1 'matmul' of node 'h.0.up' : tensor<4x10xf32>: factor 'm': axis 'z' is not of the mesh "
       "'x=2,y=2'"},
      {[](PlanDocument &it) { it.ops[0].shard["q"] = "x"; }, "'q' is no factor of its rule"},
      {[](PlanDocument &it) { it.ops[0].shard["k"] = "y"; }, "axis 'y' occurs twice"},
      {[](PlanDocument &it) { it.ops[0].shard["n"] = "y:0"; }, "the unit '0' is no positive number"},
      {[](PlanDocument &it) { it.ops[2].keep[0] = {"x"}; }, "'keep': [x] has 1 entries: expected 2"},
      {[](PlanDocument &it) { it.ops[2].keep.push_back({"x"}); }, "'keep' has 2 entries, expected 1"},
      {[](PlanDocument &it) { it.inputs[0].sharding = {"x", "x"}; }, "plan.inputs: 'x': axis 'x' occurs twice"},
      {[](PlanDocument &it) { it.ops[1].index = 1; }, "the op has two entries"},
      {[](PlanDocument &it) { it.ops[1].index = 99; }, "index 99 is no op that can be sharded"},
      {[](PlanDocument &it) { it.ops.erase(it.ops.begin() + 1); },
       "the plan has no entry for op 2, 'unary' of node 'h.0.act'"},
      {[](PlanDocument &it) { it.mesh = "x"; }, "write axes as name=size"},
  };
  for (const Case &it : cases) {
    PlanDocument edited = document();
    it.edit(edited);
    EXPECT_THAT(replayError(edited), HasSubstr(it.message));
  }
}

TEST_F(PlanDocumentTest, DamagedTextIsRefusedWithThePlace) {
  std::string text = writePlanDocument(document());
  auto error = [](const std::string &damaged) {
    llvm::Expected<PlanDocument> read = readPlanDocument(damaged);
    return read ? "" : llvm::toString(read.takeError());
  };
  auto replaced = [&](const std::string &from, const std::string &to) {
    std::string damaged = text;
    damaged.replace(damaged.find(from), from.size(), to);
    return error(damaged);
  };
  EXPECT_THAT(replaced("\"version\": 1", "\"version\": 2"),
              HasSubstr("plan.version is 2: this llmpar reads version 1"));
  EXPECT_THAT(replaced("\"m\": \"x\"", "\"m\": 7"), HasSubstr("plan.ops[0].shard.m is 7: expected a string"));
  EXPECT_THAT(replaced("\"mesh\"", "\"mash\""), HasSubstr("plan has an unknown key 'mash'"));
  EXPECT_THAT(replaced("\"shard\": [\"x\", \"-\"]", "\"shard\": \"x\""),
              HasSubstr("plan.inputs[0].shard is \"x\": expected an array"));
  for (size_t size = 0; size < text.size(); size += 97)
    EXPECT_NE(error(text.substr(0, size)), "") << size;
}

TEST_F(PlanDocumentTest, EqualPlansDoNotDiffer) { EXPECT_TRUE(diffPlans(document(), document()).empty()); }

TEST_F(PlanDocumentTest, DifferencesAreGroupedByKindNodeAndChange) {
  PlanDocument a = document(), b;
  for (int layer = 1; layer < 12; ++layer) {
    PlanDocument::Op op = a.ops[0];
    op.node = "h." + std::to_string(layer) + ".up";
    a.ops.push_back(op);
  }
  b = a;
  for (PlanDocument::Op &op : b.ops)
    if (llvm::StringRef(op.node).ends_with(".up"))
      op.shard.erase("n");
  b.ops[2].keep.clear();
  b.mesh = "x=4";
  b.inputs[0].sharding = {"-", "-"};
  PlanDifferences it = diffPlans(a, b);
  ASSERT_EQ(it.fields.size(), 1u);
  EXPECT_EQ(it.fields[0].name + ": " + it.fields[0].a + " -> " + it.fields[0].b, "mesh: x=2,y=2 -> x=4");
  ASSERT_EQ(it.groups.size(), 3u);
  EXPECT_EQ(it.groups[0].op + " " + it.groups[0].nodes + " " + it.groups[0].change, "input x [x, -] -> [-, -]");
  EXPECT_EQ(it.groups[1].count, 12);
  EXPECT_EQ(it.groups[1].nodes, "h.*.up");
  EXPECT_EQ(it.groups[1].change, "n: y:5 -> -");
  EXPECT_EQ(it.groups[2].change, "keep: [x, -] -> -");
}

TEST_F(PlanDocumentTest, InputsOfOtherTypesAndNamesDiffer) {
  PlanDocument a = document(), b = document();
  b.inputs[0].type = "tensor<8x6xf32>";
  EXPECT_EQ(diffPlans(a, b).groups[0].change, "[x, -] tensor<4x6xf32> -> [x, -] tensor<8x6xf32>");
  b.inputs[0].name = "z";
  PlanDifferences it = diffPlans(a, b);
  EXPECT_EQ(it.groups[0].nodes + " " + it.groups[0].change, "x only in the first");
  EXPECT_EQ(it.groups[1].nodes + " " + it.groups[1].change, "z only in the second");
}

TEST_F(PlanDocumentTest, OpsOfOnePlanOnlyAreListed) {
  PlanDocument a = document(), b = document();
  b.ops.erase(b.ops.begin() + 1);
  PlanDifferences it = diffPlans(a, b);
  ASSERT_EQ(it.groups.size(), 1u);
  EXPECT_EQ(it.groups[0].op + " " + it.groups[0].change, "unary only in the first");
}

} // namespace
