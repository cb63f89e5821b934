//===- ProbeCollectives.cpp - Collectives between threads of this machine ---===//
//
// Every kind among every number of members that divides the devices; all groups work at once, as in a program. Times
// include the wait for one another, and taking turns where devices are more than cores.
//
//===----------------------------------------------------------------------===//
#include "Probe.h"

#include "reference/Kinds.h"

#include <algorithm>

namespace llmpar::tool {
namespace {

constexpr int64_t width = 64;                                                                          ///< floats in a row
constexpr int64_t sizes[] = {1 << 10, 4 << 10, 16 << 10, 32 << 10, 128 << 10, 1 << 20, 4 << 20, 16 << 20}; ///< bytes of the whole tensor

/// Extents of `rows` over `members`, as even as they can be.
std::vector<int64_t> split(int64_t rows, int64_t members) {
  std::vector<int64_t> extents;
  for (int64_t i = 0; i < members; ++i)
    extents.push_back(rows / members + (i < rows % members));
  return extents;
}

struct Sized {
  CollectiveKind kind;
  int64_t bytes;
  size_t record;
};

/// One collective of `bytes` on memory of `whole` and `other`; groups of `members`.
ProbeRecord collective(CollectiveKind kind, int64_t bytes, int64_t members, ProbeBuffer whole, ProbeBuffer other) {
  int64_t rows = std::max(members, bytes / (4 * width) / members * members); // so that every member has as much
  auto view = [](ProbeBuffer buffer, int64_t count) { return ProbeProgram::viewOf(buffer, typeText({count, width})); };
  std::vector<int64_t> extents = split(rows, members);
  auto sum = static_cast<int64_t>(rt::ReduceKind::sum);
  ProbeRecord record{"", {view(whole, rows)}, {view(other, rows / members)}, {}, {}, members};
  switch (kind) {
  case CollectiveKind::AllReduce:
    record.kernel = "all_reduce";
    record.outputs = {view(other, rows)};
    record.ints = {sum};
    return record;
  case CollectiveKind::ReduceScatter:
    record.kernel = "reduce_scatter";
    record.ints = {sum, 0};
    break;
  case CollectiveKind::AllGather:
    record.kernel = "all_gather";
    record.ints = {0};
    std::swap(record.inputs, record.outputs);
    break;
  case CollectiveKind::AllToAll: // rows to columns: [rows, width] -> [members * rows, width / members]
    record.kernel = "all_to_all";
    break;
  }
  if (kind == CollectiveKind::AllToAll) {
    int64_t columns = std::max<int64_t>(1, width / members), local = rows * width / (columns * members);
    record.inputs = {ProbeProgram::viewOf(whole, typeText({local, columns * members}))};
    record.outputs = {ProbeProgram::viewOf(other, typeText({local * members, columns}))};
    record.ints = {1, 0};
    std::vector<int64_t> splits(static_cast<size_t>(members), columns), concats(static_cast<size_t>(members), local);
    record.ints.insert(record.ints.end(), splits.begin(), splits.end());
    extents = concats;
  }
  record.ints.insert(record.ints.end(), extents.begin(), extents.end());
  return record;
}

bool measure(int64_t ranks, int64_t members, NetworkDimension &dimension, Failure &failure) {
  constexpr CollectiveKind kinds[] = {CollectiveKind::AllReduce, CollectiveKind::ReduceScatter, CollectiveKind::AllGather, CollectiveKind::AllToAll};
  ProbeProgram program(ranks);
  int64_t room = sizes[std::size(sizes) - 1] + 4 * width * members;
  ProbeBuffer whole = program.activation(typeText({room}, "i8")), other = program.activation(typeText({room}, "i8"));
  std::vector<Sized> points;
  for (CollectiveKind kind : kinds)
    for (int64_t bytes : sizes) {
      size_t last = 0;
      for (int repeats = bytes < (1 << 20) ? 4 : 2; repeats > 0; --repeats)
        last = program.record(collective(kind, bytes, members, whole, other));
      points.push_back({kind, bytes, last});
    }
  if (!program.timeRecords({.seconds = 2.5, .least = 10, .most = 200}, failure))
    return false;
  for (CollectiveKind kind : kinds) {
    MeasuredCollective &measured = dimension.measured.emplace_back();
    measured.kind = kind;
    measured.members = members;
    for (const Sized &point : points)
      if (point.kind == kind)
        measured.points.push_back({static_cast<double>(point.bytes), program.seconds(point.record)});
  }
  return true;
}

} // namespace

bool probeCollectives(Cluster &cluster, Failure &failure) {
  int64_t ranks = cluster.ranks();
  if (ranks < 2)
    return true;
  NetworkDimension dimension;
  dimension.name = "memory";
  dimension.topology = Topology::SharedMemory;
  dimension.size = ranks;
  for (int64_t members = 2; members <= ranks; ++members)
    if (ranks % members == 0 && !measure(ranks, members, dimension, failure))
      return false;
  // For what was not measured: a member pulls all of a gathered tensor; the smallest reduction is two barriers.
  const MeasuredCollective &gather = *dimension.findMeasured(CollectiveKind::AllGather, ranks);
  dimension.bandwidthBytesPerSecond = gather.points.back().bytes / gather.points.back().seconds;
  dimension.latencySeconds = dimension.findMeasured(CollectiveKind::AllReduce, ranks)->points.front().seconds / 2 / static_cast<double>(ranks - 1);
  dimension.efficiency = 1;
  cluster.network.push_back(std::move(dimension));
  return true;
}

} // namespace llmpar::tool
