//===- ComparePage.cpp - A comparison as a page to look at -------------------===//
#include "Compare.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar::tool {
namespace {

std::string escape(llvm::StringRef text) {
  std::string out;
  llvm::raw_string_ostream os(out);
  llvm::printHTMLEscaped(text, os);
  return out;
}

/// One part of a bar.
struct Part {
  llvm::StringRef name, color;
  double value;
};

/// A row of a chart: parts beside each other, in the unit of the axis.
struct Bar {
  std::string label;
  std::vector<Part> parts;
  std::optional<double> mark; ///< a second figure to hold against the bar
  double total() const {
    double sum = 0;
    for (const Part &part : parts)
      sum += part.value;
    return sum;
  }
};

/// Horizontal stacked bars as SVG; `limit` draws a line, e.g. a device's memory.
std::string chart(llvm::StringRef title, llvm::StringRef unit, llvm::ArrayRef<Bar> bars, std::optional<double> limit = {}) {
  constexpr double left = 110, width = 620, row = 26;
  double most = 0;
  for (const Bar &bar : bars)
    most = std::max({most, bar.total(), bar.mark.value_or(0)});
  if (limit && *limit < 2 * most)
    most = std::max(most, *limit);
  double scale = most > 0 ? width / most : 0, height = row * static_cast<double>(bars.size()) + 10;
  std::string out;
  llvm::raw_string_ostream os(out);
  os << "<h2>" << escape(title) << "</h2>\n<svg viewBox='0 0 860 " << height << "' role='img' aria-label='" << escape(title) << "'>\n";
  double y = 4;
  for (const Bar &bar : bars) {
    os << llvm::formatv("<text x='{0}' y='{1}' text-anchor='end'>{2}</text>\n", left - 8, y + 15, escape(bar.label));
    double x = left;
    for (const Part &part : bar.parts) {
      os << llvm::formatv("<rect x='{0:f1}' y='{1}' width='{2:f1}' height='20' fill='{3}'><title>{4}: {5:f3} {6}</title></rect>\n", x, y,
                          part.value * scale, part.color, escape(part.name), part.value, unit);
      x += part.value * scale;
    }
    os << llvm::formatv("<text x='{0:f1}' y='{1}'>{2:f3} {3}</text>\n", x + 6, y + 15, bar.total(), unit);
    if (bar.mark)
      os << llvm::formatv("<line x1='{0:f1}' x2='{0:f1}' y1='{1}' y2='{2}' class='mark'><title>measured: {3:f3} {4}</title></line>\n",
                          left + *bar.mark * scale, y - 2, y + 22, *bar.mark, unit);
    y += row;
  }
  if (limit && *limit <= most)
    os << llvm::formatv("<line x1='{0:f1}' x2='{0:f1}' y1='0' y2='{1}' class='limit'><title>a device has {2:f2} {3}</title></line>\n",
                        left + *limit * scale, height, *limit, unit);
  os << "</svg>\n<p class='legend'>";
  if (!bars.empty())
    for (const Part &part : bars.front().parts)
      os << "<span><i style='background:" << part.color << "'></i>" << escape(part.name) << "</span>";
  os << "</p>\n";
  return out;
}

const char style[] = R"(body{font:15px/1.45 system-ui,sans-serif;max-width:900px;margin:2rem auto;padding:0 1rem;color:#222}
h1{font-size:1.4rem}h2{font-size:1.05rem;margin:1.6rem 0 .4rem}svg{width:100%;font:13px system-ui,sans-serif}
table{border-collapse:collapse;width:100%;font-size:13px}th,td{padding:.25rem .5rem;text-align:right;border-bottom:1px solid #ddd}
th:first-child,td:first-child,td.text{text-align:left}.mark{stroke:#000;stroke-width:3}.limit{stroke:#c00;stroke-dasharray:5 4}
.legend span{margin-right:1.2em}.legend i{display:inline-block;width:.9em;height:.9em;margin-right:.35em}
@media(prefers-color-scheme:dark){body{background:#151515;color:#ddd}text{fill:#ddd}th,td{border-color:#444}.mark{stroke:#fff}})";

void table(const Comparison &comparison, llvm::raw_ostream &os) {
  os << "<table><thead><tr><th>method<th>mesh<th>step ms<th>compute<th>exposed<th>idle<th>MiB sent<th>MiB held<th>use %"
        "<th>gap %<th>measured ms<th>fits</tr></thead><tbody>\n";
  for (const ComparedMethod &row : comparison.methods) {
    os << "<tr><td>" << row.name;
    if (!row.ok()) {
      os << "<td class='text' colspan='11'>" << escape(row.why) << "</tr>\n";
      continue;
    }
    RankTime mean = row.predicted.step.mean();
    double sent = 0;
    for (const CollectiveTraffic &traffic : row.predicted.traffic)
      sent += traffic.bytes;
    os << llvm::formatv("<td class='text'>{0}<td>{1:f3}<td>{2:f3}<td>{3:f3}<td>{4:f3}<td>{5:f2}<td>{6:f1}<td>{7:f1}<td>{8:f2}<td>{9}<td>{10}</tr>\n",
                        row.mesh.empty() ? "-" : escape(row.mesh), row.predicted.step.seconds * 1e3, mean.compute * 1e3,
                        mean.exposedCommunication * 1e3, mean.idle * 1e3, sent / (1 << 20),
                        static_cast<double>(row.predicted.memory.total()) / (1 << 20), row.predicted.utilisation * 100, row.gap * 100,
                        row.measured ? llvm::formatv("{0:f3}", row.measured->seconds * 1e3).str() : "-", row.predicted.fits ? "yes" : "no");
  }
  os << "</tbody></table>\n";
}

} // namespace

std::string comparisonPage(const Comparison &comparison) {
  std::vector<Bar> time, memory, sent;
  for (const ComparedMethod &row : comparison.methods) {
    if (!row.ok())
      continue;
    std::string label = row.name;
    const ProgramPrediction &p = row.predicted;
    RankTime mean = p.step.mean();
    time.push_back({label, {{"compute", "#3b7dd8", mean.compute * 1e3}, {"exposed communication", "#e08a2e", mean.exposedCommunication * 1e3}, {"idle", "#bbb", mean.idle * 1e3}},
                    row.measured ? std::optional(row.measured->seconds * 1e3) : std::nullopt});
    auto mib = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
    memory.push_back({label, {{"weights", "#4a9d5b", mib(p.memory.weights)}, {"packed weights and work", "#9bcf8e", mib(p.memory.workspace)}, {"activations", "#8c6bb1", mib(p.memory.activations)}}, {}});
    Bar bar{label, {{"all_reduce", "#c94c4c", 0}, {"reduce_scatter", "#e08a2e", 0}, {"all_gather", "#3b7dd8", 0}, {"all_to_all", "#8c6bb1", 0},
                    {"dispatch", "#4a9d5b", 0}, {"combine", "#9bcf8e", 0}}, {}};
    for (const CollectiveTraffic &traffic : p.traffic)
      for (Part &part : bar.parts)
        if (part.name == traffic.collective)
          part.value += traffic.bytes / (1 << 20);
    sent.push_back(std::move(bar));
  }
  std::string out;
  llvm::raw_string_ostream os(out);
  os << "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>"
     << escape(comparison.model) << " on " << escape(comparison.cluster) << "</title><style>" << style << "</style></head><body>\n";
  os << "<h1>" << escape(comparison.model) << " on " << comparison.devices << " devices of " << escape(comparison.cluster) << "</h1>\n";
  os << "<p>Predicted by llmpar's cost model; a black mark is a measured step.</p>\n";
  table(comparison, os);
  os << chart("Time of a step (mean of the ranks)", "ms", time)
     << chart("Memory of the fullest device", "MiB", memory, static_cast<double>(comparison.memoryBytes) / (1 << 20))
     << chart("Bytes sent by a rank in a step", "MiB", sent) << "</body></html>\n";
  return out;
}

} // namespace llmpar::tool
