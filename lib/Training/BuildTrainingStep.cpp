//===- BuildTrainingStep.cpp - Loss, gradients, optimizer --------------------===//
#include "Logits.h"
#include "llmpar/Dialect/OpWriter.h"
#include "llmpar/Training/Backward.h"
#include "llmpar/Training/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/GlobPattern.h"
#include <numbers>

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_BUILDTRAININGSTEP
#include "llmpar/Training/Passes.h.inc"

namespace {

bool isFloat(Value value) { return isa<FloatType>(tensorType(value).getElementType()); }

struct BuildTrainingStep : impl::BuildTrainingStepBase<BuildTrainingStep> {
  using Base::Base;
  void runOnOperation() override {
    function = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!function || !function.getBody().hasOneBlock()) {
      getOperation().emitError("training needs a function @main of one block");
      return signalPassFailure();
    }
    if (failed(checkOptions()) || failed(build()))
      signalPassFailure();
  }

private:
  func::FuncOp function;
  std::optional<SymbolTable> symbols;
  struct Parameter {
    WeightOp weight;
    LoadWeightOp load;
    Value gradient;
  };
  SmallVector<Parameter> parameters;
  /// An argument with the rows of all micro-batches: row r is of micro-batch r mod `accumulation`, so that each rank of
  /// a sharded batch has rows of every one.
  struct BatchInput {
    RankedTensorType type; ///< of one micro-batch
    int64_t dim;           ///< the batch
    Value grouped;         ///< the argument with a dimension of micro-batches behind the batch
    Value first;           ///< what the imported graph reads: the first micro-batch
  };
  SmallVector<BatchInput> batchInputs;
  SmallVector<Operation *> forward; ///< that depend on them
  SmallVector<Value> results;
  SmallVector<Attribute> resultAttributes;

  LogicalResult checkOptions() {
    auto oneOf = [&](StringRef option, StringRef value, ArrayRef<StringRef> choices) -> LogicalResult {
      if (llvm::is_contained(choices, value))
        return success();
      return getOperation().emitError() << option << " '" << value << "' is unknown: choose "
                                        << llvm::join(choices, ", ");
    };
    if (failed(oneOf("optimizer", optimizer, {"adamw", "adam", "sgd"})) ||
        failed(oneOf("lr-schedule", schedule, {"constant", "linear", "cosine"})))
      return failure();
    for (const std::string &pattern : frozen)
      if (llvm::Expected<llvm::GlobPattern> glob = llvm::GlobPattern::create(pattern); !glob)
        return getOperation().emitError() << "freeze '" << pattern << "': " << llvm::toString(glob.takeError());
    if (accumulation < 1)
      return getOperation().emitError() << "gradient-accumulation-steps " << int64_t(accumulation)
                                        << ": a step has at least 1 micro-batch";
    if (schedule != "constant" && steps <= warmup)
      return getOperation().emitError() << "lr-schedule '" << schedule << "' ends at step " << int64_t(steps)
                                        << ", not behind the " << int64_t(warmup) << " steps of warmup: raise steps";
    return success();
  }

  LogicalResult build() {
    Block &body = function.getBody().front();
    auto ret = cast<func::ReturnOp>(body.getTerminator());
    FailureOr<Value> logitsResult = findLogits(function, logits);
    if (failed(logitsResult))
      return failure();
    findParameters();
    if (parameters.empty())
      return function.emitError() << "has no float weights: there is nothing to train";

    OpBuilder builder(ret);
    OpWriter write{builder, ret.getLoc()};
    FailureOr<Value> loss = addLossAndGradients(write, *logitsResult);
    if (failed(loss))
      return failure();
    if (parameters.empty())
      return function.emitError() << "the logits depend on no weight that is trained: name another result";
    addResult(*loss, "loss");
    Value step = nextStep(write), rate = rateAt(write, step), scale = gradientScale(write);
    for (Parameter &parameter : parameters)
      update(write, parameter, rate, scale, step);
    ret->setOperands(results);
    function.setType(builder.getFunctionType(body.getArgumentTypes(),
                                             llvm::map_to_vector(results, [](Value v) { return v.getType(); })));
    function.setAllResultAttrs(resultAttributes);
    return success();
  }

  /// A table that is computed and not learnt, or what the user says.
  bool isFrozen(StringRef name) const {
    static constexpr StringLiteral tables[] = {"*cos_cache*", "*sin_cache*", "*cos_cached*", "*sin_cached*",
                                               "*inv_freq*",  "*mask*",      "const_*"};
    auto matches = [&](StringRef pattern) {
      llvm::Expected<llvm::GlobPattern> glob = llvm::GlobPattern::create(pattern);
      return glob ? glob->match(name) : (llvm::consumeError(glob.takeError()), false);
    };
    return llvm::any_of(tables, matches) || llvm::any_of(frozen, matches);
  }

