//===- CheckRecord.cpp - Is this a legal call of its kernel? ---------------===//
#include "core/CheckRecord.h"

#include "comm/CollectiveCall.h"
#include "core/KernelSignature.h"
#include "core/ShapeRules.h"
#include "reference/Kinds.h"

#include <cmath>

namespace llmpar::rt {
namespace {

std::string checkCount(const char *what, size_t count, CountRange range) {
  if (range.contains(count))
    return {};
  std::string expected = std::to_string(range.min);
  if (range.max == CountRange::unbounded)
    expected += " or more";
  else if (range.max != range.min)
    expected += " to " + std::to_string(range.max);
  return "has " + std::to_string(count) + " " + what + ", expected " + expected;
}

std::string checkUnary(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  auto kind = static_cast<UnaryKind>(call.ints[0]);
  if (call.ints[0] < 0 || call.ints[0] >= unaryKinds)
    return "unknown kind " + std::to_string(call.ints[0]);
  bool test = kind == UnaryKind::is_nan || kind == UnaryKind::is_inf;
  if (test && !isFloat(x.dtype))
    return "tests " + describe(x) + ": only float types have NaN and infinity";
  if (kind == UnaryKind::logical_not && x.dtype != DType::Bool)
    return "logical_not of " + describe(x) + ": i1 expected";
  DType result = test ? DType::Bool : x.dtype;
  return expect(y, result, x.shape());
}

std::string checkBinary(const KernelCall &call) {
  if (call.ints[0] < 0 || call.ints[0] >= binaryKinds)
    return "unknown kind " + std::to_string(call.ints[0]);
  const TensorView &a = call.inputs[0], &b = call.inputs[1];
  if (a.dtype != b.dtype)
    return "operands are " + describe(a) + " and " + describe(b) + ": different types";
  bool compares = call.ints[0] >= static_cast<int64_t>(BinaryKind::equal);
  return expectBroadcast(call.inputs, call.outputs[0], compares ? DType::Bool : a.dtype);
}

std::string checkSelect(const KernelCall &call) {
  if (call.inputs[0].dtype != DType::Bool)
    return "the condition is " + describe(call.inputs[0]) + ": i1 expected";
  if (call.inputs[1].dtype != call.inputs[2].dtype)
    return "operands are " + describe(call.inputs[1]) + " and " + describe(call.inputs[2]) + ": different types";
  return expectBroadcast(call.inputs, call.outputs[0], call.inputs[1].dtype);
}

std::string checkMatmul(const KernelCall &call) {
  const TensorView &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  if (a.rank < 2 || b.rank < 2)
    return "operands are " + describe(a) + " and " + describe(b) + ": both need two dimensions or more";
  if (a.dtype != b.dtype)
    return "operands are " + describe(a) + " and " + describe(b) + ": different types";
  bool transposeA = call.ints[0] != 0, transposeB = call.ints[1] != 0;
  auto dim = [](const TensorView &t, int fromEnd) { return t.dims[static_cast<size_t>(t.rank - fromEnd)]; };
  int64_t m = dim(a, transposeA ? 1 : 2), k = dim(a, transposeA ? 2 : 1);
  int64_t kB = dim(b, transposeB ? 1 : 2), n = dim(b, transposeB ? 2 : 1);
  if (k != kB)
    return "operands are " + describe(a) + " and " + describe(b) + ": the contraction has extents " +
           std::to_string(k) + " and " + std::to_string(kB);
  Extents shape;
  if (!broadcastShapes(a.shape().first(static_cast<size_t>(a.rank - 2)),
                       b.shape().first(static_cast<size_t>(b.rank - 2)), shape))
    return "batch dimensions of " + describe(a) + " and " + describe(b) + " do not broadcast";
  shape.push_back(m);
  shape.push_back(n);
  return expect(y, a.dtype, shape);
}

std::string checkExperts(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &routing = call.inputs[1], &up = call.inputs[2], &down = call.inputs[3];
  if (call.ints[0] < 0 || call.ints[0] >= unaryKinds)
    return "unknown kind " + std::to_string(call.ints[0]);
  for (const TensorView &input : call.inputs)
    if (input.dtype != x.dtype || !isFloat(x.dtype))
      return "operands are " + describe(x) + " and " + describe(input) + ": one float type expected";
  if (x.rank < 1 || routing.rank != x.rank || up.rank != 3 || down.rank != 3)
    return "operands are " + describe(x) + ", " + describe(routing) + ", " + describe(up) + " and " + describe(down);
  auto last = static_cast<size_t>(x.rank - 1);
  if (!std::equal(x.dims.begin(), x.dims.begin() + x.rank - 1, routing.dims.begin()))
    return "routing is " + describe(routing) + ", not of the tokens of " + describe(x);
  if (up.dims[0] != routing.dims[last] || down.dims[0] != up.dims[0] || up.dims[2] != x.dims[last] || down.dims[2] != up.dims[1])
    return "weights " + describe(up) + " and " + describe(down) + " do not fit " + describe(x) + " and " + describe(routing);
  if (call.inputs.size() > 4 && !expect(call.inputs[4], up.dtype, up.shape()).empty())
    return "the gate is " + describe(call.inputs[4]) + ", expected " + describe(up);
  Extents shape(x.shape().begin(), x.shape().end());
  shape.back() = down.dims[1];
  return expect(call.outputs[0], x.dtype, shape);
}

std::string checkReduce(const KernelCall &call) {
  const TensorView &x = call.inputs[0];
  if (call.ints[0] < 0 || call.ints[0] >= reduceKinds)
    return "unknown kind " + std::to_string(call.ints[0]);
  std::array<bool, maxRank> reduced{};
  for (int64_t axis : call.ints.subspan(2)) {
    if (std::string error = expectAxis(axis, x); !error.empty())
      return error;
    if (reduced[static_cast<size_t>(axis)])
      return "axis " + std::to_string(axis) + " appears twice";
    reduced[static_cast<size_t>(axis)] = true;
  }
  Extents shape;
  for (int d = 0; d < x.rank; ++d)
    if (!reduced[static_cast<size_t>(d)])
      shape.push_back(x.dims[static_cast<size_t>(d)]);
    else if (call.ints[1])
      shape.push_back(1);
  return expect(call.outputs[0], x.dtype, shape);
}

/// softmax, layer_norm, rms_norm, cumsum: the result is like the first input.
std::string checkAlongAxis(const KernelCall &call) {
  const TensorView &x = call.inputs[0];
  if (std::string error = expectAxis(call.ints[0], x); !error.empty())
    return error;
  for (const TensorView &parameter : call.inputs.subspan(1)) {
    Extents shape;
    if (parameter.dtype != x.dtype || !broadcastShapes(x.shape(), parameter.shape(), shape) ||
        !std::equal(shape.begin(), shape.end(), x.shape().begin(), x.shape().end()))
      return describe(parameter) + " does not broadcast to " + describe(x);
  }
  return expect(call.outputs[0], x.dtype, x.shape());
}

std::string checkRotary(const KernelCall &call) {
  const TensorView &x = call.inputs[0];
  if (!isFloat(x.dtype) || x.rank < 1)
    return "x is " + describe(x) + ": rows of floats expected";
  auto rows = x.shape().first(static_cast<size_t>(x.rank - 1));
  for (const TensorView &angles : call.inputs.subspan(1)) {
    Extents shape;
    if ((angles.dtype != x.dtype && angles.dtype != DType::F32) || angles.rank < 1 ||
        angles.shape().back() > x.shape().back() / 2 || angles.shape().back() != call.inputs[1].shape().back() ||
        !broadcastShapes(rows, angles.shape().first(static_cast<size_t>(angles.rank - 1)), shape) ||
        !std::equal(shape.begin(), shape.end(), rows.begin(), rows.end()))
      return describe(angles) + " does not turn pairs of " + describe(x);
  }
  return expect(call.outputs[0], x.dtype, x.shape());
}

} // namespace

std::string checkKernel(KernelId kernel, const KernelCall &call) {
  switch (kernel) {
  case KernelId::unary:
    return checkUnary(call);
  case KernelId::binary:
    return checkBinary(call);
  case KernelId::select:
    return checkSelect(call);
  case KernelId::cast:
    return expect(call.outputs[0], call.outputs[0].dtype, call.inputs[0].shape());
  case KernelId::copy:
    return expect(call.outputs[0], call.inputs[0].dtype, call.inputs[0].shape());
  case KernelId::matmul:
    return checkMatmul(call);
  case KernelId::experts:
    return checkExperts(call);
  case KernelId::attention:
  case KernelId::attention_grad:
    return checkAttention(kernel, call);
  case KernelId::reduce:
    return checkReduce(call);
  case KernelId::softmax:
  case KernelId::layer_norm:
  case KernelId::rms_norm:
  case KernelId::cumsum:
    return checkAlongAxis(call);
  case KernelId::rotary:
    return checkRotary(call);
  case KernelId::conv:
  case KernelId::pool:
    return checkWindowKernel(kernel, call);
  case KernelId::unary_grad:
  case KernelId::weight_grad:
  case KernelId::softmax_grad:
  case KernelId::norm_grad:
  case KernelId::norm_scale_grad:
  case KernelId::gather_grad:
  case KernelId::cross_entropy:
  case KernelId::cross_entropy_grad:
  case KernelId::adam:
  case KernelId::sgd:
    return checkTrainingKernel(kernel, call);
  default:
    return checkIndexingKernel(kernel, call);
  }
}

Status checkRecord(const RecordDef &record, size_t rank, size_t ranks) {
  KernelSignature signature = kernelSignature(record.kernel);
  for (const std::string &error : {checkCount("inputs", record.inputs.size(), signature.inputs),
                                   checkCount("outputs", record.outputs.size(), signature.outputs),
                                   checkCount("integer attributes", record.ints.size(), signature.ints),
                                   checkCount("float attributes", record.floats.size(), signature.floats)})
    if (!error.empty())
      return Status::invalid(error);
  if (record.kernel != KernelId::iota)
    for (int64_t value : record.ints)
      if (value > (int64_t(1) << 46) || value < -(int64_t(1) << 46))
        return Status::invalid("integer attribute " + std::to_string(value) + " is out of range");

  std::vector<TensorView> inputs, outputs;
  for (const BufferRef &buffer : record.inputs)
    inputs.push_back(buffer.view);
  for (const BufferRef &buffer : record.outputs)
    outputs.push_back(buffer.view);
  if (isCollective(record.kernel)) {
    for (uint32_t member : record.group)
      if (member >= ranks)
        return Status::invalid("member " + std::to_string(member) + " of " + std::to_string(ranks) + " ranks");
    return checkCollective({.kernel = record.kernel,
                            .group = record.group,
                            .x = inputs[0],
                            .y = outputs[0],
                            .routing = inputs.size() > 1 ? inputs[1] : TensorView{},
                            .ints = record.ints},
                           static_cast<uint32_t>(rank));
  }
  if (!record.group.empty())
    return Status::invalid("has a group but is no collective");
  std::string error = checkKernel(record.kernel, {inputs, outputs, record.ints, record.floats});
  return error.empty() ? Status::success() : Status::invalid(error);
}

} // namespace llmpar::rt
