//===- Cores.h - The cores that this process may use ------------*- C++ -*-===//
#ifndef LLMPAR_RUNTIME_CORE_CORES_H
#define LLMPAR_RUNTIME_CORE_CORES_H

#include <cstdint>

namespace llmpar::rt {

/// Cores that the calling thread may run on; at least 1.
uint32_t coreCount();

/// Binds the calling thread to the `index`-th core that it may run on; no effect if there are fewer.
void pinToCore(uint32_t index);

/// How often a thread looks before it sleeps, where `threads` of them wait for each other. Spinning takes the core
/// from the peer that it waits for if there are more threads than cores.
int spinsBeforeSleep(uint32_t threads);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_CORES_H
