//===- ProgramFile.cpp - From bytes to a checked Program -------------------===//
//
// Untrusted input. Nothing is read before the FlatBuffers verifier has passed, and
// no count, offset or index is used before it was compared with its bound.
//
//===----------------------------------------------------------------------===//
#include "core/CheckCollectives.h"
#include "core/CheckLanes.h"
#include "core/CheckRecord.h"
#include "core/Program.h"

#include "llmpar/Abi/Program_generated.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace llmpar::rt {
namespace {

constexpr size_t maxOperands = 4096, maxAttributes = 8192, maxRanks = 4096;

template <typename Vector> size_t count(const Vector *vector) { return vector ? vector->size() : 0; }
/// Element `i`. The verifier does not check the alignment of elements, so no direct load.
template <typename T> T scalar(const flatbuffers::Vector<T> *vector, size_t i) {
  T value;
  std::memcpy(&value, vector->Data() + i * sizeof(T), sizeof(T));
  return value;
}
std::string text(const flatbuffers::String *string) { return string ? string->str() : std::string(); }
std::string_view view(const flatbuffers::String *string) {
  return string ? std::string_view(string->c_str(), string->size()) : std::string_view();
}

/// Thrown inside the decoder only; `Program::fromBytes` turns it into a Status.
struct Malformed {
  std::string message;
};
[[noreturn]] void fail(std::string message) { throw Malformed{std::move(message)}; }

int64_t elementCount(const std::vector<int64_t> &shape, const std::string &what) {
  uint64_t product = 1;
  bool empty = false;
  for (int64_t dim : shape) {
    if (dim < 0)
      fail(what + ": negative extent " + std::to_string(dim));
    empty |= dim == 0;
    if (dim != 0 && product > maxElements / static_cast<uint64_t>(dim))
      fail(what + ": the shape has more than 2^46 elements");
    product *= dim == 0 ? 1 : static_cast<uint64_t>(dim);
  }
  return empty ? 0 : static_cast<int64_t>(product);
}

std::vector<int64_t> decodeShape(const flatbuffers::Vector<int64_t> *shape, const std::string &what) {
  if (count(shape) > static_cast<size_t>(maxRank))
    fail(what + ": rank " + std::to_string(shape->size()) + " is above " + std::to_string(maxRank));
  std::vector<int64_t> dims;
  for (size_t i = 0; i < count(shape); ++i)
    dims.push_back(scalar(shape, i));
  elementCount(dims, what);
  return dims;
}

DType decodeDType(uint8_t dtype, const std::string &what) {
  if (dtype >= dtypeCount)
    fail(what + ": unknown element type " + std::to_string(dtype));
  return static_cast<DType>(dtype);
}

/// Throws unless [starts, starts + box) lies inside `shape`.
void checkBox(std::span<const int64_t> shape, const std::vector<int64_t> &starts, std::span<const int64_t> box,
              const std::string &what) {
  if (starts.size() != shape.size() || box.size() != shape.size())
    fail(what + ": a box of rank " + std::to_string(box.size()) + " with " + std::to_string(starts.size()) +
         " starts in a tensor of rank " + std::to_string(shape.size()));
  for (size_t d = 0; d < shape.size(); ++d)
    if (starts[d] < 0 || starts[d] > shape[d] || box[d] > shape[d] - starts[d])
      fail(what + ": dimension " + std::to_string(d) + ": [" + std::to_string(starts[d]) + ", +" +
           std::to_string(box[d]) + ") is outside of extent " + std::to_string(shape[d]));
}

} // namespace

/// Fills a Program from a verified root table.
class ProgramDecoder {
public:
  ProgramDecoder(const fb::Program &root, Program &program) : root(root), program(program) {}

