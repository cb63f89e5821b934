//===- GradientTest.cpp - Gradients against finite differences --------------===//
//
// Every op of soundness.mlir that has floats among its operands is differentiated in double precision: along random
// directions u, (loss(x + h u) - loss(x - h u)) / 2h equals the inner product of u and the gradient. What has no
// gradient must say so. The factor rules of the gradients' own ops are checked by SoundnessTest.
//
//===----------------------------------------------------------------------===//
#include "KernelRun.h"
#include "SoundnessCases.h"
#include "llmpar/Training/Backward.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <cmath>
#include <fstream>

using namespace llmpar;

namespace {

bool isFloatType(mlir::Value value) {
  return mlir::isa<mlir::FloatType>(mlir::cast<mlir::RankedTensorType>(value.getType()).getElementType());
}

/// What an op gives for the use of its own gradient alone.
bool isByproduct(mlir::OpResult result) {
  return mlir::isa<CrossEntropyOp, AttentionOp>(result.getOwner()) && result.getResultNumber() == 1;
}

using Values = llvm::DenseMap<mlir::Value, Tensor>;

/// Runs the ops of a block on the reference kernels, from the values of its arguments.
llvm::Error interpret(mlir::func::FuncOp function, Values &values) {
  mlir::FailureOr<ValueLayouts> layouts = ValueLayouts::build(function, Mesh{});
  if (mlir::failed(layouts))
    return llvm::createStringError("no layouts");
  for (mlir::Operation &op : function.getBody().front().without_terminator()) {
    if (auto constant = mlir::dyn_cast<ConstantOp>(op)) {
      Tensor tensor = emptyTensor(dtypeOf(constant.getResult()), shapeOf(constant.getResult()));
      for (auto [to, from] : llvm::zip(
               tensor.values, mlir::cast<mlir::DenseElementsAttr>(constant.getValue()).getValues<llvm::APFloat>()))
        to = from.convertToDouble();
      values[constant.getResult()] = tensor;
      continue;
    }
    std::vector<Tensor> inputs;
    for (mlir::Value operand : op.getOperands())
      inputs.push_back(values.at(operand));
    auto results = runKernel(&op, *layouts, 0, inputs);
    if (!results)
      return results.takeError();
    for (auto [value, tensor] : llvm::zip(op.getResults(), *results))
      values[value] = tensor;
  }
  return llvm::Error::success();
}

/// A case of soundness.mlir in double precision: @case(operands) with one op, and with its gradients behind it.
struct Differentiated {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
  mlir::Operation *op = nullptr;
  llvm::SmallVector<mlir::Value> seeds, inputs, gradients; ///< seeds by result, null of what is no float
  bool failed = false;

  explicit Differentiated(mlir::func::FuncOp original) {
    module = mlir::ModuleOp::create(original.getLoc());
    mlir::OpBuilder builder(module->getBodyRegion());
    function = mlir::cast<mlir::func::FuncOp>(builder.clone(*original));
    mlir::Block &body = function.getBody().front();
    op = &body.front();
    for (mlir::Value value : body.getArguments())
      widen(value);
    for (mlir::Value value : op->getResults())
      widen(value);
    for (mlir::Value argument : body.getArguments())
      if (isFloatType(argument))
        inputs.push_back(argument);
    for (mlir::Value result : op->getResults())
      seeds.push_back(isFloatType(result) ? body.addArgument(result.getType(), op->getLoc()) : mlir::Value());
    builder.setInsertionPoint(body.getTerminator());
    // Gradients of sum(result * seed), of all results together.
    for (auto [result, seed] : llvm::zip(op->getResults(), seeds)) {
      if (!seed || isByproduct(result))
        continue;
      auto found = gradientsOf(builder, result, seed, inputs);
      failed |= mlir::failed(found);
      if (failed)
        return;
      gradients.resize(inputs.size());
      for (auto [sum, gradient] : llvm::zip(gradients, *found))
        sum = !sum       ? gradient
              : gradient ? BinaryOp::create(builder, op->getLoc(), "add", sum, gradient).getResult()
                         : sum;
    }
    function.setFunctionType(builder.getFunctionType(body.getArgumentTypes(), {}));
  }

