//===- DecompositionTest.cpp - Ops by parts against their kernels -----------===//
//
// For every case of soundness.mlir whose op has a `combine` factor, and every split of one: the passes of a partition
// make the op primitive ones and reductions, all ranks run them in step, and their shards are those of the kernel on
// the whole. The same for attention with split keys, whose division follows the product.
//
//===----------------------------------------------------------------------===//
#include "KernelRun.h"
#include "SoundnessCases.h"
#include "Placement.h"
#include "llmpar/Dialect/Decompositions.h"
#include "llmpar/Partition/Passes.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <cmath>
#include <fstream>

using namespace llmpar;
using testing::HasSubstr;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

double reduced(llvm::StringRef kind, double a, double b) {
  if (std::isnan(a) || std::isnan(b))
    return std::nan("");
  return kind == "max" ? std::max(a, b) : kind == "min" ? std::min(a, b) : a + b;
}

/// @main of a module after llmpar-localize-shapes, on all ranks of a mesh of one axis at once.
class Ranks {
public:
  Ranks(mlir::func::FuncOp function, Mesh mesh)
      : function(function), mesh(mesh), layouts(*ValueLayouts::build(function, mesh)), values(mesh.ranks()) {}

  /// By global input; returns the global results. Collectives that ran are counted in `collectives`.
  std::vector<Tensor> run(llvm::ArrayRef<Tensor> inputs) {
    for (auto [argument, input] : llvm::zip_equal(function.getArguments(), inputs))
      spread(argument, input);
    mlir::Block &body = function.getBody().front();
    for (mlir::Operation &op : body.without_terminator())
      step(&op);
    std::vector<Tensor> results;
    for (mlir::Value value : body.getTerminator()->getOperands())
      results.push_back(whole(value));
    return results;
  }
  int collectives = 0;

private:
  mlir::func::FuncOp function;
  Mesh mesh;
  ValueLayouts layouts;
  std::vector<llvm::DenseMap<mlir::Value, Tensor>> values; ///< by rank

  Box box(mlir::Value value, int64_t rank) {
    return boxOf(layouts.of(value).sharding, layouts.of(value).global, mesh, rank);
  }

  void spread(mlir::Value value, const Tensor &global) {
    for (int64_t rank = 0; rank < mesh.ranks(); ++rank) {
      Tensor part{global.dtype, layouts.valid(value, rank), {}};
      for (int64_t element : elementsOf(box(value, rank), global.shape))
        part.values.push_back(global.values[element]);
      values[rank][value] = std::move(part);
    }
  }
  Tensor whole(mlir::Value value) {
    Tensor global = emptyTensor(dtypeOf(value), layouts.of(value).global);
    for (int64_t rank = 0; rank < mesh.ranks(); ++rank)
      for (auto [element, local] :
           llvm::zip_equal(elementsOf(box(value, rank), global.shape), values[rank][value].values))
        global.values[element] = local;
    return global;
  }

  void step(mlir::Operation *op) {
    if (auto constant = mlir::dyn_cast<ConstantOp>(op)) {
      auto elements = mlir::cast<mlir::DenseElementsAttr>(constant.getValue());
      Tensor tensor = emptyTensor(dtypeOf(op->getResult(0)), shapeOf(op->getResult(0)));
      if (mlir::isa<mlir::FloatType>(elements.getElementType()))
        tensor.values[0] = elements.getSplatValue<llvm::APFloat>().convertToDouble();
      else
        tensor.values[0] = static_cast<double>(elements.getSplatValue<llvm::APInt>().getSExtValue());
      return spread(op->getResult(0), tensor);
    }
    if (auto reduce = mlir::dyn_cast<AllReduceOp>(op))
      return allReduce(reduce);
    ASSERT_FALSE(isCollective(op)) << "nothing but statistics is exchanged: " << op->getName().getStringRef().str();
    for (int64_t rank = 0; rank < mesh.ranks(); ++rank) {
      std::vector<Tensor> inputs;
      for (mlir::Value operand : op->getOperands())
        inputs.push_back(values[rank][operand]);
      auto results = runKernel(op, layouts, rank, inputs);
      ASSERT_TRUE(!!results) << llvm::toString(results.takeError());
      for (auto [value, tensor] : llvm::zip_equal(op->getResults(), *results))
        values[rank][value] = std::move(tensor);
    }
  }
  void allReduce(AllReduceOp op) {
    ++collectives;
    Tensor sum = values[0][op.getX()];
    for (int64_t rank = 1; rank < mesh.ranks(); ++rank)
      for (auto [to, from] : llvm::zip_equal(sum.values, values[rank][op.getX()].values))
        to = reduced(op.getReduction(), to, from);
    unpack(pack(Tensor(sum)), sum); // rounds to the element type
    for (int64_t rank = 0; rank < mesh.ranks(); ++rank)
      values[rank][op.getResult()] = sum;
  }
};

