//===- RecordPlan.cpp - Loads, records and storages of a function ----------===//
#include "llmpar/Lowering/RecordPlan.h"

#include "llmpar/Lowering/KernelAttributes.h"
#include "llvm/ADT/DenseSet.h"
#include <map>
#include <tuple>

using namespace mlir;

namespace llmpar {
namespace {

class Planner {
public:
  Planner(func::FuncOp func, const ValueLayouts &layouts)
      : func(func), body(func.getBody().front()), layouts(layouts) {}

  FailureOr<FunctionPlan> run(ArrayRef<Operation *> order) {
    findSources();
    findLive();
    for (BlockArgument argument : func.getArguments()) {
      bool isUsed = llvm::any_of(argument.getUsers(), [&](Operation *user) { return live.contains(user); });
      plan.arguments.push_back(isUsed ? addStorage(argument, Origin::Input) : -1);
      if (auto symbol = func.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), LlmparDialect::kState))
        addState(argument, symbol);
    }
    for (Operation *op : order)
      if (live.contains(op) && failed(addOp(*op)))
        return failure();
    if (failed(checkStates()))
      return failure();
    addOutputs();
    chooseHomes();
    keepUntilJoined(plan);
    reuseInPlace(plan, layouts);
    return std::move(plan);
  }

private:
  /// The part of a weight or constant that a value is.
  struct Source {
    Attribute attribute;
    SmallVector<int64_t> base;
  };

  SmallVector<int64_t> origin(Value value) const {
    return SmallVector<int64_t>(layouts.of(value).global.size(), 0);
  }

  /// Slices of weights with step 1 are loaded as such.
  void findSources() {
    for (Operation &op : body.without_terminator()) {
      if (auto load = dyn_cast<LoadWeightOp>(op)) {
        sources[load.getResult()] = {load.getWeightAttr(), origin(load)};
      } else if (auto constant = dyn_cast<ConstantOp>(op)) {
        sources[constant.getResult()] = {constant.getValue(), origin(constant)};
      } else if (auto slice = dyn_cast<SliceOp>(op)) {
        auto it = sources.find(slice.getX());
        if (it == sources.end() || llvm::any_of(slice.getSteps(), [](int64_t step) { return step != 1; }))
          continue;
        Source source = it->second;
        for (auto [base, start] : llvm::zip(source.base, slice.getStarts()))
          base += start;
        sources[slice.getResult()] = source;
      } else if (auto slice = dyn_cast<AllSliceOp>(op)) {
        if (auto it = sources.find(slice.getX()); it != sources.end()) {
          Source source = it->second;
          sources[slice.getResult()] = source;
        }
      }
    }
  }

  /// An op is live if a result reaches an output; a load does not read its operand.
  void findLive() {
    live.insert(body.getTerminator());
    for (Operation &op : llvm::reverse(body)) {
      if (!live.contains(&op) || (op.getNumResults() == 1 && sources.contains(op.getResult(0))))
        continue;
      for (Value operand : op.getOperands())
        if (Operation *producer = operand.getDefiningOp())
          live.insert(producer);
    }
  }

  int addStorage(Value value, Origin origin) {
    plan.storages.push_back({.value = value, .origin = origin, .lifetime = {}});
    int id = static_cast<int>(plan.storages.size()) - 1;
    storageOf[value] = id;
    return id;
  }

  /// Whether the result is the operand's bytes.
  bool isAlias(Operation &op) const {
    if (isa<ReshapeOp>(op))
      return true;
    if (isa<CastOp, BroadcastOp>(op))
      return op.getOperand(0).getType() == op.getResult(0).getType() &&
             layouts.of(op.getOperand(0)).sameShards(layouts.of(op.getResult(0)));
    std::optional<AxisId> axis = collectiveAxis(&op, layouts.mesh());
    return axis && (layouts.mesh().ranks() == 1 || layouts.mesh().axes[*axis].size == 1);
  }

  void addLoad(Value value, const Source &source) {
    auto shards = value.getDefiningOp()->getAttrOfType<ArrayAttr>(LlmparDialect::kOutShardings);
    std::tuple key(source.attribute.getAsOpaquePointer(), std::vector<int64_t>(source.base.begin(), source.base.end()),
                   shards ? shards.getAsOpaquePointer() : nullptr, value.getType().getAsOpaquePointer());
    auto [it, inserted] = loadOf.try_emplace(key, 0);
    if (!inserted) {
      storageOf[value] = it->second;
      return;
    }
    it->second = addStorage(value, Origin::Load);
    plan.loads.push_back({value, source.attribute, source.base, it->second});
  }

