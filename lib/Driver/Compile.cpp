//===- Compile.cpp - From a model file to a program -------------------------===//
#include "llmpar/Driver/Compile.h"

#include "llmpar/Driver/Phases.h"
#include "llmpar/Driver/Pipelines.h"
#include "llmpar/Dialect/Llmpar.h"
#include "llmpar/Exec/Exec.h"
#include "llmpar/Exec/ProgramFile.h"
#include "llmpar/Frontend/DeviceConfigurations.h"
#include "llmpar/Frontend/ImportOnnx.h"
#include "llmpar/Planning/NoPlanFits.h"
#include "llmpar/Planning/PlanDocument.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

namespace llmpar {
namespace {

class Compiler {
public:
  Compiler(mlir::MLIRContext &context, llvm::StringRef path, const CompileOptions &options)
      : context(context), path(path), options(options), layoutName(options.layout) {}

  CompileResult run() {
    CompileResult result;
    if (mlir::failed(check())) {
      result.isUsageError = true;
      return result;
    }
    auto wants = [&](llvm::StringRef phase) { // false behind --compile-to
      bool open = !stopped;
      if (open && options.onPhase)
        options.onPhase(phase);
      stopped = stopped || phase == options.compileTo;
      return open;
    };
    if (wants("import") && mlir::failed(import()))
      return result;
    if (mlir::failed(chooseAxes())) {
      result.isUsageError = true;
      return result;
    }
    auto phase = [&](llvm::StringRef name, auto build) { return !wants(name) || mlir::succeeded(passes(name, build)); };
    bool isStep = options.training || options.evaluation;
    auto fuse = [&](mlir::OpPassManager &pm) { buildFuse(pm, isStep); };
    auto step = [&](mlir::OpPassManager &pm) {
      if (options.training)
        buildTrain(pm, *options.training, options.precision, splitsWeights());
      else
        buildEvaluate(pm, *options.evaluation, options.precision, splitsWeights());
    };
    auto partition = [&](mlir::OpPassManager &pm) {
      stepsApart() && hasReplicas() ? buildPartition(pm, replicaAxis(), *options.training->synchronizeEvery) : buildPartition(pm);
    };
    if (!phase("simplify", buildSimplify) || !phase("fuse", fuse) || (isStep && !phase("train", step)))
      return result;
    if (isStep)
      result.step = summarizeStep(*module);
    if ((wants("layout") && mlir::failed(layout(result))) || !phase("partition", partition) || !phase("localize", buildLocalize) || !phase("lower", [&](mlir::OpPassManager &pm) { buildLower(pm, layoutName); }))
      return result;
    if (options.compileTo.empty() && mlir::failed(exportFile(result.program)))
      return result;
    result.ok = true;
    result.module = std::move(module);
    return result;
  }

private:
  mlir::MLIRContext &context;
  llvm::StringRef path;
  const CompileOptions &options;
  Mesh mesh;
  LayoutAxes axes;
  std::optional<Method> method; ///< of a layout by search
  std::string layoutName;       ///< that the program says
  llvm::StringMap<int64_t> dims;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  bool stopped = false;
  int dumped = 0;

  mlir::LogicalResult error(const llvm::Twine &message) {
    return mlir::emitError(mlir::UnknownLoc::get(&context)) << message;
  }

  bool stepsApart() const { return options.training && options.training->synchronizeEvery; }
  /// Whether ranks of an axis hold the same states.
  bool hasReplicas() const { return zeroStage() == 0 && llvm::is_contained({"data", "hybrid"}, options.layout); }
  /// Whether weights may be split by more than ZeRO.
  bool splitsWeights() const { return method || !axes.tensor.empty(); }
  bool choosesRecompute() const { return options.training && options.training->recompute == "auto"; }
  /// The data axis, of a layout by rule or by search.
  std::string replicaAxis() const {
    return !axes.data.empty() ? axes.data : mesh.find("dp") >= 0 || mesh.axes.empty() ? "dp" : mesh.axes.front().name;
  }
  int zeroStage() const { return options.training ? options.training->zeroStage : 0; }

  mlir::LogicalResult check() {
    llvm::Expected<Mesh> parsed = Mesh::parse(options.mesh);
    if (!parsed)
      return error(llvm::toString(parsed.takeError()));
    mesh = *parsed;
    for (const std::string &dim : options.dims) {
      auto [name, text] = llvm::StringRef(dim).rsplit('=');
      int64_t value;
      if (name.empty() || text.getAsInteger(10, value) || value < 0)
        return error("--dim " + dim + ": write name=size, e.g. --dim batch=1");
      if (auto [known, isNew] = dims.try_emplace(name, value); !isNew && known->second != value)
        return error("--dim " + name + " is given twice: as " + llvm::Twine(known->second) + " and as " + llvm::Twine(value));
    }
    // A module of its own may bring its mesh: then the layout is checked behind import.
    if (!path.ends_with(".mlir") && mlir::failed(chooseAxes()))
      return mlir::failure();
    if (!options.compileTo.empty() &&
        llvm::none_of(phases, [&](const Phase &phase) { return phase.name == options.compileTo; }))
      return error("--compile-to=" + options.compileTo + " is not a phase: choose " +
                   llvm::join(llvm::map_range(phases, [](const Phase &p) { return p.name.str(); }), ", "));
    if (!options.dumpDir.empty())
      if (std::error_code code = llvm::sys::fs::create_directories(options.dumpDir))
        return error("--dump-dir=" + options.dumpDir + ": " + code.message());
    return mlir::success();
  }

