//===- ApplyPins.cpp - Shard inputs and weights by name ---------------------===//
#include "llmpar/Dialect/WeightParts.h"
#include "llmpar/Partition/Passes.h"
#include "llvm/Support/GlobPattern.h"

namespace llmpar {
#define GEN_PASS_DEF_APPLYPINS
#include "llmpar/Partition/Passes.h.inc"

namespace {
struct Pin {
  std::string text;
  llvm::GlobPattern pattern;
  llvm::SmallVector<llvm::SmallVector<AxisId, 2>, 4> dims;
};

/// "h.*.weight=[-,tp]"; a dimension over two axes is "dp+tp".
llvm::Expected<Pin> parsePin(llvm::StringRef text, const Mesh &mesh) {
  auto fail = [&](llvm::Twine why) {
    return llvm::createStringError("pin '" + text + "': " + why + "; write name-pattern=[axis,-,...], e.g. 'h.*.weight=[-,tp]'");
  };
  auto [pattern, dims] = text.rsplit('=');
  dims = dims.trim();
  if (pattern.empty() || !dims.consume_front("[") || !dims.consume_back("]"))
    return fail("not of the form name=[...]");
  llvm::Expected<llvm::GlobPattern> glob = llvm::GlobPattern::create(pattern.trim());
  if (!glob)
    return fail(llvm::toString(glob.takeError()));
  Pin pin{text.str(), std::move(*glob), {}};
  llvm::SmallVector<llvm::StringRef> parts;
  dims.split(parts, ',');
  llvm::SmallDenseSet<AxisId> used;
  for (llvm::StringRef part : parts) {
    pin.dims.emplace_back();
    if (part = part.trim(); part == "-")
      continue;
    llvm::SmallVector<llvm::StringRef> axes;
    part.split(axes, '+');
    for (llvm::StringRef axis : axes) {
      AxisId id = mesh.find(axis.trim());
      if (id < 0)
        return fail("mesh '" + mesh.str() + "' has no axis '" + axis + "'");
      if (!used.insert(id).second)
        return fail("axis '" + axis + "' occurs twice");
      pin.dims.back().push_back(id);
    }
  }
  return pin;
}

struct ApplyPins : impl::ApplyPinsBase<ApplyPins> {
  using Base::Base;
  void runOnOperation() override {
    mlir::func::FuncOp function = mainFunction(getOperation());
    if (!function)
      return signalPassFailure();
    Mesh mesh = meshOf(getOperation());
    for (const std::string &text : pins) {
      llvm::Expected<Pin> pin = parsePin(text, mesh);
      if (!pin) {
        getOperation().emitError() << llvm::toString(pin.takeError());
        return signalPassFailure();
      }
      if (mlir::failed(apply(function, *pin, mesh)))
        return signalPassFailure();
    }
  }

  mlir::LogicalResult apply(mlir::func::FuncOp function, const Pin &pin, const Mesh &mesh) {
    bool matched = false;
    auto place = [&](mlir::Value value, llvm::StringRef name, llvm::StringRef tensor) -> mlir::LogicalResult {
      if (!pin.pattern.match(tensor))
        return mlir::success();
      auto shape = mlir::cast<mlir::RankedTensorType>(value.getType()).getShape();
      if (shape.size() != pin.dims.size())
        return function.emitError() << "pin '" << pin.text << "' has " << pin.dims.size() << " dimensions, but '" << name
                                    << "' is " << value.getType();
      matched = true;
      Sharding sharding = Sharding::replicated(shape.size());
      for (auto [dim, axes] : llvm::zip(sharding.dims, pin.dims))
        dim.axes = axes;
      normalize(sharding, shape, mesh);
      setSharding(value, sharding, mesh);
      return mlir::success();
    };
    for (mlir::BlockArgument argument : function.getArguments())
      if (auto name = function.getArgAttrOfType<mlir::StringAttr>(argument.getArgNumber(), LlmparDialect::kName))
        if (mlir::failed(place(argument, name, name)))
          return mlir::failure();
    mlir::WalkResult walk = function.walk([&](LoadWeightOp load) {
      return mlir::WalkResult(place(load.getResult(), load.getWeight(), tensorNameOf(load)));
    });
    if (walk.wasInterrupted())
      return mlir::failure();
    if (!matched)
      return function.emitError() << "pin '" << pin.text << "' matches no input or weight; `llmpar compile --compile-to=import` shows their names";
    return mlir::success();
  }
};
} // namespace
} // namespace llmpar
