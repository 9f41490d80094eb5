#include "egress/tls_results.h"

#include <cstdio>
#include <utility>

#include "base/text.h"

namespace sluice::egress {
namespace {

std::string DayOf(Instant now) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(now));
  std::array<char, 16> text;
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02u", static_cast<int>(day.year()),
                static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
  return text.data();
}

std::string Join(const std::vector<std::string>& parts, char between) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += between;
    out += part;
  }
  return out;
}

// As RFC 8460 §4.2 wants the policy: the lines of the document.
std::string TextOf(const DomainTls& domain, TlsPolicyType type) {
  if (type != TlsPolicyType::kSts || domain.sts == nullptr || domain.sts->policy == nullptr) {
    return "";
  }
  const StsPolicy& policy = *domain.sts->policy;
  std::string text = Cat("version: STSv1\nmode: ", ToString(policy.mode));
  for (const std::string& mx : policy.mx) {
    if (text.size() + mx.size() > TlsResults::kMostTextBytes - 50) break;
    Append(text, "\nmx: ", mx);
  }
  return Cat(text, "\nmax_age: ", policy.max_age.count());
}

}  // namespace

void TlsResults::Add(const DomainTls& domain, TlsSession session, Instant now) {
  if (domain.report_to.empty()) return;
  TlsResult result;
  result.day = DayOf(now);
  result.domain = domain.domain;
  result.report_to = Join(domain.report_to, ' ').substr(0, kMostTextBytes);
  result.policy = session.policy;
  result.policy_text = TextOf(domain, session.policy);
  result.failure = session.failure;
  if (session.failure != TlsFailure::kNone) {
    result.source_address = std::move(session.source_address);
    result.mx_host = std::move(session.mx_host);
    result.mx_address = std::move(session.mx_address);
    result.detail = session.detail.substr(0, kMostDetailBytes);
  }
  const std::lock_guard lock(mutex_);
  if (const auto found = counts_.find(result); found != counts_.end()) {
    ++found->second;
  } else if (counts_.size() < kMostResults) {
    counts_.emplace(std::move(result), 1);
  }
}

std::vector<TlsResults::Counted> TlsResults::Take(size_t most) {
  std::vector<Counted> taken;
  const std::lock_guard lock(mutex_);
  while (!counts_.empty() && taken.size() < most) {
    auto node = counts_.extract(counts_.begin());
    taken.push_back({std::move(node.key()), node.mapped()});
  }
  return taken;
}

void TlsResults::GiveBack(std::vector<Counted> results) {
  const std::lock_guard lock(mutex_);
  for (Counted& counted : results) {
    if (counts_.size() >= kMostResults && !counts_.contains(counted.result)) continue;
    counts_[std::move(counted.result)] += counted.count;
  }
}

}  // namespace sluice::egress
