//===- DeviceConfigurations.h - ONNX multi-device annotations ---*- C++ -*-===//
//
// From IR version 11 on an ONNX model can say how its tensors lie on devices: a configuration names a set of devices,
// and each node has a sharding spec for some of its inputs and outputs (onnx.proto, DeviceConfigurationProto and
// NodeDeviceConfigurationProto; meaning: proposal 0006 of the ONNX project).
//
//   mesh x=2,y=2, weight [{}, {"y"}] of node n:
//     configuration {name: "x=2,y=2", num_devices: 4}
//     n.device_configurations {configuration_id: "x=2,y=2", sharding_spec {tensor_name: "w", device: [-1, -2],
//       index_to_device_group_map {-1: [0, 2], -2: [1, 3]}, sharded_dim {axis: 1, simple_sharding {num_shards: 2}}}}
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_FRONTEND_DEVICECONFIGURATIONS_H
#define LLMPAR_FRONTEND_DEVICECONFIGURATIONS_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace llmpar {

/// A tensor that got no annotation, or not all of it.
struct AnnotationLoss {
  std::string tensor, why;
};

/// Writes a copy of the model file `model` to `output`, with the shardings of `module` as annotations. `module` was
/// imported from it and has `llmpar.out` on every op (llmpar-propagate-shardings). Inputs, initializers and the outputs
/// of nodes of the main graph get specs; what a spec cannot say is returned. Errors: one device; the model's weights
/// are files beside it and `output` is in another folder; a file that cannot be read or written.
llvm::Expected<std::vector<AnnotationLoss>> annotateOnnx(mlir::ModuleOp module, llvm::StringRef model,
                                                         llvm::StringRef output);

/// Pins the tensors of `module` as the annotations of the model file under `configuration` say: `llmpar.out` on
/// inputs, loads of weights, and the ops of nodes. `module` was imported from it. Without a mesh it gets that of the
/// configuration: its name if it reads as a mesh ("x=2,y=2"), else the coarsest on whose axes all specs lie.
/// A spec of a tensor that is no longer there is a warning at its node. Errors: no such configuration; devices that
/// are no row-major mesh, or not the module's; a dimension of another rank; several specs that disagree.
llvm::Error followAnnotations(mlir::ModuleOp module, llvm::StringRef model, llvm::StringRef configuration);

} // namespace llmpar

#endif // LLMPAR_FRONTEND_DEVICECONFIGURATIONS_H
