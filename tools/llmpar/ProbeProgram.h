//===- ProbeProgram.h - Kernels timed as programs run them ------*- C++ -*-===//
//
// A program written record by record, in the llmpar_rt dialect, and run by the runtime on CPU devices: what is
// measured is what a compiled model does, dispatch included. All ranks have the same records.
//
//   ProbeProgram program(/*ranks=*/1);
//   ProbeBuffer x = program.activation("1024xf32"), y = program.activation("1024xf32");
//   size_t gelu = program.record({.kernel = "unary", .inputs = {x}, .outputs = {y}, .ints = {11}, .floats = {1, 0}});
//   if (!program.timeRecords({.seconds = 0.1}, failure)) return failure.report(options);
//   double seconds = program.seconds(gelu);
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TOOLS_PROBEPROGRAM_H
#define LLMPAR_TOOLS_PROBEPROGRAM_H

#include "Session.h"

#include <optional>

namespace llmpar::tool {

struct ProbeBuffer {
  const char *arena = "";
  int64_t offset = 0, bytes = 0;
  std::string type; ///< "4x8xf32"
};

struct ProbeRecord {
  std::string kernel;
  std::vector<ProbeBuffer> inputs, outputs;
  std::vector<int64_t> ints = {};
  std::vector<double> floats = {};
  int64_t groupSize = 0; ///< of a collective: ranks 0..groupSize-1, the next ones, ...
};

class ProbeProgram {
public:
  explicit ProbeProgram(int64_t ranks) : ranks(ranks) {}
  ~ProbeProgram();

  /// Memory of its own for a tensor ("4x8xf32"). `weight` is constant, so that matmul packs it; its content is 0.
  ProbeBuffer activation(const std::string &type) { return place("activations", activationBytes, type); }
  ProbeBuffer weight(const std::string &type) { return place("staging", weightBytes, type); }
  /// start, start + step, ...; other activations hold numbers from -2 to 2.
  ProbeBuffer filled(const std::string &type, int64_t start, int64_t step);
  /// Adds other kernels: the next record finds its code, its data and itself outside of the first caches, as one
  /// of a model does, which runs once per step.
  void disturb();
  /// The same memory as a tensor of another shape, which must not be larger.
  static ProbeBuffer viewOf(ProbeBuffer buffer, const std::string &type);
  static int64_t bytesOf(const std::string &type);

  /// Adds a record to every rank's step; returns its index.
  size_t record(ProbeRecord record);

  struct Effort {
    double seconds = 0.1;       ///< to spend on steps
    int least = 5, most = 1000; ///< steps, after one for warming up
  };
  /// Times every record. What the clock itself takes is not counted, nor are steps in which something else used the
  /// cores: a product that every step ends with tells (it takes up to half as much again to find enough others).
  bool timeRecords(Effort effort, Failure &failure);
  /// The lower decile over the steps, mean over the ranks: a disturbed step does not count.
  double seconds(size_t record) const { return recordSeconds[record]; }
  /// What a step takes beside its records, median; behind timeRecords.
  double overheadSeconds() const { return overhead; }

  /// How many times as long as undisturbed the product takes that every step ends with, on the slowest of the cores:
  /// something else may use them. `expected`: what it takes undisturbed, if that is known; else the least so far counts.
  bool measureSlowdown(std::optional<double> expected, double &slowdown, Failure &failure);
  /// What counts as undisturbed.
  static constexpr double tolerance = 1.25;
  /// FLOPs of that product.
  static constexpr double canaryFlops = 2.0 * 64 * 64 * 64;

private:
  const int64_t ranks;
  int64_t activationBytes = 0, weightBytes = 0;
  std::vector<ProbeRecord> records;
  struct Filled {
    ProbeBuffer buffer;
    int64_t start, step;
  };
  std::vector<Filled> fills;
  ProbeBuffer disturbing[2];
  std::vector<double> recordSeconds;
  double overhead = 0;
  llmpar_rt_program *program = nullptr;
  llmpar_rt_instance *instance = nullptr;

  ProbeBuffer place(const char *arena, int64_t &end, const std::string &type);
  std::string text() const;
  void addCanary();
  bool open(Failure &failure);
  bool step(Failure &failure);
  struct Sample {
    std::vector<double> records; ///< mean of the ranks
    double canary, overhead;     ///< of the slowest rank
  };
  Sample takeSample();
  std::vector<std::vector<double>> before; ///< sums of rank and record at the end of the last step
};

/// What a pair of readings of the clock takes.
double clockSeconds();

/// The value that a tenth of `values` lies below.
double lowerDecile(std::vector<double> values);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_PROBEPROGRAM_H