  void findParameters() {
    symbols.emplace(getOperation());
    llvm::MapVector<WeightOp, LoadWeightOp> found;
    for (auto load : function.getBody().front().getOps<LoadWeightOp>())
      if (isFloat(load.getResult()) && !isFrozen(load.getWeight()))
        found.try_emplace(symbols->lookup<WeightOp>(load.getWeight()), load);
    // One load for each, so that a tied weight has one gradient.
    for (auto load : llvm::make_early_inc_range(function.getBody().front().getOps<LoadWeightOp>()))
      if (auto it = found.find(symbols->lookup<WeightOp>(load.getWeight())); it != found.end() && it->second != load) {
        load.replaceAllUsesWith(it->second.getResult());
        load.erase();
      }
    for (auto [weight, load] : found)
      parameters.push_back({weight, load, Value()});
  }

  /// The dimension of an argument that is the batch: of the name that the first argument's first dimension has, else a
  /// first dimension of its size; -1 if none.
  int64_t batchDim(BlockArgument argument) {
    auto names = [&](BlockArgument of) {
      return function.getArgAttrOfType<ArrayAttr>(of.getArgNumber(), LlmparDialect::kDims);
    };
    auto nameAt = [](ArrayAttr of, int64_t dim) {
      return of && dim < static_cast<int64_t>(of.size()) ? cast<StringAttr>(of[dim]).getValue() : StringRef();
    };
    const auto *first = llvm::find_if(function.getArguments(), [](Value of) { return tensorType(of).getRank() > 0; });
    if (first == function.getArguments().end())
      return -1;
    StringRef batch = nameAt(names(*first), 0);
    for (int64_t dim = 0, rank = tensorType(argument).getRank(); dim < rank; ++dim)
      if (batch.empty() ? dim == 0 && tensorType(argument).getDimSize(0) == tensorType(*first).getDimSize(0)
                        : nameAt(names(argument), dim) == batch)
        return dim;
    return -1;
  }

  /// Gives every argument with a batch the rows of all micro-batches; the graph reads the first.
  void splitBatch(OpWriter &write) {
    Block &body = function.getBody().front();
    for (Operation &op : body.without_terminator())
      forward.push_back(&op);
    SmallVector<std::pair<BlockArgument, int64_t>> dims; // before any type changes
    for (BlockArgument argument : body.getArguments())
      dims.push_back({argument, batchDim(argument)});
    OpBuilder::InsertionGuard guard(write.builder);
    write.builder.setInsertionPointToStart(&body);
    for (auto [argument, dim] : dims)
      if (dim >= 0) {
        SmallVector<Operation *> users(argument.getUsers());
        addBatchInput(write, argument, dim);
        argument.replaceUsesWithIf(batchInputs.back().first,
                                   [&](OpOperand &use) { return llvm::is_contained(users, use.getOwner()); });
      }
    llvm::DenseSet<Value> depends;
    for (BatchInput &input : batchInputs)
      depends.insert(input.first);
    llvm::erase_if(forward, [&](Operation *op) {
      bool reads = llvm::any_of(op->getOperands(), [&](Value operand) { return depends.contains(operand); });
      if (reads)
        depends.insert(op->result_begin(), op->result_end());
      return !reads;
    });
  }

  void addBatchInput(OpWriter &write, BlockArgument argument, int64_t dim) {
    RankedTensorType type = tensorType(argument);
    SmallVector<int64_t> all(type.getShape()), grouped = all;
    all[dim] *= accumulation;
    grouped.insert(grouped.begin() + dim + 1, accumulation);
    argument.setType(type.clone(all));
    BatchInput input{type, dim, write.reshape(argument, grouped), Value()};
    input.first = microBatch(write, input, 0);
    batchInputs.push_back(input);
  }

  Value microBatch(OpWriter &write, const BatchInput &input, int64_t index) {
    SmallVector<int64_t> shape(tensorType(input.grouped).getShape()), starts(shape.size(), 0), steps(shape.size(), 1);
    shape[input.dim + 1] = 1;
    starts[input.dim + 1] = index;
    Value slice = SliceOp::create(write.builder, write.loc, input.type.clone(shape), input.grouped, starts, steps);
    return write.reshape(slice, input.type.getShape());
  }

  /// The values of a micro-batch in place of the first one's: appends the forward again.
  IRMapping forwardOf(OpWriter &write, int64_t index) {
    IRMapping mapping;
    if (index == 0)
      return mapping;
    for (const BatchInput &input : batchInputs)
      mapping.map(input.first, microBatch(write, input, index));
    for (Operation *op : forward)
      write.builder.clone(*op, mapping);
    return mapping;
  }

