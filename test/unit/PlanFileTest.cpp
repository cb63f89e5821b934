//===- PlanFileTest.cpp - Reading and writing problems and plans ------------===//
#include "llmpar/Planner/PlanFile.h"
#include "RandomProblem.h"
#include "llmpar/Planner/Algorithms.h"

#include "gtest/gtest.h"
#include <zlib.h>

using namespace llmpar;

namespace {

/// The example of google/iopddl.
constexpr const char *example = R"({"problem": {
  "name": "example",
  "nodes": {
    "intervals": [[30, 70], [40, 70], [50, 120], [110, 140], [110, 150]],
    "costs": [[15], [55, 65], [25, 45, 35], [85, 75], [95]],
    "usages": [[10], [25, 25], [15, 20, 15], [10, 10], [15]]},
  "edges": {
    "nodes": [[0, 1], [0, 2], [1, 3], [2, 4], [3, 4]],
    "costs": [[30, 40], [50, 10, 40], [90, 10, 20, 80], [60, 20, 30], [70, 60]]},
  "usage_limit": 50}})";

PlanProblem mustRead(llvm::StringRef text) {
  llvm::Expected<PlanProblem> problem = readPlanProblem(text);
  if (problem)
    return *problem;
  ADD_FAILURE() << llvm::toString(problem.takeError());
  return {};
}
std::string readError(llvm::StringRef text) {
  llvm::Expected<PlanProblem> problem = readPlanProblem(text);
  return problem ? "read" : llvm::toString(problem.takeError());
}
std::string readPlanError(llvm::StringRef text) {
  llvm::Expected<Plan> plan = readPlan(text);
  return plan ? "read" : llvm::toString(plan.takeError());
}

std::string gzip(llvm::StringRef text) {
  z_stream stream = {};
  deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef *>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// `text` with the first `from` replaced.
std::string with(std::string text, llvm::StringRef from, llvm::StringRef to) {
  size_t at = text.find(from.str());
  EXPECT_NE(at, std::string::npos) << from.str();
  return text.replace(at, from.size(), to.str());
}

TEST(ReadPlanProblem, TakesTheIopddlExample) {
  PlanProblem problem = mustRead(example);
  EXPECT_EQ(problem.name, "example");
  ASSERT_EQ(problem.nodes.size(), 5u);
  EXPECT_EQ(problem.nodes[2].costs, (std::vector<int64_t>{25, 45, 35}));
  ASSERT_EQ(problem.nodes[2].memory.size(), 1u);
  EXPECT_EQ(problem.nodes[2].memory[0].lifetime.begin, 50);
  EXPECT_EQ(problem.nodes[2].memory[0].lifetime.end, 120);
  EXPECT_EQ(problem.nodes[2].memory[0].bytes, (std::vector<int64_t>{15, 20, 15}));
  ASSERT_EQ(problem.edges.size(), 5u);
  const CostMatrix &matrix = problem.matrices[problem.edges[2].matrix];
  EXPECT_EQ(matrix.rows, 2);
  EXPECT_EQ(matrix.columns, 2);
  EXPECT_EQ(matrix.at(1, 0), 20);
  EXPECT_EQ(problem.memoryLimit, 50);
  // 445 within 50 bytes, 415 without a limit: counted by hand over all 12 plans.
  EXPECT_EQ(solveByEnumeration(problem).cost, 445);
  problem.memoryLimit.reset();
  EXPECT_EQ(solveByEnumeration(problem).cost, 415);
}

TEST(ReadPlanProblem, TakesGzip) {
  EXPECT_EQ(writePlanProblem(mustRead(gzip(example))), writePlanProblem(mustRead(example)));
  std::string twoMembers =
      gzip(llvm::StringRef(example).take_front(100)) + gzip(llvm::StringRef(example).drop_front(100));
  EXPECT_EQ(writePlanProblem(mustRead(twoMembers)), writePlanProblem(mustRead(example)));
}

TEST(ReadPlanProblem, RefusesDamagedFiles) {
  EXPECT_EQ(readError(llvm::StringRef(gzip(example)).drop_back(20)), "not a complete gzip file");
  EXPECT_EQ(readError("{\"problem\": {\n  \"name\": }}"), "not JSON: [2:11, byte=25]: Invalid JSON value");
  EXPECT_EQ(readError(""), "not JSON: [1:0, byte=0]: Unexpected EOF");
}

TEST(ReadPlanProblem, RefusesDeepNesting) {
  EXPECT_EQ(readError(std::string(1'000'000, '[')),
            "not a problem or plan: its brackets are nested more than 100 deep");
  std::string name = "\\\"" + std::string(1000, '['); // an escaped quote, then brackets that mean nothing
  EXPECT_EQ(readError(with(example, "\"example\"", "\"" + name + "\"")), "read");
}

TEST(ReadPlanProblem, SurvivesDamage) {
  std::mt19937 random(9);
  std::string packed = gzip(example);
  int read = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string text = i % 5 ? example : packed;
    for (unsigned j = 0; j <= random() % 3; ++j)
      text[random() % text.size()] = "[]{},:\"0129-. en"[random() % 16];
    if (i % 3 == 0)
      text.resize(random() % text.size());
    read += readError(text) == "read";
  }
  EXPECT_GT(read, 10);
  EXPECT_LT(read, 2000);
}

