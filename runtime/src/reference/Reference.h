//===- Reference.h - The reference kernels by name --------------*- C++ -*-===//
//
// One function per line of `Kernels.def`, collectives excepted. Their meaning
// is that of the ONNX operator of the same name, written down in `Kernels.def`
// and `Kinds.def`. Fast kernels call them for the cases they do not handle.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_REFERENCE_REFERENCE_H
#define LLMPAR_RUNTIME_REFERENCE_REFERENCE_H

#include "core/Kernel.h"

namespace llmpar::rt::reference {

// Elementwise.cpp
Status unary(const KernelCall &call);
Status binary(const KernelCall &call);
Status select(const KernelCall &call);
Status cast(const KernelCall &call);
// Contractions.cpp
Status matmul(const KernelCall &call);
Status conv(const KernelCall &call);
Status pool(const KernelCall &call);
// Experts.cpp
Status experts(const KernelCall &call);
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
Status cumsum(const KernelCall &call);
Status top_k(const KernelCall &call);
// Indexing.cpp
Status gather(const KernelCall &call);
Status gather_elements(const KernelCall &call);
Status gather_nd(const KernelCall &call);
Status scatter_nd(const KernelCall &call);
Status scatter_elements(const KernelCall &call);
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
Status sgd(const KernelCall &call);
// Layout.cpp
Status transpose(const KernelCall &call);
Status reshape(const KernelCall &call);
Status broadcast(const KernelCall &call);
Status slice(const KernelCall &call);
Status concat(const KernelCall &call);
Status pad(const KernelCall &call);
Status iota(const KernelCall &call);
Status copy(const KernelCall &call);

// Collectives are the work of a communicator.
inline constexpr KernelFn all_reduce = nullptr;
inline constexpr KernelFn all_gather = nullptr;
inline constexpr KernelFn reduce_scatter = nullptr;
inline constexpr KernelFn all_to_all = nullptr;
inline constexpr KernelFn dispatch = nullptr;
inline constexpr KernelFn combine = nullptr;

} // namespace llmpar::rt::reference

#endif // LLMPAR_RUNTIME_REFERENCE_REFERENCE_H
