//===- CheckLanes.cpp - May a rank's lanes run at the same time? -----------===//
#include "core/CheckLanes.h"

#include "core/KernelSignature.h"

namespace llmpar::rt {
namespace {

std::vector<ByteRange> bytesOf(const std::vector<BufferRef> &buffers) {
  std::vector<ByteRange> ranges;
  for (const BufferRef &buffer : buffers)
    ranges.push_back({static_cast<int>(buffer.arena), buffer.offset, buffer.offset + buffer.view.bytes()});
  return ranges;
}

} // namespace

Status checkLanes(size_t rank, Entry entry, const std::vector<RecordDef> &records, bool &overlaps) {
  overlaps = false;
  bool hasOneLane = true;
  const RecordDef *collective = nullptr; // the first one
  for (const RecordDef &record : records) {
    hasOneLane &= record.lane == records.front().lane;
    if (!isCollective(record.kernel))
      continue;
    if (!collective)
      collective = &record;
    if (record.lane != collective->lane)
      return Status::invalid(
          describeRecord(rank, entry, static_cast<size_t>(&record - records.data()), record) + " is on lane " +
          std::string(laneNames[static_cast<size_t>(record.lane)]) + " and " +
          describeRecord(rank, entry, static_cast<size_t>(collective - records.data()), *collective) + " on lane " +
          std::string(laneNames[static_cast<size_t>(collective->lane)]) +
          ": all collectives of an entry are on one lane");
  }
  if (hasOneLane)
    return Status::success();
  std::vector<LaneRecord> lanes;
  for (const RecordDef &record : records)
    lanes.push_back({record.lane, record.waits, bytesOf(record.inputs), bytesOf(record.outputs)});
  if (std::optional<LaneRace> race = findLaneRace(lanes))
    return Status::invalid(describeRecord(rank, entry, race->second, records[race->second]) + " and " +
                           describeRecord(rank, entry, race->first, records[race->first]) + " touch the same bytes [" +
                           std::to_string(race->bytes.begin) + ", " + std::to_string(race->bytes.end) + ") of " +
                           std::string(arenaName(static_cast<ArenaId>(race->bytes.arena))) +
                           "; neither waits for the other");
  overlaps = LaneOrder(lanes).hasOverlap();
  return Status::success();
}

} // namespace llmpar::rt
