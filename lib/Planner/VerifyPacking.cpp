//===- VerifyPacking.cpp - Is this packing legal? --------------------------===//
//
// A sweep over time: the buffers that live now, ordered by offset, never overlap. Two buffers
// overlap exactly if one of them does with its neighbour when it enters.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Planner/PackBuffers.h"

#include "llvm/Support/FormatVariadic.h"
#include <algorithm>
#include <map>

namespace llmpar {

static llvm::Error fail(const std::string &message) { return llvm::createStringError(message); }

llvm::Error verifyPacking(llvm::ArrayRef<Buffer> buffers, const Packing &packing, int64_t alignment) {
  if (packing.offsets.size() != buffers.size())
    return fail(llvm::formatv("{0} offsets for {1} buffers", packing.offsets.size(), buffers.size()));

  std::vector<size_t> byBegin, byEnd;
  for (size_t i = 0; i < buffers.size(); ++i) {
    int64_t offset = packing.offsets[i];
    if (offset < 0 || offset % alignment != 0)
      return fail(llvm::formatv("buffer {0}: offset {1} is not a multiple of {2}", i, offset, alignment));
    if (offset > packing.size || buffers[i].size > packing.size - offset)
      return fail(llvm::formatv("buffer {0}: [{1}, +{2}) ends behind the arena of {3} bytes", i, offset,
                                buffers[i].size, packing.size));
    if (buffers[i].size > 0 && buffers[i].lifetime.begin < buffers[i].lifetime.end)
      byBegin.push_back(i), byEnd.push_back(i);
  }
  std::sort(byBegin.begin(), byBegin.end(),
            [&](size_t a, size_t b) { return buffers[a].lifetime.begin < buffers[b].lifetime.begin; });
  std::sort(byEnd.begin(), byEnd.end(),
            [&](size_t a, size_t b) { return buffers[a].lifetime.end < buffers[b].lifetime.end; });

  std::map<int64_t, size_t> live; // by offset
  size_t ended = 0;
  for (size_t i : byBegin) {
    while (ended < byEnd.size() && buffers[byEnd[ended]].lifetime.end <= buffers[i].lifetime.begin)
      live.erase(packing.offsets[byEnd[ended++]]);
    int64_t begin = packing.offsets[i], end = begin + buffers[i].size;
    auto next = live.lower_bound(begin);
    auto overlap = [&](size_t j) {
      return fail(llvm::formatv("buffers {0} and {1} overlap: both live at step {2}, at [{3}, {4}) and [{5}, {6})", j,
                                i, buffers[i].lifetime.begin, packing.offsets[j], packing.offsets[j] + buffers[j].size,
                                begin, end));
    };
    if (next != live.end() && next->first < end)
      return overlap(next->second);
    if (next != live.begin())
      if (size_t j = std::prev(next)->second; packing.offsets[j] + buffers[j].size > begin)
        return overlap(j);
    live[begin] = i;
  }
  return llvm::Error::success();
}

} // namespace llmpar
