//===- Diff.cpp - `llmpar diff`: what differs between two plans --------------===//
#include "Commands.h"
#include "Session.h"

#include "llmpar/Planning/PlanDocument.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar::tool {
namespace {

bool read(const std::string &path, PlanDocument &document, Failure &failure) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return failure.set(Usage, path + ": " + buffer.getError().message());
  llvm::Expected<PlanDocument> plan = readPlanDocument((*buffer)->getBuffer());
  if (!plan)
    return failure.set(Usage, path + ": " + llvm::toString(plan.takeError()));
  document = std::move(*plan);
  return true;
}

void printTable(const PlanDifferences &differences) {
  for (const PlanDifferences::Field &field : differences.fields)
    llvm::outs() << llvm::formatv("{0,-20} {1} -> {2}\n", field.name, field.a, field.b);
  if (!differences.groups.empty())
    llvm::outs() << llvm::formatv("{0}{1,5} {2,-14} {3,-40} {4}\n", differences.fields.empty() ? "" : "\n", "count", "op",
                                  "nodes", "change");
  for (const PlanDifferences::Group &group : differences.groups)
    llvm::outs() << llvm::formatv("{0,5} {1,-14} {2,-40} {3}\n", group.count, group.op, group.nodes, group.change);
  if (differences.empty())
    llvm::outs() << "the plans are the same\n";
}

llvm::json::Value toJson(const PlanDifferences &differences) {
  llvm::json::Array fields, groups;
  for (const PlanDifferences::Field &field : differences.fields)
    fields.push_back(llvm::json::Object{{"name", field.name}, {"a", field.a}, {"b", field.b}});
  for (const PlanDifferences::Group &group : differences.groups)
    groups.push_back(
        llvm::json::Object{{"count", group.count}, {"op", group.op}, {"nodes", group.nodes}, {"change", group.change}});
  return llvm::json::Object{{"same", differences.empty()}, {"fields", std::move(fields)}, {"ops", std::move(groups)}};
}

} // namespace

int diffCommand(const Options &options) {
  Failure failure;
  PlanDocument a, b;
  if (options.other.empty())
    failure.set(Usage, "which other plan? Usage: llmpar diff a.json b.json");
  if (options.other.empty() || !read(options.model, a, failure) || !read(options.other, b, failure))
    return failure.report(options);
  PlanDifferences differences = diffPlans(a, b);
  if (options.json)
    llvm::outs() << llvm::formatv("{0:2}\n", toJson(differences));
  else
    printTable(differences);
  return differences.empty() ? Ok : Mismatch;
}

} // namespace llmpar::tool
