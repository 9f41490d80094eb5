#include "storage/in_transaction.h"

#include <pqxx/nontransaction>

#include "base/text.h"
#include "storage/errors.h"

namespace sluice::storage {
namespace {

constexpr int kTries = 3;

using Body = std::function<absl::Status(pqxx::transaction_base&)>;

// `committing` says where an exception came from.
template <class Transaction>
absl::Status RunIn(Session& session, const Body& body, bool& committing) {
  Transaction tx(session.connection());
  const absl::Status status = body(tx);
  if (!status.ok()) {
    tx.abort();
    return status;
  }
  committing = true;
  tx.commit();
  return status;
}

absl::Status RunAs(Session& session, const Body& body, Isolation isolation, bool& committing) {
  switch (isolation) {
    case Isolation::kReadCommitted:
      return RunIn<pqxx::work>(session, body, committing);
    case Isolation::kRepeatableReadOnly:
      return RunIn<pqxx::transaction<pqxx::repeatable_read, pqxx::read_only>>(session, body,
                                                                              committing);
    case Isolation::kOneStatement:
      committing = true;
      return RunIn<pqxx::nontransaction>(session, body, committing);
  }
  return absl::InternalError("no such isolation");
}

absl::Status RunOnce(Session& session, std::string_view name, const Body& body,
                     Isolation isolation) {
  bool committing = false;
  std::string sqlstate;
  try {
    const absl::Status status = RunAs(session, body, isolation, committing);
    session.set_last_sqlstate("");
    return status;
  } catch (...) {
    absl::Status status = StatusOfCurrentException(name, &sqlstate);
    session.set_last_sqlstate(sqlstate);
    if (status.code() == absl::StatusCode::kUnknown) return status;
    // A server that shuts down may have made the commit durable before it says so.
    const bool broken = !session.is_open() || sqlstate.starts_with("57P0");
    if (!broken) return status;
    return absl::Status(committing ? absl::StatusCode::kUnknown : absl::StatusCode::kUnavailable,
                        status.message());
  }
}

}  // namespace

absl::Status RunTransaction(Session& session, std::string_view name, const Body& body,
                            Isolation isolation) {
  for (int tries = 1;; ++tries) {
    absl::Status status = RunOnce(session, name, body, isolation);
    const bool lost = absl::IsAborted(status) && session.last_sqlstate().starts_with("40");
    if (!lost || tries == kTries) return status;
  }
}

}  // namespace sluice::storage
