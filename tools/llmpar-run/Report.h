//===- Report.h - What llmpar-run prints ------------------------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_RUN_REPORT_H
#define LLMPAR_TOOLS_RUN_REPORT_H

#include "Options.h"
#include "core/Instance.h"

namespace llmpar::run {

/// Tables for people, or one JSON object (with `options.json`), on standard output.
void printReport(const Options &options, const rt::Instance &instance, std::vector<double> stepSeconds,
                 const std::vector<rt::NamedComparison> &comparisons);

} // namespace llmpar::run

#endif // LLMPAR_TOOLS_RUN_REPORT_H
