// Which limits hold for one source at one provider or site. Layers: built-in defaults < shipped catalogue < operator's rules; among
// those a rule for a source goes above one for a pool, and that above one for all; within each, a site above its provider above all.
// For each field the topmost rule that sets it counts, a later one above an earlier one of the same kind. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/text.h"
#include "mail/policy_document.h"
#include "policy/constraints.h"
#include "policy/effective_limits.h"
#include "policy/shared_limit.h"

namespace sluice {

// An operator's rule and its place in the document, which is its name. Those of tenants, streams, campaigns and sender domains are not
// among them: policy/shared_limit.h.
struct PlacedRule {
  int index = 0;
  ShapingRule rule = {};
  friend bool operator==(const PlacedRule&, const PlacedRule&) = default;
};
std::vector<PlacedRule> PlacedRules(const PolicyDocument& policy);

struct ShapingFacts {
  std::string_view source = {}, provider = {}, site = {};
  // The recipient's: a rule for it sets only what belongs to a transaction (TLS, IPv6, retries).
  std::string_view domain = {};
  // All pools of the source.
  std::span<const std::string> pools = {};
};

// Immutable, thread-safe. A lookup costs a probe for each combination of fields in use, however many rules there are.
class ShapingTable {
 public:
  ShapingTable() : ShapingTable(std::vector<PlacedRule>()) {}
  explicit ShapingTable(std::vector<PlacedRule> rules);

  EffectiveLimits Resolve(const ShapingFacts& facts) const;
  // Some rule names a retry schedule.
  bool has_retry_schedules() const { return has_retry_schedules_; }

 private:
  // Rules that test exactly these fields, by the values they test.
  struct Group {
    uint8_t fields = 0;
    std::unordered_map<std::string, std::vector<size_t>> rules;
  };
  void Find(const Group& group, const ShapingFacts& facts, std::string_view pool, std::vector<size_t>& found) const;

  std::vector<PlacedRule> rules_;  // The topmost last.
  std::vector<Group> groups_;
  bool has_retry_schedules_ = false;
};

// Whether limits at `provider` are counted for each of its sites: always so where nothing is known of it.
bool HasLimitsPerSite(std::string_view provider);

// Limits and what tightens them, for the sources of an egress: constraints that limit, and name no more than source, pool,
// provider and site. Immutable, thread-safe.
class LimitBook {
 public:
  LimitBook() = default;
  LimitBook(std::vector<PlacedRule> rules, std::vector<Constraint> constraints);

  // Those in force at `now`; without those of cause `aimd` for the egress that makes them.
  EffectiveLimits Resolve(const ShapingFacts& facts, Instant now, bool with_aimd = true) const;
  // Limits of connections that hold for several sources together: all, and those that cover connections of this source there.
  const std::vector<SharedLimit>& shared() const { return shared_; }
  std::vector<const SharedLimit*> FindShared(const ShapingFacts& facts) const;
  // What cause `aimd` says of exactly this source, provider and site.
  std::optional<Rate> AimdRate(const ShapingFacts& facts, Instant now) const;

 private:
  ShapingTable table_;
  std::vector<SharedLimit> shared_;
  SharedLimitTable shared_table_;
  std::vector<Constraint> everywhere_;  // Name no source.
  std::unordered_map<std::string, std::vector<Constraint>, StringHash, std::equal_to<>> by_source_;
};
// Whether a book takes it.
bool IsLimit(const Constraint& constraint);

}  // namespace sluice
