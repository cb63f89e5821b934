//===- Session.cpp - A model compiled and put on devices --------------------===//
#include "Session.h"

#include "llmpar/Frontend/ImportOnnx.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
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
bool Failure::set(const rt::Status &status) { return set(static_cast<int>(status.code()), status.message()); }
bool Failure::setRuntime(llmpar_rt_code runtimeCode) { return set(static_cast<int>(runtimeCode), llmpar_rt_last_error()); }

int Failure::report(const Options &options) const {
  if (options.json)
    llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(llvm::json::Object{
                                               {"ok", false}, {"code", code}, {"error", message}, {"layout", options.layout}}))
                 << "\n";
  llvm::errs() << "error: " << message << "\n";
  return code;
}

bool readGiven(const Options &options, Given &given, Failure &failure) {
  for (const std::string &input : options.inputs)
    if (rt::Status status = rt::parseTensorArgument(input, given.inputs); !status.ok())
      return failure.set(Usage, "--input=" + input + ": " + status.message());
  for (const std::string &output : options.expected)
    if (rt::Status status = rt::parseTensorArgument(output, given.expected); !status.ok())
      return failure.set(Usage, "--expected-output=" + output + ": " + status.message());
  if (options.data.empty())
    return true;
  size_t before = given.inputs.size(), expectedBefore = given.expected.size();
  if (rt::Status status = rt::readTestData(options.data, "input", given.inputs); !status.ok())
    return failure.set(Usage, "--data " + options.data + ": " + status.message());
  if (rt::Status status = rt::readTestData(options.data, "output", given.expected); !status.ok())
    return failure.set(Usage, "--data " + options.data + ": " + status.message());
  given.fromData = given.inputs.size() - before;
  given.expectedFromData = given.expected.size() - expectedBefore;
  return true;
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

/// The given tensor of each input, null for those that are missing: by name, unnamed ones by
/// position.
static std::vector<const rt::HostTensor *> matchInputs(const Given &given, llvm::ArrayRef<std::string> names) {
  std::vector<const rt::HostTensor *> chosen(names.size(), nullptr);
  std::vector<size_t> others;
  for (auto [index, tensor] : llvm::enumerate(given.inputs)) {
    const std::string *known = llvm::find(names, tensor.name);
    if (known != names.end())
      chosen[known - names.begin()] = &tensor;
    else
      others.push_back(index);
  }
  bool named = others.size() < given.inputs.size();
  for (size_t index : others) {
    // A name that is not the model's counts as a position only in a folder where no name is the model's.
    bool isData = index >= given.inputs.size() - given.fromData;
    bool byPosition = given.inputs[index].name.empty() || (isData && !named);
    if (byPosition && index < chosen.size() && !chosen[index])
      chosen[index] = &given.inputs[index];
  }
  return chosen;
}

CompileResult compileFor(mlir::MLIRContext &context, const Options &options, const Given &given, const Method &method,
                         Failure &failure) {
  CompileOptions compile;
  compile.mesh = method.mesh;
  compile.layout = method.layout;
  compile.dims = options.dims;
  if (!method.isBaseline) {
    compile.pins = options.pins;
    compile.dumpDir = options.dumpDir;
  }
  compile.compileTo = options.compileTo;
  std::string message;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error) {
      if (message.empty())
        message = describe(diagnostic);
      return mlir::success();
    }
    return mlir::failure();
  });
  bool isOnnx = llvm::StringRef(options.model).ends_with(".onnx") || llvm::StringRef(options.model).ends_with(".gz");
  if (!given.inputs.empty() && isOnnx) {
    // Inputs without a name, or with one that is not the model's, count by position.
    std::optional<OnnxSignature> signature = readOnnxSignature(context, options.model);
    if (!signature) {
      failure.set(CompileError, message);
      return {};
    }
    std::vector<std::string> names;
    for (const OnnxSignature::Tensor &input : signature->inputs)
      names.push_back(input.name);
    for (auto [index, tensor] : llvm::enumerate(matchInputs(given, names)))
      if (tensor)
        compile.inputShapes[names[index]] = llvm::SmallVector<int64_t>(tensor->shape.begin(), tensor->shape.end());
  }
  CompileResult result = compileModel(context, options.model, compile);
  if (!result.ok)
    failure.set(result.isUsageError ? Usage : CompileError, message.empty() ? "compilation failed" : message);
  return result;
}

