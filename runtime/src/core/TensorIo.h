//===- TensorIo.h - Tensors on the host, in files and on command lines -*- C++ -*-===//
//
// Files: .npy, .npz (read and write), .bin (raw; the shape comes from elsewhere), .pb (ONNX
// TensorProto, read only). The command line has IREE's grammar, with an optional name:
//
//   tokens=1x4xi64=1 2 3 4     values
//   x=2x3xf32=0.5              one value for all
//   2x3xf32                    zeros
//   x=@x.npy                   a file that knows its shape
//   x=2x3xf32=@x.bin           raw bytes
//   @all.npz                   every array of the archive, by name
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_TENSORIO_H
#define LLMPAR_RUNTIME_CORE_TENSORIO_H

#include "core/Status.h"
#include "llmpar/Abi/DType.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace llmpar::rt {

/// A dense row-major tensor. Elements of i1 are bytes 0 or 1.
struct HostTensor {
  std::string name; ///< empty: positional
  DType dtype = DType::F32;
  std::vector<int64_t> shape;
  std::vector<std::byte> data;

  int64_t elements() const;
  template <typename T> T *as() { return reinterpret_cast<T *>(data.data()); }
  template <typename T> const T *as() const { return reinterpret_cast<const T *>(data.data()); }
};

/// "2x3xf32"; "f32" of a scalar.
std::string describeTensor(const HostTensor &tensor);

/// "2x3xf32" -> {2, 3}, F32.
Status parseTensorType(std::string_view text, DType &dtype, std::vector<int64_t> &shape);

/// "f32", "ui8", "i1"; also NumPy's and ONNX's "float32", "uint8", "bool".
bool parseDType(std::string_view text, DType &dtype);

/// Zeroed data of the right size; fails for a negative or absurd shape, and with Code::DoesNotFit (bytes needed and
/// available) before it asks for memory that is not there.
Status allocateTensor(HostTensor &tensor);

/// Parses one `--input` value (the grammar above) and reads its file.
/// An .npz gives several tensors, everything else one.
Status parseTensorArgument(std::string_view argument, std::vector<HostTensor> &tensors);

/// Reads a file by its extension: .npy .npz .pb. Tensors of an .npz have names, of a .pb its own.
Status readTensors(const std::string &path, std::vector<HostTensor> &tensors);

/// Writes a file by its extension: .npy and .bin take one tensor, .npz any number with names.
Status writeTensors(const std::string &path, std::span<const HostTensor> tensors);

/// Fails if `writeTensors` would refuse to write `count` tensors to a file of this name.
Status checkWritable(const std::string &path, size_t count);

/// Reads `input_0.pb`, `input_1.pb` ... (or .npy) of an ONNX test data folder; `prefix` is "input" or "output".
Status readTestData(const std::string &folder, const std::string &prefix, std::vector<HostTensor> &tensors);

/// Whole file as bytes; the message names the file.
Status readFile(const std::string &path, std::vector<std::byte> &bytes);
Status writeFile(const std::string &path, std::span<const std::byte> bytes);

// One format each; see Npy.cpp, Npz.cpp and TensorProto.cpp.
Status decodeNpy(std::span<const std::byte> bytes, HostTensor &tensor);
std::vector<std::byte> encodeNpy(const HostTensor &tensor);
Status decodeNpz(std::span<const std::byte> bytes, std::vector<HostTensor> &tensors);
Status encodeNpz(std::span<const HostTensor> tensors, std::vector<std::byte> &bytes);
Status decodeTensorProto(std::span<const std::byte> bytes, HostTensor &tensor);

/// Result of comparing two tensors element by element.
struct Comparison {
  bool match = true;
  int64_t mismatches = 0, elements = 0;
  double maxAbsolute = 0, maxRelative = 0; ///< over finite pairs; relative to |expected|
  int64_t worst = -1;  ///< flat index of the first NaN or infinity clash, else of the largest excess
  std::string message; ///< one line; also on success
};

/// Matches if |actual - expected| <= absolute + relative * |expected| everywhere. NaN matches
/// NaN, an infinity only itself. Integers and bool compare exactly when both tolerances are 0.
/// Different shapes or types do not match.
Comparison compareTensors(const HostTensor &actual, const HostTensor &expected, double absolute, double relative);

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_TENSORIO_H
