//===- Compare.cpp - `llmpar compare`: parallelization methods side by side --===//
#include "Compare.h"
#include "ProbeProgram.h"
#include "TrainOptions.h"

#include "../BytesText.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/MLIRContext.h"

namespace llmpar::tool {
namespace {

/// A method as what is compiled: a search; replicas that step apart by rule, for they exchange nothing that a search could place.
Method layoutOf(const ComparedMethod &row, Options options) {
  Method layout{.mesh = "", .layout = nameOf(row.method).str()};
  layout.search = !row.stepsApart();
  if (row.stepsApart()) {
    layout.mesh = row.mesh;
    layout.isBaseline = true;
    if (options.recompute == "auto") // a choice of searches
      options.recompute.clear();
  }
  options.syncInterval = row.syncInterval;
  options.staleness = row.staleness;
  if (options.train)
    layout.training = trainingOptions(options, nameOf(row.method));
  return layout;
}

/// The rows of a method: in training, data parallelism has three ways to synchronize.
std::vector<ComparedMethod> rowsOf(llmpar::Method method, const Options &options, const Cluster &cluster) {
  std::vector<ComparedMethod> rows;
  auto add = [&](const std::string &suffix, int syncInterval, int staleness) {
    rows.emplace_back().method = method;
    rows.back().name = nameOf(method).str() + suffix;
    rows.back().syncInterval = syncInterval;
    rows.back().staleness = staleness;
    if (rows.back().stepsApart())
      rows.back().mesh = "dp=" + std::to_string(cluster.ranks());
  };
  add("", 1, 0);
  if (method == llmpar::Method::Data && options.train && options.pins.empty()) { // which are of a search
    int every = options.syncInterval > 1 ? options.syncInterval : 8, age = std::max(options.staleness, 1);
    add(" every " + std::to_string(every), every, 0);
    add(" stale " + std::to_string(age), 1, age);
  }
  return rows;
}

/// Plans, compiles and predicts one method. False only for an error that ends the command: a method without a plan
/// is a row that says why.
bool compareMethod(const Options &options, const Given &given, Cluster cluster, ComparedMethod method, Comparison &comparison,
                   Failure &failure) {
  ComparedMethod &row = comparison.methods.emplace_back(std::move(method));
  Method layout = layoutOf(row, options);
  mlir::MLIRContext context;
  prepareContext(context);
  Progress progress;
  Failure own;
  CompileResult result = compileFor(context, options, given, layout, progress, own);
  if (result.doesNotApply) { // no row for it
    comparison.methods.pop_back();
    return true;
  }
  if (!result.ok) {
    bool isFirst = comparison.methods.size() == 1; // the model itself does not compile, or an option is wrong
    if ((isFirst && own.code != DoesNotFit) || own.code == Usage)
      return failure.set(own.code, own.message);
    row.why = own.message;
    return true;
  }
  if (result.plan) {
    row.mesh = result.plan->chosen().mesh.str();
    row.gap = result.plan->chosen().plan.gap();
    if (!result.recompute.empty())
      row.recompute = result.recompute[result.plan->chosen().variant];
    for (const MeshResult &mesh : result.plan->meshes)
      row.searchSeconds += mesh.buildSeconds + mesh.solveSeconds;
  }
  exec::ProgramOp program;
  result.module->walk([&](exec::ProgramOp op) { program = op; });
  if (!options.memory.empty())
    for (DeviceGroup &group : cluster.devices)
      group.device.memoryBytes = llvm::cantFail(memoryLimit(options)); // compileFor has refused a wrong one
  llvm::Expected<ProgramPrediction> prediction = predictProgram(program, cluster);
  if (!prediction)
    return failure.set(Internal, llvm::toString(prediction.takeError()));
  row.predicted = std::move(*prediction);
  comparison.cluster = cluster.name;
  comparison.devices = cluster.ranks();
  for (const DeviceGroup &group : cluster.devices)
    comparison.memoryBytes = comparison.memoryBytes ? std::min(comparison.memoryBytes, group.device.memoryBytes) : group.device.memoryBytes;
  return true;
}

bool measure(const Options &options, const Given &given, const Cluster &cluster, Comparison &comparison, Failure &failure) {
  std::optional<Samples> samples;
  if (options.train && !options.data.empty()) {
    llvm::Expected<Samples> opened = Samples::open(options.data);
    if (!opened)
      return failure.set(Usage, llvm::toString(opened.takeError()));
    samples = std::move(*opened);
  }
  std::vector<MeasuredMethod> methods;
  for (ComparedMethod &row : comparison.methods)
    if (row.ok())
      methods.push_back({.method = layoutOf(row, options), .row = &row});
  return measureMethods(options, given, cluster, samples ? &*samples : nullptr, methods, failure);
}

/// CPU devices of one machine move bytes through its memory.
bool ofCpuDevices(const Cluster &cluster) {
  return llvm::all_of(cluster.network, [](const NetworkDimension &d) { return d.topology == Topology::SharedMemory; });
}

bool writePage(const Options &options, const Comparison &comparison, Failure &failure) {
  std::error_code code;
  llvm::ToolOutputFile file(options.html, code, llvm::sys::fs::OF_Text);
  if (code)
    return failure.set(Usage, "--html=" + options.html + ": " + code.message());
  file.os() << comparisonPage(comparison);
  file.keep();
  return true;
}

} // namespace

static void printKernels(const Comparison &comparison) {
  llvm::outs() << llvm::formatv("\n{0,-12} {1,-16} {2,6} {3,13} {4,12} {5,6}\n", "method", "kernel", "calls", "predicted us", "measured us", "ratio");
  for (const ComparedMethod &row : comparison.methods)
    for (const KernelTime &kernel : row.measured ? row.measured->kernels : std::vector<KernelTime>())
      llvm::outs() << llvm::formatv("{0,-12} {1,-16} {2,6} {3,13:f2} {4,12:f2} {5,6:f2}\n", row.name, kernel.kernel, kernel.calls,
                                    kernel.predicted * 1e6, kernel.measured * 1e6, kernel.predicted / kernel.measured);
}

void printComparison(const Comparison &comparison) {
  llvm::outs() << llvm::formatv("{0} on {1} devices of {2}\n\n", comparison.model, comparison.devices, comparison.cluster);
  llvm::outs() << llvm::formatv("{0,-12} {1,-14} {2,10} {3,10} {4,10} {5,10} {6,11} {7,11} {8,5}", "method", "mesh", "step ms",
                                "compute", "exposed", "idle", "sent/rank", "memory", "use %");
  bool isMeasured = llvm::any_of(comparison.methods, [](const ComparedMethod &m) { return m.measured.has_value(); });
  bool learns = llvm::any_of(comparison.methods, [](const ComparedMethod &m) { return m.measured && m.measured->loss; });
  llvm::outs() << (isMeasured ? llvm::formatv(" {0,11} {1,6}", "measured ms", "ratio").str() : "") << (learns ? "    loss" : "") << "\n";
  for (const ComparedMethod &row : comparison.methods) {
    llvm::outs() << llvm::formatv("{0,-12} ", row.name);
    if (!row.ok()) {
      llvm::outs() << row.why << "\n";
      continue;
    }
    const ProgramPrediction &p = row.predicted;
    RankTime mean = p.step.mean();
    double sent = 0;
    for (const CollectiveTraffic &traffic : p.traffic)
      sent += traffic.bytes;
    llvm::outs() << llvm::formatv("{0,-14} {1,10:f3} {2,10:f3} {3,10:f3} {4,10:f3} {5,11} {6,11} {7,5:f1}", row.mesh.empty() ? "-" : row.mesh,
                                  p.step.seconds * 1e3, mean.compute * 1e3, mean.exposedCommunication * 1e3, mean.idle * 1e3,
                                  bytesText(sent), bytesText(static_cast<double>(p.memory.total())), p.utilisation * 100);
    if (row.measured)
      llvm::outs() << llvm::formatv(" {0,11:f3} {1,6:f2}", row.measured->seconds * 1e3, p.step.seconds / row.measured->seconds);
    if (row.measured && row.measured->loss)
      llvm::outs() << llvm::formatv(" {0,7:f4}", *row.measured->loss);
    llvm::outs() << (row.recompute.empty() ? "" : "  recompute " + row.recompute) << (p.fits ? "" : "  does not fit") << "\n";
  }
  double slowdown = 0, count = 0;
  for (const ComparedMethod &row : comparison.methods)
    if (row.measured) {
      slowdown += row.measured->slowdown;
      count += 1;
    }
  if (count > 0 && slowdown / count > ProbeProgram::tolerance)
    llvm::outs() << llvm::formatv("\nsomething else used the cores: they took {0:f2} times as long as when '{1}' was measured\n", slowdown / count,
                                  comparison.cluster);
  llvm::outs() << "\ncommunication of the rank that sends most, by collective and axis\n";
  for (const ComparedMethod &row : comparison.methods)
    for (const CollectiveTraffic &traffic : row.predicted.traffic)
      llvm::outs() << llvm::formatv("{0,-12} {1,-14} {2,-6} {3,6} calls {4,11}  {5,10:f3} ms\n", row.name, traffic.collective,
                                    traffic.axis, traffic.calls, bytesText(traffic.bytes), traffic.seconds * 1e3);
  if (llvm::any_of(comparison.methods, [](const ComparedMethod &m) { return m.measured && !m.measured->kernels.empty(); }))
    printKernels(comparison);
}

rt::JsonObject comparisonJson(const Comparison &comparison) {
  rt::JsonArray rows;
  for (const ComparedMethod &row : comparison.methods) {
    rt::JsonObject object;
    object.add("method", row.name).add("ok", row.ok());
    if (!row.ok()) {
      rows.add(object.add("why", row.why));
      continue;
    }
    const ProgramPrediction &p = row.predicted;
    RankTime mean = p.step.mean();
    rt::JsonArray traffic;
    for (const CollectiveTraffic &entry : p.traffic)
      traffic.add(rt::JsonObject().add("collective", entry.collective).add("axis", entry.axis).add("calls", entry.calls)
                      .add("bytes", entry.bytes).add("seconds", entry.seconds));
    object.add("mesh", row.mesh).add("search_s", row.searchSeconds).add("gap", row.gap).add("fits", p.fits)
        .add("step_s", p.step.seconds).add("compute_s", mean.compute).add("exposed_communication_s", mean.exposedCommunication)
        .add("idle_s", mean.idle).add("flops", p.flops).add("utilisation", p.utilisation)
        .add("weight_bytes", p.memory.weights).add("activation_bytes", p.memory.activations)
        .add("workspace_bytes", p.memory.workspace).add("communication_buffer_bytes", p.memory.communication)
        .add("program_bytes", p.totalBytes).add("traffic", traffic);
    rt::JsonArray kernels;
    for (const KernelTime &kernel : row.measured ? row.measured->kernels : std::vector<KernelTime>())
      kernels.add(rt::JsonObject().add("kernel", kernel.kernel).add("calls", kernel.calls).add("predicted_s", kernel.predicted)
                      .add("measured_s", kernel.measured));
    if (row.measured && !row.measured->kernels.empty())
      object.add("kernels", kernels);
    if (row.measured)
      object.add("measured_s", row.measured->seconds).add("core_slowdown", row.measured->slowdown).add("measured_bytes_sent", row.measured->bytesSent)
          .add("measured_bytes", row.measured->heldBytes);
    if (!row.recompute.empty())
      object.add("recompute", row.recompute);
    if (row.measured && row.measured->loss)
      object.add("loss", *row.measured->loss);
    rows.add(object);
  }
  rt::JsonObject report;
  return report.add("model", comparison.model).add("cluster", comparison.cluster).add("devices", comparison.devices)
      .add("device_memory_bytes", comparison.memoryBytes).add("methods", rows);
}

int compareCommand(const Options &options) {
  Failure failure;
  Given given;
  Comparison comparison{.model = options.model, .cluster = options.cluster, .methods = {}};
  Cluster devices;
  if (options.cluster.empty())
    failure.set(Usage, "which machines? Give --cluster: a name of `llmpar cluster list` or a file");
  else if (llvm::Expected<Cluster> cluster = findCluster(options.cluster); !cluster)
    failure.set(Usage, llvm::toString(cluster.takeError()));
  else if (options.measure && !ofCpuDevices(*cluster))
    failure.set(Usage, "--measure runs on this machine's CPU devices, which cluster '" + cluster->name +
                           "' does not describe: choose cpu-N, or the file that `llmpar cluster probe` writes");
  else if (options.profile && !options.measure)
    failure.set(Usage, "--profile times the kernels of a measured run: add --measure");
  else if (std::string problem = options.train ? problemWithStepOptions(options) : problemOutsideTraining(options); !problem.empty())
    failure.set(Usage, problem);
  else if (options.train && !options.data.empty() && !options.measure)
    failure.set(Usage, "--data=" + options.data + " has the samples of measured steps: add --measure");
  else
    devices = std::move(*cluster);
  Options forInputs = options;
  if (options.train) // samples
    forInputs.data.clear();
  bool ok = failure.code == Ok && readInputs(forInputs, given, failure);
  for (const MethodName &entry : methodNames)
    for (ComparedMethod &row : rowsOf(entry.method, options, devices))
      ok = ok && compareMethod(options, given, devices, std::move(row), comparison, failure);
  ok = ok && (!options.measure || measure(options, given, devices, comparison, failure));
  if (!ok || (!options.html.empty() && !writePage(options, comparison, failure)))
    return failure.report(options);
  if (options.json)
    print(comparisonJson(comparison));
  else
    printComparison(comparison);
  return Ok;
}

} // namespace llmpar::tool
