//===- Exec.cpp - The llmpar_rt dialect: syntax and verifiers --------------===//
#include "llmpar/Exec/Exec.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace llmpar::exec {

static constexpr llvm::StringLiteral arenaNames[] = {"weights", "activations", "staging"};
llvm::StringRef arenaName(Arena arena) { return arenaNames[static_cast<int>(arena)]; }

std::optional<Lane> laneNamed(StringRef name) {
  const auto *found = llvm::find(laneNames, std::string_view(name));
  return found == laneNames.end() ? std::nullopt : std::optional(static_cast<Lane>(found - laneNames.begin()));
}

//===-- Buffers: `activations+256 : tensor<4x8xf32>` ------------------------===//

static BufferAttr parseBufferText(AsmParser &parser) {
  llvm::SMLoc loc = parser.getCurrentLocation();
  StringRef name;
  int64_t offset;
  RankedTensorType type;
  if (parser.parseKeyword(&name))
    return {};
  const auto *found = llvm::find(arenaNames, name);
  if (found == std::end(arenaNames)) {
    parser.emitError(loc) << "unknown arena '" << name << "', expected weights, activations or staging";
    return {};
  }
  if (parser.parsePlus() || parser.parseInteger(offset) || parser.parseColonType(type))
    return {};
  if (offset < 0 || !type.hasStaticShape() || !elementDType(type.getElementType())) {
    parser.emitError(loc) << "a buffer needs an offset >= 0 and a static tensor of a program file's element type";
    return {};
  }
  return BufferAttr::get(parser.getContext(), static_cast<Arena>(found - std::begin(arenaNames)), offset, type);
}

static void printBufferText(AsmPrinter &printer, BufferAttr buffer) {
  printer << arenaName(buffer.getArena()) << "+" << buffer.getOffset() << " : " << buffer.getType();
}

Attribute BufferAttr::parse(AsmParser &parser, Type) {
  BufferAttr buffer;
  if (parser.parseLess() || !(buffer = parseBufferText(parser)) || parser.parseGreater())
    return {};
  return buffer;
}
void BufferAttr::print(AsmPrinter &printer) const {
  printer << "<";
  printBufferText(printer, *this);
  printer << ">";
}

static ParseResult parseBuffer(OpAsmParser &parser, BufferAttr &buffer) {
  return failure(!(buffer = parseBufferText(parser)));
}
static void printBuffer(OpAsmPrinter &printer, Operation *, BufferAttr buffer) { printBufferText(printer, buffer); }

static ParseResult parseBuffers(OpAsmParser &parser, ArrayAttr &buffers) {
  SmallVector<Attribute> list;
  auto parseOne = [&]() -> ParseResult {
    list.push_back(parseBufferText(parser));
    return failure(!list.back());
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseOne))
    return failure();
  buffers = parser.getBuilder().getArrayAttr(list);
  return success();
}
static void printBuffers(OpAsmPrinter &printer, Operation *, ArrayAttr buffers) {
  printer << "(";
  llvm::interleaveComma(buffers, printer,
                        [&](Attribute buffer) { printBufferText(printer, cast<BufferAttr>(buffer)); });
  printer << ")";
}

//===-- Mesh axes: `["dp" = 2, "tp" = 4]` ------------------------------------===//

static ParseResult parseAxes(OpAsmParser &parser, ArrayAttr &axes, DenseI64ArrayAttr &sizes) {
  SmallVector<Attribute> names;
  SmallVector<int64_t> extents;
  auto parseOne = [&]() -> ParseResult {
    std::string name;
    extents.push_back(0);
    if (parser.parseString(&name) || parser.parseEqual() || parser.parseInteger(extents.back()))
      return failure();
    names.push_back(parser.getBuilder().getStringAttr(name));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseOne))
    return failure();
  axes = parser.getBuilder().getArrayAttr(names);
  sizes = parser.getBuilder().getDenseI64ArrayAttr(extents);
  return success();
}
static void printAxes(OpAsmPrinter &printer, Operation *, ArrayAttr axes, DenseI64ArrayAttr sizes) {
  printer << "[";
  llvm::interleaveComma(llvm::zip(axes, sizes.asArrayRef()), printer,
                        [&](auto axis) { printer << std::get<0>(axis) << " = " << std::get<1>(axis); });
  printer << "]";
}

