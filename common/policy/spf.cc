#include "policy/spf.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/text.h"

namespace sluice {
namespace {

constexpr int kMostLookups = 10;  // RFC 7208 §4.6.4.
constexpr size_t kMostTerms = 200, kMostMx = 10;

struct Address {
  std::array<uint8_t, 16> bytes{};
  int bits = 0;  // 32 or 128; 0 = none.
};

Address ParseAddress(std::string_view text) {
  Address out;
  const std::string copy(text);
  if (inet_pton(AF_INET, copy.c_str(), out.bytes.data()) == 1) out.bits = 32;
  else if (inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) == 1) out.bits = 128;
  return out;
}

bool IsWithin(const Address& address, const Address& net, int length) {
  if (address.bits == 0 || address.bits != net.bits || length < 0 || length > net.bits) return false;
  for (int bit = 0; bit < length; ++bit) {
    const uint8_t mask = static_cast<uint8_t>(0x80 >> bit % 8);
    if ((address.bytes[static_cast<size_t>(bit / 8)] & mask) != (net.bytes[static_cast<size_t>(bit / 8)] & mask)) return false;
  }
  return true;
}

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::vector<std::string_view> Terms(std::string_view record) {
  std::vector<std::string_view> out;
  while (!record.empty() && out.size() < kMostTerms) {
    const size_t end = std::min(record.find(' '), record.size());
    if (end > 0) out.push_back(record.substr(0, end));
    record.remove_prefix(std::min(end + 1, record.size()));
  }
  return out;
}

// One evaluation; lookups count over includes and redirects.
class Evaluation {
 public:
  Evaluation(std::string_view address, const SpfLookups& lookups)
      : text_(address), address_(ParseAddress(address)), lookups_(lookups) {}

  SpfAnswer Check(const std::string& domain) {
    const auto texts = lookups_.texts(domain);
    if (!texts) return {SpfResult::kCannotTell, Cat("no answer for TXT of ", domain), {}};
    std::vector<std::string> records;
    for (const std::string& text : *texts) {
      const std::string lower = Lower(text.substr(0, 7));
      if (lower == "v=spf1" || lower == "v=spf1 ") records.push_back(text);
    }
    if (records.empty()) return {SpfResult::kNone, Cat(domain, " has no SPF record"), {}};
    if (records.size() > 1) return {SpfResult::kBroken, Cat(domain, " has more than one SPF record"), {}};
    SpfAnswer out = Evaluate(domain, records[0]);
    out.record = records[0];
    return out;
  }

 private:
  SpfAnswer Evaluate(const std::string& domain, std::string_view record) {
    std::string redirect;
    for (std::string_view term : Terms(record.substr(6))) {
      const std::string lower = Lower(term);
      if (lower.starts_with("redirect=")) {
        redirect = term.substr(9);
        continue;
      }
      if (lower.find('=') != std::string::npos && lower.find('=') < lower.find_first_of(":/")) continue;  // Another modifier.
      const bool passes = std::string_view("-~?").find(term.front()) == std::string_view::npos;
      if (std::string_view("+-~?").find(term.front()) != std::string_view::npos) term.remove_prefix(1);
      const SpfResult matches = Matches(domain, term);
      if (matches == SpfResult::kPass) return {passes ? SpfResult::kPass : SpfResult::kNotPass, Cat(domain, ": ", lower), {}};
      if (matches != SpfResult::kNotPass) return {matches, Cat(domain, ": ", lower), {}};
    }
    if (redirect.empty()) return {SpfResult::kNotPass, Cat(domain, ": nothing matches"), {}};
    const auto target = Expand(redirect, domain);
    if (!target) return {SpfResult::kCannotTell, Cat(domain, ": redirect=", redirect), {}};
    if (++lookup_count_ > kMostLookups) return TooMany(domain);
    SpfAnswer out = Check(*target);
    if (out.result == SpfResult::kNone) out.result = SpfResult::kBroken;
    return out;
  }

  static SpfAnswer TooMany(const std::string& domain) {
    return {SpfResult::kBroken, Cat(domain, " takes more than ", kMostLookups, " lookups"), {}};
  }

