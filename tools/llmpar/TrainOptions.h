//===- TrainOptions.h - The options of llmpar train -------------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_TRAINOPTIONS_H
#define LLMPAR_TOOLS_TRAINOPTIONS_H

#include "Commands.h"
#include "llmpar/Driver/Compile.h"

namespace llmpar::tool {

/// What is wrong with the options by themselves; "" if nothing.
std::string problemWithTrainOptions(const Options &options);

/// The same of those that make a step, which plan and compare take too.
std::string problemWithStepOptions(const Options &options);
std::string problemWithLoss(const Options &options);
/// Of plan and compare without --train, which may not have them.
std::string problemOutsideTraining(const Options &options);

/// Steps between means of what replicas have of their own; 1: they have nothing, or nobody reads it.
int64_t synchronizationInterval(const Options &options);

/// For a layout, by its name: what `auto` searches chooses what is recomputed, too, unless an option does.
TrainingOptions trainingOptions(const Options &options, llvm::StringRef layout);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_TRAINOPTIONS_H