  mlir::LogicalResult chooseAxes() {
    if (stepsApart() && options.training->step.staleness == 0 && !hasReplicas())
      return error("--sync-interval is for replicas with states of their own: choose --layout=data or hybrid, without --zero");
    if (zeroStage() > 0 && !llvm::is_contained({"single", "data", "tensor", "hybrid"}, options.layout))
      return error("--zero is for layouts by rule: choose --layout=data or hybrid");
    if (!options.planFile.empty())
      return checkReplay();
    bool hasRule = llvm::is_contained({"single", "data", "tensor", "hybrid"}, options.layout);
    if (method = methodOf(options.layout); method && (options.search || !hasRule)) {
      if (mesh.axes.empty() && options.cluster.empty() && options.deviceConfiguration.empty() && !path.ends_with(".mlir"))
        return error("layout '" + options.layout + "' is searched for a cluster: give --cluster (`llmpar cluster list` names some), or a --mesh");
      if (mesh.axes.empty() && !options.pins.empty())
        return error("--shard names axes of a mesh: give --mesh too");
      if (options.cluster.empty())
        return mlir::success();
      llvm::Expected<Cluster> cluster = findCluster(options.cluster);
      if (!cluster)
        return error(llvm::toString(cluster.takeError()));
      if (!mesh.axes.empty() && *method != Method::Single && mesh.ranks() != cluster->ranks())
        return error(llvm::formatv("the mesh '{0}' has {1} ranks, but cluster '{2}' has {3} devices", mesh.str(), mesh.ranks(),
                                   cluster->name, cluster->ranks()).str());
      return mlir::success();
    }
    method.reset();
    if (choosesRecompute())
      return error("--recompute=auto is a choice of the search: choose --layout=auto, or none, selective or full");
    if (options.plan.memory)
      return error("--memory limits a search: choose --layout=auto, or plan this layout with `llmpar plan --method " + options.layout + "`");
    if (!options.cluster.empty())
      return error("--cluster is for layouts that are searched: choose --layout=auto, or plan this one with `llmpar plan --method " + options.layout + "`");
    if (options.layout == "single" && mesh.ranks() > 1 && options.pins.empty() && !path.ends_with(".mlir"))
      return error("layout 'single' uses one device, but the mesh is '" + mesh.str() +
                   "': choose --layout=data, tensor or hybrid, or pin tensors with --shard");
    llvm::Expected<LayoutAxes> chosen = layoutAxes(options.layout, mesh);
    if (!chosen)
      return error(llvm::toString(chosen.takeError()));
    axes = *chosen;
    if (zeroStage() > 0 && axes.data.empty())
      return error("--zero splits the optimizer over the data axis, which layout '" + options.layout + "' has not: choose --layout=data or hybrid");
    return mlir::success();
  }

  mlir::LogicalResult import() {
    if (path.ends_with(".mlir")) {
      module = mlir::parseSourceFile<mlir::ModuleOp>(path, &context);
    } else {
      ImportOptions import;
      import.inputShapes = options.inputShapes;
      import.dims = dims;
      import.keepsSmallParameters = options.training || options.evaluation; // a checkpoint of one fits the other
      module = importOnnx(context, path, import);
    }
    if (!module)
      return mlir::failure();
    if (!mesh.axes.empty()) {
      if (module->lookupSymbol("mesh"))
        return error(path + " has a mesh of its own: leave out --mesh");
      setMesh(*module, mesh);
    }
    mesh = meshOf(*module);
    return dump("import");
  }

  mlir::LogicalResult checkReplay() {
    if (options.layout != "single" || options.search || !options.pins.empty() || !options.deviceConfiguration.empty())
      return error("--plan=" + options.planFile + " is a layout: leave out --layout, --method, --shard and --device-config");
    if (options.plan.memory)
      return error("--plan=" + options.planFile + " searches nothing: leave out --memory");
    return mlir::success();
  }

  /// The layout phase of --plan: the passes around a search, with the file's choice in place of one.
  mlir::LogicalResult replay(CompileResult &result) {
    auto fail = [&](llvm::Error why) { return error(options.planFile + ": " + llvm::toString(std::move(why))); };
    auto buffer = llvm::MemoryBuffer::getFile(options.planFile, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!buffer)
      return error(options.planFile + ": " + buffer.getError().message());
    llvm::Expected<PlanDocument> document = readPlanDocument((*buffer)->getBuffer());
    if (!document)
      return fail(document.takeError());
    llvm::Expected<Cluster> cluster = options.cluster.empty() ? parseCluster(document->clusterText, options.planFile + " (cluster)")
                                                              : findCluster(options.cluster);
    if (!cluster)
      return error(llvm::toString(cluster.takeError()));
    mlir::PassManager before(&context);
    buildBeforePlan(before, {});
    if (mlir::failed(before.run(*module)))
      return mlir::failure();
    if (llvm::Error stale = replayPlan(*module, *document, *cluster))
      return fail(std::move(stale));
    mesh = meshOf(*module);
    layoutName = document->method;
    result.cluster = std::move(*cluster);
    return passes("layout", buildAfterPlan);
  }

