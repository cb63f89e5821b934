//===- Session.cpp - A model compiled and put on devices --------------------===//
#include "Session.h"

#include "llmpar/Cost/Quantity.h"
#include "llmpar/Frontend/ImportOnnx.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

namespace llmpar::tool {

bool Failure::set(int newCode, std::string text) {
  if (code == Ok) {
    code = newCode;
    message = std::move(text);
  }
  return false;
}
bool Failure::check(const rt::Status &status, Exit invalid) {
  return status.ok() || set(exitCodeOf(status, invalid), status.message());
}
bool Failure::setRuntime(llmpar_rt_code runtimeCode) { return set(static_cast<int>(runtimeCode), llmpar_rt_last_error()); }

int Failure::report(const Options &options) const {
  if (options.json)
    print(rt::JsonObject().add("ok", false).add("code", code).add("error", message).add("layout", options.layout));
  llvm::errs() << "error: " << message << "\n";
  return code;
}

void print(const rt::JsonObject &object) { llvm::outs() << object.text() << "\n"; }

bool readInputs(const Options &options, Given &given, Failure &failure) {
  return failure.check(rt::readGiven(rt::Side::Inputs, options.inputs, options.data, given.inputs));
}
bool readExpected(const Options &options, Given &given, Failure &failure) {
  return failure.check(rt::readGiven(rt::Side::Outputs, options.expected, options.data, given.expected));
}

/// "model.onnx: node 'x': message" from an MLIR location.
static std::string describeLocation(mlir::Location location) {
  std::string node, file;
  location->walk([&](mlir::Location inner) {
    if (auto name = mlir::dyn_cast<mlir::NameLoc>(inner); name && node.empty())
      node = name.getName().str();
    if (auto at = mlir::dyn_cast<mlir::FileLineColLoc>(inner); at && file.empty()) {
      file = at.getFilename().str();
      if (at.getLine() > 0)
        file += ":" + std::to_string(at.getLine()) + ":" + std::to_string(at.getColumn());
    }
    return mlir::WalkResult::advance();
  });
  std::string text = file.empty() ? "" : file + ": ";
  return node.empty() ? text : text + "node '" + node + "': ";
}

/// The importer's messages name their file and node themselves.
static std::string describe(mlir::Diagnostic &diagnostic) {
  std::string text = diagnostic.str(), where = describeLocation(diagnostic.getLocation());
  return text.find(".onnx: node '") != std::string::npos ? text : where + text;
}

void prepareContext(mlir::MLIRContext &context) {
  mlir::DialectRegistry registry;
  registerAllLlmparDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
}

llvm::Expected<int64_t> memoryLimit(const Options &options) {
  llvm::Expected<double> bytes = parseQuantity(options.memory, Measure::Bytes);
  constexpr double most = 1e18;
  if (!bytes || (*bytes >= 1 && *bytes <= most))
    return bytes ? llvm::Expected<int64_t>(static_cast<int64_t>(*bytes))
                 : llvm::createStringError("--memory: " + llvm::toString(bytes.takeError()));
  return llvm::createStringError("--memory=" + options.memory + ": a device has at least 1 B and at most 1000000 TB");
}

CompileResult compileFor(mlir::MLIRContext &context, const Options &options, const Given &given, const Method &method,
                         Progress &progress, Failure &failure) {
  CompileOptions compile;
  compile.mesh = method.mesh;
  compile.layout = method.layout;
  compile.dims = options.dims;
  if (!method.isBaseline) {
    compile.pins = options.pins;
    compile.planFile = options.planFile;
    compile.deviceConfiguration = options.deviceConfiguration;
    compile.dumpDir = options.dumpDir;
  }
  compile.compileTo = options.compileTo;
  compile.search = method.search;
  compile.training = method.training;
  compile.evaluation = method.evaluation;
  if (method.training || method.evaluation)
    compile.precision = options.bf16 ? "bf16" : options.fp16 ? "f16" : "";
  compile.cluster = method.isBaseline ? "" : options.cluster;
  if (!options.memory.empty() && !method.isBaseline) {
    llvm::Expected<int64_t> limit = memoryLimit(options);
    if (!limit) {
      failure.set(Usage, llvm::toString(limit.takeError()));
      return {};
    }
    compile.plan.memory = *limit;
  }
  compile.plan.timeSeconds = options.timeLimit;
  compile.plan.progress = method.progress;
  compile.plan.inspect = method.inspect;
  compile.onPhase = [&](llvm::StringRef phase) { progress.phase(("compile, " + phase).str()); };
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error) {
      if (message.empty())
        message = describe(diagnostic);
      return mlir::success();
    }
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Warning) {
      llvm::errs() << "warning: " << describe(diagnostic) << "\n";
      return mlir::success();
    }
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Remark) {
      llvm::errs() << "remark: " << describe(diagnostic) << "\n";
      return mlir::success();
    }
    return mlir::failure();
  });
  bool isOnnx = llvm::StringRef(options.model).ends_with(".onnx") || llvm::StringRef(options.model).ends_with(".gz");
  bool hasMicroBatches = method.training && method.training->step.accumulation > 1; // given are the rows of all
  if (!given.inputs.empty() && isOnnx && !hasMicroBatches) {
    // Inputs without a name, or with one that is not the model's, count by position.
    std::optional<OnnxSignature> signature = readOnnxSignature(context, options.model);
    if (!signature) {
      failure.set(CompileError, message);
      return {};
    }
    std::vector<std::string> names;
    for (const OnnxSignature::Tensor &input : signature->inputs)
      names.push_back(input.name);
    std::vector<const rt::HostTensor *> placed;
    if (!failure.check(rt::placeInputs(given.inputs, names, placed)))
      return {};
    for (auto [index, tensor] : llvm::enumerate(placed))
      if (tensor)
        compile.inputShapes[names[index]] = llvm::SmallVector<int64_t>(tensor->shape.begin(), tensor->shape.end());
  }
  CompileResult result = compileModel(context, options.model, compile);
  if (!result.ok)
    failure.set(result.isUsageError ? Usage : result.doesNotFit ? DoesNotFit : CompileError, message.empty() ? "compilation failed" : message);
  return result;
}