TEST(ReadPlanProblem, TakesOurFormat) {
  PlanProblem problem = mustRead(R"({"problem": {
    "nodes": {
      "names": ["matmul", "add"],
      "costs": [[5, null], [2, 1]],
      "memory": [[{"lifetime": [-1, 2], "bytes": [8, 4]}, {"lifetime": [5, 6], "bytes": [1, 2]}], []]},
    "edges": {"nodes": [[0, 1], [0, 1]], "matrices": [0, 0]},
    "matrices": [{"rows": 2, "columns": 2, "costs": [0, 3, 9, null]}]}})");
  EXPECT_EQ(problem.nodes[0].name, "matmul");
  EXPECT_EQ(problem.nodes[0].costs[1], kForbidden);
  ASSERT_EQ(problem.nodes[0].memory.size(), 2u);
  EXPECT_EQ(problem.nodes[0].memory[0].lifetime.begin, -1);
  EXPECT_EQ(problem.nodes[0].memory[1].bytes, (std::vector<int64_t>{1, 2}));
  EXPECT_TRUE(problem.nodes[1].memory.empty());
  EXPECT_EQ(problem.edges[1].matrix, 0);
  EXPECT_EQ(problem.matrices[0].at(1, 1), kForbidden);
  EXPECT_FALSE(problem.memoryLimit);
}

TEST(ReadPlanProblem, HugeCostsAreForbidden) {
  for (const char *cost : {"1000000000000000000", "1e18", "1e30", "9223372036854775807", "null"})
    EXPECT_EQ(mustRead(with(example, "[15]", std::string("[") + cost + "]")).nodes[0].costs[0], kForbidden) << cost;
  EXPECT_EQ(mustRead(with(example, "[15]", "[999999999999999999]")).nodes[0].costs[0], 999999999999999999);
}

TEST(ReadPlanProblem, EqualMatricesAreShared) {
  PlanProblem problem = mustRead(R"({"problem": {
    "nodes": {"costs": [[1, 2], [3, 4], [5, 6, 7, 8], [9]]},
    "edges": {"nodes": [[0, 1], [1, 0], [2, 3], [3, 2]], "costs": [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]]}}})");
  EXPECT_EQ(problem.edges[0].matrix, problem.edges[1].matrix);
  EXPECT_EQ(problem.matrices.size(), 3u) << "2x2, 4x1 and 1x4 differ";
}

TEST(ReadPlanProblem, AUseThatLivesAtNoStepIsLeftOut) {
  EXPECT_TRUE(mustRead(with(example, "[40, 70]", "[70, 70]")).nodes[1].memory.empty());
}

TEST(ReadPlanProblem, EdgesLimitAndMemoryMayBeMissing) {
  PlanProblem problem = mustRead(R"({"problem": {"nodes": {"costs": [[1], [2, 3]]}}})");
  EXPECT_EQ(problem.nodes.size(), 2u);
  EXPECT_TRUE(problem.edges.empty() && problem.nodes[0].memory.empty() && !problem.memoryLimit);
}