/// @main with the mesh, its arguments sharded as stated, through the passes of a partition.
mlir::OwningOpRef<mlir::ModuleOp> partition(mlir::func::FuncOp original, llvm::ArrayRef<Sharding> arguments,
                                            const Mesh &mesh) {
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(original.getLoc());
  mlir::OpBuilder builder(module->getBodyRegion());
  auto function = mlir::cast<mlir::func::FuncOp>(builder.clone(*original));
  function.setName("main");
  mlir::Block &body = function.getBody().front();
  mlir::Operation *end = body.getTerminator();
  if (end->getNumOperands() == 0) { // a case of soundness.mlir
    end->insertOperands(0, end->getPrevNode()->getResults());
    function.setFunctionType(builder.getFunctionType(body.getArgumentTypes(), end->getOperandTypes()));
  }
  setMesh(*module, mesh);
  for (auto [argument, sharding] : llvm::zip_equal(function.getArguments(), arguments))
    setSharding(argument, sharding, mesh);
  mlir::PassManager passes(module->getContext());
  passes.addPass(createPropagateShardings());
  passes.addPass(createDecomposeSplitReductions());
  passes.addPass(createInsertReshards());
  passes.addPass(createLowerReshards());
  passes.addPass(createLocalizeShapes());
  if (mlir::failed(passes.run(*module)))
    return {};
  return module;
}

std::vector<Tensor> runOn(mlir::func::FuncOp original, llvm::ArrayRef<Sharding> arguments, const Mesh &mesh,
                          llvm::ArrayRef<Tensor> inputs, int *collectives = nullptr) {
  mlir::OwningOpRef<mlir::ModuleOp> module = partition(original, arguments, mesh);
  if (!module)
    return {};
  Ranks ranks(module->lookupSymbol<mlir::func::FuncOp>("main"), mesh);
  std::vector<Tensor> results = ranks.run(inputs);
  if (collectives)
    *collectives = ranks.collectives;
  return results;
}

llvm::SmallVector<Sharding> replicatedArguments(mlir::func::FuncOp function) {
  return llvm::map_to_vector(function.getArguments(),
                             [](mlir::Value v) { return Sharding::replicated(shapeOf(v).size()); });
}

