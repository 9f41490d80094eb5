// The sources that control assigned to this egress, and which of them this host can really bind. A
// test bind proves it (an interface list lies on 127/8). A source that cannot be bound is not used,
// reported, and tried again; there is never another address in its place. Belongs to one thread;
// the bind itself is injected.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "mail/ids.h"
#include "mail/proxy_address.h"
#include "mail/tls_mode.h"

namespace sluice::egress {

struct AssignedSource {
  SourceName name;
  std::string bind_address;  // as text
  std::string ehlo;
  int64_t epoch = 0;
  std::optional<ProxyAddress> proxy;  // what binds the address instead of us
  std::vector<std::string> pools;  // it is a member of
  friend bool operator==(const AssignedSource&, const AssignedSource&) = default;
};

// What is told to control about one source.
struct BindResult {
  SourceName source;
  int64_t epoch = 0;
  absl::Status status;
};

class Addresses {
 public:
  static constexpr Duration kRetryInterval = std::chrono::seconds(5);
  using TestBind = std::function<absl::Status(const std::string& address)>;

  // `allowed`: addresses that may be bound at all; empty = any that the test bind proves.
  Addresses(std::vector<std::string> allowed, TestBind test_bind)
      : allowed_(std::move(allowed)), test_bind_(std::move(test_bind)) {}

  // Replaces the list. A source that is known under a newer epoch keeps what is known. Every source
  // of the list is tested; the results are for whoever assigned.
  std::vector<BindResult> Assign(std::vector<AssignedSource> sources, SteadyInstant now);
  // A connection could not be bound. The result is to be reported; none when it was known already.
  std::vector<BindResult> Lost(const SourceName& source, const absl::Status& error,
                               SteadyInstant now);
  // Tests what was not bound, when its time has come; what can be bound again is reported.
  std::vector<BindResult> Retry(SteadyInstant now);

  // The sources that can be used now.
  std::vector<AssignedSource> Usable() const;
  size_t size() const { return states_.size(); }

 private:
  struct State {
    AssignedSource source;
    absl::Status bound;
    SteadyInstant tested_at{};
  };
  // A proxy's binding shows with each connection.
  absl::Status Test(const AssignedSource& source) const;

  const std::vector<std::string> allowed_;
  const TestBind test_bind_;
  std::vector<State> states_;
};

// Binds a TCP socket to `address`, port 0, and closes it. The real TestBind.
[[nodiscard]] absl::Status TestBindTcp(const std::string& address);

}  // namespace sluice::egress
