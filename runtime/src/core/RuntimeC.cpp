//===- RuntimeC.cpp - The C API on top of Program and Instance -------------===//
#include "core/Instance.h"
#include "llmpar/runtime.h"

#include <cstring>

using namespace llmpar;
using namespace llmpar::rt;

struct llmpar_rt_program {
  std::shared_ptr<const Program> program;
};

struct llmpar_rt_instance {
  std::unique_ptr<Instance> instance;
};

namespace {

thread_local std::string lastError;

llmpar_rt_code report(const Status &status) {
  if (status.ok())
    return LLMPAR_RT_OK;
  lastError = status.message();
  switch (status.code()) {
  case Code::Invalid:
    return LLMPAR_RT_INVALID;
  case Code::DoesNotFit:
    return LLMPAR_RT_DOES_NOT_FIT;
  case Code::Device:
  case Code::Aborted:
    return LLMPAR_RT_DEVICE;
  default:
    return LLMPAR_RT_INTERNAL;
  }
}

/// No exception crosses the C API.
template <typename Body> llmpar_rt_code guarded(Body &&body) noexcept {
  try {
    return report(body());
  } catch (const std::bad_alloc &) {
    lastError = "out of memory"; // fits the string's own buffer
    return LLMPAR_RT_DOES_NOT_FIT;
  } catch (...) {
    lastError = "internal error";
    return LLMPAR_RT_INTERNAL;
  }
}

llmpar_rt_code describe(const std::vector<IoDef> &ios, size_t index, llmpar_rt_tensor *tensor) {
  return guarded([&]() -> Status {
    if (!tensor || index >= ios.size())
      return Status::invalid("no tensor " + std::to_string(index) + " of " + std::to_string(ios.size()));
    const IoDef &io = ios[index];
    *tensor = {.name = io.name.c_str(),
               .dtype = dtypeName(io.dtype).data(), // a literal: ends with a zero
               .dtype_code = static_cast<int>(io.dtype),
               .rank = static_cast<int>(io.shape.size()),
               .shape = io.shape.data(),
               .bytes = io.bytes};
    return Status::success();
  });
}

const std::vector<SliceDef> *partsOf(const Program &program, llmpar_rt_kind kind, uint32_t rank) {
  if (rank >= program.ranks.size())
    return nullptr;
  const RankDef &def = program.ranks[rank];
  return kind == LLMPAR_RT_INPUT ? &def.inputs : kind == LLMPAR_RT_OUTPUT ? &def.outputs : &def.states;
}

Status noPart(uint32_t rank, size_t index) {
  return Status::invalid("rank " + std::to_string(rank) + " has no part " + std::to_string(index));
}

template <typename Open> llmpar_rt_code openProgram(llmpar_rt_program **program, Open &&open) {
  return guarded([&]() -> Status {
    if (!program)
      return Status::invalid("program is a null pointer");
    *program = nullptr;
    auto result = std::make_unique<llmpar_rt_program>();
    if (Status status = open(result->program); !status.ok())
      return status;
    *program = result.release();
    return Status::success();
  });
}

} // namespace

