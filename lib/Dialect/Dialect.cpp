//===- Dialect.cpp - The llmpar dialect: attributes, symbols, helpers -------===//
#include "llmpar/Dialect/Llmpar.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

#include "llmpar/Dialect/LlmparDialect.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "llmpar/Dialect/FactorOpInterface.cpp.inc"
#include "llmpar/Dialect/LlmparAttrs.cpp.inc"

namespace llmpar {

void LlmparDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "llmpar/Dialect/LlmparOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "llmpar/Dialect/LlmparAttrs.cpp.inc"
      >();
}

mlir::Operation *LlmparDialect::materializeConstant(mlir::OpBuilder &builder, mlir::Attribute value, mlir::Type type,
                                                    mlir::Location loc) {
  auto elements = mlir::dyn_cast<mlir::ElementsAttr>(value);
  return elements ? ConstantOp::create(builder, loc, type, elements).getOperation() : nullptr;
}

//===-- Attributes -------------------------------------------------------------===//

// {"dp", "tp" : 64}
static mlir::ParseResult parseDim(mlir::AsmParser &parser, DimShardingAttr &dim) {
  llvm::SmallVector<mlir::StringAttr> axes;
  int64_t unit = 1;
  if (parser.parseLBrace())
    return mlir::failure();
  while (parser.parseOptionalRBrace()) {
    std::string axis;
    if ((!axes.empty() && parser.parseComma()) || parser.parseString(&axis))
      return mlir::failure();
    axes.push_back(mlir::StringAttr::get(parser.getContext(), axis));
    if (mlir::succeeded(parser.parseOptionalColon())) {
      if (parser.parseInteger(unit) || parser.parseRBrace())
        return mlir::failure();
      break;
    }
  }
  dim = DimShardingAttr::get(parser.getContext(), axes, unit);
  return mlir::success();
}
static void printDim(mlir::AsmPrinter &printer, DimShardingAttr dim) {
  printer << "{";
  llvm::interleaveComma(dim.getAxes(), printer,
                        [&](mlir::StringAttr axis) { printer << '"' << axis.getValue() << '"'; });
  if (dim.getUnit() != 1)
    printer << " : " << dim.getUnit();
  printer << "}";
}

mlir::Attribute DimShardingAttr::parse(mlir::AsmParser &parser, mlir::Type) {
  DimShardingAttr dim;
  if (parser.parseLess() || parseDim(parser, dim) || parser.parseGreater())
    return {};
  return dim;
}
void DimShardingAttr::print(mlir::AsmPrinter &printer) const {
  printer << "<";
  printDim(printer, *this);
  printer << ">";
}

mlir::Attribute ShardingAttr::parse(mlir::AsmParser &parser, mlir::Type) {
  mlir::FlatSymbolRefAttr mesh;
  llvm::SmallVector<DimShardingAttr> dims;
  llvm::SmallVector<mlir::NamedAttribute> partial;
  auto parseOneDim = [&] { return parseDim(parser, dims.emplace_back()); };
  auto parsePartial = [&]() -> mlir::ParseResult {
    std::string axis;
    llvm::StringRef reduction;
    if (parser.parseString(&axis) || parser.parseColon() || parser.parseKeyword(&reduction))
      return mlir::failure();
    if (!reduceKind(reduction))
      return parser.emitError(parser.getCurrentLocation()) << "'" << reduction << "' is not sum, max, min or prod";
    partial.emplace_back(mlir::StringAttr::get(parser.getContext(), axis),
                         mlir::StringAttr::get(parser.getContext(), reduction));
    return mlir::success();
  };
  if (parser.parseLess() || parser.parseAttribute(mesh) || parser.parseComma() ||
      parser.parseCommaSeparatedList(mlir::AsmParser::Delimiter::Square, parseOneDim))
    return {};
  if (mlir::succeeded(parser.parseOptionalComma()))
    if (parser.parseKeyword("partial") || parser.parseEqual() ||
        parser.parseCommaSeparatedList(mlir::AsmParser::Delimiter::Braces, parsePartial))
      return {};
  if (parser.parseGreater())
    return {};
  return ShardingAttr::get(parser.getContext(), mesh, dims, partial);
}
void ShardingAttr::print(mlir::AsmPrinter &printer) const {
  printer << "<" << getMesh() << ", [";
  llvm::interleaveComma(getDims(), printer, [&](DimShardingAttr dim) { printDim(printer, dim); });
  printer << "]";
  if (!getPartial().empty()) {
    printer << ", partial = {";
    llvm::interleaveComma(getPartial(), printer, [&](mlir::NamedAttribute entry) {
      printer << '"' << entry.getName().getValue()
              << "\" : " << mlir::cast<mlir::StringAttr>(entry.getValue()).getValue();
    });
    printer << "}";
  }
  printer << ">";
}

