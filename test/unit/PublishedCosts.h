//===- PublishedCosts.h - The cost model beside published figures -*- C++ -*-===//
#ifndef LLMPAR_TEST_UNIT_PUBLISHEDCOSTS_H
#define LLMPAR_TEST_UNIT_PUBLISHEDCOSTS_H

#include "llmpar/Cost/Cluster.h"
#include <string>
#include <vector>

namespace llmpar {

struct PublishedRow {
  std::string name, published; ///< the figure as printed
  double predicted = 0;
  std::string note; ///< algorithm of a collective
  double publishedValue() const { return std::stod(published); }
  double error() const { return predicted / publishedValue() - 1; }
  /// Rounds to the published digits.
  bool exact() const;
};

struct PublishedTable {
  std::string id, title, unit, source;
  double tolerance = 0; ///< of the geometric mean; 0: every row exact
  std::vector<PublishedRow> rows;
  double geometricMeanError() const;
  bool holds() const;
};

/// PublishedCosts.def, evaluated.
std::vector<PublishedTable> publishedTables();

/// A shipped cluster or "p6-b200" of this folder, also "4x ..." and "... without reduction in the switch".
Cluster publishedCluster(llvm::StringRef name);

} // namespace llmpar

#endif // LLMPAR_TEST_UNIT_PUBLISHEDCOSTS_H
