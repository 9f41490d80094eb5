#include "scheduler/control/postmaster_poller.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/status.h"
#include "base/text.h"
#include "policy/health.h"

namespace sluice::scheduler {
namespace {

constexpr const char* kProvider = "google";
constexpr std::string_view kName = "postmaster";
constexpr auto kDays = std::chrono::hours(24 * 7);     // Asked about …
constexpr auto kLapse = std::chrono::hours(24 * 14);   // … and remembered.
constexpr int kMostPages = 20;
constexpr size_t kDomainsAtOnce = 5;
constexpr int kUnauthorized = 401, kForbidden = 403, kNotFound = 404;

// `postmaster spam_rate` of a domain; `postmaster`: of the answer as a whole; without domain: of the round.
SignalKey Key(const std::string& domain, std::string_view metric) {
  return {.sender_domain = domain, .provider = kProvider, .name = metric.empty() ? std::string(kName) : Cat(kName, " ", metric)};
}

std::string Percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", share * 100);
  return text;
}

struct Metric {
  const char* name;
  const char* word;        // Of an opinion; empty = it is only shown.
  bool is_success = false;  // The word is about what is lacking.
};
constexpr std::array<Metric, 5> kMetrics = {
    {{"spam_rate", "google_spam_rate"}, {"spf", ""}, {"dkim", ""}, {"dmarc", "google_unauthenticated", true}, {"tls", ""}}};

// Of the latest day that has a value; a metric without one in a week stays as it was until it lapses.
void ReportStats(SignalKeeper& signals, const std::vector<HealthRule>& rules, const std::string& domain, const PostmasterStats& stats) {
  for (const Metric& metric : kMetrics) {
    const PostmasterValue* latest = LatestPostmasterValue(stats, metric.name);
    if (latest == nullptr) continue;
    SignalAnswer answer{.word = metric.word, .value = Percent(latest->value), .detail = Cat("of ", latest->date)};
    answer.amount = std::clamp(metric.is_success ? 1 - latest->value : latest->value, 0.0, 1.0);
    if (!answer.word.empty()) answer.verdict = VerdictOf(rules, {.word = answer.word, .amount = answer.amount});
    signals.Report(Key(domain, metric.name), std::move(answer));
  }
}

}  // namespace

bool PostmasterPoller::Keeps(const PolicyDocument& policy, const SignalKey& key) const {
  if (!key.name.starts_with(kName)) return false;
  const auto domains = SendingDomains(policy);
  return key.sender_domain.empty() || std::binary_search(domains.begin(), domains.end(), key.sender_domain);
}

// Unauthenticated: whatever is asked, it will not be answered.
absl::StatusOr<std::string> PostmasterPoller::Ask(const std::string& path, std::optional<std::string> body) {
  const auto header = tokens_->Header();
  if (absl::IsCancelled(header.status())) return header.status();
  if (!header.ok()) return absl::UnauthenticatedError(header.status().message());
  HttpsAnswer answer =
      ask_({.url = Cat(options_.url, path), .headers = {"Content-Type: application/json", *header}, .body = std::move(body)});
  if (answer.code == kUnauthorized) {
    tokens_->Forget();
    return absl::UnauthenticatedError("401: the access token is not taken");
  }
  if (answer.code == kForbidden || answer.code == kNotFound) {
    return absl::PermissionDeniedError(Cat(answer.code, ": the domain is not verified in Postmaster Tools, or this user may not see it"));
  }
  if (!answer.status.ok()) return answer.status;
  return std::move(answer.body);
}

