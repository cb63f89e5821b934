//===- ExplainPlan.cpp - The decisions of a plan in words -------------------===//
#include "llmpar/Planning/ExplainPlan.h"

#include "llmpar/Core/UnitText.h"
#include "llmpar/Planning/PlanDocument.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace llmpar {

using Node = ShardingProblem::Node;

static std::string quoted(StringRef name) { return ("'" + name + "'").str(); }

/// "matmul 'h.0.up'", "input 'ids'", "result of 'h.0.up'"; ops without a node's name say their position.
std::string PlanExplainer::labelOf(int index) {
  const Node &node = problem.nodes()[index];
  if (auto argument = dyn_cast_or_null<BlockArgument>(node.value)) {
    auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
    auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), LlmparDialect::kName);
    return "input " + (name ? quoted(name) : std::to_string(argument.getArgNumber()));
  }
  Operation *op = node.op ? node.op : node.value.getDefiningOp();
  StringRef name = nodeNameOf(op);
  std::string kind = op->getName().stripDialect().str();
  auto position = [&] { return std::to_string(std::distance(op->getBlock()->begin(), op->getIterator())); };
  std::string text = name.empty() ? kind + " (op " + position() + ")" : kind + " " + quoted(name);
  return node.op ? text : "result of " + text;
}

std::string PlanExplainer::strategyText(int index, int strategy) {
  const Node &node = problem.nodes()[index];
  const Mesh &mesh = problem.costs().mesh();
  if (!node.op)
    return "[" + llvm::join(wordsOf(problem.costs()[(*node.shardings)[strategy]], mesh), ", ") + "]";
  const Strategy &choice = (*node.strategies)[strategy];
  std::vector<std::string> words;
  for (auto [factor, dim] : llvm::zip(problem.ruleOf(node.op).factors, choice.factors))
    if (!dim.axes.empty())
      words.push_back(factor.name + ": " + wordOf(dim, mesh));
  std::string text = words.empty() ? "whole" : llvm::join(words, ", ");
  for (auto [rest, used] : llvm::zip(choice.rest, choice.operands))
    if (rest != problem.costs()[used])
      text += ", a weight at rest [" + llvm::join(wordsOf(rest, mesh), ", ") + "]";
  return text;
}

std::string PlanExplainer::termText(const Alternative &alternative, const CostTerm &term) {
  if (term.isEdge) {
    const PlanEdge &edge = problem.problem().edges[term.index];
    return "resharding from " + labelOf(edge.from) + " to " + labelOf(edge.to);
  }
  int strategy = alternative.strategy;
  for (auto [moved, its] : alternative.moved)
    if (moved == term.index)
      strategy = its;
  return labelOf(term.index) + " with " + strategyText(term.index, strategy);
}

std::string PlanExplainer::flipText(int node, const Alternative &alternative) {
  if (std::optional<int64_t> limit = problem.problem().memoryLimit; limit && alternative.peakBytes > *limit)
    return "with " + bytesText(static_cast<uint64_t>(alternative.peakBytes - *limit)) + " more memory on each device";
  if (alternative.rise() < 0)
    return "already: the search ended before it was found";
  if (alternative.rise() == 0)
    return "at any saving: both cost the same";
  if (const CostTerm *term = alternative.decisive())
    return "if " + termText(alternative, *term) + " took " + timeText(alternative.rise()) + " less than its " +
           timeText(term->then);
  return "if " + labelOf(node) + " with " + strategyText(node, plan.choice[node]) + " took " + timeText(alternative.rise()) + " more";
}

std::optional<OtherChoice> PlanExplainer::describe(int node, const std::optional<Alternative> &alternative) {
  if (!alternative)
    return std::nullopt;
  OtherChoice other{.strategy = strategyText(node, alternative->strategy),
                    .moved = {},
                    .rise = alternative->rise(),
                    .computeRise = alternative->nodeRise,
                    .reshardRise = alternative->edgeRise,
                    .otherRise = alternative->otherRise,
                    .heldRise = alternative->heldRise,
                    .peakBytes = alternative->peakBytes,
                    .flip = flipText(node, *alternative)};
  for (auto [moved, strategy] : alternative->moved)
    other.moved.push_back(labelOf(moved) + ": " + strategyText(moved, strategy));
  return other;
}

Decision PlanExplainer::explain(int index) {
  const Node &node = problem.nodes()[index];
  const PlanNode &costs = problem.problem().nodes[index];
  Explanation why = explainer.explain(index);
  Decision result{.what = labelOf(index), .type = "", .chosen = strategyText(index, why.chosen), .runnerUp = {}, .inPlace = {}, .barred = {}};
  llvm::raw_string_ostream(result.type) << (node.op ? node.op->getResult(0) : node.value).getType();
  result.compute = costs.costs[why.chosen];
  for (const PlanEdge &edge : problem.problem().edges)
    if (edge.from == index || edge.to == index)
      result.reshard += problem.problem().matrices[edge.matrix].at(plan.choice[edge.from], plan.choice[edge.to]);
  for (const MemoryUse &use : costs.memory)
    result.heldBytes += use.bytes[why.chosen];
  result.alternatives = costs.costs.size() - 1;
  result.runnerUp = describe(index, why.adjusted);
  if (why.inPlace && !(why.adjusted && why.adjusted->moved.empty()))
    result.inPlace = describe(index, why.inPlace);
  result.barred = describe(index, why.barred);
  return result;
}

std::optional<FreeAlternative> PlanExplainer::solveWithout(int node, double timeLimitSeconds) {
  Plan other = llmpar::solveWithout(problem.problem(), plan, node, {.timeLimitSeconds = timeLimitSeconds});
  if (!other.feasible())
    return std::nullopt;
  FreeAlternative result{.strategy = strategyText(node, other.choice[node]), .rise = other.cost - plan.cost, .isBest = other.optimal()};
  for (auto [index, choices] : llvm::enumerate(llvm::zip(plan.choice, other.choice)))
    result.moved += static_cast<int>(index) != node && std::get<0>(choices) != std::get<1>(choices);
  return result;
}

void remarkDecisions(ShardingProblem &problem, const Plan &plan) {
  std::optional<PlanExplainer> explainer; // built only where somebody listens
  remark::RemarkOpts options = remark::RemarkOpts::name("decision").category("llmpar-plan-shardings").function("main");
  for (auto [index, node] : llvm::enumerate(problem.nodes())) {
    if (!node.op || problem.problem().nodes[index].costs.size() < 2)
      continue;
    remark::detail::InFlightRemark remark = remark::passed(node.op->getLoc(), options);
    if (!remark)
      return;
    if (!explainer)
      explainer.emplace(problem, plan);
    Decision why = explainer->explain(static_cast<int>(index));
    auto add = [&](StringRef key, const std::string &text) { remark << remark::detail::Remark::Arg(key, text); };
    add("Op", why.what);
    add("Chosen", why.chosen);
    if (why.runnerUp) {
      add("RunnerUp", why.runnerUp->strategy);
      add("Difference", timeChangeText(why.runnerUp->rise));
      add("Memory", bytesChangeText(why.runnerUp->heldRise));
      add("Flips", why.runnerUp->flip);
    }
    if (why.barred) {
      add("Cheaper", why.barred->strategy);
      add("CheaperBy", timeText(-why.barred->rise));
      add("Fits", why.barred->flip);
    }
  }
}

} // namespace llmpar
