//===- EmitOp.h - How NodeImporter builds an op -----------------*- C++ -*-===//
//
// The template behind NodeImporter::emit; NodeImporter.h includes it. An op whose types do not follow from its
// operands is reported with the node's name, and no op is built.
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_LIB_FRONTEND_EMITOP_H
#define LLMPAR_LIB_FRONTEND_EMITOP_H

#include "NodeImporter.h"

namespace llmpar {

template <typename Op>
llvm::SmallVector<mlir::Value> NodeImporter::emitAll(mlir::ValueRange operands,
                                                     llvm::ArrayRef<mlir::NamedAttribute> attributes,
                                                     mlir::TypeRange types) {
  if (hasError || llvm::any_of(operands, [](mlir::Value v) { return !v; }))
    return {};
  mlir::OperationState state(loc, Op::getOperationName());
  state.addOperands(operands);
  // Inference runs here, not in Op::build, where its failure would be fatal.
  llvm::SmallVector<std::string> messages;
  llvm::SmallVector<mlir::Type> resultTypes(types.begin(), types.end());
  bool ok = true;
  {
    mlir::ScopedDiagnosticHandler handler(builder.getContext(), [&](mlir::Diagnostic &diagnostic) {
      messages.push_back(diagnostic.str());
      return mlir::success();
    });
    using Properties = typename Op::Properties;
    auto &properties = state.getOrAddProperties<Properties>();
    if constexpr (!std::is_same_v<Properties, mlir::EmptyProperties>)
      ok = mlir::succeeded(Op::setPropertiesFromAttr(properties, builder.getDictionaryAttr(attributes),
                                                     [&] { return mlir::emitError(loc); }));
    if constexpr (Op::template hasTrait<mlir::InferTypeOpInterface::Trait>())
      ok = ok && (!resultTypes.empty() ||
                  mlir::succeeded(Op::inferReturnTypes(builder.getContext(), loc, state.operands,
                                                       builder.getDictionaryAttr({}), &properties, {}, resultTypes)));
  }
  if (!ok) {
    reportInference(messages);
    return {};
  }
  state.addTypes(resultTypes);
  return insertOrFold(state);
}

} // namespace llmpar

#endif // LLMPAR_LIB_FRONTEND_EMITOP_H
