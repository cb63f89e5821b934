//===- ThreadCommunicator.cpp - Ranks are threads of one process -----------===//
//
// Pull model. Every member publishes its thunk (pointers and shapes), waits for the
// others, reads what it needs from their memory and waits again, so that nobody
// overwrites an operand that is still being read:
//
//   publish | barrier | check signatures, pull | barrier
//
// all_reduce of a large buffer has one more step: member i reduces chunk i of all
// inputs into chunk i of its own output, barrier, then everyone collects the chunks.
// It is safe in place: chunk i of member i is read by member i only. A small one is
// reduced by everyone, in place through a scratch buffer.
//
//===----------------------------------------------------------------------===//
#include "comm/Barrier.h"
#include "comm/Communicator.h"
#include "comm/Reduction.h"
#include "comm/TokenExchange.h"
#include "core/Cores.h"

#include <cstring>
#include <map>
#include <mutex>
#include <vector>

namespace llmpar::rt {
namespace {

constexpr size_t smallBytes = 16 << 10; // below: one barrier less is worth more than shared work

class CollectiveThunk;

struct Group {
  Group(std::span<const uint32_t> ranks, const std::atomic<bool> &aborted, int spins)
      : barrier(static_cast<uint32_t>(ranks.size()), aborted, spins), members(ranks.size()) {}
  Barrier barrier;
  std::vector<const CollectiveThunk *> members; ///< entry i is written by member i, before the first barrier
};

/// What all ranks share.
class Hub {
public:
  Hub(uint32_t ranks, uint32_t threads) : spins(spinsBeforeSleep(threads)), everyone(ranks, aborted, spins) {}

  Group &join(const std::vector<uint32_t> &ranks) {
    std::lock_guard lock(mutex);
    std::unique_ptr<Group> &group = groups[ranks];
    if (!group)
      group = std::make_unique<Group>(ranks, aborted, spins);
    return *group;
  }

  void abort(const Status &reason) {
    std::lock_guard lock(mutex);
    if (aborted.load(std::memory_order_relaxed))
      return;
    firstFailure = reason;
    aborted.store(true, std::memory_order_release);
    everyone.wake();
    for (auto &[ranks, group] : groups)
      group->barrier.wake();
  }

  Status failure() const {
    std::lock_guard lock(mutex);
    return firstFailure;
  }

  void reset() {
    std::lock_guard lock(mutex);
    firstFailure = Status::success();
    aborted.store(false, std::memory_order_release);
    everyone.reset();
    for (auto &[ranks, group] : groups)
      group->barrier.reset();
  }

private:
  mutable std::mutex mutex;
  std::atomic<bool> aborted{false};
  Status firstFailure;
  const int spins;
  std::map<std::vector<uint32_t>, std::unique_ptr<Group>> groups;

public:
  Barrier everyone;
};

/// A tensor seen as [outer][extent][inner bytes] around one dimension.
struct Around {
  size_t outer = 1, inner;
  Around(const TensorView &tensor, int64_t dim) : inner(dtypeSize(tensor.dtype)) {
    for (int64_t d = 0; d < tensor.rank; ++d)
      (d < dim ? outer : inner) *= d == dim ? 1 : static_cast<size_t>(tensor.dims[static_cast<size_t>(d)]);
  }
};

size_t prefix(std::span<const int64_t> extents, size_t member) {
  int64_t begin = 0;
  for (size_t i = 0; i < member; ++i)
    begin += extents[i];
  return static_cast<size_t>(begin);
}

class CollectiveThunk : public Thunk {
public:
  CollectiveThunk(Group &group, const CollectiveCall &call, uint32_t rank)
      : group(group), ranks(call.group.begin(), call.group.end()), attributes(call.ints.begin(), call.ints.end()),
        call(call), signature(collectiveSignature(call)), sources(call.group.size()) {
    this->call.group = ranks;
    this->call.ints = attributes;
    while (ranks[member] != rank)
      ++member;
  }

