//===- Spin.h - Waiting for an atomic value ---------------------*- C++ -*-===//
#ifndef LLMPAR_RUNTIME_CORE_SPIN_H
#define LLMPAR_RUNTIME_CORE_SPIN_H

#include <atomic>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace llmpar::rt {

inline void cpuPause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/// Returns the first value that `isReached` accepts: looks `spins` times, then sleeps until a notify. Acquires.
template <typename T, typename Predicate> T waitUntil(const std::atomic<T> &value, int spins, Predicate &&isReached) {
  for (int i = 0;; ++i) {
    T seen = value.load(std::memory_order_acquire);
    if (isReached(seen))
      return seen;
    if (i < spins)
      cpuPause();
    else
      value.wait(seen, std::memory_order_acquire);
  }
}

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_SPIN_H
