//===- Matmul.cpp - matmul of weights as they lie in memory -----*- C++ -*-===//
//
// f32 and bf16 go to oneDNN, the innermost batch loop as its batch dimension,
// transpositions as strides; products with at most eight rows, or one column,
// to Gemv. f16 (and bf16 where the processor has no instruction for it) is
// computed in f32: blocks of both operands are converted, of at most 4 MiB, and
// multiplied and summed by oneDNN's sgemm. An element is converted once for
// 1024 columns or rows, in a few percent of the product's time. Primitives are
// cached per thread by their shapes.
//
//===----------------------------------------------------------------------===//
#include "cpu/CpuKernels.h"
#include "cpu/Dnnl.h"
#include "cpu/Gemv.h"
#include "cpu/MatmulProblem.h"
#include "cpu/Rows.h"
#include "reference/Reference.h"

namespace llmpar::rt::cpu {
namespace {

struct CachedMatmul {
  bool supported = false;
  dnnl::matmul::primitive_desc desc;
  dnnl::matmul primitive;
  dnnl::memory a, b, y, scratchpad;
};

dnnl::matmul::primitive_desc describe(const dnnl::memory::desc &a, const dnnl::memory::desc &b,
                                      const dnnl::memory::desc &y) {
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(dnnlEngine(), a, b, y, dnnlAttributes());
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, y), dnnlAttributes(), dnnlEngine());
#endif
}

CachedMatmul make(const MatmulProblem &p, DType dtype) {
  CachedMatmul made;
  auto type = dnnlType(dtype);
  int64_t batch = p.batches.rowLength();
  auto operand = [&](int64_t stride, int64_t rows, int64_t columns, bool transpose) {
    dnnl::memory::dims extents = {rows, columns}, strides = {transpose ? 1 : columns, transpose ? rows : 1};
    if (batch > 1) {
      extents.insert(extents.begin(), stride == 0 ? 1 : batch);
      strides.insert(strides.begin(), rows * columns);
    }
    return dnnl::memory::desc(extents, type, strides);
  };
  auto a = operand(p.batches.rowStep(0), p.m, p.k, p.transposeA),
       b = operand(p.batches.rowStep(1), p.k, p.n, p.transposeB), y = operand(1, p.m, p.n, false);
  try {
    made.desc = describe(a, b, y);
  } catch (const dnnl::error &) {
    return made; // no such kernel on this processor
  }
  made.primitive = dnnl::matmul(made.desc);
  made.a = dnnl::memory(a, dnnlEngine(), nullptr);
  made.b = dnnl::memory(b, dnnlEngine(), nullptr);
  made.y = dnnl::memory(y, dnnlEngine(), nullptr);
  made.scratchpad = dnnl::memory(made.desc.scratchpad_desc(), dnnlEngine(), nullptr);
  made.supported = true;
  return made;
}

CachedMatmul &cached(const MatmulProblem &p, DType dtype) {
  thread_local std::unordered_map<DnnlKey, CachedMatmul, DnnlKeyHash> cache;
  DnnlKey key = {static_cast<int64_t>(dtype),
                 p.m,
                 p.n,
                 p.k,
                 p.transposeA,
                 p.transposeB,
                 p.batches.rowLength(),
                 p.batches.rowStep(0) != 0,
                 p.batches.rowStep(1) != 0};
  auto found = cache.find(key);
  if (found == cache.end())
    found = cache.emplace(std::move(key), make(p, dtype)).first;
  return found->second;
}

/// All the batches with `product(a, b, y)`.
template <typename T, typename Product>
Status forEachProduct(const MatmulProblem &p, const KernelCall &call, Product &&product) {
  const T *a = call.inputs[0].as<const T>(), *b = call.inputs[1].as<const T>();
  T *y = call.outputs[0].as<T>();
  forEachRow(p.batches, [&](const auto &at) {
    for (int64_t i = 0; i < p.batches.rowLength(); ++i)
      product(a + at[0] + i * p.batches.rowStep(0), b + at[1] + i * p.batches.rowStep(1),
              y + at[2] + i * p.batches.rowStep(2));
  });
  return Status::success();
}

Status smallFloat(const MatmulProblem &p, const KernelCall &call) {
  return forEachProduct<float>(p, call, [&](const float *a, const float *b, float *y) {
    if (p.m <= gemvRows && !p.transposeA)
      gemv(p.m, p.n, p.k, a, b, p.transposeB, y);
    else // one column: y = b' a', and a' is a transposed
      gemv(1, p.m, p.k, b, a, !p.transposeA, y);
  });
}

Status smallBFloat16(const MatmulProblem &p, const KernelCall &call) {
  thread_local std::vector<float> left, result;
  left.resize(static_cast<size_t>(p.m * p.k));
  result.resize(static_cast<size_t>(p.m * p.n));
  return forEachProduct<BFloat16>(p, call, [&](const BFloat16 *a, const BFloat16 *b, BFloat16 *y) {
    widen(DType::BF16, a, left.data(), p.m * p.k);
    gemv(p.m, p.n, p.k, left.data(), b, p.transposeB, result.data());
    narrow(DType::BF16, result.data(), y, p.m * p.n);
  });
}

