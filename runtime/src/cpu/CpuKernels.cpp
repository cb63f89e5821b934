//===- CpuKernels.cpp - The table of fast kernels ---------------*- C++ -*-===//
#include "cpu/CpuKernels.h"

namespace llmpar::rt {

KernelFn findCpuKernel(KernelId id) {
  switch (id) {
#define LLMPAR_FAST(name)                                                                                              \
  case KernelId::name:                                                                                                 \
    return cpu::name;
    LLMPAR_FAST(unary)
    LLMPAR_FAST(binary)
    LLMPAR_FAST(select)
    LLMPAR_FAST(cast)
    LLMPAR_FAST(matmul)
    LLMPAR_FAST(experts)
    LLMPAR_FAST(conv)
    LLMPAR_FAST(pool)
    LLMPAR_FAST(attention)
    LLMPAR_FAST(attention_grad)
    LLMPAR_FAST(softmax)
    LLMPAR_FAST(layer_norm)
    LLMPAR_FAST(rms_norm)
    LLMPAR_FAST(rotary)
    LLMPAR_FAST(reduce)
    LLMPAR_FAST(arg_reduce)
    LLMPAR_FAST(transpose)
    LLMPAR_FAST(broadcast)
    LLMPAR_FAST(slice)
    LLMPAR_FAST(concat)
    LLMPAR_FAST(pad)
    LLMPAR_FAST(gather)
    LLMPAR_FAST(unary_grad)
    LLMPAR_FAST(weight_grad)
    LLMPAR_FAST(softmax_grad)
    LLMPAR_FAST(norm_grad)
    LLMPAR_FAST(norm_scale_grad)
    LLMPAR_FAST(gather_grad)
    LLMPAR_FAST(slice_grad)
    LLMPAR_FAST(cross_entropy)
    LLMPAR_FAST(cross_entropy_grad)
    LLMPAR_FAST(adam)
    LLMPAR_FAST(gather_nd)
#undef LLMPAR_FAST
  default:
    return findReferenceKernel(id);
  }
}

} // namespace llmpar::rt
