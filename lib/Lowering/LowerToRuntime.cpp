//===- LowerToRuntime.cpp - Every rank's program ----------------------------===//
//
// Plan once what all ranks share (RecordPlan), then place and print each rank with its own
// valid extents. A record whose results are all empty on a rank is left out, except
// collectives, which every member joins.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Lowering/Passes.h"

#include "llmpar/Dialect/WeightParts.h"
#include "llmpar/Lowering/KernelAttributes.h"
#include "llmpar/Lowering/MemoryPlan.h"
#include "llmpar/Lowering/OverlapOrder.h"
#include "llmpar/Lowering/PlanWaits.h"
#include "llmpar/Lowering/RecordCost.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <optional>
#include <set>

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_LOWERTORUNTIME
#include "llmpar/Lowering/Passes.h.inc"

namespace {

bool isEmpty(ArrayRef<int64_t> shape) { return llvm::is_contained(shape, 0); }

StringAttr nameOf(DictionaryAttr attributes, const Twine &fallback, MLIRContext *context) {
  auto name = attributes ? attributes.getAs<StringAttr>(LlmparDialect::kName) : StringAttr();
  return name ? name : StringAttr::get(context, fallback);
}

/// The ONNX node's name, or null.
StringAttr locationName(Location loc) {
  auto name = loc->findInstanceOf<NameLoc>();
  return name && !name.getName().empty() ? name.getName() : StringAttr();
}

uint64_t bytesOf(exec::BufferAttr buffer) {
  RankedTensorType type = buffer.getType();
  return static_cast<uint64_t>(type.getNumElements()) * dtypeSize(*exec::elementDType(type.getElementType()));
}

/// Bytes of a weight file if it is there already, and whole; else 0. It is never opened.
int64_t sizeOfFile(ModuleOp module, StringRef path, int64_t needed) {
  auto folder = module->getAttrOfType<StringAttr>(LlmparDialect::kModelDir);
  SmallString<128> file(folder ? folder.getValue() : "");
  llvm::sys::path::append(file, path);
  uint64_t size = 0;
  bool isThere = folder && !llvm::sys::fs::file_size(file, size) && size >= static_cast<uint64_t>(needed);
  return isThere ? static_cast<int64_t>(size) : 0;
}

FailureOr<MemoryPlan> memoryOf(int64_t rank, MemoryPlanner &planner, func::FuncOp func) {
  llvm::Expected<MemoryPlan> memory = planner.run(rank);
  if (memory)
    return std::move(*memory);
  return func.emitError() << "internal error: memory of rank " << rank << ": " << llvm::toString(memory.takeError());
}

class Emitter {
public:
  Emitter(ModuleOp module, func::FuncOp func, const ValueLayouts &layouts, const FunctionPlan &plan)
      : module(module), func(func), layouts(layouts), plan(plan), symbols(module), builder(module.getContext()) {}

