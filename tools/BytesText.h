//===- BytesText.h - Bytes for people ---------------------------*- C++ -*-===//
#ifndef LLMPAR_TOOLS_BYTESTEXT_H
#define LLMPAR_TOOLS_BYTESTEXT_H

#include "llmpar/Core/UnitText.h"

namespace llmpar::tool {
using llmpar::bytesText;
} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_BYTESTEXT_H
