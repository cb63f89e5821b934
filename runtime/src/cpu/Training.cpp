//===- Training.cpp - cross_entropy, adam, sgd ------------------*- C++ -*-===//
//
// A row at a time. Logits in bf16 and f16 are converted to f32; other types are the reference kernels.
//
//===----------------------------------------------------------------------===//
#include "cpu/CpuKernels.h"
#include "cpu/Rows.h"
#include "cpu/VectorMath.h"
#include "reference/Loops.h"
#include "reference/Reference.h"

#include <algorithm>

namespace llmpar::rt::cpu {
namespace {

LLMPAR_CLONES float logSumExpRow(const float *x, int64_t n) {
  float highest = math::foldRow(x, n, -std::numeric_limits<float>::infinity(), math::Maximum());
  float lanes[math::laneCount] = {};
  int64_t i = 0;
  for (; i + math::laneCount <= n; i += math::laneCount) {
    LLMPAR_VECTORIZE
    for (int64_t lane = 0; lane < math::laneCount; ++lane)
      lanes[lane] += math::exp(x[i + lane] - highest);
  }
  float sum = 0;
  for (float lane : lanes)
    sum += lane;
  for (; i < n; ++i)
    sum += math::exp(x[i] - highest);
  return highest + std::log(sum);
}

/// dx = weight (exp(x - lse) - share)
LLMPAR_CLONES void likelihoodRow(const float *x, float *dx, int64_t n, float lse, float weight, float share) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i)
    dx[i] = weight * (math::exp(x[i] - lse) - share);
}

struct AdamRates {
  float beta1, beta2, epsilon, rate, scale, decay, decoupledDecay, correction1, correction2;
};
LLMPAR_CLONES void adamRow(const float *param, const float *grad, const float *m, const float *v, float *newParam,
                           float *newM, float *newV, int64_t n, AdamRates r) {
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < n; ++i) {
    float value = param[i], g = grad[i] * r.scale + r.decay * value;
    float first = r.beta1 * m[i] + (1.0f - r.beta1) * g, second = r.beta2 * v[i] + (1.0f - r.beta2) * g * g;
    float root = __builtin_elementwise_sqrt(second * r.correction2);
    newM[i] = first;
    newV[i] = second;
    newParam[i] = value - r.rate * (first * r.correction1 / (root + r.epsilon) + r.decoupledDecay * value);
  }
}

bool areFloats(const KernelCall &call) { return call.inputs[0].dtype == DType::F32; }

} // namespace

Status cross_entropy(const KernelCall &call) {
  const TensorView &logits = call.inputs[0], &labels = call.inputs[1];
  int64_t n = logits.dims[logits.rank - 1];
  if (!isNarrowable(logits.dtype) || call.floats[0] != 0 || n == 0)
    return reference::cross_entropy(call);
  thread_local std::vector<float> buffer;
  for (int64_t row = 0, rows = labels.elements(); row < rows; ++row) {
    auto label = load<int64_t>(labels, row);
    bool isIgnored = label == call.ints[0];
    if (!isIgnored && (label < 0 || label >= n))
      return reference::cross_entropy(call); // has the message
    const float *x = readRow(logits, row * n, n, buffer);
    float lse = logSumExpRow(x, n);
    call.outputs[1].as<float>()[row] = lse;
    call.outputs[0].as<float>()[row] = isIgnored ? 0.0f : lse - x[label];
  }
  return Status::success();
}

Status cross_entropy_grad(const KernelCall &call) {
  const TensorView &logits = call.inputs[0], &labels = call.inputs[1], &dx = call.outputs[0];
  if (!isNarrowable(logits.dtype))
    return reference::cross_entropy_grad(call);
  thread_local std::vector<float> buffer, result;
  int64_t n = logits.dims[logits.rank - 1], begin = call.ints[1], size = call.ints[2];
  auto smoothing = static_cast<float>(call.floats[0]);
  for (int64_t row = 0, rows = labels.elements(); row < rows; ++row) {
    auto label = load<int64_t>(labels, row);
    bool isIgnored = label == call.ints[0];
    if (!isIgnored && (label < 0 || label >= size))
      return reference::cross_entropy_grad(call); // has the message
    float weight = isIgnored ? 0.0f : call.inputs[3].as<float>()[row];
    writeRow(dx, row * n, n, result, [&](float *to) {
      if (isIgnored) {
        std::fill_n(to, n, 0.0f);
        return;
      }
      likelihoodRow(readRow(logits, row * n, n, buffer), to, n, call.inputs[2].as<float>()[row], weight,
                    smoothing / static_cast<float>(size));
      if (int64_t local = label - begin; local >= 0 && local < n)
        to[local] -= weight * (1.0f - smoothing);
    });
  }
  return Status::success();
}

Status adam(const KernelCall &call) {
  if (!areFloats(call))
    return reference::adam(call);
  auto scalar = [&](size_t input) { return call.inputs[input].as<float>()[0]; };
  bool decoupled = call.ints[0] != 0;
  double beta1 = call.floats[0], beta2 = call.floats[1], step = scalar(6);
  auto decay = static_cast<float>(call.floats[3]);
  AdamRates rates{.beta1 = static_cast<float>(beta1),
                  .beta2 = static_cast<float>(beta2),
                  .epsilon = static_cast<float>(call.floats[2]),
                  .rate = scalar(4),
                  .scale = scalar(5),
                  .decay = decoupled ? 0.0f : decay,
                  .decoupledDecay = decoupled ? decay : 0.0f,
                  .correction1 = static_cast<float>(1 / (1 - std::pow(beta1, step))),
                  .correction2 = static_cast<float>(1 / (1 - std::pow(beta2, step)))};
  auto in = [&](size_t i) { return call.inputs[i].as<float>(); };
  auto out = [&](size_t i) { return call.outputs[i].as<float>(); };
  adamRow(in(0), in(1), in(2), in(3), out(0), out(1), out(2), call.inputs[0].elements(), rates);
  return Status::success();
}

} // namespace llmpar::rt::cpu
