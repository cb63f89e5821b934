//===- PublishedCosts.cpp - The cost model beside published figures --------===//
#include "PublishedCosts.h"

#include "llmpar/Cost/CollectiveCost.h"
#include "llmpar/Cost/MemoryCost.h"
#include "llmpar/Cost/PipelineCost.h"
#include "llmpar/Cost/TrainingCost.h"
#include "llvm/ADT/STLExtras.h"
#include <cassert>
#include <cmath>

namespace llmpar {
namespace {

constexpr double KiB = 1024, MiB = 1024 * KiB, GiB = 1024 * MiB;

/// Share of one micro-batch's work in all, with one chunk on each device.
Pipeline evenPipeline(double stages, double microbatches) {
  return {.stages = stages, .microbatches = microbatches, .forward = 1, .backwardInput = 1, .backwardWeight = 1};
}

double bubbleOfWork(PipelineSchedule schedule, double stages, double microbatches) {
  return pipelineBubble(schedule, evenPipeline(stages, microbatches)) / (3 * microbatches);
}

double bubbleOfStep(PipelineSchedule schedule, double stages, double microbatches) {
  double idle = bubbleOfWork(schedule, stages, microbatches);
  return idle / (1 + idle);
}

double savedBySelective(const TransformerShape &shape) {
  double none = activationBytesPerLayer(shape, 1, {}, Recompute::None);
  return 100 * (1 - activationBytesPerLayer(shape, 1, {}, Recompute::Selective) / none);
}

std::string readableBytes(Bytes bytes) {
  if (bytes < KiB)
    return std::to_string(int64_t(bytes)) + " B";
  if (bytes < MiB)
    return std::to_string(int64_t(bytes / KiB)) + " KiB";
  return bytes < GiB ? std::to_string(int64_t(bytes / MiB)) + " MiB" : std::to_string(int64_t(bytes / GiB)) + " GiB";
}

PublishedRow threadsRow(Bytes bytes, const char *published) {
  Cluster cluster;
  NetworkDimension memory{.name = "memory", .topology = Topology::SharedMemory, .size = 2};
  memory.bandwidthBytesPerSecond = 95e9;
  memory.latencySeconds = 0.08e-6;
  cluster.network.push_back(memory);
  cluster.devices.push_back({.count = 2, .device = {}});
  CollectiveTime time = collectiveTime(cluster, CollectiveKind::AllReduce, bytes, {.size = 2, .stride = 1});
  return {readableBytes(bytes), published, time.seconds * 1e6, time.algorithm};
}

/// Bytes over each link as the ring algorithm would send them, whatever runs (nccl-tests, PERFORMANCE.md).
PublishedRow busBandwidth(CollectiveKind kind, llvm::StringRef cluster, int64_t size, Bytes bytes,
                          const char *published) {
  CollectiveTime time = collectiveTime(publishedCluster(cluster), kind, bytes, {.size = size, .stride = 1});
  double n = double(size), share = (kind == CollectiveKind::AllReduce ? 2 : 1) * (n - 1) / n;
  const char *kinds[] = {"all-reduce", "reduce-scatter", "all-gather", "all-to-all"};
  std::string name = std::string(kinds[size_t(kind)]) + " " + readableBytes(bytes) + ", " + std::to_string(size) +
                     " of " + cluster.str();
  return {name, published, share * bytes / time.seconds / 1e9, time.algorithm};
}

/// A device and the options that all runs of a table share.
struct RunKind {
  const char *cluster; ///< a node
  TrainingSpeed speed;
  TrainingRun run;
};
// Fitted: matmul and memory. Half of what tensor parallelism sends is taken to be hidden where the run overlaps it.
const RunKind a100Speed{.cluster = "dgx-a100",
                        .speed = {.matmul = 0.80, .memory = 0.49, .exposedTensor = 1},
                        .run = {.shape = {.sequence = 2048, .vocabulary = 51200}, .recompute = Recompute::Full}};
const RunKind h100Speed{.cluster = "dgx-h100",
                        .speed = {.matmul = 0.67, .memory = 0.27, .exposedTensor = 0.5},
                        .run = {.shape = {.sequence = 4096, .vocabulary = 131072},
                                .vocabularyMatrices = 2,
                                .fusedAttention = true,
                                .sequenceParallel = true,
                                .overlapsGradients = true,
                                .shardsOptimizer = true}};

PublishedRow runRow(const RunKind &kind, const char *parameters, TransformerShape shape, int64_t tensor, int64_t gpus, double batch,
                    const char *published) {
  TrainingRun run = kind.run;
  shape.sequence = run.shape.sequence, shape.vocabulary = run.shape.vocabulary;
  run.shape = shape;
  run.batch = batch, run.ranks = gpus, run.tensor = tensor;
  Cluster cluster = publishedCluster(std::to_string(gpus / 8) + "x " + kind.cluster);
  TrainingTime time = trainingStepTime(run, cluster, kind.speed);
  double flops = trainingStepFlops(shape, batch, run.recompute) / double(gpus) / 1e12;
  auto share = [&](double seconds) { return std::to_string(int(std::lround(100 * seconds / time.total()))); };
  return {std::string(parameters) + "B, tensor " + std::to_string(tensor) + " of " + std::to_string(gpus), published, flops / time.total(),
          "products " + share(time.matmul) + " %, other kernels " + share(time.memory) + ", tensor " + share(time.tensor) + ", data " + share(time.data)};
}

class Tables {
public:
  std::vector<PublishedTable> all;
  PublishedTable &operator[](llvm::StringRef id) {
    auto table = llvm::find_if(all, [&](const PublishedTable &t) { return t.id == id; });
    assert(table != all.end() && "LLMPAR_TABLE must come before its rows");
    return *table;
  }
  void addSc21(const char *parameters, TransformerShape shape, double gpus, double batch, const char *teraflops,
               const char *seconds) {
    std::string name = std::string(parameters) + "B";
    (*this)["sc21Parameters"].rows.push_back({name, parameters, parameterCount(shape) / 1e9, ""});
    double flops = trainingStepFlops(shape, batch, Recompute::Full) / gpus / 1e12;
    (*this)["sc21Throughput"].rows.push_back({name, teraflops, flops / std::stod(seconds), ""});
    (*this)["sc21Seconds"].rows.push_back({name, seconds, flops / std::stod(teraflops), ""});
  }
};

} // namespace

bool PublishedRow::exact() const {
  size_t point = published.find('.');
  double digits = point == std::string::npos ? 0 : double(published.size() - point - 1);
  return std::abs(predicted - publishedValue()) <= 0.5 * std::pow(10, -digits) * (1 + 1e-9);
}

double PublishedTable::geometricMeanError() const {
  double sum = 0;
  for (const PublishedRow &row : rows)
    sum += std::abs(std::log(row.predicted / row.publishedValue()));
  return rows.empty() ? 0 : std::exp(sum / double(rows.size())) - 1;
}

bool PublishedTable::holds() const {
  if (rows.empty())
    return false;
  if (tolerance == 0)
    return llvm::all_of(rows, [](const PublishedRow &row) { return row.exact(); });
  return geometricMeanError() <= tolerance;
}

Cluster publishedCluster(llvm::StringRef name) {
  bool plain = name.consume_back(" without reduction in the switch");
  // Beside the shipped clusters, those of this folder.
  std::string where = name.str();
  if (size_t at = where.find("p6-b200"); at != std::string::npos)
    where = where.substr(0, at) + LLMPAR_TEST_CLUSTERS + "/p6-b200.yaml";
  Cluster cluster = llvm::cantFail(findCluster(where));
  if (plain)
    for (NetworkDimension &dimension : cluster.network)
      dimension.inNetworkReduction = false;
  return cluster;
}

std::vector<PublishedTable> publishedTables() {
  Tables tables;
#define LLMPAR_TABLE(id, title, unit, tolerance, source)                                                               \
  tables.all.push_back({#id, title, unit, source, tolerance, {}});
#define LLMPAR_VALUE(table, row, published, predicted) tables[#table].rows.push_back({row, published, predicted, ""});
#define LLMPAR_BUSBW(table, kind, cluster, size, bytes, published)                                                     \
  tables[#table].rows.push_back(busBandwidth(CollectiveKind::kind, cluster, size, bytes, published));
#define LLMPAR_THREADS(table, bytes, published) tables[#table].rows.push_back(threadsRow(bytes, published));
#define LLMPAR_SC21(parameters, heads, hidden, layers, gpus, batch, teraflops, seconds)                                \
  tables.addSc21(parameters, {layers, hidden, heads, 2048, 51200}, gpus, batch, teraflops, seconds);
#define LLMPAR_RUN(table, speed, parameters, heads, hidden, layers, tensor, gpus, batch, published)                       \
  tables[#table].rows.push_back(runRow(speed, parameters, {layers, hidden, heads}, tensor, gpus, batch, published));
#include "PublishedCosts.def"
  return std::move(tables.all);
}

} // namespace llmpar
