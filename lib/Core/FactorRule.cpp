//===- FactorRule.cpp - Index notation of an operator ----------------------===//
#include "llmpar/Core/FactorRule.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <cassert>
#include <map>
#include <numeric>

namespace llmpar {

int FactorRule::add(llvm::StringRef name, int64_t size, FactorKind kind, bool offset) {
  factors.push_back({name.str(), size, kind, offset});
  return static_cast<int>(factors.size()) - 1;
}

int FactorRule::dimOf(const TensorFactors &tensor, int factor) {
  for (auto [dim, list] : llvm::enumerate(tensor))
    if (!list.empty() && list.front() == factor)
      return static_cast<int>(dim);
  return -1;
}

bool FactorRule::isShardable(int factor) const {
  if (factors[factor].kind == FactorKind::Whole || factors[factor].size <= 1)
    return false;
  auto isMajorEverywhere = [&](const TensorFactors &tensor) {
    return llvm::all_of(tensor, [&](const auto &list) {
      auto *found = llvm::find(list, factor);
      return found == list.end() || found == list.begin();
    });
  };
  return llvm::all_of(operands, isMajorEverywhere) && llvm::all_of(results, isMajorEverywhere);
}

int64_t FactorRule::minorSize(const TensorFactors &tensor, int factor) const {
  int dim = dimOf(tensor, factor);
  if (dim < 0)
    return 0;
  int64_t size = 1;
  for (int other : llvm::drop_begin(tensor[dim]))
    size *= factors[other].size;
  return size;
}

static llvm::StringRef kindName(FactorKind kind) {
  switch (kind) {
  case FactorKind::PassThrough:
    return "";
  case FactorKind::Sum:
    return "sum";
  case FactorKind::Max:
    return "max";
  case FactorKind::Min:
    return "min";
  case FactorKind::Prod:
    return "prod";
  case FactorKind::Combine:
    return "combine";
  case FactorKind::Whole:
    return "whole";
  }
  return "";
}

std::string FactorRule::str() const {
  std::string text;
  llvm::raw_string_ostream os(text);
  auto printTensor = [&](const TensorFactors &tensor) {
    llvm::interleave(
        tensor, os,
        [&](const auto &list) {
          if (list.empty())
            os << "1";
          else if (list.size() == 1)
            os << factors[list[0]].name;
          else {
            os << "(";
            llvm::interleave(list, os, [&](int factor) { os << factors[factor].name; }, " ");
            os << ")";
          }
        },
        " ");
  };
  llvm::interleaveComma(operands, os, printTensor);
  os << " -> ";
  llvm::interleaveComma(results, os, printTensor);
  llvm::StringRef separator = " ; ";
  for (const Factor &factor : factors) {
    if (factor.kind != FactorKind::PassThrough) {
      os << separator << kindName(factor.kind) << "(" << factor.name << ")";
      separator = " ";
    }
    if (factor.offset) {
      os << separator << "offset(" << factor.name << ")";
      separator = " ";
    }
  }
  return text;
}

namespace {
/// One tensor of a rule's text: factor names per dimension, "..." first or not at all.
struct TensorText {
  bool ellipsis = false;
  llvm::SmallVector<llvm::SmallVector<llvm::StringRef, 1>, 4> dims;
};

TensorText parseTensor(llvm::StringRef text) {
  TensorText tensor;
  while (!(text = text.trim()).empty()) {
    if (text.consume_front("...")) {
      tensor.ellipsis = true;
    } else if (text.consume_front("(")) {
      auto [inside, rest] = text.split(')');
      tensor.dims.emplace_back();
      llvm::SplitString(inside, tensor.dims.back());
      text = rest;
    } else {
      auto [name, rest] = text.split(' ');
      tensor.dims.push_back({name});
      text = rest;
    }
  }
  return tensor;
}

llvm::SmallVector<TensorText> parseTensors(llvm::StringRef text) {
  llvm::SmallVector<TensorText> tensors;
  llvm::SmallVector<llvm::StringRef> parts;
  text.split(parts, ',');
  for (llvm::StringRef part : parts)
    if (!part.trim().empty())
      tensors.push_back(parseTensor(part));
  return tensors;
}

/// Binds the parsed text to shapes.
struct RuleBinder {
  FactorRule rule;
  std::map<std::string, int> names;

