//===- KernelAttributes.cpp - An op's numbers in its record ----------------===//
//
// One case per op, in the order of Abi/Kernels.def. Verifiers have checked the attributes.
//
//===----------------------------------------------------------------------===//
#include "llmpar/Lowering/KernelAttributes.h"

#include "llmpar/Exec/Exec.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>

using namespace mlir;

namespace llmpar {
namespace {

int64_t code(std::optional<int64_t> kind) { return kind.value_or(-1); }
int64_t toInt(double value) { return std::abs(value) < 9.0e18 ? static_cast<int64_t>(value) : 0; }

/// The lists of a record, filled left to right.
struct Builder : KernelAttributes {
  template <typename... T> Builder &add(T... values) {
    (ints.push_back(static_cast<int64_t>(values)), ...);
    return *this;
  }
  Builder &list(ArrayRef<int64_t> values) {
    ints.append(values.begin(), values.end());
    return *this;
  }
  Builder &real(double value) {
    floats.push_back(value);
    return *this;
  }
};
double real(const llvm::APFloat &value) { return value.convertToDouble(); }

/// What each member of the group holds of a dimension.
SmallVector<int64_t> extents(const ValueLayouts &layouts, Value value, int64_t dim, ArrayRef<int64_t> group) {
  return llvm::map_to_vector(group, [&](int64_t member) { return layouts.range(value, dim, member).size(); });
}

void addCollective(Builder &out, Operation *op, const ValueLayouts &layouts, int64_t rank) {
  out.group = layouts.mesh().group(rank, *collectiveAxis(op, layouts.mesh()));
  Value x = op->getOperand(0), y = op->getResult(0);
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](AllReduceOp c) {
        if (c.getReduction() == "mean")
          out.add(code(reduceKind("sum")), /*mean=*/1);
        else
          out.add(code(reduceKind(c.getReduction())));
      })
      .Case([&](AllGatherOp c) { out.add(c.getDim()).list(extents(layouts, x, c.getDim(), out.group)); })
      .Case([&](ReduceScatterOp c) {
        out.add(code(reduceKind(c.getReduction())), c.getDim()).list(extents(layouts, y, c.getDim(), out.group));
      })
      .Case([&](AllToAllOp c) {
        out.add(c.getSplitDim(), c.getConcatDim())
            .list(extents(layouts, y, c.getSplitDim(), out.group))
            .list(extents(layouts, x, c.getConcatDim(), out.group));
      })
      .Case([&](DispatchOp c) { out.add(c.getDim()).list(extents(layouts, x, c.getDim(), out.group)); })
      .Case([&](CombineOp c) { out.add(c.getDim()).list(extents(layouts, y, c.getDim(), out.group)); });
}

/// starts, then steps, of the part of the operand that this rank keeps.
void addAllSlice(Builder &out, AllSliceOp op, const ValueLayouts &layouts, int64_t rank) {
  int64_t count = layouts.of(op.getX()).global.size();
  SmallVector<int64_t> starts(count, 0);
  int64_t dim = op.getDim();
  starts[dim] = layouts.range(op.getResult(), dim, rank).begin - layouts.range(op.getX(), dim, rank).begin;
  out.list(starts).list(SmallVector<int64_t>(count, 1));
}

} // namespace

StringRef kernelName(Operation *op) {
  if (isa<AllSliceOp>(op))
    return "slice";
  StringRef name = op->getName().stripDialect();
  return isa_and_nonnull<LlmparDialect>(op->getDialect()) && exec::kernelSignature(name) ? name : "";
}

std::optional<AxisId> collectiveAxis(Operation *op, const Mesh &mesh) {
  return llvm::TypeSwitch<Operation *, std::optional<AxisId>>(op)
      .Case<AllReduceOp, AllGatherOp, ReduceScatterOp, AllToAllOp, AllSliceOp, DispatchOp, CombineOp>(
          [&](auto collective) { return mesh.find(collective.getAxis()); })
      .Default([](Operation *) { return std::nullopt; });
}

bool isCollective(Operation *op) {
  return isa<AllReduceOp, AllGatherOp, ReduceScatterOp, AllToAllOp, DispatchOp, CombineOp>(op);
}

