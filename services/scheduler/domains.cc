#include "scheduler/domains.h"

#include <algorithm>

#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr auto kLeastFresh = std::chrono::seconds(5);
constexpr auto kMostFresh = std::chrono::hours(24);
constexpr auto kFailureFresh = std::chrono::seconds(15);
constexpr size_t kLongestSiteName = 200;

// FNV-1a: only has to tell long host sets apart, the same in every process.
uint64_t StableHash(std::string_view text) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

}  // namespace

std::string SiteNameOf(std::string_view domain, const MxAnswer& answer) {
  if (answer.kind == MxKind::kImplicit) return std::string(domain);
  std::string name;
  for (const MxHost& host : answer.hosts) {
    if (!name.empty()) name += '|';
    name += host.name;
  }
  if (name.size() <= kLongestSiteName) return name;
  const uint64_t hash = StableHash(name);
  name.resize(kLongestSiteName - 24);
  return Cat(name, "|#", hash);
}

uint32_t Domains::Number(std::string_view domain) {
  const uint32_t number = names_.Number(domain);
  if (number == domains_.size()) domains_.emplace_back();
  return number;
}

uint32_t Domains::SiteOf(std::string_view domain, const MxAnswer& answer,
                         const std::vector<MxHost>& ordered) {
  std::string name = SiteNameOf(domain, answer);
  std::vector<std::string> hosts;
  for (const MxHost& host : ordered) hosts.push_back(host.name);
  const auto [it, fresh] = site_numbers_.try_emplace(name, static_cast<uint32_t>(sites_.size()));
  if (fresh) {
    Site site{.name = std::move(name), .provider = catalogue_.ProviderOf(answer.hosts), .hosts = {}};
    site.provider_number = providers_.Number(site.provider);
    sites_.push_back(std::move(site));
  }
  sites_[it->second].hosts = std::move(hosts);
  return it->second;
}

void Domains::Answer(uint32_t number, const MxAnswer& answer, const std::vector<MxHost>& ordered,
                     Instant now) {
  Domain& domain = domains_[number];
  domain.resolving = false;
  if (answer.status == DnsStatus::kTempFail) {
    domain.failure = answer.detail.empty() ? "lookup failed" : answer.detail;
    domain.fresh_until = now + kFailureFresh;
    return;
  }
  const Duration ttl = std::clamp<Duration>(answer.ttl, kLeastFresh, kMostFresh);
  domain.fresh_until = now + ttl;
  domain.failure.clear();
  if (answer.status == DnsStatus::kNxDomain) {
    domain.state = DomainState::kNotFound;
  } else if (answer.kind == MxKind::kNull) {
    domain.state = DomainState::kNullMx;
  } else if (answer.kind == MxKind::kUnusable || answer.hosts.empty()) {
    domain.state = DomainState::kUnusable;
  } else {
    domain.site = SiteOf(names_.Name(number), answer, ordered);
    domain.state = DomainState::kSite;
  }
}

}  // namespace sluice::scheduler