  // kPass: this mechanism is about the address; kNotPass: it is not.
  SpfResult Matches(const std::string& domain, std::string_view mechanism) {
    const size_t cut = std::min(mechanism.find_first_of(":/"), mechanism.size());
    const std::string name = Lower(mechanism.substr(0, cut));
    std::string_view rest = mechanism.substr(cut);
    if (name == "all") return SpfResult::kPass;
    if (name == "ip4" || name == "ip6") return rest.starts_with(":") ? MatchNet(rest.substr(1)) : SpfResult::kBroken;
    if (name != "include" && name != "a" && name != "mx" && name != "exists" && name != "ptr") return SpfResult::kBroken;
    if (++lookup_count_ > kMostLookups) return SpfResult::kBroken;
    // Nobody should use it, and receivers need not look.
    if (name == "ptr") return SpfResult::kNotPass;
    std::string_view lengths;
    if (name == "a" || name == "mx") {
      const size_t slash = std::min(rest.find('/'), rest.size());
      lengths = rest.substr(slash);
      rest = rest.substr(0, slash);
    }
    const auto target = rest.starts_with(":") ? Expand(rest.substr(1), domain) : std::optional(domain);
    if (!target) return SpfResult::kCannotTell;
    if (name == "include") return Include(*target);
    if (name == "exists") return Exists(*target);
    return name == "a" ? MatchHosts({*target}, lengths) : MatchMx(*target, lengths);
  }

  SpfResult MatchNet(std::string_view text) {
    const size_t slash = std::min(text.find('/'), text.size());
    const Address net = ParseAddress(text.substr(0, slash));
    if (net.bits == 0) return SpfResult::kBroken;
    int length = net.bits;
    if (slash < text.size() && !ParseLength(text.substr(slash + 1), length)) return SpfResult::kBroken;
    return IsWithin(address_, net, length) ? SpfResult::kPass : SpfResult::kNotPass;
  }

  static bool ParseLength(std::string_view text, int& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
  }

  SpfResult Include(const std::string& target) {
    const SpfAnswer inner = Check(target);
    return inner.result == SpfResult::kNone ? SpfResult::kBroken : inner.result;
  }

  SpfResult Exists(const std::string& target) {
    const auto addresses = lookups_.addresses(target);
    if (!addresses) return SpfResult::kCannotTell;
    return addresses->empty() ? SpfResult::kNotPass : SpfResult::kPass;
  }

  SpfResult MatchMx(const std::string& target, std::string_view lengths) {
    auto hosts = lookups_.mx_hosts(target);
    if (!hosts) return SpfResult::kCannotTell;
    if (hosts->size() > kMostMx) return SpfResult::kBroken;
    return MatchHosts(*hosts, lengths);
  }

  // `lengths` is "", "/24", "//64" or "/24//64".
  SpfResult MatchHosts(const std::vector<std::string>& hosts, std::string_view lengths) {
    int length = address_.bits;
    const size_t six = std::min(lengths.find("//"), lengths.size());
    const std::string_view part = address_.bits == 32 ? lengths.substr(0, six) : lengths.substr(six);
    const size_t digits = std::min(part.find_first_not_of('/'), part.size());
    if (!part.empty() && !ParseLength(part.substr(digits), length)) return SpfResult::kBroken;
    for (const std::string& host : hosts) {
      const auto addresses = lookups_.addresses(host);
      if (!addresses) return SpfResult::kCannotTell;
      for (const std::string& one : *addresses) {
        if (IsWithin(address_, ParseAddress(one), length)) return SpfResult::kPass;
      }
    }
    return SpfResult::kNotPass;
  }

  // Macros that are the same for every message; absent for those that are not.
  std::optional<std::string> Expand(std::string_view spec, const std::string& domain) const {
    std::string out;
    while (!spec.empty()) {
      if (spec.front() != '%') {
        out += spec.front();
        spec.remove_prefix(1);
        continue;
      }
      const size_t end = spec.find('}');
      if (end == std::string_view::npos || spec.size() < 3 || spec[1] != '{') return std::nullopt;
      const std::string macro = Lower(spec.substr(2, end - 2));
      if (macro == "i" && address_.bits == 32) out += text_;
      else if (macro == "ir" && address_.bits == 32) out += Reversed();
      else if (macro == "d") out += domain;
      else if (macro == "v") out += address_.bits == 32 ? "in-addr" : "ip6";
      else return std::nullopt;
      spec.remove_prefix(end + 1);
    }
    return Lower(out);
  }

  std::string Reversed() const {
    const auto& b = address_.bytes;
    return Cat(int{b[3]}, ".", int{b[2]}, ".", int{b[1]}, ".", int{b[0]});
  }

  const std::string text_;
  const Address address_;
  const SpfLookups& lookups_;
  int lookup_count_ = 0;
};

}  // namespace

SpfAnswer CheckSpf(std::string_view address, const std::string& domain, const SpfLookups& lookups) {
  return Evaluation(address, lookups).Check(domain);
}

}  // namespace sluice
