//===- Solve.cpp - llmpar-plan solve, enumerate -----------------------------===//
#include "../BytesText.h"
#include "Commands.h"
#include "Facts.h"

#include "llmpar/Planner/Algorithms.h"
#include "llmpar/Planner/PlanFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <atomic>
#include <chrono>

namespace llmpar::tool {
namespace {

/// Ctrl-C and SIGTERM. LLVM gives the signals back to the system then: a second one ends the process.
std::atomic<bool> interrupted = false;

/// "3.2 s   cost 120   bound 100   gap 16.67 %" on a terminal, ten times a second at most.
class ProgressLine {
public:
  ~ProgressLine() {
    if (shown)
      llvm::errs() << "\r\x1b[K";
  }
  bool operator()(const SolveProgress &now) {
    if (llvm::sys::Process::StandardErrIsDisplayed() && (!shown || now.seconds - last >= 0.1)) {
      shown = true;
      last = now.seconds;
      llvm::errs() << llvm::formatv("\r{0:f1} s   ", now.seconds);
      if (now.cost)
        llvm::errs() << llvm::formatv("cost {0}   bound {1}   gap {2:f2} %", *now.cost, now.lowerBound,
                                      *now.cost ? 100.0 * double(*now.cost - now.lowerBound) / double(*now.cost) : 0.0);
      else
        llvm::errs() << llvm::formatv("no plan yet   bound {0}", now.lowerBound);
      llvm::errs() << "\x1b[K";
    }
    return !interrupted;
  }

private:
  bool shown = false;
  double last = 0;
};

struct Solved {
  PlanProblem problem;
  Plan plan;
  double seconds = 0; ///< reading included
};

/// Why the search ended.
llvm::StringRef ending(const Options &options, const Plan &plan) {
  if (plan.optimal())
    return "optimal";
  if (interrupted)
    return "interrupted";
  return plan.gap() <= options.gapLimit ? "gap reached" : "time limit";
}

/// Says why there is no plan, and the way out.
std::string explainNoPlan(const Solved &solved) {
  const PlanProblem &problem = solved.problem;
  if (solved.plan.lowerBound < kForbidden && interrupted)
    return llvm::formatv("interrupted after {0:f1} s, before a plan was found", solved.seconds);
  if (solved.plan.lowerBound < kForbidden)
    return llvm::formatv("no plan found in {0:f1} s, and no proof that none exists: raise --time-limit or usage_limit",
                         solved.seconds);
  if (!problem.memoryLimit)
    return "every plan has a forbidden cost (null, or 10^18 and more)";
  PeakRange range = peakRange(problem);
  if (range.least <= *problem.memoryLimit)
    return llvm::formatv("no plan without forbidden costs stays within usage_limit, {0} bytes: raise it",
                         *problem.memoryLimit);
  std::string text =
      llvm::formatv("does not fit: step {0} needs at least {1} bytes, usage_limit is {2}: raise it by {3}", range.step,
                    range.least, *problem.memoryLimit, range.least - *problem.memoryLimit);
  for (auto [index, largest] : llvm::enumerate(largestAt(problem, range.step, 3)))
    text += llvm::formatv("{0} {1} ({2})", index ? "," : "; the largest there:", describeNode(problem, largest.first),
                          largest.second);
  return text;
}

/// "dir/B.json.gz" -> "out/B.plan.json" where several problems are solved into the folder "out".
std::string planPath(const Options &options, llvm::StringRef file) {
  if (options.files.size() == 1)
    return options.output;
  llvm::StringRef name = llvm::sys::path::filename(file);
  name.consume_back(".gz");
  name.consume_back(".json");
  llvm::SmallString<128> path(options.output);
  llvm::sys::path::append(path, name + ".plan.json");
  return path.str().str();
}

void printSolved(const Options &options, llvm::StringRef file, const Solved &solved) {
  const Plan &plan = solved.plan;
  std::optional<int64_t> limit = solved.problem.memoryLimit;
  llvm::StringRef end = ending(options, plan);
  if (options.json) {
    llvm::outs() << llvm::json::Value(llvm::json::Object{{"ok", true},
                                                         {"file", file},
                                                         {"name", solved.problem.name},
                                                         {"cost", plan.cost},
                                                         {"lower_bound", plan.lowerBound},
                                                         {"gap", plan.gap()},
                                                         {"peak_bytes", plan.peakBytes},
                                                         {"usage_limit", limit ? llvm::json::Value(*limit) : nullptr},
                                                         {"ending", end},
                                                         {"seconds", solved.seconds}})
                 << "\n";
  } else {
    llvm::raw_ostream &os = options.output == "-" ? llvm::errs() : llvm::outs();
    os << llvm::formatv("{0}: cost {1}, bound {2}, gap {3:f3} % ({4}), peak {5}", file, plan.cost, plan.lowerBound,
                        100 * plan.gap(), end, bytesText(plan.peakBytes));
    if (limit)
      os << " of " << bytesText(*limit);
    os << llvm::formatv(", {0:f2} s\n", solved.seconds);
  }
  llvm::outs().flush(); // the next file may take long
}

/// Checks, prints and writes a plan; an exit code.
int deliver(const Options &options, llvm::StringRef file, const Solved &solved) {
  if (!solved.plan.feasible())
    return reportError(options, DoesNotFit, (file + ": " + explainNoPlan(solved)).str());
  if (llvm::Error error = verifyPlan(solved.problem, solved.plan))
    return reportError(
        options, Internal,
        (file + ": internal error, the verifier refuses the plan: " + llvm::toString(std::move(error))).str());
  if (!options.output.empty()) {
    std::string path = planPath(options, file);
    llvm::Error error = llvm::writeToOutput(path, [&](llvm::raw_ostream &os) {
      os << writePlan(solved.plan);
      return llvm::Error::success();
    });
    if (error)
      return reportError(options, Usage, path + ": " + llvm::toString(std::move(error)));
  }
  printSolved(options, file, solved);
  return Ok;
}

using Solver = llvm::function_ref<llvm::Expected<Plan>(const PlanProblem &, double secondsLeft)>;

int solveFile(const Options &options, llvm::StringRef file, Solver solver) {
  auto begin = std::chrono::steady_clock::now();
  auto seconds = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); };
  llvm::Expected<PlanProblem> problem = loadProblem(file);
  if (!problem)
    return reportError(options, Usage, llvm::toString(problem.takeError()));
  llvm::Expected<Plan> plan = solver(*problem, std::max(0.0, options.timeLimitSeconds - seconds()));
  if (!plan)
    return reportError(options, Usage, (file + ": " + llvm::toString(plan.takeError())).str());
  return deliver(options, file, {std::move(*problem), std::move(*plan), seconds()});
}

} // namespace