  static void widen(mlir::Value value) {
    auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
    if (isFloatType(value))
      value.setType(type.clone(mlir::Float64Type::get(type.getContext())));
  }
};

double dot(const Tensor &a, const Tensor &b) {
  double sum = 0;
  for (auto [x, y] : llvm::zip_equal(a.values, b.values))
    sum += x * y;
  return sum;
}

class GradientCase {
public:
  GradientCase(Differentiated &graph, unsigned seed) : graph(graph), random(seed) {}

  /// Says how the gradient and the finite difference differ along a random direction; "" if they agree.
  std::string check() {
    Values at;
    for (auto [argument, tensor] : llvm::zip(graph.function.getArguments(), inputsAwayFromKinks()))
      at[argument] = tensor;
    for (mlir::Value seed : graph.seeds)
      if (seed)
        at[seed] = randomTensor(seed);
    Values values = at;
    if (llvm::Error error = interpret(graph.function, values))
      return llvm::toString(std::move(error));
    for (auto [input, gradient] : llvm::zip(graph.inputs, graph.gradients)) {
      Tensor direction = randomTensor(input);
      double expected = difference(at, input, direction), found = gradient ? dot(values[gradient], direction) : 0;
      if (!(std::abs(expected - found) <= 1e-6 * (1 + std::abs(expected) + std::abs(found))))
        return "operand " + std::to_string(mlir::cast<mlir::BlockArgument>(input).getArgNumber()) +
               ": the gradient says " + std::to_string(found) + ", the difference quotient " + std::to_string(expected);
    }
    return "";
  }

private:
  Differentiated &graph;
  std::mt19937 random;

  /// Between 0.1 and 0.9, where every kind is defined and smooth; all elements of a tensor differ.
  std::vector<Tensor> inputsAwayFromKinks() {
    std::vector<Tensor> inputs = randomInputs(graph.op, random());
    for (Tensor &tensor : inputs) {
      std::vector<double> steps(tensor.values.size());
      for (size_t i = 0; i < steps.size(); ++i)
        steps[i] = 0.1 + 0.8 * (static_cast<double>(i) + 0.5) / static_cast<double>(steps.size());
      std::shuffle(steps.begin(), steps.end(), random);
      bool isAcosh =
          graph.op->hasAttr("kind") && graph.op->getAttrOfType<mlir::StringAttr>("kind").getValue() == "acosh";
      if (tensor.dtype == DType::F64)
        for (auto [value, step] : llvm::zip(tensor.values, steps))
          value = step + (isAcosh ? 1 : 0);
    }
    makeIndicesDistinct(inputs);
    return inputs;
  }

  /// What a scatter replaces twice has no derivative.
  void makeIndicesDistinct(std::vector<Tensor> &inputs) {
    Shape data = shapeOf(graph.op->getOperand(0));
    if (auto scatter = mlir::dyn_cast<ScatterElementsOp>(graph.op)) {
      int64_t inner = 1, extent = inputs[1].shape[scatter.getAxis()];
      for (int64_t size : llvm::ArrayRef(inputs[1].shape).drop_front(scatter.getAxis() + 1))
        inner *= size;
      for (auto [i, value] : llvm::enumerate(inputs[1].values))
        value = static_cast<double>(static_cast<int64_t>(i) / inner % extent);
    } else if (mlir::isa<ScatterNdOp>(graph.op)) {
      int64_t length = inputs[1].shape.back();
      for (auto [i, value] : llvm::enumerate(inputs[1].values)) { // the digits of the tuple's number
        auto tuple = static_cast<int64_t>(i) / length;
        for (int64_t digit = 0; digit < static_cast<int64_t>(i) % length; ++digit)
          tuple /= data[digit];
        value = static_cast<double>(tuple % data[static_cast<int64_t>(i) % length]);
      }
    }
  }

