//===- TokenInputs.cpp - The inputs of a step that tokens fill --------------===//
#include "TokenInputs.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

namespace llmpar::tool {

static constexpr int64_t ignoredLabel = -100; // BuildTrainingStep's ignore-index

bool TokenInputs::find(const Session &session, const TokenFile &file, Failure &failure) {
  tokens = &file;
  labels = session.madeUp("labels");
  if (!labels || labels->shape.size() != 2)
    return failure.set(CompileError, "the logits are not [batch, sequence, classes]: name them with --logits");
  std::vector<rt::HostTensor *> candidates;
  for (const rt::HostTensor *input : session.inputs()) {
    rt::HostTensor *own = session.madeUp(input->name);
    if (own && isFloat(own->dtype) && own->elements() > 0 && !llvm::StringRef(own->name).contains("mask"))
      return failure.set(Usage, "input '" + own->name + "' of type " + rt::describeTensor(*own) +
                                    " is not given: add --input=" + own->name + "=...");
    if (!own || own == labels || own->shape != labels->shape || own->dtype != DType::I64)
      continue;
    llvm::StringRef name = own->name;
    if (name.contains("position"))
      for (int64_t i = 0; i < own->elements(); ++i)
        own->as<int64_t>()[i] = i % length();
    else if (!name.contains("mask") && !name.contains("token_type")) {
      candidates.push_back(own);
    } else if (name.contains("token_type"))
      std::fill(own->data.begin(), own->data.end(), std::byte(0));
  }
  // Of several those of tokens are called so: an encoder's and a decoder's.
  llvm::copy_if(candidates, std::back_inserter(ids), [&](rt::HostTensor *input) {
    return candidates.size() == 1 || llvm::StringRef(input->name).ends_with("input_ids");
  });
  if (ids.size() < candidates.size())
    return failure.set(Usage, "tokens could go to any of the inputs " +
                                  llvm::join(llvm::map_range(candidates, [](rt::HostTensor *input) { return input->name; }), ", ") +
                                  ": give those that are none with --input");
  if (ids.empty())
    return failure.set(CompileError,
                       "no input of tokens: an i64 input of the labels' shape is needed, e.g. 'input_ids'");
  int64_t classes = session.summary().classes, beyond = file.findBeyond(classes);
  return beyond == file.size() ||
         failure.set(Usage, "token " + std::to_string(file[beyond]) + " at position " + std::to_string(beyond) +
                                " of " + std::to_string(file.size()) + " is beyond the model's " +
                                std::to_string(classes) + " classes: make the tokens with the model's own tokenizer");
}

TokenInputs::Batch TokenInputs::read(llvm::ArrayRef<int64_t> samples) const {
  Batch batch{.ids = {}, .labels = std::vector<int64_t>(samples.size() * static_cast<size_t>(length()), ignoredLabel)};
  batch.ids.resize(batch.labels.size());
  for (auto [row, sample] : llvm::enumerate(samples))
    for (int64_t i = 0, at = static_cast<int64_t>(row) * length(); sample >= 0 && i < length(); ++i, ++at) {
      batch.ids[at] = (*tokens)[sample * length() + i];
      batch.labels[at] = (*tokens)[sample * length() + i + 1];
    }
  return batch;
}

void TokenInputs::put(const Batch &batch) {
  for (rt::HostTensor *input : ids)
    llvm::copy(batch.ids, input->as<int64_t>());
  llvm::copy(batch.labels, labels->as<int64_t>());
}

} // namespace llmpar::tool
