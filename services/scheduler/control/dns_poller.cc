#include "scheduler/control/dns_poller.h"

#include <algorithm>

#include "base/text.h"
#include "policy/blocklist.h"
#include "policy/site.h"

namespace sluice::scheduler {
namespace {

constexpr std::string_view kReverse = "reverse_dns", kEhlo = "ehlo", kSpf = "spf", kDmarc = "dmarc";
constexpr std::string_view kDkim = "dkim ";  // And the selector.
constexpr size_t kMostNamed = 20;            // Sources in one evidence.

bool Failed(DnsStatus status) { return status == DnsStatus::kTempFail; }

bool Contains(const std::vector<std::string>& list, const std::string& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

AddressFamily FamilyOf(const std::string& address) {
  return address.find(':') == std::string::npos ? AddressFamily::kIpv4Only : AddressFamily::kIpv6Only;
}

std::string Join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) Append(out, out.empty() ? "" : ", ", word);
  return out;
}

}  // namespace

bool DnsPoller::IsAsked(const SourcePolicy& source) const { return ask_for_every_address_ || IsPublicAddress(source.address); }

bool DnsPoller::Keeps(const PolicyDocument& policy, const SignalKey& key) const {
  if (key.name == kReverse || key.name == kEhlo) return FindSource(policy, key.source) != nullptr;
  if (key.name == kSpf || key.name == kDmarc) return Contains(SendingDomains(policy), key.sender_domain);
  return std::any_of(policy.dkim_keys.begin(), policy.dkim_keys.end(), [&](const DkimKey& one) {
    return one.domain == key.sender_domain && key.name == Cat(kDkim, one.selector);
  });
}

void DnsPoller::Poll(const PolicyDocument& policy, SignalKeeper& signals, Instant now) {
  if (!schedule_.IsDue(now)) return;
  schedule_.Succeeded(now);
  texts_.clear();
  addresses_.clear();
  mx_.clear();
  for (const SourcePolicy& source : policy.sources) {
    if (IsAsked(source)) CheckSource(source, signals);
  }
  if (std::none_of(policy.sources.begin(), policy.sources.end(), [&](const SourcePolicy& s) { return IsAsked(s); })) return;
  for (const std::string& domain : SendingDomains(policy)) {
    CheckSenderPolicy(policy, domain, signals);
    CheckDmarc(domain, signals);
  }
  for (const DkimKey& key : policy.dkim_keys) CheckDkim(key, signals);
}

void DnsPoller::CheckSource(const SourcePolicy& source, SignalKeeper& signals) {
  const SignalKey reverse{.source = source.name, .name = std::string(kReverse)};
  const NamesAnswer names = dns_.NamesOf(source.address);
  bool failed = Failed(names.status), confirmed = false;
  for (const std::string& name : names.names) {
    const AddressAnswer forward = dns_.Addresses(name, FamilyOf(source.address));
    failed = failed || Failed(forward.status);
    confirmed = confirmed || Contains(forward.addresses, source.address);
  }
  if (confirmed) {
    signals.Report(reverse, {.value = Join(names.names)});
  } else if (failed) {
    signals.Fail(reverse, Cat("no answer for the PTR of ", source.address, ": ", names.detail));
  } else {
    signals.Report(reverse, {.verdict = "bad",
                             .word = "no_reverse_dns",
                             .value = Join(names.names),
                             .detail = names.names.empty() ? Cat(source.address, " has no PTR record")
                                                           : Cat("none of these names has the address ", source.address)});
  }
  if (source.ehlo.empty()) return;
  const SignalKey ehlo{.source = source.name, .name = std::string(kEhlo)};
  const AddressAnswer forward = dns_.Addresses(source.ehlo, FamilyOf(source.address));
  if (Failed(forward.status)) {
    signals.Fail(ehlo, Cat("no answer for ", source.ehlo, ": ", forward.detail));
  } else if (Contains(forward.addresses, source.address)) {
    signals.Report(ehlo, {.value = source.ehlo});
  } else {
    signals.Report(ehlo, {.verdict = "bad",
                          .word = "ehlo_elsewhere",
                          .value = source.ehlo,
                          .detail = forward.addresses.empty() ? Cat(source.ehlo, " has no such address")
                                                              : Cat(source.ehlo, " leads to ", Join(forward.addresses))});
  }
}

