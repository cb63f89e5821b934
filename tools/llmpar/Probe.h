//===- Probe.h - Measuring this machine -------------------------*- C++ -*-===//
//
// Each part measures kernels in programs of their own (ProbeProgram.h) and writes the fields of a cluster that
// the cost model reads; docs/clusters.md says what is measured and how it is turned into figures.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TOOLS_PROBE_H
#define LLMPAR_TOOLS_PROBE_H

#include "ProbeProgram.h"
#include "Progress.h"
#include "llmpar/Cost/Cluster.h"

namespace llmpar::tool {

/// Memory bandwidth of one device and of all, the launch floor, the time of an empty step.
bool probeHost(Cluster &cluster, Failure &failure);
/// Peaks of the types and the three kinds of matrix products. After probeHost.
bool probeMatmul(DeviceSpec &device, Failure &failure);
/// Attention that keeps no scores, its gradient, mixtures of experts. After probeMatmul.
bool probeProducts(DeviceSpec &device, Failure &failure);
/// Kernels that are bound by memory or by a polynomial for each element. After probeHost.
bool probeKernels(DeviceSpec &device, Failure &failure);
/// Every collective among each number of members that divides the devices. Nothing for one device.
bool probeCollectives(Cluster &cluster, Failure &failure);

/// All of them on `devices` CPU devices; takes less than a minute on an idle machine.
bool probeMachine(int64_t devices, Progress &progress, Cluster &cluster, Failure &failure);

/// "4x8xf32"
std::string typeText(std::initializer_list<int64_t> extents, const char *element = "f32");

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_PROBE_H
