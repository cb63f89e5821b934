//===- PackBuffers.cpp - Offsets for buffers with lifetimes ----------------===//
//
// One buffer after the other, in a greedy order, goes to the smallest gap that fits between the
// buffers already placed that live at the same time, or behind them. Placed buffers are kept
// sorted by offset, so that one pass over them finds the gaps: O(n^2) with a small constant.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Planner/PackBuffers.h"

#include "llvm/ADT/STLExtras.h"
#include <algorithm>

namespace llmpar {
namespace {

struct Placed {
  int64_t offset, end;
  Lifetime lifetime;
};

int64_t alignTo(int64_t value, int64_t alignment) { return (value + alignment - 1) / alignment * alignment; }

int64_t maxLiveBytes(llvm::ArrayRef<Buffer> buffers) {
  std::vector<std::pair<int64_t, int64_t>> events; // step, change; ends sort before begins
  for (const Buffer &buffer : buffers) {
    events.push_back({buffer.lifetime.begin, buffer.size});
    events.push_back({buffer.lifetime.end, -buffer.size});
  }
  llvm::sort(events);
  int64_t live = 0, most = 0;
  for (auto [step, change] : events)
    most = std::max(most, live += change);
  return most;
}

/// Offset of the tightest gap for `buffer`.
int64_t bestFit(const std::vector<Placed> &placed, const Buffer &buffer) {
  int64_t best = -1, bestSlack = INT64_MAX, free = 0;
  for (const Placed &other : placed) {
    if (other.lifetime.begin >= buffer.lifetime.end || buffer.lifetime.begin >= other.lifetime.end)
      continue;
    int64_t slack = other.offset - free - buffer.size;
    if (slack >= 0 && slack < bestSlack)
      best = free, bestSlack = slack;
    free = std::max(free, other.end);
  }
  return best < 0 ? free : best;
}

/// Sizes of `buffers` are aligned.
Packing packInOrder(llvm::ArrayRef<Buffer> buffers, llvm::ArrayRef<size_t> order) {
  Packing packing;
  packing.offsets.assign(buffers.size(), 0);
  std::vector<Placed> placed;
  for (size_t index : order) {
    const Buffer &buffer = buffers[index];
    if (buffer.size == 0)
      continue;
    int64_t offset = bestFit(placed, buffer);
    packing.offsets[index] = offset;
    packing.size = std::max(packing.size, offset + buffer.size);
    auto at = llvm::upper_bound(placed, offset, [](int64_t value, const Placed &p) { return value < p.offset; });
    placed.insert(at, {offset, offset + buffer.size, buffer.lifetime});
  }
  return packing;
}

/// A greedy order: buffers with large keys first.
struct Order {
  llvm::StringRef name;
  double (*key)(const Buffer &);
};
constexpr Order orders[] = {
    {"size", [](const Buffer &b) { return double(b.size); }},
    {"area", [](const Buffer &b) { return double(b.size) * double(b.lifetime.end - b.lifetime.begin); }},
    {"duration", [](const Buffer &b) { return double(b.lifetime.end - b.lifetime.begin); }},
    {"start", [](const Buffer &b) { return -double(b.lifetime.begin); }},
};

} // namespace

Packing packBuffers(llvm::ArrayRef<Buffer> buffers, int64_t alignment) {
  std::vector<Buffer> aligned(buffers);
  for (Buffer &buffer : aligned)
    buffer.size = alignTo(buffer.size, alignment);
  int64_t lowerBound = maxLiveBytes(aligned);

  Packing best;
  for (const Order &order : orders) {
    std::vector<size_t> indices(buffers.size());
    for (size_t i = 0; i < indices.size(); ++i)
      indices[i] = i;
    // Ties: the longer one first, then program order, which keeps results stable.
    llvm::sort(indices, [&](size_t a, size_t b) {
      double left = order.key(aligned[a]), right = order.key(aligned[b]);
      if (left != right)
        return left > right;
      int64_t leftLife = aligned[a].lifetime.end - aligned[a].lifetime.begin;
      int64_t rightLife = aligned[b].lifetime.end - aligned[b].lifetime.begin;
      return leftLife != rightLife ? leftLife > rightLife : a < b;
    });
    Packing packing = packInOrder(aligned, indices);
    packing.order = order.name;
    if (best.order.empty() || packing.size < best.size)
      best = std::move(packing);
    if (best.size == lowerBound)
      break;
  }
  best.lowerBound = lowerBound;
  return best;
}

} // namespace llmpar
