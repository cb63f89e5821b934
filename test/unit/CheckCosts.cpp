//===- CheckCosts.cpp - Print the cost model beside published figures ------===//
//
// llmpar-check-costs [--markdown]: predicted, published and error of every row of PublishedCosts.def.
// Exit code 1 if a table is beyond its tolerance.
//
//===----------------------------------------------------------------------===//
#include "PublishedCosts.h"

#include <cstdio>
#include <cstring>

using namespace llmpar;

static void printTable(const PublishedTable &table, bool markdown) {
  std::printf(markdown ? "\n## %s (%s)\n\n| row | published | predicted | error | how |\n|---|---|---|---|---|\n"
                       : "\n%s (%s)\n",
              table.title.c_str(), table.unit.empty() ? "share" : table.unit.c_str());
  for (const PublishedRow &row : table.rows)
    std::printf(markdown ? "| %s | %s | %.5g | %+.1f %% | %s |\n" : "  %-60s %10s %10.5g %+7.1f %%  %s\n",
                row.name.c_str(), row.published.c_str(), row.predicted, 100 * row.error(), row.note.c_str());
  std::string allowed = table.tolerance == 0 ? "every row to the published digits"
                                             : "at most " + std::to_string(int(100 * table.tolerance)) + " %";
  if (table.tolerance > 0 && table.tolerance < 0.01)
    allowed = "at most 0.5 %";
  std::printf("%sGeometric mean of the errors %.1f %%; allowed: %s. %s.%s\n", markdown ? "\n" : "  ",
              100 * table.geometricMeanError(), allowed.c_str(), table.source.c_str(), table.holds() ? "" : " FAILED");
}

int main(int argc, char **argv) {
  bool markdown = argc == 2 && std::strcmp(argv[1], "--markdown") == 0;
  if (argc > 1 && !markdown) {
    std::fprintf(stderr, "usage: llmpar-check-costs [--markdown]\n");
    return 2;
  }
  int failed = 0;
  for (const PublishedTable &table : publishedTables()) {
    printTable(table, markdown);
    failed += !table.holds();
  }
  if (failed)
    std::fprintf(stderr, "llmpar-check-costs: %d tables are beyond their tolerance\n", failed);
  return failed ? 1 : 0;
}
