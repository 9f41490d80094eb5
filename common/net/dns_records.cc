#include "net/dns_records.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <utility>

#include "base/text.h"

namespace sluice {
namespace {

constexpr size_t kMaxNameBytes = 253;
constexpr size_t kMaxLabelBytes = 63;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-' || c == '_';
}

// Text of the name at the start of `wire`; "." for the root; nullopt if it is cut off or
// compressed.
std::optional<std::string> ReadName(std::string_view wire) {
  std::string name;
  while (!wire.empty()) {
    const auto length = static_cast<unsigned char>(wire.front());
    wire.remove_prefix(1);
    if (length == 0) {
      return name.empty() ? "." : name;
    }
    if (length > kMaxLabelBytes || length > wire.size() || name.size() > kMaxNameBytes) {
      return std::nullopt;
    }
    // A dot inside a label would make another name of it.
    std::string label(wire.substr(0, length));
    std::ranges::replace(label, '.', '?');
    Append(name, name.empty() ? "" : ".", label);
    wire.remove_prefix(length);
  }
  return std::nullopt;
}

struct MxRecord {
  uint16_t preference;
  std::string name;
};

std::optional<MxRecord> ReadMx(std::string_view wire) {
  if (wire.size() < 3) {
    return std::nullopt;
  }
  auto name = ReadName(wire.substr(2));
  if (!name) {
    return std::nullopt;
  }
  const auto high = static_cast<unsigned char>(wire[0]);
  const auto low = static_cast<unsigned char>(wire[1]);
  return MxRecord{static_cast<uint16_t>(high << 8 | low), *std::move(name)};
}

// By preference, then name; each name once, at its best preference.
void Tidy(std::vector<MxHost>& hosts) {
  std::ranges::sort(hosts, {},
                    [](const MxHost& host) { return std::tie(host.name, host.preference); });
  const auto same = std::ranges::unique(hosts, {}, &MxHost::name);
  hosts.erase(same.begin(), same.end());
  std::ranges::sort(hosts, {},
                    [](const MxHost& host) { return std::tie(host.preference, host.name); });
  if (hosts.size() > kMaxMxHosts) {
    hosts.resize(kMaxMxHosts);
  }
}

void AddAddresses(int family, const DnsRecords& records, size_t rotation,
                  std::vector<std::string>& out) {
  const size_t length = family == AF_INET ? 4 : 16;
  for (size_t i = 0; i < records.data.size(); ++i) {
    const std::string& data = records.data[(i + rotation) % records.data.size()];
    std::array<char, INET6_ADDRSTRLEN> text;
    const bool is_whole = data.size() == length;
    if (is_whole && ::inet_ntop(family, data.data(), text.data(), text.size()) != nullptr &&
        out.size() < kMaxAddresses && std::ranges::find(out, text.data()) == out.end()) {
      out.emplace_back(text.data());
    }
  }
}

// A host that has an address of one family is fine whatever the other family's answer.
DnsStatus Combine(const std::vector<const DnsRecords*>& answers) {
  DnsStatus combined = DnsStatus::kNoData;
  for (const DnsRecords* answer : answers) {
    if (answer->status == DnsStatus::kOk) {
      return DnsStatus::kOk;
    }
    if (combined == DnsStatus::kNoData || answer->status == DnsStatus::kTempFail) {
      combined = answer->status;
    }
  }
  return combined;
}

}  // namespace

std::string_view ToString(DnsStatus status) {
  switch (status) {
    case DnsStatus::kOk:
      return "ok";
    case DnsStatus::kNxDomain:
      return "nxdomain";
    case DnsStatus::kNoData:
      return "no_data";
    case DnsStatus::kTempFail:
      return "temp_fail";
  }
  return "invalid";
}

std::string NormaliseHostName(std::string_view name) {
  if (name.ends_with('.')) {
    name.remove_suffix(1);
  }
  if (name.empty() || name.size() > kMaxNameBytes) {
    return "";
  }
  std::string out(name);
  std::ranges::transform(out, out.begin(), Lower);
  std::string_view label;
  for (std::string_view rest = out;;) {
    label = rest.substr(0, rest.find('.'));
    if (label.empty() || label.size() > kMaxLabelBytes ||
        !std::ranges::all_of(label, IsHostCharacter)) {
      return "";
    }
    if (label.size() == rest.size()) {
      break;
    }
    rest.remove_prefix(label.size() + 1);
  }
  return std::ranges::all_of(label, IsDigit) ? "" : out;
}

