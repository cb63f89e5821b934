//===- ProbeMatmul.cpp - Matrix products of this machine --------------------===//
//
// The runtime has three kinds of products: with a weight it packed, of activations as they lie, and with few rows.
// For each: the smallest call gives the launch, products with few rows against square matrices give what reading
// the matrix adds, square products the rest. Matrices beyond a core's cache are read once per step, behind a copy
// that evicts them: in a model they come from memory.
//
//===----------------------------------------------------------------------===//
#include "Probe.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <numeric>

namespace llmpar::tool {
namespace {

constexpr int64_t coldBytes = 512 << 10; ///< larger matrices do not stay in a core's cache from step to step
constexpr int64_t evictingElements = 16 << 20;
constexpr int64_t manyRows = fewRows + 1;

struct Product {
  int64_t batch, m, n, k;
  size_t record = 0;
  double seconds = 0;

  double flops() const { return 2.0 * static_cast<double>(batch * m * n * k); }
  double bytes() const { return 4.0 * static_cast<double>(batch * (m * k + k * n + m * n)); }
};

std::string shapeOf(const Product &p, int64_t rows, int64_t columns, const char *type) {
  return p.batch == 1 ? typeText({rows, columns}, type) : typeText({p.batch, rows, columns}, type);
}
int64_t matrixBytes(const Product &p, const char *type) { return ProbeProgram::bytesOf(shapeOf(p, p.k, p.n, type)); }

/// Times those products whose matrix is cold, or those whose is not: behind an eviction even a record is cold.
bool measure(llvm::MutableArrayRef<Product> products, bool isCold, bool isWeight, const char *type, Failure &failure) {
  ProbeProgram program(1);
  llvm::SmallVector<Product *> chosen;
  for (Product &p : products)
    if ((matrixBytes(p, type) >= coldBytes) == isCold)
      chosen.push_back(&p);
  if (chosen.empty())
    return true;
  for (Product *p : chosen) {
    std::string matrix = shapeOf(*p, p->k, p->n, type);
    ProbeRecord record{.kernel = "matmul",
                       .inputs = {program.activation(shapeOf(*p, p->m, p->k, type)),
                                  isWeight ? program.weight(matrix) : program.activation(matrix)},
                       .outputs = {program.activation(shapeOf(*p, p->m, p->n, type))},
                       .ints = {0, 0}};
    for (int repeats = isCold ? 1 : 2; repeats > 0; --repeats) {
      program.disturb();
      p->record = program.record(record);
    }
  }
  if (isCold) {
    std::string type = typeText({evictingElements});
    program.record({.kernel = "reshape", .inputs = {program.activation(type)}, .outputs = {program.activation(type)}});
  }
  if (!program.timeRecords({.seconds = isCold ? 3.0 : 0.5, .least = 8, .most = 200}, failure))
    return false;
  for (Product *p : chosen)
    p->seconds = program.seconds(p->record);
  return true;
}
bool measure(llvm::MutableArrayRef<Product> products, bool isWeight, const char *type, Failure &failure) {
  return measure(products, /*isCold=*/false, isWeight, type, failure) && measure(products, /*isCold=*/true, isWeight, type, failure);
}

/// What is left for the bytes, as a fraction of the memory's bandwidth.
EfficiencyCurve::Point bandwidthPoint(const DeviceSpec &device, double bytes, double seconds) {
  double bandwidth = device.memoryBandwidthBytesPerSecond;
  return {bytes, std::clamp(bytes / bandwidth / std::max(seconds, 1e-12), 0.01, 100.0)};
}

/// Launch, memory and efficiency of products with at least `manyRows` rows.
KernelSpeed fitMany(const DeviceSpec &device, llvm::ArrayRef<Product> skinny, llvm::ArrayRef<Product> square) {
  KernelSpeed speed;
  double peak = device.peakFlopsPerSecond.at(DType::F32);
  auto least = [](double a, const Product &p) { return std::min(a, p.seconds); };
  speed.launchSeconds = std::accumulate(skinny.begin(), skinny.end(), 1.0, least);
  for (const Product &p : skinny)
    if (p.flops() / peak > speed.launchSeconds / 4) // smaller ones are launch alone
      speed.bandwidthEfficiency.points.push_back(
          bandwidthPoint(device, p.bytes(), p.seconds - speed.launchSeconds - p.flops() / peak));
  for (const Product &p : square) {
    double rest = p.seconds - speed.launchSeconds -
                  p.bytes() / (device.memoryBandwidthBytesPerSecond * speed.bandwidthEfficiency.at(p.bytes()));
    if (p.flops() / peak > speed.launchSeconds / 4)
      speed.flopsEfficiency.points.push_back({p.flops(), std::clamp(p.flops() / peak / std::max(rest, 1e-12), 0.05, 1.1)});
  }
  return speed;
}

/// `one` and `eight` rows against the same matrices: the difference is arithmetic.
KernelSpeed fitFew(const DeviceSpec &device, llvm::ArrayRef<Product> one, llvm::ArrayRef<Product> eight) {
  KernelSpeed speed;
  double peak = device.peakFlopsPerSecond.at(DType::F32);
  std::vector<double> efficiencies;
  for (auto [few, more] : llvm::zip_equal(one, eight))
    efficiencies.push_back((more.flops() - few.flops()) / peak / std::max(more.seconds - few.seconds, 1e-12));
  llvm::sort(efficiencies);
  double efficiency = std::clamp(efficiencies[efficiencies.size() / 2], 0.05, 1.0);
  speed.flopsEfficiency.points = {{1, efficiency}};
  speed.launchSeconds = one.front().seconds / 2;
  for (const Product &p : one)
    speed.bandwidthEfficiency.points.push_back(
        bandwidthPoint(device, p.bytes(), p.seconds - speed.launchSeconds - p.flops() / (peak * efficiency)));
  return speed;
}

/// Of products with weights, as a share of the peak, all included: for callers that know only FLOPs.
EfficiencyCurve wholeEfficiency(double peak, llvm::ArrayRef<Product> square) {
  EfficiencyCurve curve;
  for (const Product &p : square)
    curve.points.push_back({p.flops(), std::clamp(p.flops() / peak / p.seconds, 0.001, 1.0)});
  return curve;
}

std::vector<Product> sized(llvm::ArrayRef<int64_t> sizes, int64_t rows) {
  std::vector<Product> products;
  for (int64_t size : sizes)
    products.push_back({1, rows ? rows : size, size, size});
  return products;
}

} // namespace

bool probeMatmul(DeviceSpec &device, Failure &failure) {
  constexpr int64_t matrices[] = {8, 16, 32, 64, 128, 256, 512, 1024, 2048}, squares[] = {16, 32, 64, 128, 256, 512};
  auto measured = [&](std::vector<Product> &first, std::vector<Product> &second, bool isWeight) {
    std::vector<Product> all = first;
    all.insert(all.end(), second.begin(), second.end());
    bool ok = measure(all, isWeight, "f32", failure);
    std::copy_n(all.begin(), first.size(), first.begin());
    std::copy(all.begin() + static_cast<ptrdiff_t>(first.size()), all.end(), second.begin());
    return ok;
  };
  std::vector<Product> skinny = sized(matrices, manyRows), square = sized(squares, 0);
  std::vector<Product> skinnyPlain = skinny, squarePlain = square;
  std::vector<Product> one = sized(matrices, 1), eight = sized(matrices, 8);
  if (!measured(skinny, square, true) || !measured(skinnyPlain, squarePlain, false) || !measured(one, eight, true))
    return false;
  double peak = 0;
  for (const Product &p : square)
    peak = std::max(peak, p.flops() / p.seconds);
  device.peakFlopsPerSecond[DType::F32] = peak;
  device.vectorFlopsPerSecond = peak;
  device.matmulEfficiency = wholeEfficiency(peak, square);
  device.kernels["matmul weight"] = fitMany(device, skinny, square);
  device.kernels["matmul"] = fitMany(device, skinnyPlain, squarePlain);
  device.kernels["matmul few_rows"] = fitFew(device, one, eight);
  device.bandwidthEfficiency[KernelClass::Matmul] = device.kernels["matmul weight"].bandwidthEfficiency;

  for (auto [name, rows] : {std::pair("matmul", int64_t{16}), std::pair("matmul few_rows", int64_t{8})}) {
    std::vector<Product> batches = {{64, rows, 16, 16}, {1, rows, 16, 16}};
    if (!measure(batches, false, "f32", failure))
      return false;
    KernelSpeed &speed = device.kernels[name];
    double arithmetic = batches[1].flops() / (peak * speed.flopsEfficiency.at(batches[0].flops()));
    speed.runSeconds = std::max(0.0, (batches[0].seconds - batches[1].seconds) / 63 - arithmetic);
  }

  for (DType type : {DType::BF16, DType::F16}) {
    std::vector<Product> large = {{1, 256, 512, 512}};
    if (!measure(large, true, std::string(dtypeName(type)).c_str(), failure))
      return false;
    device.peakFlopsPerSecond[type] = large[0].flops() / large[0].seconds;
  }
  return true;
}

} // namespace llmpar::tool
