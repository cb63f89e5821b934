//===- Session.h - A model compiled and put on devices ----------*- C++ -*-===//
//
// What run, verify and bench share: read the given tensors, compile with their
// shapes, open the program on devices, run steps.
//
//   Failure failure;
//   Given given;
//   readInputs(options, given, failure);
//   Session session;
//   if (!session.open(options, given, {options.mesh, options.layout}, failure)) return failure.report(options);
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TOOLS_SESSION_H
#define LLMPAR_TOOLS_SESSION_H

#include "../ExitCodeOf.h"
#include "Commands.h"
#include "Progress.h"
#include "core/Json.h"
#include "core/TensorArguments.h"
#include "llmpar/Driver/Compile.h"
#include "llmpar/runtime.h"
#include "llvm/ADT/ArrayRef.h"
#include <memory>

namespace llmpar::tool {

/// The first error, and the exit code it leads to.
struct Failure {
  int code = Ok;
  std::string message;

  bool set(int code, std::string message);
  /// True if `status` is ok; `invalid`: what a bad argument or file leads to.
  bool check(const rt::Status &status, Exit invalid = Usage);
  bool setRuntime(llmpar_rt_code code);
  /// Prints it as one line (or as JSON) and returns the exit code.
  int report(const Options &options) const;
};

/// Writes a table that --json asked for.
void print(const rt::JsonObject &object);

/// Tensors of the command line. Sessions keep pointers to them.
struct Given {
  rt::GivenTensors inputs, expected;
};
bool readInputs(const Options &options, Given &given, Failure &failure);
/// For commands that compare.
bool readExpected(const Options &options, Given &given, Failure &failure);

/// Bytes of --memory, which was given. Errors say what is wrong with the text and what would be right.
llvm::Expected<int64_t> memoryLimit(const Options &options);

/// Compiles `options.model` with the given inputs' shapes; `mesh` and `layout` override those of the options.
struct Method {
  std::string mesh, layout;
  bool isBaseline = false; ///< a run by rule beside the one asked for: no cluster, no pins, nothing dumped or written
  rt::Missing missing = rt::Missing::IsError; ///< what becomes of inputs that are not given: StaysNull makes them up
  bool search = false; ///< find a layout by search that has a rule too
  std::optional<TrainingOptions> training = std::nullopt;              ///< make the graph a training step
  std::optional<BuildEvaluationStepOptions> evaluation = std::nullopt; ///< make it a step of evaluation
  std::function<bool(const Mesh &, const SolveProgress &)> progress = nullptr; ///< of a search; false stops it
  std::function<void(mlir::ModuleOp, const PlanRequest &, FoundPlan &)> inspect = nullptr; ///< PlanLimits::inspect
};
CompileResult compileFor(mlir::MLIRContext &context, const Options &options, const Given &given, const Method &method,
                         Progress &progress, Failure &failure);

class Session {
public:
  ~Session();
  /// Compiles, finds the place of every given tensor, and only then loads weights: a typo should not cost a minute.
  /// A trace computes nothing, and has neither inputs nor outputs.
  bool open(const Options &options, const Given &given, const Method &method, Failure &failure);
  bool step(Failure &failure);

  /// Compares outputs with the given ones. Appends to `comparisons`.
  void compareExpected(const Options &options, std::vector<rt::NamedComparison> &comparisons) const;
  bool writeOutputs(Failure &failure) const;

  /// The input of that name, if its values were made up: they may be changed between steps. Else null.
  rt::HostTensor *madeUp(llvm::StringRef name) const;
  const std::vector<rt::HostTensor> &outputs() const { return outputs_; }
  const std::vector<const rt::HostTensor *> &inputs() const { return inputs_; }
  llmpar_rt_stats stats() const;
  const llmpar_rt_program *program() const { return program_; }
  llmpar_rt_instance *instance() const { return instance_; }
  /// Of a training step, or one of evaluation.
  const StepSummary &summary() const { return summary_; }
  /// That a layout was searched for.
  const std::optional<Cluster> &cluster() const { return cluster_; }

private:
  bool openProgram(const Options &options, const Given &given, const Method &method, Progress &progress,
                   Failure &failure);
  bool placeTensors(const Options &options, const Given &given, const Method &method, Failure &failure);
  bool makeUpInputs(llvm::ArrayRef<rt::TensorInfo> infos, Failure &failure);

  llmpar_rt_program *program_ = nullptr;
  llmpar_rt_instance *instance_ = nullptr;
  StepSummary summary_;
  std::optional<Cluster> cluster_;
  std::vector<const rt::HostTensor *> inputs_; ///< given ones, or of `madeUp_`
  std::vector<std::unique_ptr<rt::HostTensor>> madeUp_;
  std::vector<rt::HostTensor> outputs_;
  std::vector<rt::ExpectedOutput> expected_;
  std::vector<rt::OutputTarget> targets_;
};

/// Registers what compiling needs.
void prepareContext(mlir::MLIRContext &context);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_SESSION_H