Session::~Session() {
  llmpar_rt_instance_destroy(instance_);
  llmpar_rt_program_close(program_);
}

bool Session::openProgram(const Options &options, const Given &given, const Method &method, Progress &progress,
                          Failure &failure) {
  llmpar_rt_code code;
  if (llvm::StringRef(options.model).ends_with(".llmpar")) {
    if (!options.mesh.empty() || options.layout != "single" || !options.pins.empty() || !options.dims.empty() ||
        !options.dumpDir.empty() || !options.planFile.empty() || !options.deviceConfiguration.empty() || !options.memory.empty())
      return failure.set(Usage, options.model + " is compiled: --mesh, --layout, --plan, --device-config, --shard, --dim, --memory and --dump-dir belong to "
                                                "`llmpar compile`");
    code = llmpar_rt_program_open(options.model.c_str(), &program_);
  } else {
    mlir::MLIRContext context;
    prepareContext(context);
    CompileResult compiled = compileFor(context, options, given, method, progress, failure);
    if (!compiled.ok)
      return false;
    summary_ = compiled.step.value_or(StepSummary());
    cluster_ = compiled.cluster;
    code = llmpar_rt_program_open_memory(compiled.program.data(), compiled.program.size(), &program_);
  }
  return code == LLMPAR_RT_OK || failure.setRuntime(code);
}

bool Session::open(const Options &options, const Given &given, const Method &method, Failure &failure) {
  Progress progress;
  if (!openProgram(options, given, method, progress, failure) || !placeTensors(options, given, method, failure))
    return false;
  std::string folder = options.weights.empty() ? llvm::sys::path::parent_path(options.model).str() : options.weights;
  llmpar_rt_options runtime{};
  runtime.device = options.device.c_str();
  runtime.lanes = options.lanes.c_str();
  runtime.weights_directory = folder.c_str();
  progress.phase("load weights");
  llmpar_rt_code code = llmpar_rt_instance_create(program_, &runtime, &instance_);
  return code == LLMPAR_RT_OK || failure.setRuntime(code);
}

using Describe = llmpar_rt_code(const llmpar_rt_program *program, size_t index, llmpar_rt_tensor *tensor);

