//===- ProbeKernels.cpp - Kernels bound by memory on this machine -----------===//
//
// Each kernel at sizes from a few hundred bytes to beyond the caches. Before it, others use up the first caches and
// one writes the input, as in a model. Two row lengths at one size tell what a row costs.
//
//===----------------------------------------------------------------------===//
#include "Probe.h"

#include "reference/Kinds.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <functional>

namespace llmpar::tool {
namespace {

struct Rows {
  int64_t count, width;
  int64_t elements() const { return count * width; }
};

struct Case {
  std::string key; ///< in DeviceSpec::kernels
  std::optional<KernelClass> standsFor; ///< the class whose curve it gives
  int64_t width, narrow; ///< row lengths; 0: rows cost nothing
  int64_t mostElements;
  std::function<ProbeRecord(ProbeProgram &, ProbeBuffer x, ProbeBuffer y, Rows rows)> make;
};

constexpr int64_t inMemory = 4 << 20;   ///< elements: 16 MiB on each side, beyond the caches
constexpr int64_t inCache = 256 << 10;  ///< for kernels that compute more than they move
constexpr int64_t compared = 64 << 10;  ///< elements at which two row lengths are compared

std::string typeOf(Rows rows, const char *element = "f32") { return typeText({rows.count, rows.width}, element); }

Case unary(const char *name, rt::UnaryKind kind, std::optional<KernelClass> standsFor = std::nullopt) {
  return {measuredKernelName("unary", name), standsFor, 512, 0, inCache, [=](ProbeProgram &, ProbeBuffer x, ProbeBuffer y, Rows rows) {
            std::string type = typeOf(rows);
            return ProbeRecord{"unary", {ProbeProgram::viewOf(x, type)}, {ProbeProgram::viewOf(y, type)}, {static_cast<int64_t>(kind)}, {1, 0}};
          }};
}
Case binary(const char *name, rt::BinaryKind kind, std::optional<KernelClass> standsFor, int64_t mostElements) {
  return {measuredKernelName("binary", name), standsFor, 512, 0, mostElements, [=](ProbeProgram &program, ProbeBuffer x, ProbeBuffer y, Rows rows) {
            std::string type = typeOf(rows);
            ProbeBuffer a = ProbeProgram::viewOf(x, type), b = a;
            if (kind == rt::BinaryKind::pow)
              b = program.filled("1xf32", 3, 0);
            return ProbeRecord{"binary", {a, b}, {ProbeProgram::viewOf(y, type)}, {static_cast<int64_t>(kind)}};
          }};
}
/// A kernel of x that gives y, both rows x width, with further constant operands of one row.
Case rowwise(const char *name, std::optional<KernelClass> standsFor, int64_t parameters, std::vector<int64_t> ints,
             std::vector<double> floats) {
  return {name, standsFor, 512, 16, inCache, [=](ProbeProgram &program, ProbeBuffer x, ProbeBuffer y, Rows rows) {
            ProbeRecord record{name, {ProbeProgram::viewOf(x, typeOf(rows))}, {ProbeProgram::viewOf(y, typeOf(rows))}, ints, floats};
            for (int64_t i = 0; i < parameters; ++i)
              record.inputs.push_back(program.weight(typeText({rows.width})));
            return record;
          }};
}

std::vector<Case> movingCases() {
  using Kernel = ProbeRecord;
  auto view = ProbeProgram::viewOf;
  return {
      {"reshape", KernelClass::Move, 512, 0, inMemory, [=](ProbeProgram &, ProbeBuffer x, ProbeBuffer y, Rows rows) {
         return Kernel{"reshape", {view(x, typeOf(rows))}, {view(y, typeOf(rows))}};
       }},
      {"transpose", {}, 64, 8, inMemory, [=](ProbeProgram &, ProbeBuffer x, ProbeBuffer y, Rows rows) { // heads behind the sequence
         int64_t heads = rows.count >= 8 ? 4 : 1, sequence = rows.count / heads;
         return Kernel{"transpose", {view(x, typeText({sequence, heads, rows.width}))},
                       {view(y, typeText({heads, sequence, rows.width}))}, {1, 0, 2}};
       }},
      {"concat", {}, 512, 16, inMemory, [=](ProbeProgram &, ProbeBuffer x, ProbeBuffer y, Rows rows) {
         ProbeBuffer half = view(x, typeText({rows.count, rows.width / 2}));
         return Kernel{"concat", {half, half}, {view(y, typeOf(rows))}, {1}};
       }},
      {"slice", {}, 512, 16, inMemory, [=](ProbeProgram &, ProbeBuffer x, ProbeBuffer y, Rows rows) {
         return Kernel{"slice", {view(x, typeOf(rows))}, {view(y, typeText({rows.count, rows.width / 2}))}, {0, rows.width / 2, 1, 1}};
       }},
      {"gather", {}, 512, 16, inMemory, [=](ProbeProgram &program, ProbeBuffer x, ProbeBuffer y, Rows rows) {
         return Kernel{"gather", {view(x, typeOf(rows)), program.filled(typeText({rows.count}, "i64"), 0, 1)}, {view(y, typeOf(rows))},
                       {0, 0, rows.count}};
       }},
      {"gather_nd", {}, 512, 16, inCache, [=](ProbeProgram &program, ProbeBuffer x, ProbeBuffer y, Rows rows) {
         return Kernel{"gather_nd", {view(x, typeOf(rows)), program.filled(typeText({rows.count, 1}, "i64"), 0, 1)}, {view(y, typeOf(rows))}, {0}};
       }},
      {"broadcast", {}, 512, 16, inMemory, [=](ProbeProgram &, ProbeBuffer x, ProbeBuffer y, Rows rows) {
         return Kernel{"broadcast", {view(x, typeText({(rows.count + 1) / 2, 1, rows.width}))},
                       {view(y, typeText({(rows.count + 1) / 2, 2, rows.width}))}};
       }},
  };
}

std::vector<Case> cases() {
  std::vector<Case> all = {
      binary("add", rt::BinaryKind::add, KernelClass::Elementwise, inMemory),
      binary("div", rt::BinaryKind::div, std::nullopt, inMemory),
      binary("pow", rt::BinaryKind::pow, std::nullopt, inCache),
      unary("sqrt", rt::UnaryKind::sqrt),
      unary("exp", rt::UnaryKind::exp),
      unary("tanh", rt::UnaryKind::tanh, KernelClass::Transcendental),
      unary("erf", rt::UnaryKind::erf),
      unary("sigmoid", rt::UnaryKind::sigmoid),
      unary("gelu", rt::UnaryKind::gelu),
      unary("gelu_tanh", rt::UnaryKind::gelu_tanh),
      unary("silu", rt::UnaryKind::silu),
      rowwise("softmax", KernelClass::Rows, 0, {1, 0}, {}),
      rowwise("layer_norm", std::nullopt, 2, {1}, {1e-5}),
      rowwise("rms_norm", std::nullopt, 1, {1}, {1e-5}),
      {"rotary", {}, 128, 16, inCache, [](ProbeProgram &program, ProbeBuffer x, ProbeBuffer y, Rows rows) { // heads of one position
         ProbeBuffer angles = program.weight(typeText({rows.width / 2}));
         return ProbeRecord{"rotary", {ProbeProgram::viewOf(x, typeOf(rows)), angles, angles}, {ProbeProgram::viewOf(y, typeOf(rows))}, {0}};
       }},
      {"reduce", {}, 512, 16, inMemory, [](ProbeProgram &, ProbeBuffer x, ProbeBuffer y, Rows rows) {
         return ProbeRecord{"reduce", {ProbeProgram::viewOf(x, typeOf(rows))}, {ProbeProgram::viewOf(y, typeText({rows.count, 1}))}, {0, 1, 1}};
       }},
      {"select", {}, 512, 16, inMemory, [](ProbeProgram &program, ProbeBuffer x, ProbeBuffer y, Rows rows) { // a mask
         return ProbeRecord{"select", {program.weight(typeText({rows.width}, "i1")), ProbeProgram::viewOf(x, typeOf(rows)), program.weight("f32")},
                            {ProbeProgram::viewOf(y, typeOf(rows))}};
       }},
      {measuredKernelName("unary", "is_nan"), {}, 512, 0, inCache, [](ProbeProgram &, ProbeBuffer x, ProbeBuffer y, Rows rows) {
         return ProbeRecord{"unary", {ProbeProgram::viewOf(x, typeOf(rows))}, {ProbeProgram::viewOf(y, typeOf(rows, "i1"))},
                            {static_cast<int64_t>(rt::UnaryKind::is_nan)}, {1, 0}};
       }},
      {"cast", {}, 512, 0, inCache, [](ProbeProgram &, ProbeBuffer x, ProbeBuffer y, Rows rows) { // x holds i64
         return ProbeRecord{"cast", {ProbeProgram::viewOf(x, typeOf({rows.count, rows.width}, "i64"))}, {ProbeProgram::viewOf(y, typeOf(rows))}};
       }},
  };
  for (Case &moving : movingCases())
    all.push_back(std::move(moving));
  return all;
}

struct Timed {
  Rows rows;
  double bytes, seconds;
};

double bytesOf(const ProbeRecord &record) {
  double bytes = 0;
  for (const auto *buffers : {&record.inputs, &record.outputs})
    for (const ProbeBuffer &buffer : *buffers)
      bytes += static_cast<double>(buffer.bytes);
  return bytes;
}

/// Times the kernel on each of `shapes`.
bool time(const Case &kernel, llvm::ArrayRef<Rows> shapes, std::vector<Timed> &timed, Failure &failure) {
  ProbeProgram program(1);
  int64_t most = 0;
  for (Rows rows : shapes)
    most = std::max(most, rows.elements());
  ProbeBuffer x = program.activation(typeText({2 * most})), y = program.activation(typeText({most}));
  ProbeBuffer source = program.activation(x.type);
  std::vector<size_t> records;
  for (Rows rows : shapes) {
    ProbeRecord record = kernel.make(program, x, y, rows);
    timed.push_back({rows, bytesOf(record), 0});
    size_t last = 0;
    for (int repeat = 0; repeat < 2; ++repeat) {
      std::string input = typeText({record.inputs[record.kernel == "select"].bytes / 4});
      if (rows.elements() <= compared)
        program.disturb();
      program.record({"reshape", {program.viewOf(source, input)}, {program.viewOf(x, input)}});
      last = program.record(record);
    }
    records.push_back(last);
  }
  if (!program.timeRecords({.seconds = 0.3, .least = 8, .most = 200}, failure))
    return false;
  for (auto [entry, record] : llvm::zip_equal(llvm::MutableArrayRef(timed).take_back(shapes.size()), records))
    entry.seconds = program.seconds(record);
  return true;
}

bool measure(const Case &kernel, DeviceSpec &device, Failure &failure) {
  // Small and large ones apart: behind a kernel that empties the caches, even the records of the next one are cold.
  std::vector<Rows> small, large;
  for (int64_t elements = 64; elements <= kernel.mostElements; elements *= 4)
    (elements <= compared ? small : large).push_back({elements / std::min(kernel.width, elements), std::min(kernel.width, elements)});
  if (kernel.narrow)
    small.push_back({compared / kernel.narrow, kernel.narrow});
  std::vector<Timed> points;
  if (!time(kernel, small, points, failure))
    return false;
  Timed narrow = points.back(), wide = narrow;
  if (kernel.narrow) {
    points.pop_back();
    wide = points.back(); // as many elements
  }
  if (!time(kernel, large, points, failure))
    return false;
  KernelSpeed &speed = device.kernels[kernel.key];
  if (kernel.narrow)
    speed.runSeconds = std::max(0.0, (narrow.seconds - wide.seconds) / static_cast<double>(narrow.rows.count - wide.rows.count));
  constexpr int64_t usualWidth = 64;
  EfficiencyCurve ofClass;
  for (const Timed &point : points) {
    auto fraction = [&](double seconds) {
      return std::clamp(point.bytes / device.memoryBandwidthBytesPerSecond / std::max(seconds, 1e-9), 1e-4, 100.0);
    };
    double seconds = point.seconds, rows = speed.runSeconds * static_cast<double>(point.rows.count);
    double withoutRows = std::max(seconds - rows, seconds / 10);
    speed.bandwidthEfficiency.points.push_back({point.bytes, fraction(withoutRows)});
    double usualRows = speed.runSeconds * std::max(1.0, static_cast<double>(point.rows.elements() / usualWidth));
    ofClass.points.push_back({point.bytes, fraction(withoutRows + usualRows)});
  }
  if (kernel.standsFor)
    device.bandwidthEfficiency[*kernel.standsFor] = ofClass;
  return true;
}

} // namespace

bool probeKernels(DeviceSpec &device, Failure &failure) {
  for (const Case &kernel : cases())
    if (!measure(kernel, device, failure))
      return false;
  return true;
}

} // namespace llmpar::tool
