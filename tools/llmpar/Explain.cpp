//===- Explain.cpp - `llmpar plan --explain`: why is the plan as it is? ------===//
#include "Explain.h"

#include "llmpar/Core/UnitText.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar::tool {

bool explainPlan(const Options &options, mlir::ModuleOp module, const PlanRequest &request, FoundPlan &found,
                 std::vector<ExplainAnswer> &answers, Failure &failure) {
  PlanExplainer explainer(*found.problem, found.plan.chosen().plan);
  for (const std::string &about : options.explain) {
    ExplainAnswer &answer = answers.emplace_back();
    answer.about = about;
    std::optional<llmpar::Method> method = methodOf(about);
    llvm::Expected<std::vector<int>> nodes = decisionsAbout(*found.problem, about);
    if (nodes)
      for (int node : *nodes)
        answer.decisions.push_back({explainer.explain(node), explainer.solveWithout(node, options.timeLimit)});
    else if (method)
      llvm::consumeError(nodes.takeError());
    else
      return failure.set(Usage, "--explain=" + about + ": " + llvm::toString(nodes.takeError()));
    if (!method)
      continue;
    llvm::Expected<MethodComparison> comparison = compareWithMethod(module, request, found, *method);
    if (!comparison)
      return failure.set(Usage, "--explain=" + about + ": " + llvm::toString(comparison.takeError()));
    answer.method = std::move(*comparison);
  }
  return true;
}

//===-- Tables --------------------------------------------------------------===//

static std::string sizeText(int64_t bytes) { return bytesText(static_cast<uint64_t>(bytes)); }

static void printOther(llvm::StringRef title, const std::optional<OtherChoice> &other) {
  if (!other)
    return;
  llvm::outs() << llvm::formatv("  {0,-10} {1}: {2} a step (itself {3}, resharding {4}, neighbours {5}); holds {6}, peak {7}\n",
                                title, other->strategy, timeChangeText(other->rise), timeChangeText(other->computeRise),
                                timeChangeText(other->reshardRise), timeChangeText(other->otherRise),
                                bytesChangeText(other->heldRise), sizeText(other->peakBytes));
  for (const std::string &moved : other->moved)
    llvm::outs() << llvm::formatv("  {0,-10} with {1}\n", "", moved);
  llvm::outs() << llvm::formatv("  {0,-10} would be chosen {1}\n", "", other->flip);
}

static void printDecision(const ExplainAnswer::AboutDecision &about) {
  const Decision &why = about.decision;
  llvm::outs() << "\n" << why.what << " : " << why.type << "\n";
  llvm::outs() << llvm::formatv("  {0,-10} {1}: takes {2}, resharding at it {3}; holds {4}; one of {5}\n", "chosen", why.chosen,
                                timeText(why.compute), timeText(why.reshard), sizeText(why.heldBytes), why.alternatives + 1);
  printOther("runner-up", why.runnerUp);
  printOther("in place", why.inPlace);
  printOther("cheaper", why.barred);
  if (about.free)
    llvm::outs() << llvm::formatv("  {0,-10} {1}: {2}{3} a step, and {4} others change\n", "all free", about.free->strategy,
                                  about.free->isBest ? "" : "at most ", timeChangeText(about.free->rise), about.free->moved);
  else
    llvm::outs() << llvm::formatv("  {0,-10} no plan without this choice\n", "all free");
}