int solveCommand(const Options &options) {
  if (!options.output.empty() && options.files.size() > 1 && !llvm::sys::fs::is_directory(options.output))
    return reportError(options, Usage, "-o " + options.output + " is no folder: several problems need one");
  llvm::sys::SetInterruptFunction([] { interrupted = true; });
  int code = Ok;
  for (const std::string &file : options.files) {
    if (interrupted) {
      llvm::errs() << "interrupted: " << file << " is not solved\n";
      code = code == Ok ? Interrupted : code;
      continue;
    }
    int result = solveFile(options, file, [&](const PlanProblem &problem, double secondsLeft) -> llvm::Expected<Plan> {
      ProgressLine line;
      SolveOptions solveOptions{
          .timeLimitSeconds = secondsLeft, .gapLimit = options.gapLimit, .progress = line};
      return solve(problem, solveOptions);
    });
    code = code == Ok ? result : code;
  }
  return code;
}

int enumerateCommand(const Options &options) {
  constexpr int64_t most = 10'000'000;
  return solveFile(options, options.files.front(), [&](const PlanProblem &problem, double) -> llvm::Expected<Plan> {
    if (int64_t count = combinations(problem); count > most)
      return llvm::createStringError(
          llvm::formatv("{0} combinations are too many to try (at most {1}): use llmpar-plan solve",
                        count == kForbidden ? "2^60 or more" : std::to_string(count), most)
              .str());
    return solveByEnumeration(problem);
  });
}

} // namespace llmpar::tool
