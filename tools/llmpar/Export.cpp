//===- Export.cpp - `llmpar export`: a layout for other frameworks -----------===//
#include "Commands.h"
#include "Session.h"

#include "llmpar/Frontend/DeviceConfigurations.h"
#include "llmpar/Planning/ExportPlan.h"
#include "llmpar/Planning/PlanDocument.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar::tool {
namespace {

/// Writes the text of a format, or the annotated model; what it lost is appended to `lost`.
bool write(const Options &options, const ExportFormat &format, mlir::ModuleOp module, std::vector<Loss> &lost,
           Failure &failure) {
  if (!format.run) {
    llvm::Expected<std::vector<AnnotationLoss>> annotated = annotateOnnx(module, options.model, options.output);
    if (!annotated)
      return failure.set(Usage, llvm::toString(annotated.takeError()));
    for (AnnotationLoss &loss : *annotated)
      lost.push_back({std::move(loss.tensor), std::move(loss.why)});
    return true;
  }
  llvm::Expected<PlacedModel> placed = placedModel(module);
  if (!placed)
    return failure.set(CompileError, llvm::toString(placed.takeError()));
  ExportedPlan exported = format.run(*placed);
  lost = std::move(exported.lost);
  std::error_code code;
  llvm::raw_fd_ostream os(options.output, code, llvm::sys::fs::OF_Text);
  if (!code)
    os << exported.text;
  return !code || failure.set(Usage, options.output + ": " + code.message());
}

void report(const Options &options, llvm::ArrayRef<Loss> lost) {
  if (options.json) {
    llvm::json::Array losses;
    for (const Loss &loss : lost)
      losses.push_back(
          llvm::json::Object{{"tensor", llvm::json::fixUTF8(loss.tensor)}, {"why", llvm::json::fixUTF8(loss.why)}});
    llvm::outs() << llvm::formatv("{0:2}\n", llvm::json::Value(llvm::json::Object{
                                                 {"ok", true}, {"file", options.output}, {"lost", std::move(losses)}}));
    return;
  }
  llvm::MapVector<std::pair<std::string, std::string>, int64_t, std::map<std::pair<std::string, std::string>, unsigned>>
      groups;
  for (const Loss &loss : lost)
    ++groups[{namePattern(loss.tensor), namePattern(loss.why)}];
  for (const auto &[group, count] : groups) {
    const Loss &first = *llvm::find_if(lost, [&](const Loss &loss) {
      return namePattern(loss.tensor) == group.first && namePattern(loss.why) == group.second;
    });
    llvm::errs() << "lost: " << first.tensor << " " << first.why;
    if (count > 1)
      llvm::errs() << " (and " << count - 1 << " more of " << group.first << ")";
    llvm::errs() << "\n";
  }
}

} // namespace

int exportCommand(const Options &options) {
  Failure failure;
  auto format = llvm::find_if(exportFormats(), [&](const ExportFormat &known) { return known.name == options.to; });
  if (format == exportFormats().end())
    failure.set(
        Usage,
        "--to=" + options.to + " is no format: choose " +
            llvm::join(llvm::map_range(exportFormats(), [](const ExportFormat &known) { return known.name; }), ", "));
  else if (options.output.empty() || (options.output == "-" && (options.json || !format->run)))
    failure.set(Usage, "where should it go? Add -o FILE");
  Given given;
  if (failure.code != Ok || !readInputs(options, given, failure))
    return failure.report(options);
  mlir::MLIRContext context;
  prepareContext(context);
  Options layout = options;
  layout.compileTo = "layout";
  CompileResult result;
  {
    Progress progress;
    result = compileFor(context, layout, given, {.mesh = options.mesh, .layout = options.layout}, progress, failure);
  }
  std::vector<Loss> lost;
  if (!result.ok || !write(options, *format, *result.module, lost, failure))
    return failure.report(options);
  report(options, lost);
  return Ok;
}

} // namespace llmpar::tool
