//===- RowGroups.cpp - Which rows of a batch share samples ------------------===//
#include "RowGroups.h"

#include <map>

namespace llmpar::tool {

/// The first row of each replica, and the first rank that holds it.
static std::map<int64_t, uint32_t> replicasOf(const llmpar_rt_program *program, llvm::StringRef name) {
  std::map<int64_t, uint32_t> replicas;
  for (uint32_t rank = 0; rank < llmpar_rt_rank_count(program); ++rank)
    for (size_t i = 0, n = llmpar_rt_part_count(program, LLMPAR_RT_INPUT, rank); i < n; ++i) {
      llmpar_rt_part part;
      llmpar_rt_tensor input;
      llmpar_rt_get_part(program, LLMPAR_RT_INPUT, rank, i, &part);
      llmpar_rt_input(program, part.tensor, &input);
      if (input.name == name && part.bytes > 0)
        replicas.try_emplace(part.starts[0], rank);
    }
  return replicas;
}

llvm::Expected<std::vector<int64_t>> rowGroups(const Session &session, llvm::StringRef input, llvm::StringRef mode,
                                               int64_t rows) {
  if (mode == "random")
    return std::vector<int64_t>{rows};
  if (mode != "uniform" && mode != "hierarchical")
    return llvm::createStringError("--data-sharding '" + mode + "' is unknown: choose random, uniform or hierarchical");
  // Devices of the innermost of several network dimensions are a node.
  const std::optional<Cluster> &cluster = session.cluster();
  uint32_t perNode = llmpar_rt_rank_count(session.program());
  if (cluster && cluster->network.size() > 1)
    perNode = static_cast<uint32_t>(cluster->network.front().size);
  std::vector<int64_t> begins;
  std::optional<uint32_t> node;
  for (auto [begin, rank] : replicasOf(session.program(), input)) {
    if (mode == "uniform" || rank / perNode != node)
      begins.push_back(begin);
    node = rank / perNode;
  }
  std::vector<int64_t> groups;
  for (size_t i = 0; i < begins.size(); ++i)
    groups.push_back((i + 1 < begins.size() ? begins[i + 1] : rows) - begins[i]);
  return groups;
}

} // namespace llmpar::tool
