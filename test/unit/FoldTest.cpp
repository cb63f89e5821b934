//===- FoldTest.cpp - A fold gives the bits of its reference kernel ---------===//
//
// The folder (lib/Dialect/FoldArithmetic.cpp) and the kernels (runtime/src/reference) say the same arithmetic twice,
// because neither side may include the other. Here both compute every kind in every element type on edge values.
//
//===----------------------------------------------------------------------===//
#include "Placement.h"
#include "core/Kernel.h"
#include "llmpar/Lowering/KernelAttributes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include "gtest/gtest.h"
#include <cmath>
#include <limits>

using namespace llmpar;

namespace {

/// A dense tensor as the bits of its elements: doubles would not hold every i64.
struct Values {
  DType dtype = DType::F32;
  Shape shape;
  std::vector<uint64_t> bits;
};

template <typename T, typename From> T convertTo(From value) {
  if constexpr (std::is_same_v<T, bool>)
    return value != From(0);
  else if constexpr (std::is_arithmetic_v<T>)
    return static_cast<T>(value);
  else
    return T(static_cast<float>(value));
}

/// Zeros, ones, halves, extremes and what lies beside them; NaN and infinities of floats.
Values edgeValues(DType dtype) {
  Values edges{dtype, {}, {}};
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    auto add = [&](auto value) {
      T element = convertTo<T>(value);
      uint64_t bits = 0;
      std::memcpy(&bits, &element, sizeof(T));
      edges.bits.push_back(bits);
    };
    if constexpr (std::is_same_v<T, bool>) {
      add(0), add(1);
    } else if constexpr (std::is_integral_v<T>) {
      for (int64_t value : {0, 1, -1, 2, 3, -3, 5, 7, -7, 8, 15, 31, 32, 63, 64})
        add(value);
      using Limits = std::numeric_limits<T>;
      add(Limits::min()), add(Limits::max()), add(Limits::min() + 1), add(Limits::max() - 1);
    } else {
      for (double value : {0.0,   -0.0, 1.0,  -1.0,   0.5,    -0.5,    1.5,     2.5,          -3.0,   7.0,    -7.25,
                           100.0, 64.0, 1e-7, -1e-40, 3.3e38, -3.3e38, 65504.0, 2147483648.0, 9.3e18, 1.9e19, -9.3e18})
        add(value);
      add(HUGE_VAL), add(-HUGE_VAL), add(std::nan(""));
    }
  });
  edges.shape = {static_cast<int64_t>(edges.bits.size())};
  return edges;
}

/// All pairs of edge values: the first operand of a binary op, and the second.
std::pair<Values, Values> edgePairs(DType dtype) {
  Values edges = edgeValues(dtype), a{dtype, {}, {}}, b{dtype, {}, {}};
  for (uint64_t first : edges.bits)
    for (uint64_t second : edges.bits) {
      a.bits.push_back(first);
      b.bits.push_back(second);
    }
  a.shape = b.shape = {static_cast<int64_t>(a.bits.size())};
  return {a, b};
}

std::string nameOf(DType dtype) { return std::string(dtypeName(dtype)); }

bool isNan(DType dtype, uint64_t bits) {
  return dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) {
      return false;
    } else {
      T value;
      std::memcpy(&value, &bits, sizeof(T));
      return std::isnan(static_cast<float>(value));
    }
  });
}

class Folds : public testing::Test {
protected:
  Folds() { context.loadDialect<LlmparDialect, mlir::func::FuncDialect>(); }

  mlir::RankedTensorType typeOf(DType dtype, llvm::ArrayRef<int64_t> shape) {
    return mlir::RankedTensorType::get(shape, toMlirType(dtype, &context));
  }
  mlir::NamedAttribute word(llvm::StringRef name, llvm::StringRef value) {
    return {builder.getStringAttr(name), builder.getStringAttr(value)};
  }
  mlir::NamedAttribute number(llvm::StringRef name, double value) {
    return {builder.getStringAttr(name), builder.getF64FloatAttr(value)};
  }
  mlir::NamedAttribute integer(llvm::StringRef name, int64_t value) {
    return {builder.getStringAttr(name), builder.getI64IntegerAttr(value)};
  }
  mlir::NamedAttribute flag(llvm::StringRef name, bool value) {
    return {builder.getStringAttr(name), builder.getBoolAttr(value)};
  }

