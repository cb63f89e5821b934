//===- AttentionShape.h - Heads of attention --------------------*- C++ -*-===//
#ifndef LLMPAR_RUNTIME_REFERENCE_ATTENTIONSHAPE_H
#define LLMPAR_RUNTIME_REFERENCE_ATTENTIONSHAPE_H

#include "reference/Loops.h"

#include <vector>

namespace llmpar::rt {

/// Extents of one head, and where each begins. A head of q reads the head of k (and v) of index
/// i / (q's extent / k's extent) in each leading dimension.
struct AttentionShape {
  int64_t queries, keys, width, valueWidth; ///< m n d e
  bool transposesKey, zeroesEmpty;
  double scale, fill;
  std::span<const TensorView> masks;
  std::span<const int64_t> lead; ///< leading extents of q

  AttentionShape(const KernelCall &call, size_t firstMask)
      : queries(fromEnd(call.inputs[0], 2)), keys(fromEnd(call.inputs[2], 2)), width(fromEnd(call.inputs[0], 1)),
        valueWidth(fromEnd(call.inputs[2], 1)), transposesKey(call.ints[1] != 0), zeroesEmpty(call.ints[0] != 0),
        scale(call.floats[0]), fill(call.floats[1]), masks(call.inputs.subspan(firstMask)),
        lead(leadOf(call.inputs[0])), k(leadOf(call.inputs[1])), v(leadOf(call.inputs[2])) {
    Dims scores{};
    std::copy(lead.begin(), lead.end(), scores.begin());
    scores[lead.size()] = queries;
    scores[lead.size() + 1] = keys;
    for (const TensorView &mask : masks)
      maskStrides.push_back(broadcastStrides(mask.shape(), {scores.data(), lead.size() + 2}));
  }

  /// Calls `body(head, index)` for every head of q in order; `index` is its index in the leading dimensions.
  template <typename Body> void forEachHead(Body &&body) const {
    int64_t head = 0;
    forEachIndex(lead, [&](const Dims &index) { body(head++, index); });
  }
  int64_t keyHead(const Dims &index) const { return headOf(index, k); }
  int64_t valueHead(const Dims &index) const { return headOf(index, v); }
  /// Where row 0 of a mask begins for a head, and its strides over queries and keys.
  int64_t maskBegin(size_t mask, const Dims &index) const { return offset(maskStrides[mask], index); }
  int64_t maskRowStride(size_t mask) const { return maskStrides[mask][lead.size()]; }
  int64_t maskKeyStride(size_t mask) const { return maskStrides[mask][lead.size() + 1]; }

private:
  std::span<const int64_t> k, v;
  std::vector<Dims> maskStrides;

  static int64_t fromEnd(const TensorView &x, int dim) { return x.dims[static_cast<size_t>(x.rank - dim)]; }
  static std::span<const int64_t> leadOf(const TensorView &x) {
    return x.shape().first(static_cast<size_t>(x.rank - 2));
  }
  int64_t headOf(const Dims &index, std::span<const int64_t> extents) const {
    int64_t head = 0;
    for (size_t d = 0; d < extents.size(); ++d)
      head = head * extents[d] + index[d] / (lead[d] / extents[d]);
    return head;
  }
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_REFERENCE_ATTENTIONSHAPE_H
