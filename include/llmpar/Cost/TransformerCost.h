//===- TransformerCost.h - Parameters, FLOPs and activations of a GPT -*- C++ -*-===//
//
// Closed forms of the literature for a decoder with a feed-forward width of 4 hidden sizes. The compiler counts its
// own graphs op by op; these check it, and price layouts before a graph exists.
//
//   GPT-3 (96 layers, hidden 12288, sequence 2048, vocabulary 51200): 174.6e9 parameters
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_COST_TRANSFORMERCOST_H
#define LLMPAR_COST_TRANSFORMERCOST_H

#include "llmpar/Cost/Cluster.h"

namespace llmpar {

struct TransformerShape {
  double layers = 0, hidden = 0, heads = 0;
  double sequence = 0, vocabulary = 0; ///< tokens
};

/// What backward computes again instead of keeping it.
enum class Recompute : uint8_t {
  None,
  Selective, ///< attention scores, softmax and their dropout
  Full       ///< everything but the input of each layer
};

/// 12 L h^2 (1 + 13/(12 h) + (V + s)/(12 L h)), the position table included (Narayanan et al., SC'21, eq. 2).
double parameterCount(const TransformerShape &shape);

/// 24 B s h^2 + 4 B s^2 h FLOPs: forward of one layer, only matrix products (SC'21, appendix).
double forwardLayerFlops(const TransformerShape &shape, double batch);

/// FLOPs of a training step, logits included:
///   none       72 B L s h^2 (1 + s/(6 h) + V/(12 L h))
///   selective  72 B L s h^2 (1 + 2 s/(9 h) + V/(12 L h))   one more 4 B s^2 h for each layer
///   full       96 B L s h^2 (1 + s/(6 h) + V/(16 L h))     SC'21, eq. 3
double trainingStepFlops(const TransformerShape &shape, double batch, Recompute recompute);

/// 8 T P / F seconds to train P parameters on T tokens at F FLOP/s, with full recomputation (SC'21, eq. 4).
Seconds trainingSeconds(double parameters, double tokens, double flopsPerSecond);

/// How one layer's activations are split.
struct ActivationSplit {
  double tensor = 1;             ///< ranks that share heads and feed-forward columns
  bool sequenceParallel = false; ///< they share the sequence outside of these
};

/// Bytes that forward of one layer keeps for backward, 2-byte activations and 1-byte masks, with t = split.tensor
/// (Korthikanti et al., MLSys 2023, arXiv 2205.05198, Table 2):
///   none       s b h (10 + 24/t + 5 a s/(h t))      with sequence parallelism s b h (34/t + 5 a s/(h t))
///   selective  s b h (10 + 24/t)                    s b h 34/t
///   full       2 s b h                              2 s b h / t
Bytes activationBytesPerLayer(const TransformerShape &shape, double microbatch, ActivationSplit split,
                              Recompute recompute);

} // namespace llmpar

#endif // LLMPAR_COST_TRANSFORMERCOST_H
