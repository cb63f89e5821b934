//===- NodeAttributes.cpp - Attributes and constants of a node ------------===//
#include "GraphImporter.h"
#include "NodeImporter.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace llmpar {

//===-- Attributes ------------------------------------------------------------===//

const ::onnx::AttributeProto *NodeImporter::attribute(llvm::StringRef name) const {
  for (const auto &attribute : node.attribute())
    if (attribute.name() == name)
      return attribute.ref_attr_name().empty() ? &attribute : scope.attribute(attribute.ref_attr_name());
  return nullptr;
}

const ::onnx::AttributeProto *NodeImporter::typed(llvm::StringRef name, ::onnx::AttributeProto::AttributeType type) {
  using Proto = ::onnx::AttributeProto;
  const Proto *found = attribute(name);
  if (!found || found->type() == type || found->type() == Proto::UNDEFINED) // IR version 1 names no type
    return found;
  error("attribute '" + name + "' is of type " + Proto::AttributeType_Name(found->type()) + ", not " +
        Proto::AttributeType_Name(type));
  return nullptr;
}

int64_t NodeImporter::integer(llvm::StringRef name, int64_t otherwise) {
  const auto *found = typed(name, ::onnx::AttributeProto::INT);
  return found ? found->i() : otherwise;
}

double NodeImporter::real(llvm::StringRef name, double otherwise) {
  const auto *found = typed(name, ::onnx::AttributeProto::FLOAT);
  return found ? found->f() : otherwise;
}

std::string NodeImporter::text(llvm::StringRef name, llvm::StringRef otherwise) {
  const auto *found = typed(name, ::onnx::AttributeProto::STRING);
  return found ? found->s() : otherwise.str();
}

size_t NodeImporter::choice(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> choices) {
  std::string given = text(name, choices.front());
  const auto *found = llvm::find(choices, given);
  if (found != choices.end())
    return found - choices.begin();
  error(name + " '" + given + "' is not supported; choose one of " + llvm::join(choices, ", "));
  return 0;
}

std::optional<Ints> NodeImporter::integers(llvm::StringRef name) {
  const auto *found = typed(name, ::onnx::AttributeProto::INTS);
  if (!found)
    return std::nullopt;
  return Ints(found->ints().begin(), found->ints().end());
}

int64_t NodeImporter::normalizeAxis(int64_t axis, int64_t rank) {
  if (axis >= -rank && axis < rank)
    return axis < 0 ? axis + rank : axis;
  error("axis " + Twine(axis) + " is outside rank " + Twine(rank));
  return 0;
}

Ints NodeImporter::normalizeAxes(llvm::ArrayRef<int64_t> axes, int64_t rank) {
  Ints normal;
  for (int64_t axis : axes) {
    int64_t value = normalizeAxis(axis, rank);
    if (!failed() && llvm::is_contained(normal, value))
      error("axis " + Twine(axis) + " occurs twice");
    normal.push_back(value);
  }
  return normal;
}

int64_t NodeImporter::axis(llvm::StringRef name, int64_t otherwise, int64_t rank) {
  return normalizeAxis(integer(name, otherwise), rank);
}

//===-- Constants -------------------------------------------------------------===//

std::optional<Ints> NodeImporter::constantIntegers(Value value) const {
  DenseElementsAttr elements;
  if (!value || !matchPattern(value, m_Constant(&elements)) || !isa<IntegerType>(elements.getElementType()))
    return std::nullopt;
  bool isSigned = elements.getElementType().isSignlessInteger() && !elements.getElementType().isInteger(1);
  Ints values;
  for (const APInt &element : elements.getValues<APInt>())
    values.push_back(isSigned ? element.getSExtValue() : static_cast<int64_t>(element.getZExtValue()));
  return values;
}

std::optional<llvm::SmallVector<double>> NodeImporter::constantReals(Value value) const {
  llvm::SmallVector<double> values;
  if (std::optional<Ints> integers = constantIntegers(value)) {
    values.assign(integers->begin(), integers->end());
    return values;
  }
  DenseElementsAttr elements;
  if (!value || !matchPattern(value, m_Constant(&elements)) || !isa<FloatType>(elements.getElementType()))
    return std::nullopt;
  for (APFloat element : elements.getValues<APFloat>()) {
    bool lossy;
    element.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
    values.push_back(element.convertToDouble());
  }
  return values;
}

Ints NodeImporter::requireIntegers(size_t i, llvm::StringRef role) {
  Value value = input(i);
  if (!value)
    return {};
  if (std::optional<Ints> values = constantIntegers(value))
    return *values;
  error("needs a constant " + role + " (input " + Twine(i) +
        "): it depends on the data of the model's inputs or on a "
        "weight, so the shapes are not static");
  return {};
}

int64_t NodeImporter::requireInteger(size_t i, llvm::StringRef role) {
  Ints values = requireIntegers(i, role);
  if (values.size() == 1)
    return values.front();
  error(role + " must be one number");
  return 0;
}

double NodeImporter::requireReal(size_t i, llvm::StringRef role) {
  Value value = input(i);
  if (!value)
    return 0;
  auto values = constantReals(value);
  if (values && values->size() == 1)
    return values->front();
  error("needs a constant " + role + " (input " + Twine(i) + ")");
  return 0;
}

std::optional<Ints> NodeImporter::integersFrom(llvm::StringRef name, size_t i) {
  if (hasAttribute(name))
    return integers(name);
  if (!has(i))
    return std::nullopt;
  return requireIntegers(i, name);
}

} // namespace llmpar
