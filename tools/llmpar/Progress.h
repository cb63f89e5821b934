//===- Progress.h - What takes so long ---------------------------*- C++ -*-===//
//
//   Progress progress;               // says nothing unless standard error is a terminal
//   progress.phase("lower");         // "lower: 3 s", once it has taken more than a second
//   progress.phase("load weights");  // the line is replaced, and erased at the end
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_TOOLS_PROGRESS_H
#define LLMPAR_TOOLS_PROGRESS_H

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace llmpar::tool {

class Progress {
public:
  Progress();
  ~Progress();
  Progress(const Progress &) = delete;

  /// Ends the phase before and begins `name`.
  void phase(const std::string &name);

private:
  void watch();
  void erase();

  std::mutex mutex;
  std::condition_variable changed;
  std::string name;
  std::chrono::steady_clock::time_point begin;
  bool shown = false, stopping = false;
  std::thread watcher; ///< none if there is no terminal
};

/// One line on standard error that changes in place; nothing unless that is a terminal.
class StatusLine {
public:
  StatusLine();
  ~StatusLine() { erase(); }
  StatusLine(const StatusLine &) = delete;

  /// At most ten times a second.
  void show(const std::string &text);
  /// Before something else is printed.
  void erase();

private:
  bool isTerminal, shown = false;
  std::chrono::steady_clock::time_point last;
};

} // namespace llmpar::tool

#endif // LLMPAR_TOOLS_PROGRESS_H
