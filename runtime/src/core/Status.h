//===- Status.h - How the runtime reports errors ----------------*- C++ -*-===//
//
// A call that can fail returns `Status` (or takes an out parameter); the C API
// turns it into a code and a message. No exception leaves the runtime.
//
//   if (Status status = load(path); !status.ok()) return status;
//   return Status::invalid("input 'x': expected 2x3xf32, got 2x4xf32");
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_STATUS_H
#define LLMPAR_RUNTIME_CORE_STATUS_H

#include <string>
#include <utility>

namespace llmpar::rt {

/// Values are part of the C API (`llmpar_rt_code`).
enum class Code : int {
  Ok = 0,
  Invalid = 1,     ///< the caller gave something wrong: a file, a shape, an option
  DoesNotFit = 4,  ///< memory
  Device = 5,      ///< a device or a peer failed
  Aborted = 6,     ///< another rank failed first; its message is the one to show
  Internal = 70,
};

class [[nodiscard]] Status {
public:
  Status() = default;
  static Status success() { return {}; }
  static Status invalid(std::string message) { return {Code::Invalid, std::move(message)}; }
  static Status doesNotFit(std::string message) { return {Code::DoesNotFit, std::move(message)}; }
  static Status device(std::string message) { return {Code::Device, std::move(message)}; }
  static Status aborted(std::string message) { return {Code::Aborted, std::move(message)}; }
  static Status internal(std::string message) { return {Code::Internal, std::move(message)}; }

  bool ok() const { return code_ == Code::Ok; }
  Code code() const { return code_; }
  const std::string &message() const { return message_; }

  /// The same failure, its message behind `text`.
  Status prefixed(const std::string &text) const { return ok() ? *this : Status(code_, text + message_); }

private:
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}
  Code code_ = Code::Ok;
  std::string message_;
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_STATUS_H