/// Says where results differ; "" if nowhere. By parts the sums of f32 have another order, and the last rounding of f16
/// or bf16 may fall to the other side.
std::string difference(const Tensor &have, const Tensor &want) {
  double unit = want.dtype == DType::F16 ? 0x1p-10 : want.dtype == DType::BF16 ? 0x1p-7 : 2e-6;
  if (have.values.size() != want.values.size())
    return "the number of elements";
  for (auto [index, values] : llvm::enumerate(llvm::zip(have.values, want.values))) {
    auto [a, b] = values;
    bool agree = a == b || (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= unit * std::max(1.0, std::abs(b));
    if (!agree)
      return "element " + std::to_string(index) + " is " + std::to_string(a) + " instead of " + std::to_string(b);
  }
  return "";
}

//===-- Every op with a combine factor ------------------------------------------------===//

/// How inputs are masked before the op sees them.
enum class Masked { Nothing, FirstRowAndHalves, Everything, ThirdsAreNaN };

std::vector<Tensor> maskedInputs(mlir::Operation *op, Masked masked) {
  std::vector<Tensor> inputs = randomInputs(op);
  Tensor &x = inputs[0];
  int64_t row = x.shape.back(), count = static_cast<int64_t>(x.values.size());
  for (int64_t i = 0; i < count; ++i)
    if (masked == Masked::Everything || (masked == Masked::FirstRowAndHalves && (i / row == 0 || i % row > row / 2)))
      x.values[i] = -infinity;
    else if (masked == Masked::ThirdsAreNaN && i / row % 2 == 0 && i % 3 == 2)
      x.values[i] = std::nan("");
  return inputs;
}

std::vector<std::string> combineCases() {
  std::vector<std::string> names;
  if (!SoundnessCases::get().module) // then SoundnessTest says so
    return names;
  SoundnessCases::get().module->walk([&](mlir::func::FuncOp function) {
    auto op = mlir::dyn_cast<FactorOpInterface>(function.getBody().front().front());
    if (op && llvm::any_of(op.getFactorRule().factors, [](const Factor &f) { return f.kind == FactorKind::Combine; }))
      names.push_back(function.getName().str());
  });
  return names;
}

class Decomposition : public testing::TestWithParam<std::string> {};

TEST_P(Decomposition, ShardsAreThoseOfTheKernel) {
  auto function = SoundnessCases::get().module->lookupSymbol<mlir::func::FuncOp>(GetParam());
  mlir::Operation *op = &function.getBody().front().front();
  FactorRule rule = mlir::cast<FactorOpInterface>(op).getFactorRule();
  bool isFloating = isFloat(dtypeOf(op->getOperand(0)));
  for (Masked masked : {Masked::Nothing, Masked::FirstRowAndHalves, Masked::Everything, Masked::ThirdsAreNaN}) {
    if (masked != Masked::Nothing && !isFloating)
      continue;
    std::vector<Tensor> inputs = maskedInputs(op, masked);
    std::vector<Tensor> want = runOn(function, replicatedArguments(function), meshOfSizes({1}), inputs);
    for (int factor = 0; factor < static_cast<int>(rule.factors.size()); ++factor)
      for (int64_t parts : {2, 3, 4, 5, 8})
        for (int64_t unit : {1, 2}) {
          if (rule.factors[factor].kind != FactorKind::Combine)
            continue;
          Mesh mesh = meshOfSizes({parts});
          FactorShardings chosen(rule.factors.size());
          chosen[factor] = {{0}, unit};
          llvm::SmallVector<Sharding> shardings;
          for (auto [index, operand] : llvm::enumerate(op->getOperands()))
            shardings.push_back(operandSharding(rule, static_cast<int>(index), shapeOf(operand), chosen, mesh));
          int collectives = 0;
          std::vector<Tensor> have = runOn(function, shardings, mesh, inputs, &collectives);
          ASSERT_EQ(have.size(), want.size());
          for (auto [part, whole] : llvm::zip(have, want))
            EXPECT_EQ(difference(part, whole), "")
                << rule.str() << ": factor " << rule.factors[factor].name << " over " << parts << " in steps of " << unit;
          EXPECT_GT(collectives, 0);
        }
  }
}
INSTANTIATE_TEST_SUITE_P(Ops, Decomposition, testing::ValuesIn(combineCases()),
                         [](const testing::TestParamInfo<std::string> &info) { return info.param; });

//===-- Attention with split keys -------------------------------------------------------===//

struct Attention {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function() { return module->lookupSymbol<mlir::func::FuncOp>("main"); }

  /// scores [2,3,keys] of `scoreType`, softmax, cast to `type`, product with values [2,keys,4].
  Attention(int64_t keys, llvm::StringRef scoreType, llvm::StringRef type) {
    std::string scores = "tensor<2x3x" + std::to_string(keys) + "x" + scoreType.str() + ">";
    std::string narrow = "tensor<2x3x" + std::to_string(keys) + "x" + type.str() + ">";
    std::string values = "tensor<2x" + std::to_string(keys) + "x4x" + type.str() + ">",
                out = "tensor<2x3x4x" + type.str() + ">";
    std::string text = "func.func @main(%s: " + scores + ", %v: " + values + ") -> " + out + " {\n" +
                       "%p = llmpar.softmax %s {axis = 2} : (" + scores + ") -> " + scores + "\n" +
                       "%c = llmpar.cast %p : (" + scores + ") -> " + narrow + "\n" + "%y = llmpar.matmul %c, %v : (" +
                       narrow + ", " + values + ") -> " + out + "\nreturn %y : " + out + "\n}";
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &SoundnessCases::get().context);
  }
};

