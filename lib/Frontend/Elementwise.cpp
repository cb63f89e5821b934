//===- Elementwise.cpp - ONNX functions of single elements ----------------===//
#include "Handlers.h"

using namespace mlir;

namespace llmpar {

void importUnary(NodeImporter &n) { n.result(0, n.unary(n.kind, n.input(0))); }

void importIsInf(NodeImporter &n) {
  double negative = static_cast<double>(n.integer("detect_negative", 1));
  n.result(0, n.unary("is_inf", n.input(0), negative, static_cast<double>(n.integer("detect_positive", 1))));
}

void importElu(NodeImporter &n) { n.result(0, n.unary("elu", n.input(0), n.real("alpha", 1))); }

void importSelu(NodeImporter &n) {
  n.result(0, n.unary("selu", n.input(0), n.real("alpha", 1.67326319217681884765625),
                      n.real("gamma", 1.05070102214813232421875)));
}

// max(0, x) + min(0, a (exp(x / a) - 1)) = a elu(x / a) for a > 0.
void importCelu(NodeImporter &n) {
  double alpha = n.real("alpha", 1);
  n.result(0, n.scale(n.unary("elu", n.scale(n.input(0), 1 / alpha)), alpha));
}

void importLeakyRelu(NodeImporter &n) { n.result(0, n.unary("leaky_relu", n.input(0), n.real("alpha", 0.01))); }

void importHardSigmoid(NodeImporter &n) {
  n.result(0, n.unary("hard_sigmoid", n.input(0), n.real("alpha", 0.2), n.real("beta", 0.5)));
}

void importHardSwish(NodeImporter &n) {
  Value x = n.input(0);
  n.result(0, n.mul(x, n.unary("hard_sigmoid", x, 1.0 / 6, 0.5)));
}

void importThresholdedRelu(NodeImporter &n) {
  Value x = n.input(0);
  Value above = n.binary("greater", x, n.scalarLike(n.real("alpha", 1), x));
  n.result(0, n.select(above, x, n.scalarLike(0, x)));
}

// x < -lambd ? x + bias : x > lambd ? x - bias : 0
void importShrink(NodeImporter &n) {
  Value x = n.input(0);
  double lambd = n.real("lambd", 0.5), bias = n.real("bias", 0);
  Value high =
      n.select(n.binary("greater", x, n.scalarLike(lambd, x)), n.sub(x, n.scalarLike(bias, x)), n.scalarLike(0, x));
  n.result(0, n.select(n.binary("less", x, n.scalarLike(-lambd, x)), n.add(x, n.scalarLike(bias, x)), high));
}

void importMish(NodeImporter &n) {
  Value x = n.input(0);
  n.result(0, n.mul(x, n.unary("tanh", n.unary("softplus", x))));
}

void importSwish(NodeImporter &n) { n.result(0, n.unary("silu", n.input(0), n.real("alpha", 1))); }

void importGelu(NodeImporter &n) {
  n.result(0, n.unary(n.choice("approximate", {"none", "tanh"}) == 1 ? "gelu_tanh" : "gelu", n.input(0)));
}

void importClip(NodeImporter &n) {
  Value x = n.input(0);
  Value low = n.optional(1), high = n.optional(2);
  if (n.hasAttribute("min"))
    low = n.scalarLike(n.real("min", 0), x);
  if (n.hasAttribute("max"))
    high = n.scalarLike(n.real("max", 0), x);
  if (low)
    x = n.binary("max", x, n.reshape(low, {}));
  if (high)
    x = n.binary("min", x, n.reshape(high, {}));
  n.result(0, x);
}

void importBinary(NodeImporter &n) { n.result(0, n.binary(n.kind, n.input(0), n.input(1))); }

void importBitShift(NodeImporter &n) {
  n.result(0, n.binary(n.choice("direction", {"RIGHT", "LEFT"}) == 1 ? "shift_left" : "shift_right", n.input(0),
                       n.input(1)));
}

void importMod(NodeImporter &n) {
  n.result(0, n.binary(n.integer("fmod", 0) ? "fmod" : "mod", n.input(0), n.input(1)));
}

// The result has the base's type, whatever the exponent's is.
void importPow(NodeImporter &n) {
  Value base = n.input(0), exponent = n.input(1);
  Type type = n.elementType(base);
  auto constant = n.constantReals(exponent);
  if (constant && constant->size() == 1 && n.rank(exponent) <= n.rank(base)) {
    if (constant->front() == 1)
      return n.result(0, base);
    if (constant->front() == 2)
      return n.result(0, n.mul(base, base));
  }
  bool fractional = n.isFloat(exponent) && !n.isFloat(base);
  Type common = fractional ? n.elementType(exponent) : type;
  n.result(0, n.cast(n.binary("pow", n.cast(base, common), n.cast(exponent, common)), type));
}

void importVariadic(NodeImporter &n) {
  bool mean = n.kind == "mean";
  Value sum = n.input(0);
  for (size_t i = 1; i < n.numInputs(); ++i)
    sum = n.binary(mean ? "add" : n.kind, sum, n.input(i));
  n.result(0, mean ? n.div(sum, n.scalarLike(static_cast<double>(n.numInputs()), sum)) : sum);
}

void importWhere(NodeImporter &n) { n.result(0, n.select(n.input(0), n.input(1), n.input(2))); }

void importCast(NodeImporter &n) {
  Type type = n.onnxType(n.integer("to", 0));
  n.result(0, n.cast(n.input(0), type));
}

void importCastLike(NodeImporter &n) { n.result(0, n.cast(n.input(0), n.elementType(n.input(1)))); }

void importDropout(NodeImporter &n) {
  Value x = n.input(0);
  if (n.has(2)) {
    auto training = n.constantIntegers(n.optional(2));
    auto ratio = n.constantReals(n.optional(1));
    bool harmless = training && llvm::all_of(*training, [](int64_t flag) { return flag == 0; });
    if (!harmless && !(ratio && ratio->size() == 1 && ratio->front() == 0))
      n.error("training mode is not supported");
  }
  n.result(0, x);
  if (n.wants(1)) // the mask became bool with opset 10
    n.result(1, n.filled(1, n.opset < 10 ? n.elementType(x) : n.i1(), n.shape(x)));
}

} // namespace llmpar
