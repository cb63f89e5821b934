//===- ExitCodeOf.h - The exit code that a failure leads to -----*- C++ -*-===//
#ifndef LLMPAR_TOOLS_EXITCODEOF_H
#define LLMPAR_TOOLS_EXITCODEOF_H

#include "ExitCode.h"
#include "core/Status.h"

namespace llmpar::tool {

/// `invalid` says what a bad argument or file is to the caller: CompileError or Usage.
inline Exit exitCodeOf(const rt::Status &status, Exit invalid) {
  switch (status.code()) {
  case rt::Code::Ok:
    return Ok;
  case rt::Code::Invalid:
    return invalid;
  case rt::Code::DoesNotFit:
    return DoesNotFit;
  case rt::Code::Device:
  case rt::Code::Aborted:
    return DeviceFailure;
  case rt::Code::Internal:
    return Internal;
  }
  return Internal;
}

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_EXITCODEOF_H
