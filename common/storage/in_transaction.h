// The one way to run a transaction, and the one try/catch around it. Internal: shows pqxx.
#pragma once

#include <functional>
#include <optional>
#include <pqxx/transaction>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "storage/session.h"

namespace sluice::storage {

enum class Isolation {
  kReadCommitted,
  kRepeatableReadOnly,
  // Each statement of the body is a transaction of its own that the server begins and commits, in
  // one round trip. A connection that dies leaves the outcome Unknown.
  kOneStatement,
};

// Runs `body` and commits when it answers ok, rolls back otherwise. A transaction lost to a
// deadlock or a serialization failure is run again, three times in all, then Aborted: `body` must
// be able to run twice. Unknown = the connection died inside COMMIT; the commit itself is never
// cancelled. `name` starts the error messages.
absl::Status RunTransaction(Session& session, std::string_view name,
                            const std::function<absl::Status(pqxx::transaction_base&)>& body,
                            Isolation isolation = Isolation::kReadCommitted);

// The same for a body that answers absl::StatusOr<T>.
template <class T, class Body>
absl::StatusOr<T> InTransaction(Session& session, std::string_view name, Body&& body,
                                Isolation isolation = Isolation::kReadCommitted) {
  std::optional<T> value;
  absl::Status status = RunTransaction(
      session, name,
      [&](pqxx::transaction_base& tx) {
        absl::StatusOr<T> answer = body(tx);
        if (answer.ok()) value = *std::move(answer);
        return answer.status();
      },
      isolation);
  if (!status.ok()) return status;
  return *std::move(value);
}

}  // namespace sluice::storage
