//===- PlanProblemTest.cpp - The verifiers and the enumeration --------------===//
#include "RandomProblem.h"
#include "llmpar/Planner/Algorithms.h"

#include "gtest/gtest.h"
#include <functional>

using namespace llmpar;

namespace {

/// The problem of PlanProblem.h's header, with memory: its best plan costs 7, or 9 within 12 bytes.
PlanProblem twoNodes() {
  return {.name = "two",
          .nodes = {{.name = "matmul", .costs = {5, 5}, .memory = {{.lifetime = {0, 2}, .bytes = {8, 4}}}},
                    {.name = "add", .costs = {2, 1}, .memory = {{.lifetime = {1, 3}, .bytes = {8, 4}}}}},
          .edges = {{.from = 0, .to = 1, .matrix = 0}},
          .matrices = {{.rows = 2, .columns = 2, .costs = {0, 3, 9, 4}}},
          .memoryLimit = std::nullopt};
}

std::string messageOf(llvm::Error error) { return llvm::toString(std::move(error)); }

TEST(VerifyProblem, AcceptsAProblemThatMakesSense) {
  EXPECT_EQ(messageOf(verifyProblem(twoNodes())), "");
  RandomProblem random(5);
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(messageOf(verifyProblem(random.draw())), "");
}

TEST(VerifyProblem, SaysWhatIsWrong) {
  struct Case {
    std::function<void(PlanProblem &)> spoil;
    const char *message;
  };
  const Case cases[] = {
      {[](PlanProblem &p) { p.nodes.clear(); }, "the problem has no node"},
      {[](PlanProblem &p) { p.nodes[1].costs.clear(); }, "node 1 'add' has no strategy"},
      {[](PlanProblem &p) { p.nodes[0].costs[1] = -1; }, "node 0 'matmul' has a cost outside of 0 to 2^60"},
      {[](PlanProblem &p) { p.nodes[0].costs[1] = kForbidden + 1; }, "node 0 'matmul' has a cost outside of 0 to 2^60"},
      {[](PlanProblem &p) { p.nodes[0].memory[0].lifetime = {3, 2}; }, "node 0 'matmul' uses memory over steps [3, 2)"},
      {[](PlanProblem &p) { p.nodes[0].memory[0].bytes = {1}; }, "node 0 'matmul' has 1 memory sizes for 2 strategies"},
      {[](PlanProblem &p) { p.nodes[0].memory[0].bytes[0] = -8; }, "node 0 'matmul' has bytes outside of 0 to 2^60"},
      {[](PlanProblem &p) { p.nodes[0].memory[0].bytes[0] = p.nodes[1].memory[0].bytes[1] = int64_t(1) << 59; },
       "the memory of all nodes adds up to 2^60 bytes or more"},
      {[](PlanProblem &p) { p.matrices[0].costs.pop_back(); }, "matrix 0 of 2x2 has 3 costs"},
      {[](PlanProblem &p) { p.matrices[0].costs[2] = -9; }, "matrix 0 has a cost outside of 0 to 2^60"},
      {[](PlanProblem &p) { p.edges[0].to = 2; }, "edge 0 joins 0 and 2: expected two different nodes of 2"},
      {[](PlanProblem &p) { p.edges[0].to = 0; }, "edge 0 joins 0 and 0: expected two different nodes of 2"},
      {[](PlanProblem &p) { p.edges[0].matrix = 1; }, "edge 0 has matrix 1 of 1"},
      {[](PlanProblem &p) { p.nodes[1] = {.name = "", .costs = {1}, .memory = {}}; },
       "edge 0 from node 0 'matmul' to node 1 has a matrix of 2x2 for 2x1 strategies"},
      {[](PlanProblem &p) { p.memoryLimit = -1; }, "the memory limit is -1 bytes"},
  };
  for (const Case &c : cases) {
    PlanProblem problem = twoNodes();
    c.spoil(problem);
    EXPECT_EQ(messageOf(verifyProblem(problem)), c.message);
  }
}

TEST(VerifyPlan, AcceptsAPlanThatIsWhatItSays) {
  EXPECT_EQ(messageOf(verifyPlan(twoNodes(), {.choice = {0, 0}, .cost = 7, .lowerBound = 7, .peakBytes = 16})), "");
  EXPECT_EQ(messageOf(verifyPlan(twoNodes(), {.choice = {1, 1}, .cost = 10, .lowerBound = 3, .peakBytes = 8})), "");
}

TEST(VerifyPlan, SaysWhatIsWrong) {
  struct Case {
    std::function<void(PlanProblem &, Plan &)> spoil;
    const char *message;
  };
  const Case cases[] = {
      {[](PlanProblem &, Plan &plan) { plan.choice.pop_back(); }, "the plan has 1 choices for 2 nodes"},
      {[](PlanProblem &, Plan &plan) { plan.choice[1] = 2; }, "node 1 'add' has strategy 2 of 2"},
      {[](PlanProblem &, Plan &plan) { plan.choice[1] = -1; }, "node 1 'add' has strategy -1 of 2"},
      {[](PlanProblem &p, Plan &) { p.nodes[0].costs[0] = kForbidden; },
       "node 0 'matmul' has strategy 0, which is forbidden"},
      {[](PlanProblem &p, Plan &) { p.matrices[0].costs[0] = kForbidden; },
       "strategies 0 of node 0 'matmul' and 0 of node 1 'add' are forbidden together"},
      {[](PlanProblem &, Plan &plan) { plan.cost = 6; }, "the plan costs 7, not 6"},
      {[](PlanProblem &, Plan &plan) { plan.lowerBound = 8; }, "the lower bound 8 is above the cost 7"},
      {[](PlanProblem &, Plan &plan) { plan.peakBytes = 8; }, "at most 16 bytes live at one step, not 8"},
      {[](PlanProblem &p, Plan &) { p.memoryLimit = 15; }, "16 bytes live at one step: the limit is 15"},
  };
  for (const Case &c : cases) {
    PlanProblem problem = twoNodes();
    Plan plan{.choice = {0, 0}, .cost = 7, .lowerBound = 7, .peakBytes = 16};
    c.spoil(problem, plan);
    EXPECT_EQ(messageOf(verifyPlan(problem, plan)), c.message);
  }
}

TEST(VerifyPlan, LifetimesAreHalfOpen) {
  PlanProblem problem = twoNodes();
  problem.nodes[1].memory[0].lifetime = {2, 3}; // begins where the other ends
  EXPECT_EQ(messageOf(verifyPlan(problem, {.choice = {0, 0}, .cost = 7, .lowerBound = 0, .peakBytes = 8})), "");
  problem.nodes[1].memory[0].lifetime = {1, 1}; // lives at no step
  EXPECT_EQ(messageOf(verifyPlan(problem, {.choice = {1, 0}, .cost = 16, .lowerBound = 0, .peakBytes = 4})), "");
}

TEST(SolveByEnumeration, FindsTheBestPlanWithinTheLimit) {
  PlanProblem problem = twoNodes();
  EXPECT_EQ(solveByEnumeration(problem).choice, (std::vector<int>{0, 0}));
  problem.memoryLimit = 12;
  Plan plan = solveByEnumeration(problem);
  EXPECT_EQ(plan.choice, (std::vector<int>{0, 1}));
  EXPECT_EQ(plan.cost, 9);
  EXPECT_EQ(plan.lowerBound, 9);
  EXPECT_EQ(plan.peakBytes, 12);
}

TEST(SolveByEnumeration, SaysThatNoPlanExists) {
  PlanProblem problem = twoNodes();
  problem.memoryLimit = 7;
  EXPECT_FALSE(solveByEnumeration(problem).feasible());
  EXPECT_EQ(solveByEnumeration(problem).lowerBound, kForbidden);
  problem = twoNodes();
  problem.matrices[0].costs.assign(4, kForbidden);
  EXPECT_FALSE(solveByEnumeration(problem).feasible());
}

/// Every plan that a counter over all choices makes, judged by the verifier alone.
TEST(SolveByEnumeration, MissesNoPlanThatTheVerifierAccepts) {
  RandomProblem random(3, /*maxNodes=*/5, /*maxStrategies=*/4);
  int accepted = 0;
  for (int i = 0; i < 100; ++i) {
    PlanProblem problem = random.draw();
    Plan best = solveByEnumeration(problem);
    if (best.feasible())
      EXPECT_EQ(messageOf(verifyPlan(problem, best)), "");
    std::vector<int> choice(problem.nodes.size(), 0);
    size_t digit = 0;
    while (digit < choice.size()) {
      Plan plan{.choice = choice, .cost = 0, .lowerBound = 0, .peakBytes = 0};
      std::string message = messageOf(verifyPlan(problem, plan));
      // "the plan costs 7, not 0", "at most 16 bytes live ..., not 0": what the plan should have claimed
      long long claim = 0;
      if (sscanf(message.c_str(), "the plan costs %lld", &claim) == 1)
        plan.cost = claim, message = messageOf(verifyPlan(problem, plan));
      if (sscanf(message.c_str(), "at most %lld", &claim) == 1)
        plan.peakBytes = claim, message = messageOf(verifyPlan(problem, plan));
      if (message.empty()) {
        ASSERT_TRUE(best.feasible());
        ASSERT_LE(best.cost, plan.cost);
        ++accepted;
      }
      for (digit = 0; digit < choice.size() && size_t(++choice[digit]) == problem.nodes[digit].costs.size(); ++digit)
        choice[digit] = 0;
    }
  }
  EXPECT_GT(accepted, 1000);
}

} // namespace
