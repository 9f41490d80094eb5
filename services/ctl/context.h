// What every verb of sluicectl is given: where to ask, as whom, and where to write.
#pragma once

#include <functional>
#include <iosfwd>
#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "wire/credentials.h"

namespace sluice::ctl {

// What scripts rely on.
inline constexpr int kOk = 0;
inline constexpr int kRefused = 1;
inline constexpr int kUsage = 2;

// The outside of the process, so that tests can stand in for it.
struct Io {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  std::function<const char*(const char*)> env;
};

struct Context {
  Io io;
  std::string admin = "127.0.0.1:7103";
  std::string ingest = "127.0.0.1:8025";
  std::string key = {};
  // Plain text is chosen by itself for a local address without `cert` and `ca`.
  wire::CredentialsConfig tls = {};
  Duration timeout = std::chrono::seconds(30);
  bool json = false;

  wire::CredentialsConfig CredentialsFor(const std::string& address) const;
};

// Says what went wrong on `err`, one field a line; answers kRefused.
int Refuse(const Context& context, const absl::Status& status);
// `given`, or who sits here: user@host.
std::string Author(const Context& context, const std::string& given);
int RefuseUsage(const Context& context, std::string_view what);

// The whole file, or standard input for "-".
absl::StatusOr<std::string> ReadInput(const Context& context, const std::string& path,
                                      size_t most_bytes);

}  // namespace sluice::ctl
