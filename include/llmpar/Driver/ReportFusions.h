//===- ReportFusions.h - What of a model becomes one op ---------*- C++ -*-===//
#ifndef LLMPAR_DRIVER_REPORTFUSIONS_H
#define LLMPAR_DRIVER_REPORTFUSIONS_H

#include "llmpar/Fusion/Fusions.h"
#include "mlir/IR/BuiltinOps.h"
#include <optional>

namespace llmpar {

/// Raises and fuses what of a simplified module an inference program on one device would have as one op, and says what
/// that was, in the order of the passes. None if a pass fails, which is a bug of ours.
std::optional<FusionReport> reportFusions(mlir::ModuleOp module);

} // namespace llmpar

#endif // LLMPAR_DRIVER_REPORTFUSIONS_H
