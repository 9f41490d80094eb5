#include "storage/session.h"

#include <libpq-fe.h>
#include <poll.h>

#include <map>
#include <pqxx/nontransaction>

#include "base/status.h"
#include "base/text.h"
#include "storage/errors.h"

namespace sluice::storage {
namespace {

// PostgreSQL answers these when asked for its version as a number.
constexpr int kOldestServer = 150000;

std::string QuotedValue(std::string_view value) {
  std::string out = "'";
  for (char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string SessionSettings(const ConnectionOptions& options, Planning planning) {
  const auto timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(options.statement_timeout).count();
  std::string out = Cat("-c statement_timeout=", timeout, " -c lock_timeout=0",
                        " -c idle_in_transaction_session_timeout=60000",
                        " -c synchronous_commit=on -c client_min_messages=warning",
                        " -c TimeZone=UTC -c DateStyle=ISO -c bytea_output=hex -c jit=off");
  if (planning != Planning::kDefault) {
    Append(out, " -c plan_cache_mode=force_generic_plan -c enable_seqscan=off",
           " -c enable_mergejoin=off -c enable_bitmapscan=off -c work_mem=64MB",
           " -c enable_hashjoin=", planning == Planning::kByKeyHashed ? "on" : "off");
  }
  return out;
}

// The user's parameters win, except that our settings are appended to theirs.
absl::StatusOr<std::string> CompleteUrl(const ConnectionOptions& options, Planning planning) {
  char* error = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(options.url.c_str(), &error);
  if (parsed == nullptr) {
    const std::string reason = error == nullptr ? "out of memory" : error;
    PQfreemem(error);
    return absl::InvalidArgumentError(Cat("database url: ", reason));
  }
  std::map<std::string, std::string> values = {
      {"application_name", options.application_name},
      {"client_encoding", "UTF8"},
      {"connect_timeout",
       Cat(std::chrono::ceil<std::chrono::seconds>(options.connect_timeout).count())},
      {"keepalives_idle", "10"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "20000"},
      {"target_session_attrs", "read-write"},
  };
  for (const PQconninfoOption* o = parsed; o->keyword != nullptr; ++o) {
    if (o->val != nullptr) values[o->keyword] = o->val;
  }
  PQconninfoFree(parsed);
  std::string& settings = values["options"];
  settings = Cat(settings, settings.empty() ? "" : " ", SessionSettings(options, planning));

  std::string out;
  for (const auto& [key, value] : values) Append(out, key, "=", QuotedValue(value), " ");
  return out;
}

absl::Status CheckServer(Session& session) {
  if (session.connection().server_version() < kOldestServer) {
    return absl::FailedPreconditionError(
        Cat("PostgreSQL 15 or newer is needed, this is ", session.connection().server_version()));
  }
  pqxx::nontransaction tx(session.connection());
  const pqxx::row row =
      tx.exec1("select current_setting('synchronous_commit'), current_setting('server_encoding')");
  if (std::string_view(row[0].c_str()) != "on") {
    return absl::FailedPreconditionError(Cat("synchronous_commit is ", row[0].c_str(), ", not on"));
  }
  if (std::string_view(row[1].c_str()) != "UTF8") {
    return absl::FailedPreconditionError(
        Cat("the database's encoding is ", row[1].c_str(), ", not UTF8"));
  }
  return absl::OkStatus();
}

}  // namespace

Session::Session(const std::string& url) : connection_(url) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  connection_.inhibit_reactivation(true);
#pragma GCC diagnostic pop
}

absl::StatusOr<std::unique_ptr<Session>> Session::Open(const ConnectionOptions& options,
                                                       Planning planning) {
  ASSIGN_OR_RETURN(const std::string url, CompleteUrl(options, planning));
  std::unique_ptr<Session> session;
  RETURN_IF_ERROR(CatchErrors("connect", nullptr, [&] {
    session.reset(new Session(url));
    return CheckServer(*session);
  }));
  return session;
}

absl::Status Session::KeepMemory() {
  return CatchErrors("keep memory", nullptr, [&] {
    // lpad reserves four bytes a character.
    pqxx::nontransaction(connection_).exec1("select octet_length(lpad('x', 1048576))");
    return absl::OkStatus();
  });
}

bool Session::HasUnaskedInput() const {
  pollfd socket{.fd = connection_.sock(), .events = POLLIN, .revents = 0};
  return ::poll(&socket, 1, 0) != 0;
}

absl::Status Session::Prepare(const char* name, std::string_view sql) {
  return CatchErrors(name, nullptr, [&] {
    connection_.prepare(name, std::string(sql));
    connection_.prepare_now(name);
    return absl::OkStatus();
  });
}

}  // namespace sluice::storage
