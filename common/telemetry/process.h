// What the kernel says of this process; 0 where it does not say.
#pragma once

#include <cstdint>

namespace sluice::telemetry {

int64_t ResidentBytes();
double CpuSeconds();
int64_t OpenFiles();

}  // namespace sluice::telemetry
