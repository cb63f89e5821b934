//===- WriteCluster.cpp - Clusters to cluster files -------------------------===//
#include "ClusterFields.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

namespace llmpar {
namespace {
using namespace cluster_file;

/// Quoted where YAML would read it as something else.
std::string word(llvm::StringRef text) {
  auto isSafe = [](char c) { return llvm::isAlnum(c) || llvm::StringRef(" _-./()").contains(c); };
  if (!text.empty() && llvm::isAlnum(text.front()) && text.back() != ' ' && llvm::all_of(text, isSafe))
    return text.str();
  std::string quoted = "\"";
  for (char c : text)
    quoted += (c == '"' || c == '\\' ? "\\" : "") + std::string(1, c);
  return quoted + "\"";
}

class Writer {
public:
  Writer(llvm::raw_ostream &os, unsigned indent) : os(os), indent(indent) {}

  void text(llvm::StringRef key, const std::string &value) { line(key, word(value)); }

  template <typename T> void quantity(llvm::StringRef key, T value, Range range) {
    if (value != 0 || !range.fallback || *range.fallback != 0)
      line(key, writeQuantity(static_cast<double>(value), range.measure));
  }

  void flag(llvm::StringRef key, bool value, bool fallback) {
    if (value != fallback)
      line(key, value ? "true" : "false");
  }

  template <typename Enum, size_t n> void choice(llvm::StringRef key, Enum value, const llvm::StringLiteral (&names)[n]) {
    line(key, names[static_cast<size_t>(value)]);
  }

  template <typename Items> void list(llvm::StringRef key, Items &items) {
    line(key, items.empty() ? "[]" : "");
    for (auto &item : items) {
      Writer writer(os, indent + 4);
      writer.bullet = true;
      visitFields(writer, item);
    }
  }

  template <typename Visit> void object(llvm::StringRef key, Visit &&visit) {
    std::string fields;
    llvm::raw_string_ostream inner(fields);
    Writer writer(inner, indent + 2);
    visit(writer);
    if (fields.empty())
      return;
    line(key, "");
    os << fields;
  }
  template <typename T, typename Visit> void optionalObject(llvm::StringRef key, std::optional<T> &value, Visit &&visit) {
    if (value)
      object(key, [&](Writer &writer) { visit(writer, *value); });
  }

  void peaks(llvm::StringRef key, const std::map<DType, double> &peaks) {
    line(key, "");
    for (auto [type, peak] : peaks)
      nested(llvm::StringRef(dtypeName(type)), writeQuantity(peak, Measure::FlopsPerSecond));
  }

  void curve(llvm::StringRef key, const EfficiencyCurve &curve, Measure size, Range range) {
    bool isOne = curve.points.empty() || (curve.points.size() == 1 && curve.points[0].fraction == 1);
    if (!isOne || *range.fallback != 1)
      line(key, curveText(curve, size));
  }

  void curves(llvm::StringRef key, const std::map<KernelClass, EfficiencyCurve> &curves, Range) {
    if (curves.empty())
      return;
    line(key, "");
    for (const auto &[kernel, curve] : curves)
      nested(kernelClassNames[static_cast<size_t>(kernel)], curveText(curve, Measure::Bytes));
  }

  void kernels(llvm::StringRef key, std::map<std::string, KernelSpeed> &kernels) {
    if (kernels.empty())
      return;
    line(key, "");
    Writer names(os, indent + 2);
    for (auto &[name, speed] : kernels)
      names.object(name, [&, &kernel = speed](Writer &writer) { visitFields(writer, kernel); });
  }

  void measured(llvm::StringRef key, llvm::ArrayRef<MeasuredCollective> all) {
    if (all.empty())
      return;
    line(key, "");
    Writer kinds(os, indent + 2);
    for (auto [kind, name] : llvm::enumerate(collectiveNames)) {
      bool isFirst = true;
      for (const MeasuredCollective &collective : all) {
        if (static_cast<size_t>(collective.kind) != kind)
          continue;
        if (isFirst)
          kinds.line(name, "");
        isFirst = false;
        kinds.nested(std::to_string(collective.members), pointsText(collective.points, [](const auto &point) {
                       return std::pair(point.bytes, writeQuantity(point.seconds, Measure::Seconds));
                     }, Measure::Bytes));
      }
    }
  }

  void steps(llvm::StringRef key, llvm::ArrayRef<StepOverhead> steps) {
    if (!steps.empty())
      line(key, pointsText(steps, [](const StepOverhead &step) {
             return std::pair(static_cast<double>(step.ranks), writeQuantity(step.seconds, Measure::Seconds));
           }, Measure::Count));
  }

private:
  llvm::raw_ostream &os;
  unsigned indent;
  bool bullet = false; ///< the next line begins an item of a list

  void line(llvm::StringRef key, llvm::StringRef value) {
    os.indent(bullet ? indent - 2 : indent) << (bullet ? "- " : "") << key << ":" << (value.empty() ? "" : " ") << value << "\n";
    bullet = false;
  }
  void nested(llvm::StringRef key, llvm::StringRef value) { Writer(os, indent + 2).line(key, value); }

  template <typename Points, typename Entry>
  static std::string pointsText(const Points &points, Entry &&entry, Measure size) {
    std::string text;
    for (const auto &point : points) {
      auto [at, value] = entry(point);
      text += (text.empty() ? "{" : ", ") + writeQuantity(at, size) + ": " + value;
    }
    return text + "}";
  }

  static std::string curveText(const EfficiencyCurve &curve, Measure size) {
    auto percent = [](double fraction) { return writeQuantity(fraction, Measure::Fraction); };
    if (curve.points.size() <= 1)
      return percent(curve.points.empty() ? 1 : curve.points.front().fraction);
    return pointsText(curve.points, [&](const auto &point) { return std::pair(point.size, percent(point.fraction)); }, size);
  }
};

} // namespace

std::string writeCluster(const Cluster &cluster) {
  std::string text;
  llvm::raw_string_ostream os(text);
  Writer writer(os, 0);
  Cluster copy = cluster; // the table of fields is for readers too
  visitFields(writer, copy);
  return text;
}

} // namespace llmpar
