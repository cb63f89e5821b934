//===- BuildTrainingStep.cpp - Loss, gradients, optimizer --------------------===//
#include "Loss.h"
#include "MasterWeights.h"
#include "llmpar/Dialect/OpWriter.h"
#include "llmpar/Dialect/WeightParts.h"
#include "llmpar/Training/Backward.h"
#include "llmpar/Training/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/GlobPattern.h"
#include <limits>
#include <numbers>

using namespace mlir;

namespace llmpar {
#define GEN_PASS_DEF_BUILDTRAININGSTEP
#include "llmpar/Training/Passes.h.inc"

namespace {

Type elementOf(Value value) { return tensorType(value).getElementType(); }
bool isFloat(Value value) { return isa<FloatType>(elementOf(value)); }

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
  llvm::StringSet<> tensors; ///< of the model: names that no state may have
  struct Parameter {
    WeightOp weight;
    LoadWeightOp load;
    Value gradient; ///< in f32, times the loss scale
  };
  SmallVector<Parameter> parameters;
  struct State {
    WeightOp weight;
    Value value;
  };
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
  std::optional<State> scaleState;
  Value scaleOfLoss;       ///< null without --initial-loss-scale, like the next two
  Value squares, isFinite; ///< of all gradients: the sum of their squares, and whether each of them is a number

  Loss measure() const { return {loss.getValue(), ignoreIndex, labelSmoothing}; }

  LogicalResult checkOptions() {
    auto oneOf = [&](StringRef option, StringRef value, ArrayRef<StringRef> choices) -> LogicalResult {
      if (llvm::is_contained(choices, value))
        return success();
      return getOperation().emitError() << option << " '" << value << "' is unknown: choose "
                                        << llvm::join(choices, ", ");
    };
    if (failed(oneOf("optimizer", optimizer, {"adamw", "adam", "sgd"})) ||
        failed(oneOf("lr-schedule", schedule, {"constant", "linear", "cosine"})) ||
        failed(measure().check(getOperation())))
      return failure();
    for (const std::string &pattern : frozen)
      if (llvm::Expected<llvm::GlobPattern> glob = llvm::GlobPattern::create(pattern); !glob)
        return getOperation().emitError() << "freeze '" << pattern << "': " << llvm::toString(glob.takeError());
    if (lossScale != 0 &&
        (!(lossScale >= minLossScale) || !(minLossScale > 0) || lossScaleWindow < 1 || hysteresis < 1))
      return getOperation().emitError()
             << "initial-loss-scale " << double(lossScale) << ", min-loss-scale " << double(minLossScale)
             << ", loss-scale-window " << int64_t(lossScaleWindow) << ", hysteresis " << int64_t(hysteresis)
             << ": the first is at least the second, which is above 0; the others are at least 1";
    if (staleness < 0)
      return getOperation().emitError() << "staleness " << int64_t(staleness)
                                        << ": a gradient waits for 0 steps or more";
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
    if (failed(keepMasters()))
      return failure();

    OpBuilder builder(ret);
    OpWriter write{builder, ret.getLoc()};
    FailureOr<Value> mean = addLossAndGradients(write, *logitsResult);
    if (failed(mean))
      return failure();
    if (parameters.empty())
      return function.emitError() << "the logits depend on no weight that is trained: name another result";
    addResult(*mean, "loss");
    for (Parameter &parameter : parameters)
      delayGradient(write, parameter);
    sumSquares(write);
    Value step = nextStep(write), rate = rateAt(write, step), scale = gradientScale(write);
    for (Parameter &parameter : parameters)
      update(write, parameter, rate, scale, step);
    if (scaleOfLoss)
      updateLossScale(write);
    ret->setOperands(results);
    function.setType(builder.getFunctionType(body.getArgumentTypes(),
                                             llvm::map_to_vector(results, [](Value v) { return v.getType(); })));
    function.setAllResultAttrs(resultAttributes);
    return success();
  }

  /// A table that is computed and not learnt, or what the user says.
  bool isFrozen(StringRef name) const {
    return isTable(name) || llvm::any_of(frozen, [&](StringRef pattern) {
             llvm::Expected<llvm::GlobPattern> glob = llvm::GlobPattern::create(pattern);
             return glob ? glob->match(name) : (llvm::consumeError(glob.takeError()), false);
           });
  }

