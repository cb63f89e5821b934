//===- Training.cpp - cross_entropy, adam, sgd ------------------*- C++ -*-===//
#include "reference/Loops.h"
#include "reference/Reference.h"

#include <string>

namespace llmpar::rt::reference {

static Status unknownLabel(const char *kernel, int64_t label, int64_t size) {
  return Status::invalid(std::string(kernel) + ": label " + std::to_string(label) + " is outside [0, " +
                         std::to_string(size) + ") and is not the ignored one");
}

Status cross_entropy(const KernelCall &call) {
  const TensorView &logits = call.inputs[0], &labels = call.inputs[1], &loss = call.outputs[0], &lse = call.outputs[1];
  int64_t ignored = call.ints[0], size = logits.dims[logits.rank - 1];
  double smoothing = call.floats[0];
  for (int64_t row = 0, rows = labels.elements(); row < rows; ++row) {
    auto label = load<int64_t>(labels, row);
    if (label != ignored && (label < 0 || label >= size))
      return unknownLabel("cross_entropy", label, size);
    double highest = -std::numeric_limits<double>::infinity(), sum = 0, total = 0;
    for (int64_t i = 0; i < size; ++i) {
      highest = maximum(highest, load<double>(logits, row * size + i));
      total += load<double>(logits, row * size + i);
    }
    for (int64_t i = 0; i < size; ++i)
      sum += std::exp(load<double>(logits, row * size + i) - highest);
    double logSum = highest + std::log(sum);
    store<double>(lse, row, logSum);
    double likelihood = label == ignored ? 0 : (1 - smoothing) * load<double>(logits, row * size + label);
    if (smoothing != 0) // else an infinite logit would give NaN
      likelihood += smoothing * total / static_cast<double>(size);
    store<double>(loss, row, label == ignored ? 0 : logSum - likelihood);
  }
  return Status::success();
}

// logits holds the columns [offset, offset + extent) of `size`.
Status cross_entropy_grad(const KernelCall &call) {
  const TensorView &logits = call.inputs[0], &labels = call.inputs[1], &lse = call.inputs[2], &dloss = call.inputs[3],
                   &dx = call.outputs[0];
  int64_t ignored = call.ints[0], begin = call.ints[1], size = call.ints[2], extent = logits.dims[logits.rank - 1];
  double smoothing = call.floats[0];
  for (int64_t row = 0, rows = labels.elements(); row < rows; ++row) {
    auto label = load<int64_t>(labels, row);
    if (label != ignored && (label < 0 || label >= size))
      return unknownLabel("cross_entropy_grad", label, size);
    for (int64_t i = 0; i < extent; ++i) {
      double likelihood = std::exp(load<double>(logits, row * extent + i) - load<double>(lse, row));
      double target = smoothing / static_cast<double>(size) + (begin + i == label ? 1 - smoothing : 0);
      store<double>(dx, row * extent + i, label == ignored ? 0 : load<double>(dloss, row) * (likelihood - target));
    }
  }
  return Status::success();
}

Status adam(const KernelCall &call) {
  const TensorView &param = call.inputs[0], &grad = call.inputs[1], &m = call.inputs[2], &v = call.inputs[3];
  double rate = load<double>(call.inputs[4], 0), scale = load<double>(call.inputs[5], 0),
         step = load<double>(call.inputs[6], 0);
  double beta1 = call.floats[0], beta2 = call.floats[1], epsilon = call.floats[2], decay = call.floats[3];
  bool decoupled = call.ints[0] != 0;
  double correction1 = 1 - std::pow(beta1, step), correction2 = 1 - std::pow(beta2, step);
  for (int64_t i = 0, n = param.elements(); i < n; ++i) {
    auto value = load<double>(param, i);
    double g = load<double>(grad, i) * scale + (decoupled ? 0 : decay * value);
    double first = beta1 * load<double>(m, i) + (1 - beta1) * g;
    double second = beta2 * load<double>(v, i) + (1 - beta2) * g * g;
    double change = first / correction1 / (std::sqrt(second / correction2) + epsilon) + (decoupled ? decay * value : 0);
    store<double>(call.outputs[0], i, value - rate * change);
    store<double>(call.outputs[1], i, first);
    store<double>(call.outputs[2], i, second);
  }
  return Status::success();
}

Status sgd(const KernelCall &call) {
  const TensorView &param = call.inputs[0], &grad = call.inputs[1], &velocity = call.inputs[2];
  double rate = load<double>(call.inputs[3], 0), scale = load<double>(call.inputs[4], 0);
  double momentum = call.floats[0], decay = call.floats[1];
  bool nesterov = call.ints[0] != 0;
  for (int64_t i = 0, n = param.elements(); i < n; ++i) {
    auto value = load<double>(param, i);
    double g = load<double>(grad, i) * scale + decay * value, next = momentum * load<double>(velocity, i) + g;
    store<double>(call.outputs[0], i, value - rate * (nesterov ? g + momentum * next : next));
    store<double>(call.outputs[1], i, next);
  }
  return Status::success();
}

} // namespace llmpar::rt::reference
