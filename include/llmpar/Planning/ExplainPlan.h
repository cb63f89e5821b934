//===- ExplainPlan.h - The decisions of a plan in words ---------*- C++ -*-===//
//
//   llvm::Expected<std::vector<int>> nodes = decisionsAbout(*found.problem, "h.0.up_product");
//   PlanExplainer explainer(*found.problem, found.plan.chosen().plan);
//   Decision why = explainer.explain(nodes->front());
//   // why.chosen "n: x", why.runnerUp->strategy "k: x", why.runnerUp->flip "if resharding ... took 3.20 us less"
//
// The numbers are Planner/Explain.h's; costs are picoseconds of a step.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNING_EXPLAINPLAN_H
#define LLMPAR_PLANNING_EXPLAINPLAN_H

#include "llmpar/Planner/Explain.h"
#include "llmpar/Planning/PlanShardings.h"

namespace llmpar {

/// The plan with another choice at one place.
struct OtherChoice {
  std::string strategy;           ///< "k: x"
  std::vector<std::string> moved; ///< neighbours that follow: "result of 'h.0.up': [x, -]"
  int64_t rise = 0;               ///< of the step's cost
  int64_t computeRise = 0, reshardRise = 0, otherRise = 0; ///< its parts: the op, resharding at it, neighbours
  int64_t heldRise = 0;           ///< bytes that this op or value holds
  int64_t peakBytes = 0;          ///< of the whole plan
  std::string flip;               ///< what would make it the choice
};

/// What a plan chose for an input, an op or a kept value, and why.
struct Decision {
  std::string what;   ///< "matmul 'h.0.up'", "input 'ids'", "result of 'h.0.up'"
  std::string type;   ///< of the value or the first result
  std::string chosen; ///< "n: x"; of a value: "[x, -]"
  int64_t compute = 0, reshard = 0, heldBytes = 0;
  size_t alternatives = 0; ///< strategies beside the chosen one
  std::optional<OtherChoice> runnerUp; ///< the cheapest other choice, neighbours following
  std::optional<OtherChoice> inPlace;  ///< with everything else as it is; none if it is the runner-up
  std::optional<OtherChoice> barred;   ///< cheaper than the plan, but does not fit into memory
};

/// The cheapest plan with any other choice at one place, everything else free.
struct FreeAlternative {
  std::string strategy;
  int64_t rise = 0;  ///< of the step's cost
  int64_t moved = 0; ///< other inputs, ops and values that change with it
  bool isBest = false; ///< proved; else the search ran out of time, and `rise` may be less
};

class PlanExplainer {
public:
  /// Both outlive it; the plan is feasible, and not yet written into the module.
  PlanExplainer(ShardingProblem &problem, const Plan &plan)
      : problem(problem), plan(plan), explainer(problem.problem(), plan) {}
  Decision explain(int node);
  /// The true price of a decision; takes a search. None: there is no plan without it, or none was found in time.
  std::optional<FreeAlternative> solveWithout(int node, double timeLimitSeconds);
  /// "matmul 'h.0.up'"
  std::string labelOf(int node);
  /// "n: x, k: y", "[x, -]"
  std::string strategyText(int node, int strategy);

private:
  ShardingProblem &problem;
  const Plan &plan;
  Explainer explainer;
  std::optional<OtherChoice> describe(int node, const std::optional<Alternative> &alternative);
  std::string flipText(int node, const Alternative &alternative);
  std::string termText(const Alternative &alternative, const CostTerm &term);
};

/// The nodes of a tensor (input, weight or output of the model) or of an op (name of an ONNX node); of a weight: the
/// ops that use it. Errors: nothing has that name, with the nearest names.
llvm::Expected<std::vector<int>> decisionsAbout(ShardingProblem &problem, llvm::StringRef name);

/// Emits a `passed` remark of category `llmpar-plan-shardings` for every op with a choice. Costs nothing where they
/// are not enabled.
void remarkDecisions(ShardingProblem &problem, const Plan &plan);

/// What a plan costs, by kind. Picoseconds, bytes.
struct MethodCost {
  std::string method, mesh;
  int64_t cost = 0, lowerBound = 0;
  int64_t compute = 0, communication = 0; ///< kernels; resharding and gathering of weights
  int64_t peakBytes = 0, weightBytes = 0; ///< the weights are part of the peak
};

/// A method beside the plan that was chosen.
struct MethodComparison {
  MethodCost chosen;
  std::optional<MethodCost> other; ///< none: no plan of the method fits
  std::string why;                 ///< it has no plan
  /// Ops of one kind in nodes whose names differ in numbers only; rises are those of the other plan.
  struct Contribution {
    std::string op, nodes; ///< "matmul", "h.*.up"
    int64_t count = 0, computeRise = 0, communicationRise = 0;
    int64_t rise() const { return computeRise + communicationRise; }
  };
  std::vector<Contribution> contributions; ///< largest change first, all that change
};

/// Searches `method` as `request` says and compares it with what was found. Errors: those of findShardings.
llvm::Expected<MethodComparison> compareWithMethod(mlir::ModuleOp module, const PlanRequest &request, FoundPlan &found,
                                                   Method method);

} // namespace llmpar

#endif // LLMPAR_PLANNING_EXPLAINPLAN_H
