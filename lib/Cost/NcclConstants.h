//===- NcclConstants.h - The constants of NCCL's tuning model ---*- C++ -*-===//
//
// All constants of NcclCost.cpp. Unless said otherwise they are those of NCCL 2.30 (src/graph/tuning.cc, its names in
// brackets). The speed of a link is no constant: it is the cluster's bandwidth, efficiency and latency.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_COST_NCCLCONSTANTS_H
#define LLMPAR_LIB_COST_NCCLCONSTANTS_H

#include <cstddef>
#include <cstdint>

namespace llmpar::nccl {

/// How data is marked as arrived: LL a flag in every 8 bytes, LL128 in every 128 bytes, Simple after every chunk.
enum class Protocol : uint8_t { LL, LL128, Simple };
inline constexpr const char *protocolNames[] = {"LL", "LL128", "Simple"};

/// Microseconds, by protocol.
struct Latencies {
  double ll, ll128, simple;
  constexpr double at(Protocol p) const { return p == Protocol::LL ? ll : p == Protocol::LL128 ? ll128 : simple; }
};

// Launch of the kernel and its first synchronisation [baseLatencies].
inline constexpr Latencies ringBase = {6.6, 14.0, 8.4}, treeBase = {6.8, 14.0, 8.4};

// One hop over NVLink, and between nodes with adapters [hwLatencies]. They hold for links whose own latency is the
// reference below; a cluster's latencySeconds scales them.
inline constexpr Latencies ringHopNode = {0.6, 1.9, 3.4}, treeHopNode = {0.6, 1.25, 4.0};
inline constexpr Latencies ringHopNetwork = {2.7, 4.0, 14.0}, treeHopNetwork = {5.0, 8.5, 14.0};
inline constexpr double referenceHopNode = 0.6, referenceHopNetwork = 2.7;

// Reduction inside of the switch: one pass whatever the number of members [hwLatencies: NVLS, NVLSTree].
inline constexpr double switchReductionNode = 25, switchReductionNetwork = 18, switchTreeHopNetwork = 20.9;

// Posting one step to the network proxy, which also steps inside of a node wait for [getNetOverhead, x3 for Simple].
inline constexpr Latencies networkPost = {1, 1, 3};
/// More latency of ring/Simple over several nodes once chunks fill the buffers [plateau effect].
inline constexpr double ringPlateau = 1.4;
/// One more peer to issue a message to [arity serialization].
inline constexpr double peerIssue = 0.4;

// Share of the link's bandwidth that is payload.
inline constexpr double llShare = 0.5;     ///< 4 of 8 bytes are flags
inline constexpr double ll128Share = 0.92; ///< 120 of 128 bytes, measured 0.92
inline constexpr double treeShare = 0.92;  ///< chunks are smaller than a ring's
inline constexpr double treeLlShare = 1 / 3.8, treeLl128ShareNode = 7.0 / 9, treeLl128ShareNetwork = 120.0 / 128;

// LL is bound by the flag checks of the SMs, not by the link. As a share of the link's rate NCCL's limits agree over
// generations [llMaxBws]: 87.7 of 300, 141 of 450, 282 of 900 GB/s; between nodes 19 of 200, 35 of 400, 70 of 800.
inline constexpr double llLimitNode = 0.31, llLimitNetwork = 0.09;

/// Share of the link's bandwidth that reduction in the switch reaches [nvlsEfficiency: Hopper, Blackwell].
constexpr double switchShare(double linkBytesPerSecond) { return linkBytesPerSecond <= 450e9 ? 0.85 : 0.74; }
/// Buffers between the reducing and the broadcasting half: 16 channels x 8 slots x 128 KiB. A message that fits has no
/// overlap of the halves. [nvlsChannels, NCCL_STEPS, nvlsChunkSize]
inline constexpr double switchPipelineBytes = 16.0 * 8 * (128 << 10);

/// Share of a tree's bandwidth at 64 B, 128 B, ... 256 MiB, by protocol [treeCorrectionFactor].
inline constexpr size_t treeCorrectionCount = 23;
inline constexpr double treeCorrection[3][treeCorrectionCount] = {
    {1, 1, 1, 1, .9, .8, .7, .7, .7, .7, .6, .5, .4, .4, .5, .6, .7, .8, .9, 1, 1, 1, 1},
    {1, 1, 1, 1, 1, .9, .8, .8, .8, .7, .6, .6, .6, .6, .6, .6, .8, .9, .9, .9, .9, 1, 1},
    {.9, .9, .9, .9, .9, .9, .9, .8, .7, .6, .6, .5, .5, .5, .5, .6, .7, .8, .7, .7, .8, .9, .9}};

} // namespace llmpar::nccl

#endif // LLMPAR_LIB_COST_NCCLCONSTANTS_H
