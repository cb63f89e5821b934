//===- Json.cpp - The one writer of what tools print with --json -----------===//
#include "core/Json.h"

#include <cmath>
#include <cstdio>

namespace llmpar::rt {
namespace {

/// Bytes of the UTF-8 character at the start of `text`; 0 if there is none. Unicode 15, table 3-7.
size_t characterBytes(std::string_view text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto follows = [&](size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  unsigned first = byte(0), second = byte(1);
  if (first < 0x80)
    return 1;
  if (first >= 0xC2 && first <= 0xDF)
    return follows(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    bool overlong = first == 0xE0 && second < 0xA0, surrogate = first == 0xED && second > 0x9F;
    return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    bool overlong = first == 0xF0 && second < 0x90, above = first == 0xF4 && second > 0x8F;
    return follows(1) && follows(2) && follows(3) && !overlong && !above ? 4 : 0;
  }
  return 0;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    size_t bytes = characterBytes(text);
    char escape[8];
    if (bytes == 0)
      result += "\xEF\xBF\xBD"; // U+FFFD
    else if (text[0] == '"' || text[0] == '\\')
      result += std::string("\\") + text[0];
    else if (static_cast<unsigned char>(text[0]) < 0x20) {
      std::snprintf(escape, sizeof escape, "\\u%04x", text[0]);
      result += escape;
    } else
      result += text.substr(0, bytes);
    text.remove_prefix(bytes ? bytes : 1);
  }
  return result + '"';
}

/// Appends `item` on lines of its own, one level deeper. Line breaks inside strings are escaped, so that every one
/// in `item` is ours.
void append(std::string &list, std::string_view item) {
  list += list.empty() ? "\n  " : ",\n  ";
  for (char c : item)
    if (c == '\n')
      list += "\n  ";
    else
      list += c;
}

std::string enclosed(char open, const std::string &list, char close) {
  return list.empty() ? std::string{open, close} : open + list + '\n' + close;
}

} // namespace

JsonValue::JsonValue(std::string_view text) : text_(quoted(text)) {}
JsonValue::JsonValue(double number) : text_("null") {
  char digits[40];
  std::snprintf(digits, sizeof digits, "%.17g", number);
  if (std::isfinite(number))
    text_ = digits;
}
JsonValue::JsonValue(const JsonObject &object) : text_(object.text()) {}
JsonValue::JsonValue(const JsonArray &array) : text_(array.text()) {}

JsonObject &JsonObject::add(std::string_view key, const JsonValue &value) {
  append(members, quoted(key) + ": " + value.text());
  return *this;
}
std::string JsonObject::text() const { return enclosed('{', members, '}'); }

JsonArray &JsonArray::add(const JsonValue &value) {
  append(elements, value.text());
  return *this;
}
std::string JsonArray::text() const { return enclosed('[', elements, ']'); }

} // namespace llmpar::rt
