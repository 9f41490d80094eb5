#include "scheduler/control/blocklist_poller.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "base/status.h"
#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr std::string_view kTooMany = "127.255.255.255";
constexpr auto kBackOff = std::chrono::hours(1);  // Of a zone that answers with it.
constexpr size_t kMostDomains = 10'000;

bool Has(const std::vector<std::string>& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

std::string Keyed(const Blocklist& list, const std::string& key) {
  std::string out(list.keyed.empty() ? list.zone : list.keyed);
  if (const size_t at = out.find("KEY"); at != std::string::npos) out.replace(at, 3, key);
  return out;
}

}  // namespace

std::vector<std::string> SendingDomains(const PolicyDocument& policy) {
  std::set<std::string> domains;
  for (const TenantPolicy& tenant : policy.tenants) {
    for (const std::string& domain : tenant.sender_domains) {
      if (domains.size() < kMostDomains) domains.insert(domain);
    }
  }
  return {domains.begin(), domains.end()};
}

absl::StatusOr<std::map<std::string, std::string>> ReadBlocklistKeys(const std::string& path) {
  std::map<std::string, std::string> keys;
  if (path.empty()) return keys;
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(Cat("reputation.keys_file: cannot read ", Quoted(path)));
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string zone, key, more;
    words >> zone >> key >> more;
    if (zone.empty()) continue;
    const Blocklist* list = FindBlocklist(zone);
    if (list == nullptr || list->keyed.empty() || key.empty() || !more.empty()) {
      return absl::InvalidArgumentError(Cat(path, ":", number, ": write ZONE KEY, with a zone that takes a key"));
    }
    keys[zone] = key;
  }
  return keys;
}

BlocklistPoller::BlocklistPoller(BlocklistOptions options, Resolver& resolver, const Logger& log)
    : options_(std::move(options)), dns_(resolver) {
  for (const std::vector<std::string>* named : {&options_.on, &options_.off}) {
    for (const std::string& zone : *named) {
      if (FindBlocklist(zone) == nullptr) log.Warn("unknown_blocklist", {{"zone", zone}});
    }
  }
  for (const Blocklist& list : ShippedBlocklists()) {
    const std::string zone(list.zone);
    const auto key = options_.keys.find(zone);
    const bool has_key = key != options_.keys.end();
    const bool needs_key = list.keyed.ends_with(list.zone);  // It has no public mirror.
    const bool is_on = has_key || list.use != BlocklistUse::kOff || Has(options_.on, zone);
    if (!is_on || Has(options_.off, zone) || (needs_key && !has_key)) continue;
    zones_.push_back({.list = &list, .suffix = has_key ? Keyed(list, key->second) : zone,
                      .schedule = PollSchedule(options_.every, options_.seed + zones_.size())});
  }
}

std::vector<std::pair<SignalKey, std::string>> BlocklistPoller::Subjects(const Zone& zone, const PolicyDocument& policy) const {
  std::vector<std::pair<SignalKey, std::string>> out;
  const std::string name(zone.list->zone);
  if (zone.list->of_domains) {
    for (const std::string& domain : SendingDomains(policy)) out.push_back({{.sender_domain = domain, .name = name}, domain});
    return out;
  }
  for (const SourcePolicy& source : policy.sources) {
    const bool is_v6 = source.address.find(':') != std::string::npos;
    if ((is_v6 && !zone.list->lists_ipv6) || (!options_.ask_for_every_address && !IsPublicAddress(source.address))) continue;
    const std::string reversed = ReversedAddress(source.address);
    if (!reversed.empty()) out.push_back({{.source = source.name, .name = name}, reversed});
  }
  return out;
}

bool BlocklistPoller::Keeps(const PolicyDocument& policy, const SignalKey& key) const {
  const auto zone = std::find_if(zones_.begin(), zones_.end(), [&](const Zone& z) { return z.list->zone == key.name; });
  if (zone == zones_.end()) return false;
  if (key.source.empty() && key.sender_domain.empty()) return true;  // Of the zone itself.
  if (!key.source.empty()) return FindSource(policy, key.source) != nullptr;
  const auto domains = SendingDomains(policy);
  return std::binary_search(domains.begin(), domains.end(), key.sender_domain);
}

