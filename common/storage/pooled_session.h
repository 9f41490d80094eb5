// A transaction on a connection of the pool. Internal: shows pqxx.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "storage/connection_pool.h"
#include "storage/in_transaction.h"

namespace sluice::storage {

// Goes back to its pool when it ends.
class PooledSession {
 public:
  static absl::StatusOr<PooledSession> Take(ConnectionPool& pool);
  PooledSession(PooledSession&&) = default;
  ~PooledSession();
  Session& operator*() { return *session_; }
  Session* operator->() { return session_.get(); }

 private:
  PooledSession(ConnectionPool& pool, std::unique_ptr<Session> session)
      : pool_(&pool), session_(std::move(session)) {}

  ConnectionPool* pool_;
  std::unique_ptr<Session> session_;
};

// As on a session; a connection that was found broken before anything was written is replaced once.
absl::Status RunTransaction(ConnectionPool& pool, std::string_view name,
                            const std::function<absl::Status(pqxx::transaction_base&)>& body);

template <class T, class Body>
absl::StatusOr<T> InTransaction(ConnectionPool& pool, std::string_view name, Body&& body) {
  std::optional<T> value;
  absl::Status status = RunTransaction(pool, name, [&](pqxx::transaction_base& tx) {
    absl::StatusOr<T> answer = body(tx);
    if (answer.ok()) value = *std::move(answer);
    return answer.status();
  });
  if (!status.ok()) return status;
  return *std::move(value);
}

}  // namespace sluice::storage
