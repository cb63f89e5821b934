//===- BindDims.cpp - Extents for symbolic dimensions ---------------------===//
#include "BindDims.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include <set>

using namespace mlir;

namespace llmpar {
namespace {

/// Evaluates a dimension expression; collects the names it reads.
class DimExpression {
public:
  DimExpression(llvm::StringRef text, const llvm::StringMap<int64_t> &dims) : rest(text), dims(dims) {}

  /// The value, or none if a name is unbound or the text is no expression.
  std::optional<int64_t> evaluate() {
    int64_t value = sum();
    if (!rest.trim().empty())
      malformed = true;
    if (malformed || !unbound.empty())
      return std::nullopt;
    return value;
  }
  std::vector<std::string> names, unbound;
  bool malformed = false;

private:
  bool take(llvm::StringRef token) {
    rest = rest.ltrim();
    return rest.consume_front(token);
  }
  int64_t sum() {
    int64_t value = product();
    while (true) {
      if (take("+"))
        malformed |= __builtin_add_overflow(value, product(), &value);
      else if (take("-"))
        malformed |= __builtin_sub_overflow(value, product(), &value);
      else
        return value;
    }
  }
  int64_t product() {
    int64_t value = atom();
    while (true) {
      if (take("*")) {
        malformed |= __builtin_mul_overflow(value, atom(), &value);
      } else if (take("//") || take("/")) {
        int64_t divisor = atom();
        value = divisor <= 0 ? 0 : value / divisor;
      } else {
        return value;
      }
    }
  }
  int64_t atom() {
    if (take("(")) {
      if (++depth > 64) { // no exporter nests like this
        malformed = true;
        rest = {};
        return 0;
      }
      int64_t value = sum();
      --depth;
      if (!take(")"))
        malformed = true;
      return value;
    }
    rest = rest.ltrim();
    llvm::StringRef token = rest.take_until([](char c) { return llvm::StringRef("+-*/() \t").contains(c); });
    rest = rest.drop_front(token.size());
    int64_t number;
    if (token.empty())
      malformed = true;
    else if (!token.getAsInteger(10, number))
      return number;
    else if (names.push_back(token.str()); dims.contains(token))
      return dims.lookup(token);
    else
      unbound.push_back(token.str());
    return 0;
  }

  llvm::StringRef rest;
  const llvm::StringMap<int64_t> &dims;
  int depth = 0;
};

class DimBinder {
public:
  DimBinder(const ImportOptions &options, Location loc) : options(options), loc(loc), dims(options.dims) {}

  LogicalResult checkOptions(llvm::ArrayRef<OnnxSignature::Tensor> inputs,
                             llvm::ArrayRef<OnnxSignature::Tensor> outputs) {
    std::set<std::string> known;
    auto collect = [&](llvm::ArrayRef<OnnxSignature::Tensor> tensors) {
      for (const auto &tensor : tensors)
        for (const auto &dim : tensor.dims)
          if (!dim.name.empty()) {
            DimExpression expression(dim.name, dims);
            expression.evaluate();
            known.insert(dim.name);
            known.insert(expression.names.begin(), expression.names.end());
          }
    };
    collect(inputs);
    collect(outputs);
    for (const auto &dim : options.dims) {
      if (dim.second < 0)
        return emitError(loc) << "--dim " << dim.first() << "=" << dim.second << ": an extent is at least 0";
      if (!known.count(dim.first().str()))
        return emitError(loc) << "--dim " << dim.first() << ": the model has no such dimension; it has "
                              << (known.empty() ? "only static ones" : llvm::join(known, ", "));
    }
    for (const auto &given : options.inputShapes)
      if (llvm::none_of(inputs, [&](const auto &input) { return input.name == given.first(); }))
        return emitError(loc) << "the model has no input '" << given.first() << "'";
    return success();
  }

  /// Binds the names of a tensor from its given shape.
  LogicalResult bindFromGiven(const OnnxSignature::Tensor &input) {
    auto given = options.inputShapes.find(input.name);
    if (given == options.inputShapes.end() || !input.ranked)
      return success();
    llvm::ArrayRef<int64_t> shape = given->second;
    if (shape.size() != input.dims.size())
      return emitError(loc) << "the given input '" << input.name << "' has rank " << shape.size()
                            << ", the model wants " << input.dims.size();
    for (auto [i, dim] : llvm::enumerate(input.dims)) {
      if (dim.name.empty()) {
        if (dim.size != shape[i])
          return emitError(loc) << "the given input '" << input.name << "' has extent " << shape[i] << " in dimension "
                                << i << ", the model wants " << dim.size;
        continue;
      }
      auto [entry, isNew] = dims.try_emplace(dim.name, shape[i]);
      if (isNew)
        boundBy[dim.name] = "input '" + input.name + "'";
      else if (entry->second != shape[i])
        return emitError(loc) << "dimension '" << dim.name << "' is " << shape[i] << " in the given input '"
                              << input.name << "', but " << entry->second << " by "
                              << (boundBy.contains(dim.name)
                                      ? boundBy.lookup(dim.name)
                                      : "--dim " + dim.name + "=" + std::to_string(entry->second));
    }
    return success();
  }

