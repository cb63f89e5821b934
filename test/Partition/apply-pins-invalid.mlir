// RUN: not llmpar-opt %s "--llmpar-apply-pins=pins=w=[pp,-]" 2>&1 | FileCheck %s --check-prefix=AXIS
// RUN: not llmpar-opt %s "--llmpar-apply-pins=pins=w=[tp,tp]" 2>&1 | FileCheck %s --check-prefix=TWICE
// RUN: not llmpar-opt %s "--llmpar-apply-pins=pins=w=[tp]" 2>&1 | FileCheck %s --check-prefix=RANK
// RUN: not llmpar-opt %s "--llmpar-apply-pins=pins=v=[tp,-]" 2>&1 | FileCheck %s --check-prefix=NAME
// RUN: not llmpar-opt %s "--llmpar-apply-pins=pins=w:tp" 2>&1 | FileCheck %s --check-prefix=FORM

// AXIS:  error: pin 'w=[pp,-]': mesh 'dp=2,tp=3' has no axis 'pp'; write name-pattern=[axis,-,...], e.g. 'h.*.weight=[-,tp]'
// TWICE: error: pin 'w=[tp,tp]': axis 'tp' occurs twice
// RANK:  error: pin 'w=[tp]' has 1 dimensions, but 'w' is 'tensor<6x10xf32>'
// NAME:  error: pin 'v=[tp,-]' matches no input or weight; `llmpar compile --compile-to=import` shows their names
// FORM:  error: pin 'w:tp': not of the form name=[...]
llmpar.mesh @mesh <["dp"=2, "tp"=3]>
llmpar.weight @w : tensor<6x10xf32> from #llmpar.external<"w.data", 0, 240>
func.func @main() {
  %0 = llmpar.load_weight @w : tensor<6x10xf32>
  return
}
