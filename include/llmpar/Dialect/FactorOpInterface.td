//===- FactorOpInterface.td - Operators that have a factor rule -----------===//
#ifndef LLMPAR_FACTOR_OP_INTERFACE_TD
#define LLMPAR_FACTOR_OP_INTERFACE_TD

include "mlir/IR/OpBase.td"

def FactorOpInterface : OpInterface<"FactorOpInterface"> {
  let cppNamespace = "::llmpar";
  let description = [{
    The factor rule of an operator: its index notation, see llmpar/Core/FactorRule.h.
    Ops with a fixed rule state it in TableGen (`FactorOp`); the others override
    `getFactorRule`, because the rule depends on attributes or shapes.
  }];
  let methods = [
    InterfaceMethod<"the rule for this op's operand and result shapes", "::llmpar::FactorRule", "getFactorRule", (ins)>,
    InterfaceMethod<"floating-point operations as a polynomial in factors, \"2 m n k\"; \"\" for none",
                    "::llvm::StringRef", "getFlopPolynomial", (ins)>
  ];
}
#endif // LLMPAR_FACTOR_OP_INTERFACE_TD
