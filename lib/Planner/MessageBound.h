//===- MessageBound.h - A bound and plans where memory is free --*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_MESSAGEBOUND_H
#define LLMPAR_LIB_PLANNER_MESSAGEBOUND_H

#include "ExtendChoice.h"
#include "Incumbent.h"

namespace llmpar {

/// A lower bound of a presolved problem without memory, by messages (DualBound.h). Offers the incumbent the choices
/// that they suggest. Ends when bound and best choice are as near as anyone wants, or the bound rises no more.
/// Infinity: nothing better than the incumbent is left.
double raiseMessageBound(const ReducedProblem &problem, const Extend &extend, Incumbent &incumbent);

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_MESSAGEBOUND_H
