//===- PlanFile.cpp - Problems and plans as JSON ----------------------------===//
//
// Matrices are shared while reading: IOPDDL files repeat a few hundred of them on tens of thousands of edges.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Planner/PlanFile.h"

#include "JsonReader.h"
#include "llmpar/Planner/Algorithms.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/Support/raw_ostream.h"
#include <unordered_map>

namespace llmpar {
namespace {

using llvm::formatv;
using llvm::json::Value;

class ProblemReader : JsonReader {
public:
  llvm::Expected<PlanProblem> read(const Value &document) {
    if (!readDocument(document))
      return takeError();
    if (llvm::Error error = verifyProblem(problem))
      return error;
    return std::move(problem);
  }

private:
  PlanProblem problem;
  std::unordered_multimap<size_t, int> matrixByHash;

  bool readDocument(const Value &document) {
    Place file{.key = "the file"}, place{.key = "problem"};
    const Object *outer = object(document, file, {"problem"});
    const Value *inner = outer ? member(*outer, "problem", file) : nullptr;
    const Object *body = inner ? object(*inner, place, {"name", "nodes", "edges", "matrices", "usage_limit"}) : nullptr;
    if (!body)
      return false;
    if (const Value *name = body->get("name")) {
      if (!name->getAsString())
        return fail(place["name"], *name, "a string");
      problem.name = name->getAsString()->str();
    }
    if (const Value *limit = body->get("usage_limit"))
      if (!integer(*limit, place["usage_limit"], Unit::Bytes, problem.memoryLimit.emplace()))
        return false;
    const Value *nodes = member(*body, "nodes", place);
    if (!nodes || !readNodes(*nodes, place["nodes"]))
      return false;
    if (const Value *matrices = body->get("matrices"))
      if (!readMatrices(*matrices, place["matrices"]))
        return false;
    const Value *edges = body->get("edges");
    return !edges || readEdges(*edges, place["edges"]);
  }

  bool readNodes(const Value &value, const Place &place) {
    const Object *nodes = object(value, place, {"names", "costs", "intervals", "usages", "memory"});
    const Value *costs = nodes ? member(*nodes, "costs", place) : nullptr;
    const Array *perNode = costs ? array(*costs, place["costs"]) : nullptr;
    if (!perNode)
      return false;
    if (perNode->empty())
      return fail(place["costs"], *costs, "at least one node");
    problem.nodes.resize(perNode->size());
    for (auto [index, node] : llvm::enumerate(problem.nodes)) {
      Place listPlace = place["costs"], here = listPlace[index];
      const Array *list = array((*perNode)[index], here);
      if (!list || !integers(*list, here, Unit::Cost, node.costs))
        return false;
      if (list->empty())
        return fail(here, (*perNode)[index], "at least one strategy");
    }
    if (const Value *names = nodes->get("names"))
      if (!readNames(*names, place["names"]))
        return false;
    return readMemory(*nodes, place);
  }

  bool readNames(const Value &value, const Place &place) {
    const Array *names = array(value, place, problem.nodes.size(), "nodes");
    for (size_t i = 0; names && i < names->size(); ++i) {
      if (!(*names)[i].getAsString())
        return fail(place[i], (*names)[i], "a string");
      problem.nodes[i].name = (*names)[i].getAsString()->str();
    }
    return names;
  }

  /// One interval per node in `intervals` and `usages`, or any number of them in `memory`.
  bool readMemory(const Object &nodes, const Place &place) {
    const Value *intervals = nodes.get("intervals"), *usages = nodes.get("usages"), *memory = nodes.get("memory");
    if (bool(intervals) != bool(usages))
      return fail(formatv("{0} has '{1}' without '{2}'", place.str(), intervals ? "intervals" : "usages",
                          intervals ? "usages" : "intervals"));
    if (intervals && memory)
      return fail(formatv("{0} has both 'memory' and 'intervals': give one of them", place.str()));
    Place intervalsPlace = place["intervals"], usagesPlace = place["usages"], memoryPlace = place["memory"];
    if (intervals) {
      const Array *lifetimes = array(*intervals, intervalsPlace, problem.nodes.size(), "nodes");
      const Array *bytes = lifetimes ? array(*usages, usagesPlace, problem.nodes.size(), "nodes") : nullptr;
      for (size_t i = 0; bytes && i < bytes->size(); ++i)
        if (!readUse((*lifetimes)[i], intervalsPlace[i], (*bytes)[i], usagesPlace[i], problem.nodes[i]))
          return false;
      return bytes;
    }
    const Array *perNode = memory ? array(*memory, memoryPlace, problem.nodes.size(), "nodes") : nullptr;
    for (size_t i = 0; perNode && i < perNode->size(); ++i) {
      Place nodePlace = memoryPlace[i];
      const Array *uses = array((*perNode)[i], nodePlace);
      for (size_t j = 0; uses && j < uses->size(); ++j) {
        Place here = nodePlace[j];
        const Object *use = object((*uses)[j], here, {"lifetime", "bytes"});
        const Value *lifetime = use ? member(*use, "lifetime", here) : nullptr;
        const Value *bytes = lifetime ? member(*use, "bytes", here) : nullptr;
        if (!bytes || !readUse(*lifetime, here["lifetime"], *bytes, here["bytes"], problem.nodes[i]))
          return false;
      }
      if (!uses)
        return false;
    }
    return !memory || perNode;
  }

