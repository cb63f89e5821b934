//===- Show.cpp - llmpar-plan verify, show ----------------------------------===//
#include "../BytesText.h"
#include "Commands.h"
#include "Facts.h"

#include "llmpar/Planner/Algorithms.h"
#include "llmpar/Planner/PlanFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

namespace llmpar::tool {

static llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> load(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFileOrSTDIN(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createStringError(path + ": " + buffer.getError().message());
  return std::move(*buffer);
}

static llvm::Error inFile(llvm::StringRef path, llvm::Error error) {
  return llvm::createStringError(path + ": " + llvm::toString(std::move(error)));
}

llvm::Expected<PlanProblem> loadProblem(llvm::StringRef path) {
  auto buffer = load(path);
  if (!buffer)
    return buffer.takeError();
  llvm::Expected<PlanProblem> problem = readPlanProblem((*buffer)->getBuffer());
  if (!problem)
    return inFile(path, problem.takeError());
  return problem;
}

static llvm::Expected<Plan> loadPlan(llvm::StringRef path) {
  auto buffer = load(path);
  if (!buffer)
    return buffer.takeError();
  llvm::Expected<Plan> plan = readPlan((*buffer)->getBuffer());
  if (!plan)
    return inFile(path, plan.takeError());
  return plan;
}

int reportError(const Options &options, int code, llvm::StringRef message) {
  if (options.json)
    llvm::outs() << llvm::json::Value(llvm::json::Object{{"ok", false}, {"code", code}, {"error", message}}) << "\n";
  llvm::errs() << "error: " << message << "\n";
  return code;
}

int verifyCommand(const Options &options) {
  llvm::Expected<PlanProblem> problem = loadProblem(options.files[0]);
  if (!problem)
    return reportError(options, Usage, llvm::toString(problem.takeError()));
  llvm::Expected<Plan> plan = loadPlan(options.files[1]);
  if (!plan)
    return reportError(options, Usage, llvm::toString(plan.takeError()));
  if (llvm::Error error = verifyPlan(*problem, *plan))
    return reportError(options, Mismatch, llvm::toString(inFile(options.files[1], std::move(error))));
  if (options.json)
    llvm::outs() << llvm::json::Value(llvm::json::Object{{"ok", true},
                                                         {"cost", plan->cost},
                                                         {"lower_bound", plan->lowerBound},
                                                         {"gap", plan->gap()},
                                                         {"peak_bytes", plan->peakBytes}})
                 << "\n";
  else
    llvm::outs() << llvm::formatv("ok: cost {0}, claimed bound {1} (gap {2:f3} %), peak {3}\n", plan->cost,
                                  plan->lowerBound, 100 * plan->gap(), bytesText(plan->peakBytes));
  return Ok;
}

namespace {

struct Sizes {
  size_t strategies = 0, fewest = SIZE_MAX, most = 0, uses = 0;
  double log10Combinations = 0, forbiddenShare = 0; ///< of the entries of all edges
  std::optional<int64_t> firstStep, endStep;
};

Sizes measure(const PlanProblem &problem) {
  Sizes sizes;
  for (const PlanNode &node : problem.nodes) {
    size_t count = node.costs.size();
    sizes.strategies += count;
    sizes.fewest = std::min(sizes.fewest, count);
    sizes.most = std::max(sizes.most, count);
    sizes.log10Combinations += std::log10(double(count));
    sizes.uses += node.memory.size();
    for (const MemoryUse &use : node.memory) {
      sizes.firstStep = std::min(sizes.firstStep.value_or(use.lifetime.begin), use.lifetime.begin);
      sizes.endStep = std::max(sizes.endStep.value_or(use.lifetime.end), use.lifetime.end);
    }
  }
  std::vector<double> forbidden;
  for (const CostMatrix &matrix : problem.matrices)
    forbidden.push_back(double(llvm::count(matrix.costs, kForbidden)));
  double entries = 0;
  for (const PlanEdge &edge : problem.edges) {
    entries += double(problem.matrices[edge.matrix].costs.size());
    sizes.forbiddenShare += forbidden[edge.matrix];
  }
  sizes.forbiddenShare /= std::max(1.0, entries);
  return sizes;
}

std::string memoryText(const PlanProblem &problem, const PeakRange &range) {
  std::string text = llvm::formatv("peaks of plans lie in {0} (step {1}) to {2}", bytesText(range.least), range.step,
                                   bytesText(range.most));
  if (!problem.memoryLimit)
    return "no limit; " + text;
  text = "limit " + bytesText(*problem.memoryLimit) + "; " + text;
  if (*problem.memoryLimit < range.least)
    return text + ": no plan fits";
  return text + (*problem.memoryLimit >= range.most ? ": the limit never binds" : "");
}

void printText(const PlanProblem &problem, const Sizes &sizes, const PeakRange &range, const GraphFacts &graph) {
  llvm::raw_ostream &os = llvm::outs();
  os << llvm::formatv("name      {0}\n", problem.name.empty() ? "(none)" : problem.name);
  os << llvm::formatv("nodes     {0:N}, with {1} to {2} strategies, {3:f1} on average; ", problem.nodes.size(),
                      sizes.fewest, sizes.most, double(sizes.strategies) / double(problem.nodes.size()));
  if (int64_t count = combinations(problem); count < 1'000'000'000)
    os << llvm::formatv("{0:N} combinations\n", count);
  else
    os << llvm::formatv("10^{0:f0} combinations\n", sizes.log10Combinations);
  os << llvm::formatv("edges     {0:N}, {1:N} of them parallel to another; {2:N} different matrices; {3:f1} % of the "
                      "entries forbidden\n",
                      problem.edges.size(), graph.parallelEdges, problem.matrices.size(), 100 * sizes.forbiddenShare);
  os << llvm::formatv("graph     connected parts: {0:N}, the largest of {1:N} nodes; elimination width {2} {3}\n",
                      graph.components, graph.largestComponent,
                      graph.width > GraphFacts::widthLimit ? "above" : "at most",
                      std::min(graph.width, GraphFacts::widthLimit));
  if (sizes.firstStep)
    os << llvm::formatv("memory    {0:N} uses over steps [{1}, {2}); {3}\n", sizes.uses, *sizes.firstStep,
                        *sizes.endStep, memoryText(problem, range));
  else
    os << "memory    no node uses any\n";
}

} // namespace

int showCommand(const Options &options) {
  llvm::Expected<PlanProblem> loaded = loadProblem(options.files.front());
  if (!loaded)
    return reportError(options, Usage, llvm::toString(loaded.takeError()));
  const PlanProblem &problem = *loaded;
  Sizes sizes = measure(problem);
  PeakRange range = peakRange(problem);
  GraphFacts graph = graphFacts(problem);
  if (options.json)
    llvm::outs() << llvm::formatv(
        "{0:2}\n",
        llvm::json::Value(llvm::json::Object{
            {"name", problem.name},
            {"nodes", problem.nodes.size()},
            {"strategies", sizes.strategies},
            {"most_strategies", sizes.most},
            {"log10_combinations", sizes.log10Combinations},
            {"edges", problem.edges.size()},
            {"parallel_edges", graph.parallelEdges},
            {"matrices", problem.matrices.size()},
            {"forbidden_share", sizes.forbiddenShare},
            {"components", graph.components},
            {"largest_component", graph.largestComponent},
            {"elimination_width", graph.width > GraphFacts::widthLimit ? llvm::json::Value(nullptr) : graph.width},
            {"memory_uses", sizes.uses},
            {"usage_limit", problem.memoryLimit ? llvm::json::Value(*problem.memoryLimit) : nullptr},
            {"least_peak_bytes", range.least},
            {"most_peak_bytes", range.most}}));
  else
    printText(problem, sizes, range, graph);
  return Ok;
}

} // namespace llmpar::tool
