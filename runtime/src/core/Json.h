//===- Json.h - The one writer of what tools print with --json --*- C++ -*-===//
//
//   JsonObject report;
//   report.add("ok", true);
//   report.add("seconds", 0.25);                 // an infinity or a NaN becomes null: JSON has none
//   JsonArray outputs;
//   outputs.add(JsonObject().add("name", "y"));  // strings are escaped; bytes that are not UTF-8 become U+FFFD
//   report.add("outputs", outputs);
//   std::puts(report.text().c_str());            // two spaces a level, members in the order of add()
//
//===----------------------------------------------------------------------===//
#ifndef LLMPAR_RUNTIME_CORE_JSON_H
#define LLMPAR_RUNTIME_CORE_JSON_H

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace llmpar::rt {

class JsonObject;
class JsonArray;

/// Text of one JSON value; converts from what may be one.
class JsonValue {
public:
  JsonValue(std::string_view text);
  JsonValue(const char *text) : JsonValue(std::string_view(text)) {}
  JsonValue(const std::string &text) : JsonValue(std::string_view(text)) {}
  JsonValue(double number);
  template <std::integral Integer>
  JsonValue(Integer number) : text_(std::same_as<Integer, bool> ? (number ? "true" : "false") : std::to_string(number)) {}
  JsonValue(const JsonObject &object);
  JsonValue(const JsonArray &array);

  const std::string &text() const { return text_; }

private:
  std::string text_;
};

class JsonObject {
public:
  JsonObject &add(std::string_view key, const JsonValue &value);
  std::string text() const;

private:
  std::string members; ///< indented, without braces
};

class JsonArray {
public:
  JsonArray &add(const JsonValue &value);
  std::string text() const;

private:
  std::string elements; ///< indented, without brackets
};

} // namespace llmpar::rt

#endif // LLMPAR_RUNTIME_CORE_JSON_H
