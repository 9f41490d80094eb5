// From what PostgreSQL and libpqxx say to absl::Status. This and in_transaction.cc are the only
// places that catch.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace sluice::storage {

// For a five-character SQLSTATE. Unavailable: try again later. ResourceExhausted: disk, memory or
// connections are used up. InvalidArgument: a row is bad. Aborted: lost against another
// transaction, may be run again.
absl::StatusCode CodeOf(std::string_view sqlstate);

// The exception in flight (call inside a catch block) as a status whose message starts with `what`.
// Of the server's text only the first line is kept: the others may quote rows. `sqlstate` (may be
// null) gets the SQLSTATE, empty when there is none.
absl::Status StatusOfCurrentException(std::string_view what, std::string* sqlstate);

// The row that was to be inserted belongs to no partition; the SQLSTATE alone could be a check that
// failed.
bool IsMissingPartition(const absl::Status& status);

// Runs `body` (`sqlstate` as above), for work outside a transaction of ours: opening, preparing,
// statements that refuse to run in one.
absl::Status CatchErrors(std::string_view what, std::string* sqlstate,
                         const std::function<absl::Status()>& body);

}  // namespace sluice::storage
