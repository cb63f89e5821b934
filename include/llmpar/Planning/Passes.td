//===- Passes.td - Where search meets the IR -------------------------------===//
include "mlir/Pass/PassBase.td"

def PlanShardings : Pass<"llmpar-plan-shardings", "::mlir::ModuleOp"> {
  let summary = "Choose a mesh and the cheapest sharding of every op";
  let description = [{
    Writes `llmpar.factors` on ops and `llmpar.out` on inputs and on values with several users;
    llmpar-propagate-shardings follows them. A mesh of the module is kept, and so are pins (`llmpar.out`).
  }];
  let options = [
    Option<"cluster", "cluster", "std::string", "\"\"", "name or file of a cluster, e.g. dgx-h100">,
    Option<"method", "method", "std::string", "\"auto\"", "single, data, tensor, sequence, expert, gathered, hybrid or auto">,
    Option<"memory", "memory", "int64_t", "0", "bytes of a device; 0: what the cluster says">
  ];
  let dependentDialects = ["::llmpar::LlmparDialect"];
}
