//===- Run.cpp - llmpar compile, run, verify, bench -------------------------===//
#include "Session.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/MLIRContext.h"

#include <cmath>

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
  if (!readGiven(options, given, failure))
    return failure.report(options);
  mlir::MLIRContext context;
  prepareContext(context);
  CompileResult result = compileFor(context, options, given, {options.mesh, options.layout}, failure);
  if (!result.ok)
    return failure.report(options);
  std::string path = options.output;
  if (path.empty())
    path = options.compileTo.empty() ? programPath(options.model) : "-";
  // Written beside the target and renamed: nothing half written is ever at `path`.
  std::error_code code;
  std::string target = path == "-" ? path : path + ".partial";
  {
    llvm::raw_fd_ostream os(target, code);
    if (!code && options.compileTo.empty())
      os.write(result.program.data(), result.program.size());
    else if (!code)
      result.module->print(os, mlir::OpPrintingFlags().elideLargeElementsAttrs(64));
  }
  if (!code && path != "-")
    code = llvm::sys::fs::rename(target, path);
  if (code) {
    failure.set(Usage, path + ": " + code.message());
    return failure.report(options);
  }
  if (options.json)
    llvm::outs() << llvm::formatv("{0:2}\n", llvm::json::Value(llvm::json::Object{
                                                 {"ok", true}, {"program", path}, {"bytes", static_cast<int64_t>(result.program.size())}}));
  return Ok;
}

namespace {

std::string bytesText(uint64_t bytes) {
  const char *units[] = {"B", "KiB", "MiB", "GiB"};
  double value = static_cast<double>(bytes);
  int unit = 0;
  for (; value >= 1024 && unit < 3; ++unit)
    value /= 1024;
  return llvm::formatv(unit ? "{0:f1} {1}" : "{0:f0} {1}", value, units[unit]).str();
}

/// JSON has no infinity and no NaN.
llvm::json::Value number(double value) { return std::isfinite(value) ? llvm::json::Value(value) : llvm::json::Value(nullptr); }

struct OutputReport {
  std::string name, against;
  rt::Comparison comparison;
};

/// Compares outputs with `expected`, by name or position. `slack` times the tolerance is allowed.
bool compare(const Session &session, llvm::ArrayRef<rt::HostTensor> expected, size_t fromData, const std::string &against,
             const Options &options, std::vector<OutputReport> &reports, Failure &failure, double slack = 1) {
  for (auto [index, want] : llvm::enumerate(expected)) {
    auto found = llvm::find_if(session.outputs(), [&](const rt::HostTensor &o) { return o.name == want.name; });
    bool byPosition = want.name.empty() || index >= expected.size() - fromData;
    if (found == session.outputs().end() && byPosition && index < session.outputs().size())
      found = session.outputs().begin() + index;
    if (found == session.outputs().end())
      return failure.set(Usage, "the model has no output '" + want.name + "'");
    reports.push_back({found->name, against, rt::compareTensors(*found, want, slack * options.atol, slack * options.rtol)});
  }
  return true;
}

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

int printReports(const Options &options, const Session &session, llvm::ArrayRef<OutputReport> reports) {
  bool ok = llvm::all_of(reports, [](const OutputReport &r) { return r.comparison.match; });
  llmpar_rt_stats stats = session.stats();
  if (options.json) {
    llvm::json::Array outputs;
    for (const OutputReport &report : reports)
      outputs.push_back(llvm::json::Object{{"name", report.name},
                                           {"against", report.against},
                                           {"match", report.comparison.match},
                                           {"max_abs", number(report.comparison.maxAbsolute)},
                                           {"max_rel", number(report.comparison.maxRelative)},
                                           {"message", report.comparison.message}});
    llvm::json::Object object{{"ok", ok},
                              {"layout", llmpar_rt_program_layout(session.program())},
                              {"mesh", meshText(session)},
                              {"ranks", static_cast<int64_t>(llmpar_rt_rank_count(session.program()))},
                              {"seconds", stats.last_step_seconds},
                              {"communication_bytes", static_cast<int64_t>(stats.bytes_sent_per_step)},
                              {"peak_bytes", static_cast<int64_t>(stats.peak_bytes)},
                              {"outputs", std::move(outputs)}};
    if (!ok)
      for (const OutputReport &report : reports)
        if (!report.comparison.match) {
          object["error"] = report.name + " against " + report.against + ": " + report.comparison.message;
          break;
        }
    llvm::outs() << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(object)));
    return ok ? Ok : Mismatch;
  }
  for (const OutputReport &report : reports)
    llvm::outs() << llvm::format("%-8s %-24s against %-10s max |difference| %.3g  ", report.comparison.match ? "ok" : "MISMATCH",
                                 report.name.c_str(), report.against.c_str(), report.comparison.maxAbsolute)
                 << (report.comparison.match ? "" : report.comparison.message) << "\n";
  llvm::outs() << llvm::format("ranks %u   step %.3f ms   communication %s   memory %s\n",
                               llmpar_rt_rank_count(session.program()), stats.last_step_seconds * 1e3,
                               bytesText(stats.bytes_sent_per_step).c_str(), bytesText(stats.peak_bytes).c_str());
  return ok ? Ok : Mismatch;
}