  Tensor randomTensor(mlir::Value value) {
    Tensor tensor = emptyTensor(dtypeOf(value), shapeOf(value));
    std::uniform_real_distribution<double> uniform(-1, 1);
    for (double &element : tensor.values)
      element = uniform(random);
    return tensor;
  }

  double loss(Values values) {
    llvm::cantFail(interpret(graph.function, values));
    double sum = 0;
    for (auto [result, seed] : llvm::zip(graph.op->getResults(), graph.seeds))
      if (seed && !isByproduct(result))
        sum += dot(values[result], values[seed]);
    return sum;
  }

  double difference(const Values &at, mlir::Value input, const Tensor &direction) {
    constexpr double h = 1e-5;
    double sides[2];
    for (int side : {0, 1}) {
      Values moved = at;
      for (auto [value, step] : llvm::zip(moved[input].values, direction.values))
        value += (side ? h : -h) * step;
      sides[side] = loss(std::move(moved));
    }
    return (sides[1] - sides[0]) / (2 * h);
  }
};

//===-- The cases --------------------------------------------------------------------===//

/// Ops without a gradient, and what they say.
struct Refusal {
  llvm::StringRef name, why;
};
constexpr Refusal refusals[] = {
    {"llmpar.conv", "'conv' is not supported"},
    {"llmpar.pool", "'pool' is not supported"},
    {"llmpar.experts", "'experts' is not supported"},
    {"llmpar.unary_grad", "is not supported"},
    {"llmpar.attention_grad", "is not supported"},
    {"llmpar.weight_grad", "is not supported"},
    {"llmpar.softmax_grad", "is not supported"},
    {"llmpar.norm_grad", "is not supported"},
    {"llmpar.norm_scale_grad", "is not supported"},
    {"llmpar.gather_grad", "is not supported"},
    {"llmpar.slice_grad", "is not supported"},
    {"llmpar.cross_entropy_grad", "is not supported"},
    {"llmpar.adam", "is not supported"},
    {"llmpar.sgd", "is not supported"},
};
/// Cases of an op that has a gradient in other cases.
constexpr Refusal refusedCases[] = {
    {"attention_with_a_bias", "a mask that is trained"},
    {"gather_nd_of_batches", "batch dimensions"},
    {"layer_norm_with_a_scale_for_each_row", "differs from row to row"},
    {"pad_above_by_reflection", "padding with a constant"},
    {"reduce_prod", "a product over a dimension"},
    {"scatter_elements_into_a_part", "reduces by 'max'"},
};

llvm::StringRef refusalOf(mlir::func::FuncOp function) {
  for (const Refusal &refusal : refusedCases)
    if (function.getName() == refusal.name)
      return refusal.why;
  for (const Refusal &refusal : refusals)
    if (function.getBody().front().front().getName().getStringRef() == refusal.name)
      return refusal.why;
  return "";
}

class Gradients : public testing::TestWithParam<std::string> {};

TEST_P(Gradients, EqualDifferenceQuotients) {
  auto original = SoundnessCases::get().module->lookupSymbol<mlir::func::FuncOp>(GetParam());
  mlir::Operation &op = original.getBody().front().front();
  if (llvm::none_of(op.getOperands(), isFloatType) || llvm::none_of(op.getResults(), isFloatType))
    GTEST_SKIP() << "no floats";
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&SoundnessCases::get().context,
                                        [&](mlir::Diagnostic &diagnostic) { message += diagnostic.str(); });
  Differentiated graph(original);
  if (llvm::StringRef why = refusalOf(original); !why.empty()) {
    EXPECT_TRUE(graph.failed);
    EXPECT_THAT(message, testing::HasSubstr(why.str()));
    return;
  }
  ASSERT_FALSE(graph.failed) << message;
  ASSERT_TRUE(mlir::succeeded(mlir::verify(*graph.module))) << message;
  for (unsigned seed : {1, 2, 3})
    EXPECT_EQ(GradientCase(graph, seed).check(), "") << "seed " << seed;
}
INSTANTIATE_TEST_SUITE_P(Ops, Gradients, testing::ValuesIn(SoundnessCases::names()),
                         [](const testing::TestParamInfo<std::string> &info) { return info.param; });

