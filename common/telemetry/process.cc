#include "telemetry/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

namespace sluice::telemetry {

int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

double CpuSeconds() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int64_t OpenFiles() {
  std::error_code error;
  int64_t count = 0;
  std::filesystem::directory_iterator files("/proc/self/fd", error);
  for (const std::filesystem::directory_iterator end; !error && files != end;
       files.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace sluice::telemetry
