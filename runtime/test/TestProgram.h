//===- TestProgram.h - Builds small program files for tests -----*- C++ -*-===//
//
//   TestProgram p(2);                                // ranks
//   p.input("x", DType::F32, {2, 4});
//   auto x = p.buffer(fb::Arena_Activations, 0, DType::F32, {2, 2});
//   p.record(0, KernelId::copy, {x}, {y});
//   std::shared_ptr<const Program> program;
//   Status status = p.open(program);
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_TEST_TESTPROGRAM_H
#define LLMPAR_RUNTIME_TEST_TESTPROGRAM_H

#include "core/Program.h"
#include "llmpar/Abi/Program_generated.h"

#include <cstring>
#include <memory>

namespace llmpar::rt::test {

using Shape = std::vector<int64_t>;

class TestProgram {
public:
  fb::ProgramT table;

  explicit TestProgram(uint32_t ranks, std::vector<uint64_t> arenaBytes = {4096, 4096, 4096}) {
    for (uint32_t r = 0; r < ranks; ++r) {
      table.ranks.push_back(std::make_unique<fb::RankT>());
      table.ranks.back()->arenas = arenaBytes;
    }
    auto axis = std::make_unique<fb::AxisT>();
    axis->name = "tp";
    axis->size = ranks;
    table.mesh.push_back(std::move(axis));
    table.locations = {"", "layer0"};
#define LLMPAR_KERNEL(name, inputs, outputs, ints, floats) table.kernels.push_back(#name);
#include "llmpar/Abi/Kernels.def"
  }

  static fb::BufferT buffer(fb::Arena arena, uint64_t offset, DType dtype, Shape shape) {
    fb::BufferT buffer;
    buffer.arena = arena;
    buffer.offset = offset;
    buffer.dtype = static_cast<uint8_t>(dtype);
    buffer.shape = std::move(shape);
    return buffer;
  }

  void input(const char *name, DType dtype, Shape shape) { table.inputs.push_back(io(name, dtype, std::move(shape))); }
  void output(const char *name, DType dtype, Shape shape) {
    table.outputs.push_back(io(name, dtype, std::move(shape)));
  }

  void state(const char *name, DType dtype, Shape shape) { table.states.push_back(io(name, dtype, std::move(shape))); }

  /// Appends to `main`; change the result for anything unusual.
  fb::RecordT &record(uint32_t rank, KernelId kernel, std::vector<fb::BufferT> inputs, std::vector<fb::BufferT> outputs,
                      std::vector<int64_t> ints = {}, std::vector<uint32_t> group = {}) {
    table.ranks[rank]->main.push_back(
        makeRecord(kernel, std::move(inputs), std::move(outputs), std::move(ints), std::move(group)));
    return *table.ranks[rank]->main.back();
  }
  fb::RecordT &init(uint32_t rank, KernelId kernel, std::vector<fb::BufferT> inputs, std::vector<fb::BufferT> outputs,
                    std::vector<int64_t> ints = {}, std::vector<uint32_t> group = {}) {
    table.ranks[rank]->init.push_back(
        makeRecord(kernel, std::move(inputs), std::move(outputs), std::move(ints), std::move(group)));
    return *table.ranks[rank]->init.back();
  }

  void inputSlice(uint32_t rank, uint32_t io, Shape starts, const fb::BufferT &buffer) {
    table.ranks[rank]->inputs.push_back(slice(io, std::move(starts), buffer));
  }
  void outputSlice(uint32_t rank, uint32_t io, Shape starts, const fb::BufferT &buffer) {
    table.ranks[rank]->outputs.push_back(slice(io, std::move(starts), buffer));
  }
  void stateSlice(uint32_t rank, uint32_t io, Shape starts, const fb::BufferT &buffer) {
    table.ranks[rank]->states.push_back(slice(io, std::move(starts), buffer));
  }

  void load(uint32_t rank, int file, uint64_t offset, Shape shape, Shape starts, const fb::BufferT &target,
            uint8_t stored = 255) {
    auto load = std::make_unique<fb::LoadT>();
    load->name = "w";
    load->file = file;
    load->offset = offset;
    load->shape = std::move(shape);
    load->starts = std::move(starts);
    load->target = std::make_unique<fb::BufferT>(target);
    load->stored = stored;
    table.ranks[rank]->loads.push_back(std::move(load));
  }

  void file(std::string path, uint64_t size) {
    auto file = std::make_unique<fb::FileT>();
    file->path = std::move(path);
    file->size = size;
    table.files.push_back(std::move(file));
  }

  template <typename T> void constants(const std::vector<T> &values) {
    table.constants.resize(values.size() * sizeof(T));
    std::memcpy(table.constants.data(), values.data(), table.constants.size());
  }

  std::vector<std::byte> bytes() const {
    flatbuffers::FlatBufferBuilder builder;
    fb::FinishProgramBuffer(builder, fb::Program::Pack(builder, &table));
    const auto *data = reinterpret_cast<const std::byte *>(builder.GetBufferPointer());
    return {data, data + builder.GetSize()};
  }

  Status open(std::shared_ptr<const Program> &program) const { return Program::fromBytes(bytes(), "test", program); }

private:
  static std::unique_ptr<fb::IoT> io(const char *name, DType dtype, Shape shape) {
    auto io = std::make_unique<fb::IoT>();
    io->name = name;
    io->dtype = static_cast<uint8_t>(dtype);
    io->shape = std::move(shape);
    return io;
  }
  static std::unique_ptr<fb::SliceT> slice(uint32_t io, Shape starts, const fb::BufferT &buffer) {
    auto slice = std::make_unique<fb::SliceT>();
    slice->io = io;
    slice->starts = std::move(starts);
    slice->buffer = std::make_unique<fb::BufferT>(buffer);
    return slice;
  }
  static std::unique_ptr<fb::RecordT> makeRecord(KernelId kernel, std::vector<fb::BufferT> inputs,
                                                 std::vector<fb::BufferT> outputs, std::vector<int64_t> ints,
                                                 std::vector<uint32_t> group) {
    auto record = std::make_unique<fb::RecordT>();
    record->kernel = static_cast<uint16_t>(kernel);
    for (fb::BufferT &b : inputs)
      record->inputs.push_back(std::make_unique<fb::BufferT>(std::move(b)));
    for (fb::BufferT &b : outputs)
      record->outputs.push_back(std::make_unique<fb::BufferT>(std::move(b)));
    record->ints = std::move(ints);
    record->group = std::move(group);
    record->location = 1;
    return record;
  }
};

} // namespace llmpar::rt::test

#endif // LLMPAR_RUNTIME_TEST_TESTPROGRAM_H
