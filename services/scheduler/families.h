// Which sources cannot take mail somewhere because of their address family: IPv6 ones where a rule says `ipv6: never`, and those of
// a family of which a site turned out to have no address.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "mail/policy_document.h"
#include "policy/shaping.h"

namespace sluice::scheduler {

// Not thread-safe.
class Families {
 public:
  static constexpr Duration kLearntFor = std::chrono::hours(1);
  static constexpr size_t kMostLearnt = 10'000;

  void SetPolicy(const PolicyDocument& policy);
  bool has_ipv6() const { return !ipv6_sources_.empty(); }
  // A rule may tell domains of one site apart.
  bool sees_domains() const { return sees_domains_; }
  bool IsIpv6(const std::string& source) const { return ipv6_sources_.contains(source); }
  // `source` is one by IPv6, and a rule keeps it from these.
  bool IsForbidden(const std::string& source, std::string_view provider, std::string_view site, std::string_view domain) const;

  // An attempt by `source` found no address of its family at `site`.
  void FoundNone(uint32_t site, const std::string& source, Instant now);
  // The number will name another.
  void ForgetSite(uint32_t site);
  // `site` is known to have no address of `source`'s family.
  bool Lacks(uint32_t site, const std::string& source, Instant now) const;

 private:
  ShapingTable rules_;
  bool sees_domains_ = false;
  absl::flat_hash_map<std::string, std::vector<std::string>> ipv6_sources_;  // Their pools.
  absl::flat_hash_map<std::pair<uint32_t, bool>, Instant> learnt_;           // Until when, by site and whether it lacks IPv6.
};

}  // namespace sluice::scheduler
