//===- CheckTraining.cpp - Rules of gradients, losses, optimizers ----------===//
#include "core/CheckRecord.h"
#include "core/ShapeRules.h"
#include "reference/Kinds.h"

namespace llmpar::rt {
namespace {

std::string expectLike(const char *what, const TensorView &tensor, DType dtype, std::span<const int64_t> shape) {
  if (tensor.dtype == dtype && std::ranges::equal(tensor.shape(), shape))
    return {};
  return std::string(what) + " is " + describe(tensor) + ", expected " + describeShape(dtype, shape);
}
std::string expectFloat(const TensorView &x) {
  return isFloat(x.dtype) ? std::string() : describe(x) + " has no gradient: a float type expected";
}
std::string expectInteger(const char *what, const TensorView &indices) {
  bool isInteger = !isFloat(indices.dtype) && indices.dtype != DType::Bool;
  return isInteger ? std::string() : std::string(what) + " are " + describe(indices) + ": an integer type expected";
}
/// The first complaint, or none.
std::string firstOf(std::initializer_list<std::string> errors) {
  for (const std::string &error : errors)
    if (!error.empty())
      return error;
  return {};
}

std::string checkUnaryGrad(const KernelCall &call) {
  const TensorView &x = call.inputs[0];
  if (call.ints[0] < 0 || call.ints[0] >= unaryKinds)
    return "unknown kind " + std::to_string(call.ints[0]);
  return firstOf({expectFloat(x), expectLike("dy", call.inputs[1], x.dtype, x.shape()),
                  expect(call.outputs[0], x.dtype, x.shape())});
}

std::string checkWeightGrad(const KernelCall &call) {
  const TensorView &a = call.inputs[0], &b = call.inputs[1];
  if (a.rank < 1 || a.rank != b.rank || a.dtype != b.dtype ||
      !std::ranges::equal(a.shape().first(static_cast<size_t>(a.rank - 1)),
                          b.shape().first(static_cast<size_t>(b.rank - 1))))
    return "operands are " + describe(a) + " and " + describe(b) + ": all dimensions but the last must agree";
  return expect(call.outputs[0], a.dtype, Extents{a.shape().back(), b.shape().back()});
}

std::string checkSoftmaxGrad(const KernelCall &call) {
  const TensorView &y = call.inputs[0];
  return firstOf({expectFloat(y), expectAxis(call.ints[0], y), expectLike("dy", call.inputs[1], y.dtype, y.shape()),
                  expect(call.outputs[0], y.dtype, y.shape())});
}

std::string checkNormGrad(KernelId kernel, const KernelCall &call) {
  const TensorView &x = call.inputs[0];
  if (std::string error = firstOf(
          {expectFloat(x), expectAxis(call.ints[0], x), expectLike("dy", call.inputs.back(), x.dtype, x.shape())});
      !error.empty())
    return error;
  auto row = x.shape().subspan(static_cast<size_t>(call.ints[0]));
  if (kernel == KernelId::norm_scale_grad)
    return expect(call.outputs[0], x.dtype, row);
  return firstOf({expectLike("scale", call.inputs[1], x.dtype, row), expect(call.outputs[0], x.dtype, x.shape())});
}

std::string checkGatherGrad(const KernelCall &call) {
  const TensorView &indices = call.inputs[0], &dy = call.inputs[1], &y = call.outputs[0];
  int64_t axis = call.ints[0], offset = call.ints[1], size = call.ints[2];
  if (std::string error = firstOf({expectFloat(dy), expectInteger("indices", indices), expectAxis(axis, y)});
      !error.empty())
    return error;
  int64_t extent = y.dims[static_cast<size_t>(axis)];
  if (offset < 0 || size < 0 || (extent > 0 && offset + extent > size))
    return "holds [" + std::to_string(offset) + ", +" + std::to_string(extent) + ") of " + std::to_string(size) +
           " rows";
  Extents shape(y.shape().begin(), y.shape().begin() + axis);
  shape.insert(shape.end(), indices.shape().begin(), indices.shape().end());
  shape.insert(shape.end(), y.shape().begin() + axis + 1, y.shape().end());
  return expectLike("dy", dy, y.dtype, shape);
}

std::string checkCrossEntropy(const KernelCall &call) {
  const TensorView &logits = call.inputs[0], &labels = call.inputs[1];
  if (logits.rank < 1)
    return "logits are " + describe(logits) + ": a dimension is needed";
  auto rows = logits.shape().first(static_cast<size_t>(logits.rank - 1));
  if (std::string error = firstOf(
          {expectFloat(logits), expectInteger("labels", labels), expectLike("labels", labels, labels.dtype, rows)});
      !error.empty())
    return error;
  DType losses = logits.dtype == DType::F64 ? DType::F64 : DType::F32;
  if (call.inputs.size() == 2)
    return firstOf({expect(call.outputs[0], losses, rows), expect(call.outputs[1], losses, rows)});
  int64_t offset = call.ints[1], size = call.ints[2], extent = logits.shape().back();
  if (offset < 0 || size < 0 || (extent > 0 && offset + extent > size))
    return "holds [" + std::to_string(offset) + ", +" + std::to_string(extent) + ") of " + std::to_string(size) +
           " columns";
  return firstOf({expectLike("lse", call.inputs[2], losses, rows),
                  expectLike("dloss", call.inputs[3], losses, rows),
                  expect(call.outputs[0], logits.dtype, logits.shape())});
}

/// A parameter, `states` tensors like it, scalars.
std::string checkStep(const KernelCall &call, size_t states) {
  const TensorView &param = call.inputs[0];
  if (std::string error = expectFloat(param); !error.empty())
    return error;
  for (size_t i = 1; i < call.inputs.size(); ++i)
    if (std::string error = i <= states ? expectLike("gradient or state", call.inputs[i], param.dtype, param.shape())
                                        : expectLike("scalar", call.inputs[i], param.dtype, {});
        !error.empty())
      return error;
  for (const TensorView &result : call.outputs)
    if (std::string error = expect(result, param.dtype, param.shape()); !error.empty())
      return error;
  return {};
}

} // namespace

std::string checkTrainingKernel(KernelId kernel, const KernelCall &call) {
  switch (kernel) {
  case KernelId::unary_grad:
    return checkUnaryGrad(call);
  case KernelId::weight_grad:
    return checkWeightGrad(call);
  case KernelId::softmax_grad:
    return checkSoftmaxGrad(call);
  case KernelId::norm_grad:
  case KernelId::norm_scale_grad:
    return checkNormGrad(kernel, call);
  case KernelId::gather_grad:
    return checkGatherGrad(call);
  case KernelId::cross_entropy:
  case KernelId::cross_entropy_grad:
    return checkCrossEntropy(call);
  case KernelId::adam:
    return checkStep(call, 3);
  case KernelId::sgd:
    return checkStep(call, 2);
  default:
    return std::string("no rule for ") + std::string(kernelName(kernel));
  }
}

} // namespace llmpar::rt