  /// What differs between the folded op and its kernel, "" if nothing. An op that its verifier refuses is skipped.
  std::string compare(llvm::StringRef op, llvm::ArrayRef<Values> inputs,
                      llvm::ArrayRef<mlir::NamedAttribute> attributes, mlir::RankedTensorType resultType) {
    module = mlir::ModuleOp::create(loc);
    mlir::Operation *onArguments = create(op, inputs, attributes, resultType);
    mlir::ScopedDiagnosticHandler quiet(&context, [](mlir::Diagnostic &) { return mlir::success(); });
    if (mlir::failed(mlir::verify(*module)))
      return "";
    ++compared;
    Values folded = fold(onArguments, inputs);
    if (!kernelKind.empty())
      onArguments->setAttr("kind", builder.getStringAttr(kernelKind));
    Values computed = run(onArguments, inputs, resultType);
    if (folded.bits.size() != computed.bits.size())
      return "does not fold";
    for (auto [at, bits] : llvm::enumerate(folded.bits))
      if (bits != computed.bits[at] && !(isNan(computed.dtype, bits) && isNan(computed.dtype, computed.bits[at])))
        return describe(inputs, at) + " folds to " + llvm::utohexstr(bits) + ", the kernel gives " +
               llvm::utohexstr(computed.bits[at]);
    return "";
  }

  mlir::MLIRContext context;
  mlir::OpBuilder builder{&context};
  mlir::Location loc = builder.getUnknownLoc();
  int compared = 0;
  std::string kernelKind; ///< if set, the kernel computes another kind than the fold

private:
  mlir::Operation *create(llvm::StringRef name, llvm::ArrayRef<Values> inputs,
                          llvm::ArrayRef<mlir::NamedAttribute> attributes, mlir::RankedTensorType resultType) {
    builder.setInsertionPointToEnd(module->getBody());
    llvm::SmallVector<mlir::Type> types;
    for (const Values &input : inputs)
      types.push_back(typeOf(input.dtype, input.shape));
    function = mlir::func::FuncOp::create(builder, loc, "main", builder.getFunctionType(types, {}));
    builder.setInsertionPointToEnd(function.addEntryBlock());
    mlir::OperationState state(loc, name, function.getArguments(), resultType, attributes);
    mlir::Operation *op = builder.create(state);
    mlir::func::ReturnOp::create(builder, loc);
    return op;
  }

  mlir::DenseElementsAttr toElements(const Values &values) {
    mlir::RankedTensorType type = typeOf(values.dtype, values.shape);
    unsigned width = type.getElementTypeBitWidth();
    llvm::SmallVector<llvm::APInt> integers;
    for (uint64_t bits : values.bits)
      integers.emplace_back(width, bits);
    auto floatType = mlir::dyn_cast<mlir::FloatType>(type.getElementType());
    if (!floatType)
      return mlir::DenseElementsAttr::get(type, integers);
    llvm::SmallVector<llvm::APFloat> floats;
    for (const llvm::APInt &bits : integers)
      floats.emplace_back(floatType.getFloatSemantics(), bits);
    return mlir::DenseElementsAttr::get(type, floats);
  }

  Values fold(mlir::Operation *onArguments, llvm::ArrayRef<Values> inputs) {
    builder.setInsertionPoint(onArguments);
    mlir::Operation *op = builder.clone(*onArguments);
    for (auto [at, input] : llvm::enumerate(inputs)) {
      mlir::OpBuilder before(op);
      op->setOperand(at, ConstantOp::create(before, loc, typeOf(input.dtype, input.shape), toElements(input)));
    }
    builder.setInsertionPoint(op);
    llvm::SmallVector<mlir::Value> results;
    Values folded;
    if (mlir::failed(builder.tryFold(op, results)) || results.empty())
      return folded;
    auto constant = results.front().getDefiningOp<ConstantOp>();
    auto elements = constant ? mlir::dyn_cast<mlir::DenseElementsAttr>(constant.getValue()) : mlir::DenseElementsAttr();
    if (!elements)
      return folded;
    if (mlir::isa<mlir::FloatType>(elements.getElementType()))
      for (const llvm::APFloat &value : elements.getValues<llvm::APFloat>())
        folded.bits.push_back(value.bitcastToAPInt().getZExtValue());
    else
      for (const llvm::APInt &value : elements.getValues<llvm::APInt>())
        folded.bits.push_back(value.getZExtValue());
    op->erase();
    return folded;
  }