static void printMethod(const MethodComparison &comparison) {
  llvm::outs() << llvm::formatv("\n{0,-10} {1,-14} {2,12} {3,12} {4,14} {5,12} {6,12}\n", "method", "mesh", "step", "compute",
                                "communication", "peak", "of weights");
  auto row = [](const MethodCost &cost) {
    llvm::outs() << llvm::formatv("{0,-10} {1,-14} {2,12} {3,12} {4,14} {5,12} {6,12}\n", cost.method,
                                  cost.mesh.empty() ? "one device" : cost.mesh, timeText(cost.cost), timeText(cost.compute),
                                  timeText(cost.communication), sizeText(cost.peakBytes), sizeText(cost.weightBytes));
  };
  row(comparison.chosen);
  if (!comparison.other) {
    llvm::outs() << comparison.why << "\n";
    return;
  }
  row(*comparison.other);
  int64_t rise = comparison.other->cost - comparison.chosen.cost;
  llvm::outs() << "\n" << comparison.other->method << (rise == 0 ? " costs the same" : " costs " + timeChangeText(rise) + " a step")
               << (comparison.contributions.empty() ? ", and no op differs\n" : "; where, largest first\n");
  for (const MethodComparison::Contribution &part : llvm::ArrayRef(comparison.contributions).take_front(10))
    llvm::outs() << llvm::formatv("{0,6} {1,-14} {2,-48} compute {3,12}  communication {4,12}\n", part.count, part.op, part.nodes,
                                  timeChangeText(part.computeRise), timeChangeText(part.communicationRise));
  if (comparison.contributions.size() > 10)
    llvm::outs() << llvm::formatv("       and {0} more: --json lists them\n", comparison.contributions.size() - 10);
}

void printAnswer(const ExplainAnswer &answer) {
  for (const ExplainAnswer::AboutDecision &about : answer.decisions)
    printDecision(about);
  if (answer.method)
    printMethod(*answer.method);
}

//===-- JSON ----------------------------------------------------------------===//

static double seconds(int64_t picoseconds) { return static_cast<double>(picoseconds) * 1e-12; }

static llvm::json::Value toJson(const std::optional<OtherChoice> &other) {
  if (!other)
    return nullptr;
  return llvm::json::Object{{"strategy", other->strategy}, {"rise_s", seconds(other->rise)}, {"own_rise_s", seconds(other->computeRise)},
                            {"resharding_rise_s", seconds(other->reshardRise)}, {"neighbours_rise_s", seconds(other->otherRise)},
                            {"held_rise_bytes", other->heldRise}, {"peak_bytes", other->peakBytes},
                            {"moved", llvm::json::Array(other->moved)}, {"flips", other->flip}};
}

static llvm::json::Value toJson(const MethodCost &cost) {
  return llvm::json::Object{{"method", cost.method}, {"mesh", cost.mesh}, {"time_s", seconds(cost.cost)}, {"bound_s", seconds(cost.lowerBound)},
                            {"compute_s", seconds(cost.compute)}, {"communication_s", seconds(cost.communication)},
                            {"peak_bytes", cost.peakBytes}, {"weight_bytes", cost.weightBytes}};
}

static llvm::json::Value toJson(const MethodComparison &comparison) {
  llvm::json::Array parts;
  for (const MethodComparison::Contribution &part : comparison.contributions)
    parts.push_back(llvm::json::Object{{"op", part.op}, {"nodes", part.nodes}, {"count", part.count},
                                       {"compute_rise_s", seconds(part.computeRise)}, {"communication_rise_s", seconds(part.communicationRise)}});
  llvm::json::Object object{{"chosen", toJson(comparison.chosen)}, {"fits", comparison.other.has_value()}, {"differences", std::move(parts)}};
  if (comparison.other)
    object["other"] = toJson(*comparison.other);
  else
    object["why"] = comparison.why;
  return object;
}

llvm::json::Value toJson(const ExplainAnswer &answer) {
  llvm::json::Array decisions;
  for (const auto &[why, free] : answer.decisions) {
    llvm::json::Object object{{"what", why.what}, {"type", why.type}, {"chosen", why.chosen}, {"own_s", seconds(why.compute)},
                              {"resharding_s", seconds(why.reshard)}, {"held_bytes", why.heldBytes}, {"alternatives", static_cast<int64_t>(why.alternatives)},
                              {"runner_up", toJson(why.runnerUp)}, {"in_place", toJson(why.inPlace)}, {"cheaper_but_too_large", toJson(why.barred)}};
    if (free)
      object["all_free"] = llvm::json::Object{{"strategy", free->strategy}, {"rise_s", seconds(free->rise)}, {"moved", free->moved}, {"is_best", free->isBest}};
    decisions.push_back(std::move(object));
  }
  llvm::json::Object object{{"about", llvm::json::fixUTF8(answer.about)}, {"decisions", std::move(decisions)}};
  if (answer.method)
    object["method"] = toJson(*answer.method);
  return object;
}

} // namespace llmpar::tool
