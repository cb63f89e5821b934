//===- ExplainTest.cpp - Explanations against enumeration -------------------===//
#include "RandomProblem.h"
#include "llmpar/Planner/Explain.h"
#include "llmpar/Planner/PeakRange.h"

#include "gtest/gtest.h"
#include <functional>
#include <set>

using namespace llmpar;

namespace {

struct Evaluated {
  int64_t cost = 0, peak = 0;
  bool allowed = true, fits = true;
};

/// By the definition, term by term.
Evaluated evaluate(const PlanProblem &problem, const std::vector<int> &choice) {
  Evaluated result;
  auto add = [&](int64_t cost) { cost >= kForbidden ? void(result.allowed = false) : void(result.cost += cost); };
  std::set<int64_t> steps;
  for (size_t i = 0; i < choice.size(); ++i) {
    add(problem.nodes[i].costs[choice[i]]);
    for (const MemoryUse &use : problem.nodes[i].memory)
      steps.insert(use.lifetime.begin);
  }
  for (const PlanEdge &edge : problem.edges)
    add(problem.matrices[edge.matrix].at(choice[edge.from], choice[edge.to]));
  for (int64_t step : steps) {
    int64_t live = 0;
    for (size_t i = 0; i < choice.size(); ++i)
      for (const MemoryUse &use : problem.nodes[i].memory)
        live += use.lifetime.begin <= step && step < use.lifetime.end ? use.bytes[choice[i]] : 0;
    result.peak = std::max(result.peak, live);
  }
  result.fits = !problem.memoryLimit || result.peak <= *problem.memoryLimit;
  return result;
}

/// Calls `visit` with every choice that differs from `choice` in `nodes` only.
void vary(const PlanProblem &problem, std::vector<int> choice, const std::vector<int> &nodes,
          const std::function<void(const std::vector<int> &)> &visit, size_t at = 0) {
  if (at == nodes.size())
    return visit(choice);
  for (size_t strategy = 0; strategy < problem.nodes[nodes[at]].costs.size(); ++strategy) {
    choice[nodes[at]] = static_cast<int>(strategy);
    vary(problem, choice, nodes, visit, at + 1);
  }
}

std::vector<int> apply(std::vector<int> choice, int node, const Alternative &alternative) {
  choice[node] = alternative.strategy;
  for (auto [moved, strategy] : alternative.moved)
    choice[moved] = strategy;
  return choice;
}

/// What an alternative says about itself holds.
void checkClaims(const PlanProblem &problem, const Plan &plan, int node, const Alternative &alternative) {
  std::vector<int> choice = apply(plan.choice, node, alternative);
  Evaluated then = evaluate(problem, choice);
  EXPECT_TRUE(then.allowed);
  EXPECT_EQ(then.cost - plan.cost, alternative.rise());
  EXPECT_EQ(then.peak, alternative.peakBytes);
  int64_t sum = 0, own = 0;
  for (const CostTerm &term : alternative.terms) {
    sum += term.rise();
    own += !term.isEdge && term.index == node ? term.rise() : 0;
  }
  EXPECT_EQ(sum, alternative.rise());
  EXPECT_EQ(own, alternative.nodeRise);
  const CostTerm *decisive = alternative.decisive();
  if (!decisive)
    return;
  // With the decisive cost that much lower, both cost the same.
  PlanProblem flipped = problem;
  if (!decisive->isEdge) {
    flipped.nodes[decisive->index].costs[choice[decisive->index]] -= alternative.rise();
  } else {
    PlanEdge &edge = flipped.edges[decisive->index];
    flipped.matrices.push_back(flipped.matrices[edge.matrix]); // its own: others may share it
    edge.matrix = static_cast<int>(flipped.matrices.size()) - 1;
    CostMatrix &matrix = flipped.matrices.back();
    matrix.costs[size_t(choice[edge.from]) * matrix.columns + choice[edge.to]] -= alternative.rise();
  }
  EXPECT_EQ(evaluate(flipped, choice).cost, plan.cost);
}

TEST(Explain, ExampleOfTheHeader) {
  PlanProblem problem;
  problem.nodes = {{.name = "matmul", .costs = {5, 5}, .memory = {}}, {.name = "add", .costs = {2, 1}, .memory = {}}};
  problem.matrices = {{.rows = 2, .columns = 2, .costs = {0, 3, 9, 4}}};
  problem.edges = {{0, 1, 0}};
  Plan plan = solve(problem);
  ASSERT_EQ(plan.cost, 7);
  Explanation why = Explainer(problem, plan).explain(0);
  ASSERT_TRUE(why.inPlace && why.adjusted);
  EXPECT_EQ(why.inPlace->rise(), 9);
  EXPECT_EQ(why.inPlace->edgeRise, 9);
  EXPECT_EQ(why.adjusted->rise(), 3);
  EXPECT_EQ(why.adjusted->otherRise, -1);
  ASSERT_TRUE(why.adjusted->decisive());
  EXPECT_TRUE(why.adjusted->decisive()->isEdge);
  EXPECT_EQ(why.adjusted->decisive()->then, 4);
  EXPECT_FALSE(why.barred);
}

TEST(Explain, SaysWhatMemoryForbids) {
  PlanProblem problem;
  problem.nodes = {{.name = "matmul", .costs = {5, 3}, .memory = {{.lifetime = {0, 1}, .bytes = {4, 10}}}}};
  problem.memoryLimit = 8;
  Plan plan = solve(problem);
  ASSERT_EQ(plan.cost, 5);
  Explanation why = Explainer(problem, plan).explain(0);
  EXPECT_FALSE(why.adjusted);
  ASSERT_TRUE(why.barred);
  EXPECT_EQ(why.barred->rise(), -2);
  EXPECT_EQ(why.barred->peakBytes, 10);
  EXPECT_EQ(why.barred->heldRise, 6);
}

TEST(Explain, AlternativesEqualEnumeration) {
  RandomProblem random(31, /*maxNodes=*/6);
  int explained = 0, follows = 0, limited = 0;
  for (int i = 0; i < 1500; ++i) {
    PlanProblem problem = random.draw();
    Plan plan = solveByEnumeration(problem);
    if (!plan.feasible())
      continue;
    Explainer explainer(problem, plan);
    for (int node = 0; node < static_cast<int>(problem.nodes.size()); ++node) {
      SCOPED_TRACE("case " + std::to_string(i) + ", node " + std::to_string(node));
      Explanation why = explainer.explain(node);
      std::set<int> around{node};
      for (const PlanEdge &edge : problem.edges)
        if (edge.from == node || edge.to == node)
          around.insert({edge.from, edge.to});
      std::optional<int64_t> inPlace, adjusted, barred;
      auto note = [](std::optional<int64_t> &best, int64_t cost) { best = std::min(best.value_or(cost), cost); };
      vary(problem, plan.choice, {around.begin(), around.end()}, [&](const std::vector<int> &choice) {
        Evaluated found = evaluate(problem, choice);
        if (choice[node] == plan.choice[node] || !found.allowed)
          return;
        if (!found.fits)
          return found.cost < plan.cost ? note(barred, found.cost) : void();
        note(adjusted, found.cost);
        std::vector<int> onlyNode = plan.choice;
        onlyNode[node] = choice[node];
        if (choice == onlyNode)
          note(inPlace, found.cost);
      });
      ASSERT_EQ(why.inPlace.has_value(), inPlace.has_value());
      if (inPlace)
        EXPECT_EQ(plan.cost + why.inPlace->rise(), *inPlace);
      for (const std::optional<Alternative> &found : {why.inPlace, why.adjusted, why.barred})
        if (found)
          checkClaims(problem, plan, node, *found);
      if (why.adjusted) {
        ASSERT_TRUE(adjusted);
        EXPECT_GE(plan.cost + why.adjusted->rise(), *adjusted);
        EXPECT_GE(why.adjusted->rise(), 0) << "the plan is optimal";
        follows += !why.adjusted->moved.empty();
      }
      if (why.barred) {
        ASSERT_TRUE(barred);
        EXPECT_GE(plan.cost + why.barred->rise(), *barred);
        ++limited;
      }
      if (!problem.memoryLimit) { // exact where memory does not count
        ASSERT_EQ(why.adjusted.has_value(), adjusted.has_value());
        if (adjusted)
          EXPECT_EQ(plan.cost + why.adjusted->rise(), *adjusted);
      }
      ++explained;
    }
  }
  EXPECT_GT(explained, 2000);
  EXPECT_GT(follows, 100);
  EXPECT_GT(limited, 100);
}

TEST(Explain, SolveWithoutEqualsEnumeration) {
  RandomProblem random(32, /*maxNodes=*/6);
  int found = 0;
  for (int i = 0; i < 300; ++i) {
    PlanProblem problem = random.draw();
    Plan plan = solveByEnumeration(problem);
    if (!plan.feasible())
      continue;
    int node = i % static_cast<int>(problem.nodes.size());
    PlanProblem without = problem;
    without.nodes[node].costs[plan.choice[node]] = kForbidden;
    Plan expected = solveByEnumeration(without), other = solveWithout(problem, plan, node);
    ASSERT_EQ(other.feasible(), expected.feasible()) << "case " << i;
    if (!other.feasible())
      continue;
    EXPECT_EQ(other.cost, expected.cost);
    EXPECT_NE(other.choice[node], plan.choice[node]);
    ++found;
  }
  EXPECT_GT(found, 80);
}

TEST(Explain, SmallestPeakEqualsEnumeration) {
  RandomProblem random(33, /*maxNodes=*/5);
  int without = 0, aboveRange = 0;
  for (int i = 0; i < 300; ++i) {
    PlanProblem problem = random.draw();
    std::optional<int64_t> least;
    std::vector<int> nodes, choice(problem.nodes.size(), 0);
    for (size_t node = 0; node < problem.nodes.size(); ++node)
      nodes.push_back(static_cast<int>(node));
    vary(problem, choice, nodes, [&](const std::vector<int> &each) {
      Evaluated found = evaluate(problem, each);
      if (found.allowed)
        least = std::min(least.value_or(found.peak), found.peak);
    });
    SmallestPeak peak = smallestPeak(problem, 10);
    EXPECT_EQ(peak.found, least) << "case " << i;
    without += !least;
    if (!least)
      continue;
    EXPECT_LE(peak.atLeast, *least);
    EXPECT_GE(peak.atLeast, peakRange(problem).least);
    aboveRange += *least > peakRange(problem).least;
  }
  EXPECT_GT(without, 5);
  EXPECT_GT(aboveRange, 20);
}

} // namespace
