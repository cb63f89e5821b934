//===- ReshardTest.cpp - Every reshard of a small tensor, executed ----------===//
//
// Runs the planned collectives on the data of every rank, as the communicators do (in group order), for all pairs of
// shardings of a 3-D tensor over two axes.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Core/Reshard.h"
#include "Placement.h"

#include "llvm/ADT/Sequence.h"
#include "gtest/gtest.h"

using namespace llmpar;

namespace {

/// A dense tensor on one rank.
struct Local {
  Shape shape;
  std::vector<double> data;
};

Local part(const Local &x, int dim, int64_t begin, int64_t size) {
  Box box = wholeBox(x.shape);
  box[dim] = {begin, begin + size};
  Local y{x.shape, {}};
  y.shape[dim] = size;
  for (int64_t element : elementsOf(box, x.shape))
    y.data.push_back(x.data[element]);
  return y;
}

Local join(llvm::ArrayRef<Local> parts, int dim) {
  Local y{parts[0].shape, {}};
  y.shape[dim] = 0;
  for (const Local &x : parts)
    y.shape[dim] += x.shape[dim];
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < dim; ++i)
    outer *= y.shape[i];
  for (size_t i = dim + 1; i < y.shape.size(); ++i)
    inner *= y.shape[i];
  for (int64_t o = 0; o < outer; ++o)
    for (const Local &x : parts) {
      int64_t row = x.shape[dim] * inner;
      y.data.insert(y.data.end(), x.data.begin() + o * row, x.data.begin() + (o + 1) * row);
    }
  return y;
}

double combine(FactorKind kind, double a, double b) { return kind == FactorKind::Max ? std::max(a, b) : a + b; }

Local reduce(llvm::ArrayRef<Local> parts, FactorKind kind) {
  Local y = parts[0];
  for (const Local &x : parts.drop_front())
    for (auto [to, from] : llvm::zip_equal(y.data, x.data))
      to = combine(kind, to, from);
  return y;
}

struct Simulation {
  const Mesh &mesh;
  llvm::ArrayRef<int64_t> shape;

  static double valueOf(int64_t element) { return static_cast<double>(element * 3 + 1); }

  /// What a rank holds before the first step: parts of `valueOf`, or summands of it.
  Local initial(const Sharding &from, int64_t rank) const {
    Local local{validShape(from, shape, mesh, rank), {}};
    for (int64_t element : elementsOf(boxOf(from, shape, mesh, rank), shape)) {
      int64_t cell = 0, cells = 1;
      for (const PartialAxis &partial : from.partial) {
        cell = cell * mesh.axes[partial.axis].size + mesh.coordinate(rank, partial.axis);
        cells *= mesh.axes[partial.axis].size;
      }
      auto noise = [&](int64_t c) { return static_cast<double>((element * 7 + c * 13) % 11 + 1); };
      double value = valueOf(element);
      if (cells > 1 && from.partial[0].reduction == FactorKind::Max) {
        value -= cell == element % cells ? 0 : noise(cell);
      } else if (cell + 1 < cells) {
        value = noise(cell);
      } else {
        for (int64_t other = 0; other + 1 < cells; ++other)
          value -= noise(other);
      }
      local.data.push_back(value);
    }
    return local;
  }

  std::vector<Local> run(const ReshardStep &step, const Sharding &before, const std::vector<Local> &data) const {
    std::vector<Local> result;
    auto extent = [&](const Sharding &sharding, int dim, int64_t rank) { return shardOf(sharding.dims[dim], shape[dim], mesh, rank); };
    for (int64_t rank = 0; rank < mesh.ranks(); ++rank) {
      llvm::SmallVector<int64_t> group = mesh.group(rank, step.axis);
      // The part of a split dimension that belongs to `rank`: behind those of the members before it.
      auto offset = [&] {
        int64_t begin = 0;
        for (int64_t member : group)
          if (member < rank)
            begin += extent(step.after, step.dim, member).size();
        return begin;
      };
      std::vector<Local> members;
      for (int64_t member : group)
        members.push_back(data[member]);
      switch (step.kind) {
      case ReshardKind::AllReduce:
        result.push_back(reduce(members, step.reduction));
        break;
      case ReshardKind::ReduceScatter:
        result.push_back(part(reduce(members, step.reduction), step.dim, offset(), extent(step.after, step.dim, rank).size()));
        break;
      case ReshardKind::AllGather:
        result.push_back(join(members, step.dim));
        break;
      case ReshardKind::AllToAll:
        for (Local &member : members)
          member = part(member, step.dim, offset(), extent(step.after, step.dim, rank).size());
        result.push_back(join(members, step.concatDim));
        break;
      case ReshardKind::AllSlice:
        result.push_back(part(data[rank], step.dim, extent(step.after, step.dim, rank).begin - extent(before, step.dim, rank).begin,
                              extent(step.after, step.dim, rank).size()));
        break;
      }
    }
    return result;
  }
};

