//===- Cluster.h - The machines that a model runs on ------------*- C++ -*-===//
//
// Devices in rank order, and network dimensions from the inside out: rank r has coordinate
// r % size0 in the first, (r / size0) % size1 in the second, and so on.
//
//   two DGX H100: network = {{"nvlink", Switch, 8, 450e9, ...}, {"infiniband", Switch, 2, 50e9, ...}}
//     ranks 0..7 share the first NVLink domain; rank 0 and rank 8 meet over InfiniBand.
//
// docs/clusters.md describes the files; lib/Cost/clusters holds those that are shipped.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_COST_CLUSTER_H
#define LLMPAR_COST_CLUSTER_H

#include "llmpar/Abi/DType.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <map>
#include <optional>
#include <string>

namespace llmpar {

using Seconds = double;
using Bytes = double;

/// What a cluster file means where it says nothing. The one place of these figures.
namespace clusterDefaults {
/// Of the data sheet's peak. BERT-large in TensorRT reaches 62-72 % on A100, the best products 80 % on H100.
inline constexpr double matmulEfficiency = 0.7;
/// Of the data sheet's memory bandwidth. Decoding of Llama-2-7B reaches 69 % on A100, 83 % of what a copy does.
inline constexpr double bandwidthEfficiency = 0.8;
/// The shortest kernel of a stream without graph capture.
inline constexpr Seconds launchSeconds = 7e-6;
/// Of a link's bandwidth in one direction. NCCL's ring reaches 82 % on NVLink 4, an all-reduce between nodes 74 %.
inline constexpr double networkEfficiency = 0.8;
} // namespace clusterDefaults

/// A fraction of a peak that depends on the size of the work: a straight line in log(fraction) over log(size)
/// between points, flat outside.
struct EfficiencyCurve {
  struct Point {
    double size;     ///< FLOPs or bytes
    double fraction; ///< of the peak: (0, 1.5] of a product's, (0, 1000] of a bandwidth (caches exceed memory's)
  };
  llvm::SmallVector<Point, 8> points; ///< sorted by size; empty: 1
  double at(double size) const;
};

/// Kernels whose speed is described together. What a kernel of Kernels.def belongs to is in OpCost.h.
enum class KernelClass : uint8_t { Matmul, Elementwise, Transcendental, Rows, Move };

/// What one kernel takes, measured: launch + runs * run + flops / (peak * f(flops)) + bytes / (bandwidth * b(bytes)).
/// A sum, because a processor core does one after the other; at least the device's launch. FLOPs count only for matrix products.
struct KernelSpeed {
  Seconds launchSeconds = 0;
  Seconds runSeconds = 0; ///< of each contiguous run of elements that the kernel treats at once: a row, a batch
  EfficiencyCurve flopsEfficiency, bandwidthEfficiency;
};

/// The key of a kernel in DeviceSpec::kernels: "softmax", "unary gelu", "binary add".
std::string measuredKernelName(llvm::StringRef kernel, llvm::StringRef kind = "");
/// The runtime has products of their own for at most so many rows.
constexpr int64_t fewRows = 8;
/// The key of a product of `rows` rows (of the left operand, without batches) with a weight or an activation:
/// "matmul few_rows" up to `fewRows`, else "matmul weight" or "matmul".
std::string measuredMatmulName(int64_t rows, bool isWeight);
/// The key of attention, its gradient or a mixture of experts, whose products (of one head, one expert) have `rows` rows:
/// "attention few_rows" or "attention".
std::string measuredProductsName(llvm::StringRef kernel, double rows);
/// Every key that there may be.
llvm::ArrayRef<std::string> measuredKernelNames();

struct DeviceSpec {
  std::string name;
  std::map<DType, double> peakFlopsPerSecond; ///< of matrix products
  double vectorFlopsPerSecond = 0;            ///< of everything else
  int64_t memoryBytes = 0;
  double memoryBandwidthBytesPerSecond = 0;
  Seconds launchSeconds = 0;                  ///< floor of one kernel
  EfficiencyCurve matmulEfficiency;           ///< by FLOPs of the call
  std::map<KernelClass, EfficiencyCurve> bandwidthEfficiency; ///< by bytes of the call; parsed: of every class
  std::map<std::string, KernelSpeed> kernels; ///< those that were measured; the others follow their class
};

enum class CollectiveKind : uint8_t { AllReduce, ReduceScatter, AllGather, AllToAll };

/// Measured times of one collective. They include the wait for the slowest of balanced members.
struct MeasuredCollective {
  CollectiveKind kind = CollectiveKind::AllReduce;
  int64_t members = 2;
  struct Point {
    Bytes bytes; ///< as in collectiveTime
    Seconds seconds;
  };
  llvm::SmallVector<Point, 8> points; ///< sorted by bytes, at least one
  /// A straight line in log(seconds) over log(bytes); flat before the first point, in proportion to bytes behind the last.
  Seconds at(Bytes bytes) const;
};

/// What a step of so many CPU devices takes beside their records: the caller wakes their threads and learns that all
/// have ended.
struct StepOverhead {
  int64_t ranks = 1;
  Seconds seconds = 0;
};

enum class Topology : uint8_t { Ring, Switch, SharedMemory };

struct NetworkDimension {
  std::string name;
  Topology topology = Topology::Switch;
  int64_t size = 1;                   ///< members
  double bandwidthBytesPerSecond = 0; ///< of one device, one direction
  Seconds latencySeconds = 0;         ///< of one hop
  double efficiency = 1;              ///< of the bandwidth that large messages reach
  bool inNetworkReduction = false;    ///< NVLink SHARP and its like
  llvm::SmallVector<MeasuredCollective, 0> measured; ///< where there are any, they replace the formulas

