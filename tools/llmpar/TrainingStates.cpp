//===- TrainingStates.cpp - Weights and optimizer states of a session -------===//
#include "TrainingStates.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>
#include <map>

namespace llmpar::tool {

static llvm::Error runtimeError() { return llvm::createStringError(llmpar_rt_last_error()); }

TrainingStates::TrainingStates(const Session &session) : session(session) {
  for (size_t i = 0, n = llmpar_rt_state_count(session.program()); i < n; ++i) {
    llmpar_rt_tensor info;
    llmpar_rt_state(session.program(), i, &info);
    states.push_back({info.name, static_cast<DType>(info.dtype_code), {info.shape, info.shape + info.rank}});
  }
}

llvm::Expected<std::string> TrainingStates::save(llvm::StringRef root, Manifest manifest, size_t keep) const {
  const llmpar_rt_program *program = session.program();
  std::vector<std::vector<StatePart>> parts(llmpar_rt_rank_count(program));
  std::vector<std::map<StatePart, size_t>> indices(parts.size());
  for (uint32_t rank = 0; rank < parts.size(); ++rank)
    for (size_t i = 0, n = llmpar_rt_part_count(program, LLMPAR_RT_STATE, rank); i < n; ++i) {
      llmpar_rt_part part;
      llmpar_rt_get_part(program, LLMPAR_RT_STATE, rank, i, &part);
      parts[rank].push_back(
          {part.tensor, {part.starts, part.starts + part.rank}, {part.shape, part.shape + part.rank}});
      indices[rank][parts[rank].back()] = i;
    }
  for (size_t i = 0, n = llmpar_rt_mesh_axis_count(program); i < n; ++i) {
    const char *name = nullptr;
    uint32_t size = 0;
    llmpar_rt_mesh_axis(program, i, &name, &size);
    manifest.mesh += (i ? "," : "") + std::string(name) + "=" + std::to_string(size);
  }
  manifest.model = llmpar_rt_program_model(program);
  manifest.layout = llmpar_rt_program_layout(program);
  manifest.states = states;
  auto read = [&](size_t rank, const StatePart &part, llvm::MutableArrayRef<char> bytes) -> llvm::Error {
    if (llmpar_rt_read_state_part(session.instance(), static_cast<uint32_t>(rank), indices[rank].at(part),
                                  bytes.data()))
      return runtimeError();
    return llvm::Error::success();
  };
  llvm::Expected<std::string> folder =
      writeCheckpoint(root, std::move(manifest), withoutReplicas(std::move(parts)), read);
  if (folder && keep > 0)
    if (llvm::Error error = pruneCheckpoints(root, keep))
      return error;
  return folder;
}

llvm::Error TrainingStates::load(const Checkpoint &checkpoint) const {
  const std::vector<NamedType> &saved = checkpoint.manifest().states;
  auto fail = [&](const std::string &why) {
    return llvm::createStringError(checkpoint.folder() + ": " + why +
                                   ": --load needs the model, --optimizer and --freeze of the run that saved it");
  };
  std::map<std::string, size_t> indices;
  for (auto [index, state] : llvm::enumerate(saved))
    indices[state.name] = index;
  for (const NamedType &state : states) {
    auto found = indices.find(state.name);
    if (found == indices.end())
      return fail("has no state '" + state.name + "'");
    if (saved[found->second] != state)
      return fail("state '" + state.name + "' is " + describeType(saved[found->second]) + " there, and " +
                  describeType(state) + " here");
    indices.erase(found);
  }
  if (!indices.empty())
    return fail("has a state '" + indices.begin()->first + "', which this run does not");
  return copyFrom(saved, [&](size_t index, llvm::MutableArrayRef<char> bytes) {
    checkpoint.read(index, bytes);
    return llvm::Error::success();
  });
}

llvm::Error TrainingStates::copyFrom(llvm::ArrayRef<NamedType> others,
                                     llvm::function_ref<llvm::Error(size_t, llvm::MutableArrayRef<char>)> read) const {
  std::vector<char> bytes; // one at a time: none needs the memory of all
  bool isAny = false;
  for (auto [index, state] : llvm::enumerate(states)) {
    const auto *other =
        llvm::find_if(others, [&, name = state.name](const NamedType &type) { return type.name == name; });
    if (other == others.end())
      continue;
    if (*other != state)
      return llvm::createStringError("'" + state.name + "' is " + describeType(*other) + " there, and " +
                                     describeType(state) + " here");
    bytes.resize(static_cast<size_t>(state.bytes()));
    llvm::Error error = read(static_cast<size_t>(other - others.begin()), bytes);
    if (!error)
      error = write(index, bytes);
    if (error)
      return error;
    isAny = true;
  }
  return isAny ? llvm::Error::success() : llvm::createStringError("has no weight of this model");
}

llvm::Error TrainingStates::read(size_t index, llvm::MutableArrayRef<char> bytes) const {
  std::vector<void *> arrays(states.size());
  arrays[index] = bytes.data();
  return llmpar_rt_read_states(session.instance(), arrays.data(), arrays.size()) ? runtimeError()
                                                                                 : llvm::Error::success();
}

llvm::Error TrainingStates::write(size_t index, llvm::ArrayRef<char> bytes) const {
  std::vector<const void *> arrays(states.size());
  arrays[index] = bytes.data();
  return llmpar_rt_write_states(session.instance(), arrays.data(), arrays.size()) ? runtimeError()
                                                                                  : llvm::Error::success();
}

bool TrainingStates::read(std::vector<rt::HostTensor> &tensors, Failure &failure) const {
  std::vector<void *> data;
  for (const NamedType &state : states) {
    rt::HostTensor &tensor = tensors.emplace_back(rt::HostTensor{state.name, state.dtype, state.shape, {}});
    if (!failure.check(rt::allocateTensor(tensor)))
      return false;
    data.push_back(tensor.data.data());
  }
  llmpar_rt_code code = llmpar_rt_read_states(session.instance(), data.data(), data.size());
  return code == LLMPAR_RT_OK || failure.setRuntime(code);
}

size_t countNotFinite(llvm::ArrayRef<rt::HostTensor> tensors) {
  return llvm::count_if(tensors, [](const rt::HostTensor &tensor) {
    return dispatch(tensor.dtype, [&](auto zero) {
      const auto *data = tensor.as<decltype(zero)>();
      return std::any_of(data, data + tensor.elements(), [](auto x) { return !std::isfinite(static_cast<double>(x)); });
    });
  });
}

} // namespace llmpar::tool
