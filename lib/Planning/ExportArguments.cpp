//===- ExportArguments.cpp - Arguments of Megatron-LM and vLLM --------------===//
//
// Both know one way to split a transformer over a tensor axis of t ranks: the vocabulary of the embedding, columns of
// the first product of a block, rows of the second, heads between them; and the batch over the other ranks. A plan is
// read as that, and every weight that it splits otherwise is named.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Planning/ExportPlan.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

namespace llmpar {
namespace {

using Axes = llvm::SmallSetVector<AxisId, 2>;

/// What the axes of a mesh do.
class Roles {
public:
  explicit Roles(const PlacedModel &model) : model(model), lost(model.lost) {
    findTensorAxes();
    for (const PlacedTensor &input : model.inputs)
      readInput(input);
    for (const WeightUse &use : model.uses)
      if (use.split == WeightSplit::Expert)
        experts.insert(use.axes.begin(), use.axes.end());
    for (auto [axis, size] : llvm::enumerate(model.mesh.axes)) {
      auto id = static_cast<AxisId>(axis);
      if (size.size > 1 && !tensor.contains(id) && !data.contains(id) && !context.contains(id) && !experts.contains(id))
        lose("mesh",
             llvm::formatv(
                 "has axis '{0}' that splits no weight and no input as the target would: there it splits the batch",
                 name(id)));
    }
  }

  const PlacedModel &model;
  Axes tensor, data, context, experts;
  std::vector<Loss> lost;

  std::string name(AxisId axis) const { return model.mesh.axes[axis].name; }
  int64_t sizeOf(const Axes &axes) const {
    int64_t size = 1;
    for (AxisId axis : axes)
      size *= model.mesh.axes[axis].size;
    return size;
  }
  /// Once for each tensor and reason.
  void lose(llvm::StringRef tensor, const llvm::Twine &why) {
    Loss loss{tensor.str(), why.str()};
    if (!llvm::is_contained(lost, loss))
      lost.push_back(std::move(loss));
  }
  std::string names(llvm::ArrayRef<AxisId> axes) const {
    return "'" + llvm::join(llvm::map_range(axes, [&](AxisId axis) { return name(axis); }), "+") + "'";
  }

  /// Names the weights that are split in another way than the one that the targets know.
  void checkWeights(llvm::StringRef target) {
    int64_t largest = 0;
    for (const WeightUse &use : model.uses)
      if (use.isEmbedding)
        largest = std::max(largest, use.rows);
    for (const WeightUse &use : model.uses)
      checkWeight(use, target, largest);
  }

private:
  static bool splitsFeatures(const WeightUse &use) {
    return use.split == WeightSplit::Column || use.split == WeightSplit::Row || use.split == WeightSplit::Vocabulary;
  }

  /// All axes of the splits if they are always the same, else the one that most weights are split over.
  void findTensorAxes() {
    std::map<llvm::SmallVector<AxisId, 2>, int> counts;
    for (const WeightUse &use : model.uses)
      if (splitsFeatures(use)) {
        llvm::SmallVector<AxisId, 2> axes = use.axes;
        llvm::sort(axes);
        ++counts[axes];
      }
    int most = 0;
    for (const auto &[axes, count] : counts)
      if (count > most) {
        most = count;
        tensor = Axes(axes.begin(), axes.end());
      }
  }

  void readInput(const PlacedTensor &input) {
    constexpr size_t cacheRank = 4; // [batch, heads, sequence, width], or heads and sequence exchanged
    for (auto [dim, split] : llvm::enumerate(input.sharding.dims))
      for (AxisId axis : split.axes)
        if (tensor.contains(axis) && dim > 0 && input.shape.size() == cacheRank)
          continue; // the targets split their caches by heads too
        else if (tensor.contains(axis))
          lose(input.name,
               llvm::formatv(
                   "is split over '{0}' in dimension {1}, and so are weights: the target splits one or the other",
                   name(axis), dim));
        else if (dim > 1 || (dim == 1 && input.shape.size() == cacheRank))
          lose(input.name, llvm::formatv("is split over '{0}' in dimension {1}", name(axis), dim));
        else
          (dim == 0 ? data : context).insert(axis);
  }

