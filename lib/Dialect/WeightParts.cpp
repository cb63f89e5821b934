//===- WeightParts.cpp - Weights that are parts of a tensor -----------------===//
#include "llmpar/Dialect/WeightParts.h"

#include "llvm/ADT/StringExtras.h"

namespace llmpar {

static llvm::ArrayRef<int64_t> extentsOf(WeightOp weight) {
  return mlir::cast<mlir::RankedTensorType>(weight.getType()).getShape();
}

WeightBox boxOf(WeightOp weight) {
  auto part = weight->getAttrOfType<mlir::DictionaryAttr>(partAttribute);
  if (!part)
    return {weight.getSymName().str(), Shape(extentsOf(weight)),
            llvm::SmallVector<int64_t>(extentsOf(weight).size(), 0)};
  auto numbers = [&](llvm::StringRef key) { return part.getAs<mlir::DenseI64ArrayAttr>(key).asArrayRef(); };
  return {part.getAs<mlir::StringAttr>("of").str(), Shape(numbers("shape")), llvm::to_vector(numbers("starts"))};
}

void setBox(WeightOp weight, const WeightBox &box) {
  if (llvm::ArrayRef<int64_t>(box.shape) == extentsOf(weight))
    return;
  mlir::Builder b(weight.getContext());
  weight->setAttr(partAttribute, b.getDictionaryAttr({b.getNamedAttr("of", b.getStringAttr(box.tensor)),
                                                      b.getNamedAttr("shape", b.getDenseI64ArrayAttr(box.shape)),
                                                      b.getNamedAttr("starts", b.getDenseI64ArrayAttr(box.starts))}));
}

std::string nameOf(const WeightBox &box, llvm::ArrayRef<int64_t> extents) {
  if (llvm::ArrayRef<int64_t>(box.shape) == extents)
    return box.tensor;
  llvm::SmallVector<std::string> ranges;
  size_t known = 0; // NumPy's notation: dimensions behind the last one that is cut are left out
  for (auto [size, start, extent] : llvm::zip(box.shape, box.starts, extents)) {
    ranges.push_back(size == extent ? ":" : std::to_string(start) + ":" + std::to_string(start + extent));
    known = size == extent ? known : ranges.size();
  }
  ranges.resize(known);
  return box.tensor + "[" + llvm::join(ranges, ", ") + "]";
}

std::string tensorNameOf(LoadWeightOp load) {
  return boxOf(mlir::SymbolTable::lookupNearestSymbolFrom<WeightOp>(load, load.getWeightAttr())).tensor;
}

} // namespace llmpar
