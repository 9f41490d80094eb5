#include "scheduler/control/postmaster_poller.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "base/text.h"
#include "policy/postmaster_summary.h"

namespace sluice::scheduler {
namespace {

constexpr const char* kProvider = "google";
constexpr std::string_view kName = "postmaster";
constexpr auto kDays = std::chrono::hours(24 * 7);     // Asked about …
constexpr auto kLapse = std::chrono::hours(24 * 14);   // … and remembered.
constexpr int kMostPages = 20;
constexpr size_t kDomainsAtOnce = 5;
constexpr size_t kMostLoops = 50, kLoopsAtOnce = 10, kLoopsShown = 10;  // Of a domain, of a question, of those shown.
constexpr int kUnauthorized = 401, kForbidden = 403, kNotFound = 404;

// `postmaster spam_rate` of a domain; `postmaster`: of the answer as a whole; without domain: of the round.
SignalKey Key(const std::string& domain, std::string_view metric) {
  return {.sender_domain = domain, .provider = kProvider, .name = metric.empty() ? std::string(kName) : Cat(kName, " ", metric)};
}

SignalAnswer WithVerdict(const std::vector<HealthRule>& rules, SignalAnswer answer) {
  if (!answer.word.empty()) answer.verdict = VerdictOf(rules, {.word = answer.word, .amount = answer.amount});
  return answer;
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
    SignalAnswer answer{.word = metric.word, .value = SharePercent(latest->value), .detail = Cat("of ", latest->date)};
    answer.amount = std::clamp(metric.is_success ? 1 - latest->value : latest->value, 0.0, 1.0);
    signals.Report(Key(domain, metric.name), WithVerdict(rules, std::move(answer)));
  }
}

// The first is what is worst.
SignalAnswer OfLoops(const std::vector<PostmasterLoop>& loops) {
  const PostmasterLoop& worst = loops.front();
  SignalAnswer out{.word = "google_loop_spam_rate", .value = Cat(worst.id, " ", SharePercent(worst.spam_rate)),
                   .detail = Cat("of ", worst.date), .amount = worst.spam_rate};
  for (size_t i = 1; i < std::min(loops.size(), kLoopsShown); ++i) {
    Append(out.detail, i == 1 ? "; then " : ", ", loops[i].id, " ", SharePercent(loops[i].spam_rate));
  }
  return out;
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

absl::StatusOr<PostmasterPoller::Answer> PostmasterPoller::AskStats(const std::string& domain, std::span<const PostmasterMetric> metrics,
                                                                    Instant now) {
  Answer all;
  for (int page = 0; page < kMostPages; ++page) {
    ASSIGN_OR_RETURN(const std::string text, Ask(Cat("/v2/domains/", domain, "/domainStats:query"),
                                                 PostmasterQuestion(metrics, now - kDays, now, all.stats.next_page_token)));
    ASSIGN_OR_RETURN(PostmasterStats stats, ParsePostmasterStats(text));
    if (all.raw.empty()) all.raw = text;
    all.stats.values.insert(all.stats.values.end(), stats.values.begin(), stats.values.end());
    all.stats.lists.insert(all.stats.lists.end(), stats.lists.begin(), stats.lists.end());
    all.stats.gaps += stats.gaps;
    all.stats.next_page_token = stats.next_page_token;
    if (all.stats.next_page_token.empty()) break;
  }
  return all;
}

absl::Status PostmasterPoller::AskRates(const Subject& of) {
  ASSIGN_OR_RETURN(Answer answer, AskStats(of.domain, PostmasterRates(), of.now));
  SignalAnswer whole{.value = Cat(answer.stats.values.size(), " values, ", answer.stats.gaps, " gaps"), .raw = std::move(answer.raw)};
  if (answer.stats.values.empty()) whole.detail = "no data in a week: too little mail to Gmail, which is no zero";
  of.signals.Report(Key(of.domain, ""), std::move(whole));
  ReportStats(of.signals, of.rules, of.domain, answer.stats);
  return absl::OkStatus();
}

absl::Status PostmasterPoller::AskErrors(const Subject& of) {
  ASSIGN_OR_RETURN(const Answer answer, AskStats(of.domain, PostmasterErrors(), of.now));
  for (const auto& [kind, word] : {std::pair("rejected", "google_rejects"), std::pair("deferred", "")}) {
    const auto day = LatestPostmasterErrors(answer.stats, kind);
    if (!day) continue;
    SignalAnswer told{.word = word, .value = SharePercent(day->share), .detail = Cat("of ", day->date), .raw = answer.raw, .amount = day->surely};
    if (day->count) Append(told.value, ", ", *day->count, " messages");
    if (!day->reasons.empty()) Append(told.detail, "; ", day->reasons);
    of.signals.Report(Key(of.domain, kind), WithVerdict(of.rules, std::move(told)));
  }
  return absl::OkStatus();
}

absl::Status PostmasterPoller::AskLoops(const Subject& of) {
  ASSIGN_OR_RETURN(const Answer named, AskStats(of.domain, PostmasterLoopIds(), of.now));
  const std::vector<std::string> ids = PostmasterLoopIdsOf(named.stats, kMostLoops);
  std::vector<PostmasterLoop> loops;
  std::string raw;
  for (size_t at = 0; at < ids.size(); at += kLoopsAtOnce) {
    const auto asked = std::span(ids).subspan(at, std::min(kLoopsAtOnce, ids.size() - at));
    ASSIGN_OR_RETURN(const Answer answer, AskStats(of.domain, PostmasterLoopRates(asked), of.now));
    const auto found = PostmasterLoopsOf(answer.stats, asked);
    loops.insert(loops.end(), found.begin(), found.end());
    if (raw.empty()) raw = answer.raw;
  }
  if (loops.empty()) return absl::OkStatus();
  std::stable_sort(loops.begin(), loops.end(), [](const auto& a, const auto& b) { return a.spam_rate > b.spam_rate; });
  SignalAnswer told = OfLoops(loops);
  told.raw = std::move(raw);
  of.signals.Report(Key(of.domain, "loops"), WithVerdict(of.rules, std::move(told)));
  return absl::OkStatus();
}

absl::Status PostmasterPoller::AskCompliance(const Subject& of) {
  ASSIGN_OR_RETURN(const std::string text, Ask(Cat("/v2/domains/", of.domain, "/complianceStatus"), std::nullopt));
  ASSIGN_OR_RETURN(const auto unmet, ParsePostmasterCompliance(text));
  SignalAnswer answer{.value = unmet.empty() ? "compliant" : Cat(unmet.size(), " requirements not met"), .raw = text};
  for (const PostmasterRequirement& one : unmet) Append(answer.detail, answer.detail.empty() ? "" : ", ", one.name, " ", one.status);
  if (!unmet.empty()) answer.word = "google_compliance";
  of.signals.Report(Key(of.domain, "compliance"), WithVerdict(of.rules, std::move(answer)));
  return absl::OkStatus();
}

absl::Status PostmasterPoller::AskDomain(const Subject& of) {
  struct Part {
    absl::Status (PostmasterPoller::*ask)(const Subject&);
    const char* what;
  };
  static constexpr std::array<Part, 3> kParts = {
      {{&PostmasterPoller::AskRates, ""}, {&PostmasterPoller::AskErrors, "delivery errors: "}, {&PostmasterPoller::AskLoops, "feedback loops: "}}};
  std::string failure;
  for (const Part& part : kParts) {
    const absl::Status status = (this->*part.ask)(of);
    if (absl::IsCancelled(status) || absl::IsUnauthenticated(status)) return status;
    if (!status.ok() && failure.empty()) failure = Cat(part.what, View(status.message()));
    if (absl::IsPermissionDenied(status)) break;  // Nor would the others be answered.
  }
  if (!failure.empty()) of.signals.Fail(Key(of.domain, ""), failure);
  const absl::Status compliance = AskCompliance(of);
  if (absl::IsCancelled(compliance) || absl::IsUnauthenticated(compliance)) return compliance;
  if (!compliance.ok()) of.signals.Fail(Key(of.domain, "compliance"), View(compliance.message()));
  ++(failure.empty() && compliance.ok() ? answered_ : refused_);
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
  const std::vector<HealthRule> rules = HealthRulesOf(policy.health);
  for (size_t i = 0; i < kDomainsAtOnce && !waiting_.empty(); ++i) {
    const absl::Status status = AskDomain({.rules = rules, .domain = waiting_.front(), .signals = signals, .now = now});
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
