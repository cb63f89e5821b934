//===- CpuKernels.h - The fast kernels of the CPU device --------*- C++ -*-===//
//
// Each has the meaning of the reference kernel of its name and calls it for
// the types and attributes it has no fast code for. All run on the calling
// thread and may run on several threads at once.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CPU_CPUKERNELS_H
#define LLMPAR_RUNTIME_CPU_CPUKERNELS_H

#include "core/Kernel.h"

namespace llmpar::rt {

/// The fast kernel of that id, or the reference one; null for collectives.
KernelFn findCpuKernel(KernelId id);

namespace cpu {
// Elementwise.cpp
Status unary(const KernelCall &call);
Status binary(const KernelCall &call);
Status select(const KernelCall &call);
Status cast(const KernelCall &call);
// Matmul.cpp
Status matmul(const KernelCall &call);
// Experts.cpp
Status experts(const KernelCall &call);
// Convolution.cpp
Status conv(const KernelCall &call);
Status pool(const KernelCall &call);
// Attention.cpp
Status attention(const KernelCall &call);
Status attention_grad(const KernelCall &call);
// Normalization.cpp
Status softmax(const KernelCall &call);
Status layer_norm(const KernelCall &call);
Status rms_norm(const KernelCall &call);
// Rotary.cpp
Status rotary(const KernelCall &call);
// Reductions.cpp
Status reduce(const KernelCall &call);
Status arg_reduce(const KernelCall &call);
// Layout.cpp
Status transpose(const KernelCall &call);
Status broadcast(const KernelCall &call);
Status slice(const KernelCall &call);
Status concat(const KernelCall &call);
Status pad(const KernelCall &call);
Status gather(const KernelCall &call);
Status gather_nd(const KernelCall &call);
// Gradients.cpp
Status unary_grad(const KernelCall &call);
Status weight_grad(const KernelCall &call);
Status softmax_grad(const KernelCall &call);
Status norm_grad(const KernelCall &call);
Status norm_scale_grad(const KernelCall &call);
Status gather_grad(const KernelCall &call);
Status slice_grad(const KernelCall &call);
// Training.cpp
Status cross_entropy(const KernelCall &call);
Status cross_entropy_grad(const KernelCall &call);
Status adam(const KernelCall &call);
} // namespace cpu

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CPU_CPUKERNELS_H
