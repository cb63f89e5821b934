// RUN: llmpar-opt %s --llmpar-split-batches | FileCheck %s
// RUN: llmpar-opt %s --llmpar-split-batches --llmpar-fuse-attention --canonicalize | FileCheck %s --check-prefix=FUSED

// FUSED-LABEL: func.func @bmm
// FUSED:       llmpar.attention %{{.*}}, %{{.*}}, %{{.*}} masks %{{.*}}, %arg4 {{.*}} : (tensor<2x4x3x6xf32>, tensor<2x4x5x6xf32>, tensor<2x4x5x7xf32>, tensor<2x4x1x5xf32>, tensor<2x1x3x5xf32>)
// CHECK-LABEL: func.func @bmm
// CHECK:       %[[Q:.*]] = llmpar.reshape %arg0 : (tensor<8x3x6xf32>) -> tensor<2x4x3x6xf32>
// CHECK-NEXT:  %[[K:.*]] = llmpar.reshape %arg1 : (tensor<8x5x6xf32>) -> tensor<2x4x5x6xf32>
// CHECK-NEXT:  %[[S:.*]] = llmpar.matmul %[[Q]], %[[K]] {transpose_b = true} : (tensor<2x4x3x6xf32>, tensor<2x4x5x6xf32>) -> tensor<2x4x3x5xf32>
// CHECK-NEXT:  %[[A:.*]] = llmpar.binary "mul" %[[S]], %{{.*}} : (tensor<2x4x3x5xf32>, tensor<f32>)
// CHECK-NEXT:  %[[ALIBI:.*]] = llmpar.reshape %arg3 : (tensor<8x1x5xf32>) -> tensor<2x4x1x5xf32>
// CHECK-NEXT:  %[[B:.*]] = llmpar.binary "add" %[[A]], %[[ALIBI]]
// CHECK-NEXT:  %[[M:.*]] = llmpar.binary "add" %[[B]], %arg4
// CHECK-NEXT:  %[[P:.*]] = llmpar.softmax %[[M]]
// CHECK-NEXT:  %[[V:.*]] = llmpar.reshape %arg2 : (tensor<8x5x7xf32>) -> tensor<2x4x5x7xf32>
// CHECK-NEXT:  %[[Y:.*]] = llmpar.matmul %[[P]], %[[V]]
// CHECK-NEXT:  %[[R:.*]] = llmpar.reshape %[[Y]] : (tensor<2x4x3x7xf32>) -> tensor<8x3x7xf32>
// CHECK-NEXT:  return %[[R]]
func.func @bmm(%q: tensor<8x3x6xf32>, %k: tensor<8x5x6xf32>, %v: tensor<8x5x7xf32>, %alibi: tensor<8x1x5xf32>, %mask: tensor<2x1x3x5xf32>) -> tensor<8x3x7xf32> {
  %half = llmpar.constant dense<0.5> : tensor<f32> : tensor<f32>
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<8x3x6xf32>, tensor<8x5x6xf32>) -> tensor<8x3x5xf32>
  %1 = llmpar.binary "mul" %0, %half : (tensor<8x3x5xf32>, tensor<f32>) -> tensor<8x3x5xf32>
  %2 = llmpar.binary "add" %1, %alibi : (tensor<8x3x5xf32>, tensor<8x1x5xf32>) -> tensor<8x3x5xf32>
  %3 = llmpar.reshape %2 : (tensor<8x3x5xf32>) -> tensor<2x4x3x5xf32>
  %4 = llmpar.binary "add" %3, %mask : (tensor<2x4x3x5xf32>, tensor<2x1x3x5xf32>) -> tensor<2x4x3x5xf32>
  %5 = llmpar.softmax %4 {axis = 3 : i64} : (tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  %6 = llmpar.reshape %5 : (tensor<2x4x3x5xf32>) -> tensor<8x3x5xf32>
  %7 = llmpar.matmul %6, %v : (tensor<8x3x5xf32>, tensor<8x5x7xf32>) -> tensor<8x3x7xf32>
  return %7 : tensor<8x3x7xf32>
}