  Values run(mlir::Operation *op, llvm::ArrayRef<Values> inputs, mlir::RankedTensorType resultType) {
    Values result{*toDType(resultType.getElementType()), Shape(resultType.getShape()), {}};
    result.bits.assign(resultType.getNumElements(), 0);
    std::vector<std::vector<char>> buffers;
    auto viewOf = [&](const Values &values) {
      size_t size = dtypeSize(values.dtype);
      std::vector<char> &bytes = buffers.emplace_back(values.bits.size() * size + 8);
      for (auto [at, bits] : llvm::enumerate(values.bits))
        std::memcpy(bytes.data() + at * size, &bits, size);
      rt::TensorView view;
      view.data = bytes.data();
      view.dtype = values.dtype;
      view.rank = static_cast<int>(values.shape.size());
      llvm::copy(values.shape, view.dims.begin());
      return view;
    };
    std::vector<rt::TensorView> ins;
    for (const Values &input : inputs)
      ins.push_back(viewOf(input));
    std::vector<rt::TensorView> outs{viewOf(result)};
    mlir::FailureOr<ValueLayouts> layouts = ValueLayouts::build(function, meshOfSizes({1}));
    rt::KernelId id;
    if (mlir::failed(layouts) || !rt::parseKernelId(kernelName(op), id))
      return {};
    KernelAttributes attributes = kernelAttributes(op, *layouts, 0);
    rt::Status status = rt::findReferenceKernel(id)({ins, outs, attributes.ints, attributes.floats});
    EXPECT_TRUE(status.ok()) << status.message();
    size_t size = dtypeSize(result.dtype);
    for (auto [at, bits] : llvm::enumerate(result.bits))
      std::memcpy(&bits, buffers.back().data() + at * size, size);
    return result;
  }

  /// The operand elements at one place, in hexadecimal.
  static std::string describe(llvm::ArrayRef<Values> inputs, size_t at) {
    std::string text = "(";
    for (const Values &input : inputs)
      if (at < input.bits.size())
        text += (text.size() > 1 ? ", " : "") + nameOf(input.dtype) + " " + llvm::utohexstr(input.bits[at]);
    return text + ")";
  }

  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;
};

constexpr llvm::StringLiteral unaryKinds[] = {
#define LLMPAR_UNARY(name) #name,
#include "llmpar/Abi/Kinds.def"
};
constexpr llvm::StringLiteral binaryKinds[] = {
#define LLMPAR_BINARY(name) #name,
#include "llmpar/Abi/Kinds.def"
};
constexpr llvm::StringLiteral reduceKinds[] = {
#define LLMPAR_REDUCE(name) #name,
#include "llmpar/Abi/Kinds.def"
};

/// Every element type, with its name for messages.
template <typename Body> void forEachDType(Body body) {
  for (int i = 0; i < dtypeCount; ++i)
    body(static_cast<DType>(i));
}

TEST_F(Folds, UnaryKindsEqualTheirKernel) {
  for (llvm::StringRef kind : unaryKinds)
    forEachDType([&](DType dtype) {
      Values x = edgeValues(dtype);
      DType to = kind == "is_nan" || kind == "is_inf" ? DType::Bool : dtype;
      EXPECT_EQ(compare("llmpar.unary", x, {word("kind", kind), number("alpha", 0.5), number("beta", 0.25)},
                        typeOf(to, x.shape)),
                "")
          << kind.str() << " of " << nameOf(dtype);
    });
  EXPECT_GT(compared, 400);
}

