// DNS asked by a thread that may wait: the pollers', an explanation's. Every wait is bounded.
#pragma once

#include <string>
#include <vector>

#include "net/dns.h"

namespace sluice::scheduler {

class DnsQuestions {
 public:
  // `resolver` outlives every answer that is under way.
  // `patience` is for what is asked at once; the resolver gives up before the default.
  explicit DnsQuestions(Resolver& resolver, Duration patience = std::chrono::seconds(40)) : resolver_(resolver), patience_(patience) {}
  // In the order of the names; some at once.
  std::vector<AddressAnswer> Addresses(const std::vector<std::string>& names, AddressFamily family);
  AddressAnswer Addresses(const std::string& name, AddressFamily family = AddressFamily::kIpv4First);
  TextAnswer Texts(const std::string& name);
  MxAnswer Mx(const std::string& name);
  // Of an address, by its reversed name.
  NamesAnswer NamesOf(const std::string& address);

 private:
  std::chrono::steady_clock::time_point Until() const { return std::chrono::steady_clock::now() + patience_; }

  Resolver& resolver_;
  const Duration patience_;
};

}  // namespace sluice::scheduler
