#include "mail/policy_document.h"

#include <array>

namespace sluice {
namespace {

template <class Enum>
struct Named {
  Enum value;
  std::string_view name;
};

template <class Enum, size_t N>
std::optional<Enum> ValueOf(const std::array<Named<Enum>, N>& names, std::string_view name) {
  for (const Named<Enum>& known : names) {
    if (known.name == name) return known.value;
  }
  return std::nullopt;
}

template <class Enum, size_t N>
std::string_view NameOf(const std::array<Named<Enum>, N>& names, Enum value) {
  for (const Named<Enum>& known : names) {
    if (known.value == value) return known.name;
  }
  return {};
}

constexpr std::array<Named<Priority>, 2> kPriorities = {
    {{Priority::kNormal, "normal"}, {Priority::kHigh, "high"}}};
constexpr std::array<Named<TlsMode>, 4> kTlsModes = {{{TlsMode::kOff, "off"},
                                                      {TlsMode::kOpportunistic, "opportunistic"},
                                                      {TlsMode::kRequired, "required"},
                                                      {TlsMode::kVerified, "verified"}}};
constexpr std::array<Named<Ipv6Mode>, 2> kIpv6Modes = {
    {{Ipv6Mode::kPrefer, "prefer"}, {Ipv6Mode::kNever, "never"}}};
constexpr std::array<Named<SuspendScope>, 3> kSuspendScopes = {{{SuspendScope::kSource, "source"},
                                                                {SuspendScope::kTenant, "tenant"},
                                                                {SuspendScope::kDomain, "domain"}}};

template <class T>
const T* FindByName(const std::vector<T>& all, std::string_view name) {
  for (const T& one : all) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

}  // namespace

std::string_view ToString(Priority priority) { return NameOf(kPriorities, priority); }
std::optional<Priority> ParsePriority(std::string_view name) { return ValueOf(kPriorities, name); }
std::string_view ToString(TlsMode mode) { return NameOf(kTlsModes, mode); }
std::optional<TlsMode> ParseTlsMode(std::string_view name) { return ValueOf(kTlsModes, name); }
std::string_view ToString(Ipv6Mode mode) { return NameOf(kIpv6Modes, mode); }
std::optional<Ipv6Mode> ParseIpv6Mode(std::string_view name) { return ValueOf(kIpv6Modes, name); }
std::string_view ToString(SuspendScope scope) { return NameOf(kSuspendScopes, scope); }
std::optional<SuspendScope> ParseSuspendScope(std::string_view name) {
  return ValueOf(kSuspendScopes, name);
}

const TenantPolicy* FindTenant(const PolicyDocument& policy, std::string_view name) {
  return FindByName(policy.tenants, name);
}
const StreamPolicy* FindStream(const PolicyDocument& policy, std::string_view name) {
  return FindByName(policy.streams, name);
}
const SourcePolicy* FindSource(const PolicyDocument& policy, std::string_view name) {
  return FindByName(policy.sources, name);
}
const PoolPolicy* FindPool(const PolicyDocument& policy, std::string_view name) {
  return FindByName(policy.pools, name);
}
int PoolIndex(const PolicyDocument& policy, std::string_view name) {
  const PoolPolicy* pool = FindPool(policy, name);
  return pool == nullptr ? -1 : static_cast<int>(pool - policy.pools.data());
}

bool MaySendAs(const TenantPolicy& tenant, std::string_view domain) {
  for (const std::string& own : tenant.sender_domains) {
    if (domain.size() < own.size() || domain.substr(domain.size() - own.size()) != own) continue;
    if (domain.size() == own.size() || domain[domain.size() - own.size() - 1] == '.') return true;
  }
  return false;
}

}  // namespace sluice
