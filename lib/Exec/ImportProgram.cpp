//===- ImportProgram.cpp - A program file to llmpar_rt ---------------------===//
//
// The bytes are untrusted: FlatBuffers' verifier first, then every index and element type.
// What a record means is checked by the runtime, which must not trust a file either.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Abi/Program_generated.h"
#include "llmpar/Exec/ProgramFile.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;

namespace llmpar::exec {
namespace {

class Importer {
public:
  Importer(const fb::ProgramT &file, MLIRContext *context)
      : file(file), builder(context), loc(UnknownLoc::get(context)) {}

  llvm::Expected<OwningOpRef<ModuleOp>> run() {
    OwningOpRef<ModuleOp> module(ModuleOp::create(loc));
    builder.setInsertionPointToEnd(module->getBody());
    SmallVector<StringRef> axes;
    SmallVector<int64_t> sizes;
    for (const auto &axis : file.mesh) {
      axes.push_back(axis->name);
      sizes.push_back(axis->size);
    }
    auto program = ProgramOp::create(builder, loc, "main", builder.getStrArrayAttr(axes), sizes, file.model,
                                     file.layout, file.compiler);
    openBody(program.getBody());
    for (const auto &entry : file.files)
      FileOp::create(builder, loc, entry->path, static_cast<int64_t>(entry->size));
    for (const auto &io : file.inputs)
      if (auto type = tensor(io->dtype, io->shape))
        InputOp::create(builder, loc, io->name, type);
    for (const auto &io : file.states)
      if (auto type = tensor(io->dtype, io->shape))
        StateOp::create(builder, loc, io->name, type);
    for (const auto &io : file.outputs)
      if (auto type = tensor(io->dtype, io->shape))
        OutputOp::create(builder, loc, io->name, type);
    for (size_t i = 0; i < file.ranks.size(); ++i)
      addRank(i, *file.ranks[i]);
    if (!problem.empty())
      return llvm::createStringError("program file: " + problem);
    if (failed(verify(*module)))
      return llvm::createStringError("program file: not a valid llmpar_rt.program");
    return module;
  }

private:
  void fail(std::string message) {
    if (problem.empty())
      problem = std::move(message);
  }
  void openBody(Region &region) { builder.setInsertionPointToEnd(&region.emplaceBlock()); }

  RankedTensorType tensor(uint8_t dtype, const std::vector<int64_t> &shape) {
    if (dtype >= dtypeCount || llvm::any_of(shape, [](int64_t dim) { return dim < 0; })) {
      fail("unknown element type " + std::to_string(dtype) + " or a negative extent");
      return {};
    }
    return RankedTensorType::get(shape, elementType(static_cast<DType>(dtype), builder.getContext()));
  }
  BufferAttr toIr(const fb::BufferT &buffer) {
    auto type = tensor(buffer.dtype, buffer.shape);
    if (!type || buffer.arena >= arenaCount || buffer.offset > INT64_MAX) {
      fail("a buffer in arena " + std::to_string(buffer.arena));
      type = RankedTensorType::get({}, builder.getF32Type());
      return BufferAttr::get(builder.getContext(), Arena::Weights, 0, type);
    }
    return BufferAttr::get(builder.getContext(), static_cast<Arena>(buffer.arena), buffer.offset, type);
  }

  void addRank(size_t index, const fb::RankT &rank) {
    OpBuilder::InsertionGuard guard(builder);
    SmallVector<int64_t> arenas(rank.arenas.begin(), rank.arenas.end());
    auto op = RankOp::create(builder, loc, static_cast<int64_t>(index), arenas);
    openBody(op.getBody());
    for (const auto &load : rank.loads)
      addLoad(*load);
    for (const auto &slice : rank.inputs)
      addSlice<SliceInOp>(*slice, file.inputs);
    for (const auto &slice : rank.outputs)
      addSlice<SliceOutOp>(*slice, file.outputs);
    for (const auto &slice : rank.states)
      addSlice<SliceStateOp>(*slice, file.states);
    addRecords<InitOp>(rank.init);
    addRecords<MainOp>(rank.main);
  }

