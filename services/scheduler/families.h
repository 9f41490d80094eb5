// Which sources cannot take mail somewhere because of their address family: IPv6 ones where a rule says `ipv6: never`, and where a
// site turned out to have no IPv6 address.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
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

  // An attempt by IPv6 found no address of `site`.
  void FoundNone(uint32_t site, Instant now);
  bool LacksIpv6(uint32_t site, Instant now) const;

 private:
  ShapingTable rules_;
  bool sees_domains_ = false;
  absl::flat_hash_map<std::string, std::vector<std::string>> ipv6_sources_;  // Their pools.
  absl::flat_hash_map<uint32_t, Instant> learnt_;                            // Until when, by site.
};

}  // namespace sluice::scheduler
