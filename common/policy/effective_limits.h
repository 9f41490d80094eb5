// What limits the sending of one source to one provider (or, for `other`, to one site), and who said so: each value remembers the
// rule or constraint that gave it, so that it can be explained. Filled by policy/shaping.h, tightened by policy/constraints.h.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "mail/policy_document.h"
#include "mail/rate.h"

namespace sluice {

template <class T>
struct Limit {
  std::optional<T> value = {};
  // `default`, `catalogue`, `shaping[3]`, `constraint 17 (aimd)`; empty with an absent value.
  std::string rule = {};
  friend bool operator==(const Limit&, const Limit&) = default;
};

// Absent = no limit of that kind.
struct EffectiveLimits {
  // At once: of (source, provider); of the source to everybody.
  Limit<int> connections = {}, source_connections = {};
  // To one address of theirs.
  Limit<int> connections_per_address = {};
  // 0 = as many as the peer takes.
  Limit<int> messages_per_connection = {};
  Limit<int> recipients_per_transaction = {};
  // Messages, new connections and bytes of content.
  Limit<Rate> rate = {}, connection_rate = {}, bytes_rate = {};
  // Share of what would be sent otherwise, 0..1.
  Limit<double> share = {};
  Limit<TlsMode> tls = {};
  Limit<Ipv6Mode> ipv6 = {};
  Limit<Duration> idle_timeout = {};
  Limit<std::string> retry_schedule = {};
  friend bool operator==(const EffectiveLimits&, const EffectiveLimits&) = default;
};

struct LimitText {
  std::string name, value, rule;
};
// Those that are set, as the policy writes them, in the order above.
std::vector<LimitText> Describe(const EffectiveLimits& limits);

}  // namespace sluice
