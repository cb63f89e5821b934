//===- SoundnessTest.cpp - Factor rules against the reference kernels -------===//
//
// For every case of soundness.mlir, every shardable factor of its op and every split: shards computed by the op's own
// kernel, combined as its result's sharding says, equal the kernel on the whole.
//
//===----------------------------------------------------------------------===//
#include "KernelRun.h"
#include "SoundnessCases.h"
#include "Placement.h"
#include "llmpar/Core/FactorSharding.h"

#include "llvm/ADT/StringSet.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <cmath>
#include <fstream>

using namespace llmpar;
using testing::HasSubstr;

namespace {

Tensor partOf(const Tensor &whole, const Box &box) {
  Tensor part{whole.dtype, {}, {}};
  for (ShardRange range : box)
    part.shape.push_back(range.size());
  for (int64_t element : elementsOf(box, whole.shape))
    part.values.push_back(whole.values[element]);
  return part;
}

/// The case as it is after llmpar-localize-shapes: every value has a sharding and its largest shard's type.
struct Localized {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  mlir::Operation *op() { return &function.getBody().front().front(); }

  Localized(mlir::func::FuncOp original, llvm::ArrayRef<Sharding> in, llvm::ArrayRef<Sharding> out, const Mesh &mesh) {
    module = mlir::ModuleOp::create(original.getLoc());
    mlir::OpBuilder builder(module->getBodyRegion());
    llmpar::MeshOp::create(builder, original.getLoc(), "mesh", builder.getStrArrayAttr({mesh.axes[0].name}),
                           builder.getDenseI64ArrayAttr({mesh.axes[0].size}));
    function = mlir::cast<mlir::func::FuncOp>(builder.clone(*original));
    for (auto [argument, sharding] : llvm::zip_equal(function.getArguments(), in))
      function.setArgAttr(argument.getArgNumber(), LlmparDialect::kGlobalTypes, localize(argument, sharding, mesh));
    llvm::SmallVector<mlir::Attribute> types;
    for (auto [result, sharding] : llvm::zip_equal(op()->getResults(), out))
      types.push_back(localize(result, sharding, mesh));
    op()->setAttr(LlmparDialect::kGlobalTypes, builder.getArrayAttr(types));
    function.setFunctionType(builder.getFunctionType(function.getBody().getArgumentTypes(), {}));
  }
  static mlir::Attribute localize(mlir::Value value, const Sharding &sharding, const Mesh &mesh) {
    auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
    setSharding(value, sharding, mesh);
    value.setType(type.clone(localShape(sharding, type.getShape(), mesh)));
    return mlir::TypeAttr::get(type);
  }
};

double combine(FactorKind kind, double a, double b) {
  switch (kind) {
  case FactorKind::Max:
    return std::max(a, b);
  case FactorKind::Min:
    return std::min(a, b);
  case FactorKind::Prod:
    return a * b;
  default:
    return a + b;
  }
}
bool agree(double a, double b, double slack) {
  return a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= slack;
}
/// How far partial results, combined, may be from the whole: each was rounded once to its element type, whose unit in
/// the last place is 2^-11 of an f16 and 2^-8 of a bf16 of about `largest`; in f32 the order of summation shows.
double slackOf(DType dtype, int64_t parts, double largest) {
  double unit = dtype == DType::F16 ? 0x1p-11 : dtype == DType::BF16 ? 0x1p-8 : 1e-6;
  return static_cast<double>(parts) * unit * (1 + largest);
}
double largestOf(const Tensor &tensor) {
  double largest = 0;
  for (double value : tensor.values)
    largest = std::max(largest, std::isfinite(value) ? std::abs(value) : 0);
  return largest;
}

struct Case {
  mlir::func::FuncOp function;
  std::vector<Tensor> inputs, expected;
  mlir::Operation *op() { return &function.getBody().front().front(); }
};

std::string place(const Tensor &tensor, int64_t element) {
  std::string text;
  for (int64_t size : llvm::reverse(tensor.shape)) {
    text = std::to_string(element % size) + (text.empty() ? "" : ", ") + text;
    element /= size;
  }
  return "[" + text + "]";
}

/// Shards `factor` over `parts` ranks in steps of `unit`; says what is wrong with the combined results, "" if nothing.
std::string checkSplit(Case &test, const FactorRule &rule, int factor, int64_t parts, int64_t unit) {
  Mesh mesh = meshOfSizes({parts});
  FactorShardings chosen(rule.factors.size());
  chosen[factor] = {{0}, unit};
  llvm::SmallVector<Sharding> in, out;
  for (mlir::OpOperand &operand : test.op()->getOpOperands())
    in.push_back(operandSharding(rule, operand.getOperandNumber(), shapeOf(operand.get()), chosen, mesh));
  for (mlir::OpResult result : test.op()->getResults())
    out.push_back(resultSharding(rule, result.getResultNumber(), shapeOf(result), chosen, mesh));
  Localized local(test.function, in, out, mesh);
  if (mlir::failed(mlir::verify(*local.module)))
    return "the op is not valid on the largest shards";
  mlir::FailureOr<ValueLayouts> layouts = ValueLayouts::build(local.function, mesh);
  if (mlir::failed(layouts))
    return "no layouts";

  std::vector<Tensor> combined = test.expected;
  for (Tensor &tensor : combined)
    std::fill(tensor.values.begin(), tensor.values.end(), 0);
  for (int64_t rank = 0; rank < parts; ++rank) {
    std::vector<Tensor> shards;
    for (auto [input, sharding] : llvm::zip_equal(test.inputs, in))
      shards.push_back(partOf(input, boxOf(sharding, input.shape, mesh, rank)));
    auto results = runKernel(local.op(), *layouts, rank, shards);
    if (!results)
      return "rank " + std::to_string(rank) + ": " + llvm::toString(results.takeError());
    for (auto [index, result] : llvm::enumerate(*results)) {
      Tensor &whole = combined[index];
      const Sharding &sharding = out[index];
      std::vector<int64_t> elements = elementsOf(boxOf(sharding, whole.shape, mesh, rank), whole.shape);
      if (elements.size() != result.values.size())
        return "rank " + std::to_string(rank) + " computes more or less than its shard";
      for (auto [element, value] : llvm::zip(elements, result.values)) {
        double &to = whole.values[element];
        if (sharding.partial.empty() && sharding.isReplicated() && rank > 0 && !agree(value, to, 0))
          return "rank " + std::to_string(rank) + " differs from rank 0 at " + place(whole, element);
        to = sharding.partial.empty() || rank == 0 ? value : combine(sharding.partial[0].reduction, to, value);
      }
    }
  }
  for (auto [index, whole] : llvm::enumerate(combined)) {
    // Without a partial sum every element was computed once: it must be the same.
    double slack = out[index].partial.empty() ? 0 : slackOf(whole.dtype, parts, largestOf(test.expected[index]));
    for (auto [element, value] : llvm::enumerate(whole.values))
      if (double want = test.expected[index].values[element]; !agree(value, want, slack))
        return "result " + std::to_string(index) + " at " + place(whole, element) + " is " + std::to_string(value) +
               " instead of " + std::to_string(want);
  }
  return "";
}

//===-- The cases --------------------------------------------------------------------===//

Case loadCase(llvm::StringRef name) {
  Case test{SoundnessCases::get().module->lookupSymbol<mlir::func::FuncOp>(name), {}, {}};
  mlir::Operation *op = test.op();
  test.inputs = randomInputs(op);
  Mesh one = meshOfSizes({1});
  llvm::SmallVector<Sharding> in, out;
  for (mlir::Value operand : op->getOperands())
    in.push_back(Sharding::replicated(shapeOf(operand).size()));
  for (mlir::Value result : op->getResults())
    out.push_back(Sharding::replicated(shapeOf(result).size()));
  Localized whole(test.function, in, out, one);
  test.expected = llvm::cantFail(runKernel(whole.op(), *ValueLayouts::build(whole.function, one), 0, test.inputs));
  return test;
}

class Soundness : public testing::TestWithParam<std::string> {};

TEST_P(Soundness, ShardsCombineToTheWhole) {
  ASSERT_TRUE(SoundnessCases::get().module);
  Case test = loadCase(GetParam());
  FactorRule rule = mlir::cast<FactorOpInterface>(test.op()).getFactorRule();
  int splits = 0;
  for (int factor = 0; factor < static_cast<int>(rule.factors.size()); ++factor)
    for (int64_t parts : {2, 3, 5})
      for (int64_t unit : {1, 2}) {
        if (!rule.isShardable(factor) || rule.factors[factor].kind == FactorKind::Combine) // DecompositionTest
          continue;
        EXPECT_EQ(checkSplit(test, rule, factor, parts, unit), "")
            << rule.str() << ": factor " << rule.factors[factor].name << " over " << parts << " in steps of " << unit;
        ++splits;
      }
  EXPECT_GT(splits, 0) << rule.str();
}
INSTANTIATE_TEST_SUITE_P(Ops, Soundness, testing::ValuesIn(SoundnessCases::names()),
                         [](const testing::TestParamInfo<std::string> &info) { return info.param; });

TEST(SoundnessCases, EveryOpWithARuleHasOne) {
  SoundnessCases &cases = SoundnessCases::get();
  ASSERT_TRUE(cases.module);
  llvm::StringSet<> covered;
  covered.insert("llmpar.load_weight"); // no kernel: the loader slices
  covered.insert("llmpar.constant");
  cases.module->walk([&](FactorOpInterface op) { covered.insert(op->getName().getStringRef()); });
  for (mlir::RegisteredOperationName name : cases.context.getRegisteredOperations())
    if (name.hasInterface<FactorOpInterface>())
      EXPECT_TRUE(covered.contains(name.getStringRef())) << name.getStringRef().str() << " has no case in soundness.mlir";
}

//===-- Wrong rules are found -------------------------------------------------------===//

std::string checkWrongRule(llvm::StringRef name, llvm::StringRef text) {
  Case test = loadCase(name);
  FactorRule rule = parseFactorRule(text, operandShapes(test.op()), resultShapes(test.op()));
  return checkSplit(test, rule, static_cast<int>(rule.factors.size()) - 1, 2, 1);
}

TEST(WrongRule, ShardingTheSoftmaxAxis) {
  EXPECT_THAT(checkWrongRule("softmax", "a b c -> a b c"), HasSubstr("instead of"));
}
TEST(WrongRule, ReducingAMaximumByAddition) {
  EXPECT_THAT(checkWrongRule("reduce_max_keeps_dims", "x b c -> y b z ; sum(c)"), HasSubstr("instead of"));
}
TEST(WrongRule, ForgettingThatAProductIsPartial) {
  EXPECT_THAT(checkWrongRule("matmul", "m k, k n -> m n"), HasSubstr("rank 1 differs from rank 0"));
}

} // namespace