  void decode() {
    if (root.version() != 1)
      fail("version " + std::to_string(root.version()) + ", this runtime reads version 1: compile the model again");
    program.compiler = text(root.compiler());
    program.model = text(root.model());
    program.layout = text(root.layout());
    if (root.constants())
      program.constants = {reinterpret_cast<const std::byte *>(root.constants()->data()), root.constants()->size()};
    decodeMeshAndKernels();
    for (size_t i = 0; i < count(root.files()); ++i)
      program.files.push_back({text(root.files()->Get(index(i))->path()), root.files()->Get(index(i))->size()});
    decodeIo(root.inputs(), "input", program.inputs);
    decodeIo(root.outputs(), "output", program.outputs);
    decodeIo(root.states(), "state", program.states);
    program.ranks.resize(count(root.ranks()));
    for (size_t r = 0; r < program.ranks.size(); ++r)
      decodeRank(*root.ranks()->Get(index(r)), r, program.ranks[r]);
    for (Entry entry : {Entry::Init, Entry::Main})
      if (Status status = checkCollectivesMeet(program, entry); !status.ok())
        fail(status.message());
  }

private:
  static flatbuffers::uoffset_t index(size_t i) { return static_cast<flatbuffers::uoffset_t>(i); }

  void decodeMeshAndKernels() {
    uint64_t size = 1;
    for (size_t i = 0; i < count(root.mesh()); ++i) {
      const fb::Axis &axis = *root.mesh()->Get(index(i));
      if (axis.size() == 0 || axis.size() > maxRanks || (size *= axis.size()) > maxRanks)
        fail("mesh axis '" + text(axis.name()) + "' has size " + std::to_string(axis.size()) +
             "; a mesh has 1 to 4096 ranks");
      program.mesh.push_back({text(axis.name()), axis.size()});
    }
    size_t ranks = count(root.ranks());
    if (ranks == 0 || ranks > maxRanks)
      fail(std::to_string(ranks) + " ranks; a program has 1 to 4096");
    if (size != ranks && count(root.mesh()) != 0)
      fail("the mesh has " + std::to_string(size) + " ranks, the program " + std::to_string(ranks));
    for (size_t i = 0; i < count(root.kernels()); ++i) {
      KernelId id;
      if (!parseKernelId(view(root.kernels()->Get(index(i))), id))
        fail("needs kernel '" + text(root.kernels()->Get(index(i))) + "', which this runtime does not have");
      kernels.push_back(id);
    }
  }

  void decodeIo(const flatbuffers::Vector<flatbuffers::Offset<fb::Io>> *list, const char *kind,
                std::vector<IoDef> &out) {
    for (size_t i = 0; i < count(list); ++i) {
      const fb::Io &io = *list->Get(index(i));
      std::string what = std::string(kind) + " '" + text(io.name()) + "'";
      IoDef def{text(io.name()), decodeDType(io.dtype(), what), decodeShape(io.shape(), what), 0};
      def.bytes = static_cast<size_t>(elementCount(def.shape, what)) * dtypeSize(def.dtype);
      out.push_back(std::move(def));
    }
  }

  BufferRef decodeBuffer(const fb::Buffer &buffer, const RankDef &rank, const std::string &what) {
    if (buffer.arena() >= arenaCount)
      fail(what + ": unknown arena " + std::to_string(buffer.arena()));
    BufferRef ref;
    ref.arena = static_cast<ArenaId>(buffer.arena());
    ref.offset = buffer.offset();
    ref.view.dtype = decodeDType(buffer.dtype(), what);
    std::vector<int64_t> shape = decodeShape(buffer.shape(), what);
    ref.view.rank = static_cast<int>(shape.size());
    std::copy(shape.begin(), shape.end(), ref.view.dims.begin());
    uint64_t bytes = static_cast<uint64_t>(elementCount(shape, what)) * dtypeSize(ref.view.dtype);
    uint64_t capacity = rank.arenaBytes[static_cast<size_t>(ref.arena)];
    if (ref.offset > capacity || bytes > capacity - ref.offset)
      fail(what + ": " + describeShape(ref.view.dtype, shape) + " (" + std::to_string(bytes) + " bytes) at offset " +
           std::to_string(ref.offset) + " does not lie in arena " + std::string(arenaName(ref.arena)) + " of " +
           std::to_string(capacity) + " bytes");
    if (ref.offset % dtypeSize(ref.view.dtype) != 0)
      fail(what + ": offset " + std::to_string(ref.offset) + " is not aligned to its element type");
    return ref;
  }

