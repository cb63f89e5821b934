//===- Elements.cpp - Element types, constants and kernel signatures -------===//
#include "llmpar/Exec/Exec.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace llmpar::exec {

std::optional<DType> elementDType(Type type) {
  if (type.isF32())
    return DType::F32;
  if (type.isF64())
    return DType::F64;
  if (type.isF16())
    return DType::F16;
  if (type.isBF16())
    return DType::BF16;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || integer.isSigned())
    return std::nullopt;
  bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1:
    return isUnsigned ? std::nullopt : std::optional(DType::Bool);
  case 8:
    return isUnsigned ? DType::U8 : DType::I8;
  case 16:
    return isUnsigned ? DType::U16 : DType::I16;
  case 32:
    return isUnsigned ? DType::U32 : DType::I32;
  case 64:
    return isUnsigned ? DType::U64 : DType::I64;
  default:
    return std::nullopt;
  }
}

Type elementType(DType dtype, MLIRContext *context) {
  switch (dtype) {
  case DType::F32:
    return Float32Type::get(context);
  case DType::F64:
    return Float64Type::get(context);
  case DType::F16:
    return Float16Type::get(context);
  case DType::BF16:
    return BFloat16Type::get(context);
  case DType::Bool:
    return IntegerType::get(context, 1);
  default:
    bool isUnsigned = dtypeName(dtype).front() == 'u';
    return IntegerType::get(context, 8 * dtypeSize(dtype), isUnsigned ? IntegerType::Unsigned : IntegerType::Signless);
  }
}

std::vector<char> elementBytes(DenseElementsAttr elements) {
  if (elements.getElementType().isInteger(1)) {
    std::vector<char> bytes;
    for (bool value : elements.getValues<bool>())
      bytes.push_back(value);
    return bytes;
  }
  ArrayRef<char> raw = elements.getRawData();
  if (!elements.isSplat())
    return raw.vec();
  std::vector<char> bytes;
  bytes.reserve(raw.size() * elements.getNumElements());
  for (int64_t i = 0; i < elements.getNumElements(); ++i)
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  return bytes;
}

DenseElementsAttr elementsFromBytes(RankedTensorType type, ArrayRef<char> bytes) {
  size_t size = dtypeSize(*elementDType(type.getElementType())), count = bytes.size() / size;
  bool splat = count > 0;
  for (size_t i = size; splat && i < bytes.size(); ++i)
    splat = bytes[i] == bytes[i - size];
  if (type.getElementType().isInteger(1)) {
    SmallVector<bool> values(bytes.begin(), splat ? bytes.begin() + 1 : bytes.end());
    return DenseElementsAttr::get(type, values);
  }
  return DenseElementsAttr::getFromRawBuffer(type, splat ? bytes.take_front(size) : bytes);
}

/// "x n" -> 1.., "x w bias?" -> 2..3, "keep axes..." -> 1.., "a b" -> 2..2.
static CountRange countNames(StringRef names) {
  CountRange range;
  SmallVector<StringRef> parts;
  names.split(parts, ' ', -1, /*KeepEmpty=*/false);
  for (StringRef name : parts) {
    if (name == "n" || name.ends_with("..."))
      return {range.min, SIZE_MAX};
    range.min += !name.ends_with("?");
    ++range.max;
  }
  return range;
}

std::optional<KernelSignature> kernelSignature(StringRef kernel) {
  static const llvm::StringMap<KernelSignature> signatures = {
#define LLMPAR_KERNEL(name, inputs, outputs, ints, floats)                                                             \
  {#name, {countNames(inputs), countNames(outputs), countNames(ints), countNames(floats)}},
#include "llmpar/Abi/Kernels.def"
  };
  auto it = signatures.find(kernel);
  return it == signatures.end() ? std::nullopt : std::optional(it->second);
}

} // namespace llmpar::exec
