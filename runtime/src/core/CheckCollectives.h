//===- CheckCollectives.h - Do the ranks' collectives meet? -----*- C++ -*-===//
//
// Plays the collectives of all ranks against each other without running anything:
// a collective happens when it is the next one of every member of its group.
//
//   rank 0: all_reduce{0,1}                    rank 1: all_gather{0,1}
//     error: "... all_reduce ... meets rank 1 ... all_gather"
//   rank 0: {0,1} {0,2}   rank 1: {1,2} {0,1}   rank 2: {0,2} {1,2}
//     error: a cycle; the message names what rank 0 waits for
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_CHECKCOLLECTIVES_H
#define LLMPAR_RUNTIME_CORE_CHECKCOLLECTIVES_H

#include "core/Program.h"

namespace llmpar::rt {

/// Fails if some collective of `entry` would wait forever or meet one that does not fit.
Status checkCollectivesMeet(const Program &program, Entry entry);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_CHECKCOLLECTIVES_H