  LogicalResult run(StringRef layoutName) {
    builder.setInsertionPointToEnd(module.getBody());
    createProgram(layoutName);
    for (const auto *records : {&plan.init, &plan.main})
      for (const RecordPlan &record : *records)
        if (record.op)
          costs.try_emplace(record.op, record.op);
    MemoryPlanner planner(plan, layouts);
    for (int64_t rank = 0; rank < layouts.mesh().ranks(); ++rank) {
      FailureOr<MemoryPlan> memory = memoryOf(rank, planner, func);
      if (failed(memory) || failed(createRank(rank, *memory)))
        return failure();
    }
    return success();
  }

private:
  void createProgram(StringRef layoutName) {
    SmallVector<StringRef> axes;
    SmallVector<int64_t> sizes;
    for (const MeshAxis &axis : layouts.mesh().axes) {
      axes.push_back(axis.name);
      sizes.push_back(axis.size);
    }
    auto model = module->getAttrOfType<StringAttr>(LlmparDialect::kModel);
    std::string mesh = layouts.mesh().str();
    auto program = exec::ProgramOp::create(builder, func.getLoc(), "main", builder.getStrArrayAttr(axes), sizes,
                                           model ? model.getValue() : "",
                                           layoutName.empty() ? StringRef(mesh) : layoutName, "llmpar 0.1.0");
    builder.setInsertionPointToEnd(&program.getBody().emplaceBlock());
    llvm::MapVector<StringRef, int64_t> files; // and the bytes that weights need of them
    for (const LoadPlan &load : plan.loads)
      if (WeightOp weight = weightOf(load))
        for (ExternalAttr source : weight.getSources().getAsRange<ExternalAttr>()) {
          int64_t &needed = files[source.getPath()];
          needed = std::max(needed, source.getOffset() + source.getSize());
        }
    for (auto [path, needed] : files)
      exec::FileOp::create(builder, func.getLoc(), path, sizeOfFile(module, path, needed));
    llvm::StringSet<> states; // of several parts one state
    for (BlockArgument argument : func.getArguments())
      if (WeightOp state = stateOf(argument)) {
        WeightBox box = boxOf(state);
        if (states.insert(box.tensor).second)
          exec::StateOp::create(builder, argument.getLoc(), box.tensor, globalType(argument).clone(box.shape));
      } else
        exec::InputOp::create(builder, argument.getLoc(), inputName(argument.getArgNumber()), globalType(argument));
    for (const OutputPlan &output : plan.outputs)
      exec::OutputOp::create(builder, func.getLoc(), outputName(output.result), globalType(output.value));
  }