  /// Adds to `node`; a use that lasts no step is checked and left out.
  bool readUse(const Value &lifetime, const Place &lifetimePlace, const Value &bytes, const Place &bytesPlace,
               PlanNode &node) {
    MemoryUse use;
    std::vector<int64_t> steps;
    const Array *pair = array(lifetime, lifetimePlace);
    const Array *list = pair ? array(bytes, bytesPlace, node.costs.size(), "node's strategies") : nullptr;
    if (!list || !integers(*pair, lifetimePlace, Unit::Step, steps) ||
        !integers(*list, bytesPlace, Unit::Bytes, use.bytes))
      return false;
    if (steps.size() != 2 || steps[0] > steps[1])
      return fail(lifetimePlace, lifetime, "[begin, end), two steps in order");
    use.lifetime = {steps[0], steps[1]};
    if (steps[0] < steps[1])
      node.memory.push_back(std::move(use));
    return true;
  }

  bool readMatrices(const Value &value, const Place &place) {
    const Array *matrices = array(value, place);
    for (size_t i = 0; matrices && i < matrices->size(); ++i) {
      Place here = place[i];
      CostMatrix matrix;
      int64_t rows = 0, columns = 0;
      const Object *entry = object((*matrices)[i], here, {"rows", "columns", "costs"});
      const Value *rowCount = entry ? member(*entry, "rows", here) : nullptr;
      const Value *columnCount = rowCount ? member(*entry, "columns", here) : nullptr;
      const Value *costs = columnCount ? member(*entry, "costs", here) : nullptr;
      if (!costs || !integer(*rowCount, here["rows"], Unit::Index, rows) ||
          !integer(*columnCount, here["columns"], Unit::Index, columns))
        return false;
      if (rows < 1 || columns < 1 || rows > INT32_MAX || columns > INT32_MAX)
        return fail(formatv("{0} is {1}x{2}: expected 1 to 2^31-1 rows and columns", here.str(), rows, columns));
      const Array *list = array(*costs, here["costs"], size_t(rows * columns), "pairs of strategies");
      if (!list || !integers(*list, here["costs"], Unit::Cost, matrix.costs))
        return false;
      matrix.rows = static_cast<int>(rows), matrix.columns = static_cast<int>(columns);
      problem.matrices.push_back(std::move(matrix));
    }
    return matrices;
  }

  bool readEdges(const Value &value, const Place &place) {
    const Object *edges = object(value, place, {"nodes", "costs", "matrices"});
    const Value *pairsValue = edges ? member(*edges, "nodes", place) : nullptr;
    const Array *pairs = pairsValue ? array(*pairsValue, place["nodes"]) : nullptr;
    if (!pairs)
      return false;
    const Value *costs = edges->get("costs"), *matrices = edges->get("matrices");
    if (bool(costs) == bool(matrices))
      return fail(formatv("{0} needs one of 'costs' (a list for each edge) and 'matrices' (an index for each edge)",
                          place.str()));
    llvm::StringRef key = costs ? "costs" : "matrices";
    Place pairsPlace = place["nodes"], listPlace = place[key];
    const Array *list = array(costs ? *costs : *matrices, listPlace, pairs->size(), "edges");
    problem.edges.resize(pairs->size());
    for (size_t i = 0; list && i < pairs->size(); ++i) {
      if (!readEnds((*pairs)[i], pairsPlace[i], problem.edges[i]))
        return false;
      if (!(costs ? readEdgeCosts((*list)[i], listPlace[i], problem.edges[i])
                  : readEdgeMatrix((*list)[i], listPlace[i], problem.edges[i])))
        return false;
    }
    return list;
  }

