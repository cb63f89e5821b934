// RUN: llmpar-opt %s --split-input-file --llmpar-lower-precision --canonicalize | FileCheck %s
// RUN: llmpar-opt %s --split-input-file --llmpar-lower-precision=type=f16 --canonicalize | FileCheck %s --check-prefix=HALF

// Weights stay f32, each use reads a cast; results keep their types.
// CHECK-LABEL: func.func @main
// CHECK-SAME:  -> tensor<2x6xf32>
// CHECK-DAG:   %[[W:.*]] = llmpar.load_weight @w : tensor<4x6xf32>
// CHECK-DAG:   %[[C:.*]] = llmpar.cast %[[W]] : (tensor<4x6xf32>) -> tensor<4x6xbf16>
// CHECK-DAG:   %[[X:.*]] = llmpar.cast %{{.*}} : (tensor<2x4xf32>) -> tensor<2x4xbf16>
// CHECK:       %[[Y:.*]] = llmpar.matmul %[[X]], %[[C]] : (tensor<2x4xbf16>, tensor<4x6xbf16>) -> tensor<2x6xbf16>
// CHECK:       %[[G:.*]] = llmpar.unary "gelu" %[[Y]] : (tensor<2x6xbf16>) -> tensor<2x6xbf16>
// CHECK:       %[[R:.*]] = llmpar.cast %[[G]] : (tensor<2x6xbf16>) -> tensor<2x6xf32>
// CHECK:       return %[[R]]
// HALF:        llmpar.matmul %{{.*}} -> tensor<2x6xf16>
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96>
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x6xf32> {
  %w = llmpar.load_weight @w : tensor<4x6xf32>
  %y = llmpar.matmul %x, %w : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  %z = llmpar.unary "gelu" %y : (tensor<2x6xf32>) -> tensor<2x6xf32>
  return %z : tensor<2x6xf32>
}

// -----

// A norm that is written out keeps its sums and roots in f32, and what it gives goes on in bf16.
// CHECK-LABEL: func.func @main
// CHECK:       %[[S:.*]] = llmpar.cast %{{.*}} : (tensor<2x6xbf16>) -> tensor<2x6xf32>
// CHECK:       %[[SUM:.*]] = llmpar.reduce "sum" %[[S]] {{.*}} -> tensor<2x1xf32>
// CHECK:       %[[F:.*]] = llmpar.unary "rsqrt" %[[SUM]] : (tensor<2x1xf32>) -> tensor<2x1xf32>
// CHECK:       %[[N:.*]] = llmpar.binary "mul" %{{.*}}, %[[F]] : (tensor<2x6xf32>, tensor<2x1xf32>) -> tensor<2x6xf32>
// CHECK:       %[[B:.*]] = llmpar.cast %[[N]] : (tensor<2x6xf32>) -> tensor<2x6xbf16>
// CHECK:       llmpar.unary "relu" %[[B]] : (tensor<2x6xbf16>) -> tensor<2x6xbf16>
llmpar.weight @w : tensor<4x6xf32> from <"w.bin", 0, 96>
func.func @main(%x: tensor<2x4xf32>) -> tensor<2x6xf32> {
  %w = llmpar.load_weight @w : tensor<4x6xf32>
  %y = llmpar.matmul %x, %w : (tensor<2x4xf32>, tensor<4x6xf32>) -> tensor<2x6xf32>
  %s = llmpar.binary "mul" %y, %y : (tensor<2x6xf32>, tensor<2x6xf32>) -> tensor<2x6xf32>
  %sum = llmpar.reduce "sum" %s {axes = array<i64: 1>, keep_dims = true} : (tensor<2x6xf32>) -> tensor<2x1xf32>
  %f = llmpar.unary "rsqrt" %sum : (tensor<2x1xf32>) -> tensor<2x1xf32>
  %n = llmpar.binary "mul" %y, %f : (tensor<2x6xf32>, tensor<2x1xf32>) -> tensor<2x6xf32>
  %z = llmpar.unary "relu" %n : (tensor<2x6xf32>) -> tensor<2x6xf32>
  return %z : tensor<2x6xf32>
}

// -----

