//===- Compare.cpp - Are two tensors close? --------------------------------===//
#include "core/TensorIo.h"

#include <cmath>
#include <cstdio>
#include <limits>

namespace llmpar::rt {
namespace {

std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

/// 7 of shape 2x5 -> "[1, 2]".
std::string indexText(const std::vector<int64_t> &shape, int64_t flat) {
  std::vector<int64_t> index(shape.size());
  for (size_t d = shape.size(); d > 0; --d) {
    index[d - 1] = flat % shape[d - 1];
    flat /= shape[d - 1];
  }
  std::string text = "[";
  for (size_t d = 0; d < index.size(); ++d)
    text += (d ? ", " : "") + std::to_string(index[d]);
  return text + "]";
}

} // namespace

Comparison compareTensors(const HostTensor &actual, const HostTensor &expected, double absolute, double relative) {
  Comparison result;
  result.elements = expected.elements();
  if (actual.dtype != expected.dtype || actual.shape != expected.shape) {
    result.match = false;
    result.message = "is " + describeTensor(actual) + ", expected " + describeTensor(expected);
    return result;
  }
  double worstExcess = -1;
  auto clash = [&](int64_t i, double excess) {
    result.mismatches += 1;
    if (excess > worstExcess)
      worstExcess = excess, result.worst = i;
  };
  std::string worstText;
  dispatch(expected.dtype, [&](auto zero) {
    using T = decltype(zero);
    const T *a = actual.as<T>(), *e = expected.as<T>();
    for (int64_t i = 0; i < result.elements; ++i) {
      if constexpr (std::is_integral_v<T>) // int64 does not fit a double
        if (a[i] == e[i])
          continue;
      double x = static_cast<double>(a[i]), y = static_cast<double>(e[i]);
      if (!std::isfinite(x) || !std::isfinite(y)) {
        if (!(x == y || (std::isnan(x) && std::isnan(y))))
          clash(i, std::numeric_limits<double>::infinity());
        continue;
      }
      double difference = std::fabs(x - y);
      if constexpr (std::is_integral_v<T>)
        difference = std::max(difference, 1.0);
      result.maxAbsolute = std::max(result.maxAbsolute, difference);
      if (difference > 0)
        result.maxRelative = std::max(result.maxRelative, difference / std::fabs(y));
      if (double allowed = absolute + relative * std::fabs(y); !(difference <= allowed))
        clash(i, difference - allowed);
    }
    if (result.worst >= 0)
      worstText = number(static_cast<double>(a[result.worst])) + ", expected " +
                  number(static_cast<double>(e[result.worst])) + " at " + indexText(expected.shape, result.worst);
  });
  result.match = result.mismatches == 0;
  result.message = "max abs " + number(result.maxAbsolute) + ", max rel " + number(result.maxRelative);
  if (!result.match)
    result.message = std::to_string(result.mismatches) + " of " + std::to_string(result.elements) +
                     " elements differ (" + result.message + "); worst: " + worstText;
  return result;
}

} // namespace llmpar::rt