  void checkWeight(const WeightUse &use, llvm::StringRef target, int64_t largestVocabulary) {
    auto isTensor = [&](AxisId axis) { return tensor.contains(axis); };
    if (use.split == WeightSplit::Expert)
      return;
    if (!use.axes.empty() && use.split != WeightSplit::Other &&
        (use.axes.size() != tensor.size() || !llvm::all_of(use.axes, isTensor)))
      return lose(use.weight,
                  llvm::formatv("is split over {0}, not over {1}", names(use.axes), names(tensor.getArrayRef())));
    if (use.split == WeightSplit::Other &&
        !(!use.isEmbedding && !use.isProduct && !use.isNormalization && llvm::all_of(use.axes, isTensor)))
      return lose(use.weight,
                  llvm::formatv("is split over {0} in a way that {1} has no name for", names(use.axes), target));
    if (tensor.empty() || use.split != WeightSplit::Whole) {
      if (use.split == WeightSplit::Column && llvm::any_of(use.inputAxes, isTensor))
        lose(use.weight, llvm::formatv("has its columns split behind a gathered input: {0} splits its rows", target));
      return;
    }
    if (use.isProduct)
      lose(use.weight, llvm::formatv("is whole: {0} splits it", target));
    if (use.isEmbedding && use.rows == largestVocabulary)
      lose(use.weight, llvm::formatv("is whole: {0} splits its vocabulary", target));
  }
};

/// Weights that rest in smaller shards than their use.
void checkGathered(Roles &roles, llvm::StringRef target) {
  for (const PlacedTensor &weight : roles.model.weights)
    for (const WeightUse &use : roles.model.uses)
      if (use.weight == weight.name)
        for (const DimSharding &dim : weight.sharding.dims)
          for (AxisId axis : dim.axes)
            if (!llvm::is_contained(use.axes, axis))
              roles.lose(weight.name,
                         llvm::formatv("rests split over '{0}' and is gathered for use: {1} keeps it whole there",
                                       roles.name(axis), target));
}

/// The targets put the tensor-parallel ranks next to each other.
void checkOrder(Roles &roles, llvm::StringRef target) {
  auto axes = static_cast<AxisId>(roles.model.mesh.axes.size());
  for (AxisId axis = axes - static_cast<AxisId>(roles.tensor.size()); axis < axes; ++axis)
    if (!roles.tensor.empty() && !roles.tensor.contains(axis))
      return roles.lose(
          "mesh",
          llvm::formatv("has its tensor axis {0} outside of '{1}': {2} puts tensor-parallel ranks next to each other",
                        roles.names(roles.tensor.getArrayRef()), roles.name(axis), target));
}

ExportedPlan finish(Roles &roles, llvm::StringRef target, llvm::ArrayRef<std::string> arguments) {
  ExportedPlan result;
  std::string model = roles.model.name;
  llvm::replace(model, '\n', ' ');
  result.text = llvm::formatv("# Arguments of {0} for {1} on mesh '{2}' ({3} ranks), written by `llmpar export`.\n",
                              target, model, roles.model.mesh.str(), roles.model.mesh.ranks())
                    .str();
  for (const Loss &loss : roles.lost) {
    std::string line = loss.tensor + " " + loss.why;
    llvm::replace(line, '\n', ' ');
    result.text += "# lost: " + line + "\n";
  }
  result.text += llvm::join(arguments, "\n") + "\n";
  result.lost = std::move(roles.lost);
  return result;
}

std::string argument(llvm::StringRef name, int64_t value) { return ("--" + name + " " + llvm::Twine(value)).str(); }

} // namespace

ExportedPlan exportMegatron(const PlacedModel &model) {
  constexpr llvm::StringLiteral target = "Megatron-LM";
  Roles roles(model);
  roles.checkWeights(target);
  checkGathered(roles, target);
  checkOrder(roles, target);
  std::vector<std::string> arguments = {argument("tensor-model-parallel-size", roles.sizeOf(roles.tensor)),
                                        argument("pipeline-model-parallel-size", 1)};
  for (AxisId axis : model.sequenceAxes)
    if (roles.tensor.contains(axis)) {
      arguments.push_back("--sequence-parallel");
      break;
    }
  if (!roles.context.empty())
    arguments.push_back(argument("context-parallel-size", roles.sizeOf(roles.context)));
  if (!roles.experts.empty())
    arguments.push_back(argument("expert-model-parallel-size", roles.sizeOf(roles.experts)));
  int64_t data = model.mesh.ranks() / roles.sizeOf(roles.tensor) / roles.sizeOf(roles.context);
  arguments.push_back("# The other ranks split the batch: data parallelism of " + std::to_string(data) +
                      " follows from the number of processes.");
  return finish(roles, target, arguments);
}

ExportedPlan exportVllm(const PlacedModel &model) {
  constexpr llvm::StringLiteral target = "vLLM";
  Roles roles(model);
  roles.checkWeights(target);
  checkGathered(roles, target);
  checkOrder(roles, target);
  for (AxisId axis : model.sequenceAxes)
    roles.lose("mesh", llvm::formatv("has axis '{0}' that splits the sequence of normalizations: vLLM keeps it whole",
                                     roles.name(axis)));
  for (AxisId axis : roles.context)
    roles.lose("mesh",
               llvm::formatv("has axis '{0}' that splits the sequence of the inputs: vLLM splits the batch over it",
                             roles.name(axis)));
  int64_t tensor = roles.sizeOf(roles.tensor), data = model.mesh.ranks() / tensor;
  std::vector<std::string> arguments = {argument("tensor-parallel-size", tensor), argument("data-parallel-size", data)};
  if (!roles.experts.empty()) {
    arguments.push_back("--enable-expert-parallel");
    if (int64_t experts = roles.sizeOf(roles.experts); experts != tensor * data)
      roles.lose("mesh",
                 llvm::formatv("splits experts over {0} ranks: vLLM splits them over all {1}", experts, tensor * data));
  }
  return finish(roles, target, arguments);
}

llvm::ArrayRef<ExportFormat> exportFormats() {
  static constexpr ExportFormat formats[] = {
      {"jax", "PartitionSpecs, as a Python file", exportJax},
      {"dtensor", "PyTorch DTensor placements, as a Python file", exportDTensor},
      {"megatron", "arguments of Megatron-LM", exportMegatron},
      {"vllm", "arguments of vLLM", exportVllm},
      {"onnx", "the model with multi-device annotations (IR version 11)", nullptr},
  };
  return formats;
}

} // namespace llmpar
