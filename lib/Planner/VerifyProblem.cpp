//===- VerifyProblem.cpp - Does the problem make sense? ---------------------===//
#include "llmpar/Planner/Algorithms.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace llmpar {
namespace {

llvm::Error fail(const std::string &message) { return llvm::createStringError(message); }

bool areCosts(llvm::ArrayRef<int64_t> costs) {
  return llvm::all_of(costs, [](int64_t cost) { return cost >= 0 && cost <= kForbidden; });
}

llvm::Error verifyNode(const PlanProblem &problem, size_t index, int64_t &totalBytes) {
  const PlanNode &node = problem.nodes[index];
  std::string what = describeNode(problem, index);
  if (node.costs.empty())
    return fail(what + " has no strategy");
  if (!areCosts(node.costs))
    return fail(what + " has a cost outside of 0 to 2^60");
  for (const MemoryUse &use : node.memory) {
    if (use.lifetime.begin > use.lifetime.end)
      return fail(llvm::formatv("{0} uses memory over steps [{1}, {2})", what, use.lifetime.begin, use.lifetime.end));
    if (use.bytes.size() != node.costs.size())
      return fail(
          llvm::formatv("{0} has {1} memory sizes for {2} strategies", what, use.bytes.size(), node.costs.size()));
    if (!areCosts(use.bytes)) // the same range, so that sums do not overflow
      return fail(what + " has bytes outside of 0 to 2^60");
    totalBytes = addCost(totalBytes, *llvm::max_element(use.bytes));
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error verifyProblem(const PlanProblem &problem) {
  if (problem.nodes.empty())
    return fail("the problem has no node");
  int64_t totalBytes = 0;
  for (size_t i = 0; i < problem.nodes.size(); ++i)
    if (llvm::Error error = verifyNode(problem, i, totalBytes))
      return error;
  if (totalBytes >= kForbidden)
    return fail("the memory of all nodes adds up to 2^60 bytes or more");
  for (auto [index, matrix] : llvm::enumerate(problem.matrices)) {
    if (matrix.rows < 1 || matrix.columns < 1 || matrix.costs.size() != size_t(matrix.rows) * matrix.columns)
      return fail(llvm::formatv("matrix {0} of {1}x{2} has {3} costs", index, matrix.rows, matrix.columns,
                                matrix.costs.size()));
    if (!areCosts(matrix.costs))
      return fail(llvm::formatv("matrix {0} has a cost outside of 0 to 2^60", index));
  }
  int nodes = static_cast<int>(problem.nodes.size()), matrices = static_cast<int>(problem.matrices.size());
  for (auto [index, edge] : llvm::enumerate(problem.edges)) {
    if (std::min(edge.from, edge.to) < 0 || std::max(edge.from, edge.to) >= nodes || edge.from == edge.to)
      return fail(llvm::formatv("edge {0} joins {1} and {2}: expected two different nodes of {3}", index, edge.from,
                                edge.to, nodes));
    if (edge.matrix < 0 || edge.matrix >= matrices)
      return fail(llvm::formatv("edge {0} has matrix {1} of {2}", index, edge.matrix, matrices));
    const CostMatrix &matrix = problem.matrices[edge.matrix];
    size_t rows = problem.nodes[edge.from].costs.size(), columns = problem.nodes[edge.to].costs.size();
    if (size_t(matrix.rows) != rows || size_t(matrix.columns) != columns)
      return fail(llvm::formatv("edge {0} from {1} to {2} has a matrix of {3}x{4} for {5}x{6} strategies", index,
                                describeNode(problem, edge.from), describeNode(problem, edge.to), matrix.rows,
                                matrix.columns, rows, columns));
  }
  if (problem.memoryLimit.value_or(0) < 0)
    return fail(llvm::formatv("the memory limit is {0} bytes", *problem.memoryLimit));
  return llvm::Error::success();
}

} // namespace llmpar
