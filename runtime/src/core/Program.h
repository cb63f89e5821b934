//===- Program.h - A program file, decoded and checked ----------*- C++ -*-===//
//
// `Program::open` is the one door for program files. It maps the file, verifies
// its FlatBuffers structure and decodes it into the plain structs below; on the
// way everything a rank will ever touch is checked, so that execution needs no
// check of its own:
//
//   * every buffer lies inside its arena, aligned to its element type;
//   * every record has the operands, attributes, shapes and types of its kernel;
//   * every load lies inside its file or the constants, every slice inside its input;
//   * the collectives of all ranks meet: no program that passed can hang;
//   * records that may run at the same time do not touch the same bytes.
//
//   std::shared_ptr<const Program> program;
//   if (Status status = Program::open("model.llmpar", program); !status.ok()) return status;
//   for (const RecordDef &record : program->ranks[0].main) ...
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_PROGRAM_H
#define LLMPAR_RUNTIME_CORE_PROGRAM_H

#include "core/Kernel.h"
#include "llmpar/Abi/Lanes.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace llmpar::rt {

enum class ArenaId : uint8_t { Weights, Activations, Staging };
inline constexpr int arenaCount = 3;
std::string_view arenaName(ArenaId arena);

/// A tensor at byte `offset` of an arena. `view.data` stays null until an instance binds it.
struct BufferRef {
  ArenaId arena = ArenaId::Activations;
  uint64_t offset = 0;
  TensorView view;
};

enum class Entry : uint8_t { Init, Main };

struct RecordDef {
  KernelId kernel = KernelId::copy;
  std::vector<BufferRef> inputs, outputs;
  std::vector<int64_t> ints;
  std::vector<double> floats;
  std::vector<uint32_t> group; ///< collectives only
  Lane lane = Lane::Compute;
  std::vector<uint32_t> waits; ///< indices of earlier records of the entry that must have ended
  std::string_view location;   ///< where in the model it comes from; empty if unknown
  double flops = 0, bytes = 0; ///< the compiler's prediction
  uint32_t every = 1;          ///< runs in steps every, 2 every, ... of the instance; in place if not in all
};

/// Box [starts, starts + target.shape) of the row-major `shape` at byte `offset` of `file`.
struct LoadDef {
  std::string_view name;
  int file = -1; ///< index into Program::files; -1: Program::constants
  uint64_t offset = 0;
  std::vector<int64_t> shape, starts;
  BufferRef target;
  DType stored = DType::F32; ///< the element type there: the target's, or f16 or bf16 for one of f32
};

/// Box [starts, starts + buffer.shape) of a global input, output or state.
struct SliceDef {
  uint32_t io = 0;
  std::vector<int64_t> starts;
  BufferRef buffer;
};

struct RankDef {
  std::array<uint64_t, arenaCount> arenaBytes{};
  std::vector<LoadDef> loads;
  std::vector<RecordDef> init, main;
  bool mainOverlaps = false; ///< some records of main may run at the same time
  std::vector<SliceDef> inputs, outputs, states;
};

/// A global (unsharded) input, output or state.
struct IoDef {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  size_t bytes = 0;
};

struct MeshAxis {
  std::string name;
  uint32_t size = 0;
};

struct WeightFile {
  std::string path;  ///< relative to the model's folder, or absolute
  uint64_t size = 0; ///< bytes it must have; 0: it was not there when the model was compiled
};

struct Program {
  std::string path; ///< for messages
  std::string compiler, model, layout;
  std::vector<MeshAxis> mesh;
  std::vector<WeightFile> files;
  std::span<const std::byte> constants;
  std::vector<IoDef> inputs, outputs;
  std::vector<IoDef> states; ///< every step reads them and gives them new values, in place
  std::vector<RankDef> ranks;

  /// Maps and checks the file. Fails with Code::Invalid and one message that names the
  /// file, the record and the offending values.
  static Status open(const std::string &path, std::shared_ptr<const Program> &program);

  /// The same for a file that is already in memory; `bytes` is copied.
  static Status fromBytes(std::span<const std::byte> bytes, const std::string &name,
                          std::shared_ptr<const Program> &program);

private:
  std::shared_ptr<const void> storage; ///< keeps what string views and `constants` point to
  friend class ProgramDecoder;
};

/// "rank 1, main record 12 (matmul at 'layer0/q')": the prefix of every message about a record.
std::string describeRecord(size_t rank, Entry entry, size_t index, const RecordDef &record);

/// "4x8xf32".
std::string describeShape(DType dtype, std::span<const int64_t> shape);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_PROGRAM_H