  void decodeRank(const fb::Rank &source, size_t rankIndex, RankDef &rank) {
    std::string what = "rank " + std::to_string(rankIndex);
    if (count(source.arenas()) > arenaCount)
      fail(what + ": " + std::to_string(source.arenas()->size()) + " arenas, at most 3 exist");
    for (size_t i = 0; i < count(source.arenas()); ++i) {
      rank.arenaBytes[i] = scalar(source.arenas(), i);
      if (rank.arenaBytes[i] > (uint64_t(1) << 50))
        fail(what + ": arena of " + std::to_string(rank.arenaBytes[i]) + " bytes");
    }
    for (size_t i = 0; i < count(source.loads()); ++i)
      rank.loads.push_back(decodeLoad(*source.loads()->Get(index(i)), rank, what));
    decodeRecords(source.init(), Entry::Init, rankIndex, rank, rank.init);
    decodeRecords(source.main(), Entry::Main, rankIndex, rank, rank.main);
    bool initOverlaps = false; // of no use: init runs once, in file order
    for (const Status &status : {checkLanes(rankIndex, Entry::Init, rank.init, initOverlaps),
                                 checkLanes(rankIndex, Entry::Main, rank.main, rank.mainOverlaps)})
      if (!status.ok())
        fail(status.message());
    decodeSlices(source.inputs(), program.inputs, rank, what + ", input slice ", rank.inputs);
    decodeSlices(source.outputs(), program.outputs, rank, what + ", output slice ", rank.outputs);
    decodeSlices(source.states(), program.states, rank, what + ", state slice ", rank.states);
  }

  LoadDef decodeLoad(const fb::Load &source, const RankDef &rank, std::string what) {
    LoadDef load;
    load.name = view(source.name());
    what += ", load of '" + std::string(load.name) + "'";
    load.file = source.file();
    load.offset = source.offset();
    load.shape = decodeShape(source.shape(), what);
    load.target = decodeBuffer(*source.target(), rank, what);
    if (count(source.starts()) > static_cast<size_t>(maxRank))
      fail(what + ": too many starts");
    for (size_t i = 0; i < count(source.starts()); ++i)
      load.starts.push_back(scalar(source.starts(), i));
    checkBox(load.shape, load.starts, load.target.view.shape(), what);
    if (load.file < -1 || load.file >= static_cast<int64_t>(program.files.size()))
      fail(what + ": file " + std::to_string(load.file) + " of " + std::to_string(program.files.size()));
    DType target = load.target.view.dtype;
    load.stored = source.stored() == 255 ? target : decodeDType(source.stored(), what);
    bool isWidened = target == DType::F32 && (load.stored == DType::F16 || load.stored == DType::BF16);
    if (load.stored != target && !isWidened)
      fail(what + ": elements of type " + std::string(dtypeName(load.stored)) + " for a target of type " +
           std::string(dtypeName(target)) + ": only f16 and bf16 are converted, to f32");
    uint64_t bytes = static_cast<uint64_t>(elementCount(load.shape, what)) * dtypeSize(load.stored);
    uint64_t capacity = uint64_t(1) << 60; // of a file of unknown size; it is compared when it is opened
    if (load.file < 0)
      capacity = program.constants.size();
    else if (uint64_t size = program.files[static_cast<size_t>(load.file)].size)
      capacity = size;
    if (load.offset > capacity || bytes > capacity - load.offset)
      fail(what + ": " + std::to_string(bytes) + " bytes at offset " + std::to_string(load.offset) + " exceed " +
           (load.file < 0 ? "the constants" : "file '" + program.files[static_cast<size_t>(load.file)].path + "'") +
           " of " + std::to_string(capacity) + " bytes");
    return load;
  }