/// All placements of two axes on three dimensions, both orders where they meet, with units.
std::vector<Sharding> allShardings(llvm::ArrayRef<int64_t> shape, const Mesh &mesh, llvm::ArrayRef<int64_t> units) {
  std::vector<Sharding> result;
  for (int a = -1; a < 3; ++a)
    for (int b = -1; b < 3; ++b)
      for (bool swapped : {false, true})
        for (int64_t unitA : units)
          for (int64_t unitB : units) {
            Sharding sharding = Sharding::replicated(3);
            if (a >= 0)
              sharding.dims[a] = {{0}, unitA};
            if (b >= 0) {
              sharding.dims[b].unit = unitB;
              sharding.dims[b].axes.push_back(1);
              if (swapped)
                std::reverse(sharding.dims[b].axes.begin(), sharding.dims[b].axes.end());
            }
            normalize(sharding, shape, mesh);
            if (!llvm::is_contained(result, sharding))
              result.push_back(sharding);
          }
  return result;
}

/// `sharding`, and the same with every set of its unused axes partial.
std::vector<Sharding> withPartials(const Sharding &sharding, llvm::ArrayRef<FactorKind> kinds) {
  std::vector<Sharding> result{sharding};
  for (FactorKind kind : kinds)
    for (int set = 1; set < 4; ++set) {
      Sharding partial = sharding;
      bool isFree = true;
      for (AxisId axis : {0, 1})
        if (set & (1 << axis)) {
          isFree &= !sharding.usesAxis(axis);
          partial.partial.push_back({axis, kind});
        }
      if (isFree)
        result.push_back(partial);
    }
  return result;
}

std::string describe(const Sharding &sharding) {
  std::string text = "[";
  for (const DimSharding &dim : sharding.dims) {
    text += "{";
    for (AxisId axis : dim.axes)
      text += static_cast<char>('a' + axis);
    text += ":" + std::to_string(dim.unit) + "}";
  }
  for (const PartialAxis &partial : sharding.partial)
    text += std::string(" partial ") + static_cast<char>('a' + partial.axis);
  return text + "]";
}

/// True if every dimension of `shorter` is split by the first axes of `longer`'s, into unions of its shards.
bool isPrefix(const Sharding &shorter, const Sharding &longer, llvm::ArrayRef<int64_t> shape, const Mesh &mesh) {
  Sharding cut = longer;
  for (auto [dim, limit] : llvm::zip(cut.dims, shorter.dims)) {
    if (dim.axes.size() < limit.axes.size())
      return false;
    dim.axes.resize(limit.axes.size());
    dim.unit = dim.axes.empty() ? 1 : dim.unit;
  }
  normalize(cut, shape, mesh);
  return cut.dims == shorter.dims;
}

void checkPair(const Sharding &from, const Sharding &to, llvm::ArrayRef<int64_t> shape, const Mesh &mesh) {
  SCOPED_TRACE(describe(from) + " -> " + describe(to) + " on " + mesh.str());
  auto steps = planReshard(from, to, shape, mesh);
  ASSERT_TRUE(static_cast<bool>(steps)) << llvm::toString(steps.takeError());
  Simulation simulation{mesh, shape};
  std::vector<Local> data;
  for (int64_t rank = 0; rank < mesh.ranks(); ++rank)
    data.push_back(simulation.initial(from, rank));

  const Sharding *before = &from;
  int communications[2] = {}, slices[2] = {};
  for (const ReshardStep &step : *steps) {
    data = simulation.run(step, *before, data);
    Sharding normalized = step.after;
    normalize(normalized, shape, mesh);
    ASSERT_EQ(normalized, step.after);
    for (int64_t rank = 0; rank < mesh.ranks(); ++rank)
      ASSERT_EQ(data[rank].shape, validShape(step.after, shape, mesh, rank)) << "rank " << rank;
    ++(step.kind == ReshardKind::AllSlice ? slices : communications)[step.axis];
    before = &step.after;
  }
  ASSERT_EQ(*before, to);

  for (int64_t rank = 0; rank < mesh.ranks(); ++rank) {
    std::vector<Local> members; // all that differ in axes that stay partial
    for (int64_t other = 0; other < mesh.ranks(); ++other)
      if (llvm::all_of(llvm::seq<int>(0, 2), [&](AxisId axis) {
            return mesh.coordinate(other, axis) == mesh.coordinate(rank, axis) ||
                   llvm::any_of(to.partial, [&](const PartialAxis &p) { return p.axis == axis; });
          }))
        members.push_back(data[other]);
    Local result = reduce(members, to.partial.empty() ? FactorKind::Sum : to.partial[0].reduction);
    std::vector<int64_t> elements = elementsOf(boxOf(to, shape, mesh, rank), shape);
    ASSERT_EQ(result.data.size(), elements.size());
    for (auto [value, element] : llvm::zip(result.data, elements))
      ASSERT_EQ(value, Simulation::valueOf(element)) << "rank " << rank << ", element " << element;
  }

  // No axis is communicated over twice, and nothing is gathered that may stay.
  for (AxisId axis : {0, 1}) {
    EXPECT_LE(communications[axis], 1);
    EXPECT_LE(slices[axis], 1);
  }
  if (from.partial == to.partial) {
    if (from == to)
      EXPECT_TRUE(steps->empty());
    if (isPrefix(from, to, shape, mesh))
      EXPECT_EQ(communications[0] + communications[1], 0);
    if (isPrefix(to, from, shape, mesh))
      EXPECT_EQ(slices[0] + slices[1], 0);
  }
}

