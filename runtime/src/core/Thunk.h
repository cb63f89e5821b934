//===- Thunk.h - A record, ready to run -------------------------*- C++ -*-===//
#ifndef LLMPAR_RUNTIME_CORE_THUNK_H
#define LLMPAR_RUNTIME_CORE_THUNK_H

#include "core/Status.h"

namespace llmpar::rt {

/// What is left of a record after preparation: everything looked up, nothing to decide.
/// Runs many times, on its rank's thread or on that of its lane; never twice at once, but beside thunks of other
/// lanes.
class Thunk {
public:
  virtual ~Thunk() = default;
  virtual Status run() = 0;
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_THUNK_H
