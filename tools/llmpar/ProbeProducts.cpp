//===- ProbeProducts.cpp - Kernels that make several products ---------------===//
//
// Fused attention and its gradient make products for each head, a mixture of experts for each expert. One small run gives
// the launch, many of them what a run costs, and a few larger and larger ones the rest, as a share of the peak of
// products. Those with few rows are kernels of their own, as in ProbeMatmul.
//
//===----------------------------------------------------------------------===//
#include "Probe.h"

#include "reference/Kinds.h"

#include "llvm/ADT/STLExtras.h"
#include <algorithm>

namespace llmpar::tool {
namespace {

/// `runs` heads or experts, each with `rows` rows against `keys` keys (of experts: that many features inside).
struct Call {
  int64_t runs, rows, keys, width;
  double flops = 0, bytes = 0;
  double seconds = 0;
};

/// A record of the call, with its FLOPs and bytes.
using Describe = ProbeRecord (*)(ProbeProgram &program, Call &call);

/// Bytes of all operands; FLOPs of `products` products of rows, keys and width in each run.
void count(Call &call, const ProbeRecord &record, double products) {
  call.flops = products * 2.0 * static_cast<double>(call.runs * call.rows * call.keys * call.width);
  for (const std::vector<ProbeBuffer> *buffers : {&record.inputs, &record.outputs})
    for (const ProbeBuffer &buffer : *buffers)
      call.bytes += static_cast<double>(buffer.bytes);
}

/// With a mask that is added, as models have it.
ProbeRecord attention(ProbeProgram &program, Call &call) {
  auto tensor = [&](int64_t rows) { return program.activation(typeText({call.runs, rows, call.width})); };
  ProbeRecord record{.kernel = "attention",
                     .inputs = {tensor(call.rows), tensor(call.keys), tensor(call.keys),
                                program.activation(typeText({call.rows, call.keys}))},
                     .outputs = {tensor(call.rows), program.activation(typeText({call.runs, call.rows}))},
                     .ints = {0, 0},
                     .floats = {0.125, -1e30}};
  count(call, record, 2);
  return record;
}

ProbeRecord attentionGrad(ProbeProgram &program, Call &call) {
  ProbeRecord forward = attention(program, call);
  auto tensor = [&](int64_t rows) { return program.activation(typeText({call.runs, rows, call.width})); };
  ProbeRecord record{.kernel = "attention_grad",
                     .inputs = {forward.inputs[0], forward.inputs[1], forward.inputs[2], forward.outputs[0], forward.outputs[1],
                                tensor(call.rows), forward.inputs[3]},
                     .outputs = {tensor(call.rows), tensor(call.keys), tensor(call.keys)},
                     .ints = forward.ints,
                     .floats = forward.floats};
  program.record(std::move(forward)); // its lse is one of these scores
  call.bytes = 0;
  count(call, record, 5);
  return record;
}

/// Gated; every token takes every expert.
ProbeRecord experts(ProbeProgram &program, Call &call) {
  constexpr int64_t silu = static_cast<int64_t>(rt::UnaryKind::silu);
  auto tokens = [&](int64_t features) { return program.activation(typeText({call.rows, features})); };
  auto weights = [&](int64_t rows, int64_t columns) { return program.weight(typeText({call.runs, rows, columns})); };
  ProbeRecord record{.kernel = "experts",
                     .inputs = {tokens(call.width), tokens(call.runs), weights(call.keys, call.width),
                                weights(call.width, call.keys), weights(call.keys, call.width)},
                     .outputs = {tokens(call.width)},
                     .ints = {silu},
                     .floats = {1, 0}};
  count(call, record, 3);
  return record;
}

bool measure(llvm::MutableArrayRef<Call> calls, Describe describe, Failure &failure) {
  ProbeProgram program(1);
  std::vector<size_t> records;
  for (Call &call : calls) {
    ProbeRecord record = describe(program, call);
    for (int repeats = 2; repeats > 0; --repeats) {
      program.disturb();
      records.resize(records.size() + (repeats == 2));
      records.back() = program.record(record);
    }
  }
  if (!program.timeRecords({.seconds = 0.5, .least = 8, .most = 200}, failure))
    return false;
  for (auto [call, record] : llvm::zip_equal(calls, records))
    call.seconds = program.seconds(record);
  return true;
}

/// `calls`: one small run, many of them, and larger ones.
KernelSpeed fit(const DeviceSpec &device, const EfficiencyCurve &bandwidth, llvm::ArrayRef<Call> calls) {
  double peak = device.peakFlopsPerSecond.at(DType::F32);
  auto memory = [&](const Call &call) { return call.bytes / (device.memoryBandwidthBytesPerSecond * bandwidth.at(call.bytes)); };
  auto rest = [&](const Call &call) { return call.seconds - memory(call) - call.flops / peak; };
  KernelSpeed speed;
  speed.bandwidthEfficiency = bandwidth;
  const Call &one = calls[0], &many = calls[1];
  speed.runSeconds = std::max(0.0, (rest(many) - rest(one)) / static_cast<double>(many.runs - one.runs));
  speed.launchSeconds = std::max(device.launchSeconds, rest(one) - static_cast<double>(one.runs) * speed.runSeconds);
  for (const Call &call : llvm::drop_begin(calls, 2)) {
    double arithmetic = call.seconds - memory(call) - speed.launchSeconds - static_cast<double>(call.runs) * speed.runSeconds;
    speed.flopsEfficiency.points.push_back({call.flops, std::clamp(call.flops / peak / std::max(arithmetic, 1e-12), 0.01, 1.1)});
  }
  return speed;
}

} // namespace

bool probeProducts(DeviceSpec &device, Failure &failure) {
  constexpr int64_t manyRows = 16;
  const EfficiencyCurve memory{{{1, 1.0}}}, weights = device.kernels.at("matmul weight").bandwidthEfficiency;
  struct Kernel {
    std::string name;
    Describe describe;
    const EfficiencyCurve &bandwidth;
    std::vector<Call> calls;
  };
  auto squares = [](std::initializer_list<int64_t> sizes) {
    std::vector<Call> calls = {{1, manyRows, manyRows, 16}, {64, manyRows, manyRows, 16}};
    for (int64_t size : sizes)
      calls.push_back({4, size, size, 64});
    return calls;
  };
  Kernel kernels[] = {
      {measuredProductsName("attention", 1), attention, memory, {{1, 1, 16, 16}, {64, 1, 16, 16}, {4, 8, 16, 64}, {4, 8, 64, 64}, {4, 8, 256, 64}, {4, 8, 1024, 64}}},
      {measuredProductsName("attention", manyRows), attention, memory, squares({16, 32, 64, 128, 256, 512})},
      {measuredProductsName("attention_grad", manyRows), attentionGrad, memory, squares({16, 32, 64, 128, 256, 512})},
      {measuredProductsName("experts", 1), experts, weights, {{1, 1, 16, 16}, {64, 1, 16, 16}, {4, 8, 64, 64}, {4, 8, 128, 128}, {4, 8, 512, 128}}},
      {measuredProductsName("experts", manyRows), experts, weights, {{1, manyRows, 16, 16}, {64, manyRows, 16, 16}, {4, 16, 64, 64}, {4, 16, 128, 128}, {4, 64, 256, 128}, {4, 256, 256, 256}}},
  };
  for (Kernel &kernel : kernels) {
    if (!measure(kernel.calls, kernel.describe, failure))
      return false;
    device.kernels[kernel.name] = fit(device, kernel.bandwidth, kernel.calls);
  }
  return true;
}

} // namespace llmpar::tool