  void findParameters() {
    symbols.emplace(getOperation());
    for (auto weight : getOperation().getOps<WeightOp>())
      tensors.insert(boxOf(weight).tensor);
    llvm::MapVector<WeightOp, LoadWeightOp> found;
    for (auto load : function.getBody().front().getOps<LoadWeightOp>())
      if (isFloat(load.getResult()) && !isFrozen(tensorNameOf(load)))
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

  LogicalResult keepMasters() {
    for (Parameter &parameter : parameters) {
      Type type = parameter.weight.getType();
      Type element = getElementTypeOrSelf(type);
      if (element.isF64())
        return function.emitError() << "parameter '" << parameter.weight.getSymName() << "' of type " << type
                                    << ": parameters are trained in f32; export the model in float32";
      if (element.isF16() && lossScale == 0)
        return function.emitError() << "parameter '" << parameter.weight.getSymName() << "' of type " << type
                                    << ": gradients in f16 need a loss scale (--fp16), or export the model in bfloat16";
      keepMaster(parameter.weight, parameter.load);
    }
    return success();
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
    const Loss measure = this->measure();
    BlockArgument labels = measure.addLabels(function, tensorType(logitsValue));
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

    Value count = measure.count(write, labels);
    Value share = write.unary("reciprocal", write.binary("max", count, write.scalar(1, count)));
    Value seed = share, sum;
    if (lossScale > 0)
      seed = write.binary("mul", seed, beginLossScale(write));
    seed = write.broadcast(seed, labelType.getShape());
    for (int64_t index = 0; index < accumulation; ++index) {
      IRMapping mapping = forwardOf(write, index);
      Value losses = measure.of(write, mapping.lookupOrDefault(logitsValue), mapping.lookupOrDefault(ofMicroBatch));
      if (failed(addGradients(write, losses, seed)))
        return failure();
      Value part = sumOf(write, losses);
      sum = sum ? write.binary("add", sum, part) : part;
    }
    giveAllParts(write);
    llvm::erase_if(parameters, [](Parameter &p) { return !p.gradient; });
    return write.binary("mul", sum, share);
  }

  /// Of a tensor of which the loss reads some parts, the others are state too: of files it is one. Their gradient is 0.
  void giveAllParts(OpWriter &write) {
    llvm::StringSet<> trained;
    for (Parameter &parameter : parameters)
      if (parameter.gradient)
        trained.insert(boxOf(parameter.weight).tensor);
    for (Parameter &parameter : parameters)
      if (!parameter.gradient && trained.contains(boxOf(parameter.weight).tensor))
        parameter.gradient = write.zeros(parameter.load);
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

  /// A weight that begins as zeros, and its value before this step.
  State state(OpWriter &write, const Twine &name, RankedTensorType type) {
    OpBuilder detached(write.builder.getContext());
    auto weight = WeightOp::create(detached, write.loc, name.str(), type, detached.getArrayAttr({}));
    markMutable(weight);
    StringAttr symbol = symbols->insert(weight, Block::iterator(function)); // another name if it is taken
    return {weight, LoadWeightOp::create(write.builder, write.loc, type, symbol.getValue())};
  }
  /// One for a parameter; of a part it is the same part of a tensor.
  State state(OpWriter &write, WeightOp parameter, const Twine &suffix) {
    auto type = cast<RankedTensorType>(parameter.getType());
    WeightBox box = boxOf(parameter);
    box.tensor += suffix.str();
    while (tensors.contains(box.tensor))
      box.tensor += "_0";
    State result = state(write, nameOf(box, type.getShape()), type);
    setBox(result.weight, box);
    return result;
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

  /// The optimizer gets the gradient of `staleness` steps ago; in the first steps zeros.
  void delayGradient(OpWriter &write, Parameter &parameter) {
    for (int64_t age = 1; age <= staleness; ++age) {
      State held = state(write, parameter.weight, age == 1 ? ".gradient" : ".gradient_" + std::to_string(age));
      addResult(parameter.gradient, held.weight);
      parameter.gradient = held.value;
    }
  }

  /// The number of this step, counted from 1.
  Value nextStep(OpWriter &write) {
    auto type = RankedTensorType::get({}, write.builder.getF32Type());
    State counter = state(write, "step", type);
    Value step = write.binary("add", counter.value, write.scalar(1, counter.value));
    addResult(ifFinite(write, step, counter.value), counter.weight);
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

  void sumSquares(OpWriter &write) {
    if (clip == 0 && !scaleOfLoss)
      return;
    for (Parameter &parameter : parameters) {
      Value g = parameter.gradient;
      Value sum = sumOf(write, write.binary("mul", g, g));
      squares = squares ? write.binary("add", squares, sum) : sum;
    }
    if (scaleOfLoss) // gradients were f16, at most 65504: their squares do not overflow
      isFinite = write.binary("less", squares, write.scalar(std::numeric_limits<double>::infinity(), squares));
  }
  /// What a step makes of a state: its new value, unless the gradients are not finite.
  Value ifFinite(OpWriter &write, Value next, Value value) const {
    return isFinite ? write.select(isFinite, next, value) : next;
  }

  /// What gradients are multiplied with: 1 / loss scale, and min(1, clip / norm of all gradients).
  Value gradientScale(OpWriter &write) {
    Value unscale = scaleOfLoss ? write.unary("reciprocal", scaleOfLoss) : Value();
    if (clip == 0) {
      auto type = RankedTensorType::get({}, write.builder.getF32Type());
      return unscale
                 ? unscale
                 : ConstantOp::create(write.builder, write.loc, type, DenseElementsAttr::get(type, 1.0f)).getResult();
    }
    Value norm = write.unary("sqrt", squares);
    if (unscale)
      norm = write.binary("mul", norm, unscale);
    addResult(norm, "grad_norm");
    Value scale = write.binary(
        "min", write.scalar(1, norm),
        write.binary("div", write.scalar(clip, norm), write.binary("add", norm, write.scalar(1e-6, norm))));
    return unscale ? write.binary("mul", scale, unscale) : scale;
  }

  /// The scale of this step. States begin as zeros: then it is the initial one.
  Value beginLossScale(OpWriter &write) {
    auto type = RankedTensorType::get({}, write.builder.getF32Type());
    scaleState = state(write, "loss_scale", type);
    Value value = scaleState->value;
    scaleOfLoss =
        write.select(write.binary("greater", value, write.scalar(0, value)), value, write.scalar(lossScale, value));
    return scaleOfLoss;
  }

  /// As torch.amp and Megatron-LM do it. Good steps in a row double the scale; overflows since then halve it, each one
  /// from the `hysteresis`-th on.
  void updateLossScale(OpWriter &write) {
    auto type = RankedTensorType::get({}, write.builder.getF32Type());
    State good = state(write, "good_steps", type), bad = state(write, "overflows", type);
    Value one = write.scalar(1, scaleOfLoss), zero = write.scalar(0, scaleOfLoss);
    Value nextGood = write.select(isFinite, write.binary("add", good.value, one), zero);
    Value nextBad = write.select(isFinite, bad.value, write.binary("add", bad.value, one));
    Value grows = write.binary("greater_equal", nextGood, write.scalar(double(lossScaleWindow), nextGood));
    Value shrinks = write.binary("bit_and", write.unary("logical_not", isFinite),
                                 write.binary("greater_equal", nextBad, write.scalar(double(hysteresis), nextBad)));
    Value larger = write.binary("mul", scaleOfLoss, write.scalar(2, scaleOfLoss));
    Value smaller = write.binary("max", write.binary("mul", scaleOfLoss, write.scalar(0.5, scaleOfLoss)),
                                 write.scalar(minLossScale, scaleOfLoss));
    addResult(scaleOfLoss, "loss_scale");
    addResult(write.cast(write.unary("logical_not", isFinite), write.builder.getF32Type()), "skipped");
    addResult(write.select(grows, larger, write.select(shrinks, smaller, scaleOfLoss)), scaleState->weight);
    addResult(write.select(grows, zero, nextGood), good.weight);
    addResult(write.select(grows, zero, nextBad), bad.weight);
  }

  void update(OpWriter &write, Parameter &parameter, Value rate, Value scale, Value step) {
    WeightOp weight = parameter.weight;
    Value value = parameter.load.getResult();
    RankedTensorType type = tensorType(value);
    markMutable(weight);
    auto number = [&](double x) { return write.builder.getF64FloatAttr(x); };
    auto flag = [&](bool x) { return write.builder.getBoolAttr(x); };
    auto decay = number(type.getRank() >= 2 ? double(weightDecay) : 0.0);
    auto slot = [&](StringRef suffix) { return state(write, weight, suffix); };
    if (optimizer == "sgd") {
      State velocity = slot(".velocity");
      auto sgd = SgdOp::create(write.builder, write.loc, value, parameter.gradient, velocity.value, rate, scale,
                               number(momentum), decay, flag(false));
      addResult(ifFinite(write, sgd.getNewParam(), value), weight);
      addResult(ifFinite(write, sgd.getNewVelocity(), velocity.value), velocity.weight);
      return;
    }
    State m = slot(".m"), v = slot(".v");
    auto adam = AdamOp::create(write.builder, write.loc, value, parameter.gradient, m.value, v.value, rate, scale, step,
                               number(beta1), number(beta2), number(epsilon), decay, flag(optimizer == "adamw"));
    addResult(ifFinite(write, adam.getNewParam(), value), weight);
    addResult(ifFinite(write, adam.getNewM(), m.value), m.weight);
    addResult(ifFinite(write, adam.getNewV(), v.value), v.weight);
  }
};

} // namespace
} // namespace llmpar
