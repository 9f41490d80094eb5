#include "net/spawn.h"

#include <cstdio>
#include <cstdlib>

namespace sluice::internal {

void CoroutineThrew(const char* name, std::exception_ptr exception) {
  try {
    std::rethrow_exception(std::move(exception));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "coroutine '%s' threw: %s\n", name, e.what());
  } catch (...) {
    std::fprintf(stderr, "coroutine '%s' threw something unknown\n", name);
  }
  std::abort();
}

}  // namespace sluice::internal
