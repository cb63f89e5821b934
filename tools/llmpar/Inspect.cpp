//===- Inspect.cpp - llmpar inspect -----------------------------------------===//
#include "Session.h"

#include "llmpar/Driver/ReportFusions.h"
#include "llmpar/Frontend/ImportOnnx.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include "mlir/IR/MLIRContext.h"

#include <map>

namespace llmpar::tool {

static std::string typeText(const OnnxSignature::Tensor &tensor) {
  std::string text = tensor.elementType + "[";
  for (auto [index, dim] : llvm::enumerate(tensor.dims))
    text += (index ? ", " : "") + (dim.name.empty() ? std::to_string(dim.size) : dim.name);
  return text + "]";
}

namespace {
struct Row {
  std::string kind, name, type; ///< kind: "input" or "output"
};
} // namespace

static rt::JsonArray tensorsJson(llvm::ArrayRef<Row> rows) {
  rt::JsonArray tensors;
  for (const Row &row : rows)
    tensors.add(rt::JsonObject().add("kind", row.kind).add("name", row.name).add("type", row.type));
  return tensors;
}

static void printRows(llvm::ArrayRef<Row> rows) {
  for (const Row &row : rows)
    llvm::outs() << llvm::formatv("{0,-7} {1,-32} {2}\n", row.kind, row.name, row.type);
}

static int inspectOps(const Options &options) {
  if (options.json) {
    rt::JsonArray ops;
    for (const SupportedOp &op : supportedOps())
      ops.add(rt::JsonObject()
                  .add("domain", op.domain)
                  .add("name", op.name)
                  .add("opsets", op.opsets)
                  .add("inputs", op.inputs)
                  .add("outputs", op.outputs)
                  .add("attributes", op.attributes)
                  .add("notes", op.notes));
    print(rt::JsonObject().add("operators", ops));
    return Ok;
  }
  llvm::outs() << "| domain | operator | opsets | inputs | outputs | attributes | notes |\n"
               << "| --- | --- | --- | --- | --- | --- | --- |\n";
  for (const SupportedOp &op : supportedOps())
    llvm::outs() << "| " << op.domain << " | " << op.name << " | " << op.opsets << " | " << op.inputs << " | " << op.outputs
                 << " | " << op.attributes << " | " << op.notes << " |\n";
  return Ok;
}

static int inspectProgram(const Options &options) {
  llmpar_rt_program *program = nullptr;
  Failure failure;
  if (llmpar_rt_code code = llmpar_rt_program_open(options.model.c_str(), &program); code != LLMPAR_RT_OK) {
    failure.setRuntime(code);
    return failure.report(options);
  }
  std::vector<Row> rows;
  auto list = [&](const char *kind, size_t count, auto get) {
    for (size_t i = 0; i < count; ++i) {
      llmpar_rt_tensor info;
      get(program, i, &info);
      std::string type;
      for (int d = 0; d < info.rank; ++d)
        type += std::to_string(info.shape[d]) + "x";
      rows.push_back({kind, info.name, type + info.dtype});
    }
  };
  list("input", llmpar_rt_input_count(program), llmpar_rt_input);
  list("output", llmpar_rt_output_count(program), llmpar_rt_output);
  if (options.json) {
    print(rt::JsonObject()
              .add("ranks", llmpar_rt_rank_count(program))
              .add("layout", llmpar_rt_program_layout(program))
              .add("tensors", tensorsJson(rows)));
  } else {
    llvm::outs() << "ranks   " << llmpar_rt_rank_count(program) << "\n";
    printRows(rows);
  }
  llmpar_rt_program_close(program);
  return Ok;
}

/// What of the model becomes one op, by kind, then each that nearly does.
static void printFusions(const FusionReport &report, bool verbose) {
  std::map<std::string, int> counts;
  for (const Fusion &fusion : report)
    if (fusion.missing.empty())
      ++counts[fusion.kind];
  auto nodes = [&](const Fusion &fusion) {
    if (verbose)
      llvm::outs() << "        " << llvm::join(fusion.nodes, " ") << "\n";
  };
  for (const auto &[kind, count] : counts) {
    llvm::outs() << llvm::formatv("raised  {0,-32} {1}\n", kind, count);
    for (const Fusion &fusion : report)
      if (fusion.missing.empty() && fusion.kind == kind)
        nodes(fusion);
  }
  for (const Fusion &fusion : report)
    if (!fusion.missing.empty()) {
      llvm::outs() << llvm::formatv("nearly  {0,-32} at '{1}': {2}\n", fusion.kind, fusion.nodes.back(), fusion.missing);
      nodes(fusion);
    }
}

static int inspectFusions(Options options) {
  Failure failure;
  Given given;
  if (llvm::StringRef(options.model).ends_with(".llmpar"))
    failure.set(Usage, options.model + " is compiled: --fusions looks at a model");
  if (failure.code != Ok || !readInputs(options, given, failure))
    return failure.report(options);
  mlir::MLIRContext context;
  prepareContext(context);
  Progress progress;
  options.compileTo = "simplify";
  CompileResult compiled = compileFor(context, options, given, {.mesh = "", .layout = "single"}, progress, failure);
  if (!compiled.ok)
    return failure.report(options);
  std::optional<FusionReport> report = reportFusions(*compiled.module);
  if (!report) {
    failure.set(Internal, "the fusions of " + options.model + " failed");
    return failure.report(options);
  }
  if (!options.json) {
    printFusions(*report, options.verbose);
    return Ok;
  }
  rt::JsonArray fusions;
  for (const Fusion &fusion : *report) {
    rt::JsonArray nodes;
    for (const std::string &node : fusion.nodes)
      nodes.add(node);
    rt::JsonObject entry;
    entry.add("kind", fusion.kind).add("raised", fusion.missing.empty());
    if (!fusion.missing.empty())
      entry.add("missing", fusion.missing);
    fusions.add(entry.add("nodes", nodes));
  }
  print(rt::JsonObject().add("fusions", fusions));
  return Ok;
}

int inspectCommand(const Options &options) {
  if (options.ops)
    return inspectOps(options);
  if (options.fusions)
    return inspectFusions(options);
  if (options.verbose || !options.dims.empty() || !options.inputs.empty() || !options.data.empty()) {
    Failure failure;
    failure.set(Usage, "-v, --dim, --input and --data are of a model's fusions: add --fusions");
    return failure.report(options);
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
  std::vector<Row> rows;
  for (const auto &tensor : signature->inputs)
    rows.push_back({"input", tensor.name, typeText(tensor)});
  for (const auto &tensor : signature->outputs)
    rows.push_back({"output", tensor.name, typeText(tensor)});
  if (options.json) {
    rt::JsonObject operators;
    for (const auto &[name, op] : signature->operators)
      operators.add(name, rt::JsonObject().add("count", op.count).add("supported", op.supported));
    print(rt::JsonObject()
              .add("ir_version", signature->irVersion)
              .add("tensors", tensorsJson(rows))
              .add("operators", operators));
    return Ok;
  }
  printRows(rows);
  for (const auto &[name, op] : signature->operators)
    llvm::outs() << llvm::formatv("op      {0,-32} {1}{2}\n", name, op.count, op.supported ? "" : "  not supported");
  return Ok;
}

} // namespace llmpar::tool