//===-- Weights ----------------------------------------------------------------===//

// <"f", 0, 64>, or [<"f", 0, 32>, <"f", 96, 32>], or zeros
static mlir::ParseResult parseSources(mlir::OpAsmParser &parser, mlir::ArrayAttr &sources) {
  llvm::SmallVector<mlir::Attribute> parts;
  if (mlir::succeeded(parser.parseOptionalKeyword("zeros"))) {
    sources = parser.getBuilder().getArrayAttr({});
    return mlir::success();
  }
  auto parsePart = [&]() -> mlir::ParseResult {
    ExternalAttr part;
    mlir::ParseResult result = parser.parseCustomAttributeWithFallback(part);
    return parts.push_back(part), result;
  };
  if (parser.parseCommaSeparatedList(mlir::AsmParser::Delimiter::OptionalSquare, parsePart) || (parts.empty() && parsePart()))
    return mlir::failure();
  sources = parser.getBuilder().getArrayAttr(parts);
  return mlir::success();
}
static void printSources(mlir::OpAsmPrinter &printer, mlir::Operation *, mlir::ArrayAttr sources) {
  if (sources.empty()) {
    printer << "zeros";
    return;
  }
  if (sources.size() != 1)
    printer << "[";
  llvm::interleaveComma(sources.getAsRange<ExternalAttr>(), printer, [&](ExternalAttr part) { part.print(printer); });
  if (sources.size() != 1)
    printer << "]";
}

//===-- Mesh -------------------------------------------------------------------===//

// <["dp"=2, "tp"=4]>
static mlir::ParseResult parseMeshAxes(mlir::OpAsmParser &parser, mlir::ArrayAttr &axes,
                                       mlir::DenseI64ArrayAttr &sizes) {
  llvm::SmallVector<mlir::Attribute> names;
  llvm::SmallVector<int64_t> values;
  auto parseAxis = [&]() -> mlir::ParseResult {
    std::string name;
    if (parser.parseString(&name) || parser.parseEqual() || parser.parseInteger(values.emplace_back()))
      return mlir::failure();
    names.push_back(parser.getBuilder().getStringAttr(name));
    return mlir::success();
  };
  if (parser.parseLess() || parser.parseCommaSeparatedList(mlir::AsmParser::Delimiter::Square, parseAxis) ||
      parser.parseGreater())
    return mlir::failure();
  axes = parser.getBuilder().getArrayAttr(names);
  sizes = parser.getBuilder().getDenseI64ArrayAttr(values);
  return mlir::success();
}
static void printMeshAxes(mlir::OpAsmPrinter &printer, mlir::Operation *, mlir::ArrayAttr axes,
                          mlir::DenseI64ArrayAttr sizes) {
  printer << "<[";
  llvm::interleaveComma(llvm::zip(axes, sizes.asArrayRef()), printer,
                        [&](auto axis) { printer << std::get<0>(axis) << "=" << std::get<1>(axis); });
  printer << "]>";
}

mlir::LogicalResult MeshOp::verify() {
  if (getAxes().size() != getSizes().size())
    return emitOpError() << getAxes().size() << " axis names, but " << getSizes().size() << " sizes";
  llvm::StringSet<> seen;
  int64_t ranks = 1;
  for (auto [axis, size] : llvm::zip(getAxes().getAsValueRange<mlir::StringAttr>(), getSizes())) {
    if (size < 1)
      return emitOpError() << "axis '" << axis << "' has size " << size << ": sizes are positive";
    if (!seen.insert(axis).second)
      return emitOpError() << "axis '" << axis << "' occurs twice";
    if (size > 65536 / ranks)
      return emitOpError() << "has more than 65536 ranks";
    ranks *= size;
  }
  return mlir::success();
}

Mesh meshOf(mlir::ModuleOp module) {
  Mesh mesh;
  if (auto op = module.lookupSymbol<MeshOp>("mesh"))
    for (auto [axis, size] : llvm::zip(op.getAxes().getAsValueRange<mlir::StringAttr>(), op.getSizes()))
      mesh.axes.push_back({axis.str(), size});
  return mesh;
}

void setMesh(mlir::ModuleOp module, const Mesh &mesh) {
  if (auto old = module.lookupSymbol<MeshOp>("mesh"))
    old.erase();
  if (mesh.axes.empty())
    return;
  mlir::OpBuilder builder = mlir::OpBuilder::atBlockBegin(module.getBody());
  llvm::SmallVector<llvm::StringRef> names;
  llvm::SmallVector<int64_t> sizes;
  for (const MeshAxis &axis : mesh.axes) {
    names.push_back(axis.name);
    sizes.push_back(axis.size);
  }
  MeshOp::create(builder, module.getLoc(), builder.getStringAttr("mesh"), builder.getStrArrayAttr(names),
                 builder.getDenseI64ArrayAttr(sizes));
}