  Status run() override {
    group.members[member] = this;
    if (!group.barrier.wait())
      return aborted();
    for (size_t i = 0; i < ranks.size(); ++i)
      if (group.members[i]->signature != signature)
        return Status::invalid("collectives differ: rank " + std::to_string(ranks[member]) + " calls " +
                               describeCollective(call) + ", rank " + std::to_string(ranks[i]) + " calls " +
                               describeCollective(group.members[i]->call));
    switch (call.kernel) {
    case KernelId::all_reduce:
      return allReduce();
    case KernelId::all_gather:
      allGather();
      break;
    case KernelId::reduce_scatter:
      reduceScatter();
      break;
    case KernelId::dispatch:
      dispatchTokens(memberCalls(), member);
      break;
    case KernelId::combine:
      combineTokens(memberCalls(), member);
      break;
    default:
      allToAll();
    }
    return group.barrier.wait() ? Status::success() : aborted();
  }

private:
  static Status aborted() { return Status::aborted("another rank failed"); }
  const std::byte *input(size_t i) const { return group.members[i]->call.x.as<const std::byte>(); }
  MemberCall memberCalls() const {
    return [this](size_t i) -> const CollectiveCall & { return group.members[i]->call; };
  }
  std::byte *output(size_t i) const { return group.members[i]->call.y.as<std::byte>(); }

  void reduceInto(std::byte *target, size_t byteOffset, size_t elements) {
    for (size_t i = 0; i < sources.size(); ++i)
      sources[i] = input(i) + byteOffset;
    bool isMean = call.kernel == KernelId::all_reduce && attributes.size() > 1 && attributes[1] != 0;
    reduceArrays(call.x.dtype, static_cast<ReduceKind>(attributes[0]), sources, elements, target, isMean);
  }

  Status allReduce() {
    size_t elements = static_cast<size_t>(call.x.elements()), width = dtypeSize(call.x.dtype);
    if (elements * width <= smallBytes) {
      bool inPlace = call.x.data == call.y.data;
      scratch.resize(inPlace ? elements * width : 0);
      std::byte *target = inPlace ? scratch.data() : output(member);
      if (elements)
        reduceInto(target, 0, elements);
      if (!group.barrier.wait())
        return aborted();
      if (inPlace && elements)
        std::memcpy(call.y.data, scratch.data(), scratch.size());
      return Status::success();
    }
    // Chunks start at cache lines.
    size_t line = 64 / width, chunk = (elements / ranks.size() + line) / line * line;
    auto begin = [&](size_t i) { return std::min(elements, i * chunk); };
    if (size_t size = begin(member + 1) - begin(member))
      reduceInto(output(member) + begin(member) * width, begin(member) * width, size);
    if (!group.barrier.wait())
      return aborted();
    for (size_t step = 1; step < ranks.size(); ++step) { // start at the neighbour: all read different members
      size_t i = (member + step) % ranks.size(), size = begin(i + 1) - begin(i);
      if (size)
        std::memcpy(output(member) + begin(i) * width, output(i) + begin(i) * width, size * width);
    }
    return group.barrier.wait() ? Status::success() : aborted();
  }

  void allGather() {
    std::span<const int64_t> extents = std::span(attributes).subspan(1);
    Around around(call.y, attributes[0]);
    size_t row = prefix(extents, extents.size()) * around.inner;
    for (size_t i = 0; i < ranks.size(); ++i) {
      size_t bytes = static_cast<size_t>(extents[i]) * around.inner, begin = prefix(extents, i) * around.inner;
      for (size_t outer = 0; bytes && outer < around.outer; ++outer)
        std::memcpy(output(member) + outer * row + begin, input(i) + outer * bytes, bytes);
    }
  }

  void reduceScatter() {
    std::span<const int64_t> extents = std::span(attributes).subspan(2);
    Around around(call.x, attributes[1]);
    size_t row = prefix(extents, extents.size()) * around.inner, begin = prefix(extents, member) * around.inner;
    size_t bytes = static_cast<size_t>(extents[member]) * around.inner;
    for (size_t outer = 0; bytes && outer < around.outer; ++outer)
      reduceInto(output(member) + outer * bytes, outer * row + begin, bytes / dtypeSize(call.x.dtype));
  }

