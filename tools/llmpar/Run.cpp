//===- Run.cpp - llmpar compile, run, verify, bench -------------------------===//
#include "../BytesText.h"
#include "Session.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/MLIRContext.h"

namespace llmpar::tool {

/// "dir/model.onnx" -> "dir/model.llmpar"
static std::string programPath(llvm::StringRef model) {
  model.consume_back(".gz");
  llvm::SmallString<128> path(model);
  llvm::sys::path::replace_extension(path, "llmpar");
  return path.str().str();
}

int compileCommand(const Options &options) {
  Failure failure;
  Given given;
  std::string path = options.output;
  if (path.empty())
    path = options.compileTo.empty() ? programPath(options.model) : "-";
  if (path == "-" && options.json) {
    failure.set(Usage, "--json and the " + std::string(options.compileTo.empty() ? "program" : "IR") +
                           " would both go to standard output: add -o FILE");
    return failure.report(options);
  }
  if (!readInputs(options, given, failure))
    return failure.report(options);
  mlir::MLIRContext context;
  prepareContext(context);
  CompileResult result;
  {
    Progress progress;
    result = compileFor(context, options, given, {.mesh = options.mesh, .layout = options.layout}, progress, failure);
  }
  if (!result.ok)
    return failure.report(options);
  llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &os) { // nothing half written is ever at `path`
    if (options.compileTo.empty())
      os.write(result.program.data(), result.program.size());
    else
      result.module->print(os, mlir::OpPrintingFlags().elideLargeElementsAttrs(64));
    return llvm::Error::success();
  });
  if (error) {
    failure.set(Usage, llvm::toString(std::move(error)));
    return failure.report(options);
  }
  if (options.json)
    print(rt::JsonObject().add("ok", true).add("program", path).add("bytes", result.program.size()));
  return Ok;
}

namespace {

std::string meshText(const Session &session) {
  std::string text;
  for (size_t i = 0; i < llmpar_rt_mesh_axis_count(session.program()); ++i) {
    const char *name;
    uint32_t size;
    llmpar_rt_mesh_axis(session.program(), i, &name, &size);
    text += (i ? "," : "") + std::string(name) + "=" + std::to_string(size);
  }
  return text;
}

int printReports(const Options &options, const Session &session, llvm::ArrayRef<rt::NamedComparison> reports) {
  bool ok = llvm::all_of(reports, [](const rt::NamedComparison &r) { return r.comparison.match; });
  llmpar_rt_stats stats = session.stats();
  if (options.json) {
    rt::JsonArray outputs;
    for (const rt::NamedComparison &report : reports)
      outputs.add(rt::JsonObject()
                      .add("name", report.output)
                      .add("against", report.against)
                      .add("match", report.comparison.match)
                      .add("max_abs", report.comparison.maxAbsolute)
                      .add("max_rel", report.comparison.maxRelative)
                      .add("message", report.comparison.message));
    rt::JsonObject object;
    object.add("ok", ok)
        .add("layout", llmpar_rt_program_layout(session.program()))
        .add("mesh", meshText(session))
        .add("ranks", llmpar_rt_rank_count(session.program()))
        .add("threads", stats.threads)
        .add("seconds", stats.last_step_seconds)
        .add("communication_bytes", stats.bytes_sent_per_step)
        .add("peak_bytes", stats.peak_bytes)
        .add("outputs", outputs);
    auto bad = llvm::find_if(reports, [](const rt::NamedComparison &r) { return !r.comparison.match; });
    if (bad != reports.end())
      object.add("error", bad->output + " against " + bad->against + ": " + bad->comparison.message);
    print(object);
    return ok ? Ok : Mismatch;
  }
  for (const rt::NamedComparison &report : reports)
    llvm::outs() << llvm::format("%-8s %-24s against %-10s max |difference| %.3g  ", report.comparison.match ? "ok" : "MISMATCH",
                                 report.output.c_str(), report.against.c_str(), report.comparison.maxAbsolute)
                 << (report.comparison.match ? "" : report.comparison.message) << "\n";
  llvm::outs() << llvm::format("ranks %u   step %.3f ms   communication %s   memory %s\n",
                               llmpar_rt_rank_count(session.program()), stats.last_step_seconds * 1e3,
                               bytesText(stats.bytes_sent_per_step).c_str(), bytesText(stats.peak_bytes).c_str());
  return ok ? Ok : Mismatch;
}

} // namespace

