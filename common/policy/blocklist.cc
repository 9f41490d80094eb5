#include "policy/blocklist.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sluice {
namespace {

std::optional<uint32_t> Ipv4(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::optional<in6_addr> Ipv6(const std::string& text) {
  in6_addr address{};
  if (inet_pton(AF_INET6, text.c_str(), &address) != 1) return std::nullopt;
  return address;
}

struct Net {
  uint32_t base;
  int bits;
};
// RFC 6890, without the blocks for documentation's sake: those are not public either.
constexpr std::array<Net, 14> kNotPublic = {{{0x00000000, 8},
                                             {0x0a000000, 8},
                                             {0x64400000, 10},
                                             {0x7f000000, 8},
                                             {0xa9fe0000, 16},
                                             {0xac100000, 12},
                                             {0xc0000000, 24},
                                             {0xc0000200, 24},
                                             {0xc0a80000, 16},
                                             {0xc6120000, 15},
                                             {0xc6336400, 24},
                                             {0xcb007100, 24},
                                             {0xe0000000, 4},
                                             {0xf0000000, 4}}};

int Rank(std::string_view word) {
  constexpr std::array<std::string_view, 6> kByWeight = {"listed_low",  "listed_policy", "listed_medium",
                                                         "listed_high", "domain_listed", "listed_critical"};
  return static_cast<int>(std::find(kByWeight.begin(), kByWeight.end(), word) - kByWeight.begin());
}

}  // namespace

const Blocklist* FindBlocklist(std::string_view zone) {
  for (const Blocklist& list : ShippedBlocklists()) {
    if (list.zone == zone) return &list;
  }
  return nullptr;
}

std::string ReversedAddress(std::string_view text) {
  const std::string address(text);
  if (const auto v4 = Ipv4(address)) {
    return Cat(*v4 & 0xff, ".", *v4 >> 8 & 0xff, ".", *v4 >> 16 & 0xff, ".", *v4 >> 24);
  }
  const auto v6 = Ipv6(address);
  if (!v6) return {};
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (int i = 15; i >= 0; --i) {
    const uint8_t byte = v6->s6_addr[i];
    Append(out, out.empty() ? "" : ".", std::string(1, kHex[byte & 15]), ".", std::string(1, kHex[byte >> 4]));
  }
  return out;
}

bool IsPublicAddress(std::string_view text) {
  const std::string address(text);
  if (const auto v4 = Ipv4(address)) {
    return std::none_of(kNotPublic.begin(), kNotPublic.end(),
                        [&](const Net& net) { return (*v4 ^ net.base) >> (32 - net.bits) == 0; });
  }
  const auto v6 = Ipv6(address);
  // Global unicast is 2000::/3; 2001:db8::/32 is for documentation.
  if (!v6 || (v6->s6_addr[0] & 0xe0) != 0x20) return false;
  return !(v6->s6_addr[0] == 0x20 && v6->s6_addr[1] == 0x01 && v6->s6_addr[2] == 0x0d && v6->s6_addr[3] == 0xb8);
}

BlocklistReading ReadBlocklist(const Blocklist& list, const std::vector<std::string>& addresses) {
  using Kind = BlocklistReading::Kind;
  BlocklistReading out;
  for (const std::string& text : addresses) {
    const auto address = Ipv4(text);
    const auto error = std::find_if(list.errors.begin(), list.errors.end(), [&](const auto& e) { return address == e.address; });
    if (error != list.errors.end()) return {Kind::kError, nullptr, Cat(text, ": ", error->means)};
    if (!address || *address >> 24 != 127) return {Kind::kError, nullptr, Cat(text, " is no answer of a blocklist: a dead zone, or a resolver that lies")};
    const auto code = std::find_if(list.codes.begin(), list.codes.end(),
                                   [&](const auto& c) { return *address >= c.first && *address <= c.last; });
    if (code == list.codes.end()) {
      // Unknown beside a known one changes nothing; alone it is no listing.
      if (out.kind == Kind::kClean) out = {Kind::kError, nullptr, Cat(text, " is no code that we know")};
      continue;
    }
    if (out.kind != Kind::kListed) out = {Kind::kListed, &*code, {}};
    if (Rank(code->word) > Rank(out.code->word)) out.code = &*code;
    Append(out.text, out.text.empty() ? "" : ", ", text, " ", code->means);
  }
  return out;
}

Confirmation Confirm(Confirmation before, bool is_listed, int needed, const ConfirmationRules& rules, Instant now) {
  Confirmation after = before;
  if (!is_listed) {
    after.positives = 0;
    after.first_positive_at.reset();
    after.negatives = std::min(after.negatives + 1, rules.clean);
    if (after.negatives >= rules.clean) after.stands = false;
    return after;
  }
  after.negatives = 0;
  after.positives = std::min(after.positives + 1, 1'000);
  if (!after.first_positive_at) after.first_positive_at = now;
  if (needed <= 1 || (after.positives >= needed && now - *after.first_positive_at >= rules.apart)) after.stands = true;
  return after;
}

}  // namespace sluice
