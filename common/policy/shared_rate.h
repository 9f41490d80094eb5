// Rates that hold for several sources together: those of shaping rules that name a tenant, stream, campaign, recipient or sender domain,
// or a pool and no source of it. Each such rule is a limit of its own over all mail that it matches; all that match hold at once. How
// the schedulers share one: policy/rate_share.h. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "mail/policy_document.h"
#include "policy/constraints.h"

namespace sluice {

struct SharedRate {
  Scope scope = {};
  Rate rate = {};
  std::string rule = {};  // `shaping[3]`
  friend bool operator==(const SharedRate&, const SharedRate&) = default;
};
// What is counted together whatever becomes of the rule's place and count: `tenant=shop provider=google per 1s`.
std::string KeyOf(const SharedRate& shared);

// Its `rate` holds for several sources together, and for none of them alone.
bool IsShared(const Match& match);
// Of several rules with the same match the last one that gives a rate counts.
std::vector<SharedRate> SharedRatesOf(const PolicyDocument& policy);

// Which of them cover a piece of mail: a probe for each combination of fields in use, however many there are. Immutable, thread-safe.
class SharedRateTable {
 public:
  SharedRateTable() = default;
  explicit SharedRateTable(const std::vector<SharedRate>& all);

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
    std::unordered_map<std::string, uint32_t> places;
  };
  static void Find(const std::vector<Group>& groups, const SendingFacts& facts, Numbers& out);

  std::vector<Group> flow_, entry_;
  bool sees_pools_ = false;
};

}  // namespace sluice
