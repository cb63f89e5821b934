//===- ShardingSpecsTest.cpp - Shardings as ONNX says them ------------------===//
#include "../../lib/Frontend/ShardingSpecs.h"

#include <gmock/gmock.h>

using namespace llmpar;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

/// Every sharding of a tensor of rank 2: each axis in dimension 0, 1 or none, in every order of arrival.
std::vector<Sharding> allShardings(const Mesh &mesh) {
  std::vector<Sharding> shardings = {Sharding::replicated(2)};
  for (size_t i = 0; i < shardings.size(); ++i)
    for (AxisId axis = 0; axis < static_cast<AxisId>(mesh.axes.size()); ++axis)
      for (int dim = 0; dim < 2; ++dim) {
        Sharding next = shardings[i];
        if (next.usesAxis(axis))
          continue;
        next.dims[dim].axes.push_back(axis);
        if (std::find(shardings.begin(), shardings.end(), next) == shardings.end())
          shardings.push_back(next);
      }
  return shardings;
}

std::string errorOf(llvm::Error error) { return llvm::toString(std::move(error)); }

TEST(ShardingSpecsTest, EverySplitReadsBack) {
  for (const char *text : {"x=2", "x=2,y=3", "x=3,y=2", "x=2,y=2,z=3"}) {
    Mesh mesh = *Mesh::parse(text);
    for (const Sharding &sharding : allShardings(mesh)) {
      llvm::Expected<Sharding> read = fromSpec(toSpec("t", sharding, mesh), 2, mesh);
      ASSERT_TRUE(bool(read)) << errorOf(read.takeError());
      EXPECT_TRUE(*read == sharding) << text;
    }
  }
}

TEST(ShardingSpecsTest, AMeshIsFoundOnWhichASplitMeansTheSame) {
  for (const char *text : {"x=2", "x=2,y=3", "x=3,y=2", "x=2,y=2,z=3"}) {
    Mesh mesh = *Mesh::parse(text);
    for (const Sharding &sharding : allShardings(mesh)) {
      ::onnx::ShardingSpecProto spec = toSpec("t", sharding, mesh);
      llvm::Expected<Mesh> found = meshOfSpecs({&spec}, mesh.ranks());
      ASSERT_TRUE(bool(found)) << errorOf(found.takeError());
      llvm::Expected<Sharding> read = fromSpec(spec, 2, *found);
      ASSERT_TRUE(bool(read)) << errorOf(read.takeError());
      for (int64_t rank = 0; rank < mesh.ranks(); ++rank)
        for (int dim = 0; dim < 2; ++dim)
          EXPECT_EQ(shardOf(read->dims[dim], 12, *found, rank).begin,
                    shardOf(sharding.dims[dim], 12, mesh, rank).begin);
    }
  }
}

TEST(ShardingSpecsTest, SeveralSpecsRefineTheMesh) {
  Mesh mesh = *Mesh::parse("x=2,y=2");
  Sharding overX = Sharding::replicated(1), overBoth = overX;
  overX.dims[0].axes = {0};
  overBoth.dims[0].axes = {0, 1};
  ::onnx::ShardingSpecProto x = toSpec("x", overX, mesh), both = toSpec("both", overBoth, mesh);
  EXPECT_EQ(meshOfSpecs({&both}, 4)->str(), "x=4");
  EXPECT_EQ(meshOfSpecs({&both, &x}, 4)->str(), "x=2,y=2");
  EXPECT_EQ(meshOfSpecs({}, 4)->str(), "x=4");
}

TEST(ShardingSpecsTest, AReplicatedTensorIsOneGroup) {
  ::onnx::ShardingSpecProto spec = toSpec("t", Sharding::replicated(2), *Mesh::parse("x=2"));
  EXPECT_THAT(spec.device(), ElementsAre(-1));
  EXPECT_THAT(spec.index_to_device_group_map(0).value(), ElementsAre(0, 1));
  EXPECT_EQ(spec.sharded_dim_size(), 0);
}

TEST(ShardingSpecsTest, NegativeAxesCountFromTheEnd) {
  Mesh mesh = *Mesh::parse("x=2");
  Sharding sharding = Sharding::replicated(2);
  sharding.dims[1].axes = {0};
  ::onnx::ShardingSpecProto spec = toSpec("t", sharding, mesh);
  spec.mutable_sharded_dim(0)->set_axis(-1);
  EXPECT_TRUE(*fromSpec(spec, 2, mesh) == sharding);
}

TEST(ShardingSpecsTest, UnevenAndUnitSplitsAreNotExpressible) {
  Mesh mesh = *Mesh::parse("x=4");
  EXPECT_TRUE(isExpressible({{0}, 1}, 8, mesh));
  EXPECT_FALSE(isExpressible({{0}, 1}, 6, mesh));
  EXPECT_FALSE(isExpressible({{0}, 2}, 8, mesh));
  EXPECT_TRUE(isExpressible({}, 7, mesh));
}

TEST(ShardingSpecsTest, DevicesThatAreNoMeshAreRefused) {
  ::onnx::ShardingSpecProto spec;
  spec.set_tensor_name("t");
  ::onnx::ShardedDimProto *dim = spec.add_sharded_dim();
  dim->set_axis(0);
  dim->add_simple_sharding()->set_num_shards(4);
  for (int64_t device : {0, 3, 1, 2})
    spec.add_device(device);
  EXPECT_THAT(errorOf(fromSpec(spec, 1, *Mesh::parse("x=4")).takeError()),
              HasSubstr("sharding spec of 't': its devices are not those"));
  EXPECT_THAT(errorOf(meshOfSpecs({&spec}, 4).takeError()), HasSubstr("no row-major mesh"));
  spec.add_device(9);
  EXPECT_THAT(errorOf(meshOfSpecs({&spec}, 4).takeError()), HasSubstr("4 shards, but 5 devices or groups"));
  dim->mutable_simple_sharding(0)->set_num_shards(1 << 20);
  EXPECT_THAT(errorOf(fromSpec(spec, 1, *Mesh::parse("x=4")).takeError()), HasSubstr("expected 1 to 65536 in all"));
}

} // namespace