  bool readEnds(const Value &value, const Place &place, PlanEdge &edge) {
    const Array *ends = array(value, place);
    if (!ends)
      return false;
    if (ends->size() != 2)
      return fail(place, value, "the indices of two nodes");
    if (!index((*ends)[0], place[size_t(0)], problem.nodes.size(), "nodes", edge.from) ||
        !index((*ends)[1], place[size_t(1)], problem.nodes.size(), "nodes", edge.to))
      return false;
    return edge.from != edge.to || fail(place, value, "two different nodes");
  }

  bool readEdgeMatrix(const Value &value, const Place &place, PlanEdge &edge) {
    if (!index(value, place, problem.matrices.size(), "matrices", edge.matrix))
      return false;
    const CostMatrix &matrix = problem.matrices[edge.matrix];
    size_t rows = problem.nodes[edge.from].costs.size(), columns = problem.nodes[edge.to].costs.size();
    if (size_t(matrix.rows) == rows && size_t(matrix.columns) == columns)
      return true;
    return fail(formatv("{0} is {1}, a matrix of {2}x{3}: expected {4}x{5}, the strategies of nodes {6} and {7}",
                        place.str(), edge.matrix, matrix.rows, matrix.columns, rows, columns, edge.from, edge.to));
  }

  bool readEdgeCosts(const Value &value, const Place &place, PlanEdge &edge) {
    size_t rows = problem.nodes[edge.from].costs.size(), columns = problem.nodes[edge.to].costs.size();
    const Array *list = array(value, place);
    if (!list)
      return false;
    if (list->size() != rows * columns)
      return fail(formatv("{0} has {1} entries: expected {2}, {3}x{4} strategies of nodes {5} and {6}", place.str(),
                          list->size(), rows * columns, rows, columns, edge.from, edge.to));
    CostMatrix matrix{.rows = static_cast<int>(rows), .columns = static_cast<int>(columns), .costs = {}};
    if (!integers(*list, place, Unit::Cost, matrix.costs))
      return false;
    edge.matrix = shareMatrix(std::move(matrix));
    return true;
  }

  int shareMatrix(CostMatrix matrix) {
    size_t hash = llvm::hash_combine(matrix.rows, llvm::hash_combine_range(matrix.costs.begin(), matrix.costs.end()));
    auto [begin, end] = matrixByHash.equal_range(hash);
    for (auto it = begin; it != end; ++it)
      if (problem.matrices[it->second].rows == matrix.rows && problem.matrices[it->second].costs == matrix.costs)
        return it->second;
    int index = static_cast<int>(problem.matrices.size());
    problem.matrices.push_back(std::move(matrix));
    matrixByHash.emplace(hash, index);
    return index;
  }
};

class PlanReader : JsonReader {
public:
  llvm::Expected<Plan> read(const Value &document) {
    Place file{.key = "the file"}, place{.key = "plan"};
    const Object *outer = object(document, file, {"plan"});
    const Value *inner = outer ? member(*outer, "plan", file) : nullptr;
    const Object *body = inner ? object(*inner, place, {"choice", "cost", "lower_bound", "peak_bytes"}) : nullptr;
    const Value *choice = body ? member(*body, "choice", place) : nullptr;
    const Array *list = choice ? array(*choice, place["choice"]) : nullptr;
    Plan plan;
    bool ok = list && readNumber(*body, place, "cost", Unit::Cost, plan.cost) &&
              readNumber(*body, place, "lower_bound", Unit::Cost, plan.lowerBound) &&
              readNumber(*body, place, "peak_bytes", Unit::Bytes, plan.peakBytes);
    plan.choice.resize(ok ? list->size() : 0);
    Place choicePlace = place["choice"];
    for (size_t i = 0; i < plan.choice.size() && ok; ++i)
      ok = index((*list)[i], choicePlace[i], INT32_MAX, "strategies at most", plan.choice[i]);
    if (!ok)
      return takeError();
    return plan;
  }

private:
  bool readNumber(const Object &body, const Place &place, llvm::StringRef key, Unit unit, int64_t &result) {
    const Value *value = member(body, key, place);
    return value && integer(*value, place[key], unit, result);
  }
};

/// Lists of numbers, one list on a line: json::OStream would give every number its own.
class JsonWriter {
public:
  std::string text;

