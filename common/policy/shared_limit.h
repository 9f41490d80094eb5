// Limits that hold for several sources together: those of shaping rules that name a tenant, stream, campaign, recipient or sender domain,
// or a pool and no source of it. Each such number is a limit of its own over all that the rule matches; all that match hold at once.
// Messages and bytes are counted by the schedulers that let them go, connections by the egresses that open them; how several share one:
// policy/rate_share.h. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mail/policy_document.h"
#include "policy/constraints.h"
#include "policy/rate_share.h"

namespace sluice {

// Connections of an egress that is cut off go on so long, at most: it ends them after half of it.
inline constexpr Duration kConnectionsLinger = std::chrono::seconds(60);

struct SharedLimit {
  enum class Unit : uint8_t { kMessages, kBytes, kNewConnections, kConnections };
  Scope scope = {};
  // Of kConnections, the count is how many there are at once.
  Rate rate = {};
  std::string rule = {};  // `shaping[3]`
  Unit unit = Unit::kMessages;
  friend bool operator==(const SharedLimit&, const SharedLimit&) = default;
};
// As a policy writes it: `rate`, `connections` …
std::string_view KeyOf(SharedLimit::Unit unit);
// What is counted together whatever becomes of the rule's place and count: `tenant=shop provider=google per 1s`.
std::string KeyOf(const SharedLimit& shared);
// How it is shared.
ShareTerms TermsOf(const SharedLimit& shared);
// By the egresses, not by the schedulers.
constexpr bool IsOfConnections(SharedLimit::Unit unit) {
  return unit == SharedLimit::Unit::kNewConnections || unit == SharedLimit::Unit::kConnections;
}

// Names whose mail it is, which no connection knows.
bool IsOfMail(const Match& match);
// Its numbers hold for several sources together, and for none of them alone.
bool IsShared(const Match& match);
// Of several rules with the same match the last one that gives a number counts.
std::vector<SharedLimit> SharedLimitsOf(const std::vector<ShapingRule>& rules);

// Which of them cover a piece of mail: a probe for each combination of fields in use, however many there are. Immutable, thread-safe.
class SharedLimitTable {
 public:
  SharedLimitTable() = default;
  explicit SharedLimitTable(const std::vector<SharedLimit>& all);

  using Numbers = std::vector<uint32_t>;
  bool empty() const { return flow_.empty() && entry_.empty(); }
  // Some name a campaign, recipient or sender domain; some a pool.
  bool sees_entries() const { return !entry_.empty(); }
  bool sees_pools() const { return sees_pools_; }
  // Appends the places, in `all`, of those that tenant, stream, pool, provider and site decide; or that need the rest as well.
  void FindFlow(const SendingFacts& facts, Numbers& out) const { Find(flow_, facts, out); }
  void FindEntry(const SendingFacts& facts, Numbers& out) const { Find(entry_, facts, out); }

 private:
  struct Group {
    uint16_t fields = 0;
    std::unordered_map<std::string, Numbers> places;
  };
  static void Find(const std::vector<Group>& groups, const SendingFacts& facts, Numbers& out);

  std::vector<Group> flow_, entry_;
  bool sees_pools_ = false;
};

}  // namespace sluice
