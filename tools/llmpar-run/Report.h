//===- Report.h - What llmpar-run prints ------------------------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_RUN_REPORT_H
#define LLMPAR_TOOLS_RUN_REPORT_H

#include "Options.h"
#include "core/Instance.h"
#include "core/TensorIo.h"

namespace llmpar::run {

struct NamedComparison {
  std::string output;
  rt::Comparison comparison;
};

/// Tables for people, or one JSON object (with `options.json`), on standard output.
void printReport(const Options &options, const rt::Instance &instance, std::vector<double> stepSeconds,
                 const std::vector<NamedComparison> &comparisons);

/// "y: 2x3xf32 = [...]", at most 64 elements.
void printTensor(const rt::HostTensor &tensor);

} // namespace llmpar::run

#endif // LLMPAR_TOOLS_RUN_REPORT_H