  /// The graphs that compute what is asked, ready to be planned: the module, or a step for each way to recompute.
  mlir::LogicalResult variants(llvm::SmallVectorImpl<mlir::OwningOpRef<mlir::ModuleOp>> &graphs, std::vector<std::string> &recompute) {
    graphs.push_back(std::move(module));
    if (choosesRecompute())
      recompute = {"none", "selective", "full"};
    for (size_t i = 1; i < recompute.size(); ++i)
      graphs.push_back(graphs[0]->clone());
    for (auto [index, graph] : llvm::enumerate(graphs)) {
      mlir::PassManager pm(&context);
      if (choosesRecompute())
        pm.addPass(createRecompute({recompute[index]}));
      buildBeforePlan(pm, options.pins);
      if (mlir::failed(pm.run(*graph)))
        return mlir::failure();
    }
    return mlir::success();
  }

  mlir::LogicalResult layout(CompileResult &result) {
    if (!options.planFile.empty())
      return replay(result);
    if (!options.deviceConfiguration.empty()) {
      if (llvm::Error why = followAnnotations(*module, path, options.deviceConfiguration))
        return error(llvm::toString(std::move(why)));
      mesh = meshOf(*module);
    }
    if (!method)
      return passes("layout", [&](mlir::OpPassManager &pm) { buildLayout(pm, axes, options.pins, zeroStage()); });
    llvm::Expected<Cluster> cluster =
        findCluster(options.cluster.empty() ? "cpu-" + std::to_string(mesh.ranks()) : options.cluster);
    if (!cluster)
      return error(llvm::toString(cluster.takeError()));
    PlanRequest request{.cluster = *cluster, .method = *method, .mesh = {}, .memoryLimit = options.plan.memory,
                        .timeLimitSeconds = options.plan.timeSeconds, .progress = nullptr};
    if (options.plan.progress)
      request.progress = options.plan.progress;
    if (!mesh.axes.empty())
      request.mesh = mesh;
    llvm::SmallVector<mlir::OwningOpRef<mlir::ModuleOp>> owned;
    if (mlir::failed(variants(owned, result.recompute)))
      return mlir::failure();
    auto graphs = llvm::map_to_vector(owned, [](auto &variant) { return *variant; });
    auto inspect = [&](FoundPlan &found) { options.plan.inspect(graphs[found.plan.chosen().variant], request, found); };
    if (options.plan.inspect)
      request.inspect = inspect;
    llvm::Expected<ShardingPlan> plan = planShardings(graphs, request);
    module = std::move(owned[plan ? plan->chosen().variant : 0]);
    if (!plan) {
      llvm::Error why = plan.takeError();
      result.doesNotFit = why.isA<NoPlanFits>();
      result.doesNotApply = why.isA<MethodDoesNotApply>();
      return error(llvm::toString(std::move(why)));
    }
    llvm::Expected<PlanDocument> document = documentPlan(*module, *plan, *cluster, *method);
    if (!document)
      return error(llvm::toString(document.takeError()));
    result.document = std::move(*document);
    result.plan = std::move(*plan);
    result.cluster = std::move(*cluster);
    return passes("layout", buildAfterPlan);
  }

  mlir::LogicalResult passes(llvm::StringRef name, llvm::function_ref<void(mlir::OpPassManager &)> build) {
    mlir::PassManager pm(&context);
    build(pm);
    if (mlir::failed(pm.run(*module)))
      return mlir::failure();
    return dump(name);
  }

  mlir::LogicalResult dump(llvm::StringRef phase) {
    ++dumped;
    if (options.dumpDir.empty())
      return mlir::success();
    llvm::SmallString<128> file(options.dumpDir);
    llvm::sys::path::append(file, llvm::formatv("{0}{1}-{2}.mlir", dumped < 10 ? "0" : "", dumped, phase).str());
    std::error_code code;
    llvm::raw_fd_ostream os(file, code);
    if (code)
      return error(file + ": " + code.message());
    module->print(os, mlir::OpPrintingFlags().elideLargeElementsAttrs(64));
    return mlir::success();
  }

  mlir::LogicalResult exportFile(std::vector<char> &program) {
    exec::ProgramOp op;
    module->walk([&](exec::ProgramOp found) { op = found; });
    if (!op)
      return error("lowering left no program");
    llvm::Expected<std::vector<char>> bytes = exec::exportProgram(op);
    if (!bytes)
      return error(llvm::toString(bytes.takeError()));
    program = std::move(*bytes);
    return mlir::success();
  }
};

} // namespace

CompileResult compileModel(mlir::MLIRContext &context, llvm::StringRef path, const CompileOptions &options) {
  return Compiler(context, path, options).run();
}

} // namespace llmpar
