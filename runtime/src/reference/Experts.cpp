//===- Experts.cpp - experts ------------------------------------*- C++ -*-===//
#include "reference/Loops.h"
#include "reference/Reference.h"

#include <vector>

namespace llmpar::rt::reference {
namespace {

/// result[row] = sum over column of matrix[expert, row, column] * x[column]
std::vector<double> product(const TensorView &matrix, int64_t expert, const std::vector<double> &x) {
  int64_t rows = matrix.dims[1], columns = matrix.dims[2];
  std::vector<double> result(static_cast<size_t>(rows), 0.0);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column)
      result[static_cast<size_t>(row)] +=
          load<double>(matrix, (expert * rows + row) * columns + column) * x[static_cast<size_t>(column)];
  return result;
}

Status activate(const KernelCall &call, std::vector<double> &values) {
  TensorView view;
  view.data = values.data();
  view.dtype = DType::F64;
  view.rank = 1;
  view.dims[0] = static_cast<int64_t>(values.size());
  return unary({.inputs = {&view, 1}, .outputs = {&view, 1}, .ints = call.ints, .floats = call.floats});
}

} // namespace

Status experts(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &routing = call.inputs[1], &up = call.inputs[2], &down = call.inputs[3],
                   &y = call.outputs[0];
  bool isGated = call.inputs.size() > 4;
  auto dim = [](const TensorView &t, int at) { return t.dims[static_cast<size_t>(at)]; };
  int64_t features = dim(x, x.rank - 1), experts = dim(up, 0), width = dim(y, y.rank - 1);
  int64_t tokens = llmpar::rt::product(x.shape().first(static_cast<size_t>(x.rank - 1)));
  for (int64_t token = 0; token < tokens; ++token) {
    std::vector<double> row(static_cast<size_t>(features)), sum(static_cast<size_t>(width), 0.0);
    for (int64_t i = 0; i < features; ++i)
      row[static_cast<size_t>(i)] = load<double>(x, token * features + i);
    for (int64_t expert = 0; expert < experts; ++expert) {
      auto weight = load<double>(routing, token * experts + expert);
      if (weight == 0) // not even where the expert's result is NaN or infinite
        continue;
      std::vector<double> inner = product(isGated ? call.inputs[4] : up, expert, row);
      if (Status status = activate(call, inner); !status.ok())
        return status;
      if (isGated) {
        std::vector<double> factors = product(up, expert, row);
        for (size_t i = 0; i < inner.size(); ++i)
          inner[i] *= factors[i];
      }
      std::vector<double> result = product(down, expert, inner);
      for (size_t i = 0; i < sum.size(); ++i)
        sum[i] += weight * result[i];
    }
    for (int64_t i = 0; i < width; ++i)
      store<double>(y, token * width + i, sum[static_cast<size_t>(i)]);
  }
  return Status::success();
}

} // namespace llmpar::rt::reference