struct AttentionCase {
  const char *scores, *type;
};
class SplitKeys : public testing::TestWithParam<AttentionCase> {};

TEST_P(SplitKeys, AttentionIsThatOfOneRank) {
  for (int64_t keys : {3, 5, 8, 17})
    for (int64_t parts : {2, 4, 7}) { // three keys on four ranks: one has none
      Attention attention(keys, GetParam().scores, GetParam().type);
      ASSERT_TRUE(attention.module);
      mlir::func::FuncOp function = attention.function();
      std::vector<Tensor> inputs;
      for (mlir::Value argument : function.getArguments())
        inputs.push_back(emptyTensor(dtypeOf(argument), shapeOf(argument)));
      std::mt19937 random(3);
      for (Tensor &input : inputs)
        for (double &value : input.values)
          value = static_cast<double>(static_cast<int>(random() % 65) - 32) / 8;
      for (int64_t key = 0; key < keys; ++key) {
        inputs[0].values[key] = -infinity;                               // a row without any key
        inputs[0].values[keys + key] = key < keys - 1 ? -infinity : 0.5; // one with the last key only
      }
      std::vector<Tensor> want = runOn(function, replicatedArguments(function), meshOfSizes({1}), inputs);
      llvm::SmallVector<Sharding> shardings = replicatedArguments(function);
      shardings[0].dims[2].axes = {0};
      shardings[1].dims[1].axes = {0};
      int collectives = 0;
      std::vector<Tensor> have = runOn(function, shardings, meshOfSizes({parts}), inputs, &collectives);
      EXPECT_EQ(difference(have[0], want[0]), "") << keys << " keys on " << parts << " ranks";
      EXPECT_TRUE(std::isnan(have[0].values[0])) << "a row of -inf is NaN";
      EXPECT_EQ(collectives, 3) << "maximum, sum, product";
    }
}
INSTANTIATE_TEST_SUITE_P(Types, SplitKeys,
                         testing::Values(AttentionCase{"f32", "f32"}, AttentionCase{"bf16", "bf16"},
                                         AttentionCase{"f32", "bf16"}, AttentionCase{"f16", "f16"},
                                         AttentionCase{"f64", "f64"}),
                         [](const auto &info) { return std::string(info.param.scores) + "_" + info.param.type; });

TEST(ProductOver, FindsTheProductBehindCasts) {
  auto softmax = [](Attention &attention) { return *attention.function().getOps<SoftmaxOp>().begin(); };
  Attention wide(5, "f32", "bf16"), half(5, "f16", "f16");
  EXPECT_TRUE(productOver(softmax(wide)));
  EXPECT_FALSE(productOver(softmax(half))) << "sums of an f16 product leave its range";
  Attention two(5, "f32", "f32");
  mlir::OpBuilder builder(&two.function().getBody().front().back());
  CastOp::create(builder, builder.getUnknownLoc(), softmax(two).getType(), softmax(two).getResult());
  EXPECT_FALSE(productOver(softmax(two))) << "another user needs the quotient";
}

} // namespace
