//===- ExitCode.h - What the tools exit with --------------------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_EXITCODE_H
#define LLMPAR_TOOLS_EXITCODE_H

namespace llmpar::tool {

/// Exit codes of every tool (docs: README).
enum Exit : int {
  Ok = 0,
  CompileError = 1,
  Usage = 2,
  Mismatch = 3,
  DoesNotFit = 4,
  DeviceFailure = 5,
  Internal = 70,
  Interrupted = 130 ///< with work left undone; as shells say it
};

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_EXITCODE_H
