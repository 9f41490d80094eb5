#include "policy/check.h"

#include <algorithm>
#include <arpa/inet.h>

#include <map>

#include "mail/domain.h"
#include "mail/proxy_address.h"
#include "policy/check_parts.h"
#include "policy/warmup_plan.h"

namespace sluice {
namespace check {
namespace {

constexpr size_t kMostFindings = 1'000;
constexpr int kMostWeight = 1'000;

template <class T>
NameIndex IndexOf(const std::vector<T>& all) {
  NameIndex out;
  for (size_t i = 0; i < all.size(); ++i) out.emplace(all[i].name, static_cast<int>(i));
  return out;
}

// Names of one kind: well formed, each once.
template <class T>
void CheckNames(Findings& findings, const std::vector<T>& all, const NameIndex& index,
                std::string_view list) {
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string path = Cat(list, "[", i, "].name");
    findings.CheckName(all[i].name, path);
    const int first = index.find(all[i].name)->second;
    if (first != static_cast<int>(i)) {
      findings.Error(path, Cat(Quoted(all[i].name), " stands twice, first as ", list, "[", first,
                               "]; give each a name of its own"));
    }
  }
}

bool IsIpAddress(const std::string& text) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

bool IsUnusableAddress(const std::string& text) {
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    const uint32_t address = ntohl(v4.s_addr);
    return address == 0 || address >= 0xE0000000U;  // unspecified, multicast, reserved, broadcast
  }
  in6_addr v6{};
  return inet_pton(AF_INET6, text.c_str(), &v6) == 1 &&
         (IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_MULTICAST(&v6));
}

void CheckAddress(Findings& findings, const std::string& address, const std::string& path) {
  if (!IsIpAddress(address)) {
    findings.Error(path, Cat(Quoted(address),
                             " is not an IPv4 or IPv6 address; write one such as 192.0.2.11"));
  } else if (IsUnusableAddress(address)) {
    findings.Error(path, Cat("'", address, "' is no address that one host can send from"));
  }
}

void CheckEhlo(Findings& findings, const std::string& ehlo, const std::string& path) {
  if (ehlo.empty()) {
    return findings.Error(path,
                          "is required; write the host name that the address resolves to and back");
  }
  const auto normal = NormaliseDomain(ehlo);
  if (!normal.ok() || normal->find('.') == std::string::npos) {
    findings.Error(
        path, Cat(Quoted(ehlo), " is not a full host name; write one such as mta11.example.com"));
  }
}

// What follows a message: return path, token header, Feedback-ID.
void CheckTracking(Findings& findings, const TenantPolicy& tenant, const std::string& path) {
  if (!tenant.verp_domain.empty()) {
    findings.CheckDomain(tenant.verp_domain, path + ".verp_domain");
    if (!MaySendAs(tenant, tenant.verp_domain)) {
      findings.Error(path + ".verp_domain", Cat(Quoted(tenant.verp_domain),
                                                " is none of the tenant's sender_domains; add it "
                                                "there, or take a domain below one of them"));
    }
  }
  const auto is_word = [](std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_' || c == '.';
    });
  };
  const std::string& header = tenant.token_header;
  const bool is_extension = header.starts_with("X-") || header.starts_with("x-");
  if (!header.empty() && (!is_extension || header.size() > 64 || !is_word(header))) {
    findings.Error(path + ".token_header",
                   Cat(Quoted(header), " will not do; write a name such as X-Mail-Reference"));
  }
  const std::string& sender = tenant.feedback_sender;
  if (!sender.empty() && (sender.size() < 5 || sender.size() > 15 || !is_word(sender))) {
    findings.Error(path + ".feedback_sender",
                   Cat(Quoted(sender), " is no SenderId; write 5 to 15 letters, digits, '-', '_' or '.'"));
  }
}