void checkAllPairs(llvm::ArrayRef<int64_t> shape, const Mesh &mesh, llvm::ArrayRef<int64_t> units) {
  std::vector<Sharding> all = allShardings(shape, mesh, units);
  ASSERT_GE(all.size(), 19u); // 4 x 4 placements, and the other order on each of three dimensions
  for (const Sharding &placed : all)
    for (const Sharding &from : withPartials(placed, {FactorKind::Sum, FactorKind::Max}))
      for (const Sharding &target : all) {
        checkPair(from, target, shape, mesh);
        for (const Sharding &to : withPartials(target, {FactorKind::Sum, FactorKind::Max}))
          if (!to.partial.empty() && llvm::all_of(to.partial, [&](const PartialAxis &p) { return llvm::is_contained(from.partial, p); }))
            checkPair(from, to, shape, mesh);
        if (testing::Test::HasFailure())
          return;
      }
}

TEST(Reshard, AllPairsOnTwoByThree) { checkAllPairs({7, 5, 3}, meshOfSizes({2, 3}), {1, 2}); }
TEST(Reshard, AllPairsOnTwoByTwo) { checkAllPairs({5, 8, 3}, meshOfSizes({2, 2}), {1, 3}); }
TEST(Reshard, AllPairsOnThreeByTwoWithDimensionsSmallerThanTheMesh) { checkAllPairs({1, 2, 9}, meshOfSizes({3, 2}), {1, 4}); }
TEST(Reshard, AllPairsOfAnEmptyTensor) { checkAllPairs({3, 0, 5}, meshOfSizes({2, 3}), {1}); }

//===-- Which collective, and what it costs ---------------------------------------===//

Sharding placed(llvm::ArrayRef<llvm::SmallVector<AxisId, 2>> dims, llvm::ArrayRef<AxisId> partial = {}) {
  Sharding sharding;
  for (const auto &axes : dims)
    sharding.dims.push_back({axes, 1});
  for (AxisId axis : partial)
    sharding.partial.push_back({axis, FactorKind::Sum});
  return sharding;
}

std::vector<ReshardKind> kinds(const Sharding &from, const Sharding &to) {
  std::vector<ReshardKind> result;
  for (const ReshardStep &step : llvm::cantFail(planReshard(from, to, {8, 12}, meshOfSizes({2, 4}))))
    result.push_back(step.kind);
  return result;
}

TEST(Reshard, AnAxisThatChangesItsDimensionIsOneAllToAll) {
  EXPECT_EQ(kinds(placed({{1}, {}}), placed({{}, {1}})), std::vector{ReshardKind::AllToAll});
}
TEST(Reshard, APartialAxisThatIsScatteredIsOneReduceScatter) {
  EXPECT_EQ(kinds(placed({{}, {}}, {1}), placed({{}, {1}})), std::vector{ReshardKind::ReduceScatter});
}
TEST(Reshard, APartialAxisThatIsNotUsedIsOneAllReduce) {
  EXPECT_EQ(kinds(placed({{0}, {}}, {1}), placed({{0}, {}})), std::vector{ReshardKind::AllReduce});
}
TEST(Reshard, GatheringTheMajorAxisGathersTheMinorOneFirst) {
  EXPECT_EQ(kinds(placed({{0, 1}, {}}), placed({{1}, {}})),
            (std::vector{ReshardKind::AllGather, ReshardKind::AllGather, ReshardKind::AllSlice}));
}
TEST(Reshard, NothingBecomesPartial) {
  auto steps = planReshard(placed({{}, {}}), placed({{}, {}}, {1}), {8, 12}, meshOfSizes({2, 4}));
  ASSERT_FALSE(static_cast<bool>(steps));
  EXPECT_EQ(llvm::toString(steps.takeError()), "cannot make a value partial over axis 'b'");
}

double cost(const Sharding &from, const Sharding &to) {
  Mesh mesh = meshOfSizes({2, 4});
  return reshardBytes(llvm::cantFail(planReshard(from, to, {8, 12}, mesh)), from, {8, 12}, 4, mesh);
}
TEST(Reshard, BytesFollowTheRingAlgorithms) {
  double tensor = 8 * 12 * 4;
  EXPECT_EQ(cost(placed({{}, {}}, {1}), placed({{}, {}})), 2 * 0.75 * tensor);
  EXPECT_EQ(cost(placed({{}, {}}, {1}), placed({{}, {1}})), 0.75 * tensor);
  EXPECT_EQ(cost(placed({{1}, {}}), placed({{}, {}})), 0.75 * tensor);
  EXPECT_EQ(cost(placed({{1}, {}}), placed({{}, {1}})), 0.75 * tensor / 4);
  EXPECT_EQ(cost(placed({{}, {}}), placed({{1}, {}})), 0);
  EXPECT_EQ(cost(placed({{0}, {1}}), placed({{0}, {}})), 0.75 * tensor / 2);
}

} // namespace
