//===- SampleInputs.cpp - The inputs of a step that samples fill ------------===//
#include "SampleInputs.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>
#include <limits>

namespace llmpar::tool {

static constexpr int64_t ignoredLabel = -100; // BuildTrainingStep's ignore-index

/// Whether an input may take tokens or their positions.
static bool isOfIndices(const rt::HostTensor &input) {
  return (input.dtype == DType::I64 || input.dtype == DType::I32) && !input.shape.empty();
}

/// Writes `index(i)` for each element of such an input.
static void fillIndices(DType dtype, llvm::MutableArrayRef<std::byte> bytes,
                        llvm::function_ref<int64_t(int64_t)> index) {
  auto fill = [&](auto *elements, size_t size) {
    for (int64_t i = 0, n = static_cast<int64_t>(bytes.size() / size); i < n; ++i)
      elements[i] = static_cast<std::remove_reference_t<decltype(*elements)>>(index(i));
  };
  if (dtype == DType::I64)
    fill(reinterpret_cast<int64_t *>(bytes.data()), sizeof(int64_t));
  else
    fill(reinterpret_cast<int32_t *>(bytes.data()), sizeof(int32_t));
}

/// Fills an input that follows from nothing but its name; false if it does not.
static bool fillByName(rt::HostTensor &input) {
  llvm::StringRef name = input.name;
  if (input.elements() == 0)
    return true;
  if (name.contains("mask")) {
    dispatch(input.dtype, [&](auto zero) {
      std::fill_n(input.as<decltype(zero)>(), input.elements(), static_cast<decltype(zero)>(1.0f));
    });
    return true;
  }
  bool isPosition = name.contains("position");
  if (!isOfIndices(input) || (!isPosition && !name.contains("token_type")))
    return false;
  fillIndices(input.dtype, input.data, [&](int64_t i) { return isPosition ? i % input.shape.back() : 0; });
  return true;
}

static std::string inputNames(const Session &session) {
  llvm::SmallVector<std::string> names;
  for (const rt::HostTensor *input : session.inputs())
    if (input->name != "labels")
      names.push_back(input->name);
  return llvm::join(names, ", ");
}

bool SampleInputs::find(const Session &session, const Samples &from, Failure &failure) {
  samples = &from;
  labels = session.madeUp("labels");
  if (from.tokens() && labels && labels->dtype != DType::I64)
    return failure.set(
        Usage,
        from.path() +
            " has tokens, and the loss is between numbers: give an .npz with arrays of the inputs and of 'labels'");
  if (!labels || (from.tokens() && labels->shape.size() != 2))
    return failure.set(CompileError, "the logits are not [batch, sequence, classes]: name them with --logits");
  if (labels->shape.empty())
    return failure.set(Usage, "the logits have no dimension of classes beside that of the batch: --loss mse compares "
                              "numbers, --logits names another output");
  if (rows() < 1)
    return failure.set(Usage,
                       "a batch of " + std::to_string(rows()) + " rows learns nothing: bind a larger one with --dim");
  std::vector<rt::HostTensor *> candidates;
  for (const rt::HostTensor *input : session.inputs()) {
    rt::HostTensor *own = session.madeUp(input->name);
    const rt::HostTensor *array = from.array(input->name);
    if (own == labels)
      continue;
    if (!own && array)
      return failure.set(Usage, "input '" + input->name + "' is given twice: by --input, and by " + from.path());
    if (!own)
      continue;
    if (array) {
      if (!addArray(*own, *array, failure))
        return false;
    } else if (fillByName(*own)) {
      continue;
    } else if (from.tokens() && isOfIndices(*own) && own->shape == labels->shape) {
      candidates.push_back(own);
    } else {
      return failure.set(Usage, "input '" + own->name + "' of type " + rt::describeTensor(*own) +
                                    " is not given: add --input=" + own->name + "=..." +
                                    (from.tokens() ? "" : ", or an array of that name to " + from.path()));
    }
  }
  for (const rt::HostTensor &array : from.arrays())
    if (array.name != labels->name &&
        llvm::none_of(session.inputs(), [&](const rt::HostTensor *input) { return input->name == array.name; }))
      return failure.set(Usage, from.path() + ": array '" + array.name + "' is none of the model's inputs " +
                                    inputNames(session));
  int64_t classes = session.summary().classes;
  if (from.tokens())
    return addTokens(candidates, classes, failure);
  if (columns.empty())
    return failure.set(Usage, from.path() + " has an array for none of the model's inputs " + inputNames(session));
  return addArray(*labels, *from.array("labels"), failure) && checkLabels(classes, failure);
}

bool SampleInputs::addArray(rt::HostTensor &input, const rt::HostTensor &array, Failure &failure) {
  bool fits = input.dtype == array.dtype && !input.shape.empty() && input.shape[0] == rows() &&
              llvm::ArrayRef(input.shape).drop_front() == llvm::ArrayRef(array.shape).drop_front();
  if (!fits)
    return failure.set(Usage, samples->path() + ": array '" + array.name + "' of type " + rt::describeTensor(array) +
                                  " is not of samples for an input of type " + rt::describeTensor(input) + ", " +
                                  std::to_string(rows()) + " rows of a batch");
  columns.push_back({&input, &array, 0});
  return true;
}

bool SampleInputs::addTokens(llvm::ArrayRef<rt::HostTensor *> candidates, int64_t classes, Failure &failure) {
  // Of several those of tokens are called so: an encoder's and a decoder's.
  for (rt::HostTensor *input : candidates)
    if (candidates.size() == 1 || llvm::StringRef(input->name).ends_with("input_ids"))
      columns.push_back({input, nullptr, 0});
  if (columns.size() < candidates.size())
    return failure.set(
        Usage, "tokens could go to any of the inputs " +
                   llvm::join(llvm::map_range(candidates, [](rt::HostTensor *input) { return input->name; }), ", ") +
                   ": give those that are none with --input");
  if (columns.empty())
    return failure.set(CompileError,
                       "no input of tokens: an i64 or i32 input of the labels' shape is needed, e.g. 'input_ids'");
  columns.push_back({labels, nullptr, 1});
  const TokenFile &file = *samples->tokens();
  int64_t beyond = file.findBeyond(classes);
  return beyond == file.size() ||
         failure.set(Usage, "token " + std::to_string(file[beyond]) + " at position " + std::to_string(beyond) +
                                " of " + std::to_string(file.size()) + " is beyond the model's " +
                                std::to_string(classes) + " classes: make the tokens with the model's own tokenizer");
}

bool SampleInputs::checkLabels(int64_t classes, Failure &failure) const {
  const rt::HostTensor &array = *columns.back().array;
  auto count = static_cast<size_t>(array.elements());
  bool anyCounts = false;
  if (array.dtype == DType::I64) {
    llvm::ArrayRef<int64_t> all(array.as<int64_t>(), count);
    const int64_t *beyond =
        llvm::find_if(all, [&](int64_t label) { return label != ignoredLabel && (label < 0 || label >= classes); });
    if (beyond != all.end())
      return failure.set(
          Usage, llvm::formatv(
                     "{0}: label {1} at {2} of {3} is none of the model's {4} classes, nor {5}, which does not count",
                     samples->path(), *beyond, beyond - all.begin(), count, classes, ignoredLabel)
                     .str());
    anyCounts = llvm::any_of(all, [](int64_t label) { return label != ignoredLabel; });
  } else {
    anyCounts = llvm::any_of(llvm::ArrayRef(array.as<float>(), count), [](float label) { return !std::isnan(label); });
  }
  return anyCounts || failure.set(Usage, samples->path() + ": no label of " + std::to_string(count) + " counts");
}

void SampleInputs::readRow(const Column &column, int64_t sample, llvm::MutableArrayRef<std::byte> row) const {
  if (sample >= 0 && column.array) {
    llvm::copy(llvm::ArrayRef(column.array->data).slice(static_cast<size_t>(sample) * row.size(), row.size()),
               row.begin());
    return;
  }
  if (sample >= 0) {
    int64_t first = sample * length() + column.offset;
    fillIndices(column.to->dtype, row, [&](int64_t i) { return (*samples->tokens())[first + i]; });
  } else if (column.to == labels && labels->dtype == DType::I64) {
    fillIndices(DType::I64, row, [](int64_t) { return ignoredLabel; });
  } else if (column.to == labels) {
    std::fill_n(reinterpret_cast<float *>(row.data()), row.size() / sizeof(float),
                std::numeric_limits<float>::quiet_NaN());
  }
}

SampleInputs::Batch SampleInputs::read(llvm::ArrayRef<int64_t> samplesOfRows) const {
  Batch batch;
  for (const Column &column : columns) {
    std::vector<std::byte> &bytes = batch.emplace_back(column.to->data.size());
    size_t size = bytes.size() / samplesOfRows.size();
    for (auto [row, sample] : llvm::enumerate(samplesOfRows))
      readRow(column, sample, llvm::MutableArrayRef(bytes).slice(row * size, size));
  }
  return batch;
}

void SampleInputs::put(const Batch &batch) {
  for (auto [column, bytes] : llvm::zip(columns, batch))
    llvm::copy(bytes, column.to->data.begin());
}

} // namespace llmpar::tool
