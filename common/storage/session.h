// One connection to PostgreSQL with Sluice's settings. Internal to this library, like everything
// that shows pqxx. A session that broke stays broken: it is never reconnected behind its user's
// back, because session locks and settings would be lost with it.
#pragma once

#include <memory>
#include <pqxx/connection>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "storage/connection.h"

namespace sluice::storage {

// What the planner of a session may do.
enum class Planning {
  kDefault,
  // Hot sessions: prepared once, large tables always by key, whatever the statistics say.
  kByKey,
  // The same, and rows already fetched may be joined with each other by hash.
  kByKeyHashed,
};

// Not thread-safe.
class Session {
 public:
  // Unavailable when nobody answers, FailedPrecondition when the server can't be used (version,
  // encoding).
  static absl::StatusOr<std::unique_ptr<Session>> Open(const ConnectionOptions& options,
                                                       Planning planning = Planning::kDefault);

  pqxx::connection& connection() { return connection_; }
  bool is_open() const { return connection_.is_open(); }
  // Between two calls: the server has said something that nobody asked for, mostly that it goes away.
  bool HasUnaskedInput() const;
  // SQLSTATE of the last error, empty when the last transaction went well or the connection broke.
  const std::string& last_sqlstate() const { return last_sqlstate_; }
  void set_last_sqlstate(std::string_view state) { last_sqlstate_ = state; }
  // For sessions that store batches: their backend keeps the memory of one statement for the next. glibc's allocator gives memory
  // back to the system once more than a little is free, which after a batch it always is, and takes it again page by page: a
  // fifth of what storing a batch costs. Freeing one large block raises that bound to twice its size for the life of the
  // backend. With another allocator nothing changes.
  absl::Status KeepMemory();
  // Plans the statement now, so that a schema that does not fit shows at start-up.
  absl::Status Prepare(const char* name, std::string_view sql);

 private:
  explicit Session(const std::string& url);

  pqxx::connection connection_;
  std::string last_sqlstate_;
};

}  // namespace sluice::storage
