//===- Passes.td - From local tensors to runtime records ------------------===//
include "mlir/Pass/PassBase.td"

def LowerToRuntime : Pass<"llmpar-lower-to-runtime", "::mlir::ModuleOp"> {
  let summary = "Replace the module's function by every rank's records, loads and arenas";
  let description = [{
    The function is in the form that `llmpar-localize-shapes` leaves. Each rank gets records with its own valid
    extents. Work that depends on weights only goes to `init`; activations share memory by lifetime.
  }];
  let options = [Option<"layout", "layout", "std::string", "\"\"", "name of the layout; empty: the mesh">];
  let dependentDialects = ["::llmpar::exec::ExecDialect"];
}
