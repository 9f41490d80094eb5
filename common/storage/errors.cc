#include "storage/errors.h"

#include <new>
#include <pqxx/except>

#include "base/text.h"

namespace sluice::storage {
namespace {

std::string FirstLine(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  for (std::string_view prefix : {"ERROR:  ", "FATAL:  ", "PANIC:  "}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  }
  return std::string(text);
}

absl::Status Make(absl::StatusCode code, std::string_view what, std::string_view reason) {
  const std::string message = Cat(what, ": ", FirstLine(reason));
  return absl::Status(code, AbslView(message));
}

absl::StatusCode CodeOfClass(std::string_view sqlstate) {
  const std::string_view group = sqlstate.substr(0, 2);
  if (group == "08") return absl::StatusCode::kUnavailable;
  if (group == "22" || group == "23" || group == "54") return absl::StatusCode::kInvalidArgument;
  if (group == "40") return absl::StatusCode::kAborted;
  if (group == "53") return absl::StatusCode::kResourceExhausted;
  if (group == "57") return absl::StatusCode::kUnavailable;
  // A name or a column is missing, a right is missing, a login is refused: the schema or the set-up
  // is not ours.
  if (group == "42" || group == "3D" || group == "3F" || group == "28" || group == "0A") {
    return absl::StatusCode::kFailedPrecondition;
  }
  return absl::StatusCode::kInternal;
}

}  // namespace

absl::StatusCode CodeOf(std::string_view sqlstate) {
  if (sqlstate == "23505") return absl::StatusCode::kAlreadyExists;
  // Read-only: a standby, or a primary that was demoted. Lock timeout: the lock's holder will be
  // gone later.
  if (sqlstate == "25006" || sqlstate == "55P03") return absl::StatusCode::kUnavailable;
  if (sqlstate == "25P03") return absl::StatusCode::kUnavailable;
  if (sqlstate == "XX001" || sqlstate == "XX002") return absl::StatusCode::kDataLoss;
  return CodeOfClass(sqlstate);
}

absl::Status StatusOfCurrentException(std::string_view what, std::string* sqlstate) {
  std::string ignored;
  std::string& state = sqlstate == nullptr ? ignored : *sqlstate;
  state.clear();
  try {
    throw;
  } catch (const pqxx::in_doubt_error& e) {
    return Make(absl::StatusCode::kUnknown, what, e.what());
  } catch (const pqxx::too_many_connections& e) {
    return Make(absl::StatusCode::kResourceExhausted, what, e.what());
  } catch (const pqxx::broken_connection& e) {
    return Make(absl::StatusCode::kUnavailable, what, e.what());
  } catch (const pqxx::serialization_failure& e) {
    state = "40001";
    return Make(absl::StatusCode::kAborted, what, e.what());
  } catch (const pqxx::deadlock_detected& e) {
    state = "40P01";
    return Make(absl::StatusCode::kAborted, what, e.what());
  } catch (const pqxx::transaction_rollback& e) {
    state = "40000";
    return Make(absl::StatusCode::kAborted, what, e.what());
  } catch (const pqxx::sql_error& e) {
    state = e.sqlstate();
    return Make(CodeOf(state), what, e.what());
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    return Make(absl::StatusCode::kInternal, what, e.what());
  }
}

bool IsMissingPartition(const absl::Status& status) {
  return View(status.message()).find("no partition of relation") != std::string_view::npos;
}

absl::Status CatchErrors(std::string_view what, std::string* sqlstate,
                         const std::function<absl::Status()>& body) {
  try {
    return body();
  } catch (...) {
    return StatusOfCurrentException(what, sqlstate);
  }
}

}  // namespace sluice::storage
