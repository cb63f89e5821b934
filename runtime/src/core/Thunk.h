//===- Thunk.h - A record, ready to run -------------------------*- C++ -*-===//
#ifndef LLMPAR_RUNTIME_CORE_THUNK_H
#define LLMPAR_RUNTIME_CORE_THUNK_H

#include "core/Status.h"

namespace llmpar::rt {

/// What is left of a record after preparation: everything looked up, nothing to decide.
/// Runs on its rank's thread, many times.
class Thunk {
public:
  virtual ~Thunk() = default;
  virtual Status run() = 0;
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_THUNK_H
