// DNS asked by a thread that may wait: the pollers'. Every wait is bounded.
#pragma once

#include <string>
#include <vector>

#include "net/dns.h"

namespace sluice::scheduler {

class DnsQuestions {
 public:
  // `resolver` outlives every answer that is under way.
  explicit DnsQuestions(Resolver& resolver) : resolver_(resolver) {}
  // In the order of the names; some at once.
  std::vector<AddressAnswer> Addresses(const std::vector<std::string>& names, AddressFamily family);
  AddressAnswer Addresses(const std::string& name, AddressFamily family = AddressFamily::kIpv4First);
  TextAnswer Texts(const std::string& name);
  MxAnswer Mx(const std::string& name);
  // Of an address, by its reversed name.
  NamesAnswer NamesOf(const std::string& address);

 private:
  Resolver& resolver_;
};

}  // namespace sluice::scheduler