// A mask for all batches, and one without them.
// CHECK-LABEL: func.func @masks_that_are_broadcast
// CHECK:       %[[S:.*]] = llmpar.matmul {{.*}} -> tensor<2x4x3x5xf32>
// CHECK-NEXT:  %[[ONES:.*]] = llmpar.reshape %arg2 : (tensor<1x3x5xf32>) -> tensor<1x1x3x5xf32>
// CHECK-NEXT:  %[[A:.*]] = llmpar.binary "add" %[[S]], %[[ONES]]
// CHECK-NEXT:  %[[B:.*]] = llmpar.select %arg3, %[[A]], %{{.*}} : (tensor<3x5xi1>, tensor<2x4x3x5xf32>, tensor<f32>)
// CHECK-NEXT:  llmpar.softmax %[[B]]
func.func @masks_that_are_broadcast(%q: tensor<8x3x6xf32>, %k: tensor<8x5x6xf32>, %a: tensor<1x3x5xf32>, %b: tensor<3x5xi1>) -> tensor<2x4x3x5xf32> {
  %low = llmpar.constant dense<-1.0e9> : tensor<f32> : tensor<f32>
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<8x3x6xf32>, tensor<8x5x6xf32>) -> tensor<8x3x5xf32>
  %1 = llmpar.binary "add" %0, %a : (tensor<8x3x5xf32>, tensor<1x3x5xf32>) -> tensor<8x3x5xf32>
  %2 = llmpar.select %b, %1, %low : (tensor<3x5xi1>, tensor<8x3x5xf32>, tensor<f32>) -> tensor<8x3x5xf32>
  %3 = llmpar.reshape %2 : (tensor<8x3x5xf32>) -> tensor<2x4x3x5xf32>
  %4 = llmpar.softmax %3 {axis = 3 : i64} : (tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return %4 : tensor<2x4x3x5xf32>
}

// Somebody else reads the scores as they are.
// CHECK-LABEL: func.func @scores_with_another_user_stay
// CHECK:       llmpar.matmul %arg0, %arg1
// CHECK-NEXT:  llmpar.reshape
// CHECK-NEXT:  llmpar.softmax
func.func @scores_with_another_user_stay(%q: tensor<8x3x6xf32>, %k: tensor<8x5x6xf32>) -> (tensor<2x4x3x5xf32>, tensor<8x3x5xf32>) {
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<8x3x6xf32>, tensor<8x5x6xf32>) -> tensor<8x3x5xf32>
  %1 = llmpar.reshape %0 : (tensor<8x3x5xf32>) -> tensor<2x4x3x5xf32>
  %2 = llmpar.softmax %1 {axis = 3 : i64} : (tensor<2x4x3x5xf32>) -> tensor<2x4x3x5xf32>
  return %2, %0 : tensor<2x4x3x5xf32>, tensor<8x3x5xf32>
}

// The matrices themselves are reshaped.
// CHECK-LABEL: func.func @rows_that_are_cut_stay
// CHECK:       llmpar.matmul %arg0, %arg1
// CHECK-NEXT:  llmpar.reshape
// CHECK-NEXT:  llmpar.softmax
func.func @rows_that_are_cut_stay(%q: tensor<8x4x6xf32>, %k: tensor<8x5x6xf32>) -> tensor<8x2x2x5xf32> {
  %0 = llmpar.matmul %q, %k {transpose_b = true} : (tensor<8x4x6xf32>, tensor<8x5x6xf32>) -> tensor<8x4x5xf32>
  %1 = llmpar.reshape %0 : (tensor<8x4x5xf32>) -> tensor<8x2x2x5xf32>
  %2 = llmpar.softmax %1 {axis = 3 : i64} : (tensor<8x2x2x5xf32>) -> tensor<8x2x2x5xf32>
  return %2 : tensor<8x2x2x5xf32>
}

