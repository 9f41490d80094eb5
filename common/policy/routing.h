// Which pool a queue entry belongs to: the routes of a policy, first match wins. Pure and
// immutable: a new policy is a new table. Lookup does not walk the rules: rules that test the same
// fields share one hash table, so thousands of routes cost as many probes as there are combinations
// of fields in use (a handful).
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mail/policy_document.h"

namespace sluice {

// What is stored of an entry. Domains in lower case; `tags` are `name=value` lines.
struct RoutingFacts {
  std::string_view tenant = {}, stream = {}, campaign = {};
  std::string_view provider = {}, site = {}, domain = {}, sender_domain = {};
  std::string_view tags = {};
};

struct RouteChoice {
  // Index into PolicyDocument::routes; -1 = no route matches, the mail waits.
  int route_index = -1;
  // Index into PolicyDocument::pools; -1 with it.
  int pool_index = -1;
  friend bool operator==(const RouteChoice&, const RouteChoice&) = default;
};

// All fields that the match gives are equal to the facts (tag names without regard to case); fields
// known only later (source, pool, reply) are passed over. The meaning of a route, and what the
// table is tested against.
bool Matches(const Match& match, const RoutingFacts& facts);

// Thread-safe (immutable).
class RoutingTable {
 public:
  // Copies what it needs. A route whose pool is unknown is left out (CheckPolicy refuses such a
  // policy).
  explicit RoutingTable(const PolicyDocument& policy);
  RouteChoice Route(const RoutingFacts& facts) const;

 private:
  static constexpr size_t kFields = 7;
  struct Rule {
    Match match;
    int route_index;
    int pool_index;
  };
  // The rules that test exactly these fields.
  struct Group {
    uint8_t fields = 0;  // Bit i = field i is tested.
    int first_rule = 0;
    std::unordered_map<uint64_t, std::vector<int>> rules;  // Rising.
  };

  std::vector<Rule> rules_;
  std::vector<Group> groups_;  // By first_rule.
};

}  // namespace sluice
