#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace sluice::internal {

void CheckFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "level=error event=check_failed expression=\"%s\" at=%s:%d\n", expression,
               file, line);
  std::abort();
}

}  // namespace sluice::internal
