//===- Kinds.h - Enumerations of Kinds.def ----------------------*- C++ -*-===//
//
// The first int of a unary, binary or reduce record is one of these.
//
//   UnaryKind::gelu_tanh   BinaryKind::less_equal   ReduceKind::max
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_REFERENCE_KINDS_H
#define LLMPAR_RUNTIME_REFERENCE_KINDS_H

#include <cstdint>

namespace llmpar::rt {

enum class UnaryKind : int64_t {
#define LLMPAR_UNARY(name) name,
#include "llmpar/Abi/Kinds.def"
};
enum class BinaryKind : int64_t {
#define LLMPAR_BINARY(name) name,
#include "llmpar/Abi/Kinds.def"
};
enum class ReduceKind : int64_t {
#define LLMPAR_REDUCE(name) name,
#include "llmpar/Abi/Kinds.def"
};

inline constexpr int64_t unaryKinds = 0
#define LLMPAR_UNARY(name) +1
#include "llmpar/Abi/Kinds.def"
    ;
inline constexpr int64_t binaryKinds = 0
#define LLMPAR_BINARY(name) +1
#include "llmpar/Abi/Kinds.def"
    ;
inline constexpr int64_t reduceKinds = 0
#define LLMPAR_REDUCE(name) +1
#include "llmpar/Abi/Kinds.def"
    ;

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_REFERENCE_KINDS_H