  /// The weight whose value an argument is, or null.
  WeightOp stateOf(BlockArgument argument) {
    auto symbol = func.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), LlmparDialect::kState);
    return symbol ? symbols.lookup<WeightOp>(symbol.getValue()) : WeightOp();
  }
  StringAttr inputName(unsigned index) {
    return nameOf(func.getArgAttrDict(index), "input" + Twine(index), builder.getContext());
  }
  StringAttr outputName(unsigned index) {
    return nameOf(func.getResultAttrDict(index), "output" + Twine(index), builder.getContext());
  }
  RankedTensorType globalType(Value value) const {
    return RankedTensorType::get(layouts.of(value).global, layouts.of(value).elementType);
  }
  WeightOp weightOf(const LoadPlan &load) const {
    auto symbol = dyn_cast<FlatSymbolRefAttr>(load.source);
    return symbol ? symbols.lookup<WeightOp>(symbol.getValue()) : WeightOp();
  }

  /// Where what begins at `starts` of a weight begins in its tensor.
  static SmallVector<int64_t> within(const WeightBox &box, ArrayRef<int64_t> starts) {
    return llvm::map_to_vector(llvm::zip(box.starts, starts),
                               [](auto pair) { return std::get<0>(pair) + std::get<1>(pair); });
  }

  exec::BufferAttr buffer(Value value, int storage) const {
    auto type = RankedTensorType::get(layouts.valid(value, rank), layouts.of(value).elementType);
    return exec::BufferAttr::get(builder.getContext(), arenaOf(plan.storages[storage].home), memory->offsets[storage],
                                 type);
  }

  LogicalResult createRank(int64_t index, const MemoryPlan &plannedMemory) {
    OpBuilder::InsertionGuard guard(builder);
    rank = index;
    memory = &plannedMemory;
    auto op = exec::RankOp::create(builder, func.getLoc(), rank, memory->arenas);
    builder.setInsertionPointToEnd(&op.getBody().emplaceBlock());
    for (const LoadPlan &load : plan.loads)
      if (failed(createLoad(load)))
        return failure();
    for (auto [argument, storage] : llvm::zip(func.getArguments(), plan.arguments))
      if (storage >= 0 && !isEmpty(layouts.valid(argument, rank))) {
        SmallVector<int64_t> starts = layouts.starts(argument, rank);
        if (WeightOp state = stateOf(argument)) {
          WeightBox box = boxOf(state);
          exec::SliceStateOp::create(builder, argument.getLoc(), box.tensor, within(box, starts),
                                     buffer(argument, storage));
        } else
          exec::SliceInOp::create(builder, argument.getLoc(), inputName(argument.getArgNumber()), starts,
                                  buffer(argument, storage));
      }
    for (const OutputPlan &output : plan.outputs)
      createOutput(output);
    if (failed(createEntry<exec::InitOp>(plan.init)))
      return failure();
    return createEntry<exec::MainOp>(plan.main);
  }

  LogicalResult createLoad(const LoadPlan &load) {
    if (isEmpty(layouts.valid(load.value, rank)))
      return success();
    SmallVector<int64_t> starts = layouts.starts(load.value, rank);
    for (auto [start, base] : llvm::zip(starts, load.base))
      start += base;
    Location loc = load.value.getLoc();
    exec::BufferAttr target = buffer(load.value, load.storage);
    if (auto constant = dyn_cast<ElementsAttr>(load.source)) {
      StringAttr name = locationName(loc);
      exec::ConstantOp::create(builder, loc, name ? name : builder.getStringAttr("constant"), constant,
                               builder.getDenseI64ArrayAttr(starts), target);
      return success();
    }
    WeightOp weight = weightOf(load);
    if (!weight)
      return emitError(loc) << "no weight " << load.source;
    WeightBox box = boxOf(weight);
    createLoads(weight, box, loc, within(box, starts), target);
    return success();
  }

  /// A load for every source of the weight's tensor that the box [starts, starts + target) of it has a part of.
  void createLoads(WeightOp weight, const WeightBox &box, Location loc, SmallVector<int64_t> starts,
                   exec::BufferAttr target) {
    Shape shape = box.shape;
    auto sources = weight.getSources().getAsRange<ExternalAttr>();
    auto stored = weight->getAttrOfType<TypeAttr>(LlmparDialect::kStored);
    if (sources.empty()) // a state that begins as zeros, like all memory
      return;
    int64_t count = llvm::range_size(sources), rows = count == 1 ? INT64_MAX : shape[0] / count; // of each
    int64_t begin = shape.empty() ? 0 : starts[0], offset = target.getOffset();
    int64_t end = shape.empty() ? 1 : begin + target.getType().getDimSize(0);
    for (auto [index, source] : llvm::enumerate(sources)) {
      int64_t base = count == 1 ? 0 : static_cast<int64_t>(index) * rows;
      int64_t from = std::max(begin, base), to = std::min(end, count == 1 ? end : base + rows);
      if (from >= to)
        continue;
      exec::BufferAttr part = target;
      if (count > 1) {
        SmallVector<int64_t> extents(target.getType().getShape());
        extents[0] = to - from;
        starts[0] = from - base;
        shape[0] = rows;
        part = exec::BufferAttr::get(builder.getContext(), target.getArena(), offset, target.getType().clone(extents));
      }
      exec::LoadOp::create(builder, loc, builder.getStringAttr(box.tensor), builder.getStringAttr(source.getPath()),
                           builder.getI64IntegerAttr(source.getOffset()), builder.getDenseI64ArrayAttr(shape),
                           builder.getDenseI64ArrayAttr(starts), part, stored);
      offset += static_cast<int64_t>(bytesOf(part));
    }
  }

  /// Of several ranks that hold the same box the first one writes it.
  void createOutput(const OutputPlan &output) {
    Shape shape = layouts.valid(output.value, rank);
    SmallVector<int64_t> starts = layouts.starts(output.value, rank);
    std::vector<int64_t> box{static_cast<int64_t>(output.result)};
    box.insert(box.end(), starts.begin(), starts.end());
    if (isEmpty(shape) || !writtenBoxes.insert(box).second)
      return;
    exec::SliceOutOp::create(builder, func.getLoc(), outputName(output.result), builder.getDenseI64ArrayAttr(starts),
                             buffer(output.value, output.storage));
  }

  template <typename Entry> LogicalResult createEntry(const std::vector<RecordPlan> &records) {
    OpBuilder::InsertionGuard guard(builder);
    auto entry = Entry::create(builder, func.getLoc());
    builder.setInsertionPointToEnd(&entry.getBody().emplaceBlock());
    for (const RecordPlan &record : records)
      createRecord(record);
    return setWaits(entry.getBody());
  }

  /// Not before all records have their place: which records there are, and what memory they share, differs by rank.
  LogicalResult setWaits(Region &body) {
    auto kernels = llvm::to_vector(body.getOps<exec::KernelOp>());
    auto bytes = [](ArrayAttr buffers) {
      std::vector<ByteRange> ranges;
      for (auto buffer : buffers.getAsRange<exec::BufferAttr>()) {
        auto begin = static_cast<uint64_t>(buffer.getOffset());
        ranges.push_back({static_cast<int>(buffer.getArena()), begin, begin + bytesOf(buffer)});
      }
      return ranges;
    };
    std::vector<LaneRecord> records;
    for (exec::KernelOp kernel : kernels)
      records.push_back({.lane = kernel.getLane() ? *exec::laneNamed(*kernel.getLane()) : Lane::Compute,
                         .waits = {},
                         .reads = bytes(kernel.getInputs()),
                         .writes = bytes(kernel.getOutputs())});
    planWaits(records);
    if (std::optional<LaneRace> race = findLaneRace(records))
      return kernels[race->second]->emitError()
             << "internal error: lanes of rank " << rank << ": records " << race->first << " and " << race->second
             << " are unordered and touch the same bytes [" << race->bytes.begin << ", " << race->bytes.end << ")";
    for (auto [kernel, record] : llvm::zip(kernels, records))
      if (!record.waits.empty())
        kernel.setWaits(SmallVector<int64_t>(record.waits.begin(), record.waits.end()));
    return success();
  }

  void createRecord(const RecordPlan &record) {
    SmallVector<Value> inputs, outputs;
    if (record.op) {
      llvm::append_range(inputs, record.op->getOperands());
      llvm::append_range(outputs, record.op->getResults());
    } else {
      inputs = outputs = {record.source};
    }
    KernelAttributes attributes;
    double flops = 0, bytes = 2.0 * static_cast<double>(layouts.bytes(outputs[0], rank));
    if (record.op) {
      const RecordCost &cost = costs.find(record.op)->second;
      attributes = kernelAttributes(record.op, layouts, rank);
      flops = cost.flops(layouts, rank);
      bytes = cost.bytes(layouts, rank);
    }
    StringRef kernel = record.op ? kernelName(record.op) : "copy";
    IntegerAttr every;
    if (record.mean) {
      kernel = "all_reduce";
      attributes.ints = {static_cast<int64_t>(*reduceKind("sum")), /*mean=*/1};
      attributes.group = layouts.mesh().group(rank, record.mean->axis);
      auto members = static_cast<double>(attributes.group.size());
      bytes *= (members - 1) / members; // 2 (n - 1)/n of the state
      if (record.mean->every > 1)
        every = builder.getI64IntegerAttr(record.mean->every);
    }
    if (attributes.group.empty() &&
        llvm::all_of(outputs, [&](Value value) { return isEmpty(layouts.valid(value, rank)); }))
      return;
    auto buffers = [&](ArrayRef<Value> values, ArrayRef<int> storages) {
      SmallVector<Attribute> list;
      for (auto [value, storage] : llvm::zip(values, storages))
        list.push_back(buffer(value, storage));
      return builder.getArrayAttr(list);
    };
    auto integers = [&](ArrayRef<int64_t> list) {
      return list.empty() ? DenseI64ArrayAttr() : builder.getDenseI64ArrayAttr(list);
    };
    auto number = [&](double value) {
      return value < 0.5 ? IntegerAttr() : builder.getI64IntegerAttr(static_cast<int64_t>(value + 0.5));
    };
    Location loc = record.op ? record.op->getLoc() : record.source.getLoc();
    StringRef laneName = laneNames[static_cast<size_t>(record.lane)];
    StringAttr lane = record.lane == Lane::Compute ? StringAttr() : builder.getStringAttr(laneName);
    exec::KernelOp::create(
        builder, loc, builder.getStringAttr(kernel), buffers(inputs, record.inputs),
        buffers(outputs, record.outputs), integers(attributes.ints),
        attributes.floats.empty() ? DenseF64ArrayAttr() : builder.getDenseF64ArrayAttr(attributes.floats),
        integers(attributes.group), lane, DenseI64ArrayAttr(), number(flops), number(bytes), every, locationName(loc));
  }

  ModuleOp module;
  func::FuncOp func;
  const ValueLayouts &layouts;
  const FunctionPlan &plan;
  SymbolTable symbols;
  mutable OpBuilder builder;
  llvm::DenseMap<Operation *, RecordCost> costs;
  std::set<std::vector<int64_t>> writtenBoxes;
  int64_t rank = 0;
  const MemoryPlan *memory = nullptr;
};

