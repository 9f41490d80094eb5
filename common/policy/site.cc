#include "policy/site.h"

#include <libpsl.h>

#include <algorithm>

#include "base/text.h"
#include "policy/provider.h"

namespace sluice {
namespace {

constexpr size_t kLongestSiteName = 200;

// FNV-1a: only has to tell long host sets apart, the same in every process.
uint64_t StableHash(std::string_view text) {
  uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

bool IsAddress(std::string_view host) {
  return host.find(':') != std::string_view::npos || host.find('[') != std::string_view::npos ||
         std::all_of(host.begin(), host.end(), [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

}  // namespace

std::string MxSetName(std::string_view domain, const std::vector<MxHost>& hosts) {
  if (hosts.empty()) return std::string(domain);
  std::string name;
  for (const MxHost& host : hosts) {
    if (!name.empty()) name += '|';
    name += host.name;
  }
  if (name.size() <= kLongestSiteName) return name;
  const uint64_t hash = StableHash(name);
  name.resize(kLongestSiteName - 24);
  return Cat(name, "|#", hash);
}

std::string SiteName(std::string_view domain, const std::vector<MxHost>& hosts,
                     std::string_view provider) {
  if (provider != kOtherProvider) return MxSetName(domain, hosts);
  return RegistrableDomain(hosts.empty() ? domain : std::string_view(hosts.front().name));
}

std::string RegistrableDomain(std::string_view host) {
  std::string name(host);
  if (IsAddress(host)) return name;
  const char* registered = psl_registrable_domain(psl_builtin(), name.c_str());
  return registered == nullptr ? name : std::string(registered);
}

}  // namespace sluice
