//===- JsonReader.h - JSON with errors that say where -----------*- C++ -*-===//
#ifndef LLMPAR_LIB_PLANNER_JSONREADER_H
#define LLMPAR_LIB_PLANNER_JSONREADER_H

#include "llmpar/Planner/PlanFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace llmpar {

/// The JSON in `text`, which may be gzip. Refuses what is nested more than 100 deep.
llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text);

/// Where a value stands in the file: "problem.nodes.costs[3]".
struct Place {
  const Place *parent = nullptr;
  llvm::StringRef key;
  size_t index = 0;

  Place operator[](llvm::StringRef member) const { return {this, member, 0}; }
  Place operator[](size_t element) const { return {this, "", element}; }
  std::string str() const {
    std::string prefix = parent ? parent->str() : "";
    if (parent && key.empty())
      return prefix + "[" + std::to_string(index) + "]";
    return prefix + (prefix.empty() ? "" : ".") + key.str();
  }
};

enum class Unit { Cost, Bytes, Index, Step };

inline const char *describe(Unit unit) {
  switch (unit) {
  case Unit::Cost:
    return "a cost: an integer of at least 0, or null if it is forbidden";
  case Unit::Bytes:
    return "bytes: an integer of at least 0";
  case Unit::Index:
    return "an index: an integer of at least 0";
  case Unit::Step:
    return "a step: an integer";
  }
  llvm_unreachable("not a unit");
}

/// Typed access to a JSON document with errors that name the place, the value and what is expected:
///   problem.nodes.costs[3][1] is -2: expected a cost: an integer of at least 0, or null if it is forbidden
/// Keeps its first error; then false or null comes back until the end.
class JsonReader {
public:
  using Value = llvm::json::Value;
  using Object = llvm::json::Object;
  using Array = llvm::json::Array;

  llvm::Error takeError() const { return llvm::createStringError(message); }

  bool fail(std::string text) {
    if (message.empty())
      message = std::move(text);
    return false;
  }
  bool fail(const Place &place, const Value &value, llvm::StringRef expected) {
    std::string text = llvm::formatv("{0}", value).str();
    return fail(llvm::formatv("{0} is {1}: expected {2}", place.str(),
                              text.size() > 40 ? text.substr(0, 40) + "..." : text, expected));
  }

  /// The object at `place`; all its keys are in `known`.
  const Object *object(const Value &value, const Place &place, llvm::ArrayRef<llvm::StringRef> known) {
    const Object *object = value.getAsObject();
    if (!object)
      return fail(place, value, "an object with the keys " + llvm::join(known, ", ")), nullptr;
    for (const auto &entry : *object)
      if (!llvm::is_contained(known, entry.first.str()))
        return fail(llvm::formatv("{0} has an unknown key '{1}': known are {2}", place.str(), entry.first.str(),
                                  llvm::join(known, ", "))),
               nullptr;
    return object;
  }
  const Value *member(const Object &object, llvm::StringRef key, const Place &place) {
    const Value *value = object.get(key);
    if (!value)
      fail(llvm::formatv("{0} has no key '{1}'", place.str(), key));
    return value;
  }
  const Array *array(const Value &value, const Place &place) {
    const Array *array = value.getAsArray();
    if (!array)
      fail(place, value, "an array");
    return array;
  }
  /// An array with one entry for each of `count` things called `things`.
  const Array *array(const Value &value, const Place &place, size_t count, llvm::StringRef things) {
    const Array *found = array(value, place);
    if (found && found->size() != count)
      return fail(llvm::formatv("{0} has {1} entries: expected {2}, one for each of the {3}", place.str(),
                                found->size(), count, things)),
             nullptr;
    return found;
  }

  bool integer(const Value &value, const Place &place, Unit unit, int64_t &result) {
    if (unit == Unit::Cost && value.kind() == Value::Null)
      return result = kForbidden, true;
    std::optional<int64_t> number = value.getAsInteger();
    // 1e30 is no int64, but a cost that is forbidden all the same.
    if (unit == Unit::Cost && (number ? *number >= kForbiddenInFiles : value.getAsNumber().value_or(0) > 1e18))
      return result = kForbidden, true;
    if (!number || (unit != Unit::Step && *number < 0))
      return fail(place, value, describe(unit));
    result = *number;
    return true;
  }
  bool integers(const Array &array, const Place &place, Unit unit, std::vector<int64_t> &result) {
    result.resize(array.size());
    for (auto [index, value] : llvm::enumerate(array))
      if (!integer(value, place[index], unit, result[index]))
        return false;
    return true;
  }
  bool index(const Value &value, const Place &place, size_t count, llvm::StringRef things, int &result) {
    int64_t number = 0;
    if (!integer(value, place, Unit::Index, number))
      return false;
    if (number >= int64_t(count))
      return fail(place, value, llvm::formatv("an index below {0}, the number of {1}", count, things).str());
    result = static_cast<int>(number);
    return true;
  }

private:
  std::string message;
};

} // namespace llmpar

#endif // LLMPAR_LIB_PLANNER_JSONREADER_H
