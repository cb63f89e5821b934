//===- PlanFile.h - Problems and plans as JSON ------------------*- C++ -*-===//
//
// Reads the IOPDDL format as published (google/iopddl), and our own, which adds names, several memory
// intervals and shared matrices. One reader takes both; the writer writes ours.
//
//   {"problem": {
//     "name": "two",
//     "nodes": {
//       "names": ["matmul", "add"],                                     may be left out
//       "costs": [[5, 5], [2, 1]],                                      by node and strategy; null: forbidden
//       "intervals": [[0, 2], [1, 3]], "usages": [[8, 4], [8, 4]]       IOPDDL: steps [begin, end), bytes
//       "memory": [[{"lifetime": [0, 2], "bytes": [8, 4]}], []]},       or ours: any number for each node
//     "edges": {
//       "nodes": [[0, 1]],
//       "costs": [[0, 3, 9, 4]],                                        IOPDDL: row-major
//       "matrices": [0]},                                               or ours: indices into
//     "matrices": [{"rows": 2, "columns": 2, "costs": [0, 3, 9, 4]}],   these
//     "usage_limit": 12}}                                               bytes; may be left out
//
//   {"plan": {"cost": 9, "lower_bound": 9, "peak_bytes": 12, "choice": [0, 1]}}
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_PLANNER_PLANFILE_H
#define LLMPAR_PLANNER_PLANFILE_H

#include "llmpar/Planner/PlanProblem.h"

namespace llmpar {

/// Costs of at least this are forbidden in files: IOPDDL writes 10^18 for infinity.
inline constexpr int64_t kForbiddenInFiles = 1'000'000'000'000'000'000;

/// `text` may be gzip. Errors name the JSON path ("problem.nodes.costs[3]") and the value; the result passes verifyProblem.
llvm::Expected<PlanProblem> readPlanProblem(llvm::StringRef text);
/// `readPlanProblem` gives the same problem again.
std::string writePlanProblem(const PlanProblem &problem);

/// A plan without choices has a cost of null; its lower bound is null if no plan exists.
llvm::Expected<Plan> readPlan(llvm::StringRef text);
std::string writePlan(const Plan &plan);

} // namespace llmpar

#endif // LLMPAR_PLANNER_PLANFILE_H