//===-- Shardings as attributes ---------------------------------------------------===//

static mlir::StringAttr axisName(AxisId axis, const Mesh &mesh, mlir::MLIRContext *context) {
  return mlir::StringAttr::get(context, mesh.axes[axis].name);
}

static DimShardingAttr toAttr(const DimSharding &dim, const Mesh &mesh, mlir::MLIRContext *context) {
  llvm::SmallVector<mlir::StringAttr> axes;
  for (AxisId axis : dim.axes)
    axes.push_back(axisName(axis, mesh, context));
  return DimShardingAttr::get(context, axes, dim.unit);
}

ShardingAttr toAttr(const Sharding &sharding, const Mesh &mesh, mlir::MLIRContext *context) {
  llvm::SmallVector<DimShardingAttr> dims;
  for (const DimSharding &dim : sharding.dims)
    dims.push_back(toAttr(dim, mesh, context));
  llvm::SmallVector<mlir::NamedAttribute> partial;
  for (const PartialAxis &entry : sharding.partial)
    partial.emplace_back(axisName(entry.axis, mesh, context), mlir::StringAttr::get(context, reductionName(entry.reduction)));
  return ShardingAttr::get(context, mlir::FlatSymbolRefAttr::get(context, "mesh"), dims, partial);
}

static DimSharding fromAttr(DimShardingAttr attr, const Mesh &mesh) {
  DimSharding dim{{}, attr.getUnit()};
  for (mlir::StringAttr axis : attr.getAxes())
    if (AxisId id = mesh.find(axis.getValue()); id >= 0)
      dim.axes.push_back(id);
  return dim;
}

static FactorKind reductionOf(llvm::StringRef name) {
  for (FactorKind kind : {FactorKind::Max, FactorKind::Min, FactorKind::Prod})
    if (reductionName(kind) == name)
      return kind;
  return FactorKind::Sum;
}

Sharding fromAttr(ShardingAttr attr, const Mesh &mesh) {
  Sharding sharding;
  for (DimShardingAttr dim : attr.getDims())
    sharding.dims.push_back(fromAttr(dim, mesh));
  for (mlir::NamedAttribute entry : attr.getPartial())
    if (AxisId id = mesh.find(entry.getName().getValue()); id >= 0)
      sharding.partial.push_back({id, reductionOf(mlir::cast<mlir::StringAttr>(entry.getValue()).getValue())});
  return sharding;
}

static mlir::func::FuncOp functionOf(mlir::BlockArgument argument) {
  return mlir::dyn_cast<mlir::func::FuncOp>(argument.getOwner()->getParentOp());
}

Sharding shardingOf(mlir::Value value, const Mesh &mesh) {
  ShardingAttr attr;
  if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(value)) {
    if (auto function = functionOf(argument))
      attr = function.getArgAttrOfType<ShardingAttr>(argument.getArgNumber(), LlmparDialect::kOutShardings);
  } else if (auto array = value.getDefiningOp()->getAttrOfType<mlir::ArrayAttr>(LlmparDialect::kOutShardings)) {
    attr = mlir::dyn_cast<ShardingAttr>(array[mlir::cast<mlir::OpResult>(value).getResultNumber()]);
  }
  return attr ? fromAttr(attr, mesh) : Sharding::replicated(mlir::cast<mlir::ShapedType>(value.getType()).getRank());
}

void setSharding(mlir::Value value, const Sharding &sharding, const Mesh &mesh) {
  ShardingAttr attr = toAttr(sharding, mesh, value.getContext());
  if (auto argument = mlir::dyn_cast<mlir::BlockArgument>(value)) {
    functionOf(argument).setArgAttr(argument.getArgNumber(), LlmparDialect::kOutShardings, attr);
    return;
  }
  mlir::Operation *op = value.getDefiningOp();
  llvm::SmallVector<mlir::Attribute> all;
  for (mlir::Value result : op->getResults())
    all.push_back(result == value ? attr : toAttr(shardingOf(result, mesh), mesh, value.getContext()));
  op->setAttr(LlmparDialect::kOutShardings, mlir::ArrayAttr::get(value.getContext(), all));
}