  JsonWriter &operator<<(llvm::StringRef raw) { return text += raw, *this; }
  JsonWriter &operator<<(int64_t number) { return text += std::to_string(number), *this; }
  JsonWriter &quoted(const std::string &string) {
    return *this << formatv("{0}", Value(llvm::json::fixUTF8(string))).str();
  }
  JsonWriter &cost(int64_t cost) { return cost >= kForbiddenInFiles ? *this << "null" : *this << cost; }

  /// [each(0), each(1), ...]
  template <typename Each> JsonWriter &list(size_t count, llvm::StringRef separator, Each each) {
    *this << "[";
    for (size_t i = 0; i < count; ++i) {
      *this << (i ? separator : "");
      each(i);
    }
    return *this << "]";
  }
  JsonWriter &costs(const std::vector<int64_t> &costs) {
    return list(costs.size(), ", ", [&](size_t i) { cost(costs[i]); });
  }
  JsonWriter &bytes(const std::vector<int64_t> &bytes) {
    return list(bytes.size(), ", ", [&](size_t i) { *this << bytes[i]; });
  }
};

void writeNodes(JsonWriter &out, llvm::ArrayRef<PlanNode> nodes) {
  constexpr llvm::StringLiteral line = ",\n    ";
  out << "  \"nodes\": {\n   ";
  if (llvm::any_of(nodes, [](const PlanNode &node) { return !node.name.empty(); })) {
    out << "\"names\": ";
    out.list(nodes.size(), line, [&](size_t i) { out.quoted(nodes[i].name); }) << ",\n   ";
  }
  out << "\"costs\": ";
  out.list(nodes.size(), line, [&](size_t i) { out.costs(nodes[i].costs); });
  if (llvm::any_of(nodes, [](const PlanNode &node) { return !node.memory.empty(); })) {
    out << ",\n   \"memory\": ";
    out.list(nodes.size(), line, [&](size_t i) {
      out.list(nodes[i].memory.size(), ", ", [&](size_t j) {
        const MemoryUse &use = nodes[i].memory[j];
        out << "{\"lifetime\": [" << use.lifetime.begin << ", " << use.lifetime.end << "], \"bytes\": ";
        out.bytes(use.bytes) << "}";
      });
    });
  }
  out << "}";
}

} // namespace

llvm::Expected<PlanProblem> readPlanProblem(llvm::StringRef text) {
  llvm::Expected<Value> document = parseJson(text);
  if (!document)
    return document.takeError();
  return ProblemReader().read(*document);
}

std::string writePlanProblem(const PlanProblem &problem) {
  constexpr llvm::StringLiteral line = ",\n    ";
  JsonWriter out;
  out << "{\"problem\": {\n  \"name\": ";
  out.quoted(problem.name) << ",\n";
  writeNodes(out, problem.nodes);
  out << ",\n  \"edges\": {\n   \"nodes\": ";
  out.list(problem.edges.size(), line,
           [&](size_t i) { out << "[" << problem.edges[i].from << ", " << problem.edges[i].to << "]"; });
  out << ",\n   \"matrices\": ";
  out.list(problem.edges.size(), ", ", [&](size_t i) { out << problem.edges[i].matrix; }) << "},\n  \"matrices\": ";
  out.list(problem.matrices.size(), line, [&](size_t i) {
    const CostMatrix &matrix = problem.matrices[i];
    out << "{\"rows\": " << matrix.rows << ", \"columns\": " << matrix.columns << ", \"costs\": ";
    out.costs(matrix.costs) << "}";
  });
  if (problem.memoryLimit)
    out << ",\n  \"usage_limit\": " << *problem.memoryLimit;
  out << "\n}}\n";
  return std::move(out.text);
}

llvm::Expected<Plan> readPlan(llvm::StringRef text) {
  llvm::Expected<Value> document = parseJson(text);
  if (!document)
    return document.takeError();
  return PlanReader().read(*document);
}

std::string writePlan(const Plan &plan) {
  JsonWriter out;
  out << "{\"plan\": {\n  \"cost\": ";
  (plan.feasible() ? out.cost(plan.cost) : out << "null") << ",\n  \"lower_bound\": ";
  out.cost(plan.lowerBound) << ",\n  \"peak_bytes\": " << plan.peakBytes << ",\n  \"choice\": ";
  out.list(plan.choice.size(), ", ", [&](size_t i) { out << plan.choice[i]; }) << "\n}}\n";
  return std::move(out.text);
}

} // namespace llmpar
