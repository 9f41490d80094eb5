// A small sound policy for tests to bend.
#pragma once

#include "mail/policy_document.h"

namespace sluice::testing {

inline PolicyDocument ExamplePolicy() {
  PolicyDocument policy;
  policy.tenants = {{.name = "shop",
                     .streams = {"transactional", "marketing"},
                     .sender_domains = {"shop.example"}}};
  policy.streams = {{.name = "transactional", .isolation = "a", .priority = Priority::kHigh},
                    {.name = "marketing", .isolation = "b"}};
  for (const char* number : {"11", "12", "21"}) {
    const std::string ip = std::string("192.0.2.") + number;
    policy.sources.push_back({.name = std::string("ip-") + number,
                              .address = ip,
                              .bind = ip,
                              .ehlo = std::string("mta") + number + ".example.com"});
  }
  policy.pools = {
      {.name = "warm", .members = {{.source = "ip-11", .weight = 2}, {.source = "ip-12"}}},
      {.name = "new", .members = {{.source = "ip-21"}}, .overflow = "warm"}};
  policy.routes = {{.match = {.stream = "transactional"}, .pool = "warm"},
                   {.match = {.stream = "marketing", .provider = "yahoo"}, .pool = "new"},
                   {.match = {.stream = "marketing"}, .pool = "warm"}};
  return policy;
}

}  // namespace sluice::testing
