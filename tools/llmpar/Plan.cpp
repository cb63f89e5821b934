//===- Plan.cpp - `llmpar plan`: the cheapest layout for a cluster -----------===//
#include "Commands.h"
#include "Explain.h"
#include "TrainOptions.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/ToolOutputFile.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Remarks.h"
#include <csignal>

namespace llmpar::tool {
namespace {

volatile std::sig_atomic_t interrupted = 0;

double milliseconds(int64_t picoseconds) { return static_cast<double>(picoseconds) * 1e-9; }

/// One line on a terminal: what is searched, the best plan so far and its gap.
bool showProgress(const Mesh &mesh, const SolveProgress &progress) {
  if (llvm::sys::Process::StandardErrIsDisplayed() && progress.seconds > 0.5) {
    llvm::errs() << "\r\033[K" << mesh.str() << "  " << llvm::format("%.1f s", progress.seconds);
    if (progress.cost)
      llvm::errs() << llvm::format("  best %.3f ms  bound %.3f ms  gap %.2f %%", milliseconds(*progress.cost), milliseconds(progress.lowerBound),
                                   100.0 * static_cast<double>(*progress.cost - progress.lowerBound) / static_cast<double>(std::max<int64_t>(1, *progress.cost)));
    llvm::errs().flush();
  }
  return !interrupted;
}

/// `recompute`: by variant, if the search chose.
void printPlan(const ShardingPlan &plan, llvm::ArrayRef<std::string> recompute, const Cluster &cluster) {
  llvm::outs() << llvm::formatv("{0,-20} ", "mesh") << (recompute.empty() ? "" : "recompute  ");
  llvm::outs() << llvm::formatv("{0,12} {1,12} {2,8} {3,12} {4,9} {5,9}\n", "time ms", "bound ms", "gap %", "peak MiB", "build ms", "solve ms");
  for (auto [index, mesh] : llvm::enumerate(plan.meshes)) {
    llvm::outs() << llvm::formatv("{0,-20} ", (index == plan.best ? "* " : "  ") + (mesh.mesh.axes.empty() ? "one device" : mesh.mesh.str()));
    if (!recompute.empty())
      llvm::outs() << llvm::formatv("{0,-10} ", recompute[mesh.variant]);
    if (mesh.plan.feasible())
      llvm::outs() << llvm::format("%12.4f %12.4f %8.3f %12.1f", milliseconds(mesh.plan.cost), milliseconds(mesh.plan.lowerBound),
                                   100 * mesh.plan.gap(), static_cast<double>(mesh.plan.peakBytes) / (1 << 20));
    else
      llvm::outs() << llvm::formatv("{0,12} {1,12:f4} {2,21}", mesh.loses ? "loses" : "does not fit", milliseconds(mesh.plan.lowerBound), "");
    llvm::outs() << llvm::format(" %9.1f %9.1f\n", mesh.buildSeconds * 1e3, mesh.solveSeconds * 1e3);
  }
  const Plan &best = plan.chosen().plan;
  llvm::outs() << llvm::format("\npredicted %.4f ms a step on %lld devices of %s; no plan of this method takes less than %.4f ms\n",
                               milliseconds(best.cost), static_cast<long long>(cluster.ranks()), cluster.name.c_str(), milliseconds(plan.lowerBound));
}

llvm::json::Object toJson(const ShardingPlan &plan, llvm::ArrayRef<std::string> recompute, const Cluster &cluster) {
  llvm::json::Array meshes;
  for (const MeshResult &mesh : plan.meshes) {
    llvm::json::Object row{{"mesh", mesh.mesh.str()}, {"fits", mesh.loses ? llvm::json::Value(nullptr) : llvm::json::Value(mesh.plan.feasible())}, {"loses", mesh.loses}, {"nodes", mesh.nodes}, {"edges", mesh.edges},
                           {"build_s", mesh.buildSeconds}, {"solve_s", mesh.solveSeconds}, {"bound_s", milliseconds(mesh.plan.lowerBound) * 1e-3}};
    if (mesh.plan.feasible()) {
      row["time_s"] = milliseconds(mesh.plan.cost) * 1e-3;
      row["gap"] = mesh.plan.gap();
      row["peak_bytes"] = mesh.plan.peakBytes;
    }
    if (!recompute.empty())
      row["recompute"] = recompute[mesh.variant];
    meshes.push_back(std::move(row));
  }
  llvm::json::Object report{{"cluster", cluster.name}, {"devices", cluster.ranks()}, {"mesh", plan.chosen().mesh.str()},
                            {"time_s", milliseconds(plan.chosen().plan.cost) * 1e-3}, {"bound_s", milliseconds(plan.lowerBound) * 1e-3},
                            {"meshes", std::move(meshes)}};
  if (!recompute.empty())
    report["recompute"] = recompute[plan.chosen().variant];
  return report;
}

/// Every decision becomes a remark on standard error.
void enableRemarks(mlir::MLIRContext &context) {
  mlir::remark::RemarkCategories categories{.all = {}, .passed = "llmpar-plan-shardings", .missed = {}, .analysis = {}, .failed = {}};
  (void)mlir::remark::enableOptimizationRemarks(context, /*streamer=*/nullptr, std::make_unique<mlir::remark::RemarkEmittingPolicyAll>(),
                                                categories, /*printAsEmitRemarks=*/true);
}

bool writeDocument(const Options &options, const CompileResult &result, Failure &failure) {
  std::error_code code;
  llvm::ToolOutputFile file(options.output, code, llvm::sys::fs::OF_Text);
  if (code)
    return failure.set(Usage, "-o " + options.output + ": " + code.message());
  file.os() << writePlanDocument(*result.document);
  file.keep();
  return true;
}

} // namespace

int planCommand(const Options &options) {
  Failure failure;
  Given given;
  if (!methodOf(options.method)) {
    auto names = llvm::map_range(methodNames, [](const MethodName &m) { return m.name; });
    failure.set(Usage, "--method=" + options.method + " is unknown: choose " + llvm::join(names, ", "));
    return failure.report(options);
  }
  if (std::string problem = options.train ? problemWithStepOptions(options) : problemOutsideTraining(options); !problem.empty())
    failure.set(Usage, problem);
  else if (options.train && !options.data.empty())
    failure.set(Usage, "--data=" + options.data + ": a plan of training reads no samples, leave it out");
  if (failure.code != Ok || !readInputs(options, given, failure))
    return failure.report(options);
  mlir::MLIRContext context;
  prepareContext(context);
  std::signal(SIGINT, [](int) { interrupted = 1; });
  Progress progress;
  Options planning = options;
  planning.compileTo = "layout";
  Method method{.mesh = options.mesh, .layout = options.method};
  method.search = true;
  if (options.train)
    method.training = trainingOptions(options, options.method);
  method.progress = showProgress;
  std::vector<ExplainAnswer> answers;
  method.inspect = [&](mlir::ModuleOp module, const PlanRequest &request, FoundPlan &found) {
    explainPlan(options, module, request, found, answers, failure);
  };
  if (options.remarks)
    enableRemarks(context);
  CompileResult result = compileFor(context, planning, given, method, progress, failure);
  std::signal(SIGINT, SIG_DFL);
  if (!result.ok || failure.code != Ok)
    return failure.report(options);
  if (llvm::sys::Process::StandardErrIsDisplayed())
    llvm::errs() << "\r\033[K";
  if (!options.output.empty() && !writeDocument(options, result, failure))
    return failure.report(options);
  if (options.json) {
    llvm::json::Object report = toJson(*result.plan, result.recompute, *result.cluster);
    if (!answers.empty())
      report["explanations"] = llvm::json::Array(llvm::map_range(answers, [](const ExplainAnswer &answer) { return toJson(answer); }));
    llvm::outs() << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(report)));
    return Ok;
  }
  printPlan(*result.plan, result.recompute, *result.cluster);
  for (const ExplainAnswer &answer : answers)
    printAnswer(answer);
  return Ok;
}

} // namespace llmpar::tool
