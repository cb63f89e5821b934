//===- Handlers.h - Declares the handlers that OnnxOps.def names -*- C++ -*-===//
#ifndef LLMPAR_LIB_FRONTEND_HANDLERS_H
#define LLMPAR_LIB_FRONTEND_HANDLERS_H

#include "NodeImporter.h"

namespace llmpar {
#define ONNX_OP(domain, name, versions, until, handler, kind, inputs, outputs, attributes, notes)                      \
  void handler(NodeImporter &n);
#include "llmpar/Frontend/OnnxOps.def"
} // namespace llmpar

#endif // LLMPAR_LIB_FRONTEND_HANDLERS_H
