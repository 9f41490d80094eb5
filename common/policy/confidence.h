// Wilson score bounds of a rate seen k times in n: what small samples allow to say. Pure.
#pragma once

#include <cstdint>

namespace sluice {

// One-sided; `z` standard deviations (1 = 84 %, 1.645 = 95 %, 2.576 = 99.5 %). n = 0 says nothing: 0 and 1.
double WilsonLower(int64_t k, int64_t n, double z);
double WilsonUpper(int64_t k, int64_t n, double z);

}  // namespace sluice
