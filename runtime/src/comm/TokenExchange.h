//===- TokenExchange.h - Tokens to their experts and back -------*- C++ -*-===//
//
// The work of one member of `dispatch` and `combine`, for communicators that can read the other
// members' memory. With two members of two tokens each, and experts {0, 1} and {2, 3}:
//
//   dispatch  x: t0 t1 | t2 t3   routing of member 0, by all tokens: (1 0) (0 0) (0 0) (.3 .7)
//             y of member 0: t0 0 0 t3            rows 1 and 2 are not sent to it
//   combine   x of member 0: r0 0 0 r3            only r0 and r3 are read
//             y of member 0: r0 + (its part of member 1, if t0 went there too), t1's from member 1
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_COMM_TOKENEXCHANGE_H
#define LLMPAR_RUNTIME_COMM_TOKENEXCHANGE_H

#include "comm/CollectiveCall.h"

#include <functional>

namespace llmpar::rt {

/// The call of member `i`.
using MemberCall = std::function<const CollectiveCall &(size_t i)>;

/// Fills `y` of `member` from the `x` of all.
void dispatchTokens(const MemberCall &calls, size_t member);
/// Fills `y` of `member` with sums over the members in their order.
void combineTokens(const MemberCall &calls, size_t member);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_COMM_TOKENEXCHANGE_H