// What depends on no weight, and tables, are computed in f32: positions above 256 are no numbers of bf16.
// CHECK-LABEL: func.func @main
// CHECK:       %[[A:.*]] = llmpar.binary "mul" %{{.*}}, %{{.*}} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
// CHECK:       %[[COS:.*]] = llmpar.unary "cos" %[[A]] : (tensor<2xf32>) -> tensor<2xf32>
// CHECK:       %[[C:.*]] = llmpar.cast %[[COS]] : (tensor<2xf32>) -> tensor<2xbf16>
// CHECK:       llmpar.binary "mul" %{{.*}}, %[[C]] : (tensor<2xbf16>, tensor<2xbf16>) -> tensor<2xbf16>
llmpar.weight @w : tensor<2xf32> from <"w.bin", 0, 8>
llmpar.weight @rotary.inv_freq : tensor<2xf32> from <"w.bin", 8, 8>
func.func @main(%positions: tensor<2xi64>) -> tensor<2xf32> {
  %w = llmpar.load_weight @w : tensor<2xf32>
  %q = llmpar.unary "relu" %w : (tensor<2xf32>) -> tensor<2xf32>
  %inv = llmpar.load_weight @rotary.inv_freq : tensor<2xf32>
  %p = llmpar.cast %positions : (tensor<2xi64>) -> tensor<2xf32>
  %a = llmpar.binary "mul" %p, %inv : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %cos = llmpar.unary "cos" %a : (tensor<2xf32>) -> tensor<2xf32>
  %r = llmpar.binary "mul" %q, %cos : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

// A rotation is in the lower type, its angles are not.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.rotary %{{.*}}, %arg0, %arg0 : (tensor<3x4xbf16>, tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xbf16>
llmpar.weight @w : tensor<3x4xf32> from <"w.bin", 0, 48>
func.func @main(%angles: tensor<3x2xf32>) -> tensor<3x4xf32> {
  %w = llmpar.load_weight @w : tensor<3x4xf32>
  %r = llmpar.rotary %w, %angles, %angles : (tensor<3x4xf32>, tensor<3x2xf32>, tensor<3x2xf32>) -> tensor<3x4xf32>
  return %r : tensor<3x4xf32>
}

// -----

// A mask that the type cannot hold becomes its least number, not -infinity: a row that is masked whole stays finite.
// CHECK-LABEL: func.func @main
// CHECK-DAG:   llmpar.constant dense<-3.38{{.*}}e+38> : tensor<bf16>
// HALF:        llmpar.constant dense<-6.550400e+04> : tensor<f16>
llmpar.weight @w : tensor<2xf32> from <"w.bin", 0, 8>
func.func @main(%allowed: tensor<2xi1>) -> tensor<2xf32> {
  %w = llmpar.load_weight @w : tensor<2xf32>
  %s = llmpar.unary "relu" %w : (tensor<2xf32>) -> tensor<2xf32>
  %least = llmpar.constant dense<-3.40282347E+38> : tensor<f32> : tensor<f32>
  %r = llmpar.select %allowed, %s, %least : (tensor<2xi1>, tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

// The masks of attention, and the logarithms that it gives, stay f32.
// CHECK-LABEL: func.func @main
// CHECK:       llmpar.attention %{{.*}} masks %{{.*}} : (tensor<3x4xbf16>, tensor<5x4xbf16>, tensor<5x2xbf16>, tensor<3x5xf32>) -> (tensor<3x2xbf16>, tensor<3xf32>)
llmpar.weight @q : tensor<3x4xf32> from <"w.bin", 0, 48>
llmpar.weight @k : tensor<5x4xf32> from <"w.bin", 48, 80>
llmpar.weight @v : tensor<5x2xf32> from <"w.bin", 128, 40>
func.func @main(%mask: tensor<3x5xf32>) -> tensor<3x2xf32> {
  %q = llmpar.load_weight @q : tensor<3x4xf32>
  %k = llmpar.load_weight @k : tensor<5x4xf32>
  %v = llmpar.load_weight @v : tensor<5x2xf32>
  %y, %lse = llmpar.attention %q, %k, %v masks %mask {scale = 0.5, fill = 0.0} : (tensor<3x4xf32>, tensor<5x4xf32>, tensor<5x2xf32>, tensor<3x5xf32>) -> (tensor<3x2xf32>, tensor<3xf32>)
  return %y : tensor<3x2xf32>
}