  /// From member i: its part `member` of the split dimension, to position i of the concat dimension.
  void allToAll() {
    size_t n = ranks.size();
    int64_t split = attributes[0], concat = attributes[1];
    std::span<const int64_t> splits = std::span(attributes).subspan(2, n),
                             concats = std::span(attributes).subspan(2 + n);
    // All as [a][first dim][b][second dim][c bytes], first = the outer one of the two dimensions.
    int64_t first = std::min(split, concat), second = std::max(split, concat);
    size_t a = 1, b = 1, c = dtypeSize(call.x.dtype);
    for (int64_t d = 0; d < call.x.rank; ++d)
      if (d != first && d != second)
        (d < first ? a : d < second ? b : c) *= static_cast<size_t>(call.x.dims[static_cast<size_t>(d)]);
    for (size_t i = 0; i < n; ++i) {
      const TensorView &x = group.members[i]->call.x;
      auto extent = [](const TensorView &t, int64_t d) { return static_cast<size_t>(t.dims[static_cast<size_t>(d)]); };
      size_t splitBegin = prefix(splits, member), concatBegin = prefix(concats, i);
      size_t splitSize = static_cast<size_t>(splits[member]), concatSize = static_cast<size_t>(concats[i]);
      bool splitFirst = split == first;
      size_t count1 = splitFirst ? splitSize : concatSize, count2 = splitFirst ? concatSize : splitSize;
      size_t from1 = splitFirst ? splitBegin : 0, from2 = splitFirst ? 0 : splitBegin;
      size_t to1 = splitFirst ? 0 : concatBegin, to2 = splitFirst ? concatBegin : 0;
      if (count1 * count2 * c == 0)
        continue;
      for (size_t ia = 0; ia < a; ++ia)
        for (size_t i1 = 0; i1 < count1; ++i1)
          for (size_t ib = 0; ib < b; ++ib) {
            size_t source = ((ia * extent(x, first) + from1 + i1) * b + ib) * extent(x, second) + from2;
            size_t target = ((ia * extent(call.y, first) + to1 + i1) * b + ib) * extent(call.y, second) + to2;
            std::memcpy(output(member) + target * c, input(i) + source * c, count2 * c);
          }
    }
  }

  Group &group;
  std::vector<uint32_t> ranks;
  std::vector<int64_t> attributes;
  CollectiveCall call;
  uint64_t signature;
  size_t member = 0;
  std::vector<const void *> sources;
  std::vector<std::byte> scratch;
};

class ThreadCommunicator : public Communicator {
public:
  ThreadCommunicator(Hub &hub, uint32_t rank) : hub(hub), rank(rank) {}

  Status prepare(const CollectiveCall &call, std::unique_ptr<Thunk> &thunk) override {
    if (Status status = checkCollective(call, rank); !status.ok())
      return status;
    thunk = std::make_unique<CollectiveThunk>(hub.join({call.group.begin(), call.group.end()}), call, rank);
    return Status::success();
  }
  Status barrier() override { return hub.everyone.wait() ? Status::success() : Status::aborted("another rank failed"); }
  void abort(const Status &reason) override { hub.abort(reason); }

private:
  Hub &hub;
  uint32_t rank;
};

class ThreadWorld : public World {
public:
  ThreadWorld(uint32_t ranks, uint32_t threads) : hub(ranks, threads) {
    for (uint32_t rank = 0; rank < ranks; ++rank)
      communicators.emplace_back(hub, rank);
  }
  Communicator &communicator(uint32_t rank) override { return communicators[rank]; }
  Status failure() const override { return hub.failure(); }
  void reset() override { hub.reset(); }

private:
  Hub hub;
  std::vector<ThreadCommunicator> communicators;
};

} // namespace

std::unique_ptr<World> makeThreadWorld(uint32_t ranks, uint32_t threads) {
  return std::make_unique<ThreadWorld>(ranks, std::max(ranks, threads));
}

} // namespace llmpar::rt