// A member list names each source once, and something in it can send.
void CheckMembers(Findings& findings, const PoolPolicy& pool, const std::string& path) {
  std::set<std::string_view> seen;
  bool sends = false;
  for (size_t i = 0; i < pool.members.size(); ++i) {
    const PoolMember& member = pool.members[i];
    const std::string below = Cat(path, ".members[", i, "]");
    if (member.source.empty()) {
      findings.Error(below + ".source", "is required; name one of sources");
    } else if (!seen.insert(member.source).second) {
      findings.Error(below + ".source",
                     Cat(Quoted(member.source), " is in this pool twice; add up the weights"));
    }
    findings.CheckReference(member.source, findings.sources, "source", below + ".source");
    findings.CheckBounds(member.weight, 0, kMostWeight, below + ".weight");
    sends = sends || (member.weight > 0 && !member.reserve);
  }
  if (pool.members.empty()) {
    findings.Error(path + ".members", "is empty; a pool needs at least one source");
  } else if (!sends) {
    findings.Warn(path + ".members",
                  "no regular member has a weight above 0: this pool sends nothing by itself");
  }
}

}  // namespace

Findings::Findings(const PolicyDocument& document)
    : policy(document),
      catalogue(document.providers),
      tenants(IndexOf(document.tenants)),
      streams(IndexOf(document.streams)),
      sources(IndexOf(document.sources)),
      pools(IndexOf(document.pools)),
      smart_hosts(IndexOf(document.smart_hosts)),
      retry_schedules(IndexOf(document.retry_schedules)),
      warmup_plans(IndexOf(document.warmup_plans)) {}

void Findings::Error(std::string path, std::string description) {
  if (all.size() < kMostFindings) all.push_back({std::move(path), std::move(description), true});
}

void Findings::Warn(std::string path, std::string description) {
  if (all.size() < kMostFindings) all.push_back({std::move(path), std::move(description), false});
}

void Findings::CheckName(std::string_view name, const std::string& path) {
  bool good = !name.empty() && name.size() <= limits::kNameBytes;
  for (const char c : name) {
    good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.');
  }
  if (name.empty()) {
    Error(path, "is required");
  } else if (!good) {
    Error(path, Cat(Quoted(name), " is no name; use 1 to ", limits::kNameBytes,
                    " letters, digits, '-', '_' or '.'"));
  }
}

void Findings::CheckDomain(const std::string& domain, const std::string& path) {
  const auto normal = NormaliseDomain(domain);
  if (!normal.ok()) Error(path, Cat(normal.status().message()));
}

void Findings::CheckReference(std::string_view name, const NameIndex& known, std::string_view kind,
                              const std::string& path) {
  if (name.empty() || known.find(name) != known.end()) return;
  Error(path, Cat("there is no ", kind, " ", Quoted(name), "; define it or correct the name"));
}

void Findings::CheckBounds(const std::optional<int>& value, int least, int most,
                           const std::string& path) {
  if (value && (*value < least || *value > most)) {
    Error(path, Cat(*value, " is out of bounds; write ", least, " to ", most));
  }
}

void CheckTenants(Findings& findings) {
  const PolicyDocument& policy = findings.policy;
  CheckNames(findings, policy.tenants, findings.tenants, "tenants");
  std::map<std::string, std::string> owners;
  for (size_t i = 0; i < policy.tenants.size(); ++i) {
    const TenantPolicy& tenant = policy.tenants[i];
    const std::string path = Cat("tenants[", i, "]");
    if (tenant.streams.empty())
      findings.Error(path + ".streams", "is empty; name the streams it may use");
    for (size_t n = 0; n < tenant.streams.size(); ++n) {
      const std::string below = Cat(path, ".streams[", n, "]");
      if (tenant.streams[n].empty()) findings.Error(below, "is empty; name a stream");
      findings.CheckReference(tenant.streams[n], findings.streams, "stream", below);
    }
    if (tenant.sender_domains.empty()) {
      findings.Warn(path + ".sender_domains", "is empty: this tenant can submit nothing");
    }
    for (size_t n = 0; n < tenant.sender_domains.size(); ++n) {
      const std::string& domain = tenant.sender_domains[n];
      const std::string below = Cat(path, ".sender_domains[", n, "]");
      findings.CheckDomain(domain, below);
      const auto [owner, is_new] = owners.emplace(domain, tenant.name);
      if (!is_new && owner->second != tenant.name) {
        findings.Warn(below, Cat(Quoted(domain), " belongs to tenant '", owner->second,
                                 "' too: each can send as the other"));
      }
    }
    CheckTracking(findings, tenant, path);
  }
}

