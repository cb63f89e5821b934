//===- ShardingSpecs.h - Shardings as ONNX says them ------------*- C++ -*-===//
#ifndef LLMPAR_LIB_FRONTEND_SHARDINGSPECS_H
#define LLMPAR_LIB_FRONTEND_SHARDINGSPECS_H

#include "llmpar/Core/Sharding.h"
#include "onnx/onnx.pb.h"

namespace llmpar {

/// The spec of a tensor: its shards row-major over the sharded dimensions, each on one device or a group of devices
/// (a negative index). Dimensions with a unit are not written: see isExpressible.
::onnx::ShardingSpecProto toSpec(llvm::StringRef tensor, const Sharding &sharding, const Mesh &mesh);

/// False for a dimension that ONNX cannot say: shards are equal there.
bool isExpressible(const DimSharding &dim, int64_t size, const Mesh &mesh);

/// Inverse of toSpec. Errors: an axis outside the tensor's rank; fused dimensions; device groups that are not those
/// of a split over axes of the mesh.
llvm::Expected<Sharding> fromSpec(const ::onnx::ShardingSpecProto &spec, size_t rank, const Mesh &mesh);

/// The coarsest row-major mesh of `devices` devices on whose axes all specs lie; axes x, y, z, ... Error: there is
/// none.
llvm::Expected<Mesh> meshOfSpecs(llvm::ArrayRef<const ::onnx::ShardingSpecProto *> specs, int64_t devices);

} // namespace llmpar

#endif // LLMPAR_LIB_FRONTEND_SHARDINGSPECS_H