bool BlocklistPoller::Test(Zone& zone, SignalKeeper& signals, Instant now) {
  if (now < zone.test_at) return zone.is_trusted;
  const SignalKey key{.name = std::string(zone.list->zone)};
  const auto answers = dns_.Addresses({Cat(zone.list->listed, ".", zone.suffix), Cat(zone.list->clean, ".", zone.suffix)},
                                      AddressFamily::kIpv4Only);
  const AddressAnswer &listed = answers[0], &clean = answers[1];
  if (listed.status == DnsStatus::kTempFail || clean.status == DnsStatus::kTempFail) {
    // Nothing was learned: what was believed stays, and it is asked again with the next round.
    signals.Fail(key, Cat("its self-test was not answered: ", listed.detail, clean.detail));
    return false;
  }
  zone.test_at = now + options_.test_every;
  const BlocklistReading must = ReadBlocklist(*zone.list, listed.addresses);
  SignalAnswer answer{.value = must.text};
  if (must.kind == BlocklistReading::Kind::kError) {
    answer = {.verdict = "warning", .value = must.text, .detail = "its self-test answers with an error; it is not asked"};
  } else if (must.kind == BlocklistReading::Kind::kClean) {
    answer = {.verdict = "warning", .detail = "it does not list its own test: dead or not reachable; it is not asked"};
  } else if (!clean.addresses.empty()) {
    answer = {.verdict = "warning", .value = clean.addresses[0], .detail = "it lists what nobody lists: dead; it is not asked"};
  }
  zone.is_trusted = answer.verdict == "good";
  signals.Report(key, std::move(answer));
  return zone.is_trusted;
}

void BlocklistPoller::Ask(Zone& zone, const std::vector<SignalKey>& subjects, const std::vector<std::string>& names,
                          SignalKeeper& signals, Instant now) {
  const auto answers = dns_.Addresses(names, AddressFamily::kIpv4Only);
  const bool is_opinion = zone.list->use != BlocklistUse::kMetric;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].status == DnsStatus::kTempFail) {
      signals.Fail(subjects[i], Cat("no answer: ", answers[i].detail));
      continue;
    }
    const BlocklistReading reading = ReadBlocklist(*zone.list, answers[i].addresses);
    if (reading.kind == BlocklistReading::Kind::kError) {
      signals.Fail(subjects[i], reading.text);
      signals.Report({.name = std::string(zone.list->zone)}, {.verdict = "warning", .value = reading.text, .detail = "an error, not a listing"});
      if (reading.text.starts_with(kTooMany)) zone.schedule.NotBefore(now + kBackOff);
      continue;
    }
    std::string reason;
    if (reading.kind == BlocklistReading::Kind::kListed) {
      const TextAnswer texts = dns_.Texts(names[i]);
      if (!texts.texts.empty()) reason = texts.texts[0];
    }
    signals.ReportListing(subjects[i], *zone.list, reading, reason, options_.confirmation, is_opinion);
  }
}

void BlocklistPoller::Poll(const PolicyDocument& policy, SignalKeeper& signals, Instant now) {
  for (Zone& zone : zones_) {
    if (!zone.schedule.IsDue(now)) continue;
    const auto asked = Subjects(zone, policy);
    if (asked.empty()) continue;
    zone.schedule.Succeeded(now);
    if (!Test(zone, signals, now)) continue;
    std::vector<SignalKey> subjects;
    std::vector<std::string> names;
    for (const auto& [key, name] : asked) {
      subjects.push_back(key);
      names.push_back(Cat(name, ".", zone.suffix));
    }
    Ask(zone, subjects, names, signals, now);
  }
}

}  // namespace sluice::scheduler