int runCommand(const Options &options) {
  Failure failure;
  Given given;
  Session session;
  std::vector<rt::NamedComparison> reports;
  bool traces = options.device == "trace", prints = llvm::is_contained(options.outputs, "-");
  if (traces && !(options.outputs.empty() && options.expected.empty() && !options.json))
    failure.set(Usage, "--device=trace computes nothing: leave out --output, --expected-output and --json");
  if (prints && options.json)
    failure.set(Usage, "--json and --output=- both write to standard output: choose one");
  bool ok = failure.code == Ok && readInputs(options, given, failure) &&
            (traces || readExpected(options, given, failure)) &&
            session.open(options, given, {.mesh = options.mesh, .layout = options.layout}, failure) && session.step(failure) &&
            session.writeOutputs(failure);
  if (!ok)
    return failure.report(options);
  if (traces)
    return Ok;
  session.compareExpected(options, reports);
  if (options.outputs.empty() && reports.empty() && !options.json)
    for (const rt::HostTensor &output : session.outputs())
      llvm::outs() << output.name << ": " << rt::describeTensor(output) << "\n";
  return printReports(options, session, reports);
}

/// Compares with a run on one device, from the same inputs.
static bool compareSingle(const Options &options, const Given &given, const Session &session,
                          std::vector<rt::NamedComparison> &reports, Failure &failure) {
  Session single;
  if (!single.open(options, given, {.mesh = "", .layout = "single", .isBaseline = true}, failure) || !single.step(failure))
    return false;
  std::vector<rt::ExpectedOutput> expected;
  for (auto [index, output] : llvm::enumerate(single.outputs()))
    expected.push_back({index, &output});
  // Two results that are each within the tolerance of the truth lie within twice the tolerance of each other.
  rt::compareOutputs(session.outputs(), expected, "single", {2 * options.atol, 2 * options.rtol}, reports);
  return true;
}

int verifyCommand(const Options &options) {
  Failure failure;
  Given given;
  Session session;
  std::vector<rt::NamedComparison> reports;
  bool compiles = !llvm::StringRef(options.model).ends_with(".llmpar");
  auto isGiven = [](const std::string &option) { return !option.empty(); };
  bool sharded = compiles && (!options.pins.empty() ||
                              llvm::any_of(llvm::ArrayRef{options.mesh, options.cluster, options.planFile, options.deviceConfiguration}, isGiven));
  if (options.device == "trace")
    failure.set(Usage, "--device=trace computes nothing to compare");
  bool ok = failure.code == Ok && readInputs(options, given, failure) && readExpected(options, given, failure);
  if (ok && given.expected.empty() && !sharded)
    ok = failure.set(Usage, "nothing to compare with: give --data, --expected-output, or a --mesh, --cluster or --plan to run on several devices too");
  ok = ok && session.open(options, given, {.mesh = options.mesh, .layout = options.layout}, failure) && session.step(failure);
  if (ok)
    session.compareExpected(options, reports);
  if (!ok || (sharded && !compareSingle(options, given, session, reports, failure)))
    return failure.report(options);
  return printReports(options, session, reports);
}

/// Tokens of one step: the extents of the first integer input, batch x sequence; 0 if there is none.
static int64_t tokensPerStep(const Session &session) {
  for (const rt::HostTensor *input : session.inputs())
    if (!isFloat(input->dtype) && input->shape.size() == 2)
      return input->elements();
  return 0;
}

