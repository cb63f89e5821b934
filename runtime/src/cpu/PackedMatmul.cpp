//===- PackedMatmul.cpp - matmul with a weight laid out for it --*- C++ -*-===//
//
// oneDNN chooses the layout (format_tag::any) and reorders b into it. With at most eight rows
// the copy is plain and Gemv reads it at memory speed.
//
//===----------------------------------------------------------------------===//
#include "cpu/PackedMatmul.h"

#include "cpu/Dnnl.h"
#include "cpu/Gemv.h"
#include "cpu/MatmulProblem.h"
#include "cpu/Rows.h"

namespace llmpar::rt {

struct PackedMatmul::Implementation {
  MatmulProblem problem;
  DType dtype = DType::F32;
  Status status = {};
  AlignedBuffer packed = {};
  size_t bytes = 0;
  dnnl::memory::desc aDesc = {}, bDesc = {}, yDesc = {};
  dnnl::matmul::primitive_desc desc = {};
  dnnl::matmul primitive = {};

  bool usesGemv() const { return problem.m <= gemvRows; }

  /// Chooses the layout of the weights; throws where oneDNN has no kernel.
  void describe() {
    using Desc = dnnl::memory::desc;
    auto type = dnnlType(dtype);
    dnnl::memory::dims a = {problem.m, problem.k}, b = {problem.k, problem.n}, y = {problem.m, problem.n};
    aDesc = Desc(a, type, dnnl::memory::format_tag::ab);
    yDesc = Desc(y, type, dnnl::memory::format_tag::ab);
    Desc any(b, type, dnnl::memory::format_tag::any);
#if DNNL_VERSION_MAJOR >= 3
    desc = dnnl::matmul::primitive_desc(dnnlEngine(), aDesc, any, yDesc, dnnlAttributes());
#else
    desc = dnnl::matmul::primitive_desc(dnnl::matmul::desc(aDesc, any, yDesc), dnnlAttributes(), dnnlEngine());
#endif
    bDesc = desc.weights_desc();
  }

  Status pack(const TensorView &b) {
    if (usesGemv()) {
      bytes = b.bytes();
      packed = alignedBuffer(bytes);
      std::memcpy(packed.get(), b.data, bytes);
      return Status::success();
    }
    DnnlThread &thread = DnnlThread::current(); // before any primitive: it sets the number of threads
    describe();
    primitive = dnnl::matmul(desc);
    bytes = bDesc.get_size();
    packed = alignedBuffer(bytes);
    using Tag = dnnl::memory::format_tag;
    dnnl::memory from({{problem.k, problem.n}, dnnlType(dtype), problem.transposeB ? Tag::ba : Tag::ab}, dnnlEngine(),
                      b.data);
    dnnl::memory to(bDesc, dnnlEngine(), packed.get());
    dnnl::reorder(from, to).execute(thread.stream, from, to);
    thread.stream.wait();
    return Status::success();
  }

  Status runGemv(const TensorView &a, const TensorView &y) {
    int64_t m = problem.m, n = problem.n, k = problem.k;
    if (dtype == DType::F32) {
      gemv(m, n, k, a.as<float>(), static_cast<float *>(packed.get()), problem.transposeB, y.as<float>());
      return Status::success();
    }
    thread_local std::vector<float> left, result; // the rows as float
    left.resize(static_cast<size_t>(m * k));
    result.resize(static_cast<size_t>(m * n));
    widen(dtype, a.data, left.data(), m * k);
    gemv(m, n, k, left.data(), static_cast<BFloat16 *>(packed.get()), problem.transposeB, result.data());
    narrow(dtype, result.data(), y.data, m * n);
    return Status::success();
  }
};

bool PackedMatmul::supports(const TensorView &a, const TensorView &b, const TensorView &y, bool transposeA,
                            bool transposeB) {
  if ((y.dtype != DType::F32 && y.dtype != DType::BF16) || a.dtype != y.dtype || b.dtype != y.dtype)
    return false;
  Implementation trial{.problem = MatmulProblem(a, b, y, transposeA, transposeB), .dtype = y.dtype};
  const MatmulProblem &p = trial.problem;
  if (p.transposeA || !p.isOneProduct() || p.empty() || p.k == 0)
    return false;
  if (trial.usesGemv())
    return true;
  return guarded("matmul",
                 [&] {
                   DnnlThread::current();
                   trial.describe();
                   return Status::success();
                 })
      .ok();
}

PackedMatmul::PackedMatmul(const TensorView &a, const TensorView &b, const TensorView &y, bool transposeA,
                           bool transposeB)
    : implementation_(new Implementation{.problem = MatmulProblem(a, b, y, transposeA, transposeB), .dtype = y.dtype}) {
  implementation_->status = guarded("matmul", [&] { return implementation_->pack(b); });
}
PackedMatmul::~PackedMatmul() = default;
PackedMatmul::PackedMatmul(PackedMatmul &&) noexcept = default;
PackedMatmul &PackedMatmul::operator=(PackedMatmul &&) noexcept = default;

Status PackedMatmul::run(const TensorView &a, const TensorView &y) {
  Implementation &self = *implementation_;
  if (!self.status.ok())
    return self.status;
  return guarded("matmul", [&] {
    if (self.usesGemv())
      return self.runGemv(a, y);
    dnnl::engine &engine = dnnlEngine();
    executeDnnl(self.primitive, self.desc,
                {{DNNL_ARG_SRC, dnnl::memory(self.aDesc, engine, a.data)},
                 {DNNL_ARG_WEIGHTS, dnnl::memory(self.bDesc, engine, self.packed.get())},
                 {DNNL_ARG_DST, dnnl::memory(self.yDesc, engine, y.data)}});
    return Status::success();
  });
}

size_t PackedMatmul::packedBytes() const { return implementation_->bytes; }

} // namespace llmpar::rt
