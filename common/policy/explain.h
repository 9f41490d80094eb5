// Why a piece of mail goes where it goes, or waits: the same rules that route, pick and limit it, told step by step. Pure: who asks
// gathers the state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "mail/policy_document.h"
#include "policy/constraints.h"
#include "policy/effective_limits.h"
#include "policy/routing.h"

namespace sluice {

// What the fleet says of a source now.
struct SourceNow {
  std::string source = {};
  // Who holds it; empty = nobody.
  std::string egress = {};
  // It is bound and its egress is heard.
  bool can_send = false;
  // Why not, for people.
  std::string detail = {};
  // It warms up and has no allowance at the provider now: what is known of it.
  std::string lacks_allowance = {};
};

struct ExplainedRoute {
  int index = 0;
  // As written, `stream=marketing provider=google`; empty = everything.
  std::string match = {};
  std::string pool = {};
  bool matched = false;
  // The first field that is different.
  std::string reason = {};
};

struct ExplainedMember {
  std::string pool = {}, source = {}, egress = {};
  int weight = 0;
  bool reserve = false;
  bool eligible = false;
  std::string reason = {};
  std::vector<LimitText> limits = {};
};

struct Explanation {
  // At most kMostRoutes that did not match, and the one that did last.
  std::vector<ExplainedRoute> routes = {};
  // -1 = none.
  int route_index = -1;
  std::string pool = {};
  // Of the pool, then of its overflow.
  std::vector<ExplainedMember> members = {};
  // That cover it by any of these sources.
  std::vector<Constraint> constraints = {};
  // Why it cannot leave now; empty = it can.
  std::string waits_for = {};
};
inline constexpr size_t kMostRoutes = 100;

struct ExplainFacts {
  // `site` and `provider` as resolved.
  RoutingFacts routing = {};
  Instant now{};
  // DNS says that no MX host has an address of that family.
  bool lacks_ipv4 = false, lacks_ipv6 = false;
};

Explanation Explain(const PolicyDocument& policy, const std::vector<Constraint>& constraints,
                    const std::vector<SourceNow>& sources, const ExplainFacts& facts);

}  // namespace sluice
