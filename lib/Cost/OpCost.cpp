//===- OpCost.cpp - Time of a kernel on a device ---------------------------===//
#include "llmpar/Cost/OpCost.h"

#include "llvm/ADT/STLExtras.h"
#include <algorithm>
#include <cassert>

namespace llmpar {
namespace {

struct NamedClass {
  llvm::StringRef name;
  KernelClass kernelClass;
};

/// Every kernel of Kernels.def. A collective's work on the device is a copy; what it takes is in CollectiveCost.h.
constexpr NamedClass kernels[] = {
    {"matmul", KernelClass::Matmul},
    {"conv", KernelClass::Matmul},
    {"experts", KernelClass::Matmul},
    {"unary", KernelClass::Elementwise},
    {"binary", KernelClass::Elementwise},
    {"select", KernelClass::Elementwise},
    {"cast", KernelClass::Elementwise},
    {"iota", KernelClass::Elementwise},
    {"softmax", KernelClass::Rows},
    {"layer_norm", KernelClass::Rows},
    {"rms_norm", KernelClass::Rows},
    {"rotary", KernelClass::Rows},
    {"reduce", KernelClass::Rows},
    {"arg_reduce", KernelClass::Rows},
    {"top_k", KernelClass::Rows},
    {"cumsum", KernelClass::Rows},
    {"pool", KernelClass::Rows},
    {"gather", KernelClass::Move},
    {"gather_elements", KernelClass::Move},
    {"gather_nd", KernelClass::Move},
    {"scatter_nd", KernelClass::Move},
    {"scatter_elements", KernelClass::Move},
    {"transpose", KernelClass::Move},
    {"reshape", KernelClass::Move},
    {"broadcast", KernelClass::Move},
    {"slice", KernelClass::Move},
    {"concat", KernelClass::Move},
    {"pad", KernelClass::Move},
    {"attention", KernelClass::Matmul},
    {"attention_grad", KernelClass::Matmul},
    {"weight_grad", KernelClass::Matmul},
    {"unary_grad", KernelClass::Elementwise},
    {"adam", KernelClass::Elementwise},
    {"sgd", KernelClass::Elementwise},
    {"softmax_grad", KernelClass::Rows},
    {"norm_grad", KernelClass::Rows},
    {"norm_scale_grad", KernelClass::Rows},
    {"cross_entropy", KernelClass::Rows},
    {"cross_entropy_grad", KernelClass::Rows},
    {"gather_grad", KernelClass::Move},
    {"slice_grad", KernelClass::Move},
    {"copy", KernelClass::Move},
    {"all_reduce", KernelClass::Move},
    {"all_gather", KernelClass::Move},
    {"reduce_scatter", KernelClass::Move},
    {"all_to_all", KernelClass::Move},
    {"dispatch", KernelClass::Move},
    {"combine", KernelClass::Move},
};

/// Kinds of unary and binary that take a polynomial or more for each element.
constexpr llvm::StringRef transcendentalKinds[] = {
    "exp", "log",   "tanh", "sigmoid", "erf", "gelu", "gelu_tanh", "silu", "softplus", "elu",   "selu", "sin",
    "cos", "tan",   "asin", "acos",    "atan", "sinh", "cosh",     "asinh", "acosh",    "atanh", "pow",  "fmod", "mod"};

const NamedClass *find(llvm::StringRef kernel) {
  return llvm::find_if(kernels, [&](const NamedClass &entry) { return entry.name == kernel; });
}

Seconds measuredTime(const DeviceSpec &device, const KernelSpeed &kernel, const OpWork &work) {
  Seconds seconds = kernel.launchSeconds + work.runs * kernel.runSeconds;
  if (work.kernel == KernelClass::Matmul && work.flops > 0)
    seconds += work.flops / (peakFlops(device, work.type) * kernel.flopsEfficiency.at(work.flops));
  if (work.bytes > 0)
    seconds += work.bytes / (device.memoryBandwidthBytesPerSecond * kernel.bandwidthEfficiency.at(work.bytes));
  return std::max(device.launchSeconds, seconds);
}

} // namespace

double peakFlops(const DeviceSpec &device, DType type) {
  const auto &peaks = device.peakFlopsPerSecond;
  if (auto own = peaks.find(type); own != peaks.end())
    return own->second;
  if (auto f32 = peaks.find(DType::F32); f32 != peaks.end())
    return f32->second;
  auto slowest = std::min_element(peaks.begin(), peaks.end(), [](auto &a, auto &b) { return a.second < b.second; });
  return slowest == peaks.end() ? device.vectorFlopsPerSecond : slowest->second;
}

bool hasKernelClass(llvm::StringRef kernel) { return find(kernel) != std::end(kernels); }

KernelClass kernelClass(llvm::StringRef kernel, llvm::StringRef kind) {
  const NamedClass *entry = find(kernel);
  assert(entry != std::end(kernels) && "no kernel of Kernels.def");
  bool isElementwise = entry->kernelClass == KernelClass::Elementwise; // the function inside of experts does not count
  return isElementwise && llvm::is_contained(transcendentalKinds, kind) ? KernelClass::Transcendental : entry->kernelClass;
}

static double elements(const Shape &shape) {
  double count = 1;
  for (int64_t extent : shape)
    count *= static_cast<double>(extent);
  return count;
}

/// How many rows of the last dimension a tensor has.
static double rowsOf(const Shape &shape) { return shape.empty() || shape.back() == 0 ? 1 : elements(shape) / static_cast<double>(shape.back()); }

/// Kernels that make several products: a head's, an expert's.
static bool makesProducts(llvm::StringRef kernel) {
  return kernel == "attention" || kernel == "attention_grad" || kernel == "experts";
}

/// Attention: a run is a head, with a row for each query.
static void describeHeads(const KernelCall &call, OpWork &work) {
  const Shape &queries = call.inputs[0];
  auto rows = static_cast<double>(queries[queries.size() - 2]);
  work.measured = measuredProductsName(call.kernel, rows);
  work.runs = rowsOf(queries) / std::max(1.0, rows);
}

/// Experts: a run is one that some token takes. With fewer routed rows than experts each row reads another one's weights,
/// and the others are not read.
static void describeExperts(const KernelCall &call, OpWork &work) {
  double weights = 0, all = 0; // elements
  for (auto [index, shape] : llvm::enumerate(call.inputs)) {
    all += elements(shape);
    weights += index < 2 ? 0 : elements(shape); // x, routing, then weights
  }
  auto experts = static_cast<double>(call.inputs[2].front());
  double rows = weights > 0 ? call.flops / (2 * weights / experts) : 0;
  work.runs = std::min(rows, experts);
  work.measured = measuredProductsName(call.kernel, experts > 0 ? rows / experts : 0);
  if (weights > 0)
    work.bytes -= std::max(0.0, 1 - rows / experts) * weights / all * call.inputBytes;
}

OpWork workOf(const KernelCall &call) {
  OpWork work{.kernel = kernelClass(call.kernel, call.kind), .type = call.type, .flops = call.flops};
  // A gather reads the rows that it writes, not the table.
  work.bytes = call.kernel == "gather" ? 2 * call.outputBytes : call.inputBytes + call.outputBytes;
  if (makesProducts(call.kernel)) {
    call.kernel == "experts" ? describeExperts(call, work) : describeHeads(call, work);
    return work;
  }
  if (work.kernel != KernelClass::Matmul || call.kernel != "matmul") {
    work.measured = measuredKernelName(call.kernel, call.kind);
    bool byInput = work.kernel == KernelClass::Rows && !call.inputs.empty();
    work.runs = rowsOf(byInput ? call.inputs[0] : call.outputs[0]);
    return work;
  }
  const Shape &left = call.inputs[0], &right = call.inputs[1], &result = call.outputs[0];
  double matrix = static_cast<double>(result.back()) * static_cast<double>(result[result.size() - 2]);
  double batches = matrix > 0 ? elements(result) / matrix : 0;
  auto rows = static_cast<double>(call.transposesLeft ? left.back() : left[left.size() - 2]);
  bool isOneMatrix = elements(right) == static_cast<double>(right.back()) * static_cast<double>(right[right.size() - 2]);
  if (isOneMatrix) { // batches of the left operand are rows of one product
    rows *= batches;
    batches = 1;
  }
  work.measured = measuredMatmulName(static_cast<int64_t>(rows), call.rightIsWeight);
  work.runs = batches > 1 ? batches : 0;
  return work;
}

Seconds opTime(const DeviceSpec &device, const OpWork &work) {
  if (auto found = device.kernels.find(work.measured); found != device.kernels.end())
    return measuredTime(device, found->second, work);
  Seconds compute = 0, memory = 0;
  bool matmul = work.kernel == KernelClass::Matmul;
  double peak = matmul ? peakFlops(device, work.type) : device.vectorFlopsPerSecond;
  if (work.flops > 0 && peak > 0)
    compute = work.flops / (peak * (matmul ? device.matmulEfficiency.at(work.flops) : 1));
  if (work.bytes > 0 && device.memoryBandwidthBytesPerSecond > 0) {
    auto curve = device.bandwidthEfficiency.find(work.kernel);
    double efficiency = curve == device.bandwidthEfficiency.end() ? 1 : curve->second.at(work.bytes);
    memory = work.bytes / (device.memoryBandwidthBytesPerSecond * efficiency);
  }
  return std::max({device.launchSeconds, compute, memory});
}

} // namespace llmpar
