//===- Rotary.cpp - rotary --------------------------------------*- C++ -*-===//
//
// A row at a time, vectors over its pairs: as many bytes are read and written
// as a copy does, and angles come from the cache for every head but the
// first. bf16 and f16 rows are converted to floats and back, tables of angles
// once. Products are rounded before they are added, as where the rotation is
// written out. The result may take x's place: both elements of a pair are
// read before one is written.
//
//===----------------------------------------------------------------------===//
#include "cpu/CpuKernels.h"
#include "cpu/Rows.h"
#include "cpu/VectorMath.h"
#include "reference/Loops.h"
#include "reference/Reference.h"

namespace llmpar::rt::cpu {
namespace {

LLMPAR_CLONES void turnHalves(const float *x, const float *cos, const float *sin, float *y, int64_t pairs) {
#pragma STDC FP_CONTRACT OFF
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < pairs; ++i) {
    float a = x[i], b = x[i + pairs];
    y[i] = a * cos[i] - b * sin[i];
    y[i + pairs] = b * cos[i] + a * sin[i];
  }
}

LLMPAR_CLONES void turnNeighbours(const float *x, const float *cos, const float *sin, float *y, int64_t pairs) {
#pragma STDC FP_CONTRACT OFF
  LLMPAR_VECTORIZE
  for (int64_t i = 0; i < pairs; ++i) {
    float a = x[2 * i], b = x[2 * i + 1];
    y[2 * i] = a * cos[i] - b * sin[i];
    y[2 * i + 1] = b * cos[i] + a * sin[i];
  }
}

} // namespace

Status rotary(const KernelCall &call) {
  const TensorView &x = call.inputs[0], &cosines = call.inputs[1], &sines = call.inputs[2], &y = call.outputs[0];
  if (!isNarrowable(x.dtype) || !isNarrowable(cosines.dtype) || !isNarrowable(sines.dtype))
    return reference::rotary(call);
  thread_local std::vector<float> cosBuffer, sinBuffer, in, out;
  const float *cos = readRow(cosines, 0, cosines.elements(), cosBuffer);
  const float *sin = readRow(sines, 0, sines.elements(), sinBuffer);
  Dims cosStrides = broadcastRowStrides(cosines, x), sinStrides = broadcastRowStrides(sines, x);
  auto turn = call.ints[0] != 0 ? turnNeighbours : turnHalves;
  int64_t n = x.shape().back(), pairs = cosines.shape().back(), at = 0;
  forEachIndex(x.shape().first(static_cast<size_t>(x.rank - 1)), [&](const Dims &index) {
    const float *from = readRow(x, at, n, in);
    writeRow(y, at, n, out, [&](float *to) {
      turn(from, cos + offset(cosStrides, index), sin + offset(sinStrides, index), to, pairs);
      if (from != to)
        std::copy(from + 2 * pairs, from + n, to + 2 * pairs);
    });
    at += n;
  });
  return Status::success();
}

} // namespace llmpar::rt::cpu
