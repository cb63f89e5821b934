//===- Program.cpp - Names of the parts of a program, for messages ---------===//
#include "core/Program.h"

namespace llmpar::rt {

std::string_view arenaName(ArenaId arena) {
  static constexpr std::string_view names[arenaCount] = {"weights", "activations", "staging"};
  return names[static_cast<size_t>(arena)];
}

std::string describeRecord(size_t rank, Entry entry, size_t index, const RecordDef &record) {
  std::string text = "rank " + std::to_string(rank) + (entry == Entry::Init ? ", init record " : ", main record ") +
                     std::to_string(index) + " (" + std::string(kernelName(record.kernel));
  if (!record.location.empty())
    text += " at '" + std::string(record.location) + "'";
  return text + ")";
}

std::string describeShape(DType dtype, std::span<const int64_t> shape) {
  std::string text;
  for (int64_t dim : shape)
    text += std::to_string(dim) + "x";
  return text + std::string(dtypeName(dtype));
}

} // namespace llmpar::rt
