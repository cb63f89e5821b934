//===- Contrib.cpp - Activations of ONNX Runtime --------------------------===//
#include "Handlers.h"

using namespace mlir;

namespace llmpar {

void importBiasGelu(NodeImporter &n) {
  Value x = n.input(0);
  n.result(0, n.unary(n.kind, n.has(1) ? n.add(x, n.input(1)) : x));
}

void importQuickGelu(NodeImporter &n) { n.result(0, n.unary("silu", n.input(0), n.real("alpha", 1.702f))); }

void importGemmFastGelu(NodeImporter &n) {
  Value y = n.matmul(n.input(0), n.input(1));
  n.result(0, n.unary("gelu_tanh", n.has(2) ? n.add(y, n.input(2)) : y));
}

} // namespace llmpar
