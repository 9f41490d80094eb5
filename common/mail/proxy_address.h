// A proxy that a source sends through, as the policy names it: "socks5://192.0.2.1:1080",
// "proxy-v2://[2001:db8::1]:5000".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sluice {

enum class ProxyKind : uint8_t { kSocks5, kProxyV2 };

struct ProxyAddress {
  ProxyKind kind = ProxyKind::kSocks5;
  std::string address;  // IPv4 or IPv6, as text
  uint16_t port = 0;

  friend bool operator==(const ProxyAddress&, const ProxyAddress&) = default;
};
std::optional<ProxyAddress> ParseProxyAddress(std::string_view text);

}  // namespace sluice