  LogicalResult addOp(Operation &op) {
    if (op.getNumResults() == 1)
      if (auto it = sources.find(op.getResult(0)); it != sources.end()) {
        addLoad(op.getResult(0), it->second);
        return success();
      }
    std::optional<AxisId> axis = collectiveAxis(&op, layouts.mesh());
    if (axis && *axis < 0 && layouts.mesh().ranks() > 1)
      return op.emitOpError() << "axis is not in the mesh '" << layouts.mesh().str() << "'";
    if (isAlias(op)) {
      storageOf[op.getResult(0)] = storageOf.lookup(op.getOperand(0));
      return success();
    }
    if (kernelName(&op).empty())
      return op.emitOpError() << "has no kernel"
                              << (isa<ReshardOp>(op) ? ": run llmpar-lower-reshards before llmpar-lower-to-runtime"
                                                     : "");

    RecordPlan record{.op = &op, .source = {}, .inputs = {}, .outputs = {}};
    if (isCollective(&op))
      record.lane = Lane::Communication;
    // A weight that rests in shards and is used whole is gathered in every step: keeping it would take the memory
    // that the shards save.
    bool isConstant = !isCollective(&op);
    for (Value operand : op.getOperands()) {
      record.inputs.push_back(storageOf.lookup(operand));
      Origin origin = plan.storages[record.inputs.back()].origin;
      isConstant &= origin == Origin::Load || origin == Origin::Init;
    }
    auto &records = isConstant ? plan.init : plan.main;
    auto index = static_cast<int64_t>(records.size());
    for (auto [position, id] : llvm::enumerate(record.inputs)) {
      Storage &storage = plan.storages[id];
      (isConstant ? storage.lastInit : storage.lastMain) = index;
      storage.isPacked &= isConstant || isPackable(op, position);
    }
    for (Value result : op.getResults()) {
      int id = addStorage(result, isConstant ? Origin::Init : Origin::Main);
      plan.storages[id].lifetime.begin = index;
      record.outputs.push_back(id);
    }
    records.push_back(std::move(record));
    return success();
  }

  /// The operand is a weight that the runtime lays out once, and then needs no more.
  static bool isPackable(Operation &op, size_t operand) {
    auto matmul = dyn_cast<MatmulOp>(op);
    if (!matmul || operand != 1 || matmul.getTransposeA())
      return false;
    auto type = cast<RankedTensorType>(matmul.getB().getType());
    return type.getRank() == 2 && type.getElementType().isF32();
  }

  /// A state lives with the weights, from its load on.
  void addState(BlockArgument argument, FlatSymbolRefAttr symbol) {
    int &id = plan.arguments.back();
    id = id < 0 ? addStorage(argument, Origin::Input) : id;
    plan.storages[id].isState = true;
    plan.storages[id].isPacked = false;
    stateOf[symbol] = id;
    plan.loads.push_back({argument, symbol, origin(argument), id});
  }

  LogicalResult checkStates() {
    for (unsigned result = 0; result < func.getNumResults(); ++result)
      if (auto symbol = func.getResultAttrOfType<FlatSymbolRefAttr>(result, LlmparDialect::kNext))
        if (!stateOf.contains(symbol))
          return func.emitError() << "result " << result << " is the next value of " << symbol
                                  << ", which no argument is the state of: run llmpar-place-state on a step that reads it";
    return success();
  }

  /// Behind all readers of the states: their next values take their places.
  void storeStates() {
    SmallVector<std::pair<int, OpOperand *>> next;
    for (OpOperand &operand : body.getTerminator()->getOpOperands())
      if (auto symbol = func.getResultAttrOfType<FlatSymbolRefAttr>(operand.getOperandNumber(), LlmparDialect::kNext))
        next.push_back({stateOf.lookup(symbol), &operand});
    auto copy = [&](Value value, int from, int to) {
      plan.storages[from].lastMain = static_cast<int64_t>(plan.main.size());
      plan.storages[from].isPacked = false;
      plan.main.push_back({.op = nullptr, .source = value, .inputs = {from}, .outputs = {to}});
    };
    for (auto [state, operand] : next) { // a state that becomes another's next value must survive
      int &from = storageOf[operand->get()];
      if (!plan.storages[from].isState || from == state)
        continue;
      int source = from;
      from = addStorage(operand->get(), Origin::Main);
      plan.storages[from].lifetime.begin = static_cast<int64_t>(plan.main.size());
      copy(operand->get(), source, from);
    }
    llvm::DenseMap<int, int> wanted; // how many states become a storage's value
    for (auto [state, operand] : next)
      ++wanted[storageOf.lookup(operand->get())];
    for (auto [state, operand] : next) {
      int from = storageOf.lookup(operand->get());
      if (from == state)
        continue;
      if (wanted[from] == 1 && canComputeInPlace(from, state))
        plan.storages[from].nextOf = state;
      else
        copy(operand->get(), from, state);
    }
  }

