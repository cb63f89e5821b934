//===- ControlFlow.cpp - ONNX subgraphs, inlined --------------------------===//
#include "GraphImporter.h"
#include "Handlers.h"

using namespace mlir;

namespace llmpar {
namespace {

constexpr int64_t maxUnrolled = 4096;

const ::onnx::GraphProto *subgraph(NodeImporter &n, llvm::StringRef name) {
  const auto *attribute = n.attribute(name);
  if (attribute && attribute->has_g())
    return &attribute->g();
  n.error("has no '" + Twine(name) + "' graph");
  return nullptr;
}

/// A body imported with its inputs bound; empty after an error.
llvm::SmallVector<Value> inlineBody(NodeImporter &n, const ::onnx::GraphProto &body, llvm::ArrayRef<Value> arguments,
                                    const Twine &name) {
  if (static_cast<int>(arguments.size()) != body.input_size()) {
    n.error("its body takes " + Twine(body.input_size()) + " values, but gets " + Twine(arguments.size()));
    return {};
  }
  llvm::SmallVector<Value> results = n.graph.importBranch(body, n.scope, name.str(), arguments);
  if (static_cast<int>(results.size()) != body.output_size())
    n.setFailed();
  return results;
}

Value scalarBool(NodeImporter &n, bool value) { return n.scalar(value, n.i1()); }

/// The per-iteration values of one output, joined along a new dimension.
Value stack(NodeImporter &n, llvm::ArrayRef<Value> values, int64_t axis) {
  llvm::SmallVector<Value> widened;
  for (Value value : values)
    widened.push_back(n.unsqueeze(value, {n.normalizeAxis(axis, n.rank(value) + 1)}));
  return n.concat(widened, n.normalizeAxis(axis, n.rank(values.front()) + 1));
}

} // namespace

void importIf(NodeImporter &n) {
  auto condition = n.constantIntegers(n.input(0));
  if (n.failed())
    return;
  if (!condition || condition->size() != 1)
    return void(
        n.error("its condition depends on data; only a condition that is constant once the dimensions are bound "
                "is supported"));
  const ::onnx::GraphProto *branch = subgraph(n, condition->front() ? "then_branch" : "else_branch");
  if (!branch)
    return;
  std::string name = n.node.name().empty() ? "If" : n.node.name();
  llvm::SmallVector<Value> results = inlineBody(n, *branch, {}, name);
  for (auto [i, value] : llvm::enumerate(results))
    n.result(i, value);
}

// Unrolled: body inputs are iteration, condition and carried values; outputs condition, carried and scanned values.
void importLoop(NodeImporter &n) {
  const ::onnx::GraphProto *body = subgraph(n, "body");
  if (!body)
    return;
  int64_t trips = n.has(0) ? n.requireInteger(0, "trip count") : maxUnrolled;
  bool running = !n.has(1) || n.requireInteger(1, "condition") != 0;
  if (n.failed())
    return;
  llvm::SmallVector<Value> carried;
  for (size_t i = 2; i < n.numInputs(); ++i)
    carried.push_back(n.input(i));
  size_t scanned = std::max<int64_t>(body->output_size() - 1 - static_cast<int64_t>(carried.size()), 0);
  std::vector<llvm::SmallVector<Value>> scans(scanned);
  for (int64_t i = 0; running && i < trips; ++i) {
    if (i == maxUnrolled)
      return void(n.error("runs more than " + Twine(maxUnrolled) + " times: it is unrolled, so that is not supported"));
    llvm::SmallVector<Value> arguments{n.scalar(static_cast<double>(i), n.i64()), scalarBool(n, true)};
    arguments.append(carried);
    auto results = inlineBody(n, *body, arguments, n.node.op_type() + "_" + std::to_string(i));
    if (n.failed())
      return;
    auto again = n.constantIntegers(results.front());
    if (!again || again->size() != 1)
      return void(n.error("its condition depends on data; only constant conditions are supported"));
    running = again->front() != 0;
    for (size_t j = 0; j < carried.size(); ++j)
      carried[j] = results[j + 1];
    for (size_t j = 0; j < scanned; ++j)
      scans[j].push_back(results[1 + carried.size() + j]);
  }
  for (auto [i, value] : llvm::enumerate(carried))
    n.result(i, value);
  for (auto [i, values] : llvm::enumerate(scans))
    if (n.wants(static_cast<int>(carried.size() + i)))
      n.result(carried.size() + i,
               values.empty() ? n.error("a loop that never runs has no scan output") : stack(n, values, 0));
}

// Unrolled along the scanned axes.
void importScan(NodeImporter &n) {
  const ::onnx::GraphProto *body = subgraph(n, "body");
  int64_t scannedInputs = n.integer("num_scan_inputs", 0), states = static_cast<int64_t>(n.numInputs()) - scannedInputs;
  if (!body || scannedInputs < 1 || states < 0)
    return void(n.error("needs a body and scan inputs"));
  int64_t scannedOutputs = body->output_size() - states;
  if (scannedOutputs < 0)
    return void(n.error("its body has fewer outputs than states"));
  Ints zeros(std::max(scannedInputs, scannedOutputs), 0);
  Ints inAxes = n.integers("scan_input_axes").value_or(zeros), outAxes = n.integers("scan_output_axes").value_or(zeros);
  Ints inReverse = n.integers("scan_input_directions").value_or(zeros);
  Ints outReverse = n.integers("scan_output_directions").value_or(zeros);
  if (static_cast<int64_t>(inAxes.size()) < scannedInputs || static_cast<int64_t>(outAxes.size()) < scannedOutputs ||
      static_cast<int64_t>(inReverse.size()) < scannedInputs ||
      static_cast<int64_t>(outReverse.size()) < scannedOutputs)
    return void(n.error("its axes and directions do not fit its inputs"));
  llvm::SmallVector<Value> carried;
  for (int64_t i = 0; i < states; ++i)
    carried.push_back(n.input(i));
  int64_t length = n.dim(n.input(states), inAxes[0]);
  if (length > maxUnrolled || length == 0)
    return void(n.error("runs " + Twine(length) + " times; it is unrolled, 1 to " + Twine(maxUnrolled) + " times"));
  std::vector<llvm::SmallVector<Value>> scans(scannedOutputs);
  for (int64_t step = 0; step < length; ++step) {
    llvm::SmallVector<Value> arguments(carried);
    for (int64_t j = 0; j < scannedInputs; ++j) {
      Value x = n.input(states + j);
      int64_t axis = n.normalizeAxis(inAxes[j], n.rank(x)), at = inReverse[j] ? length - 1 - step : step;
      Ints shape(n.shape(x));
      if (n.failed() || axis >= static_cast<int64_t>(shape.size()))
        return;
      shape.erase(shape.begin() + axis);
      arguments.push_back(n.reshape(n.sliceAxis(x, axis, at, 1), shape));
    }
    auto results = inlineBody(n, *body, arguments, n.node.op_type() + "_" + std::to_string(step));
    if (n.failed())
      return;
    for (int64_t j = 0; j < states; ++j)
      carried[j] = results[j];
    for (int64_t j = 0; j < scannedOutputs; ++j)
      scans[j].insert(outReverse[j] ? scans[j].begin() : scans[j].end(), results[states + j]);
  }
  for (auto [i, value] : llvm::enumerate(carried))
    n.result(i, value);
  for (int64_t j = 0; j < scannedOutputs; ++j)
    n.result(states + j, stack(n, scans[j], outAxes[j]));
}

} // namespace llmpar