void CheckStreams(Findings& findings) {
  CheckNames(findings, findings.policy.streams, findings.streams, "streams");
  for (size_t i = 0; i < findings.policy.streams.size(); ++i) {
    const StreamPolicy& stream = findings.policy.streams[i];
    const std::string path = Cat("streams[", i, "]");
    if (stream.expiry < std::chrono::minutes(1) || stream.expiry > limits::kLongestExpiry) {
      findings.Error(path + ".expiry",
                     Cat(ToString(stream.expiry), " is out of bounds; write 1m to ",
                         ToString(Duration(limits::kLongestExpiry))));
    }
    findings.CheckReference(stream.retry_schedule, findings.retry_schedules, "retry schedule",
                            path + ".retry_schedule");
  }
}

void CheckSources(Findings& findings) {
  const PolicyDocument& policy = findings.policy;
  CheckNames(findings, policy.sources, findings.sources, "sources");
  std::set<std::string_view> used;
  for (const PoolPolicy& pool : policy.pools) {
    for (const PoolMember& member : pool.members) used.insert(member.source);
  }
  std::map<std::string_view, std::string_view> binds, addresses;
  for (size_t i = 0; i < policy.sources.size(); ++i) {
    const SourcePolicy& source = policy.sources[i];
    const std::string path = Cat("sources[", i, "]");
    CheckAddress(findings, source.address, path + ".address");
    if (source.bind != source.address) CheckAddress(findings, source.bind, path + ".bind");
    CheckEhlo(findings, source.ehlo, path + ".ehlo");
    if (!source.proxy.empty() && !ParseProxyAddress(source.proxy)) {
      findings.Error(path + ".proxy",
                     Cat(Quoted(source.proxy),
                         " is no proxy; write socks5://192.0.2.1:1080 or proxy-v2://192.0.2.1:5000"));
    }
    if (const auto [first, is_new] = binds.emplace(source.bind, source.name); !is_new) {
      findings.Error(path + (source.bind == source.address ? ".address" : ".bind"),
                     Cat("source '", first->second, "' binds ", source.bind,
                         " too; one address is one source"));
    } else if (const auto [same, alone] = addresses.emplace(source.address, source.name); !alone) {
      findings.Warn(path + ".address",
                    Cat("source '", same->second, "' is seen as ", source.address,
                        " too: they share one reputation and one warmup"));
    }
    if (source.warmup) {
      if (source.warmup->plan.empty())
        findings.Error(path + ".warmup.plan", "is required; `default` is built in");
      if (FindShippedPlan(source.warmup->plan) == nullptr) {
        findings.CheckReference(source.warmup->plan, findings.warmup_plans, "warmup plan",
                                path + ".warmup.plan");
      }
      findings.CheckBounds(source.warmup->stage, 1, 1'000, path + ".warmup.stage");
    }
    if (!used.contains(source.name))
      findings.Warn(path + ".name", "is in no pool: nothing is sent from it");
  }
}

void CheckPools(Findings& findings) {
  CheckNames(findings, findings.policy.pools, findings.pools, "pools");
  for (size_t i = 0; i < findings.policy.pools.size(); ++i) {
    CheckMembers(findings, findings.policy.pools[i], Cat("pools[", i, "]"));
  }
}

}  // namespace check

std::vector<PolicyFinding> CheckPolicy(const PolicyDocument& policy) {
  check::Findings findings(policy);
  check::CheckTenants(findings);
  check::CheckStreams(findings);
  check::CheckSources(findings);
  check::CheckPools(findings);
  check::CheckOverflow(findings);
  check::CheckColdOverflow(findings);
  check::CheckSharedSources(findings);
  check::CheckRoutes(findings);
  check::CheckSmartHosts(findings);
  check::CheckShaping(findings);
  check::CheckAutomation(findings);
  check::CheckHealth(findings);
  check::CheckRetrySchedules(findings);
  check::CheckWarmupPlans(findings);
  check::CheckDkimKeys(findings);
  check::CheckTagHeaders(findings);
  check::CheckReplyRules(findings);
  check::CheckTheRest(findings);
  return std::move(findings.all);
}

}  // namespace sluice
