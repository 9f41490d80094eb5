// absl::Status helpers: the macros that make "return on error" one line, in functions and coroutines.
// An SMTP refusal is never a Status: it is a Disposition (mail/disposition.h).
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define SLUICE_CONCAT_INNER(a, b) a##b
#define SLUICE_CONCAT(a, b) SLUICE_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expr)                                   \
  do {                                                          \
    if (absl::Status status_ = (expr); !status_.ok()) {         \
      return status_;                                           \
    }                                                           \
  } while (false)

#define ASSIGN_OR_RETURN(lhs, expr)                                               \
  auto SLUICE_CONCAT(status_or_, __LINE__) = (expr);                              \
  if (!SLUICE_CONCAT(status_or_, __LINE__).ok()) {                                \
    return std::move(SLUICE_CONCAT(status_or_, __LINE__)).status();               \
  }                                                                               \
  lhs = *std::move(SLUICE_CONCAT(status_or_, __LINE__))

#define CO_RETURN_IF_ERROR(expr)                                \
  do {                                                          \
    if (absl::Status status_ = (expr); !status_.ok()) {         \
      co_return status_;                                        \
    }                                                           \
  } while (false)

#define CO_ASSIGN_OR_RETURN(lhs, expr)                                            \
  auto SLUICE_CONCAT(status_or_, __LINE__) = (expr);                              \
  if (!SLUICE_CONCAT(status_or_, __LINE__).ok()) {                                \
    co_return std::move(SLUICE_CONCAT(status_or_, __LINE__)).status();            \
  }                                                                               \
  lhs = *std::move(SLUICE_CONCAT(status_or_, __LINE__))
