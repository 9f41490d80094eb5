#include "mail/proxy_address.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace sluice {
namespace {

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::optional<ProxyAddress> ParseProxyAddress(std::string_view text) {
  ProxyAddress out;
  if (TakePrefix(text, "socks5://")) {
    out.kind = ProxyKind::kSocks5;
  } else if (TakePrefix(text, "proxy-v2://")) {
    out.kind = ProxyKind::kProxyV2;
  } else {
    return std::nullopt;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view port = text.substr(colon + 1);
  std::string_view address = text.substr(0, colon);
  const bool is_v6 = address.size() > 2 && address.front() == '[' && address.back() == ']';
  if (is_v6) address = address.substr(1, address.size() - 2);
  out.address = address;
  std::array<unsigned char, 16> bytes;
  const bool is_address =
      ::inet_pton(is_v6 ? AF_INET6 : AF_INET, out.address.c_str(), bytes.data()) == 1;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  const bool is_port = error == std::errc() && end == port.data() + port.size() && out.port != 0;
  return is_address && is_port ? std::optional(out) : std::nullopt;
}

}  // namespace sluice