MxAnswer MakeMxAnswer(std::string_view domain, const DnsRecords& mx) {
  MxAnswer answer;
  answer.status = mx.status;
  answer.ttl = mx.ttl;
  answer.is_secure = mx.is_secure;
  answer.detail = mx.detail;
  if (mx.status == DnsStatus::kNoData) {
    answer.status = DnsStatus::kOk;
    answer.kind = MxKind::kImplicit;
    answer.hosts = {{std::string(domain), 0}};
    return answer;
  }
  bool has_null = false;
  for (const std::string& data : mx.data) {
    const auto record = ReadMx(data);
    has_null |= record && record->name == ".";
    if (std::string name = record ? NormaliseHostName(record->name) : ""; !name.empty()) {
      answer.hosts.push_back({std::move(name), record->preference});
    }
  }
  Tidy(answer.hosts);
  if (mx.status == DnsStatus::kOk && answer.hosts.empty()) {
    answer.kind = has_null ? MxKind::kNull : MxKind::kUnusable;
  }
  return answer;
}

AddressAnswer MakeAddressAnswer(AddressFamily family, const DnsRecords* a, const DnsRecords* aaaa,
                                size_t rotation) {
  std::vector<const DnsRecords*> answers;
  AddressAnswer answer;
  const bool is_ipv6_first = family == AddressFamily::kIpv6First;
  for (const bool is_ipv6 : {is_ipv6_first, !is_ipv6_first}) {
    if (const DnsRecords* records = is_ipv6 ? aaaa : a) {
      answers.push_back(records);
      AddAddresses(is_ipv6 ? AF_INET6 : AF_INET, *records, rotation, answer.addresses);
    }
  }
  answer.status = Combine(answers);
  answer.ttl = answers.front()->ttl;
  answer.is_secure = true;
  for (const DnsRecords* records : answers) {
    answer.is_alias |= records->is_alias;
    answer.is_secure &= records->is_secure;
    if (records->is_alias) {
      answer.canonical_name = records->canonical_name;
    }
    answer.ttl = std::min(answer.ttl, records->ttl);
    Append(answer.detail, answer.detail.empty() || records->detail.empty() ? "" : "; ",
           records->detail);
  }
  if (answer.status == DnsStatus::kOk && answer.addresses.empty()) {
    answer.status = DnsStatus::kNoData;
  }
  return answer;
}

TextAnswer MakeTextAnswer(const DnsRecords& txt) {
  TextAnswer answer;
  answer.status = txt.status;
  answer.ttl = txt.ttl;
  answer.detail = txt.detail;
  for (const std::string& data : txt.data) {
    std::string text;
    std::string_view rest = data;
    while (!rest.empty()) {
      const auto length = static_cast<unsigned char>(rest.front());
      Append(text, rest.substr(1, length));
      rest.remove_prefix(std::min<size_t>(rest.size(), 1 + size_t{length}));
    }
    answer.texts.push_back(std::move(text));
  }
  return answer;
}

NamesAnswer MakeNamesAnswer(const DnsRecords& ptr) {
  NamesAnswer answer;
  answer.status = ptr.status;
  answer.detail = ptr.detail;
  for (const std::string& data : ptr.data) {
    const auto name = ReadName(data);
    const std::string normal = name ? NormaliseHostName(*name) : std::string();
    if (!normal.empty() && answer.names.size() < kMaxAddresses) answer.names.push_back(normal);
  }
  return answer;
}

TlsaAnswer MakeTlsaAnswer(const DnsRecords& tlsa) {
  TlsaAnswer answer;
  answer.status = tlsa.status;
  answer.is_secure = tlsa.is_secure;
  answer.ttl = tlsa.ttl;
  answer.detail = tlsa.detail;
  for (const std::string& data : tlsa.data) {
    // One that is cut off is a record all the same, and not a usable one.
    answer.records.push_back(ParseTlsa(data).value_or(TlsaRecord()));
  }
  return answer;
}

std::vector<MxHost> OrderMxHosts(std::vector<MxHost> hosts,
                                 const std::function<size_t(size_t)>& random) {
  std::ranges::stable_sort(hosts, {}, &MxHost::preference);
  for (size_t begin = 0; begin < hosts.size();) {
    size_t end = begin + 1;
    while (end < hosts.size() && hosts[end].preference == hosts[begin].preference) {
      ++end;
    }
    for (size_t left = end - begin; left > 1; --left) {
      std::swap(hosts[begin + left - 1], hosts[begin + random(left)]);
    }
    begin = end;
  }
  return hosts;
}

}  // namespace sluice
