//===- Matmul.cpp - matmul of weights as they lie in memory -----*- C++ -*-===//
//
// f32 and bf16 go to oneDNN, the innermost batch loop as its batch dimension,
// transpositions as strides; products with at most eight rows, or one column,
// to Gemv. f16 (and bf16 where the processor has no instruction for it) is
// computed in f32. Primitives are cached per thread by their shapes.
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
      return withFloatOperands(call, matmul);
    DnnlThread &thread = DnnlThread::current(); // before any primitive: it sets the number of threads
    CachedMatmul &matmulOfShape = cached(p, y.dtype);
    if (!matmulOfShape.supported)
      return y.dtype == DType::F32 ? reference::matmul(call) : withFloatOperands(call, matmul);
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