/// A block of a row-major bf16 or f16 matrix as floats.
class WidenedBlock {
public:
  WidenedBlock(DType dtype, int64_t rowLength, bool transposed, int slot)
      : dtype(dtype), rowLength(rowLength), transposed(transposed), slot(slot) {}

  /// Elements [row, row + rows) x [column, column + columns) of the matrix as it is multiplied; stored transposed if it
  /// is.
  const float *read(const uint16_t *matrix, int64_t row, int64_t column, int64_t rows, int64_t columns) {
    if (transposed) {
      std::swap(row, column);
      std::swap(rows, columns);
    }
    std::array<int64_t, 4> wanted = {row, column, rows, columns};
    if (matrix == from && wanted == held)
      return floats;
    from = matrix;
    held = wanted;
    floats =
        static_cast<float *>(DnnlThread::current().scratch(slot, static_cast<size_t>(rows * columns) * sizeof(float)));
    for (int64_t i = 0; i < rows; ++i)
      widen(dtype, matrix + (row + i) * rowLength + column, floats + i * columns, columns);
    return floats;
  }
  int64_t stride() const { return held[3]; }

private:
  DType dtype;
  int64_t rowLength;
  bool transposed;
  int slot;
  const uint16_t *from = nullptr;
  std::array<int64_t, 4> held{};
  float *floats = nullptr;
};

Status narrowMatmul(const MatmulProblem &p, const KernelCall &call) {
  constexpr int64_t block = 1024;
  DnnlThread &thread = DnnlThread::current(); // before any product: it sets the number of threads
  DType dtype = call.outputs[0].dtype;
  WidenedBlock left(dtype, p.transposeA ? p.m : p.k, p.transposeA, 1),
      right(dtype, p.transposeB ? p.k : p.n, p.transposeB, 2);
  auto *sums = static_cast<float *>(
      thread.scratch(3, static_cast<size_t>(std::min(p.m, block) * std::min(p.n, block)) * sizeof(float)));
  return forEachProduct<uint16_t>(p, call, [&](const uint16_t *a, const uint16_t *b, uint16_t *y) {
    for (int64_t i = 0; i < p.m; i += block)
      for (int64_t j = 0; j < p.n; j += block) {
        int64_t rows = std::min(block, p.m - i), columns = std::min(block, p.n - j);
        for (int64_t l = 0; l < p.k; l += block) {
          int64_t depth = std::min(block, p.k - l);
          const float *x = left.read(a, i, l, rows, depth), *w = right.read(b, l, j, depth, columns);
          sgemm(p.transposeA, p.transposeB, rows, columns, depth, 1, x, left.stride(), w, right.stride(), l > 0, sums,
                columns);
        }
        for (int64_t row = 0; row < rows; ++row)
          narrow(dtype, sums + row * columns, y + (i + row) * p.n + j, columns);
      }
  });
}

} // namespace

Status matmul(const KernelCall &call) {
  const TensorView &a = call.inputs[0], &b = call.inputs[1], &y = call.outputs[0];
  if (!isNarrowable(y.dtype) || a.dtype != y.dtype || b.dtype != y.dtype)
    return reference::matmul(call);
  MatmulProblem p(a, b, y, call.ints[0] != 0, call.ints[1] != 0);
  if (p.empty())
    return Status::success();
  if (p.k == 0) {
    std::memset(y.data, 0, y.bytes());
    return Status::success();
  }
  return guarded("matmul", [&] {
    bool fewRows = p.m <= gemvRows && !p.transposeA;
    if (y.dtype == DType::F32 && (fewRows || p.n == 1))
      return smallFloat(p, call);
    if (y.dtype == DType::BF16 && fewRows)
      return smallBFloat16(p, call);
    if (y.dtype == DType::F16)
      return narrowMatmul(p, call);
    DnnlThread &thread = DnnlThread::current(); // before any primitive: it sets the number of threads
    CachedMatmul &matmulOfShape = cached(p, y.dtype);
    if (!matmulOfShape.supported)
      return y.dtype == DType::F32 ? reference::matmul(call) : narrowMatmul(p, call);
    auto &[supported, desc, primitive, left, right, result, scratchpad] = matmulOfShape;
    scratchpad.set_data_handle(thread.scratch(0, desc.scratchpad_desc().get_size()));
    size_t size = dtypeSize(y.dtype);
    forEachRow(p.batches, [&](const auto &at) {
      left.set_data_handle(a.as<char>() + static_cast<size_t>(at[0]) * size);
      right.set_data_handle(b.as<char>() + static_cast<size_t>(at[1]) * size);
      result.set_data_handle(y.as<char>() + static_cast<size_t>(at[2]) * size);
      primitive.execute(
          thread.stream,
          {{DNNL_ARG_SRC, left}, {DNNL_ARG_WEIGHTS, right}, {DNNL_ARG_DST, result}, {DNNL_ARG_SCRATCHPAD, scratchpad}});
    });
    thread.stream.wait();
    return Status::success();
  });
}

} // namespace llmpar::rt::cpu