SpfLookups DnsPoller::Lookups() {
  using Known = std::map<std::string, std::optional<std::vector<std::string>>>;
  const auto remember = [](Known& known, const std::string& name, auto ask) {
    const auto found = known.find(name);
    if (found != known.end()) return found->second;
    return known[name] = ask();
  };
  using Names = std::optional<std::vector<std::string>>;
  return {.texts = [=, this](const std::string& name) {
            return remember(texts_, name, [&]() -> Names {
              TextAnswer answer = dns_.Texts(name);
              return Failed(answer.status) ? Names() : Names(std::move(answer.texts));
            });
          },
          .addresses = [=, this](const std::string& name) {
            return remember(addresses_, name, [&]() -> Names {
              AddressAnswer answer = dns_.Addresses(name);
              return Failed(answer.status) ? Names() : Names(std::move(answer.addresses));
            });
          },
          .mx_hosts = [=, this](const std::string& name) {
            return remember(mx_, name, [&]() -> Names {
              const MxAnswer answer = dns_.Mx(name);
              if (Failed(answer.status)) return std::nullopt;
              std::vector<std::string> hosts;
              if (answer.kind == MxKind::kMx) {
                for (const MxHost& host : answer.hosts) hosts.push_back(host.name);
              }
              return hosts;
            });
          }};
}

void DnsPoller::CheckSenderPolicy(const PolicyDocument& policy, const std::string& domain, SignalKeeper& signals) {
  const SignalKey key{.sender_domain = domain, .name = std::string(kSpf)};
  const SpfLookups lookups = Lookups();
  std::vector<std::string> missing;
  std::string why, record;
  for (const SourcePolicy& source : policy.sources) {
    if (!IsAsked(source)) continue;
    const SpfAnswer answer = CheckSpf(source.address, domain, lookups);
    record = answer.record;
    if (answer.result == SpfResult::kCannotTell) {
      signals.Fail(key, Cat("cannot tell for ", source.address, ": ", answer.why));
      return;
    }
    if (answer.result == SpfResult::kPass) continue;
    why = answer.why;
    if (missing.size() < kMostNamed) missing.push_back(Cat(source.name, " (", source.address, ")"));
  }
  if (missing.empty()) {
    signals.Report(key, {.value = record});
  } else {
    signals.Report(key, {.verdict = "bad", .word = "spf_lacks_source", .value = record, .detail = Cat("not covered: ", Join(missing), "; ", why)});
  }
}

void DnsPoller::CheckDmarc(const std::string& domain, SignalKeeper& signals) {
  const SignalKey key{.sender_domain = domain, .name = std::string(kDmarc)};
  const SpfLookups lookups = Lookups();
  for (const std::string& name : {domain, RegistrableDomain(domain)}) {
    const auto texts = lookups.texts(Cat("_dmarc.", name));
    if (!texts) {
      signals.Fail(key, Cat("no answer for _dmarc.", name));
      return;
    }
    for (const std::string& text : *texts) {
      if (text.starts_with("v=DMARC1")) {
        signals.Report(key, {.value = text, .detail = Cat("_dmarc.", name)});
        return;
      }
    }
  }
  signals.Report(key, {.verdict = "bad", .word = "no_dmarc", .detail = Cat("no DMARC record for ", domain)});
}

void DnsPoller::CheckDkim(const DkimKey& dkim, SignalKeeper& signals) {
  const SignalKey key{.sender_domain = dkim.domain, .name = Cat(kDkim, dkim.selector)};
  const std::string name = Cat(dkim.selector, "._domainkey.", dkim.domain);
  const TextAnswer answer = dns_.Texts(name);
  if (Failed(answer.status)) {
    signals.Fail(key, Cat("no answer for ", name, ": ", answer.detail));
    return;
  }
  for (std::string text : answer.texts) {
    std::erase(text, ' ');
    const size_t at = text.starts_with("p=") ? 0 : text.find(";p=");
    if (at == std::string::npos) continue;
    const size_t value = text.find('=', at) + 1;
    if (value < text.size() && text[value] != ';') {
      signals.Report(key, {.value = name});
      return;
    }
  }
  signals.Report(key, {.verdict = "bad",
                       .word = "no_dkim_record",
                       .value = name,
                       .detail = answer.texts.empty() ? Cat(name, " has no TXT record") : Cat(name, " has no public key: it is revoked")});
}

}  // namespace sluice::scheduler