  void addLoad(const fb::LoadT &load) {
    BufferAttr target = toIr(*load.target);
    if (load.file >= static_cast<int64_t>(file.files.size()))
      return fail("load of '" + load.name + "' from file " + std::to_string(load.file));
    if (load.file >= 0) {
      TypeAttr stored;
      if (load.stored != 255) {
        RankedTensorType type = tensor(load.stored, {});
        stored = type ? TypeAttr::get(type.getElementType()) : TypeAttr();
      }
      LoadOp::create(builder, loc, load.name, file.files[load.file]->path, static_cast<int64_t>(load.offset),
                     load.shape, load.starts, target, stored);
      return;
    }
    auto type = tensor(static_cast<uint8_t>(*elementDType(target.getType().getElementType())), load.shape);
    if (!type)
      return;
    uint64_t bytes = dtypeSize(*elementDType(type.getElementType())), size = file.constants.size();
    for (int64_t dim : load.shape) {
      if (dim != 0 && bytes > size / dim)
        return fail("constant '" + load.name + "' is larger than the file");
      bytes *= dim;
    }
    if (load.offset > size || bytes > size - load.offset)
      return fail("constant '" + load.name + "' lies outside of the file");
    ArrayRef<char> data(reinterpret_cast<const char *>(file.constants.data()) + load.offset, bytes);
    ConstantOp::create(builder, loc, load.name, elementsFromBytes(type, data), load.starts, target);
  }

  template <typename Op> void addSlice(const fb::SliceT &slice, const std::vector<std::unique_ptr<fb::IoT>> &list) {
    if (slice.io >= list.size())
      return fail("a slice of input, output or state " + std::to_string(slice.io));
    Op::create(builder, loc, list[slice.io]->name, slice.starts, toIr(*slice.buffer));
  }

  ArrayAttr buffers(const std::vector<std::unique_ptr<fb::BufferT>> &list) {
    SmallVector<Attribute> attributes;
    for (const auto &buffer : list)
      attributes.push_back(toIr(*buffer));
    return builder.getArrayAttr(attributes);
  }
  template <typename T> DenseI64ArrayAttr integers(const std::vector<T> &list) {
    SmallVector<int64_t> values(list.begin(), list.end());
    return values.empty() ? DenseI64ArrayAttr() : builder.getDenseI64ArrayAttr(values);
  }

  IntegerAttr count(double value) {
    bool isCount = value >= 1 && value < 9.0e18;
    return isCount ? builder.getI64IntegerAttr(static_cast<int64_t>(value)) : IntegerAttr();
  }

  template <typename Entry> void addRecords(const std::vector<std::unique_ptr<fb::RecordT>> &records) {
    OpBuilder::InsertionGuard guard(builder);
    auto entry = Entry::create(builder, loc);
    openBody(entry.getBody());
    for (const auto &record : records) {
      if (record->kernel >= file.kernels.size() || record->lane > fb::Lane_MAX ||
          (record->location != 0 && record->location >= file.locations.size()))
        return fail("a record with kernel " + std::to_string(record->kernel) + ", lane " +
                    std::to_string(record->lane) + ", location " + std::to_string(record->location));
      StringRef location = record->location < file.locations.size() ? file.locations[record->location] : StringRef();
      Location recordLoc = location.empty() ? loc : Location(NameLoc::get(builder.getStringAttr(location)));
      KernelOp::create(builder, recordLoc, builder.getStringAttr(file.kernels[record->kernel]), buffers(record->inputs),
                       buffers(record->outputs), integers(record->ints),
                       record->floats.empty() ? DenseF64ArrayAttr() : builder.getDenseF64ArrayAttr(record->floats),
                       integers(record->group),
                       record->lane ? builder.getStringAttr(StringRef(laneNames[record->lane])) : StringAttr(),
                       integers(record->waits), count(record->flops), count(record->bytes),
                       record->every == 1 ? IntegerAttr() : builder.getI64IntegerAttr(record->every),
                       location.empty() ? StringAttr() : builder.getStringAttr(location));
    }
  }

  const fb::ProgramT &file;
  OpBuilder builder;
  Location loc;
  std::string problem; ///< the first one
};

} // namespace

llvm::Expected<OwningOpRef<ModuleOp>> importProgram(ArrayRef<char> bytes, MLIRContext *context) {
  context->loadDialect<ExecDialect>();
  const auto *data = reinterpret_cast<const uint8_t *>(bytes.data());
  flatbuffers::Verifier verifier(data, bytes.size(), /*max_depth=*/64, /*max_tables=*/100000000);
  if (bytes.size() < 16 || !fb::ProgramBufferHasIdentifier(data) || !fb::VerifyProgramBuffer(verifier))
    return llvm::createStringError("not a program file, or a corrupt one");
  fb::ProgramT file;
  fb::GetProgram(data)->UnPackTo(&file);
  if (file.version != 1)
    return llvm::createStringError("program file of version " + std::to_string(file.version) + ", expected 1");
  return Importer(file, context).run();
}

} // namespace llmpar::exec
