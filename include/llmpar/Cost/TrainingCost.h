//===- TrainingCost.h - Time of a training step in closed form --*- C++ -*-===//
//
// A step of a decoder with data and tensor parallelism, from bytes and FLOPs. The compiler prices its own graphs op by
// op; this holds the same terms against published training runs, of which only shapes are known.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_COST_TRAININGCOST_H
#define LLMPAR_COST_TRAININGCOST_H

#include "llmpar/Cost/TransformerCost.h"

namespace llmpar {

/// What kernels and overlap reach in whole runs, as shares of what the device and the links have.
struct TrainingSpeed {
  double matmul = 1;        ///< of the peak of matrix products
  double memory = 1;        ///< of the memory bandwidth, in everything else
  double exposedTensor = 1; ///< of the time of tensor-parallel collectives, that nothing hides
};

/// How a run is split and built; two-byte activations.
struct TrainingRun {
  TransformerShape shape;
  double batch = 0;                     ///< samples of all ranks
  int64_t ranks = 1, tensor = 1;        ///< tensor: ranks that share heads and features; the others share the batch
  Recompute recompute = Recompute::None;
  double vocabularyMatrices = 1;        ///< 1: embedding and head are tied
  bool fusedAttention = false;          ///< scores stay on chip (FlashAttention)
  bool sequenceParallel = false;        ///< what lies between the products is split over the tensor ranks too
  bool overlapsGradients = false;       ///< their reduction hides behind backward
  bool shardsOptimizer = false;         ///< every replica steps its part of the parameters (ZeRO 1)
};

struct TrainingTime {
  Seconds matmul = 0, memory = 0, tensor = 0, data = 0; ///< tensor, data: exposed communication
  Seconds total() const { return matmul + memory + tensor + data; }
};

/// Seconds of a step, with t = tensor, b samples of a data rank, backward counted by what it reads and writes:
///   matmul   trainingStepFlops / (ranks * peak * speed.matmul)
///   memory   (L (S + E) + H + O) / (bandwidth * speed.memory), bytes that all other kernels move:
///            S = 9 a s^2 b / t in forward, 11 in backward (softmax and dropout of the scores; 0 if fused)
///            E = b s h (22 + 32 / t) in forward, half more in backward (two norms, two residuals with dropout, GELU,
///                transposes of heads; 54 / t with sequence parallelism)
///            forward counts twice with full recomputation;  H = 14 b s V / t (loss);
///            O = 28 bytes for each parameter that the rank steps (Adam on two-byte weights), and 8 to add up the
///                gradients of each that it holds, if it steps only a part
///   tensor   all-reduces of 2 b s h bytes, two in forward and two in backward of each layer (Shoeybi et al. 2019), two
///            more with full recomputation; with sequence parallelism the same bytes as reduce-scatter and all-gather
///   data     all-reduce of two-byte gradients over the other ranks
TrainingTime trainingStepTime(const TrainingRun &run, const Cluster &cluster, const TrainingSpeed &speed);

} // namespace llmpar

#endif // LLMPAR_COST_TRAININGCOST_H
