//===- TrainOutput.cpp - Where trained weights go ----------------------------===//
#include "TrainOutput.h"

#include "llmpar/Frontend/ReplaceWeights.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace llmpar::tool {

bool TrainOutput::checkName(Failure &failure) const {
  llvm::StringRef folder = llvm::sys::path::parent_path(options.output);
  if (!folder.empty() && !llvm::sys::fs::is_directory(folder))
    return failure.set(Usage, options.output + ": there is no folder '" + folder.str() + "'");
  return !isWanted() || isModel() || failure.check(rt::checkWritable(options.output, 2));
}

bool TrainOutput::isParameter(const std::string &name) const {
  return llvm::is_contained(session.summary().parameters, name);
}

bool TrainOutput::check(const TrainingStates &states, Failure &failure) const {
  if (!isModel())
    return true;
  std::vector<WeightValue> weights;
  for (const NamedType &type : states.types())
    if (isParameter(type.name))
      weights.push_back({type.name, type.dtype, type.shape, {}});
  mlir::MLIRContext context;
  llvm::Error error = checkReplaceWeights(context, options.model, options.output, weights);
  return !error || failure.set(Usage, llvm::toString(std::move(error)));
}

bool TrainOutput::write(llvm::ArrayRef<rt::HostTensor> tensors, Failure &failure) const {
  if (!isModel()) {
    // Beside it first, so that a crash leaves the file of the run before.
    std::string temporary = options.output + ".tmp.npz";
    if (!failure.check(rt::writeTensors(temporary, tensors)))
      return false;
    std::error_code code = llvm::sys::fs::rename(temporary, options.output);
    return !code || failure.set(Usage, options.output + ": " + code.message());
  }
  std::vector<WeightValue> weights;
  for (const rt::HostTensor &tensor : tensors)
    if (isParameter(tensor.name))
      weights.push_back(
          {tensor.name, tensor.dtype, tensor.shape, llvm::StringRef(tensor.as<char>(), tensor.data.size())});
  mlir::MLIRContext context;
  llvm::Error error = replaceWeights(context, options.model, options.output, weights);
  return !error || failure.set(Usage, llvm::toString(std::move(error)));
}

} // namespace llmpar::tool