  void decodeSlices(const flatbuffers::Vector<flatbuffers::Offset<fb::Slice>> *list, const std::vector<IoDef> &ios,
                    const RankDef &rank, const std::string &prefix, std::vector<SliceDef> &out) {
    for (size_t i = 0; i < count(list); ++i) {
      const fb::Slice &source = *list->Get(index(i));
      std::string what = prefix + std::to_string(i);
      SliceDef slice;
      slice.io = source.io();
      if (slice.io >= ios.size())
        fail(what + ": index " + std::to_string(slice.io) + " of " + std::to_string(ios.size()));
      slice.buffer = decodeBuffer(*source.buffer(), rank, what);
      if (count(source.starts()) > static_cast<size_t>(maxRank))
        fail(what + ": too many starts");
      for (size_t d = 0; d < count(source.starts()); ++d)
        slice.starts.push_back(scalar(source.starts(), d));
      if (slice.buffer.view.dtype != ios[slice.io].dtype)
        fail(what + ": type " + std::string(dtypeName(slice.buffer.view.dtype)) + ", '" + ios[slice.io].name +
             "' has " + std::string(dtypeName(ios[slice.io].dtype)));
      checkBox(ios[slice.io].shape, slice.starts, slice.buffer.view.shape(), what + " of '" + ios[slice.io].name + "'");
      out.push_back(std::move(slice));
    }
  }

  static bool isInPlace(const RecordDef &record) {
    if (record.inputs.size() != 1 || record.outputs.size() != 1)
      return false;
    const BufferRef &x = record.inputs[0], &y = record.outputs[0];
    return x.arena == y.arena && x.offset == y.offset && x.view.bytes() == y.view.bytes();
  }

  void decodeRecords(const flatbuffers::Vector<flatbuffers::Offset<fb::Record>> *list, Entry entry, size_t rankIndex,
                     const RankDef &rank, std::vector<RecordDef> &out) {
    out.reserve(count(list));
    for (size_t i = 0; i < count(list); ++i) {
      const fb::Record &source = *list->Get(index(i));
      RecordDef record;
      auto where = [&] { return describeRecord(rankIndex, entry, i, record); };
      if (source.kernel() >= kernels.size())
        fail("rank " + std::to_string(rankIndex) + ", record " + std::to_string(i) + ": kernel " +
             std::to_string(source.kernel()) + " of " + std::to_string(kernels.size()));
      record.kernel = kernels[source.kernel()];
      if (source.location() < count(root.locations()))
        record.location = view(root.locations()->Get(source.location()));
      else if (source.location() != 0)
        fail(where() + ": location " + std::to_string(source.location()) + " of " +
             std::to_string(count(root.locations())));
      if (count(source.inputs()) > maxOperands || count(source.outputs()) > maxOperands ||
          count(source.ints()) > maxAttributes || count(source.floats()) > maxAttributes ||
          count(source.group()) > program.ranks.size() || count(source.waits()) > maxAttributes)
        fail(where() + ": too many operands, attributes, members or waits");
      for (size_t k = 0; k < count(source.inputs()); ++k)
        record.inputs.push_back(
            decodeBuffer(*source.inputs()->Get(index(k)), rank, where() + ": input " + std::to_string(k)));
      for (size_t k = 0; k < count(source.outputs()); ++k)
        record.outputs.push_back(
            decodeBuffer(*source.outputs()->Get(index(k)), rank, where() + ": output " + std::to_string(k)));
      for (size_t k = 0; k < count(source.ints()); ++k)
        record.ints.push_back(scalar(source.ints(), k));
      for (size_t k = 0; k < count(source.floats()); ++k)
        record.floats.push_back(scalar(source.floats(), k));
      for (size_t k = 0; k < count(source.group()); ++k)
        record.group.push_back(scalar(source.group(), k));
      for (size_t k = 0; k < count(source.waits()); ++k)
        if (record.waits.push_back(scalar(source.waits(), k)); record.waits.back() >= i)
          fail(where() + ": waits for record " + std::to_string(record.waits.back()) + ", which is not earlier");
      if (source.lane() > fb::Lane_MAX)
        fail(where() + ": unknown lane " + std::to_string(source.lane()));
      record.lane = static_cast<Lane>(source.lane());
      record.flops = source.flops();
      record.bytes = source.bytes();
      record.every = source.every();
      if (record.every == 0 || (record.every > 1 && !(entry == Entry::Main && isInPlace(record))))
        fail(where() + ": runs every " + std::to_string(record.every) + " steps, but is not of main and in place");
      if (Status status = checkRecord(record, rankIndex, program.ranks.size()); !status.ok())
        fail(where() + ": " + status.message());
      out.push_back(std::move(record));
    }
  }

