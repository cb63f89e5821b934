//===- Barrier.h - An abortable barrier that spins, then sleeps -*- C++ -*-===//
//
// A thread first spins: peers of a balanced program arrive within microseconds. Then
// it sleeps in the kernel (futex), so that more ranks than cores make progress.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_COMM_BARRIER_H
#define LLMPAR_RUNTIME_COMM_BARRIER_H

#include "core/Spin.h"

#include <cstdint>

namespace llmpar::rt {

class Barrier {
public:
  Barrier(uint32_t parties, const std::atomic<bool> &aborted, int spins)
      : parties(parties), spins(spins), aborted(aborted) {}

  /// True when all parties have arrived, false after an abort.
  bool wait() {
    // Before `aborted`: an abort that comes after this load changes the value that we sleep on.
    uint32_t mine = generation.load(std::memory_order_acquire);
    if (aborted.load(std::memory_order_acquire))
      return false;
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == parties) {
      arrived.store(0, std::memory_order_relaxed);
      generation.fetch_add(1, std::memory_order_acq_rel);
      generation.notify_all();
      return true;
    }
    for (int i = 0; i < spins; ++i) {
      if (generation.load(std::memory_order_acquire) != mine)
        return !aborted.load(std::memory_order_acquire);
      cpuPause();
    }
    while (generation.load(std::memory_order_acquire) == mine)
      generation.wait(mine, std::memory_order_acquire);
    return !aborted.load(std::memory_order_acquire);
  }

  /// Releases all waiting threads; `aborted` was set before.
  void wake() {
    generation.fetch_add(1, std::memory_order_acq_rel);
    generation.notify_all();
  }

  /// Only while no thread waits.
  void reset() { arrived.store(0, std::memory_order_relaxed); }

private:
  alignas(64) std::atomic<uint32_t> arrived{0};
  alignas(64) std::atomic<uint32_t> generation{0};
  const uint32_t parties;
  const int spins;
  const std::atomic<bool> &aborted;
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_COMM_BARRIER_H
