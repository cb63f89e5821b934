//===- SolveTest.cpp - The solver against enumeration -----------------------===//
#include "RandomProblem.h"
#include "llmpar/Planner/Algorithms.h"
#include "llmpar/Planner/PlanFile.h"

#include "llvm/Support/MemoryBuffer.h"
#include "gtest/gtest.h"
#include <cstdlib>
#include <iostream>

using namespace llmpar;

namespace {

/// Empty if `plan` is the best one, proved: what a failure should show otherwise.
std::string complaint(const PlanProblem &problem, const Plan &plan, const Plan &best) {
  if (plan.feasible() != best.feasible())
    return plan.feasible() ? "a plan where none exists" : "no plan where one exists";
  if (plan.lowerBound > best.lowerBound)
    return "a lower bound above the optimum";
  if (plan.lowerBound < best.lowerBound)
    return "not proved";
  if (!plan.feasible())
    return "";
  if (llvm::Error error = verifyPlan(problem, plan))
    return llvm::toString(std::move(error));
  return plan.cost == best.cost ? "" : "a plan that is not the best";
}

/// Solves `count` problems and compares with enumeration.
void compareWithEnumeration(RandomProblem random, int count) {
  int feasible = 0, bound = 0, limited = 0;
  for (int i = 0; i < count; ++i) {
    PlanProblem problem = random.draw();
    Plan best = solveByEnumeration(problem), plan = solve(problem, {});
    std::string wrong = complaint(problem, plan, best);
    ASSERT_EQ(wrong, "") << "case " << i << ": cost " << plan.cost << ", bound " << plan.lowerBound << ", optimum "
                         << best.cost << "\n"
                         << writePlanProblem(problem) << writePlan(plan);
    feasible += best.feasible();
    limited += problem.memoryLimit.has_value();
    std::optional<int64_t> limit = std::exchange(problem.memoryLimit, std::nullopt);
    bound += limit && solveByEnumeration(problem).cost != best.cost;
  }
  // The cases are of every kind.
  EXPECT_GT(feasible, count / 2);
  EXPECT_LT(feasible, count * 9 / 10);
  EXPECT_GT(limited, count / 2);
  EXPECT_GT(bound, count / 10) << "memory limits that change the answer";
}

TEST(Solve, EqualsEnumerationOnRandomProblems) { compareWithEnumeration(RandomProblem(2026), 5000); }

TEST(Solve, EqualsEnumerationOnOtherSeeds) { compareWithEnumeration(RandomProblem(2027), 500); }

TEST(Solve, EqualsEnumerationOnMoreStrategies) {
  compareWithEnumeration(RandomProblem(2028, /*maxNodes=*/5, /*maxStrategies=*/8), 1000);
}

TEST(Solve, PlansOfOneProblemAreTheSame) {
  RandomProblem random(4, /*maxNodes=*/40, /*maxStrategies=*/5);
  for (int i = 0; i < 20; ++i) {
    PlanProblem problem = random.draw();
    std::string first = writePlan(solve(problem, {.gapLimit = 0.01}));
    EXPECT_EQ(writePlan(solve(problem, {.gapLimit = 0.01})), first);
  }
}

TEST(Solve, SharedMatricesAreAsGoodAsCopies) {
  RandomProblem random(6);
  for (int i = 0; i < 200; ++i) {
    PlanProblem problem = random.draw(), copied = problem;
    copied.matrices.clear();
    for (PlanEdge &edge : copied.edges) {
      copied.matrices.push_back(problem.matrices[edge.matrix]);
      edge.matrix = static_cast<int>(copied.matrices.size()) - 1;
    }
    EXPECT_EQ(solve(copied).cost, solve(problem).cost) << writePlanProblem(problem);
  }
}

/// A dense problem that no exact search ends soon, with a memory limit.
PlanProblem hardProblem() {
  std::mt19937 random(8);
  auto below = [&](unsigned count) { return static_cast<int64_t>(random() % count); };
  PlanProblem problem{.name = "hard", .nodes = {}, .edges = {}, .matrices = {}, .memoryLimit = 400 * 500};
  for (int i = 0; i < 400; ++i) {
    PlanNode node;
    node.memory.push_back({.lifetime = {i, i + 400}, .bytes = {}});
    for (int strategy = 0; strategy < 12; ++strategy) {
      node.costs.push_back(below(1000));
      node.memory[0].bytes.push_back(below(1000));
    }
    problem.nodes.push_back(std::move(node));
  }
  for (int i = 0; i < 4000; ++i) {
    int from = static_cast<int>(below(400)), to = static_cast<int>((from + 1 + below(399)) % 400);
    problem.edges.push_back({from, to, i});
    problem.matrices.push_back({.rows = 12, .columns = 12, .costs = {}});
    for (int entry = 0; entry < 144; ++entry)
      problem.matrices.back().costs.push_back(below(1000));
  }
  return problem;
}

TEST(Solve, StopsAtTheTimeLimitWithTheBestSoFar) {
  PlanProblem problem = hardProblem();
  // A solver that ignored the limit would prove the optimum, long after the test's own limit.
  Plan plan = solve(problem, {.timeLimitSeconds = 1});
  EXPECT_FALSE(plan.optimal()) << "make the problem harder: nothing was tested";
  EXPECT_GT(plan.lowerBound, 0);
  if (plan.feasible()) // not on a machine that is too busy to get so far
    EXPECT_EQ(llvm::toString(verifyPlan(problem, plan)), "");
}

TEST(Solve, StopsWhenProgressSaysSo) {
  PlanProblem problem = hardProblem();
  int64_t lastBound = 0;
  std::optional<int64_t> lastCost;
  int calls = 0;
  bool saidStop = false;
  auto watch = [&](const SolveProgress &now) {
    EXPECT_GE(now.lowerBound, lastBound) << "bounds only rise";
    EXPECT_LE(now.cost.value_or(kForbidden), lastCost.value_or(kForbidden)) << "costs only fall";
    lastBound = now.lowerBound;
    lastCost = now.cost;
    EXPECT_FALSE(saidStop) << "called again after it said stop";
    saidStop = ++calls >= 3 && now.cost;
    return !saidStop;
  };
  Plan plan = solve(problem, {.timeLimitSeconds = 600, .progress = watch});
  EXPECT_TRUE(saidStop) << "make the problem harder: nothing was tested";
  ASSERT_TRUE(plan.feasible());
  EXPECT_FALSE(plan.optimal());
  EXPECT_EQ(llvm::toString(verifyPlan(problem, plan)), "");
  EXPECT_LE(plan.cost, lastCost.value_or(kForbidden));
  EXPECT_GE(plan.lowerBound, lastBound);
}

TEST(Solve, StopsWithinTheGapAskedFor) {
  RandomProblem random(12, /*maxNodes=*/30, /*maxStrategies=*/4);
  for (int i = 0; i < 50; ++i) {
    PlanProblem problem = random.draw();
    Plan plan = solve(problem, {.gapLimit = 0.2});
    if (plan.feasible())
      EXPECT_LE(plan.gap(), 0.2) << writePlanProblem(problem);
  }
}

/// `blocks` equal blocks in a row, all of which read one node. Cheap strategies use more memory; the limit lets some
/// blocks take them, if it is not null.
PlanProblem repeatedBlocks(int blocks, std::optional<int64_t> limit) {
  std::mt19937 random(21);
  auto draw = [&](int rows, int columns) {
    CostMatrix matrix{.rows = rows, .columns = columns, .costs = {}};
    for (int i = 0; i < rows * columns; ++i)
      matrix.costs.push_back(static_cast<int64_t>(random() % 40));
    return matrix;
  };
  PlanProblem problem{.name = "blocks", .nodes = {{.name = "hub", .costs = {3, 0, 5}, .memory = {}}}, .edges = {}, .matrices = {}, .memoryLimit = limit};
  for (int i = 0; i < 4; ++i)
    problem.matrices.push_back(draw(3, 3));
  for (int block = 0; block < blocks; ++block) {
    int first = static_cast<int>(problem.nodes.size());
    for (int i = 0; i < 3; ++i)
      problem.nodes.push_back({.name = "", .costs = {100, 160, 240}, .memory = {{.lifetime = {0, 2 * blocks}, .bytes = {9, 5, 2}}}});
    problem.nodes[first].memory.push_back({.lifetime = {2 * block, 2 * block + 1}, .bytes = {1, 2, 3}});
    if (block > 0)
      problem.edges.push_back({first - 1, first, 0});
    problem.edges.push_back({first, first + 1, 1});
    problem.edges.push_back({first + 1, first + 2, 2});
    problem.edges.push_back({0, first + 1, 3});
  }
  return problem;
}

TEST(Solve, RepeatedBlocksEqualEnumeration) {
  for (std::optional<int64_t> limit : {std::optional<int64_t>(), std::optional<int64_t>(60), std::optional<int64_t>(40)}) {
    PlanProblem problem = repeatedBlocks(4, limit);
    EXPECT_EQ(complaint(problem, solve(problem), solveByEnumeration(problem)), "") << writePlanProblem(problem);
  }
}

TEST(Solve, RepeatedBlocksThatMemoryBindsComeNearTheBound) {
  PlanProblem problem = repeatedBlocks(200, 200 * 16);
  Plan plan = solve(problem, {.gapLimit = 0.01, .effort = SolveOptions::Effort::Prices});
  ASSERT_TRUE(plan.feasible());
  EXPECT_EQ(llvm::toString(verifyPlan(problem, plan)), "");
  EXPECT_LE(plan.gap(), 0.01) << "prices and mixed plans alone";
  EXPECT_LT(solve(repeatedBlocks(200, {})).cost, plan.lowerBound) << "the limit does not bind: nothing was tested";
}

/// As in training: a forward of equal blocks, then the backward in opposite order, each block of which reads what its
/// own forward made and keeps until then.
PlanProblem mirroredBlocks(int blocks, std::optional<int64_t> limit) {
  std::mt19937 random(22);
  PlanProblem problem{.name = "mirrored", .nodes = {}, .edges = {}, .matrices = {}, .memoryLimit = limit};
  for (int i = 0; i < 4; ++i) {
    problem.matrices.push_back({.rows = 3, .columns = 3, .costs = {}});
    for (int entry = 0; entry < 9; ++entry)
      problem.matrices.back().costs.push_back(static_cast<int64_t>(random() % 40));
  }
  int backward = 2 * blocks; // the first node of the backward, and as a step
  for (int block = 0; block < blocks; ++block)
    for (int i = 0; i < 2; ++i) {
      int node = static_cast<int>(problem.nodes.size());
      problem.nodes.push_back({.name = "", .costs = {100, 160, 240}, .memory = {{.lifetime = {node, 2 * backward - node}, .bytes = {9, 5, 2}}}});
      if (node > 0)
        problem.edges.push_back({node - 1, node, i});
    }
  for (int node = backward; node < 2 * backward; ++node) {
    problem.nodes.push_back({.name = "", .costs = {100, 160, 240}, .memory = {{.lifetime = {node, node + 2}, .bytes = {4, 2, 1}}}});
    problem.edges.push_back({node - 1, node, 2});
    problem.edges.push_back({2 * backward - 1 - node, node, 3});
  }
  return problem;
}

TEST(Solve, MirroredBlocksEqualEnumeration) {
  for (std::optional<int64_t> limit : {std::optional<int64_t>(), std::optional<int64_t>(36), std::optional<int64_t>(26)}) {
    PlanProblem problem = mirroredBlocks(3, limit);
    EXPECT_EQ(complaint(problem, solve(problem), solveByEnumeration(problem)), "") << writePlanProblem(problem);
  }
}

TEST(Solve, MirroredBlocksComeNearTheBoundByPrices) {
  Plan unlimited = solve(mirroredBlocks(100, {}), {.gapLimit = 0.01, .effort = SolveOptions::Effort::Prices});
  EXPECT_LE(unlimited.gap(), 0.01) << "messages alone";
  PlanProblem problem = mirroredBlocks(100, 100 * 11);
  Plan plan = solve(problem, {.gapLimit = 0.01, .effort = SolveOptions::Effort::Prices});
  ASSERT_TRUE(plan.feasible());
  EXPECT_EQ(llvm::toString(verifyPlan(problem, plan)), "");
  EXPECT_LE(plan.gap(), 0.01) << "prices and mixed plans alone";
  EXPECT_LT(unlimited.cost, plan.lowerBound) << "the limit does not bind: nothing was tested";
}

TEST(Solve, NothingIsFoundAtTheCostLimit) {
  RandomProblem random(31);
  for (int i = 0; i < 200; ++i) {
    PlanProblem problem = random.draw();
    Plan best = solve(problem);
    if (!best.feasible() || best.cost == 0)
      continue;
    Plan none = solve(problem, {.costLimit = best.cost}), same = solve(problem, {.costLimit = best.cost + 1});
    EXPECT_FALSE(none.feasible());
    EXPECT_EQ(none.lowerBound, best.cost);
    EXPECT_TRUE(same.optimal() && same.cost == best.cost) << writePlanProblem(problem);
  }
}

/// Problems of the IOPDDL contest, in the folder `iopddl` beside that of the test data: costs of the best team.
struct Published {
  const char *file;
  int64_t bestCost;
};
class SolveIopddl : public testing::TestWithParam<Published> {};

TEST_P(SolveIopddl, IsWithinHalfAPercentOfOptimal) {
  const char *data = std::getenv("LLMPAR_TEST_DATA");
  std::string path = (data ? std::string(data) : "") + "/../iopddl/" + GetParam().file;
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!data || !buffer)
    GTEST_SKIP() << "SKIPPED: set LLMPAR_TEST_DATA to a folder with iopddl/" << GetParam().file
                 << " beside it to solve it";
  llvm::Expected<PlanProblem> problem = readPlanProblem((*buffer)->getBuffer());
  ASSERT_TRUE(bool(problem)) << llvm::toString(problem.takeError());
  // The contest's longest limit, for busy machines; bench_planner.py --check holds the times.
  Plan plan = solve(*problem, {.timeLimitSeconds = 300, .gapLimit = 0.005});
  EXPECT_EQ(llvm::toString(verifyPlan(*problem, plan)), "");
  EXPECT_LE(plan.gap(), 0.005) << "cost " << plan.cost << ", bound " << plan.lowerBound;
  EXPECT_LE(plan.lowerBound, GetParam().bestCost) << "a published plan costs less than the bound";
}

INSTANTIATE_TEST_SUITE_P(Contest, SolveIopddl,
                         testing::Values(Published{"B.json.gz", 532'843}, Published{"G.json.gz", 217'039},
                                         Published{"V.json.gz", 1'632'051}),
                         [](const auto &info) { return std::string(info.param.file, 1); });

} // namespace
