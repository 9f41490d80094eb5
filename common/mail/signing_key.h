// A DKIM key in the hands of one tenant, as policy names it and egress looks for it.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

struct SigningKey {
  std::string tenant = {};
  // Signs mail whose From domain is this one or below it.
  std::string domain = {};
  std::string selector = {};
  // File name in egress's key directory.
  std::string key = {};
  std::string algorithm = {};
  friend bool operator==(const SigningKey&, const SigningKey&) = default;
};

// Where to look when nothing is known for `domain`; empty when there is no more.
inline std::string_view ParentDomain(std::string_view domain) {
  const size_t dot = domain.find('.');
  return dot == std::string_view::npos ? std::string_view() : domain.substr(dot + 1);
}

}  // namespace sluice