  /// Null if this collective was not measured among so many members.
  const MeasuredCollective *findMeasured(CollectiveKind kind, int64_t members) const;
};

struct DeviceGroup {
  int64_t count = 0; ///< of consecutive ranks
  DeviceSpec device;
};

struct Cluster {
  std::string name;
  llvm::SmallVector<DeviceGroup, 1> devices; ///< counts sum to the network's size
  llvm::SmallVector<NetworkDimension, 3> network;
  int64_t hostMemoryBytes = 0;
  // What CPU devices of one machine share; 0: nothing.
  double hostCores = 0;                         ///< more busy devices take turns; two threads of one core are less than 2
  double hostMemoryBandwidthBytesPerSecond = 0; ///< of all devices together
  llvm::SmallVector<StepOverhead, 4> stepOverheads; ///< sorted by ranks; none: nothing
  std::optional<NetworkDimension> scaleOut; ///< what joins several of these; its size means nothing

  /// Number of devices.
  int64_t ranks() const;
  /// Of a step on `ranks` devices: a straight line between those that are stated, in proportion to ranks behind the
  /// last one.
  Seconds stepSeconds(int64_t ranks) const;
  /// Device of a rank of [0, ranks()).
  const DeviceSpec &device(int64_t rank) const;
};

/// The cluster as it is while `busyRanks` of its devices compute at once: cores and memory bandwidth of the
/// host are divided among them, launches take as much longer. The same cluster if nothing is shared.
Cluster whenBusy(const Cluster &cluster, int64_t busyRanks);

/// Whether collectives run beside kernels: always on accelerators; CPU devices move bytes themselves, and do it in a
/// second thread where the host has two cores for each rank (as the runtime's `--lanes=auto`).
bool overlapsCommunication(const Cluster &cluster, int64_t ranks);

/// The text of a cluster file. Errors carry line and column: an unknown key, a quantity without its unit
/// ("450 GB/s", "80 GiB", "989 TFLOP/s", "2 us"), a bandwidth of zero, counts that do not match the network.
llvm::Expected<Cluster> parseCluster(llvm::StringRef text, llvm::StringRef fileName);
/// Inverse of parseCluster.
std::string writeCluster(const Cluster &cluster);

/// "dgx-h100", "4x dgx-h100", "cpu-4"; else a path of a file, also behind "4x ". Errors list what is shipped.
llvm::Expected<Cluster> findCluster(llvm::StringRef nameOrPath);
/// Its file, comments and all; several nodes as writeCluster writes them. Errors are findCluster's.
llvm::Expected<std::string> clusterText(llvm::StringRef nameOrPath);
/// Names that findCluster knows; N stands for a number of devices ("cpu-N").
llvm::SmallVector<llvm::StringRef> shippedClusters();

} // namespace llmpar

#endif // LLMPAR_COST_CLUSTER_H