TEST_F(Folds, BinaryKindsEqualTheirKernel) {
  for (llvm::StringRef kind : binaryKinds)
    forEachDType([&](DType dtype) {
      auto [a, b] = edgePairs(dtype);
      EXPECT_EQ(compare("llmpar.binary", {a, b}, word("kind", kind),
                        typeOf(isComparison(kind) ? DType::Bool : dtype, a.shape)),
                "")
          << kind.str() << " of " << nameOf(dtype);
    });
  EXPECT_GT(compared, 200);
}

TEST_F(Folds, CastsEqualTheirKernel) {
  forEachDType([&](DType from) {
    forEachDType([&](DType to) {
      Values x = edgeValues(from);
      EXPECT_EQ(compare("llmpar.cast", x, {}, typeOf(to, x.shape)), "") << nameOf(from) << " to " << nameOf(to);
    });
  });
  EXPECT_EQ(compared, dtypeCount * dtypeCount);
}

TEST_F(Folds, SelectsEqualTheirKernel) {
  forEachDType([&](DType dtype) {
    auto [a, b] = edgePairs(dtype);
    Values condition{DType::Bool, a.shape, {}};
    for (size_t i = 0; i < a.bits.size(); ++i)
      condition.bits.push_back(i % 3 == 0);
    EXPECT_EQ(compare("llmpar.select", {condition, a, b}, {}, typeOf(dtype, a.shape)), "") << nameOf(dtype);
  });
  EXPECT_EQ(compared, dtypeCount);
}

TEST_F(Folds, ReductionsEqualTheirKernel) {
  for (llvm::StringRef kind : reduceKinds)
    forEachDType([&](DType dtype) {
      auto [a, b] = edgePairs(dtype);
      Values empty{dtype, {3, 0}, {}},
          pairs{dtype, {static_cast<int64_t>(std::min<size_t>(a.bits.size(), 512)), 2}, {}};
      for (int64_t i = 0; i < pairs.shape[0]; ++i)
        pairs.bits.insert(pairs.bits.end(), {a.bits[i], b.bits[i]});
      for (const Values &x : {pairs, empty})
        EXPECT_EQ(compare("llmpar.reduce", x,
                          {word("kind", kind),
                           flag("keep_dims", false),
                           {builder.getStringAttr("axes"), builder.getDenseI64ArrayAttr({1})}},
                          typeOf(dtype, x.shape[0])),
                  "")
            << kind.str() << " of " << x.shape[1] << " of " << nameOf(dtype);
    });
  EXPECT_GT(compared, 90);
}

TEST_F(Folds, RunningSumsEqualTheirKernel) {
  forEachDType([&](DType dtype) {
    for (bool exclusive : {false, true})
      for (bool reverse : {false, true}) {
        Values x = edgeValues(dtype);
        x.bits.resize(std::min<size_t>(x.bits.size(), 14)); // later ones leave only NaN
        x.shape = {static_cast<int64_t>(x.bits.size())};
        EXPECT_EQ(compare("llmpar.cumsum", x,
                          {integer("axis", 0), flag("exclusive", exclusive), flag("reverse", reverse)},
                          typeOf(dtype, x.shape)),
                  "")
            << nameOf(dtype) << (exclusive ? " exclusive" : "") << (reverse ? " reverse" : "");
      }
  });
  EXPECT_GT(compared, 40);
}

TEST_F(Folds, IotasEqualTheirKernel) {
  forEachDType([&](DType dtype) {
    for (double start : {0.0, 3.5, -7.0, 1e10})
      for (double step : {1.0, -2.0, 0.25, 3e9})
        EXPECT_EQ(compare("llmpar.iota", {}, {integer("axis", 1), number("start", start), number("step", step)},
                          typeOf(dtype, {3, 5})),
                  "")
            << nameOf(dtype) << " from " << start << " by " << step;
  });
  EXPECT_EQ(compared, 16 * dtypeCount);
}

TEST_F(Folds, ADifferenceIsFound) {
  Values x = edgeValues(DType::I8);
  kernelKind = "abs";
  EXPECT_EQ(compare("llmpar.unary", x, word("kind", "neg"), typeOf(DType::I8, x.shape)),
            "(i8 1) folds to FF, the kernel gives 1");
}

} // namespace