KernelAttributes kernelAttributes(Operation *op, const ValueLayouts &layouts, int64_t rank) {
  Builder out;
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](UnaryOp o) { out.add(code(unaryKind(o.getKind()))).real(real(o.getAlpha())).real(real(o.getBeta())); })
      .Case([&](BinaryOp o) { out.add(code(binaryKind(o.getKind()))); })
      .Case([&](MatmulOp o) { out.add(o.getTransposeA(), o.getTransposeB()); })
      .Case([&](ExpertsOp o) {
        out.add(code(unaryKind(o.getKind()))).real(real(o.getAlpha())).real(real(o.getBeta()));
      })
      .Case<AttentionOp, AttentionGradOp>([&](auto o) {
        out.add(o.getZeroEmpty(), o.getTransposeK()).real(real(o.getScale())).real(real(o.getFill()));
      })
      .Case([&](ReduceOp o) { out.add(code(reduceKind(o.getKind())), o.getKeepDims()).list(o.getAxes()); })
      .Case([&](SoftmaxOp o) { out.add(o.getAxis(), o.getLog()); })
      .Case([&](LayerNormOp o) { out.add(o.getAxis()).real(real(o.getEpsilon())); })
      .Case([&](RmsNormOp o) { out.add(o.getAxis()).real(real(o.getEpsilon())); })
      .Case([&](RotaryOp o) { out.add(o.getInterleaved()); })
      .Case([&](GatherOp o) {
        int64_t axis = o.getAxis();
        out.add(axis, layouts.range(o.getData(), axis, rank).begin, layouts.of(o.getData()).global[axis]);
      })
      .Case([&](GatherElementsOp o) { out.add(o.getAxis()); })
      .Case([&](GatherNdOp o) { out.add(o.getBatchDims()); })
      .Case([&](ScatterNdOp o) { out.add(code(scatterReduction(o.getReduction()))); })
      .Case([&](ScatterElementsOp o) { out.add(o.getAxis(), code(scatterReduction(o.getReduction()))); })
      .Case([&](TransposeOp o) { out.list(o.getPermutation()); })
      .Case([&](SliceOp o) { out.list(o.getStarts()).list(o.getSteps()); })
      .Case([&](ConcatOp o) { out.add(o.getAxis()); })
      .Case([&](PadOp o) { out.add(o.getMode()).list(o.getLow()).real(real(o.getValue())); })
      .Case([&](IotaOp o) {
        double start = real(o.getStart()), step = real(o.getStep());
        int64_t axis = o.getAxis();
        out.add(axis, layouts.range(o.getResult(), axis, rank).begin, toInt(start), toInt(step)).real(start).real(step);
      })
      .Case([&](ConvOp o) {
        out.add(o.getGroup()).list(o.getStrides()).list(o.getPadsBegin()).list(o.getPadsEnd()).list(o.getDilations());
      })
      .Case([&](PoolOp o) {
        out.add(o.getKind()).list(o.getKernel()).list(o.getStrides());
        out.list(o.getPadsBegin()).list(o.getPadsEnd()).list(o.getDilations());
      })
      .Case([&](TopKOp o) { out.add(o.getAxis(), o.getLargest()); })
      .Case([&](ArgReduceOp o) { out.add(o.getAxis(), o.getKeepDims(), o.getLargest(), o.getLast()); })
      .Case([&](CumsumOp o) { out.add(o.getAxis(), o.getExclusive(), o.getReverse()); })
      .Case([&](UnaryGradOp o) {
        out.add(code(unaryKind(o.getKind()))).real(real(o.getAlpha())).real(real(o.getBeta()));
      })
      .Case([&](SoftmaxGradOp o) { out.add(o.getAxis(), o.getLog()); })
      .Case<NormGradOp, NormScaleGradOp>(
          [&](auto o) { out.add(o.getAxis(), o.getCentered()).real(real(o.getEpsilon())); })
      .Case([&](GatherGradOp o) {
        int64_t axis = o.getAxis();
        out.add(axis, layouts.range(o.getResult(), axis, rank).begin, layouts.of(o.getResult()).global[axis]);
      })
      .Case([&](SliceGradOp o) { out.list(o.getStarts()).list(o.getSteps()); })
      .Case([&](CrossEntropyOp o) { out.add(o.getIgnoreIndex()).real(real(o.getLabelSmoothing())); })
      .Case([&](CrossEntropyGradOp o) {
        int64_t axis = layouts.of(o.getLogits()).global.size() - 1;
        out.add(o.getIgnoreIndex(), layouts.range(o.getLogits(), axis, rank).begin, layouts.of(o.getLogits()).global[axis]);
        out.real(real(o.getLabelSmoothing()));
      })
      .Case([&](AdamOp o) {
        out.add(o.getDecoupled()).real(real(o.getBeta1())).real(real(o.getBeta2()));
        out.real(real(o.getEpsilon())).real(real(o.getWeightDecay()));
      })
      .Case([&](SgdOp o) { out.add(o.getNesterov()).real(real(o.getMomentum())).real(real(o.getWeightDecay())); })
      .Case([&](AllSliceOp o) { addAllSlice(out, o, layouts, rank); })
      .Case<AllReduceOp, AllGatherOp, ReduceScatterOp, AllToAllOp, DispatchOp, CombineOp>(
          [&](Operation *o) { addCollective(out, o, layouts, rank); });
  return out;
}

} // namespace llmpar
