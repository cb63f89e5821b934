//===- TraceDevice.cpp - Prints what a rank would do -----------------------===//
#include "trace/TraceDevice.h"

#include <iostream>
#include <sstream>

namespace llmpar::rt {
namespace {

template <typename T> void printList(std::ostream &out, const std::vector<T> &values, const char *open, char close) {
  out << open;
  for (size_t i = 0; i < values.size(); ++i)
    out << (i ? ", " : "") << values[i];
  out << close;
}

void printBuffers(std::ostream &out, const std::vector<BufferRef> &buffers) {
  for (size_t i = 0; i < buffers.size(); ++i)
    out << (i ? ", " : "") << describeShape(buffers[i].view.dtype, buffers[i].view.shape()) << '@'
        << arenaName(buffers[i].arena) << '+' << buffers[i].offset;
}

std::string printRecord(const BoundRecord &bound) {
  const RecordDef &record = *bound.record;
  std::ostringstream out;
  out << "rank " << bound.rank << (bound.entry == Entry::Init ? " init #" : " #") << bound.index << ' '
      << kernelName(record.kernel) << '(';
  printBuffers(out, record.inputs);
  out << ") -> ";
  printBuffers(out, record.outputs);
  if (!record.ints.empty())
    printList(out, record.ints, " {", '}');
  if (!record.floats.empty())
    printList(out, record.floats, " <", '>');
  if (!record.group.empty())
    printList(out, record.group, " group [", ']');
  if (record.lane != Lane::Compute)
    out << " lane " << laneNames[static_cast<size_t>(record.lane)];
  if (!record.waits.empty())
    printList(out, record.waits, " waits [", ']');
  if (record.every > 1)
    out << " every " << record.every;
  if (!record.location.empty())
    out << " '" << record.location << "'";
  out << '\n';
  return out.str();
}

struct TraceThunk : Thunk {
  TraceThunk(std::ostream &out, std::string line) : out(out), line(std::move(line)) {}
  Status run() override {
    out << line;
    return Status::success();
  }
  std::ostream &out;
  std::string line;
};

class TraceDevice : public Device {
public:
  explicit TraceDevice(std::ostream &out) : out(out) {}
  std::string_view name() const override { return "trace"; }
  bool executes() const override { return false; }
  Status prepare(const BoundRecord &record, PreparedRecord &prepared) override {
    prepared.thunk = std::make_unique<TraceThunk>(out, printRecord(record));
    return Status::success();
  }

private:
  std::ostream &out;
};

} // namespace

std::unique_ptr<Device> makeTraceDevice(std::ostream *out) {
  return std::make_unique<TraceDevice>(out ? *out : std::cout);
}

} // namespace llmpar::rt
