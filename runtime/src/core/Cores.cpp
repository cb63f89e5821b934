//===- Cores.cpp - The cores that this process may use ---------------------===//
#include "core/Cores.h"

#include <sched.h>

namespace llmpar::rt {

static bool allowedCores(cpu_set_t &set) {
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof(set), &set) == 0;
}

uint32_t coreCount() {
  cpu_set_t set;
  return allowedCores(set) ? static_cast<uint32_t>(CPU_COUNT(&set)) : 1u;
}

void pinToCore(uint32_t index) {
  cpu_set_t allowed;
  if (!allowedCores(allowed))
    return;
  for (int core = 0; core < CPU_SETSIZE; ++core)
    if (CPU_ISSET(core, &allowed) && index-- == 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(core, &one);
      ::sched_setaffinity(0, sizeof(one), &one);
      return;
    }
}

int spinsBeforeSleep(uint32_t threads) { return threads <= coreCount() ? 2000 : 20; }

} // namespace llmpar::rt
