//===- Experts.cpp - experts, one product for all rows of an expert -------===//
//
// For each expert the rows of x that are routed to it are gathered, run through its products
// (cpu::matmul: oneDNN, or Gemv for a few rows) and added to their tokens, times the weight. At
// most 256 rows at once, so that the rows between the products stay in the cache; their number
// is rounded up to 16, so that few primitives are made. Sums over experts are in float.
//
//===----------------------------------------------------------------------===//
#include "cpu/CpuKernels.h"
#include "cpu/Dnnl.h"
#include "cpu/Gemv.h"
#include "cpu/Rows.h"
#include "reference/Reference.h"

#include <algorithm>
#include <cstring>

namespace llmpar::rt::cpu {
namespace {

constexpr int64_t blockRows = 256, rowStep = 16;

TensorView view2d(void *data, DType dtype, int64_t rows, int64_t columns) {
  TensorView view;
  view.data = data;
  view.dtype = dtype;
  view.rank = 2;
  view.dims[0] = rows;
  view.dims[1] = columns;
  return view;
}

/// Memory of the calling thread, kept for the next call.
struct Scratch {
  std::vector<char> rows, inner, gate, result;
  std::vector<float> sums, widened;
  static Scratch &current() {
    thread_local Scratch scratch;
    return scratch;
  }
};

class ExpertsCall {
public:
  explicit ExpertsCall(const KernelCall &call)
      : call(call), x(call.inputs[0]), up(call.inputs[2]), down(call.inputs[3]), dtype(x.dtype),
        size(static_cast<int64_t>(dtypeSize(dtype))), features(x.dims[static_cast<size_t>(x.rank - 1)]),
        inner(up.dims[1]), width(down.dims[1]), experts(up.dims[0]), scratch(Scratch::current()) {
    for (int d = 0; d + 1 < x.rank; ++d)
      tokens *= x.dims[static_cast<size_t>(d)];
  }

  Status run() {
    const TensorView &y = call.outputs[0];
    sums = y.as<float>();
    if (dtype != DType::F32) {
      scratch.sums.resize(static_cast<size_t>(tokens * width));
      sums = scratch.sums.data();
    }
    std::fill_n(sums, tokens * width, 0.0f);
    std::vector<float> routing(static_cast<size_t>(tokens * experts));
    widen(dtype, call.inputs[1].data, routing.data(), tokens * experts);
    for (int64_t expert = 0; expert < experts; ++expert) {
      std::vector<Row> rows;
      for (int64_t token = 0; token < tokens; ++token)
        if (float weight = routing[static_cast<size_t>(token * experts + expert)]; weight != 0)
          rows.push_back({token, weight});
      for (size_t begin = 0; begin < rows.size(); begin += blockRows)
        if (Status status = addBlock(expert, std::span(rows).subspan(begin, std::min<size_t>(blockRows, rows.size() - begin)));
            !status.ok())
          return status;
    }
    if (dtype != DType::F32)
      narrow(dtype, sums, y.data, tokens * width);
    return Status::success();
  }

private:
  struct Row {
    int64_t token;
    float weight;
  };

  TensorView buffer(std::vector<char> &memory, int64_t rows, int64_t columns) {
    memory.resize(static_cast<size_t>(rows * columns * size));
    return view2d(memory.data(), dtype, rows, columns);
  }

  Status multiply(const TensorView &a, const TensorView &weights, int64_t expert, const TensorView &result) {
    int64_t rows = weights.dims[1], columns = weights.dims[2];
    TensorView inputs[] = {a, view2d(weights.as<char>() + expert * rows * columns * size, dtype, rows, columns)};
    constexpr int64_t transposeRight[] = {0, 1};
    return matmul({.inputs = inputs, .outputs = {&result, 1}, .ints = transposeRight, .floats = {}});
  }

  Status addBlock(int64_t expert, std::span<const Row> rows) {
    auto count = static_cast<int64_t>(rows.size());
    int64_t padded = count <= gemvRows ? count : (count + rowStep - 1) / rowStep * rowStep;
    TensorView gathered = buffer(scratch.rows, padded, features), hidden = buffer(scratch.inner, padded, inner),
               result = buffer(scratch.result, padded, width);
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(gathered.as<char>() + i * features * size,
                  x.as<char>() + rows[static_cast<size_t>(i)].token * features * size, static_cast<size_t>(features * size));
    std::memset(gathered.as<char>() + count * features * size, 0, static_cast<size_t>((padded - count) * features * size));
    bool isGated = call.inputs.size() > 4;
    if (Status status = multiply(gathered, isGated ? call.inputs[4] : up, expert, hidden); !status.ok())
      return status;
    if (Status status = unary({.inputs = {&hidden, 1}, .outputs = {&hidden, 1}, .ints = call.ints, .floats = call.floats});
        !status.ok())
      return status;
    if (isGated) {
      TensorView factors[] = {hidden, buffer(scratch.gate, padded, inner)};
      if (Status status = multiply(gathered, up, expert, factors[1]); !status.ok())
        return status;
      constexpr int64_t kind[] = {static_cast<int64_t>(BinaryKind::mul)};
      if (Status status = binary({.inputs = factors, .outputs = {&hidden, 1}, .ints = kind, .floats = {}}); !status.ok())
        return status;
    }
    if (Status status = multiply(hidden, down, expert, result); !status.ok())
      return status;
    for (int64_t i = 0; i < count; ++i) {
      const float *from = readRow(result, i * width, width, scratch.widened);
      float *to = sums + rows[static_cast<size_t>(i)].token * width;
      for (int64_t column = 0; column < width; ++column)
        to[column] += rows[static_cast<size_t>(i)].weight * from[column];
    }
    return Status::success();
  }

  const KernelCall &call;
  const TensorView &x, &up, &down;
  DType dtype;
  int64_t size, features, inner, width, experts, tokens = 1;
  Scratch &scratch;
  float *sums = nullptr;
};

} // namespace

Status experts(const KernelCall &call) {
  if (!isNarrowable(call.inputs[0].dtype))
    return reference::experts(call);
  return guarded("experts", [&] { return ExpertsCall(call).run(); });
}

} // namespace llmpar::rt::cpu
