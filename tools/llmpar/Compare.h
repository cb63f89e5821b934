//===- Compare.h - Parallelization methods side by side ---------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_COMPARE_H
#define LLMPAR_TOOLS_COMPARE_H

#include "BatchQueue.h"
#include "Session.h"
#include "llmpar/Driver/PredictProgram.h"

namespace llmpar::tool {

/// What the records of one kernel take in a step, mean of the ranks.
struct KernelTime {
  std::string kernel; ///< as in PredictedRecord
  int64_t calls = 0;  ///< of all ranks
  Seconds predicted = 0, measured = 0;
};

/// What running a method on this machine's devices gave.
struct Measured {
  Seconds seconds = 0; ///< median of a step
  double slowdown = 1; ///< of the cores meanwhile, against those of a measured cluster
  double bytesSent = 0;
  int64_t heldBytes = 0; ///< of all ranks, between steps
  std::optional<double> loss; ///< of the last step, of training on samples that were given
  std::vector<KernelTime> kernels; ///< --profile: those that take longest first
};

/// One method on one cluster.
struct ComparedMethod {
  llmpar::Method method;
  std::string name; ///< of the method, and how its replicas synchronize: "data", "data every 8"
  std::string why;  ///< it has no plan; empty: it has one
  std::string mesh;
  std::string recompute; ///< what the search chose; empty: no choice
  double gap = 0;   ///< of the search
  double searchSeconds = 0;
  ProgramPrediction predicted;
  std::optional<Measured> measured;
  int syncInterval = 1, staleness = 0; ///< the options of training
  bool stepsApart() const { return syncInterval > 1 || staleness > 0; }
  bool ok() const { return why.empty(); }
};

struct Comparison {
  std::string model, cluster;
  int64_t devices = 0, memoryBytes = 0; ///< of the smallest device
  std::vector<ComparedMethod> methods;
};

/// A row that is to be measured.
struct MeasuredMethod {
  Method method; ///< what is compiled
  ComparedMethod *row;
  std::unique_ptr<Session> session = nullptr;
  std::unique_ptr<SampleInputs> inputs = nullptr;   ///< of training on samples that were given
  std::unique_ptr<BatchQueue> batches = nullptr;
  struct Turn {
    double slowdown; ///< of the cores, see ProbeProgram
    std::vector<double> seconds;
  };
  std::vector<Turn> turns = {}; ///< those while something else used the cores count if there are no others
  bool open(const Options &options, const Given &given, const Samples *samples, Failure &failure);
  bool step(Failure &failure);
};

/// Runs methods on this machine's devices, in turns: what else goes on there slows all alike, and turns wait a while for
/// it to end. One behind the other where memory does not hold them all. `samples`: of training; null: inputs are made up.
bool measureMethods(const Options &options, const Given &given, const Cluster &cluster, const Samples *samples,
                    llvm::MutableArrayRef<MeasuredMethod> methods, Failure &failure);

/// A self-contained page: no file or address beside it is needed to read it.
std::string comparisonPage(const Comparison &comparison);
rt::JsonObject comparisonJson(const Comparison &comparison);
void printComparison(const Comparison &comparison);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_COMPARE_H