static std::vector<rt::TensorInfo> tensorInfos(const llmpar_rt_program *program, size_t count, Describe *describe) {
  std::vector<rt::TensorInfo> infos;
  for (size_t i = 0; i < count; ++i) {
    llmpar_rt_tensor tensor;
    describe(program, i, &tensor);
    infos.push_back({tensor.name, static_cast<DType>(tensor.dtype_code), {tensor.shape, tensor.shape + tensor.rank}});
  }
  return infos;
}

bool Session::placeTensors(const Options &options, const Given &given, const Method &method, Failure &failure) {
  std::vector<rt::TensorInfo> inputs = tensorInfos(program_, llmpar_rt_input_count(program_), llmpar_rt_input);
  bool traces = options.device == "trace";
  rt::Missing missing = traces ? rt::Missing::StaysNull : method.missing;
  if (!failure.check(rt::bindInputs(given.inputs, inputs, missing, inputs_)))
    return false;
  if (traces)
    return true;
  std::vector<std::string> names;
  for (rt::TensorInfo &info : tensorInfos(program_, llmpar_rt_output_count(program_), llmpar_rt_output)) {
    names.push_back(info.name);
    rt::HostTensor &output = outputs_.emplace_back(rt::HostTensor{info.name, info.dtype, info.shape, {}});
    if (!failure.check(rt::allocateTensor(output)))
      return false;
  }
  if (!method.isBaseline && (!failure.check(rt::placeExpected(given.expected, names, expected_)) ||
                             !failure.check(rt::parseOutputs(options.outputs, names, targets_))))
    return false;
  return makeUpInputs(inputs, failure);
}

/// Something to measure with: small varied floats, ones elsewhere (token 1, an unmasked position).
static void makeUp(rt::HostTensor &tensor) {
  uint32_t state = 1;
  for (int64_t i = 0, n = tensor.elements(); i < n; ++i)
    dispatch(tensor.dtype, [&](auto zero) {
      using T = decltype(zero);
      state = state * 1664525u + 1013904223u;
      float value = isFloat(tensor.dtype) ? static_cast<float>(state >> 8) / 16777216.0f - 0.5f : 1.0f;
      tensor.as<T>()[i] = static_cast<T>(value);
    });
}

bool Session::makeUpInputs(llvm::ArrayRef<rt::TensorInfo> infos, Failure &failure) {
  for (auto [info, input] : llvm::zip(infos, inputs_)) {
    if (input)
      continue;
    madeUp_.push_back(std::make_unique<rt::HostTensor>(rt::HostTensor{info.name, info.dtype, info.shape, {}}));
    if (!failure.check(rt::allocateTensor(*madeUp_.back())))
      return false;
    makeUp(*madeUp_.back());
    input = madeUp_.back().get();
  }
  return true;
}

rt::HostTensor *Session::madeUp(llvm::StringRef name) const {
  for (const std::unique_ptr<rt::HostTensor> &tensor : madeUp_)
    if (tensor->name == name)
      return tensor.get();
  return nullptr;
}

bool Session::step(Failure &failure) {
  std::vector<const void *> in;
  std::vector<void *> out;
  for (const rt::HostTensor *tensor : inputs_)
    in.push_back(tensor ? tensor->data.data() : nullptr); // null: a trace reads none
  for (rt::HostTensor &tensor : outputs_)
    out.push_back(tensor.data.data());
  llmpar_rt_code code = llmpar_rt_run(instance_, in.data(), in.size(), out.data(), out.size());
  return code == LLMPAR_RT_OK || failure.setRuntime(code);
}

void Session::compareExpected(const Options &options, std::vector<rt::NamedComparison> &comparisons) const {
  rt::compareOutputs(outputs_, expected_, "expected", {options.atol, options.rtol}, comparisons);
}

bool Session::writeOutputs(Failure &failure) const { return failure.check(rt::writeOutputs(targets_, outputs_)); }

llmpar_rt_stats Session::stats() const {
  llmpar_rt_stats stats{};
  llmpar_rt_get_stats(instance_, &stats);
  return stats;
}

} // namespace llmpar::tool
