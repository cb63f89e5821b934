//===- Convolution.cpp - conv, pool -----------------------------*- C++ -*-===//
//
// oneDNN chooses the layouts of a convolution; operands are reordered into
// them and the result back. Primitives are cached per thread by shapes and
// attributes. What oneDNN has no kernel for goes to the reference kernel.
//
//===----------------------------------------------------------------------===//
#include "cpu/CpuKernels.h"
#include "cpu/Dnnl.h"
#include "cpu/Rows.h"
#include "reference/Loops.h"
#include "reference/Reference.h"

namespace llmpar::rt::cpu {
namespace {
using Desc = dnnl::memory::desc;
using Extents = dnnl::memory::dims;

Desc denseDesc(const Extents &extents, DType dtype) {
  Dims strides = denseStrides(extents);
  return Desc(extents, dnnlType(dtype), Extents(strides.begin(), strides.begin() + extents.size()));
}
Desc anyDesc(const Extents &extents, DType dtype) {
  return Desc(extents, dnnlType(dtype), dnnl::memory::format_tag::any);
}
/// N C spatial.. with the channels innermost in memory.
Desc channelsLastDesc(const Extents &extents, DType dtype) {
  Extents moved(extents.begin() + 2, extents.end()), strides(extents.size());
  moved.insert(moved.begin(), extents[0]);
  moved.push_back(extents[1]);
  Dims dense = denseStrides(moved);
  strides[0] = dense[0];
  strides[1] = 1;
  for (size_t i = 2; i < extents.size(); ++i)
    strides[i] = dense[i - 1];
  return Desc(extents, dnnlType(dtype), strides);
}
Extents extentsOf(const TensorView &x) { return Extents(x.dims.begin(), x.dims.begin() + x.rank); }

DnnlKey keyOf(const KernelCall &call) {
  DnnlKey key = {static_cast<int64_t>(call.outputs[0].dtype), static_cast<int64_t>(call.inputs.size())};
  auto add = [&](const TensorView &x) { key.insert(key.end(), x.shape().begin(), x.shape().end()); };
  add(call.inputs[0]);
  if (call.inputs.size() > 1)
    add(call.inputs[1]);
  add(call.outputs[0]);
  key.insert(key.end(), call.ints.begin(), call.ints.end());
  return key;
}

/// The padding at the end that makes exactly y's extent: what is left over of a stride does not count.
Extents exactPadding(const TensorView &x, const TensorView &y, const Extents &window, const Extents &strides,
                     const Extents &begin, const Extents &dilations) {
  Extents end(window.size());
  for (size_t i = 0; i < window.size(); ++i)
    end[i] = (y.dims[i + 2] - 1) * strides[i] + (window[i] - 1) * dilations[i] + 1 - x.dims[i + 2] - begin[i];
  return end;
}

/// `memory` as it is, or reordered into `desc` in scratch slot `slot`.
dnnl::memory inLayout(dnnl::memory memory, const Desc &desc, int slot) {
  if (memory.get_desc() == desc)
    return memory;
  DnnlThread &thread = DnnlThread::current();
  dnnl::memory reordered(desc, dnnlEngine(), thread.scratch(slot, desc.get_size()));
  dnnl::reorder(memory, reordered).execute(thread.stream, memory, reordered);
  return reordered;
}

constexpr int firstSlot = 16; // below: withFloatOperands

struct CachedConv {
  bool supported = false;
  dnnl::convolution_forward::primitive_desc desc;
  dnnl::convolution_forward primitive;
  Desc x, w, bias, y;
};

CachedConv makeConv(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
  auto spatial = static_cast<size_t>(x.rank - 2);
  int64_t group = call.ints[0];
  auto attribute = [&](size_t which) {
    auto values = call.ints.subspan(1 + which * spatial, spatial);
    return Extents(values.begin(), values.end());
  };
  Extents strides = attribute(0), begin = attribute(1), dilations = attribute(3), window(spatial),
          wExtents = extentsOf(w);
  for (size_t i = 0; i < spatial; ++i)
    window[i] = w.dims[i + 2];
  Extents end = exactPadding(x, y, window, strides, begin, dilations);
  for (int64_t &dilation : dilations)
    --dilation; // oneDNN counts the gaps
  if (group > 1) {
    wExtents[0] /= group;
    wExtents.insert(wExtents.begin(), group);
  }
  CachedConv made;
  made.x = denseDesc(extentsOf(x), x.dtype);
  made.w = denseDesc(wExtents, w.dtype);
  made.y = denseDesc(extentsOf(y), y.dtype);
  bool hasBias = call.inputs.size() > 2;
  if (hasBias)
    made.bias = denseDesc({y.dims[1]}, y.dtype);
  Desc anyX = anyDesc(extentsOf(x), x.dtype), anyW = anyDesc(wExtents, w.dtype), anyY = anyDesc(extentsOf(y), y.dtype);
  try {
    using Conv = dnnl::convolution_forward;
    auto inference = dnnl::prop_kind::forward_inference;
    auto direct = dnnl::algorithm::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
    made.desc = hasBias ? Conv::primitive_desc(dnnlEngine(), inference, direct, anyX, anyW, made.bias, anyY, strides,
                                               dilations, begin, end, dnnlAttributes())
                        : Conv::primitive_desc(dnnlEngine(), inference, direct, anyX, anyW, anyY, strides, dilations,
                                               begin, end, dnnlAttributes());
#else
    auto operation = hasBias
                         ? Conv::desc(inference, direct, anyX, anyW, made.bias, anyY, strides, dilations, begin, end)
                         : Conv::desc(inference, direct, anyX, anyW, anyY, strides, dilations, begin, end);
    made.desc = Conv::primitive_desc(operation, dnnlAttributes(), dnnlEngine());
#endif
  } catch (const dnnl::error &) {
    return made;
  }
  made.primitive = dnnl::convolution_forward(made.desc);
  made.supported = true;
  return made;
}

struct CachedPool {
  bool supported = false;
  dnnl::pooling_forward::primitive_desc desc;
  dnnl::pooling_forward primitive;
  Desc x, y;                         ///< as in memory
  Desc xChannelsLast, yChannelsLast; ///< as pooled: oneDNN has vector code for this order
};

CachedPool makePool(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  auto spatial = static_cast<size_t>(x.rank - 2);
  auto attribute = [&](size_t which) {
    auto values = call.ints.subspan(1 + which * spatial, spatial);
    return Extents(values.begin(), values.end());
  };
  Extents window = attribute(0), strides = attribute(1), begin = attribute(2), given = attribute(3),
          dilations = attribute(4);
  Extents end = exactPadding(x, y, window, strides, begin, dilations);
  CachedPool made;
  for (size_t i = 0; i < spatial; ++i) {
    // Windows that oneDNN counts in another way: dilated, outside x as a whole, or rounded up past the padding.
    bool past = call.ints[0] == 2 && end[i] > given[i];
    if (dilations[i] != 1 || past || begin[i] >= window[i] || end[i] >= window[i])
      return made;
  }
  made.x = denseDesc(extentsOf(x), x.dtype);
  made.y = denseDesc(extentsOf(y), y.dtype);
  made.xChannelsLast = channelsLastDesc(extentsOf(x), x.dtype);
  made.yChannelsLast = channelsLastDesc(extentsOf(y), y.dtype);
  auto algorithm = call.ints[0] == 0   ? dnnl::algorithm::pooling_max
                   : call.ints[0] == 1 ? dnnl::algorithm::pooling_avg_exclude_padding
                                       : dnnl::algorithm::pooling_avg_include_padding;
  try {
    using Pool = dnnl::pooling_forward;
    auto inference = dnnl::prop_kind::forward_inference;
#if DNNL_VERSION_MAJOR >= 3
    made.desc = Pool::primitive_desc(dnnlEngine(), inference, algorithm, made.xChannelsLast, made.yChannelsLast,
                                     strides, window, Extents(spatial, 0), begin, end, dnnlAttributes());
#else
    made.desc = Pool::primitive_desc(
        Pool::desc(inference, algorithm, made.xChannelsLast, made.yChannelsLast, strides, window, begin, end),
        dnnlAttributes(), dnnlEngine());
#endif
  } catch (const dnnl::error &) {
    return made;
  }
  made.primitive = dnnl::pooling_forward(made.desc);
  made.supported = true;
  return made;
}

bool hasFloatOperands(const KernelCall &call) {
  for (const TensorView &x : call.inputs)
    if (x.dtype != call.outputs[0].dtype || x.elements() == 0)
      return false;
  return isNarrowable(call.outputs[0].dtype) && call.outputs[0].elements() > 0;
}

template <typename Cached, typename Make> Cached &cachedBy(const KernelCall &call, Make &&make) {
  thread_local std::unordered_map<DnnlKey, Cached, DnnlKeyHash> cache;
  DnnlKey key = keyOf(call);
  auto found = cache.find(key);
  if (found == cache.end()) {
    DnnlThread::current();
    found = cache.emplace(std::move(key), make(call)).first;
  }
  return found->second;
}

} // namespace

Status conv(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &w = call.inputs[1], &y = call.outputs[0];
  if (!hasFloatOperands(call))
    return reference::conv(call);
  if (y.dtype == DType::F16)
    return withFloatOperands(call, conv);
  return guarded("conv", [&] {
    auto &[supported, desc, primitive, xDesc, wDesc, biasDesc, yDesc] = cachedBy<CachedConv>(call, makeConv);
    if (!supported)
      return y.dtype == DType::F32 ? reference::conv(call) : withFloatOperands(call, conv);
    dnnl::engine &engine = dnnlEngine();
    DnnlThread &thread = DnnlThread::current();
    dnnl::memory result(yDesc, engine, y.data), target = result;
    if (desc.dst_desc() != yDesc)
      target = dnnl::memory(desc.dst_desc(), engine, thread.scratch(firstSlot, desc.dst_desc().get_size()));
    std::unordered_map<int, dnnl::memory> arguments = {
        {DNNL_ARG_SRC, inLayout(dnnl::memory(xDesc, engine, x.data), desc.src_desc(), firstSlot + 1)},
        {DNNL_ARG_WEIGHTS, inLayout(dnnl::memory(wDesc, engine, w.data), desc.weights_desc(), firstSlot + 2)},
        {DNNL_ARG_DST, target}};
    if (call.inputs.size() > 2)
      arguments.insert({DNNL_ARG_BIAS, dnnl::memory(biasDesc, engine, call.inputs[2].data)});
    executeDnnl(primitive, desc, std::move(arguments));
    if (desc.dst_desc() != yDesc)
      dnnl::reorder(target, result).execute(thread.stream, target, result);
    thread.stream.wait();
    return Status::success();
  });
}

Status pool(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &y = call.outputs[0];
  if (!hasFloatOperands(call))
    return reference::pool(call);
  if (y.dtype != DType::F32)
    return withFloatOperands(call, pool);
  return guarded("pool", [&] {
    auto &[supported, desc, primitive, xDesc, yDesc, xPooled, yPooled] = cachedBy<CachedPool>(call, makePool);
    if (!supported)
      return reference::pool(call);
    dnnl::engine &engine = dnnlEngine();
    DnnlThread &thread = DnnlThread::current();
    dnnl::memory result(yDesc, engine, y.data), target(yPooled, engine, thread.scratch(firstSlot, yPooled.get_size()));
    executeDnnl(primitive, desc,
                {{DNNL_ARG_SRC, inLayout(dnnl::memory(xDesc, engine, x.data), xPooled, firstSlot + 1)},
                 {DNNL_ARG_DST, target}});
    dnnl::reorder(target, result).execute(thread.stream, target, result);
    thread.stream.wait();
    return Status::success();
  });
}

} // namespace llmpar::rt::cpu
