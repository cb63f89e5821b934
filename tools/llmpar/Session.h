//===- Session.h - A model compiled and put on devices ----------*- C++ -*-===//
//
// What run, verify and bench share: read the given tensors, compile with their
// shapes, open the program on devices, run steps.
//
//   Failure failure;
//   Given given;
//   readGiven(options, given, failure);
//   Session session;
//   if (!session.open(options, given, {options.mesh, options.layout}, failure)) return failure.report(options);
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TOOLS_SESSION_H
#define LLMPAR_TOOLS_SESSION_H

#include "Commands.h"
#include "core/TensorIo.h"
#include "llmpar/Driver/Compile.h"
#include "llmpar/runtime.h"
#include <optional>

namespace llmpar::tool {

/// The first error, and the exit code it leads to.
struct Failure {
  int code = Ok;
  std::string message;

  bool set(int code, std::string message);
  bool set(const rt::Status &status);
  bool setRuntime(llmpar_rt_code code);
  /// Prints it as one line (or as JSON) and returns the exit code.
  int report(const Options &options) const;
};

/// Tensors from --input, --data and --expected-output, by name where they have one.
struct Given {
  std::vector<rt::HostTensor> inputs, expected;
  size_t fromData = 0, expectedFromData = 0; ///< the last so many are a test data folder's: names may not be the model's
};
bool readGiven(const Options &options, Given &given, Failure &failure);

/// Compiles `options.model` with the given inputs' shapes; `mesh` and `layout` override those of the options.
struct Method {
  std::string mesh, layout;
  bool isBaseline = false; ///< the single-device run beside the one asked for: no pins, nothing dumped
};
CompileResult compileFor(mlir::MLIRContext &context, const Options &options, const Given &given, const Method &method,
                         Failure &failure);

class Session {
public:
  ~Session();
  bool open(const Options &options, const Given &given, const Method &method, Failure &failure);
  /// Sets every input from `given`, by name or position. With `generate`, missing ones are made up.
  /// A trace computes nothing: its inputs may be made up, its outputs mean nothing.
  bool bindInputs(const Given &given, bool generate, Failure &failure);
  bool step(Failure &failure);

  const std::vector<rt::HostTensor> &outputs() const { return outputs_; }
  const std::vector<rt::HostTensor> &inputs() const { return inputs_; }
  llmpar_rt_stats stats() const;
  const llmpar_rt_program *program() const { return program_; }
  llmpar_rt_instance *instance() const { return instance_; }

private:
  llmpar_rt_program *program_ = nullptr;
  llmpar_rt_instance *instance_ = nullptr;
  std::vector<rt::HostTensor> inputs_, outputs_;
};

/// Registers what compiling needs.
void prepareContext(mlir::MLIRContext &context);

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_SESSION_H
