#include "egress/process_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.h"

namespace sluice::egress {

absl::StatusOr<ProcessLock> ProcessLock::Take(const std::string& directory,
                                              const std::string& egress_id) {
  if (egress_id.empty() || egress_id.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(
        Cat("egress_id ", Quoted(egress_id), " cannot be a file name"));
  }
  const std::string path = Cat(directory, "/sluice-egress-", egress_id, ".lock");
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) {
    return absl::UnavailableError(
        Cat("cannot open the lock file '", path, "': ", std::strerror(errno)));
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return absl::FailedPreconditionError(
        Cat("another egress runs as '", egress_id, "' (lock file '", path, "')"));
  }
  return ProcessLock(fd);
}

ProcessLock::ProcessLock(ProcessLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

ProcessLock::~ProcessLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace sluice::egress
