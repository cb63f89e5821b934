//===- Passes.td - Larger ops from groups of smaller ones -----------------===//
include "mlir/Pass/PassBase.td"

class FusionPass<string arg> : Pass<arg, "::mlir::ModuleOp"> {
  let dependentDialects = ["::llmpar::LlmparDialect", "::mlir::func::FuncDialect"];
}

def RaiseExperts : FusionPass<"llmpar-raise-experts"> {
  let summary = "Make a mixture of experts, however it is written, one llmpar.experts";
  let description = [{
    Recognised by structure: experts `down(f(up x))` or `down(f(gate x) * up x)` whose weights a top-k chooses,
    written out one by one, each scaled by its column of routing weights, and summed; or with the weights of
    every token's experts gathered from stacked ones. The experts must be alike, all experts of the top-k must be
    there, and nothing else may use what they compute. Weights of single experts become one weight with a source
    for each expert.
  }];
}
