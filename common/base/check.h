// SLUICE_CHECK: for what cannot happen. Prints one line and aborts; never for input or the environment.
#pragma once

namespace sluice::internal {
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);
}  // namespace sluice::internal

#define SLUICE_CHECK(condition)                                               \
  do {                                                                        \
    if (!(condition)) [[unlikely]]                                            \
      ::sluice::internal::CheckFailed(#condition, __FILE__, __LINE__);        \
  } while (false)