  /// The mean over the labels that count, and the gradients of it; parameters without one are left as they are.
  /// Micro-batches follow each other, each with its backward, so that one's activations live at a time.
  FailureOr<Value> addLossAndGradients(OpWriter &write, Value logitsValue) {
    OpBuilder &builder = write.builder;
    BlockArgument labels = addLabels(function, tensorType(logitsValue));
    RankedTensorType labelType = tensorType(labels);
    Value ofMicroBatch = labels;
    if (accumulation > 1) {
      splitBatch(write);
      bool hasBatch = !batchInputs.empty() && labelType.getRank() > 0 &&
                      batchInputs.front().type.getDimSize(batchInputs.front().dim) == labelType.getDimSize(0);
      if (!hasBatch)
        return function.emitError() << "logits of type " << logitsValue.getType()
                                    << " do not have the batch of the inputs as their first dimension: gradients are "
                                       "accumulated over parts of it";
      if (tensorType(labels) == labelType) // not by the name of their batch
        addBatchInput(write, labels, 0);
      ofMicroBatch = batchInputs.back().first;
    }

    SmallVector<int64_t> rows = llvm::to_vector(llvm::seq<int64_t>(0, labelType.getRank()));
    Value isIgnored = write.binary("equal", labels, write.integer(ignoreIndex, builder.getI64Type()));
    Value counts = write.cast(write.unary("logical_not", isIgnored), builder.getF32Type());
    Value count = write.reduce("sum", counts, rows, /*keepDims=*/false);
    Value share = write.unary("reciprocal", write.binary("max", count, write.scalar(1, count)));
    Value seed = write.broadcast(share, labelType.getShape()), sum;
    for (int64_t index = 0; index < accumulation; ++index) {
      IRMapping mapping = forwardOf(write, index);
      Value wide = write.cast(mapping.lookupOrDefault(logitsValue), builder.getF32Type());
      auto crossEntropy = CrossEntropyOp::create(builder, write.loc, wide, mapping.lookupOrDefault(ofMicroBatch),
                                                 ignoreIndex, llvm::APFloat(double(labelSmoothing)));
      if (failed(addGradients(write, crossEntropy.getLoss(), seed)))
        return failure();
      Value part = write.reduce("sum", crossEntropy.getLoss(), rows, /*keepDims=*/false);
      sum = sum ? write.binary("add", sum, part) : part;
    }
    Value loss = write.binary("mul", sum, share);
    llvm::erase_if(parameters, [](Parameter &p) { return !p.gradient; });
    for (Parameter &parameter : parameters)
      if (!tensorType(parameter.gradient).getElementType().isF32())
        return function.emitError() << "parameter '" << parameter.weight.getSymName() << "' of type "
                                    << parameter.gradient.getType()
                                    << ": only f32 parameters are trained; export the model in float32";
    return loss;
  }

  /// Adds a loss's gradients to those of the parameters, each as soon as it is there.
  LogicalResult addGradients(OpWriter &write, Value loss, Value seed) {
    auto values = llvm::map_to_vector(parameters, [](Parameter &p) -> Value { return p.load.getResult(); });
    FailureOr<SmallVector<Value>> gradients = gradientsOf(write.builder, loss, seed, values);
    if (failed(gradients))
      return failure();
    OpBuilder::InsertionGuard guard(write.builder);
    for (auto [parameter, gradient] : llvm::zip(parameters, *gradients)) {
      if (!gradient)
        continue;
      write.builder.setInsertionPointAfterValue(gradient);
      parameter.gradient = parameter.gradient ? write.binary("add", parameter.gradient, gradient) : gradient;
    }
    return success();
  }

  struct State {
    WeightOp weight;
    Value value;
  };
  /// A weight that begins as zeros, and its value before this step.
  State state(OpWriter &write, const Twine &name, RankedTensorType type) {
    OpBuilder detached(write.builder.getContext());
    auto weight = WeightOp::create(detached, write.loc, name.str(), type, detached.getArrayAttr({}));
    markMutable(weight);
    StringAttr symbol = symbols->insert(weight, Block::iterator(function)); // another name if it is taken
    return {weight, LoadWeightOp::create(write.builder, write.loc, type, symbol.getValue())};
  }
  static void markMutable(WeightOp weight) {
    weight->setAttr(LlmparDialect::kMutable, UnitAttr::get(weight.getContext()));
  }

