//===- Checkpoint.h - What a training run can go on from --------*- C++ -*-===//
//
//   DIR/latest                      "iter_0000040": the newest whole checkpoint
//   DIR/iter_0000040/manifest.json  step, data, model, states, and a checksum of every file and of itself
//                    rank_000.safetensors   the parts of the states that rank 0 holds, and no earlier rank does
//                    rank_001.safetensors   ...
//
// A checkpoint is written to a folder `iter_0000040.tmp`, which is renamed when all files and folders are on the disk;
// then `latest` is replaced. Whenever the process or the machine dies, what `latest` names is whole. A folder that is
// in the way is exchanged, and deleted afterwards.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_DATA_CHECKPOINT_H
#define LLMPAR_DATA_CHECKPOINT_H

#include "llmpar/Data/Safetensors.h"
#include "llvm/Support/JSON.h"

namespace llmpar {

/// Box [starts, starts + shape) of a state.
struct StatePart {
  size_t state = 0; ///< index into Manifest::states
  std::vector<int64_t> starts, shape;
  bool operator==(const StatePart &) const = default;
  auto operator<=>(const StatePart &) const = default;
};

struct Manifest {
  int64_t step = 0;
  llvm::json::Object data{}; ///< which data, in which order, how far: the trainer's
  std::string model{}, mesh{}, layout{};
  std::vector<NamedType> states{};
  struct File {
    std::string name;
    uint64_t bytes = 0, checksum = 0; ///< xxh3
    std::vector<StatePart> parts;     ///< see partName
  };
  std::vector<File> files{};
};

/// The name of the `index`-th part of a file: that of its state, with `@starts` behind it if an earlier part has that.
std::string partName(llvm::ArrayRef<NamedType> states, llvm::ArrayRef<StatePart> parts, size_t index);

/// JSON text with a checksum of the rest, and back. Errors: another format or version, a wrong checksum.
std::string writeManifest(const Manifest &manifest);
llvm::Expected<Manifest> readManifest(llvm::StringRef text);

/// Parts of the states that each rank holds, without those that an earlier rank holds too.
std::vector<std::vector<StatePart>> withoutReplicas(std::vector<std::vector<StatePart>> partsOfRanks);

/// Writes a checkpoint below `root`, which is made if needed, and returns its folder. `manifest.files` is filled from
/// `partsOfRanks`; `read(rank, part, bytes)` gives the data of a part.
llvm::Expected<std::string>
writeCheckpoint(llvm::StringRef root, Manifest manifest, llvm::ArrayRef<std::vector<StatePart>> partsOfRanks,
                llvm::function_ref<llvm::Error(size_t rank, const StatePart &, llvm::MutableArrayRef<char>)> read);

/// Deletes all but the `keep` checkpoints of the highest steps, and what a crash left.
llvm::Error pruneCheckpoints(llvm::StringRef root, size_t keep);

/// Whether there is a checkpoint below `root`.
bool hasCheckpoints(llvm::StringRef root);

class Checkpoint {
public:
  /// Opens the newest checkpoint below `path`, or the one that `path` is, and verifies every checksum. The error for a
  /// damaged one names the newest that is whole.
  static llvm::Expected<Checkpoint> open(llvm::StringRef path);

  const Manifest &manifest() const { return manifest_; }
  const std::string &folder() const { return folder_; }
  /// Assembles a whole state from the parts; `bytes` has its size.
  void read(size_t state, llvm::MutableArrayRef<char> bytes) const;

private:
  std::string folder_;
  Manifest manifest_;
  std::vector<SafetensorsFile> files; ///< as Manifest::files

  static llvm::Expected<Checkpoint> openFolder(llvm::StringRef folder);
};

} // namespace llmpar

#endif // LLMPAR_DATA_CHECKPOINT_H
