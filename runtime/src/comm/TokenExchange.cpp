//===- TokenExchange.cpp - Tokens to their experts and back ----------------===//
#include "comm/TokenExchange.h"

#include "comm/Reduction.h"
#include "reference/Loops.h"

#include <cstring>
#include <vector>

namespace llmpar::rt {
namespace {

/// Rows of the last dimension as [outer][extents of all members][inner], the collective's dimension between.
struct TokenRows {
  int64_t outer = 1, inner = 1, total = 0, bytes;
  std::span<const int64_t> extents;

  explicit TokenRows(const CollectiveCall &call) : extents(call.ints.subspan(1)) {
    const TensorView &x = call.x;
    for (int64_t d = 0; d + 1 < x.rank; ++d)
      if (d != call.ints[0])
        (d < call.ints[0] ? outer : inner) *= x.dims[static_cast<size_t>(d)];
    for (int64_t extent : extents)
      total += extent;
    bytes = x.dims[static_cast<size_t>(x.rank - 1)] * static_cast<int64_t>(dtypeSize(x.dtype));
  }

  /// Calls `body(row of all tokens, row of the member's tokens)`.
  template <typename Body> void forEachRow(size_t member, Body &&body) const {
    int64_t begin = 0, own = extents[member];
    for (size_t i = 0; i < member; ++i)
      begin += extents[i];
    for (int64_t a = 0; a < outer; ++a)
      for (int64_t row = 0; row < own; ++row)
        for (int64_t b = 0; b < inner; ++b)
          body((a * total + begin + row) * inner + b, (a * own + row) * inner + b);
  }
};

/// True if one of the experts of `routing` takes the token.
bool isRouted(const TensorView &routing, int64_t token) {
  int64_t experts = routing.dims[static_cast<size_t>(routing.rank - 1)];
  for (int64_t expert = 0; expert < experts; ++expert)
    if (load<double>(routing, token * experts + expert) != 0)
      return true;
  return false;
}

} // namespace

void dispatchTokens(const MemberCall &calls, size_t member) {
  const CollectiveCall &mine = calls(member);
  TokenRows rows(mine);
  auto *target = mine.y.as<std::byte>();
  for (size_t i = 0; i < mine.group.size(); ++i) {
    const auto *source = calls(i).x.as<const std::byte>();
    rows.forEachRow(i, [&](int64_t all, int64_t own) {
      if (isRouted(mine.routing, all))
        std::memcpy(target + all * rows.bytes, source + own * rows.bytes, static_cast<size_t>(rows.bytes));
      else
        std::memset(target + all * rows.bytes, 0, static_cast<size_t>(rows.bytes));
    });
  }
}

void combineTokens(const MemberCall &calls, size_t member) {
  const CollectiveCall &mine = calls(member);
  TokenRows rows(mine);
  auto width = static_cast<size_t>(mine.x.dims[static_cast<size_t>(mine.x.rank - 1)]);
  std::vector<const void *> sources;
  rows.forEachRow(member, [&](int64_t all, int64_t own) {
    sources.clear();
    for (size_t i = 0; i < mine.group.size(); ++i)
      if (isRouted(calls(i).routing, all))
        sources.push_back(calls(i).x.as<const std::byte>() + all * rows.bytes);
    std::byte *target = mine.y.as<std::byte>() + own * rows.bytes;
    if (sources.empty())
      std::memset(target, 0, static_cast<size_t>(rows.bytes));
    else
      reduceArrays(mine.x.dtype, ReduceKind::sum, sources, width, target);
  });
}

} // namespace llmpar::rt
