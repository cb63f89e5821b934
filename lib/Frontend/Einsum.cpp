//===- Einsum.cpp - Einstein sums as transposes and matrix products -------===//
//
//   "bij,bjk->bik": labels of two operands are batch (both, kept), contracted (both, dropped),
//   or of one side; each side becomes [batch.., own, contracted] and they meet in one matmul.
//
//===----------------------------------------------------------------------===//
#include "Handlers.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace llmpar {
namespace {

struct Term {
  Value value;
  std::string labels; ///< one per dimension; an ellipsis became upper-case digits '0', '1', ..
};

class Einsum {
public:
  explicit Einsum(NodeImporter &n) : n(n) {}

  void run() {
    std::string equation;
    for (char c : n.text("equation", ""))
      if (c != ' ')
        equation += c;
    auto [left, right] = llvm::StringRef(equation).split("->");
    bool explicitOutput = llvm::StringRef(equation).contains("->");
    llvm::SmallVector<llvm::StringRef> parts;
    left.split(parts, ',');
    if (parts.size() != n.numInputs())
      return void(
          n.error("its equation has " + Twine(parts.size()) + " terms for " + Twine(n.numInputs()) + " inputs"));
    int64_t ellipsisRank = 0;
    for (auto [i, part] : llvm::enumerate(parts))
      if (part.contains("..."))
        ellipsisRank = std::max<int64_t>(ellipsisRank, n.rank(n.input(i)) - static_cast<int64_t>(part.size() - 3));
    std::vector<Term> terms;
    for (auto [i, part] : llvm::enumerate(parts)) {
      terms.push_back(
          {n.input(i), expand(part, n.rank(n.input(i)) - static_cast<int64_t>(part.size() - 3), ellipsisRank)});
      if (n.failed() || !check(terms.back()))
        return;
    }
    std::string output =
        explicitOutput ? expand(right, ellipsisRank, ellipsisRank) : implicitOutput(left, ellipsisRank);

    Term product = terms.front();
    for (size_t i = 1; i < terms.size(); ++i) {
      std::string later = output;
      for (size_t j = i + 1; j < terms.size(); ++j)
        later += terms[j].labels;
      product = contract(product, terms[i], later);
    }
    product = sumOut(product, output);
    n.result(0, permute(product, output).value);
  }

private:
  static bool has(llvm::StringRef labels, char label) { return labels.contains(label); }

  std::string expand(llvm::StringRef part, int64_t rank, int64_t ellipsisRank) {
    auto [before, after] = part.split("...");
    std::string labels = before.str();
    if (part.contains("..."))
      for (int64_t i = std::max<int64_t>(ellipsisRank - rank, 0); i < ellipsisRank; ++i)
        labels += static_cast<char>('0' + i);
    return labels + after.str();
  }

  std::string implicitOutput(llvm::StringRef left, int64_t ellipsisRank) {
    std::string labels;
    for (char c = 'A'; c <= 'z'; ++c)
      if (llvm::isAlpha(c) && left.count(c) == 1)
        labels += c;
    return expand(left.contains("...") ? "..." + labels : labels, ellipsisRank, ellipsisRank);
  }

  bool check(const Term &term) {
    if (static_cast<int64_t>(term.labels.size()) != n.rank(term.value))
      return n.error("term '" + Twine(term.labels) + "' does not fit rank " + Twine(n.rank(term.value))), false;
    for (char label : term.labels)
      if (llvm::StringRef(term.labels).count(label) > 1)
        return n.error("an index that repeats in one term ('" + Twine(term.labels) + "') is not supported"), false;
    for (auto [i, label] : llvm::enumerate(term.labels)) {
      int64_t &extent = extents.try_emplace(label, 1).first->second;
      extent = std::max(extent, n.dim(term.value, static_cast<int64_t>(i)));
    }
    return true;
  }

  Term sumOut(const Term &term, llvm::StringRef kept) {
    Ints axes;
    std::string labels;
    for (auto [i, label] : llvm::enumerate(term.labels))
      if (has(kept, label))
        labels += label;
      else
        axes.push_back(static_cast<int64_t>(i));
    return {n.reduce("sum", term.value, axes, /*keepDims=*/false), labels};
  }

  Term permute(const Term &term, llvm::StringRef order) {
    Ints permutation;
    for (char label : order)
      permutation.push_back(static_cast<int64_t>(term.labels.find(label)));
    return {n.transpose(term.value, permutation), order.str()};
  }

  int64_t count(llvm::StringRef labels) {
    int64_t product = 1;
    for (char label : labels)
      product *= extents.lookup(label);
    return product;
  }

  /// Labels in neither operand's future are summed before the product.
  Term contract(Term a, Term b, llvm::StringRef later) {
    a = sumOut(a, later.str() + b.labels);
    b = sumOut(b, later.str() + a.labels);
    std::string batch, contracted, left, right;
    for (char label : a.labels)
      (!has(b.labels, label) ? left : has(later, label) ? batch : contracted) += label;
    for (char label : b.labels)
      if (!has(a.labels, label))
        right += label;
    auto arrange = [&](const Term &term, const std::string &own) {
      Term ordered = permute(term, batch + own + contracted);
      Ints full, shape;
      for (char label : ordered.labels)
        full.push_back(extents.lookup(label));
      for (char label : batch)
        shape.push_back(extents.lookup(label));
      shape.append({count(own), count(contracted)});
      return n.reshape(n.broadcast(ordered.value, full), shape);
    };
    Value product = n.matmul(arrange(a, left), arrange(b, right), false, true);
    Ints shape;
    for (char label : batch + left + right)
      shape.push_back(extents.lookup(label));
    return {n.reshape(product, shape), batch + left + right};
  }

  NodeImporter &n;
  llvm::DenseMap<char, int64_t> extents;
};

} // namespace

void importEinsum(NodeImporter &n) { Einsum(n).run(); }

} // namespace llmpar