TEST(ReadPlanProblem, ErrorsNameThePlaceTheValueAndWhatIsExpected) {
  struct Case {
    const char *from, *to, *message;
  };
  const Case cases[] = {
      {"{\"problem\"", "{\"problems\"", "the file has an unknown key 'problems': known are problem"},
      {"\"name\": \"example\"", "\"name\": 7", "problem.name is 7: expected a string"},
      {"\"name\"", "\"nome\"",
       "problem has an unknown key 'nome': known are name, nodes, edges, matrices, usage_limit"},
      {"\"usage_limit\": 50", "\"usage_limit\": -50",
       "problem.usage_limit is -50: expected bytes: an integer of at least 0"},
      {"\"costs\": [[15]", "\"cost\": [[15]",
       "problem.nodes has an unknown key 'cost': known are names, costs, intervals, usages, memory"},
      {"[25, 45, 35]", "[25, 4.5, 35]",
       "problem.nodes.costs[2][1] is 4.5: expected a cost: an integer of at least 0, or null if it is forbidden"},
      {"[25, 45, 35]", "[25, -45, 35]",
       "problem.nodes.costs[2][1] is -45: expected a cost: an integer of at least 0, or null if it is forbidden"},
      {"[25, 45, 35]", "[]", "problem.nodes.costs[2] is []: expected at least one strategy"},
      {"[25, 45, 35]", "\"25\"", "problem.nodes.costs[2] is \"25\": expected an array"},
      {"[15, 20, 15]", "[15, 20]",
       "problem.nodes.usages[2] has 2 entries: expected 3, one for each of the node's strategies"},
      {"[15, 20, 15]", "[15, 20, \"much\"]",
       "problem.nodes.usages[2][2] is \"much\": expected bytes: an integer of at least 0"},
      {"[50, 120]", "[120, 50]", "problem.nodes.intervals[2] is [120,50]: expected [begin, end), two steps in order"},
      {"[50, 120]", "[50]", "problem.nodes.intervals[2] is [50]: expected [begin, end), two steps in order"},
      {"[50, 120]", "[50, 0.5]", "problem.nodes.intervals[2][1] is 0.5: expected a step: an integer"},
      {", [110, 150]]", "]", "problem.nodes.intervals has 4 entries: expected 5, one for each of the nodes"},
      {"\"usages\"", "\"memory\"", "problem.nodes has 'intervals' without 'usages'"},
      {"\"intervals\"", "\"memory\"", "problem.nodes has 'usages' without 'intervals'"},
      {"\"nodes\": [[0, 1]", "\"nodes\": [[0, 5]",
       "problem.edges.nodes[0][1] is 5: expected an index below 5, the number of nodes"},
      {"\"nodes\": [[0, 1]", "\"nodes\": [[0, 0]", "problem.edges.nodes[0] is [0,0]: expected two different nodes"},
      {"\"nodes\": [[0, 1]", "\"nodes\": [[0, 1, 2]",
       "problem.edges.nodes[0] is [0,1,2]: expected the indices of two nodes"},
      {"\"nodes\": [[0, 1]", "\"nodes\": [[0, 1], [0, 1]",
       "problem.edges.costs has 5 entries: expected 6, one for each of the edges"},
      {"[90, 10, 20, 80]", "[90, 10]",
       "problem.edges.costs[2] has 2 entries: expected 4, 2x2 strategies of nodes 1 and 3"},
      {"[90, 10, 20, 80]", "[90, 10, true, 80]",
       "problem.edges.costs[2][2] is true: expected a cost: an integer of at least 0, or null if it is forbidden"},
      {"[60, 20, 30], [70, 60]]}", "[60, 20, 30], [70, 60]], \"matrices\": [0, 0, 0, 0, 0]}",
       "problem.edges needs one of 'costs' (a list for each edge) and 'matrices' (an index for each edge)"},
      {"[10], [25, 25]", "[900000000000000000], [900000000000000000, 25]",
       "the memory of all nodes adds up to 2^60 bytes or more"},
  };
  for (const Case &c : cases)
    EXPECT_EQ(readError(with(example, c.from, c.to)), c.message);
}

TEST(ReadPlanProblem, ErrorsOfOurFormatNameThePlaceToo) {
  constexpr const char *ours = R"({"problem": {
    "nodes": {"names": ["a", "b"], "costs": [[5, 5], [2, 1]], "memory": [[{"lifetime": [0, 2], "bytes": [8, 4]}], []]},
    "edges": {"nodes": [[0, 1]], "matrices": [0]},
    "matrices": [{"rows": 2, "columns": 2, "costs": [0, 3, 9, 4]}]}})";
  struct Case {
    const char *from, *to, *message;
  };
  const Case cases[] = {
      {"[\"a\", \"b\"]", "[\"a\", 3]", "problem.nodes.names[1] is 3: expected a string"},
      {"\"lifetime\": [0, 2]", "\"lifetime\": 3", "problem.nodes.memory[0][0].lifetime is 3: expected an array"},
      {"\"lifetime\"", "\"life\"", "problem.nodes.memory[0][0] has an unknown key 'life': known are lifetime, bytes"},
      {"\"lifetime\": [0, 2], ", "", "problem.nodes.memory[0][0] has no key 'lifetime'"},
      {"\"names\": [\"a\", \"b\"]", "\"intervals\": [], \"usages\": []",
       "problem.nodes has both 'memory' and 'intervals': give one of them"},
      {"[{\"lifetime\": [0, 2], \"bytes\": [8, 4]}]", "[7]",
       "problem.nodes.memory[0][0] is 7: expected an object with the keys lifetime, bytes"},
      {"\"matrices\": [0]", "\"matrices\": [1]",
       "problem.edges.matrices[0] is 1: expected an index below 1, the number of matrices"},
      {"\"rows\": 2", "\"rows\": 0", "problem.matrices[0] is 0x2: expected 1 to 2^31-1 rows and columns"},
      {"[0, 3, 9, 4]", "[0, 3, 9]",
       "problem.matrices[0].costs has 3 entries: expected 4, one for each of the pairs of strategies"},
      {"\"rows\": 2, \"columns\": 2", "\"rows\": 4, \"columns\": 1",
       "problem.edges.matrices[0] is 0, a matrix of 4x1: expected 2x2, the strategies of nodes 0 and 1"},
  };
  for (const Case &c : cases)
    EXPECT_EQ(readError(with(ours, c.from, c.to)), c.message);
}

