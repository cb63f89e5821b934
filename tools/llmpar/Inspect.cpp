//===- Inspect.cpp - llmpar inspect -----------------------------------------===//
#include "Session.h"

#include "llmpar/Frontend/ImportOnnx.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/MLIRContext.h"

namespace llmpar::tool {

static std::string typeText(const OnnxSignature::Tensor &tensor) {
  std::string text = tensor.elementType + "[";
  for (auto [index, dim] : llvm::enumerate(tensor.dims))
    text += (index ? ", " : "") + (dim.name.empty() ? std::to_string(dim.size) : dim.name);
  return text + "]";
}

static int inspectProgram(const Options &options) {
  llmpar_rt_program *program = nullptr;
  Failure failure;
  if (llmpar_rt_code code = llmpar_rt_program_open(options.model.c_str(), &program); code != LLMPAR_RT_OK) {
    failure.setRuntime(code);
    return failure.report(options);
  }
  llvm::json::Array io;
  auto list = [&](const char *kind, size_t count, auto get) {
    for (size_t i = 0; i < count; ++i) {
      llmpar_rt_tensor info;
      get(program, i, &info);
      std::string type;
      for (int d = 0; d < info.rank; ++d)
        type += std::to_string(info.shape[d]) + "x";
      io.push_back(llvm::json::Object{{"kind", kind}, {"name", info.name}, {"type", type + info.dtype}});
    }
  };
  list("input", llmpar_rt_input_count(program), llmpar_rt_input);
  list("output", llmpar_rt_output_count(program), llmpar_rt_output);
  if (options.json) {
    llvm::outs() << llvm::formatv("{0:2}\n", llvm::json::Value(llvm::json::Object{
                                                 {"ranks", static_cast<int64_t>(llmpar_rt_rank_count(program))},
                                                 {"layout", llmpar_rt_program_layout(program)},
                                                 {"tensors", std::move(io)}}));
  } else {
    llvm::outs() << "ranks   " << llmpar_rt_rank_count(program) << "\n";
    for (const llvm::json::Value &entry : io)
      llvm::outs() << llvm::formatv("{0,-7} {1,-32} {2}\n", *entry.getAsObject()->getString("kind"),
                                    *entry.getAsObject()->getString("name"), *entry.getAsObject()->getString("type"));
  }
  llmpar_rt_program_close(program);
  return Ok;
}

int inspectCommand(const Options &options) {
  if (options.ops) {
    printSupportedOps(llvm::outs());
    return Ok;
  }
  if (llvm::StringRef(options.model).ends_with(".llmpar"))
    return inspectProgram(options);
  mlir::MLIRContext context;
  prepareContext(context);
  Failure failure;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    failure.set(CompileError, diagnostic.str());
    return mlir::success();
  });
  std::optional<OnnxSignature> signature = readOnnxSignature(context, options.model);
  if (!signature)
    return failure.report(options);
  if (options.json) {
    llvm::json::Array io;
    llvm::json::Object operators;
    for (const auto &tensor : signature->inputs)
      io.push_back(llvm::json::Object{{"kind", "input"}, {"name", tensor.name}, {"type", typeText(tensor)}});
    for (const auto &tensor : signature->outputs)
      io.push_back(llvm::json::Object{{"kind", "output"}, {"name", tensor.name}, {"type", typeText(tensor)}});
    for (const auto &[name, op] : signature->operators)
      operators[name] = llvm::json::Object{{"count", op.count}, {"supported", op.supported}};
    llvm::outs() << llvm::formatv("{0:2}\n", llvm::json::Value(llvm::json::Object{{"ir_version", signature->irVersion},
                                                                                  {"tensors", std::move(io)},
                                                                                  {"operators", std::move(operators)}}));
    return Ok;
  }
  for (const auto &tensor : signature->inputs)
    llvm::outs() << llvm::formatv("input   {0,-32} {1}\n", tensor.name, typeText(tensor));
  for (const auto &tensor : signature->outputs)
    llvm::outs() << llvm::formatv("output  {0,-32} {1}\n", tensor.name, typeText(tensor));
  for (const auto &[name, op] : signature->operators)
    llvm::outs() << llvm::formatv("op      {0,-32} {1}{2}\n", name, op.count, op.supported ? "" : "  not supported");
  return Ok;
}

} // namespace llmpar::tool