/// Seconds per step by kernel of rank 0, longest first.
static std::vector<std::pair<std::string, double>> secondsByKernel(const Session &session) {
  llvm::MapVector<llvm::StringRef, double> seconds;
  for (size_t i = 0, n = llmpar_rt_profile_count(session.instance(), 0); i < n; ++i) {
    llmpar_rt_profile_entry entry;
    llmpar_rt_profile(session.instance(), 0, i, &entry);
    seconds[entry.kernel] += entry.calls ? entry.seconds / static_cast<double>(entry.calls) : 0;
  }
  std::vector<std::pair<std::string, double>> rows(seconds.begin(), seconds.end());
  llvm::sort(rows, [](auto &a, auto &b) { return a.second > b.second; });
  return rows;
}

static void printProfile(const Session &session) {
  llvm::outs() << "\nrank 0, ms per step by kernel\n";
  for (auto &[kernel, time] : secondsByKernel(session))
    llvm::outs() << llvm::format("  %-16s %9.3f\n", kernel.c_str(), time * 1e3);
}

int benchCommand(const Options &options) {
  Failure failure;
  Given given;
  Session session;
  if (options.device == "trace") {
    failure.set(Usage, "--device=trace computes nothing to measure");
    return failure.report(options);
  }
  Method method{.mesh = options.mesh, .layout = options.layout, .missing = rt::Missing::StaysNull};
  bool ok = readInputs(options, given, failure) && session.open(options, given, method, failure);
  std::vector<double> seconds;
  for (int i = -2; ok && i < options.repeat; ++i) {
    llmpar_rt_set_profile(session.instance(), options.profile && i >= 0);
    ok = session.step(failure);
    if (i >= 0)
      seconds.push_back(session.stats().last_step_seconds);
  }
  if (!ok)
    return failure.report(options);
  llvm::sort(seconds);
  auto at = [&](double quantile) { return seconds[static_cast<size_t>(quantile * static_cast<double>(seconds.size() - 1) + 0.5)]; };
  double flops = 0;
  for (uint32_t rank = 0; rank < llmpar_rt_rank_count(session.program()); ++rank)
    for (size_t i = 0, n = llmpar_rt_profile_count(session.instance(), rank); i < n; ++i) {
      llmpar_rt_profile_entry entry;
      llmpar_rt_profile(session.instance(), rank, i, &entry);
      flops += entry.flops;
    }
  llmpar_rt_stats stats = session.stats();
  int64_t tokens = tokensPerStep(session);
  if (options.json) {
    rt::JsonObject report;
    report.add("median_s", at(0.5))
        .add("p5_s", at(0.05))
        .add("p95_s", at(0.95))
        .add("tokens_per_s", static_cast<double>(tokens) / at(0.5))
        .add("flops_per_s", flops / at(0.5))
        .add("communication_bytes", stats.bytes_sent_per_step)
        .add("peak_bytes", stats.peak_bytes)
        .add("resident_bytes", stats.resident_bytes)
        .add("ranks", llmpar_rt_rank_count(session.program()))
        .add("threads", stats.threads);
    if (options.profile) {
      rt::JsonObject kernels;
      for (auto &[kernel, time] : secondsByKernel(session))
        kernels.add(kernel, time);
      report.add("seconds_by_kernel", kernels);
    }
    print(report);
    return Ok;
  }
  llvm::outs() << llvm::format("ranks %u  median %.3f ms  p5 %.3f ms  p95 %.3f ms  %.1f GFLOP/s  %.0f tokens/s\n",
                               llmpar_rt_rank_count(session.program()), at(0.5) * 1e3, at(0.05) * 1e3, at(0.95) * 1e3,
                               flops / at(0.5) * 1e-9, static_cast<double>(tokens) / at(0.5));
  llvm::outs() << llvm::format("communication %s per step  memory %s resident, %s peak\n",
                               bytesText(stats.bytes_sent_per_step).c_str(), bytesText(stats.resident_bytes).c_str(),
                               bytesText(stats.peak_bytes).c_str());
  if (options.profile)
    printProfile(session);
  return Ok;
}

} // namespace llmpar::tool
