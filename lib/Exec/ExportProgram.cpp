//===- ExportProgram.cpp - llmpar_rt to a program file ---------------------===//
//
// Kernels, locations and constants are collected once each; location 0 is the empty one.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Abi/Program_generated.h"
#include "llmpar/Exec/ProgramFile.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace llmpar::exec {
namespace {

template <typename... Args> llvm::Error fail(const char *format, Args... args) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), format, args...);
}

/// Position of each name in a list of the file, in order of first use or declaration.
struct NameTable {
  std::vector<std::string> names;
  llvm::StringMap<uint32_t> index;
  uint32_t add(StringRef name) {
    auto [it, inserted] = index.try_emplace(name, names.size());
    if (inserted)
      names.push_back(name.str());
    return it->second;
  }
};

std::unique_ptr<fb::BufferT> toFile(BufferAttr buffer) {
  auto out = std::make_unique<fb::BufferT>();
  out->arena = static_cast<fb::Arena>(buffer.getArena());
  out->offset = buffer.getOffset();
  out->dtype = static_cast<uint8_t>(*elementDType(buffer.getType().getElementType()));
  out->shape = buffer.getType().getShape().vec();
  return out;
}

class Exporter {
public:
  llvm::Expected<std::vector<char>> run(ProgramOp program) {
    locations.add("");
    file.compiler = program.getCompiler().str();
    file.model = program.getModel().str();
    file.layout = program.getLayout().str();
    for (auto [name, size] : llvm::zip(program.getAxes().getAsValueRange<StringAttr>(), program.getSizes())) {
      file.mesh.push_back(std::make_unique<fb::AxisT>());
      file.mesh.back()->name = name.str();
      file.mesh.back()->size = size;
    }
    for (FileOp op : program.getBody().getOps<FileOp>()) {
      files.add(op.getPath());
      file.files.push_back(std::make_unique<fb::FileT>());
      file.files.back()->path = op.getPath().str();
      file.files.back()->size = op.getSize();
    }
    for (InputOp op : program.getBody().getOps<InputOp>())
      addIo(op, inputs, file.inputs);
    for (OutputOp op : program.getBody().getOps<OutputOp>())
      addIo(op, outputs, file.outputs);
    for (StateOp op : program.getBody().getOps<StateOp>())
      addIo(op, states, file.states);
    for (RankOp op : program.getBody().getOps<RankOp>())
      if (llvm::Error error = addRank(op))
        return std::move(error);
    file.kernels = kernels.names;
    file.locations = locations.names;
    flatbuffers::FlatBufferBuilder builder(1 << 20);
    fb::FinishProgramBuffer(builder, fb::Program::Pack(builder, &file));
    const char *data = reinterpret_cast<const char *>(builder.GetBufferPointer());
    return std::vector<char>(data, data + builder.GetSize());
  }

private:
  template <typename Op> void addIo(Op op, NameTable &table, std::vector<std::unique_ptr<fb::IoT>> &list) {
    auto type = cast<RankedTensorType>(op.getType());
    table.add(op.getName());
    list.push_back(std::make_unique<fb::IoT>());
    list.back()->name = op.getName().str();
    list.back()->dtype = static_cast<uint8_t>(elementDType(type.getElementType()).value_or(DType::F32));
    list.back()->shape = type.getShape().vec();
  }

  llvm::Error addRank(RankOp op) {
    file.ranks.push_back(std::make_unique<fb::RankT>());
    fb::RankT &rank = *file.ranks.back();
    for (int64_t bytes : op.getArenas())
      rank.arenas.push_back(bytes);
    for (Operation &child : op.getBody().front()) {
      llvm::Error error = llvm::Error::success();
      if (auto load = dyn_cast<LoadOp>(child))
        error = addLoad(load, rank);
      else if (auto constant = dyn_cast<ConstantOp>(child))
        error = addConstant(constant, rank);
      else if (auto slice = dyn_cast<SliceInOp>(child))
        error = addSlice(slice, inputs, rank.inputs);
      else if (auto slice = dyn_cast<SliceOutOp>(child))
        error = addSlice(slice, outputs, rank.outputs);
      else if (auto slice = dyn_cast<SliceStateOp>(child))
        error = addSlice(slice, states, rank.states);
      else if (auto init = dyn_cast<InitOp>(child))
        addRecords(init.getBody(), rank.init);
      else if (auto main = dyn_cast<MainOp>(child))
        addRecords(main.getBody(), rank.main);
      if (error)
        return error;
    }
    return llvm::Error::success();
  }

