//===- Dnnl.h - oneDNN for device threads -----------------------*- C++ -*-===//
//
// One engine for the process; a stream, a scratchpad and caches of primitives
// for each thread, since a primitive with the default scratchpad is not safe
// to use from two. The first use on a thread limits oneDNN (its OpenMP) to
// that one thread: a device is one pinned thread.
//
// `guarded` turns oneDNN's exceptions into a Status.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CPU_DNNL_H
#define LLMPAR_RUNTIME_CPU_DNNL_H

#include "core/Kernel.h"

#include <dnnl.hpp>

#include <exception>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace llmpar::rt {

struct AlignedDelete {
  void operator()(void *memory) const { ::operator delete(memory, std::align_val_t(64)); }
};
using AlignedBuffer = std::unique_ptr<void, AlignedDelete>;
inline AlignedBuffer alignedBuffer(size_t bytes) {
  return AlignedBuffer(::operator new(bytes ? bytes : 1, std::align_val_t(64)));
}

dnnl::engine &dnnlEngine();

class DnnlThread {
public:
  /// The calling thread's.
  static DnnlThread &current();

  dnnl::stream stream;
  /// At least `bytes` of memory, the same until the next call; one slot per simultaneous use.
  void *scratch(int slot, size_t bytes);

private:
  DnnlThread();
  std::vector<std::pair<AlignedBuffer, size_t>> slots_;
};

/// f32, or bf16 where oneDNN has a kernel for it.
dnnl::memory::data_type dnnlType(DType dtype);

/// The attributes every primitive is made with: the scratchpad comes from the caller.
dnnl::primitive_attr dnnlAttributes();

/// Runs `primitive` to its end with the calling thread's scratchpad.
template <typename PrimitiveDesc>
void executeDnnl(const dnnl::primitive &primitive, const PrimitiveDesc &desc,
                 std::unordered_map<int, dnnl::memory> arguments) {
  DnnlThread &thread = DnnlThread::current();
  auto scratchpad = desc.scratchpad_desc();
  arguments.insert(
      {DNNL_ARG_SCRATCHPAD, dnnl::memory(scratchpad, dnnlEngine(), thread.scratch(0, scratchpad.get_size()))});
  primitive.execute(thread.stream, arguments);
  thread.stream.wait();
}

/// What a cache of primitives is keyed by.
using DnnlKey = std::vector<int64_t>;
struct DnnlKeyHash {
  size_t operator()(const DnnlKey &key) const {
    uint64_t hash = 1469598103934665603ull;
    for (int64_t value : key)
      hash = (hash ^ static_cast<uint64_t>(value)) * 1099511628211ull;
    return static_cast<size_t>(hash ^ hash >> 29);
  }
};

/// Calls `body` (which returns a Status) and turns an exception into one.
template <typename Body> Status guarded(const char *kernel, Body &&body) {
  try {
    return body();
  } catch (const std::bad_alloc &) {
    return Status::doesNotFit(std::string(kernel) + ": out of memory");
  } catch (const std::exception &error) {
    return Status::internal(std::string(kernel) + ": " + error.what());
  }
}

/// c[m, n] = alpha a b (+ c, if beta is 1); a transposed matrix is stored that way, strides are those of stored rows.
inline void sgemm(bool transposeA, bool transposeB, int64_t m, int64_t n, int64_t k, float alpha, const float *a,
                  int64_t strideA, const float *b, int64_t strideB, float beta, float *c, int64_t strideC) {
  dnnl::error::wrap_c_api(dnnl_sgemm(transposeA ? 'T' : 'N', transposeB ? 'T' : 'N', m, n, k, alpha, a, strideA, b,
                                     strideB, beta, c, strideC),
                          "a product failed");
}

/// Runs `kernel` on copies of all operands as f32, for types that oneDNN cannot compute in.
Status withFloatOperands(const KernelCall &call, KernelFn kernel);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CPU_DNNL_H
