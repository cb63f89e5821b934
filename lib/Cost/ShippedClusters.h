//===- ShippedClusters.h - The files of clusters/, in the program *- C++ -*-===//
#ifndef LLMPAR_LIB_COST_SHIPPEDCLUSTERS_H
#define LLMPAR_LIB_COST_SHIPPEDCLUSTERS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace llmpar {

struct ShippedCluster {
  llvm::StringRef name; ///< of the file, without .yaml
  llvm::StringRef text;
};

/// Sorted by name. EmbedClusters.cmake writes its definition.
llvm::ArrayRef<ShippedCluster> shippedClusterFiles();

} // namespace llmpar

#endif // LLMPAR_LIB_COST_SHIPPEDCLUSTERS_H
