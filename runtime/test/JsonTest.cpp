//===- JsonTest.cpp - What tools print with --json is JSON -----------------===//
#include "core/Json.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

namespace llmpar::rt::test {
namespace {

TEST(Json, NestsAndIndents) {
  JsonArray outputs;
  outputs.add(JsonObject().add("name", "y").add("match", true)).add(JsonObject());
  JsonObject report;
  report.add("ok", false).add("ranks", 4u).add("seconds", 0.25).add("outputs", outputs).add("none", JsonArray());
  EXPECT_EQ(report.text(), R"({
  "ok": false,
  "ranks": 4,
  "seconds": 0.25,
  "outputs": [
    {
      "name": "y",
      "match": true
    },
    {}
  ],
  "none": []
})");
}

TEST(Json, NumbersThatJsonDoesNotHaveAreNull) {
  double infinity = std::numeric_limits<double>::infinity();
  for (double number : {infinity, -infinity, std::nan("")})
    EXPECT_EQ(JsonValue(number).text(), "null");
  EXPECT_EQ(JsonValue(1e300).text(), "1.0000000000000001e+300");
  EXPECT_EQ(JsonValue(std::numeric_limits<int64_t>::min()).text(), "-9223372036854775808");
  EXPECT_EQ(JsonValue(std::numeric_limits<uint64_t>::max()).text(), "18446744073709551615");
}

TEST(Json, StringsAreEscapedAndValidUtf8) {
  EXPECT_EQ(JsonValue("a\"b\\c\n\x01").text(), R"("a\"b\\c\u000a\u0001")");
  EXPECT_EQ(JsonValue("\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80").text(), "\"\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80\"");
  // A lone continuation, an overlong slash, a surrogate, a cut character.
  for (const char *bad : {"\x80", "\xC0\xAF", "\xED\xA0\x80", "\xE2\x82"}) {
    std::string expected = "\"";
    for (const char *c = bad; *c; ++c)
      expected += "\xEF\xBF\xBD";
    EXPECT_EQ(JsonValue(bad).text(), expected + '"');
  }
}

} // namespace
} // namespace llmpar::rt::test
