//===- CollectiveCall.cpp - One member's side of a collective --------------===//
#include "comm/CollectiveCall.h"

#include "core/ShapeRules.h"
#include "reference/Kinds.h"

#include <numeric>

namespace llmpar::rt {
namespace {

int64_t sum(std::span<const int64_t> extents) { return std::accumulate(extents.begin(), extents.end(), int64_t(0)); }

/// x and y agree outside the dimensions `a` and `b`.
bool sameOutside(const TensorView &x, const TensorView &y, int64_t a, int64_t b) {
  if (x.rank != y.rank || x.dtype != y.dtype)
    return false;
  for (int d = 0; d < x.rank; ++d)
    if (d != a && d != b && x.dims[static_cast<size_t>(d)] != y.dims[static_cast<size_t>(d)])
      return false;
  return true;
}

std::string checkSplit(const CollectiveCall &call, size_t member, int64_t dim, std::span<const int64_t> extents,
                       const TensorView &part, const TensorView &whole) {
  if (std::string error = expectAxis(dim, call.x); !error.empty())
    return error;
  if (extents.size() != call.group.size())
    return std::to_string(extents.size()) + " extents for " + std::to_string(call.group.size()) + " members";
  for (int64_t extent : extents)
    if (extent < 0 || extent > (int64_t(1) << 46))
      return "extent " + std::to_string(extent);
  if (part.rank != whole.rank || part.dims[static_cast<size_t>(dim)] != extents[member] ||
      whole.dims[static_cast<size_t>(dim)] != sum(extents))
    return "dimension " + std::to_string(dim) + " of " + describe(part) + " and " + describe(whole) +
           " should have extents " + std::to_string(extents[member]) + " and " + std::to_string(sum(extents));
  return {};
}

/// dispatch, combine: `whole` has the rows of all members, `part` those of this one.
std::string checkTokens(const CollectiveCall &call, size_t member, const TensorView &part, const TensorView &whole) {
  int64_t dim = call.ints[0];
  if (!sameOutside(call.x, call.y, dim, -1) || dim == call.x.rank - 1)
    return describe(call.x) + " exchanged to " + describe(call.y) + " along dimension " + std::to_string(dim);
  if (std::string error = checkSplit(call, member, dim, call.ints.subspan(1), part, whole); !error.empty())
    return error;
  if (call.routing.rank != whole.rank || call.routing.dtype != whole.dtype ||
      !std::equal(whole.dims.begin(), whole.dims.begin() + whole.rank - 1, call.routing.dims.begin()))
    return "routing is " + describe(call.routing) + ", not of the tokens of " + describe(whole);
  return {};
}

std::string checkShapes(const CollectiveCall &call, size_t member) {
  std::span<const int64_t> ints = call.ints;
  size_t n = call.group.size();
  bool reduces = call.kernel == KernelId::all_reduce || call.kernel == KernelId::reduce_scatter;
  bool isOfTokens = call.kernel == KernelId::dispatch || call.kernel == KernelId::combine;
  if (ints.size() < (call.kernel == KernelId::all_reduce || call.kernel == KernelId::all_gather || isOfTokens ? 1u : 2u))
    return "too few attributes";
  if (reduces && (ints[0] < 0 || ints[0] >= reduceKinds))
    return "unknown reduction " + std::to_string(ints[0]);
  switch (call.kernel) {
  case KernelId::all_reduce:
    if (ints.size() > 1 && ints[1] != 0 &&
        (ints[0] != static_cast<int64_t>(ReduceKind::sum) || !isFloat(call.x.dtype)))
      return "a mean is a sum of floats";
    return expect(call.y, call.x.dtype, call.x.shape());
  case KernelId::all_gather:
    if (!sameOutside(call.x, call.y, ints[0], -1))
      return describe(call.x) + " gathered to " + describe(call.y);
    return checkSplit(call, member, ints[0], ints.subspan(1), call.x, call.y);
  case KernelId::reduce_scatter:
    if (!sameOutside(call.x, call.y, ints[1], -1))
      return describe(call.x) + " scattered to " + describe(call.y);
    return checkSplit(call, member, ints[1], ints.subspan(2), call.y, call.x);
  case KernelId::all_to_all: {
    if (ints.size() != 2 + 2 * n || ints[0] == ints[1])
      return std::to_string(ints.size()) + " attributes, split dimension " + std::to_string(ints[0]) +
             ", concat dimension " + std::to_string(ints[1]);
    if (!sameOutside(call.x, call.y, ints[0], ints[1]))
      return describe(call.x) + " exchanged to " + describe(call.y);
    std::string error = checkSplit(call, member, ints[0], ints.subspan(2, n), call.y, call.x);
    return error.empty() ? checkSplit(call, member, ints[1], ints.subspan(2 + n), call.x, call.y) : error;
  }
  case KernelId::dispatch:
    return checkTokens(call, member, call.x, call.y);
  case KernelId::combine:
    return checkTokens(call, member, call.y, call.x);
  default:
    return "is no collective";
  }
}

} // namespace

Status checkCollective(const CollectiveCall &call, uint32_t rank) {
  size_t member = call.group.size();
  for (size_t i = 0; i < call.group.size(); ++i) {
    if (call.group[i] == rank)
      member = i;
    for (size_t j = 0; j < i; ++j)
      if (call.group[i] == call.group[j])
        return Status::invalid("rank " + std::to_string(call.group[i]) + " is twice in the group");
  }
  if (member == call.group.size())
    return Status::invalid("rank " + std::to_string(rank) + " is not in the group");
  if (std::string error = checkShapes(call, member); !error.empty())
    return Status::invalid(error);
  if (!call.x.data || !call.y.data || call.x.bytes() == 0 || call.y.bytes() == 0)
    return Status::success();
  if (call.kernel == KernelId::all_reduce && call.x.data == call.y.data)
    return Status::success();
  auto y = reinterpret_cast<uintptr_t>(call.y.data);
  for (const TensorView &input : {call.x, call.routing})
    if (auto x = reinterpret_cast<uintptr_t>(input.data); input.data && x < y + call.y.bytes() && y < x + input.bytes())
      return Status::invalid("input and output overlap");
  return Status::success();
}

uint64_t collectiveSignature(const CollectiveCall &call) {
  uint64_t hash = 0xcbf29ce484222325u;
  auto mix = [&](uint64_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15u, hash ^= hash >> 29; };
  mix(static_cast<uint64_t>(call.kernel));
  mix(static_cast<uint64_t>(call.x.dtype));
  mix(static_cast<uint64_t>(call.x.rank));
  for (int64_t value : call.ints)
    mix(static_cast<uint64_t>(value));
  // The extents along these are in the lists of `ints`; all others are common.
  int64_t splitA = -1, splitB = -1;
  bool hasDimFirst = call.kernel == KernelId::all_gather || call.kernel == KernelId::dispatch || call.kernel == KernelId::combine;
  if (hasDimFirst && !call.ints.empty())
    splitA = call.ints[0];
  else if (call.kernel == KernelId::reduce_scatter && call.ints.size() > 1)
    splitA = call.ints[1];
  else if (call.kernel == KernelId::all_to_all && call.ints.size() > 1)
    splitA = call.ints[0], splitB = call.ints[1];
  for (int d = 0; d < call.x.rank; ++d)
    mix(d == splitA || d == splitB ? 0 : static_cast<uint64_t>(call.x.dims[static_cast<size_t>(d)]) + 1);
  return hash;
}

std::string describeCollective(const CollectiveCall &call) {
  std::string text = std::string(kernelName(call.kernel)) + "(" + describe(call.x) + " -> " + describe(call.y) + " {";
  for (size_t i = 0; i < call.ints.size(); ++i)
    text += (i ? ", " : "") + std::to_string(call.ints[i]);
  return text + "})";
}

uint64_t collectiveBytesSent(const CollectiveCall &call, uint32_t rank) {
  uint64_t n = call.group.size(), member = 0;
  while (member < n && call.group[member] != rank)
    ++member;
  if (n < 2 || member == n)
    return 0;
  auto remainder = [&](int64_t dim, std::span<const int64_t> extents) -> uint64_t { // of x: not this member's part
    int64_t total = call.x.dims[static_cast<size_t>(dim)];
    return total == 0 ? 0
                      : call.x.bytes() / static_cast<uint64_t>(total) * static_cast<uint64_t>(total - extents[member]);
  };
  switch (call.kernel) {
  case KernelId::all_reduce:
    return 2 * (n - 1) * call.x.bytes() / n;
  case KernelId::all_gather:
  case KernelId::dispatch:
    return (n - 1) * call.x.bytes();
  case KernelId::combine:
    return remainder(call.ints[0], call.ints.subspan(1));
  case KernelId::reduce_scatter:
    return remainder(call.ints[1], call.ints.subspan(2));
  default:
    return remainder(call.ints[0], call.ints.subspan(2, n));
  }
}

} // namespace llmpar::rt
