//===- Communicator.h - How ranks exchange data -----------------*- C++ -*-===//
//
// The second of the two interfaces of a backend (the other is `Device`). A world
// joins a number of ranks; each rank has one communicator, used by its thread only. Of the
// thunks of a rank one runs at a time; with lanes on threads, they run on the lane's thread,
// and `abort` may be called from any.
//
//   auto world = makeThreadWorld(2);
//   std::unique_ptr<Thunk> thunk;
//   Status status = world->communicator(0).prepare(call, thunk);   // once
//   status = thunk->run();                                        // every step, on all members
//
// Contract, tested by `runtime/test/CollectiveTest.cpp`:
//   * reductions run in group order and give the same bits on every member;
//     f16 and bf16 accumulate in float;
//   * extents may differ between members and be 0;
//   * members that call different collectives in one group get an error, not a hang;
//   * after `abort`, every waiting and every later call returns Code::Aborted.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_COMM_COMMUNICATOR_H
#define LLMPAR_RUNTIME_COMM_COMMUNICATOR_H

#include "comm/CollectiveCall.h"
#include "core/Thunk.h"

#include <memory>

namespace llmpar::rt {

class Communicator {
public:
  virtual ~Communicator() = default;

  /// Checks the call, joins its group and returns what runs it. `call.group` and
  /// `call.ints` are copied. Needs no answer from the other members.
  virtual Status prepare(const CollectiveCall &call, std::unique_ptr<Thunk> &thunk) = 0;

  /// Returns when all ranks of the world are here.
  virtual Status barrier() = 0;

  /// This rank failed: all others stop waiting. The first reason is kept.
  virtual void abort(const Status &reason) = 0;
};

class World {
public:
  virtual ~World() = default;
  virtual Communicator &communicator(uint32_t rank) = 0;

  /// The reason of the first `abort`; success if there was none.
  virtual Status failure() const = 0;

  /// Forgets the failure. Only while no rank is inside a call.
  virtual void reset() = 0;
};

/// All ranks are threads of this process. `threads`: how many run in all, if not one for each rank; waiting
/// ones spin only if there is a core for each.
std::unique_ptr<World> makeThreadWorld(uint32_t ranks, uint32_t threads = 0);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_COMM_COMMUNICATOR_H