  const fb::Program &root;
  Program &program;
  std::vector<KernelId> kernels;

public:
  static Status read(std::shared_ptr<const void> storage, const void *data, size_t size, const std::string &path,
                     std::shared_ptr<const Program> &out) {
    if (size < 16)
      return Status::invalid(path + ": not a program file: only " + std::to_string(size) + " bytes");
    if (size >= FLATBUFFERS_MAX_BUFFER_SIZE)
      return Status::invalid(path + ": not a program file: above 2 GiB");
    const auto *bytes = static_cast<const uint8_t *>(data);
    if (!fb::ProgramBufferHasIdentifier(bytes))
      return Status::invalid(path + ": not a program file: no 'LLMP' identifier");
    // A table takes at least four bytes, so that a file of shared subtables cannot cost exponential time.
    flatbuffers::Verifier verifier(bytes, size, 64, static_cast<flatbuffers::uoffset_t>(size / 4 + 1));
    if (!fb::VerifyProgramBuffer(verifier))
      return Status::invalid(path + ": corrupt program file: the FlatBuffers structure is damaged or truncated");
    auto program = std::make_shared<Program>();
    program->path = path;
    program->storage = std::move(storage);
    try {
      ProgramDecoder(*fb::GetProgram(bytes), *program).decode();
    } catch (const Malformed &malformed) {
      return Status::invalid(path + ": invalid program: " + malformed.message);
    } catch (const std::bad_alloc &) {
      return Status::doesNotFit(path + ": no memory to decode the program");
    }
    out = std::move(program);
    return Status::success();
  }
};

Status Program::open(const std::string &path, std::shared_ptr<const Program> &program) {
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return Status::invalid("cannot open program '" + path + "': " + std::strerror(errno));
  struct stat info{};
  if (::fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) {
    ::close(file);
    return Status::invalid(path + ": not a program file: not a regular, non-empty file");
  }
  size_t size = static_cast<size_t>(info.st_size);
  void *data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  ::close(file);
  if (data == MAP_FAILED)
    return Status::invalid("cannot map program '" + path + "': " + std::strerror(errno));
  std::shared_ptr<const void> storage(data, [size](const void *p) { ::munmap(const_cast<void *>(p), size); });
  return ProgramDecoder::read(std::move(storage), data, size, path, program);
}

Status Program::fromBytes(std::span<const std::byte> bytes, const std::string &name,
                          std::shared_ptr<const Program> &program) {
  // FlatBuffers wants its natural alignment; a vector of u64 gives it.
  auto copy = std::make_shared<std::vector<uint64_t>>((bytes.size() + 7) / 8 + 1);
  if (!bytes.empty())
    std::memcpy(copy->data(), bytes.data(), bytes.size());
  const void *data = copy->data();
  return ProgramDecoder::read(std::move(copy), data, bytes.size(), name, program);
}

} // namespace llmpar::rt
