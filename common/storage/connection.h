// How to reach PostgreSQL, and the errors that come back: the only vocabulary that users of the
// storage layer need.
#pragma once

#include <string>

#include "base/clock.h"

namespace sluice::storage {

struct ConnectionOptions {
  // libpq connection string or URI; several hosts allowed (target_session_attrs=read-write is
  // added).
  std::string url{};
  // Shown in pg_stat_activity.
  std::string application_name = "sluice";
  // Bounds every statement but COMMIT.
  Duration statement_timeout = std::chrono::seconds(30);
  Duration connect_timeout = std::chrono::seconds(5);
};

}  // namespace sluice::storage
