//===- HostDevice.cpp - The devices `reference` and `cpu` ------------------===//
#include "core/HostDevice.h"

#include "cpu/CpuKernels.h"
#include "cpu/PackedMatmul.h"

#include <map>

namespace llmpar::rt {
namespace {

struct KernelThunk : Thunk {
  KernelThunk(KernelFn kernel, const KernelCall &call) : kernel(kernel), call(call) {}
  Status run() override { return kernel(call); }
  KernelFn kernel;
  KernelCall call;
};

class ReferenceDevice : public Device {
public:
  std::string_view name() const override { return "reference"; }
  Status prepare(const BoundRecord &record, PreparedRecord &prepared) override {
    return prepareKernel(findReferenceKernel(record.record->kernel), record, prepared);
  }

protected:
  Status prepareKernel(KernelFn kernel, const BoundRecord &record, PreparedRecord &prepared) {
    if (!kernel)
      return Status::invalid("device '" + std::string(name()) + "' has no kernel '" +
                             std::string(kernelName(record.record->kernel)) + "'");
    prepared.thunk = std::make_unique<KernelThunk>(kernel, record.call);
    return Status::success();
  }
};

struct PackedMatmulThunk : Thunk {
  PackedMatmulThunk(std::shared_ptr<PackedMatmul> matmul, const KernelCall &call)
      : matmul(std::move(matmul)), a(call.inputs[0]), y(call.outputs[0]) {}
  Status run() override { return matmul->run(a, y); }
  std::shared_ptr<PackedMatmul> matmul;
  TensorView a, y;
};

class CpuDevice : public ReferenceDevice {
public:
  std::string_view name() const override { return "cpu"; }

  Status prepare(const BoundRecord &record, PreparedRecord &prepared) override {
    if (record.entry == Entry::Main && record.record->kernel == KernelId::matmul && record.constantInputs[1] &&
        supportsPacking(record.call))
      return preparePacked(record, prepared);
    KernelFn kernel = findCpuKernel(record.record->kernel);
    return prepareKernel(kernel ? kernel : findReferenceKernel(record.record->kernel), record, prepared);
  }

  uint64_t packedBytes() const override {
    uint64_t bytes = 0;
    for (const auto &[key, matmul] : packed)
      bytes += matmul->packedBytes();
    return bytes;
  }

private:
  static bool supportsPacking(const KernelCall &call) {
    return PackedMatmul::supports(call.inputs[0], call.inputs[1], call.outputs[0], call.ints[0] != 0,
                                  call.ints[1] != 0);
  }

  /// Calls with the same weight and the same shapes share one packed copy.
  using Key = std::pair<const void *, std::vector<int64_t>>;

  Status preparePacked(const BoundRecord &record, PreparedRecord &prepared) {
    const KernelCall &call = record.call;
    Key key{call.inputs[1].data, {call.ints.begin(), call.ints.end()}};
    for (const TensorView &view : {call.inputs[0], call.inputs[1], call.outputs[0]}) {
      key.second.push_back(static_cast<int64_t>(view.dtype));
      key.second.push_back(view.rank);
      key.second.insert(key.second.end(), view.shape().begin(), view.shape().end());
    }
    std::shared_ptr<PackedMatmul> &matmul = packed[key];
    if (!matmul)
      matmul = std::make_shared<PackedMatmul>(call.inputs[0], call.inputs[1], call.outputs[0], call.ints[0] != 0,
                                              call.ints[1] != 0);
    prepared.thunk = std::make_unique<PackedMatmulThunk>(matmul, call);
    prepared.releasedInputs = {false, true};
    return Status::success();
  }

  std::map<Key, std::shared_ptr<PackedMatmul>> packed;
};

} // namespace

std::unique_ptr<Device> makeReferenceDevice() { return std::make_unique<ReferenceDevice>(); }
std::unique_ptr<Device> makeCpuDevice() { return std::make_unique<CpuDevice>(); }

} // namespace llmpar::rt
