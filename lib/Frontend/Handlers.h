//===- Handlers.h - Declares the handlers that OnnxOps.def names -*- C++ -*-===//
#ifndef LLMPAR_LIB_FRONTEND_HANDLERS_H
#define LLMPAR_LIB_FRONTEND_HANDLERS_H

#include "NodeImporter.h"

namespace llmpar {
#define ONNX_OP(domain, name, sinceMin, sinceMax, handler, kind, notes) void handler(NodeImporter &n);
#include "llmpar/Frontend/OnnxOps.def"
} // namespace llmpar

#endif // LLMPAR_LIB_FRONTEND_HANDLERS_H