TEST(WritePlanProblem, IsReadAgainAsTheSame) {
  RandomProblem random(17);
  for (int i = 0; i < 500; ++i) {
    PlanProblem problem = random.draw();
    if (i % 2)
      problem.name = "tab\t \"quoted\"", problem.nodes[0].name = "größe";
    std::string text = writePlanProblem(problem);
    PlanProblem again = mustRead(text);
    ASSERT_EQ(writePlanProblem(again), writePlanProblem(mustRead(writePlanProblem(again))));
    ASSERT_EQ(again.name, problem.name);
    ASSERT_EQ(again.memoryLimit, problem.memoryLimit);
    ASSERT_EQ(again.edges.size(), problem.edges.size());
    ASSERT_EQ(again.nodes[0].name, problem.nodes[0].name);
    Plan best = solveByEnumeration(problem), bestAgain = solveByEnumeration(again);
    ASSERT_EQ(best.choice, bestAgain.choice) << text;
    ASSERT_EQ(best.cost, bestAgain.cost) << text;
    ASSERT_EQ(best.peakBytes, bestAgain.peakBytes) << text;
  }
}

TEST(WritePlan, IsReadAgainAsTheSame) {
  Plan plan{.choice = {2, 0, 5}, .cost = 77, .lowerBound = 70, .peakBytes = 4096};
  EXPECT_EQ(
      writePlan(plan),
      "{\"plan\": {\n  \"cost\": 77,\n  \"lower_bound\": 70,\n  \"peak_bytes\": 4096,\n  \"choice\": [2, 0, 5]\n}}\n");
  llvm::Expected<Plan> again = readPlan(writePlan(plan));
  ASSERT_TRUE(bool(again));
  EXPECT_EQ(again->choice, plan.choice);
  EXPECT_EQ(again->cost, plan.cost);
  EXPECT_EQ(again->lowerBound, plan.lowerBound);
  EXPECT_EQ(again->peakBytes, plan.peakBytes);
}

TEST(WritePlan, NoPlanHasNullAsCost) {
  Plan none{.choice = {}, .cost = 0, .lowerBound = kForbidden, .peakBytes = 0};
  EXPECT_EQ(writePlan(none),
            "{\"plan\": {\n  \"cost\": null,\n  \"lower_bound\": null,\n  \"peak_bytes\": 0,\n  \"choice\": []\n}}\n");
  llvm::Expected<Plan> again = readPlan(writePlan(none));
  ASSERT_TRUE(bool(again));
  EXPECT_FALSE(again->feasible());
  EXPECT_EQ(again->lowerBound, kForbidden);
}

TEST(ReadPlan, ErrorsNameThePlace) {
  EXPECT_EQ(readPlanError("[0, 1]"), "the file is [0,1]: expected an object with the keys plan");
  EXPECT_EQ(readPlanError(R"({"plan": {"cost": 1, "lower_bound": 1, "peak_bytes": 0}})"), "plan has no key 'choice'");
  EXPECT_EQ(readPlanError(R"({"plan": {"choice": [0, -1], "cost": 1, "lower_bound": 1, "peak_bytes": 0}})"),
            "plan.choice[1] is -1: expected an index: an integer of at least 0");
  EXPECT_EQ(readPlanError(R"({"plan": {"choice": [0], "cost": "low", "lower_bound": 1, "peak_bytes": 0}})"),
            "plan.cost is \"low\": expected a cost: an integer of at least 0, or null if it is forbidden");
  EXPECT_EQ(readPlanError(R"({"plan": {"choice": [0], "costs": 1}})"),
            "plan has an unknown key 'costs': known are choice, cost, lower_bound, peak_bytes");
}

} // namespace