// Each op is looked at once, however many ways lead to it.
// CHECK-LABEL: func.func @many_ways
// CHECK:       llmpar.softmax
func.func @many_ways(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %1 = llmpar.binary "add" %x, %x : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = llmpar.binary "add" %1, %1 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %3 = llmpar.binary "add" %2, %2 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %4 = llmpar.binary "add" %3, %3 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %5 = llmpar.binary "add" %4, %4 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %6 = llmpar.binary "add" %5, %5 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %7 = llmpar.binary "add" %6, %6 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %8 = llmpar.binary "add" %7, %7 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %9 = llmpar.binary "add" %8, %8 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %10 = llmpar.binary "add" %9, %9 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %11 = llmpar.binary "add" %10, %10 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %12 = llmpar.binary "add" %11, %11 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %13 = llmpar.binary "add" %12, %12 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %14 = llmpar.binary "add" %13, %13 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %15 = llmpar.binary "add" %14, %14 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %16 = llmpar.binary "add" %15, %15 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %17 = llmpar.binary "add" %16, %16 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %18 = llmpar.binary "add" %17, %17 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %19 = llmpar.binary "add" %18, %18 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %20 = llmpar.binary "add" %19, %19 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %21 = llmpar.binary "add" %20, %20 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %22 = llmpar.binary "add" %21, %21 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %23 = llmpar.binary "add" %22, %22 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %24 = llmpar.binary "add" %23, %23 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %25 = llmpar.binary "add" %24, %24 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %26 = llmpar.binary "add" %25, %25 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %27 = llmpar.binary "add" %26, %26 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %28 = llmpar.binary "add" %27, %27 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %29 = llmpar.binary "add" %28, %28 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %30 = llmpar.binary "add" %29, %29 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %31 = llmpar.binary "add" %30, %30 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %32 = llmpar.binary "add" %31, %31 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %33 = llmpar.binary "add" %32, %32 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %34 = llmpar.binary "add" %33, %33 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %35 = llmpar.binary "add" %34, %34 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %36 = llmpar.binary "add" %35, %35 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %37 = llmpar.binary "add" %36, %36 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %38 = llmpar.binary "add" %37, %37 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %39 = llmpar.binary "add" %38, %38 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %40 = llmpar.binary "add" %39, %39 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %41 = llmpar.softmax %40 {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %42 = llmpar.binary "mul" %41, %41 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %43 = llmpar.binary "mul" %42, %42 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %44 = llmpar.binary "mul" %43, %43 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %45 = llmpar.binary "mul" %44, %44 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %46 = llmpar.binary "mul" %45, %45 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %47 = llmpar.binary "mul" %46, %46 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %48 = llmpar.binary "mul" %47, %47 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %49 = llmpar.binary "mul" %48, %48 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %50 = llmpar.binary "mul" %49, %49 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %51 = llmpar.binary "mul" %50, %50 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %52 = llmpar.binary "mul" %51, %51 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %53 = llmpar.binary "mul" %52, %52 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %54 = llmpar.binary "mul" %53, %53 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %55 = llmpar.binary "mul" %54, %54 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %56 = llmpar.binary "mul" %55, %55 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %57 = llmpar.binary "mul" %56, %56 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %58 = llmpar.binary "mul" %57, %57 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %59 = llmpar.binary "mul" %58, %58 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %60 = llmpar.binary "mul" %59, %59 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %61 = llmpar.binary "mul" %60, %60 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %62 = llmpar.binary "mul" %61, %61 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %63 = llmpar.binary "mul" %62, %62 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %64 = llmpar.binary "mul" %63, %63 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %65 = llmpar.binary "mul" %64, %64 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %66 = llmpar.binary "mul" %65, %65 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %67 = llmpar.binary "mul" %66, %66 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %68 = llmpar.binary "mul" %67, %67 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %69 = llmpar.binary "mul" %68, %68 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %70 = llmpar.binary "mul" %69, %69 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %71 = llmpar.binary "mul" %70, %70 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %72 = llmpar.binary "mul" %71, %71 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %73 = llmpar.binary "mul" %72, %72 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %74 = llmpar.binary "mul" %73, %73 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %75 = llmpar.binary "mul" %74, %74 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %76 = llmpar.binary "mul" %75, %75 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %77 = llmpar.binary "mul" %76, %76 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %78 = llmpar.binary "mul" %77, %77 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %79 = llmpar.binary "mul" %78, %78 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %80 = llmpar.binary "mul" %79, %79 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  %81 = llmpar.binary "mul" %80, %80 : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %81 : tensor<2x3xf32>
}
