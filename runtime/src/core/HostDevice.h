//===- HostDevice.h - The devices `reference` and `cpu` ---------*- C++ -*-===//
#ifndef LLMPAR_RUNTIME_CORE_HOSTDEVICE_H
#define LLMPAR_RUNTIME_CORE_HOSTDEVICE_H

#include "core/Device.h"

namespace llmpar::rt {

/// Runs `findReferenceKernel` of every record.
std::unique_ptr<Device> makeReferenceDevice();

/// Runs `findCpuKernel`, the reference kernel where there is no faster one, and packed matmuls.
std::unique_ptr<Device> makeCpuDevice();

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_HOSTDEVICE_H