absl::StatusOr<PostmasterStats> PostmasterPoller::AskStats(const std::string& domain, SignalKeeper& signals, Instant now) {
  PostmasterStats all;
  std::string raw;
  for (int page = 0; page < kMostPages; ++page) {
    ASSIGN_OR_RETURN(const std::string text,
                     Ask(Cat("/v2/domains/", domain, "/domainStats:query"), PostmasterQuestion(now - kDays, now, all.next_page_token)));
    ASSIGN_OR_RETURN(PostmasterStats stats, ParsePostmasterStats(text));
    if (raw.empty()) raw = text;
    all.values.insert(all.values.end(), stats.values.begin(), stats.values.end());
    all.gaps += stats.gaps;
    all.next_page_token = stats.next_page_token;
    if (all.next_page_token.empty()) break;
  }
  SignalAnswer whole{.value = Cat(all.values.size(), " values, ", all.gaps, " gaps"), .raw = std::move(raw)};
  if (all.values.empty()) whole.detail = "no data in a week: too little mail to Gmail, which is no zero";
  signals.Report(Key(domain, ""), std::move(whole));
  return all;
}

absl::Status PostmasterPoller::AskCompliance(const PolicyDocument& policy, const std::string& domain, SignalKeeper& signals) {
  ASSIGN_OR_RETURN(const std::string text, Ask(Cat("/v2/domains/", domain, "/complianceStatus"), std::nullopt));
  ASSIGN_OR_RETURN(const auto unmet, ParsePostmasterCompliance(text));
  SignalAnswer answer{.value = unmet.empty() ? "compliant" : Cat(unmet.size(), " requirements not met"), .raw = text};
  for (const PostmasterRequirement& one : unmet) Append(answer.detail, answer.detail.empty() ? "" : ", ", one.name, " ", one.status);
  if (!unmet.empty()) {
    answer.word = "google_compliance";
    answer.verdict = VerdictOf(HealthRulesOf(policy.health), {.word = answer.word});
  }
  signals.Report(Key(domain, "compliance"), std::move(answer));
  return absl::OkStatus();
}

absl::Status PostmasterPoller::AskDomain(const PolicyDocument& policy, const std::string& domain, SignalKeeper& signals, Instant now) {
  const auto stats = AskStats(domain, signals, now);
  if (absl::IsCancelled(stats.status()) || absl::IsUnauthenticated(stats.status())) return stats.status();
  if (stats.ok()) {
    ReportStats(signals, HealthRulesOf(policy.health), domain, *stats);
  } else {
    signals.Fail(Key(domain, ""), View(stats.status().message()));
  }
  const absl::Status compliance = AskCompliance(policy, domain, signals);
  if (absl::IsCancelled(compliance) || absl::IsUnauthenticated(compliance)) return compliance;
  if (!compliance.ok()) signals.Fail(Key(domain, "compliance"), View(compliance.message()));
  ++(stats.ok() && compliance.ok() ? answered_ : refused_);
  return absl::OkStatus();
}

void PostmasterPoller::EndRound(SignalKeeper& signals, Instant now) {
  const std::string value = Cat(answered_, " domains answered, ", refused_, " not");
  if (answered_ > 0 || refused_ == 0) {
    signals.Report(Key("", ""), {.value = value});
    schedule_.Succeeded(now);
  } else {
    signals.Fail(Key("", ""), value);
    schedule_.Failed(now);
  }
  signals.Lapse(kProvider, kLapse);
  answered_ = refused_ = 0;
}

void PostmasterPoller::Poll(const PolicyDocument& policy, SignalKeeper& signals, Instant now) {
  if (const auto* known = signals.Find(Key("", "")); known != nullptr && !known->failed_at) schedule_.Resume(known->checked_at);
  if (waiting_.empty()) {
    if (!schedule_.IsDue(now)) return;
    const auto domains = SendingDomains(policy);
    waiting_.assign(domains.begin(), domains.end());
  }
  for (size_t i = 0; i < kDomainsAtOnce && !waiting_.empty(); ++i) {
    const absl::Status status = AskDomain(policy, waiting_.front(), signals, now);
    if (absl::IsCancelled(status)) return;
    waiting_.pop_front();
    if (status.ok()) continue;
    // Nobody else would be answered either.
    signals.Fail(Key("", ""), View(status.message()));
    signals.Lapse(kProvider, kLapse);
    waiting_.clear();
    answered_ = refused_ = 0;
    schedule_.Failed(now);
    return;
  }
  if (waiting_.empty()) EndRound(signals, now);
}

}  // namespace sluice::scheduler