//===-- Verifiers --------------------------------------------------------------===//

LogicalResult ProgramOp::verify() {
  if (getAxes().size() != getSizes().size())
    return emitOpError() << "has " << getAxes().size() << " mesh axes and " << getSizes().size() << " sizes";
  int64_t ranks = 1, index = 0;
  for (int64_t size : getSizes())
    ranks *= size;
  for (RankOp rank : getBody().getOps<RankOp>())
    if (rank.getRank() != static_cast<uint64_t>(index++))
      return rank.emitOpError() << "is out of order, expected rank " << index - 1;
  if (index != ranks)
    return emitOpError() << "has a mesh of " << ranks << " ranks and the programs of " << index;
  return success();
}

LogicalResult RankOp::verify() {
  if (getArenas().size() != arenaCount)
    return emitOpError() << "has " << getArenas().size() << " arena sizes, expected 3: weights, activations, staging";
  return success();
}

/// Waits point backwards, so that the order of the text is a legal schedule.
static LogicalResult verifyWaits(Region &records) {
  int64_t index = 0;
  for (KernelOp record : records.getOps<KernelOp>()) {
    for (int64_t wait : record.getWaits().value_or(ArrayRef<int64_t>()))
      if (wait < 0 || wait >= index)
        return record.emitOpError() << "is record " << index << " and waits for record " << wait
                                    << ", which is not an earlier one";
    ++index;
  }
  return success();
}
LogicalResult InitOp::verify() { return verifyWaits(getBody()); }
LogicalResult MainOp::verify() { return verifyWaits(getBody()); }

LogicalResult KernelOp::verify() {
  std::optional<KernelSignature> signature = kernelSignature(getKernel());
  if (!signature)
    return emitOpError() << "unknown kernel '" << getKernel() << "'; Kernels.def lists them";
  auto check = [&](StringRef what, size_t count, CountRange range) -> LogicalResult {
    if (range.contains(count))
      return success();
    InFlightDiagnostic diagnostic = emitOpError() << "'" << getKernel() << "' has " << count << " " << what
                                                  << ", expected " << range.min;
    if (range.max > range.min)
      diagnostic << " or more";
    return diagnostic;
  };
  if (getLane() && !laneNamed(*getLane()))
    return emitOpError() << "unknown lane '" << *getLane() << "', expected compute, communication or copy";
  if (int64_t every = getEvery().value_or(1); every < 1 || every > UINT32_MAX)
    return emitOpError() << "runs every " << every << " steps, expected 1 to " << UINT32_MAX;
  if (getEvery().value_or(1) > 1 && (!(*this)->getParentOfType<MainOp>() || getInputs() != getOutputs()))
    return emitOpError() << "runs every " << *getEvery() << " steps, but is not of main and in place: "
                         << "what would the other steps read?";
  if (failed(check("inputs", getInputs().size(), signature->inputs)) ||
      failed(check("outputs", getOutputs().size(), signature->outputs)) ||
      failed(check("integers", getInts() ? getInts()->size() : 0, signature->ints)) ||
      failed(check("floats", getFloats() ? getFloats()->size() : 0, signature->floats)))
    return failure();
  return success();
}

} // namespace llmpar::exec

#include "llmpar/Exec/ExecDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "llmpar/Exec/ExecAttrs.cpp.inc"
#define GET_OP_CLASSES
#include "llmpar/Exec/ExecOps.cpp.inc"

void llmpar::exec::ExecDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "llmpar/Exec/ExecAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "llmpar/Exec/ExecOps.cpp.inc"
      >();
}