  int factorOf(llvm::StringRef name, int64_t size) {
    auto [it, inserted] = names.try_emplace(name.str(), 0);
    if (inserted)
      it->second = rule.add(name, size);
    return it->second;
  }
  TensorFactors bind(const TensorText &text, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> leading) {
    TensorFactors tensor(shape.size());
    size_t named = text.dims.size(), own = shape.size() - named;
    assert(shape.size() >= named && (text.ellipsis || own == 0) && "rank does not fit the factor rule");
    for (size_t i = 0; i < own; ++i) { // leading dimensions, aligned at their right end
      size_t at = leading.size() - own + i;
      if (shape[i] != 1 && shape[i] == leading[at])
        tensor[i] = {factorOf("_" + std::to_string(at), shape[i])};
    }
    for (size_t i = 0; i < named; ++i) {
      assert(text.dims[i].size() == 1 && "a compound dimension needs a computed rule");
      if (shape[own + i] != 1)
        tensor[own + i] = {factorOf(text.dims[i][0], shape[own + i])};
    }
    return tensor;
  }
};
} // namespace

FactorRule parseFactorRule(llvm::StringRef rule, llvm::ArrayRef<Shape> operands, llvm::ArrayRef<Shape> results) {
  auto [notation, specials] = rule.split(';');
  auto [left, right] = notation.split("->");
  auto operandTexts = parseTensors(left), resultTexts = parseTensors(right);
  assert(operandTexts.size() == operands.size() && resultTexts.size() == results.size() && "operand count");

  RuleBinder binder;
  llvm::SmallVector<int64_t> leading; // of the results: broadcasting never makes a dimension larger than that
  for (auto [text, shape] : llvm::zip(resultTexts, results))
    if (text.ellipsis && shape.size() - text.dims.size() > leading.size())
      leading.assign(shape.begin(), shape.end() - text.dims.size());
  // Results first: there every factor of a broadcast dimension has its full size.
  for (auto [text, shape] : llvm::zip(resultTexts, results))
    binder.rule.results.push_back(binder.bind(text, shape, leading));
  for (auto [text, shape] : llvm::zip(operandTexts, operands))
    binder.rule.operands.push_back(binder.bind(text, shape, leading));

  llvm::SmallVector<llvm::StringRef> parts;
  llvm::SplitString(specials, parts);
  for (llvm::StringRef part : parts) {
    auto [kind, name] = part.split('(');
    name.consume_back(")");
    auto it = binder.names.find(name.str());
    if (it == binder.names.end())
      continue; // the dimension has size 1 here
    Factor &factor = binder.rule.factors[it->second];
    if (kind == "offset")
      factor.offset = true;
    for (FactorKind candidate : {FactorKind::Sum, FactorKind::Max, FactorKind::Min, FactorKind::Prod, FactorKind::Combine,
                                 FactorKind::Whole})
      if (kind == kindName(candidate))
        factor.kind = candidate;
  }
  return binder.rule;
}

/// Splits the dimensions [begin, end) of a shape at `boundaries` (increasing prefix products that include
/// every dimension's own) and gives each piece a factor from `first` on.
static void assignPieces(TensorFactors &tensor, llvm::ArrayRef<int64_t> shape, size_t begin, size_t end,
                         llvm::ArrayRef<int64_t> boundaries, int first) {
  int64_t prefix = 1;
  size_t piece = 0;
  for (size_t dim = begin; dim < end; ++dim) {
    prefix *= shape[dim];
    for (; piece < boundaries.size() && boundaries[piece] <= prefix; ++piece)
      tensor[dim].push_back(first + static_cast<int>(piece));
  }
}

/// Factors for one group of dimensions with equal products.
static void refineGroup(FactorRule &rule, llvm::ArrayRef<int64_t> from, size_t i0, size_t i1,
                        llvm::ArrayRef<int64_t> to, size_t j0, size_t j1) {
  llvm::SmallVector<int64_t> boundaries;
  auto collect = [&](llvm::ArrayRef<int64_t> shape, size_t begin, size_t end) {
    int64_t prefix = 1;
    for (size_t dim = begin; dim < end; ++dim)
      if (shape[dim] != 1)
        boundaries.push_back(prefix *= shape[dim]);
  };
  collect(from, i0, i1);
  collect(to, j0, j1);
  llvm::sort(boundaries);
  boundaries.erase(llvm::unique(boundaries), boundaries.end());
  if (boundaries.empty())
    return;
  for (size_t k = 1; k < boundaries.size(); ++k)
    if (boundaries[k] % boundaries[k - 1] != 0) {
      // No common refinement: what the first dimensions share is still a major factor of both.
      size_t i = i0, j = j0;
      while (from[i] == 1)
        ++i;
      while (to[j] == 1)
        ++j;
      int64_t shared = std::gcd(from[i], to[j]);
      int major = rule.add("f" + std::to_string(rule.factors.size()), shared);
      rule.operands[0][i] = {major, rule.add("w" + std::to_string(major), from[i] / shared, FactorKind::Whole)};
      rule.results[0][j] = {major, rule.add("v" + std::to_string(major), to[j] / shared, FactorKind::Whole)};
      return;
    }
  int first = static_cast<int>(rule.factors.size());
  int64_t previous = 1;
  for (int64_t boundary : boundaries) {
    rule.add("f" + std::to_string(rule.factors.size()), boundary / previous);
    previous = boundary;
  }
  assignPieces(rule.operands[0], from, i0, i1, boundaries, first);
  assignPieces(rule.results[0], to, j0, j1, boundaries, first);
}

FactorRule reshapeFactorRule(llvm::ArrayRef<int64_t> from, llvm::ArrayRef<int64_t> to) {
  FactorRule rule;
  rule.operands.push_back(TensorFactors(from.size()));
  rule.results.push_back(TensorFactors(to.size()));
  if (llvm::is_contained(from, 0)) { // nothing to compute: the common leading dimensions will do
    for (size_t dim = 0; dim < std::min(from.size(), to.size()) && from[dim] == to[dim]; ++dim)
      if (from[dim] > 1)
        rule.operands[0][dim] = rule.results[0][dim] = {rule.add("f" + std::to_string(dim), from[dim])};
    return rule;
  }
  size_t i = 0, j = 0;
  while (i < from.size() && j < to.size()) {
    size_t i0 = i, j0 = j;
    int64_t left = from[i++], right = to[j++];
    while (left != right) {
      if (left < right)
        left *= from[i++];
      else
        right *= to[j++];
    }
    refineGroup(rule, from, i0, i, to, j0, j);
  }
  return rule;
}

} // namespace llmpar