  /// Behind all next values, so that nobody waits for a mean before the step's end.
  void averageStates() {
    for (unsigned result = 0; result < func.getNumResults(); ++result) {
      auto average = func.getResultAttrOfType<DictionaryAttr>(result, LlmparDialect::kAverage);
      AxisId axis = average ? layouts.mesh().find(average.getAs<StringAttr>("axis").getValue()) : -1;
      if (axis < 0 || layouts.mesh().axes[axis].size == 1)
        continue;
      int state = stateOf.lookup(func.getResultAttrOfType<FlatSymbolRefAttr>(result, LlmparDialect::kNext));
      plan.main.push_back({.op = nullptr,
                           .source = plan.storages[state].value,
                           .inputs = {state},
                           .outputs = {state},
                           .lane = Lane::Communication,
                           .mean = RecordPlan::Mean{axis, average.getAs<IntegerAttr>("every").getInt()}});
    }
  }

  /// Whether the record that computes a state's next value may write it into the state: no later one reads the old
  /// value, and it reads that, if at all, element by element.
  bool canComputeInPlace(int from, int state) const {
    const Storage &next = plan.storages[from], &old = plan.storages[state];
    if (next.origin != Origin::Main || llvm::any_of(plan.outputs, [&](const OutputPlan &o) { return o.storage == from; }))
      return false;
    int64_t index = next.lifetime.begin;
    const RecordPlan &record = plan.main[index];
    if (!record.op || !layouts.of(next.value).sameShards(layouts.of(old.value)))
      return false;
    return old.lastMain < index || (old.lastMain == index && isa<AdamOp, SgdOp, BinaryOp, SelectOp>(record.op) &&
                                    llvm::all_of(record.op->getOperands(), [&](Value operand) {
                                      return storageOf.lookup(operand) != state ||
                                             layouts.of(operand).sameShards(layouts.of(next.value));
                                    }));
  }

  /// An output has a storage of its own that main has written.
  void addOutputs() {
    llvm::DenseSet<int> taken;
    for (auto [result, value] : llvm::enumerate(body.getTerminator()->getOperands())) {
      if (func.getResultAttr(result, LlmparDialect::kNext))
        continue;
      int id = storageOf.lookup(value);
      if (plan.storages[id].origin != Origin::Main || !taken.insert(id).second) {
        auto index = static_cast<int64_t>(plan.main.size());
        plan.storages[id].lastMain = index;
        plan.storages[id].isPacked = false;
        int source = id;
        plan.storages.push_back({.value = value, .origin = Origin::Main, .lifetime = {}});
        id = static_cast<int>(plan.storages.size()) - 1;
        plan.storages[id].lifetime.begin = index;
        taken.insert(id);
        plan.main.push_back({.op = nullptr, .source = value, .inputs = {source}, .outputs = {id}});
      }
      plan.outputs.push_back({static_cast<unsigned>(result), value, id});
    }
    storeStates();
    averageStates();
    for (OutputPlan &output : plan.outputs)
      plan.storages[output.storage].lastMain = static_cast<int64_t>(plan.main.size());
  }

  void chooseHomes() {
    for (Storage &storage : plan.storages) {
      bool isConstant = storage.origin == Origin::Load || storage.origin == Origin::Init;
      if (storage.isState || storage.nextOf >= 0)
        storage.home = Home::Weights;
      else if (!isConstant)
        storage.home = Home::Main;
      else if (storage.lastMain >= 0)
        storage.home = storage.isPacked ? Home::Staging : Home::Weights;
      else
        storage.home = storage.origin == Origin::Load ? Home::Staging : Home::Init;
      int64_t last = storage.home == Home::Init ? storage.lastInit : storage.lastMain;
      storage.lifetime.end = std::max(storage.lifetime.begin, last) + 1;
    }
  }

  func::FuncOp func;
  Block &body;
  const ValueLayouts &layouts;
  FunctionPlan plan;
  llvm::DenseMap<Value, Source> sources;
  llvm::DenseSet<Operation *> live;
  llvm::DenseMap<Value, int> storageOf;
  llvm::DenseMap<Attribute, int> stateOf; ///< by the weight's symbol
  std::map<std::tuple<const void *, std::vector<int64_t>, const void *, const void *>, int> loadOf;
};

} // namespace

FailureOr<FunctionPlan> planRecords(func::FuncOp func, const ValueLayouts &layouts, ArrayRef<Operation *> order) {
  return Planner(func, layouts).run(order);
}

} // namespace llmpar
