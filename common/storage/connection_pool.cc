#include "storage/connection_pool.h"

#include "base/status.h"
#include "storage/pooled_session.h"

namespace sluice::storage {

ConnectionPool::ConnectionPool(ConnectionOptions options, int size)
    : options_(std::move(options)), free_(size) {}
ConnectionPool::~ConnectionPool() = default;

absl::Status ConnectionPool::Ping() {
  return RunTransaction(*this, "ping", [](pqxx::transaction_base& tx) {
    tx.exec1("select 1");
    return absl::OkStatus();
  });
}

absl::StatusOr<std::unique_ptr<Session>> ConnectionPool::Take() {
  {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, options_.connect_timeout, [&] { return free_ > 0; })) {
      return absl::ResourceExhaustedError("all connections to the database are busy");
    }
    --free_;
    if (!idle_.empty()) {
      std::unique_ptr<Session> session = std::move(idle_.back());
      idle_.pop_back();
      return session;
    }
  }
  auto session = Session::Open(options_);
  if (!session.ok()) GiveBack(nullptr);
  return session;
}

void ConnectionPool::GiveBack(std::unique_ptr<Session> session) {
  const std::lock_guard lock(mutex_);
  ++free_;
  if (session != nullptr && session->is_open()) idle_.push_back(std::move(session));
  changed_.notify_one();
}

absl::StatusOr<PooledSession> PooledSession::Take(ConnectionPool& pool) {
  ASSIGN_OR_RETURN(auto session, pool.Take());
  return PooledSession(pool, std::move(session));
}

PooledSession::~PooledSession() {
  if (session_ != nullptr) pool_->GiveBack(std::move(session_));
}

absl::Status RunTransaction(ConnectionPool& pool, std::string_view name,
                            const std::function<absl::Status(pqxx::transaction_base&)>& body) {
  for (int tries = 1;; ++tries) {
    bool begun = false;
    ASSIGN_OR_RETURN(PooledSession session, PooledSession::Take(pool));
    const absl::Status status = RunTransaction(*session, name, [&](pqxx::transaction_base& tx) {
      begun = true;
      return body(tx);
    });
    // An idle connection does not hear that the server restarted before it is used.
    if (!absl::IsUnavailable(status) || begun || tries > 1) return status;
  }
}

}  // namespace sluice::storage
