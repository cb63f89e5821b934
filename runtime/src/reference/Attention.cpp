//===- Attention.cpp - attention, attention_grad ----------------*- C++ -*-===//
#include "reference/AttentionShape.h"
#include "reference/Reference.h"

namespace llmpar::rt::reference {
namespace {

/// One head's operands.
struct Head {
  const AttentionShape &shape;
  const KernelCall &call;
  const Dims &index;
  int64_t head, key, value;
  Head(const AttentionShape &shape, const KernelCall &call, int64_t head, const Dims &index)
      : shape(shape), call(call), index(index), head(head), key(shape.keyHead(index)), value(shape.valueHead(index)) {}

  int64_t qAt(int64_t i, int64_t c) const { return (head * shape.queries + i) * shape.width + c; }
  int64_t kAt(int64_t j, int64_t c) const {
    int64_t begin = key * shape.keys * shape.width;
    return begin + (shape.transposesKey ? c * shape.keys + j : j * shape.width + c);
  }
  int64_t vAt(int64_t j, int64_t c) const { return (value * shape.keys + j) * shape.valueWidth + c; }
  int64_t yAt(int64_t i, int64_t c) const { return (head * shape.queries + i) * shape.valueWidth + c; }
  int64_t rowAt(int64_t i) const { return head * shape.queries + i; }

  /// The masked score of query i and key j; `forbidden` if it does not depend on them.
  double score(int64_t i, int64_t j, bool &forbidden) const {
    double sum = 0;
    for (int64_t c = 0; c < shape.width; ++c)
      sum += load<double>(call.inputs[0], qAt(i, c)) * load<double>(call.inputs[1], kAt(j, c));
    sum *= shape.scale;
    forbidden = false;
    for (size_t m = 0; m < shape.masks.size(); ++m) {
      const TensorView &mask = shape.masks[m];
      int64_t at = shape.maskBegin(m, index) + i * shape.maskRowStride(m) + j * shape.maskKeyStride(m);
      if (mask.dtype != DType::Bool) {
        sum += load<double>(mask, at);
      } else if (load<int64_t>(mask, at) == 0) {
        sum = shape.fill;
        forbidden = true;
      }
    }
    return sum;
  }
};

} // namespace

Status attention(const KernelCall &call) {
  AttentionShape shape(call, 3);
  std::vector<double> p(static_cast<size_t>(shape.keys));
  shape.forEachHead([&](int64_t number, const Dims &index) {
    Head head(shape, call, number, index);
    for (int64_t i = 0; i < shape.queries; ++i) {
      double highest = -std::numeric_limits<double>::infinity(), sum = 0;
      bool forbidden;
      for (int64_t j = 0; j < shape.keys; ++j)
        highest = maximum(highest, p[static_cast<size_t>(j)] = head.score(i, j, forbidden));
      for (double &element : p)
        sum += element = std::exp(element - highest);
      for (int64_t c = 0; c < shape.valueWidth; ++c) {
        double y = 0;
        for (int64_t j = 0; j < shape.keys; ++j)
          y += p[static_cast<size_t>(j)] / sum * load<double>(call.inputs[2], head.vAt(j, c));
        store<double>(call.outputs[0], head.yAt(i, c), shape.zeroesEmpty && !(sum > 0) ? 0 : y);
      }
      bool isEmpty = highest == -std::numeric_limits<double>::infinity();
      store<double>(call.outputs[1], head.rowAt(i), isEmpty ? highest : highest + std::log(sum));
    }
  });
  return Status::success();
}

Status attention_grad(const KernelCall &call) {
  AttentionShape shape(call, 6);
  const TensorView &q = call.inputs[0], &k = call.inputs[1], &v = call.inputs[2], &dy = call.inputs[5];
  std::vector<double> sums[3];
  for (size_t i = 0; i < 3; ++i)
    sums[i].resize(static_cast<size_t>(call.outputs[i].elements()));
  auto at = [&](size_t result, int64_t element) -> double & { return sums[result][static_cast<size_t>(element)]; };
  shape.forEachHead([&](int64_t number, const Dims &index) {
    Head head(shape, call, number, index);
    for (int64_t i = 0; i < shape.queries; ++i) {
      // Not from lse: where a mask added -1e38, that has lost the sum.
      double highest = -std::numeric_limits<double>::infinity(), sum = 0;
      bool forbidden;
      for (int64_t j = 0; j < shape.keys; ++j)
        highest = maximum(highest, head.score(i, j, forbidden));
      for (int64_t j = 0; j < shape.keys; ++j)
        sum += std::exp(head.score(i, j, forbidden) - highest);
      bool isEmpty = highest == -std::numeric_limits<double>::infinity();
      if (isEmpty || (shape.zeroesEmpty && !(sum > 0))) // nothing that it is computed from moves it
        continue;
      double mean = 0;
      for (int64_t c = 0; c < shape.valueWidth; ++c)
        mean += load<double>(dy, head.yAt(i, c)) * load<double>(call.inputs[3], head.yAt(i, c));
      for (int64_t j = 0; j < shape.keys; ++j) {
        double p = std::exp(head.score(i, j, forbidden) - highest) / sum, dp = 0;
        for (int64_t c = 0; c < shape.valueWidth; ++c) {
          dp += load<double>(dy, head.yAt(i, c)) * load<double>(v, head.vAt(j, c));
          at(2, head.vAt(j, c)) += p * load<double>(dy, head.yAt(i, c));
        }
        double ds = forbidden ? 0 : shape.scale * p * (dp - mean);
        for (int64_t c = 0; c < shape.width; ++c) {
          at(0, head.qAt(i, c)) += ds * load<double>(k, head.kAt(j, c));
          at(1, head.kAt(j, c)) += ds * load<double>(q, head.qAt(i, c));
        }
      }
    }
  });
  for (size_t result = 0; result < 3; ++result)
    for (int64_t i = 0, n = call.outputs[result].elements(); i < n; ++i)
      store<double>(call.outputs[result], i, at(result, i));
  return Status::success();
}

} // namespace llmpar::rt::reference
