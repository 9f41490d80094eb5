#include "policy/confidence.h"

#include <algorithm>
#include <cmath>

namespace sluice {
namespace {

double Bound(int64_t k, int64_t n, double z) {
  const double count = static_cast<double>(n);
  const double rate = static_cast<double>(k) / count;
  const double square = z * z / count;
  const double spread = z * std::sqrt(rate * (1 - rate) / count + square / (4 * count));
  return (rate + square / 2 + spread) / (1 + square);
}

}  // namespace

double WilsonLower(int64_t k, int64_t n, double z) {
  return n <= 0 || k <= 0 ? 0 : std::clamp(Bound(std::min(k, n), n, -z), 0.0, 1.0);
}

double WilsonUpper(int64_t k, int64_t n, double z) {
  return n <= 0 || k >= n ? 1 : std::clamp(Bound(std::max<int64_t>(k, 0), n, z), 0.0, 1.0);
}

}  // namespace sluice