extern "C" {

const char *llmpar_rt_last_error(void) { return lastError.c_str(); }

const char *llmpar_rt_device_names(void) {
  static const std::string names = deviceNames();
  return names.c_str();
}

llmpar_rt_code llmpar_rt_program_open(const char *path, llmpar_rt_program **program) {
  return openProgram(program, [&](auto &result) {
    return path ? Program::open(path, result) : Status::invalid("path is a null pointer");
  });
}

llmpar_rt_code llmpar_rt_program_open_memory(const void *bytes, size_t size, llmpar_rt_program **program) {
  return openProgram(program, [&](auto &result) {
    return bytes ? Program::fromBytes({static_cast<const std::byte *>(bytes), size}, "program in memory", result)
                 : Status::invalid("bytes is a null pointer");
  });
}

void llmpar_rt_program_close(llmpar_rt_program *program) { delete program; }

size_t llmpar_rt_input_count(const llmpar_rt_program *program) { return program->program->inputs.size(); }
size_t llmpar_rt_output_count(const llmpar_rt_program *program) { return program->program->outputs.size(); }

llmpar_rt_code llmpar_rt_input(const llmpar_rt_program *program, size_t index, llmpar_rt_tensor *tensor) {
  return describe(program->program->inputs, index, tensor);
}
llmpar_rt_code llmpar_rt_output(const llmpar_rt_program *program, size_t index, llmpar_rt_tensor *tensor) {
  return describe(program->program->outputs, index, tensor);
}

size_t llmpar_rt_state_count(const llmpar_rt_program *program) { return program->program->states.size(); }
llmpar_rt_code llmpar_rt_state(const llmpar_rt_program *program, size_t index, llmpar_rt_tensor *tensor) {
  return describe(program->program->states, index, tensor);
}

uint32_t llmpar_rt_rank_count(const llmpar_rt_program *program) {
  return static_cast<uint32_t>(program->program->ranks.size());
}
size_t llmpar_rt_part_count(const llmpar_rt_program *program, llmpar_rt_kind kind, uint32_t rank) {
  const std::vector<SliceDef> *parts = partsOf(*program->program, kind, rank);
  return parts ? parts->size() : 0;
}
llmpar_rt_code llmpar_rt_get_part(const llmpar_rt_program *program, llmpar_rt_kind kind, uint32_t rank, size_t index,
                                  llmpar_rt_part *part) {
  return guarded([&]() -> Status {
    const std::vector<SliceDef> *parts = partsOf(*program->program, kind, rank);
    if (!part || !parts || index >= parts->size())
      return noPart(rank, index);
    const SliceDef &slice = (*parts)[index];
    std::span<const int64_t> shape = slice.buffer.view.shape();
    *part = {.tensor = slice.io,
             .rank = static_cast<int>(shape.size()),
             .starts = slice.starts.data(),
             .shape = shape.data(),
             .bytes = slice.buffer.view.bytes()};
    return Status::success();
  });
}

size_t llmpar_rt_mesh_axis_count(const llmpar_rt_program *program) { return program->program->mesh.size(); }

llmpar_rt_code llmpar_rt_mesh_axis(const llmpar_rt_program *program, size_t index, const char **name, uint32_t *size) {
  return guarded([&]() -> Status {
    const std::vector<MeshAxis> &mesh = program->program->mesh;
    if (index >= mesh.size())
      return Status::invalid("no mesh axis " + std::to_string(index) + " of " + std::to_string(mesh.size()));
    if (name)
      *name = mesh[index].name.c_str();
    if (size)
      *size = mesh[index].size;
    return Status::success();
  });
}

const char *llmpar_rt_program_compiler(const llmpar_rt_program *program) { return program->program->compiler.c_str(); }
const char *llmpar_rt_program_model(const llmpar_rt_program *program) { return program->program->model.c_str(); }
const char *llmpar_rt_program_layout(const llmpar_rt_program *program) { return program->program->layout.c_str(); }

llmpar_rt_code llmpar_rt_instance_create(const llmpar_rt_program *program, const llmpar_rt_options *options,
                                         llmpar_rt_instance **instance) {
  return guarded([&]() -> Status {
    if (!program || !instance)
      return Status::invalid("program or instance is a null pointer");
    *instance = nullptr;
    InstanceOptions chosen;
    if (options && options->device)
      chosen.device = options->device;
    if (options && options->weights_directory)
      chosen.baseDirectory = options->weights_directory;
    chosen.pinThreads = !options || !options->no_pinning;
    chosen.profile = options && options->profile;
    if (options && options->lanes)
      if (Status status = parseLaneMode(options->lanes, chosen.lanes); !status.ok())
        return status;
    auto result = std::make_unique<llmpar_rt_instance>();
    if (Status status = Instance::create(program->program, chosen, result->instance); !status.ok())
      return status;
    *instance = result.release();
    return Status::success();
  });
}

void llmpar_rt_instance_destroy(llmpar_rt_instance *instance) { delete instance; }

llmpar_rt_code llmpar_rt_run(llmpar_rt_instance *instance, const void *const *inputs, size_t input_count,
                             void *const *outputs, size_t output_count) {
  return guarded([&]() -> Status {
    if (!instance || (!inputs && input_count) || (!outputs && output_count))
      return Status::invalid("a null pointer");
    return instance->instance->run({inputs, input_count}, {outputs, output_count});
  });
}

llmpar_rt_code llmpar_rt_read_states(llmpar_rt_instance *instance, void *const *states, size_t count) {
  return guarded([&]() -> Status {
    if (!instance || (!states && count))
      return Status::invalid("a null pointer");
    return instance->instance->readStates({states, count});
  });
}
llmpar_rt_code llmpar_rt_write_states(llmpar_rt_instance *instance, const void *const *states, size_t count) {
  return guarded([&]() -> Status {
    if (!instance || (!states && count))
      return Status::invalid("a null pointer");
    return instance->instance->writeStates({states, count});
  });
}

llmpar_rt_code llmpar_rt_read_state_part(llmpar_rt_instance *instance, uint32_t rank, size_t index, void *data) {
  return guarded([&]() -> Status {
    if (!instance)
      return Status::invalid("a null pointer");
    const std::vector<SliceDef> *parts = partsOf(instance->instance->program(), LLMPAR_RT_STATE, rank);
    if (!parts || index >= parts->size())
      return noPart(rank, index);
    if (!data && (*parts)[index].buffer.view.bytes() > 0)
      return Status::invalid("data is a null pointer");
    return instance->instance->readStatePart(rank, index, data);
  });
}

void llmpar_rt_get_stats(const llmpar_rt_instance *instance, llmpar_rt_stats *stats) {
  InstanceStats s = instance->instance->stats();
  *stats = {.steps = s.steps,
            .set_up_seconds = s.setUpSeconds,
            .last_step_seconds = s.lastStepSeconds,
            .total_seconds = s.totalSeconds,
            .bytes_sent_per_step = s.bytesSentPerStep,
            .weights_bytes = s.arenaBytes[0],
            .activations_bytes = s.arenaBytes[1],
            .staging_bytes = s.arenaBytes[2],
            .packed_bytes = s.packedBytes,
            .peak_bytes = s.peakBytes,
            .resident_bytes = s.residentBytes,
            .threads = s.threads};
}

void llmpar_rt_set_profile(llmpar_rt_instance *instance, int on) { instance->instance->setProfile(on != 0); }

size_t llmpar_rt_profile_count(const llmpar_rt_instance *instance, uint32_t rank) {
  const std::vector<RankDef> &ranks = instance->instance->program().ranks;
  return rank < ranks.size() ? ranks[rank].main.size() : 0;
}

llmpar_rt_code llmpar_rt_profile(const llmpar_rt_instance *instance, uint32_t rank, size_t index,
                                 llmpar_rt_profile_entry *entry) {
  return guarded([&]() -> Status {
    if (!entry || index >= llmpar_rt_profile_count(instance, rank))
      return Status::invalid("rank " + std::to_string(rank) + " has no record " + std::to_string(index));
    const RecordDef &record = instance->instance->program().ranks[rank].main[index];
    const RecordTime &time = instance->instance->recordTimes(rank)[index];
    *entry = {.kernel = kernelName(record.kernel).data(),
              .location = {},
              .calls = time.calls,
              .seconds = time.seconds,
              .flops = record.flops,
              .bytes = record.bytes};
    std::memcpy(entry->location, record.location.data(), std::min(record.location.size(), sizeof(entry->location) - 1));
    return Status::success();
  });
}

} // extern "C"