/// Bytes of each rank's activations.
FailureOr<std::vector<int64_t>> activationBytes(func::FuncOp func, const ValueLayouts &layouts,
                                                const FunctionPlan &plan) {
  std::vector<int64_t> bytes;
  MemoryPlanner planner(plan, layouts);
  for (int64_t rank = 0; rank < layouts.mesh().ranks(); ++rank) {
    FailureOr<MemoryPlan> memory = memoryOf(rank, planner, func);
    if (failed(memory))
      return failure();
    bytes.push_back(memory->arenas[static_cast<int>(exec::Arena::Activations)]);
  }
  return bytes;
}

/// The plan in the order that overlaps most without more memory than program order takes on any rank.
FailureOr<FunctionPlan> planInBestOrder(func::FuncOp func, const ValueLayouts &layouts) {
  Block &body = func.getBody().front();
  std::vector<Operation *> program = programOrder(body);
  FailureOr<FunctionPlan> plan = planRecords(func, layouts, program);
  if (failed(plan) || llvm::none_of(program, isCollective))
    return plan;
  FailureOr<std::vector<int64_t>> limits = activationBytes(func, layouts, *plan);
  if (failed(limits))
    return failure();
  static constexpr OverlapWindow windows[] = {{64, 64}, {64, 16}, {64, 4}, {64, 0}, {16, 4}, {4, 4}, {4, 0}};
  for (OverlapWindow window : windows) {
    std::vector<Operation *> order = overlapOrder(body, window);
    if (order == program)
      continue;
    FailureOr<FunctionPlan> candidate = planRecords(func, layouts, order);
    if (failed(candidate))
      return failure();
    FailureOr<std::vector<int64_t>> bytes = activationBytes(func, layouts, *candidate);
    if (failed(bytes))
      return failure();
    if (llvm::all_of(llvm::zip(*bytes, *limits), [](auto pair) { return std::get<0>(pair) <= std::get<1>(pair); }))
      return candidate;
  }
  return plan;
}

struct LowerToRuntime : impl::LowerToRuntimeBase<LowerToRuntime> {
  using Base::Base;
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto func = module.lookupSymbol<func::FuncOp>("main");
    if (!func)
      for (func::FuncOp other : module.getOps<func::FuncOp>())
        func = func ? func : other;
    if (!func || !func.getBody().hasOneBlock()) {
      module.emitError("llmpar-lower-to-runtime needs a function @main of one block");
      return signalPassFailure();
    }
    FailureOr<ValueLayouts> layouts = ValueLayouts::build(func, meshOf(module));
    if (failed(layouts))
      return signalPassFailure();
    FailureOr<FunctionPlan> plan = planInBestOrder(func, *layouts);
    if (failed(plan) || failed(Emitter(module, func, *layouts, *plan).run(layout)))
      return signalPassFailure();
    for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
      if (!isa<exec::ProgramOp>(op))
        op.erase();
  }
};

} // namespace
} // namespace llmpar
