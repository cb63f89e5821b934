//===- Explain.h - Answers of `llmpar plan --explain` -----------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_EXPLAIN_H
#define LLMPAR_TOOLS_EXPLAIN_H

#include "Session.h"
#include "llmpar/Planning/ExplainPlan.h"
#include "llvm/Support/JSON.h"

namespace llmpar::tool {

/// What one --explain is answered with: decisions, or a method, or both where a tensor is called like a method.
struct ExplainAnswer {
  struct AboutDecision {
    Decision decision;
    std::optional<FreeAlternative> free;
  };
  std::string about;
  std::vector<AboutDecision> decisions;
  std::optional<MethodComparison> method;
};

/// Answers every --explain of the options. Appends to `answers`; a name that nothing has is a failure.
bool explainPlan(const Options &options, mlir::ModuleOp module, const PlanRequest &request, FoundPlan &found,
                 std::vector<ExplainAnswer> &answers, Failure &failure);

void printAnswer(const ExplainAnswer &answer);
llvm::json::Value toJson(const ExplainAnswer &answer);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_EXPLAIN_H
