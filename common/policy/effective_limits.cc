#include "policy/effective_limits.h"

#include "base/text.h"

namespace sluice {
namespace {

std::string TextOf(int value) { return Cat(value); }
std::string TextOf(double value) { return Cat(value); }
std::string TextOf(const Rate& value) { return ToString(value); }
std::string TextOf(TlsMode value) { return std::string(ToString(value)); }
std::string TextOf(Ipv6Mode value) { return std::string(ToString(value)); }
std::string TextOf(Duration value) { return ToString(value); }
std::string TextOf(const std::string& value) { return value; }

}  // namespace

std::vector<LimitText> Describe(const EffectiveLimits& limits) {
  std::vector<LimitText> out;
  const auto add = [&](std::string_view name, const auto& limit) {
    if (limit.value) out.push_back({std::string(name), TextOf(*limit.value), limit.rule});
  };
  add("connections", limits.connections);
  add("source_connections", limits.source_connections);
  add("connections_per_address", limits.connections_per_address);
  add("messages_per_connection", limits.messages_per_connection);
  add("recipients_per_transaction", limits.recipients_per_transaction);
  add("rate", limits.rate);
  add("connection_rate", limits.connection_rate);
  add("bytes_rate", limits.bytes_rate);
  add("share", limits.share);
  add("tls", limits.tls);
  add("ipv6", limits.ipv6);
  add("idle_timeout", limits.idle_timeout);
  add("retry_schedule", limits.retry_schedule);
  return out;
}

}  // namespace sluice