/// --output values: "name=@file", "@file" (the next output in order) or "@all.npz".
bool writeOutputs(const Options &options, const Session &session, Failure &failure) {
  size_t next = 0;
  for (const std::string &argument : options.outputs) {
    size_t at = argument.starts_with("@") ? 0 : argument.find("=@") + 1;
    if (argument[at] != '@')
      return failure.set(Usage, "--output=" + argument + ": write [name=]@file");
    std::string path = argument.substr(at + 1), name = argument.substr(0, at);
    if (!name.empty() && name.back() == '=')
      name.pop_back();
    std::vector<rt::HostTensor> tensors;
    if (name.empty() && llvm::StringRef(path).ends_with(".npz"))
      tensors = session.outputs();
    else if (name.empty() && next < session.outputs().size())
      tensors.push_back(session.outputs()[next++]);
    for (const rt::HostTensor &output : session.outputs())
      if (!name.empty() && output.name == name)
        tensors.push_back(output);
    if (tensors.empty())
      return failure.set(Usage, "--output=" + argument + ": the model has no such output");
    if (rt::Status status = rt::writeTensors(path, tensors); !status.ok())
      return failure.set(status);
  }
  return true;
}

} // namespace

int runCommand(const Options &options) {
  Failure failure;
  Given given;
  Session session;
  std::vector<OutputReport> reports;
  if (options.device == "trace" && !(options.outputs.empty() && options.expected.empty() && !options.json)) {
    failure.set(Usage, "--device=trace computes nothing: leave out --output, --expected-output and --json");
    return failure.report(options);
  }
  bool ok = readGiven(options, given, failure) &&
            session.open(options, given, {options.mesh, options.layout}, failure) &&
            session.bindInputs(given, /*generate=*/options.device == "trace", failure) && session.step(failure);
  if (ok && options.device == "trace")
    return Ok; // nothing was computed
  ok = ok && writeOutputs(options, session, failure) &&
       compare(session, given.expected, given.expectedFromData, "expected", options, reports, failure);
  if (!ok)
    return failure.report(options);
  if (options.outputs.empty() && given.expected.empty() && !options.json)
    for (const rt::HostTensor &output : session.outputs())
      llvm::outs() << output.name << ": " << rt::describeTensor(output) << "\n";
  return printReports(options, session, reports);
}

int verifyCommand(const Options &options) {
  Failure failure;
  Given given;
  Session session, single;
  std::vector<OutputReport> reports;
  bool compiles = !llvm::StringRef(options.model).ends_with(".llmpar");
  bool sharded = compiles && (!options.mesh.empty() || !options.pins.empty());
  if (options.device == "trace") {
    failure.set(Usage, "--device=trace computes nothing to compare");
    return failure.report(options);
  }
  bool ok = readGiven(options, given, failure) &&
            session.open(options, given, {options.mesh, options.layout}, failure) &&
            session.bindInputs(given, false, failure) && session.step(failure) &&
            compare(session, given.expected, given.expectedFromData, "expected", options, reports, failure);
  // Two results that are each within the tolerance of the truth lie within twice the tolerance of each other.
  if (ok && sharded)
    ok = single.open(options, given, {"", "single", /*isBaseline=*/true}, failure) && single.bindInputs(given, false, failure) &&
         single.step(failure) && compare(session, single.outputs(), 0, "single", options, reports, failure, /*slack=*/2);
  if (ok && reports.empty())
    ok = failure.set(Usage, "nothing to compare with: give --data, --expected-output or a --mesh");
  if (!ok)
    return failure.report(options);
  return printReports(options, session, reports);
}

/// Tokens of one step: the extents of the first integer input, batch x sequence; 0 if there is none.
static int64_t tokensPerStep(const Session &session) {
  for (const rt::HostTensor &input : session.inputs())
    if (!isFloat(input.dtype) && input.shape.size() == 2)
      return input.elements();
  return 0;
}

static void printProfile(const Session &session) {
  llvm::MapVector<llvm::StringRef, double> seconds;
  for (size_t i = 0, n = llmpar_rt_profile_count(session.instance(), 0); i < n; ++i) {
    llmpar_rt_profile_entry entry;
    llmpar_rt_profile(session.instance(), 0, i, &entry);
    seconds[entry.kernel] += entry.calls ? entry.seconds / static_cast<double>(entry.calls) : 0;
  }
  auto rows = seconds.takeVector();
  llvm::sort(rows, [](auto &a, auto &b) { return a.second > b.second; });
  llvm::outs() << "\nrank 0, ms per step by kernel\n";
  for (auto &[kernel, time] : rows)
    llvm::outs() << llvm::format("  %-16s %9.3f\n", kernel.str().c_str(), time * 1e3);
}

int benchCommand(const Options &options) {
  Failure failure;
  Given given;
  Session session;
  if (options.device == "trace") {
    failure.set(Usage, "--device=trace computes nothing to measure");
    return failure.report(options);
  }
  bool ok = readGiven(options, given, failure) &&
            session.open(options, given, {options.mesh, options.layout}, failure) &&
            session.bindInputs(given, /*generate=*/true, failure);
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
    llvm::outs() << llvm::formatv(
        "{0:2}\n", llvm::json::Value(llvm::json::Object{
                       {"median_s", at(0.5)},
                       {"p5_s", at(0.05)},
                       {"p95_s", at(0.95)},
                       {"tokens_per_s", static_cast<double>(tokens) / at(0.5)},
                       {"flops_per_s", flops / at(0.5)},
                       {"communication_bytes", static_cast<int64_t>(stats.bytes_sent_per_step)},
                       {"peak_bytes", static_cast<int64_t>(stats.peak_bytes)},
                       {"resident_bytes", static_cast<int64_t>(stats.resident_bytes)},
                       {"ranks", static_cast<int64_t>(llmpar_rt_rank_count(session.program()))}}));
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
