//===- CheckLanes.h - May a rank's lanes run at the same time? --*- C++ -*-===//
//
// Abi/Lanes.h says when records are unordered. A program that passed may run its lanes on
// threads of their own: no byte is written while another record uses it, so a kernel's checks
// of its data hold while it runs; and all ranks meet in the order that checkCollectivesMeet has played.
//
//   #0 compute unary a -> b
//   #1 communication all_reduce b -> c          no waits
//     error: "... and main record 0 (unary) touch the same bytes [0, 64) of activations; neither waits for the other"
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_CHECKLANES_H
#define LLMPAR_RUNTIME_CORE_CHECKLANES_H

#include "core/Program.h"

namespace llmpar::rt {

/// Fails if unordered records of the entry conflict, or if collectives are on two lanes. Waits must name earlier
/// records. `overlaps` tells whether some records are unordered.
Status checkLanes(size_t rank, Entry entry, const std::vector<RecordDef> &records, bool &overlaps);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_CHECKLANES_H
