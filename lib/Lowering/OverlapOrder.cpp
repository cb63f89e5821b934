//===- OverlapOrder.cpp - Work between a collective and its reader ---------===//
//
// A list schedule. Ops are taken in program order; `next` is the first that is left. In flight are
// the collectives that no scheduled op has waited for. They end in the order in which they began,
// so that who waits for one has waited for all before it.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Lowering/OverlapOrder.h"

#include "llmpar/Lowering/KernelAttributes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace llmpar {
namespace {

class Scheduler {
public:
  Scheduler(Block &body, OverlapWindow window) : program(programOrder(body)), window(window) {
    for (Operation *op : program)
      for (Operation *user : op->getUsers())
        ++missing[user]; // a use twice if there are two; so does schedule()
  }

  std::vector<Operation *> run() {
    for (size_t next = 0; next < program.size();) {
      if (order.contains(program[next])) {
        ++next;
        continue;
      }
      schedule(choose(next));
    }
    return order.takeVector();
  }

private:
  Operation *choose(size_t next) const {
    auto firstReady = [&](size_t places, auto &&isWanted) -> Operation * {
      size_t end = std::min(program.size(), next + 1 + places);
      for (size_t i = next; i < end; ++i)
        if (Operation *op = program[i]; !order.contains(op) && missing.lookup(op) == 0 && isWanted(op))
          return op;
      return nullptr;
    };
    Operation *op = firstReady(window.collectives, isCollective);
    if (!op && !inFlight.empty())
      op = firstReady(window.others, [&](Operation *candidate) { return !waits(candidate); });
    return op ? op : program[next];
  }

  bool waits(Operation *op) const {
    return llvm::any_of(op->getOperands(), [&](Value operand) { return inFlight.contains(operand.getDefiningOp()); });
  }

  void schedule(Operation *op) {
    order.insert(op);
    for (Operation *user : op->getUsers())
      --missing[user];
    if (isCollective(op)) {
      inFlight.insert(op);
      return;
    }
    while (waits(op)) // what began earlier ends earlier
      inFlight.erase(inFlight.begin());
  }

  std::vector<Operation *> program;
  OverlapWindow window;
  llvm::DenseMap<Operation *, int64_t> missing; ///< operands whose op is not scheduled
  llvm::SetVector<Operation *, std::vector<Operation *>> order, inFlight;
};

} // namespace

std::vector<Operation *> programOrder(Block &body) {
  std::vector<Operation *> ops;
  for (Operation &op : body.without_terminator())
    ops.push_back(&op);
  return ops;
}

std::vector<Operation *> overlapOrder(Block &body, OverlapWindow window) { return Scheduler(body, window).run(); }

} // namespace llmpar
