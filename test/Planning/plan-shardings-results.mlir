// RUN: llmpar-opt %s --llmpar-plan-shardings="cluster=dgx-h100 method=data" | FileCheck %s
// RUN: llmpar-opt %s --llmpar-plan-shardings="cluster=dgx-h100 method=data" --llmpar-insert-reshards | FileCheck %s --check-prefix=RESHARD

// The first result has two users and a node of its own; the second goes to its one user as it comes.
// CHECK: llmpar.attention {{.*}}llmpar.out = [#llmpar.sharding<@mesh, [{"dp"}, {}, {}, {}]>, #llmpar.sharding<@mesh, [{"dp"}, {}, {}]>]
// RESHARD-NOT: llmpar.reshard %lse
// RESHARD: llmpar.attention_grad
func.func @main(%q: tensor<8x4x1024x64xbf16>, %k: tensor<8x4x1024x64xbf16>, %v: tensor<8x4x1024x64xbf16>, %dy: tensor<8x4x1024x64xbf16>)
    -> (tensor<8x4x1024x64xbf16>, tensor<8x4x1024x64xbf16>) {
  %y, %lse = llmpar.attention %q, %k, %v {scale = 1.0 : f64, fill = 0.0 : f64}
      : (tensor<8x4x1024x64xbf16>, tensor<8x4x1024x64xbf16>, tensor<8x4x1024x64xbf16>) -> (tensor<8x4x1024x64xbf16>, tensor<8x4x1024xf32>)
  %dq, %dk, %dv = llmpar.attention_grad %q, %k, %v, %y, %lse, %dy {scale = 1.0 : f64, fill = 0.0 : f64}
      : (tensor<8x4x1024x64xbf16>, tensor<8x4x1024x64xbf16>, tensor<8x4x1024x64xbf16>, tensor<8x4x1024x64xbf16>, tensor<8x4x1024xf32>, tensor<8x4x1024x64xbf16>)
      -> (tensor<8x4x1024x64xbf16>, tensor<8x4x1024x64xbf16>, tensor<8x4x1024x64xbf16>)
  %g = llmpar.unary "tanh" %y : (tensor<8x4x1024x64xbf16>) -> tensor<8x4x1024x64xbf16>
  return %g, %dq : tensor<8x4x1024x64xbf16>, tensor<8x4x1024x64xbf16>
}
