//===- Dnnl.cpp - oneDNN for device threads ---------------------*- C++ -*-===//
#include "cpu/Dnnl.h"

#include "cpu/Rows.h"

#include <dlfcn.h>

namespace llmpar::rt {

dnnl::engine &dnnlEngine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

DnnlThread::DnnlThread() {
  // Looked up by name: only oneDNN knows which OpenMP, if any, it was built with.
  if (void *symbol = dlsym(RTLD_DEFAULT, "omp_set_num_threads"))
    reinterpret_cast<void (*)(int)>(symbol)(1);
  stream = dnnl::stream(dnnlEngine());
}

DnnlThread &DnnlThread::current() {
  thread_local DnnlThread thread;
  return thread;
}

void *DnnlThread::scratch(int slot, size_t bytes) {
  if (slots_.size() <= static_cast<size_t>(slot))
    slots_.resize(static_cast<size_t>(slot) + 1);
  auto &[buffer, size] = slots_[static_cast<size_t>(slot)];
  if (!buffer || size < bytes) {
    buffer.reset();
    buffer = alignedBuffer(bytes);
    size = bytes;
  }
  return buffer.get();
}

dnnl::memory::data_type dnnlType(DType dtype) {
  return dtype == DType::BF16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

dnnl::primitive_attr dnnlAttributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

Status withFloatOperands(const KernelCall &call, KernelFn kernel) {
  // Slot 0 is the primitives' own.
  DnnlThread &thread = DnnlThread::current();
  int slot = 1;
  auto floats = [&](const TensorView &x) {
    TensorView copy = x;
    copy.dtype = DType::F32;
    copy.data = thread.scratch(slot++, static_cast<size_t>(x.elements()) * sizeof(float));
    return copy;
  };
  std::vector<TensorView> inputs;
  for (const TensorView &input : call.inputs) {
    inputs.push_back(floats(input));
    widen(input.dtype, input.data, inputs.back().as<float>(), input.elements());
  }
  const TensorView &y = call.outputs[0];
  TensorView output = floats(y);
  Status status = kernel({inputs, {&output, 1}, call.ints, call.floats});
  if (status.ok())
    narrow(y.dtype, output.as<float>(), y.data, y.elements());
  return status;
}

} // namespace llmpar::rt
