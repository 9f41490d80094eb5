// One running process for each egress id: a locked file, which the kernel gives back however the
// process ends.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace sluice::egress {

class ProcessLock {
 public:
  // FailedPrecondition: another process has it.
  [[nodiscard]] static absl::StatusOr<ProcessLock> Take(const std::string& directory,
                                                        const std::string& egress_id);
  ProcessLock(ProcessLock&& other) noexcept;
  ProcessLock& operator=(ProcessLock&&) = delete;
  ~ProcessLock();

 private:
  explicit ProcessLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace sluice::egress