Session::~Session() {
  llmpar_rt_instance_destroy(instance_);
  llmpar_rt_program_close(program_);
}

bool Session::open(const Options &options, const Given &given, const Method &method, Failure &failure) {
  llmpar_rt_code code;
  if (llvm::StringRef(options.model).ends_with(".llmpar")) {
    if (!options.mesh.empty() || options.layout != "single" || !options.pins.empty() || !options.dims.empty() ||
        !options.dumpDir.empty())
      return failure.set(Usage, options.model + " is compiled: --mesh, --layout, --shard, --dim and --dump-dir belong to "
                                                "`llmpar compile`");
    code = llmpar_rt_program_open(options.model.c_str(), &program_);
  } else {
    mlir::MLIRContext context;
    prepareContext(context);
    CompileResult compiled = compileFor(context, options, given, method, failure);
    if (!compiled.ok)
      return false;
    code = llmpar_rt_program_open_memory(compiled.program.data(), compiled.program.size(), &program_);
  }
  if (code != LLMPAR_RT_OK)
    return failure.setRuntime(code);
  std::string folder = options.weights.empty() ? llvm::sys::path::parent_path(options.model).str() : options.weights;
  llmpar_rt_options runtime{};
  runtime.device = options.device.c_str();
  runtime.weights_directory = folder.c_str();
  if (code = llmpar_rt_instance_create(program_, &runtime, &instance_); code != LLMPAR_RT_OK)
    return failure.setRuntime(code);
  for (size_t i = 0, count = llmpar_rt_output_count(program_); i < count; ++i) {
    llmpar_rt_tensor info;
    llmpar_rt_output(program_, i, &info);
    rt::HostTensor &output = outputs_.emplace_back();
    output.name = info.name;
    output.dtype = static_cast<DType>(info.dtype_code);
    output.shape.assign(info.shape, info.shape + info.rank);
    output.data.resize(info.bytes);
  }
  return true;
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

bool Session::bindInputs(const Given &given, bool generate, Failure &failure) {
  size_t count = llmpar_rt_input_count(program_);
  auto infoOf = [&](size_t i) {
    llmpar_rt_tensor info;
    llmpar_rt_input(program_, i, &info);
    return info;
  };
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i)
    names.push_back(infoOf(i).name);
  std::vector<const rt::HostTensor *> chosen = matchInputs(given, names);
  for (const rt::HostTensor &tensor : llvm::ArrayRef(given.inputs).drop_back(given.fromData))
    if (!llvm::is_contained(chosen, &tensor))
      return failure.set(Usage, "the model has no input for '" + tensor.name + "' (" + rt::describeTensor(tensor) +
                                    "); its inputs: " + llvm::join(names, ", "));
  for (size_t i = 0; i < count; ++i) {
    llmpar_rt_tensor info = infoOf(i);
    rt::HostTensor wanted;
    wanted.name = info.name;
    wanted.dtype = static_cast<DType>(info.dtype_code);
    wanted.shape.assign(info.shape, info.shape + info.rank);
    if (!chosen[i] && !generate)
      return failure.set(Usage, "input '" + wanted.name + "' is missing: add --input=" + wanted.name + "=" +
                                    rt::describeTensor(wanted) + "=@file.npy");
    if (!chosen[i]) {
      wanted.data.resize(info.bytes);
      makeUp(wanted);
      inputs_.push_back(std::move(wanted));
      continue;
    }
    if (chosen[i]->dtype != wanted.dtype || chosen[i]->shape != wanted.shape)
      return failure.set(Usage, "input '" + wanted.name + "': the model wants " + rt::describeTensor(wanted) + ", given is " +
                                    rt::describeTensor(*chosen[i]));
    inputs_.push_back(*chosen[i]);
    inputs_.back().name = wanted.name;
  }
  return true;
}

bool Session::step(Failure &failure) {
  std::vector<const void *> in;
  std::vector<void *> out;
  for (const rt::HostTensor &tensor : inputs_)
    in.push_back(tensor.data.data());
  for (rt::HostTensor &tensor : outputs_)
    out.push_back(tensor.data.data());
  llmpar_rt_code code = llmpar_rt_run(instance_, in.data(), in.size(), out.data(), out.size());
  return code == LLMPAR_RT_OK || failure.setRuntime(code);
}

llmpar_rt_stats Session::stats() const {
  llmpar_rt_stats stats{};
  llmpar_rt_get_stats(instance_, &stats);
  return stats;
}

} // namespace llmpar::tool