  llvm::Error addLoad(LoadOp op, fb::RankT &rank) {
    auto it = files.index.find(op.getFile());
    if (it == files.index.end())
      return fail("load of '%s': file '%s' is not declared", op.getName().str().c_str(), op.getFile().str().c_str());
    auto load = std::make_unique<fb::LoadT>();
    load->name = op.getName().str();
    load->file = it->second;
    load->offset = op.getOffset();
    load->shape = op.getShape().vec();
    load->starts = op.getStarts().vec();
    load->target = toFile(op.getTarget());
    if (op.getStored())
      load->stored = static_cast<uint8_t>(elementDType(*op.getStored()).value_or(DType::F32));
    rank.loads.push_back(std::move(load));
    return llvm::Error::success();
  }

  llvm::Error addConstant(ConstantOp op, fb::RankT &rank) {
    auto value = dyn_cast<DenseElementsAttr>(op.getValue());
    if (!value)
      return fail("constant '%s' is not a dense attribute", op.getName().str().c_str());
    auto [it, inserted] = constants.try_emplace(value, 0);
    if (inserted) {
      file.constants.resize((file.constants.size() + 63) / 64 * 64);
      it->second = file.constants.size();
      std::vector<char> bytes = elementBytes(value);
      file.constants.insert(file.constants.end(), bytes.begin(), bytes.end());
    }
    auto load = std::make_unique<fb::LoadT>();
    load->name = op.getName().str();
    load->offset = it->second;
    load->shape = value.getType().getShape().vec();
    load->starts = op.getStarts().vec();
    load->target = toFile(op.getTarget());
    rank.loads.push_back(std::move(load));
    return llvm::Error::success();
  }

  template <typename Op> llvm::Error addSlice(Op op, NameTable &table, std::vector<std::unique_ptr<fb::SliceT>> &list) {
    auto it = table.index.find(op.getName());
    if (it == table.index.end())
      return fail("slice of '%s': no such input, output or state", op.getName().str().c_str());
    list.push_back(std::make_unique<fb::SliceT>());
    list.back()->io = it->second;
    list.back()->starts = op.getStarts().vec();
    list.back()->buffer = toFile(op.getBuffer());
    return llvm::Error::success();
  }

  void addRecords(Region &body, std::vector<std::unique_ptr<fb::RecordT>> &list) {
    for (KernelOp op : body.getOps<KernelOp>()) {
      auto record = std::make_unique<fb::RecordT>();
      record->kernel = kernels.add(op.getKernel());
      for (BufferAttr buffer : op.getInputs().getAsRange<BufferAttr>())
        record->inputs.push_back(toFile(buffer));
      for (BufferAttr buffer : op.getOutputs().getAsRange<BufferAttr>())
        record->outputs.push_back(toFile(buffer));
      record->ints = op.getInts().value_or(ArrayRef<int64_t>()).vec();
      record->floats = op.getFloats().value_or(ArrayRef<double>()).vec();
      llvm::append_range(record->group, op.getGroup().value_or(ArrayRef<int64_t>()));
      llvm::append_range(record->waits, op.getWaits().value_or(ArrayRef<int64_t>()));
      if (op.getLane())
        record->lane = static_cast<fb::Lane>(laneNamed(*op.getLane()).value_or(Lane::Compute)); // verified
      record->location = locations.add(op.getLocation().value_or(""));
      record->flops = static_cast<double>(op.getFlops().value_or(0));
      record->bytes = static_cast<double>(op.getBytes().value_or(0));
      record->every = static_cast<uint32_t>(op.getEvery().value_or(1));
      list.push_back(std::move(record));
    }
  }

  fb::ProgramT file;
  NameTable files, inputs, outputs, states, kernels, locations;
  llvm::DenseMap<Attribute, uint64_t> constants; ///< offset in file.constants
};

} // namespace

llvm::Expected<std::vector<char>> exportProgram(ProgramOp program) { return Exporter().run(program); }

} // namespace llmpar::exec
