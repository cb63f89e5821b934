//===- Progress.cpp - What takes so long ------------------------------------===//
#include "Progress.h"

#include <cstdio>
#include <unistd.h>

namespace llmpar::tool {

using Clock = std::chrono::steady_clock;
static constexpr std::chrono::seconds interval(1);

Progress::Progress() {
  if (::isatty(STDERR_FILENO))
    watcher = std::thread([this] { watch(); });
}

Progress::~Progress() {
  if (!watcher.joinable())
    return;
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
  }
  changed.notify_one();
  watcher.join();
  erase();
}

void Progress::phase(const std::string &newName) {
  std::lock_guard<std::mutex> lock(mutex);
  erase();
  name = newName;
  begin = Clock::now();
}

void Progress::watch() {
  std::unique_lock<std::mutex> lock(mutex);
  while (!changed.wait_for(lock, interval, [this] { return stopping; })) {
    Clock::duration elapsed = Clock::now() - begin;
    if (name.empty() || elapsed < interval)
      continue;
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed).count();
    std::fprintf(stderr, "\r%s: %lld s\033[K", name.c_str(), static_cast<long long>(seconds));
    shown = true;
  }
}

void Progress::erase() {
  if (shown)
    std::fputs("\r\033[K", stderr);
  shown = false;
}

StatusLine::StatusLine() : isTerminal(::isatty(STDERR_FILENO)) {}

void StatusLine::show(const std::string &text) {
  Clock::time_point now = Clock::now();
  if (!isTerminal || (shown && now - last < std::chrono::milliseconds(100)))
    return;
  std::fprintf(stderr, "\r%s\033[K", text.c_str());
  shown = true;
  last = now;
}

void StatusLine::erase() {
  if (shown)
    std::fputs("\r\033[K", stderr);
  shown = false;
}

} // namespace llmpar::tool