class UnaryGradients : public testing::TestWithParam<const char *> {};

TEST_P(UnaryGradients, EqualDifferenceQuotients) {
  std::string text = std::string("func.func @f(%x: tensor<3x5xf32>) {\n  %0 = llmpar.unary \"") + GetParam() +
                     "\" %x {alpha = 0.7, beta = 0.2} : (tensor<3x5xf32>) -> tensor<3x5xf32>\n  return\n}";
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &SoundnessCases::get().context);
  Differentiated graph(module->lookupSymbol<mlir::func::FuncOp>("f"));
  ASSERT_FALSE(graph.failed);
  EXPECT_EQ(GradientCase(graph, 1).check(), "");
}
constexpr const char *smoothKinds[] = {
#define LLMPAR_SMOOTH(name) #name,
#include "llmpar/Abi/Kinds.def"
    "floor", "sign"};
INSTANTIATE_TEST_SUITE_P(Kinds, UnaryGradients, testing::ValuesIn(smoothKinds),
                         [](const testing::TestParamInfo<const char *> &info) { return std::string(info.param); });

class BinaryGradients : public testing::TestWithParam<const char *> {};

TEST_P(BinaryGradients, EqualDifferenceQuotients) {
  std::string text =
      std::string("func.func @f(%x: tensor<3x1x5xf32>, %y: tensor<7x1xf32>) {\n  %0 = llmpar.binary \"") + GetParam() +
      "\" %x, %y : (tensor<3x1x5xf32>, tensor<7x1xf32>) -> tensor<3x7x5xf32>\n  return\n}";
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &SoundnessCases::get().context);
  Differentiated graph(module->lookupSymbol<mlir::func::FuncOp>("f"));
  ASSERT_FALSE(graph.failed);
  EXPECT_EQ(GradientCase(graph, 1).check(), "");
}
INSTANTIATE_TEST_SUITE_P(Kinds, BinaryGradients,
                         testing::Values("add", "sub", "mul", "div", "pow", "min", "max", "prelu"),
                         [](const testing::TestParamInfo<const char *> &info) { return std::string(info.param); });

/// A value that is used twice gets both gradients, and one that the loss does not depend on gets none.
TEST(Backward, SumsOverUses) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(R"(
    func.func @f(%x: tensor<3xf64>, %other: tensor<3xf64>, %seed: tensor<3xf64>) {
      %0 = llmpar.binary "mul" %x, %x : (tensor<3xf64>, tensor<3xf64>) -> tensor<3xf64>
      %1 = llmpar.binary "add" %0, %x : (tensor<3xf64>, tensor<3xf64>) -> tensor<3xf64>
      return
    })",
                                                        &SoundnessCases::get().context);
  auto function = module->lookupSymbol<mlir::func::FuncOp>("f");
  mlir::Block &body = function.getBody().front();
  mlir::OpBuilder builder(body.getTerminator());
  auto found = gradientsOf(builder, std::next(body.begin())->getResult(0), body.getArgument(2),
                           body.getArguments().take_front(2));
  ASSERT_TRUE(mlir::succeeded(found));
  EXPECT_FALSE((*found)[1]);
  Values values;
  values[body.getArgument(0)] = {DType::F64, {3}, {1, -2, 0.5}};
  for (int other : {1, 2})
    values[body.getArgument(other)] = {DType::F64, {3}, {1, 1, 1}};
  llvm::cantFail(interpret(function, values));
  EXPECT_THAT(values[(*found)[0]].values, testing::ElementsAre(3, -3, 2)); // 2 x + 1
}

} // namespace
