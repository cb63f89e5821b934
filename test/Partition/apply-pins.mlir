// RUN: llmpar-opt %s "--llmpar-apply-pins=pins=h.*.weight=[-,tp],table=[dp+tp,-],x=[dp,-]" | FileCheck %s

llmpar.mesh @mesh <["dp"=2, "tp"=3]>
llmpar.weight @h.0.weight : tensor<6x10xf32> from #llmpar.external<"w.data", 0, 240>
llmpar.weight @h.1.weight : tensor<10x6xf32> from #llmpar.external<"w.data", 240, 240>
llmpar.weight @h.1.bias : tensor<6xf32> from #llmpar.external<"w.data", 480, 24>
llmpar.weight @table : tensor<12x6xf32> from #llmpar.external<"w.data", 504, 288>
llmpar.weight @"h.2.weight[:, 0:4]" : tensor<6x4xf32> from #llmpar.external<"w.data", 0, 240> {llmpar.part = {of = "h.2.weight", shape = array<i64: 6, 10>, starts = array<i64: 0, 0>}}

// CHECK-LABEL: func.func @main(
// CHECK-SAME:  %{{.*}}: tensor<4x6xf32> {llmpar.name = "x", llmpar.out = #llmpar.sharding<@mesh, [{"dp"}, {}]>}
// CHECK-SAME:  %{{.*}}: tensor<4x6xf32> {llmpar.name = "xs"})
func.func @main(%x: tensor<4x6xf32> {llmpar.name = "x"}, %y: tensor<4x6xf32> {llmpar.name = "xs"}) {
  // CHECK: load_weight @h.0.weight {llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]}
  // CHECK: load_weight @h.1.weight {llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]}
  // CHECK: load_weight @h.1.bias :
  // A part is pinned as its tensor is.
  // CHECK: load_weight @"h.2.weight[:, 0:4]" {llmpar.out = [#llmpar.sharding<@mesh, [{}, {"tp"}]>]}
  // CHECK: load_weight @table {llmpar.out = [#llmpar.sharding<@mesh, [{"dp", "tp"}, {}]>]}
  %0 = llmpar.load_weight @h.0.weight : tensor<6x10xf32>
  %1 = llmpar.load_weight @h.1.weight : tensor<10x6xf32>
  %2 = llmpar.load_weight @h.1.bias : tensor<6xf32>
  %4 = llmpar.load_weight @"h.2.weight[:, 0:4]" : tensor<6x4xf32>
  %3 = llmpar.load_weight @table : tensor<12x6xf32>
  return
}
