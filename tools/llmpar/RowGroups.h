//===- RowGroups.h - Which rows of a batch share samples --------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_ROWGROUPS_H
#define LLMPAR_TOOLS_ROWGROUPS_H

#include "Session.h"

namespace llmpar::tool {

/// Sizes of the groups that SampleOrder takes, for a mode of --data-sharding:
///   random        one group
///   uniform       one for each replica: the rows of `input` that a rank holds
///   hierarchical  one for each node: consecutive replicas whose first ranks are devices of one node of the cluster;
///                 without --cluster all are
/// Errors: another mode.
llvm::Expected<std::vector<int64_t>> rowGroups(const Session &session, llvm::StringRef input, llvm::StringRef mode,
                                               int64_t rows);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_ROWGROUPS_H
