//===- ProbeAttention.cpp - Fused attention of this machine -----------------===//
//
// One query row against few keys gives the launch, many heads of one such row what a head costs, and square ones of a
// few heads the rest, as a share of the peak of products. All with a mask that is added, as models have it.
//
//===----------------------------------------------------------------------===//
#include "Probe.h"

#include "llvm/ADT/STLExtras.h"
#include <algorithm>

namespace llmpar::tool {
namespace {

constexpr int64_t width = 64; ///< of a head

struct Attention {
  int64_t heads, rows, keys;
  size_t record = 0;
  double seconds = 0;

  double flops() const { return 4.0 * static_cast<double>(heads * rows * keys * width); }
  double bytes() const {
    return 4.0 * static_cast<double>(heads * ((2 * rows + 2 * keys) * width + rows) + rows * keys);
  }
};

bool measure(llvm::MutableArrayRef<Attention> calls, Failure &failure) {
  ProbeProgram program(1);
  for (Attention &call : calls)
    for (int repeats = 2; repeats > 0; --repeats) {
      program.disturb();
      auto tensor = [&](int64_t rows) { return program.activation(typeText({call.heads, rows, width})); };
      call.record = program.record({.kernel = "attention",
                                    .inputs = {tensor(call.rows), tensor(call.keys), tensor(call.keys),
                                               program.activation(typeText({call.rows, call.keys}))},
                                    .outputs = {tensor(call.rows), program.activation(typeText({call.heads, call.rows}))},
                                    .ints = {0, 0},
                                    .floats = {0.125, -1e30}});
    }
  if (!program.timeRecords({.seconds = 0.5, .least = 8, .most = 200}, failure))
    return false;
  for (Attention &call : calls)
    call.seconds = program.seconds(call.record);
  return true;
}

} // namespace

bool probeAttention(DeviceSpec &device, Failure &failure) {
  std::vector<Attention> calls = {{1, 1, 8}, {64, 1, 8}};
  for (int64_t size : {8, 16, 32, 64, 128, 256, 512})
    calls.push_back({4, size, size});
  if (!measure(calls, failure))
    return false;
  double peak = device.peakFlopsPerSecond.at(DType::F32), bandwidth = device.memoryBandwidthBytesPerSecond;
  KernelSpeed speed;
  speed.launchSeconds = calls[0].seconds;
  speed.runSeconds = std::max(0.0, (calls[1].seconds - calls[0].seconds) / static_cast<double>(calls[1].heads - 1));
  speed.bandwidthEfficiency.points = {{1, 1.0}};
  for (const Attention &call : llvm::drop_begin(calls, 2)) {
    double arithmetic = call.seconds - speed.launchSeconds - static_cast<double>(call.heads) * speed.runSeconds - call.bytes() / bandwidth;
    speed.flopsEfficiency.points.push_back({call.flops(), std::clamp(call.flops() / peak / std::max(arithmetic, 1e-12), 0.01, 1.1)});
  }
  device.kernels["attention"] = speed;
  return true;
}

} // namespace llmpar::tool