  void addResult(Value value, StringRef name) {
    OpBuilder b(value.getContext());
    results.push_back(value);
    resultAttributes.push_back(b.getDictionaryAttr(b.getNamedAttr(LlmparDialect::kName, b.getStringAttr(name))));
  }
  /// The next value of a state.
  void addResult(Value value, WeightOp next) {
    OpBuilder b(value.getContext());
    results.push_back(value);
    resultAttributes.push_back(
        b.getDictionaryAttr({b.getNamedAttr(LlmparDialect::kName, next.getSymNameAttr()),
                             b.getNamedAttr(LlmparDialect::kNext, FlatSymbolRefAttr::get(next.getSymNameAttr()))}));
  }

  /// The number of this step, counted from 1.
  Value nextStep(OpWriter &write) {
    auto type = RankedTensorType::get({}, write.builder.getF32Type());
    State counter = state(write, "step", type);
    Value step = write.binary("add", counter.value, write.scalar(1, counter.value));
    addResult(step, counter.weight);
    return step;
  }

  /// Linear warm-up, then constant, linear or cosine decay to the least rate.
  Value rateAt(OpWriter &write, Value step) {
    Value peak = write.scalar(rate, step);
    if (warmup > 0) {
      Value share = write.binary("min", write.binary("mul", step, write.scalar(1.0 / double(warmup), step)),
                                 write.scalar(1, step));
      peak = write.binary("mul", peak, share);
    }
    if (schedule == "constant")
      return peak;
    double length = double(steps - warmup);
    Value passed = write.binary("mul", write.binary("sub", step, write.scalar(double(warmup), step)),
                                write.scalar(1 / length, step));
    passed = write.binary("min", write.binary("max", passed, write.scalar(0, step)), write.scalar(1, step));
    Value left = write.binary("sub", write.scalar(1, step), passed);
    if (schedule == "cosine") {
      Value wave = write.unary("cos", write.binary("mul", passed, write.scalar(std::numbers::pi, step)));
      left = write.binary("mul", write.binary("add", wave, write.scalar(1, step)), write.scalar(0.5, step));
    }
    Value decayed =
        write.binary("add", write.binary("mul", left, write.scalar(rate - minRate, step)), write.scalar(minRate, step));
    return write.binary("min", peak, decayed);
  }

  /// min(1, clip / norm of all gradients).
  Value gradientScale(OpWriter &write) {
    auto type = RankedTensorType::get({}, write.builder.getF32Type());
    Value squares;
    if (clip > 0)
      for (Parameter &parameter : parameters) {
        Value g = write.cast(parameter.gradient, write.builder.getF32Type());
        Value sum = write.reduce("sum", write.binary("mul", g, g),
                                 llvm::to_vector(llvm::seq<int64_t>(0, tensorType(g).getRank())), /*keepDims=*/false);
        squares = squares ? write.binary("add", squares, sum) : sum;
      }
    if (!squares) {
      auto attribute = DenseElementsAttr::get(type, 1.0f);
      return ConstantOp::create(write.builder, write.loc, type, attribute);
    }
    Value norm = write.unary("sqrt", squares);
    addResult(norm, "grad_norm");
    return write.binary(
        "min", write.scalar(1, norm),
        write.binary("div", write.scalar(clip, norm), write.binary("add", norm, write.scalar(1e-6, norm))));
  }

  void update(OpWriter &write, Parameter &parameter, Value rate, Value scale, Value step) {
    WeightOp weight = parameter.weight;
    Value value = parameter.load.getResult();
    RankedTensorType type = tensorType(value);
    markMutable(weight);
    auto number = [&](double x) { return write.builder.getF64FloatAttr(x); };
    auto flag = [&](bool x) { return write.builder.getBoolAttr(x); };
    auto decay = number(type.getRank() >= 2 ? double(weightDecay) : 0.0);
    auto slot = [&](StringRef suffix) { return state(write, weight.getSymName() + suffix, type); };
    if (optimizer == "sgd") {
      State velocity = slot(".velocity");
      auto sgd = SgdOp::create(write.builder, write.loc, value, parameter.gradient, velocity.value, rate, scale,
                               number(momentum), decay, flag(false));
      addResult(sgd.getNewParam(), weight);
      addResult(sgd.getNewVelocity(), velocity.weight);
      return;
    }
    State m = slot(".m"), v = slot(".v");
    auto adam = AdamOp::create(write.builder, write.loc, value, parameter.gradient, m.value, v.value, rate, scale, step,
                               number(beta1), number(beta2), number(epsilon), decay, flag(optimizer == "adamw"));
    addResult(adam.getNewParam(), weight);
    addResult(adam.getNewM(), m.weight);
    addResult(adam.getNewV(), v.weight);
  }
};

} // namespace
} // namespace llmpar