std::optional<FactorShardings> factorShardingsOf(mlir::Operation *op, const FactorRule &rule, const Mesh &mesh) {
  auto chosen = op->getAttrOfType<mlir::DictionaryAttr>(LlmparDialect::kFactors);
  if (!chosen)
    return std::nullopt;
  FactorShardings factors(rule.factors.size());
  for (auto [factor, out] : llvm::zip(rule.factors, factors))
    if (auto dim = chosen.getAs<DimShardingAttr>(factor.name))
      out = fromAttr(dim, mesh);
  return factors;
}

void setFactorShardings(mlir::Operation *op, const FactorRule &rule, const FactorShardings &factors, const Mesh &mesh) {
  mlir::NamedAttrList chosen;
  for (auto [factor, dim] : llvm::zip(rule.factors, factors))
    if (!dim.axes.empty())
      chosen.set(factor.name, toAttr(dim, mesh, op->getContext()));
  op->setAttr(LlmparDialect::kFactors, chosen.getDictionary(op->getContext()));
}

//===-- Tables of the ABI -----------------------------------------------------------===//

std::optional<DType> toDType(mlir::Type type) {
  if (type.isInteger(1))
    return DType::Bool;
  std::string name;
  llvm::raw_string_ostream(name) << type;
  for (int i = 0; i < dtypeCount; ++i)
    if (dtypeName(static_cast<DType>(i)) == name)
      return static_cast<DType>(i);
  return std::nullopt;
}

mlir::Type toMlirType(DType dtype, mlir::MLIRContext *context) {
  switch (dtype) {
  case DType::F32:
    return mlir::Float32Type::get(context);
  case DType::F64:
    return mlir::Float64Type::get(context);
  case DType::F16:
    return mlir::Float16Type::get(context);
  case DType::BF16:
    return mlir::BFloat16Type::get(context);
  case DType::Bool:
    return mlir::IntegerType::get(context, 1);
  default:
    return mlir::IntegerType::get(context, dtypeSize(dtype) * 8,
                                  dtypeName(dtype).front() == 'u' ? mlir::IntegerType::Unsigned
                                                                  : mlir::IntegerType::Signless);
  }
}

static constexpr llvm::StringLiteral unaryNames[] = {
#define LLMPAR_UNARY(name) #name,
#include "llmpar/Abi/Kinds.def"
};
static constexpr llvm::StringLiteral smoothNames[] = {
#define LLMPAR_SMOOTH(name) #name,
#include "llmpar/Abi/Kinds.def"
};
static constexpr llvm::StringLiteral binaryNames[] = {
#define LLMPAR_BINARY(name) #name,
#include "llmpar/Abi/Kinds.def"
};
static constexpr llvm::StringLiteral compareNames[] = {
#define LLMPAR_COMPARE(name) #name,
#include "llmpar/Abi/Kinds.def"
};
static constexpr llvm::StringLiteral reduceNames[] = {
#define LLMPAR_REDUCE(name) #name,
#include "llmpar/Abi/Kinds.def"
};
static constexpr llvm::StringLiteral scatterNames[] = {"none", "add", "mul", "min", "max"};

static std::optional<int64_t> position(llvm::ArrayRef<llvm::StringLiteral> names, llvm::StringRef name) {
  auto *it = llvm::find(names, name);
  return it == names.end() ? std::nullopt : std::optional<int64_t>(it - names.begin());
}
static llvm::StringRef nameAt(llvm::ArrayRef<llvm::StringLiteral> names, int64_t kind) {
  return kind >= 0 && kind < static_cast<int64_t>(names.size()) ? llvm::StringRef(names[kind]) : llvm::StringRef();
}
std::optional<int64_t> unaryKind(llvm::StringRef name) { return position(unaryNames, name); }
std::optional<int64_t> binaryKind(llvm::StringRef name) { return position(binaryNames, name); }
llvm::StringRef unaryName(int64_t kind) { return nameAt(unaryNames, kind); }
llvm::StringRef binaryName(int64_t kind) { return nameAt(binaryNames, kind); }
std::optional<int64_t> reduceKind(llvm::StringRef name) { return position(reduceNames, name); }
std::optional<int64_t> scatterReduction(llvm::StringRef name) { return position(scatterNames, name); }
bool isComparison(llvm::StringRef name) { return position(compareNames, name).has_value(); }
bool isDifferentiable(llvm::StringRef name) { return position(smoothNames, name).has_value(); }

llvm::StringRef reductionName(FactorKind kind) {
  switch (kind) {
  case FactorKind::Max:
    return "max";
  case FactorKind::Min:
    return "min";
  case FactorKind::Prod:
    return "prod";
  default:
    return "sum";
  }
}

} // namespace llmpar

#define GET_OP_CLASSES
#include "llmpar/Dialect/LlmparOps.cpp.inc"