  /// A given extent must also be what its expression gives.
  LogicalResult checkExpressions(const OnnxSignature::Tensor &input) {
    auto given = options.inputShapes.find(input.name);
    if (given == options.inputShapes.end() || !input.ranked)
      return success();
    for (auto [dim, extent] : llvm::zip_equal(input.dims, given->second)) {
      DimExpression expression(dim.name, dims);
      std::optional<int64_t> value = expression.evaluate();
      bool compound = !llvm::is_contained(expression.names, dim.name);
      if (!dim.name.empty() && compound && value && *value != extent)
        return emitError(loc) << "dimension '" << dim.name << "' is " << extent << " in the given input '" << input.name
                              << "', but " << *value << " by its terms";
    }
    return success();
  }

  llvm::SmallVector<int64_t> shapeOf(const OnnxSignature::Tensor &input) {
    if (!input.ranked) {
      auto given = options.inputShapes.find(input.name);
      if (given != options.inputShapes.end())
        return given->second;
      unranked.push_back(input.name);
      return {};
    }
    llvm::SmallVector<int64_t> shape;
    for (const auto &dim : input.dims) {
      if (dim.name.empty()) {
        shape.push_back(dim.size);
        continue;
      }
      if (auto exact = dims.find(dim.name); exact != dims.end()) {
        shape.push_back(exact->second);
        continue;
      }
      DimExpression expression(dim.name, dims);
      std::optional<int64_t> value = expression.evaluate();
      if (expression.malformed)
        expression.unbound = {dim.name};
      for (const std::string &name : expression.unbound)
        if (auto &where = unbound[name]; !llvm::is_contained(where, input.name))
          where.push_back(input.name);
      shape.push_back(value.value_or(0));
    }
    return shape;
  }

  LogicalResult reportUnbound() {
    if (!unranked.empty())
      return emitError(loc) << "input '" << unranked.front() << "' has no rank in the model: give its shape";
    if (unbound.empty())
      return success();
    InFlightDiagnostic diagnostic = emitError(loc) << "unbound dimension" << (unbound.size() > 1 ? "s" : "");
    std::string flags;
    for (auto [i, entry] : llvm::enumerate(unbound)) {
      // A model of forty cache tensors needs no forty names here.
      llvm::ArrayRef<std::string> where = entry.second;
      diagnostic << (i ? ", '" : " '") << entry.first << "' (of " << llvm::join(where.take_front(3), ", ")
                 << (where.size() > 3 ? ", ..." : "") << ")";
      flags +=
          " --dim " + (llvm::StringRef(entry.first).contains(' ') ? "'" + entry.first + "=1'" : entry.first + "=1");
    }
    return diagnostic << "; choose extents, for example" << flags;
  }

private:
  const ImportOptions &options;
  Location loc;
  llvm::StringMap<int64_t> dims;
  llvm::StringMap<std::string> boundBy;
  llvm::MapVector<std::string, std::vector<std::string>, std::map<std::string, unsigned>> unbound;
  std::vector<std::string> unranked;
};

} // namespace

OnnxSignature::Tensor describeTensor(const ::onnx::ValueInfoProto &value) {
  const auto &type = value.type().tensor_type();
  OnnxSignature::Tensor tensor{value.name(), "", {}, type.has_shape()};
  std::optional<DType> dtype = onnxDType(type.elem_type());
  tensor.elementType = dtype ? std::string(dtypeName(*dtype)) : onnxTypeName(type.elem_type());
  for (auto [i, dim] : llvm::enumerate(type.shape().dim())) {
    if (dim.has_dim_value() && dim.dim_value() >= 0)
      tensor.dims.push_back({"", dim.dim_value()});
    else if (!dim.dim_param().empty())
      tensor.dims.push_back({dim.dim_param(), -1});
    else
      tensor.dims.push_back({value.name() + "_dim_" + std::to_string(i), -1});
  }
  return tensor;
}

FailureOr<std::vector<llvm::SmallVector<int64_t>>> bindDims(const std::vector<OnnxSignature::Tensor> &inputs,
                                                            const std::vector<OnnxSignature::Tensor> &outputs,
                                                            const ImportOptions &options, Location loc) {
  DimBinder binder(options, loc);
  if (failed(binder.checkOptions(inputs, outputs)))
    return failure();
  for (const auto &input : inputs)
    if (failed(binder.bindFromGiven(input)))
      return failure();
  for (const auto &input : inputs)
    if (failed(binder.checkExpressions(input)))
      return failure();
  std::vector<llvm::SmallVector<int64_t>> shapes;
  for (const auto &input : inputs)
    shapes.push_back(binder.shapeOf(input));
  if (failed(binder.reportUnbound()))
    return failure();
  return shapes;
}

} // namespace llmpar
