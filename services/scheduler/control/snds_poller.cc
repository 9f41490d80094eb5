#include "scheduler/control/snds_poller.h"

#include <cstdio>
#include <fstream>

#include "base/status.h"
#include "base/text.h"
#include "policy/health.h"
#include "policy/snds_report.h"

namespace sluice::scheduler {
namespace {

constexpr const char* kProvider = "ms-consumer";
constexpr const char *kData = "snds", *kStatus = "snds status", *kComplaints = "snds complaints", *kTraps = "snds traps";
constexpr auto kLapse = std::chrono::hours(24 * 7);
constexpr int kUnauthorized = 401, kNotFound = 404;

// Of the report itself: no source.
SignalKey Whole(const char* name) { return {.provider = kProvider, .name = name}; }

std::string Percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", share * 100);
  return text;
}

// Judged by the rules that the policy leaves in force.
void Say(SignalKeeper& signals, const std::vector<HealthRule>& rules, const SourcePolicy& source, const char* name, SignalAnswer answer) {
  if (!answer.word.empty()) answer.verdict = VerdictOf(rules, {.word = answer.word, .amount = answer.amount});
  signals.Report({.source = source.name, .provider = kProvider, .name = name}, std::move(answer));
}

void ReportRow(SignalKeeper& signals, const std::vector<HealthRule>& rules, const SourcePolicy& source, const SndsRow& row) {
  const std::string behind = Cat(row.messages, " messages, ", row.recipients, " recipients, ", row.period);
  const char* word = row.filter == "RED" ? "snds_red" : row.filter == "YELLOW" ? "snds_yellow" : "";
  if (!row.filter.empty()) Say(signals, rules, source, kData, {.word = word, .value = row.filter, .detail = behind});
  // Not said is not zero.
  if (row.complaint_rate) {
    Say(signals, rules, source, kComplaints,
           {.word = "snds_complaints", .value = Percent(*row.complaint_rate), .detail = behind, .amount = *row.complaint_rate});
  }
  Say(signals, rules, source, kTraps, {.word = row.traps > 0 ? "snds_traps" : "", .value = Cat(row.traps), .detail = behind});
}

}  // namespace

bool SndsPoller::Keeps(const PolicyDocument& policy, const SignalKey& key) const {
  const bool is_ours = key.name == kData || key.name == kStatus || key.name == kComplaints || key.name == kTraps;
  return is_ours && (key.source.empty() || FindSource(policy, key.source) != nullptr);
}

absl::StatusOr<HttpQuestion> SndsPoller::Question(Report report) {
  if (tokens_ != nullptr) {
    HttpQuestion question{.url = Cat(options_.url, report == Report::kStatus ? "/api/report/status/ip" : "/api/report/data")};
    ASSIGN_OR_RETURN(question.headers.emplace_back(), tokens_->Header());
    return question;
  }
  std::ifstream file(options_.links_file);
  std::string data, status;
  if (!std::getline(file, data) || !std::getline(file, status)) {
    return absl::NotFoundError(Cat(options_.links_file, " must hold two lines: the data link and the status link"));
  }
  std::string& url = report == Report::kStatus ? status : data;
  if (url.ends_with('\r')) url.pop_back();
  return HttpQuestion{.url = std::move(url)};
}

absl::StatusOr<std::string> SndsPoller::Get(Report report) {
  ASSIGN_OR_RETURN(const HttpQuestion question, Question(report));
  HttpsAnswer answer = ask_(question);
  if (answer.code == kUnauthorized && tokens_ != nullptr) tokens_->Forget();
  if (answer.code == kNotFound) {
    return absl::NotFoundError(tokens_ != nullptr ? "404: no data"
                                                  : "404: no data, or the link has expired (30 days after it was made)");
  }
  if (!answer.status.ok()) return answer.status;
  return std::move(answer.body);
}

absl::Status SndsPoller::TakeData(const PolicyDocument& policy, const std::string& text, SignalKeeper& signals) {
  ASSIGN_OR_RETURN(const auto rows, ParseSndsReport(text));
  signals.Report(Whole(kData), {.value = Cat(rows.size(), " rows"), .raw = text});
  const auto rules = HealthRulesOf(policy.health);
  // A source without a row had too little mail: what was known stays until it lapses.
  for (const SourcePolicy& source : policy.sources) {
    if (const auto row = SumUp(rows, source.address)) ReportRow(signals, rules, source, *row);
  }
  return absl::OkStatus();
}

absl::Status SndsPoller::TakeStatus(const PolicyDocument& policy, const std::string& text, SignalKeeper& signals) {
  ASSIGN_OR_RETURN(const auto blocks, ParseSndsStatus(text));
  signals.Report(Whole(kStatus), {.value = Cat(blocks.size(), " ranges"), .raw = text});
  const auto rules = HealthRulesOf(policy.health);
  for (const SourcePolicy& source : policy.sources) {
    const SndsBlock* block = FindSndsBlock(blocks, source.address);
    // What is in no range is not blocked: the report names those that are.
    if (block == nullptr || !block->is_blocked) {
      Say(signals, rules, source, kStatus, {.value = "not blocked"});
    } else {
      Say(signals, rules, source, kStatus, {.word = "snds_blocked", .value = "blocked", .detail = block->reason});
    }
  }
  return absl::OkStatus();
}

void SndsPoller::Poll(const PolicyDocument& policy, SignalKeeper& signals, Instant now) {
  if (const auto* known = signals.Find(Whole(kStatus)); known != nullptr && !known->failed_at) schedule_.Resume(known->checked_at);
  if (!schedule_.IsDue(now)) return;
  bool all = true;
  for (const Report report : {Report::kData, Report::kStatus}) {
    const auto text = Get(report);
    absl::Status status = text.status();
    if (absl::IsCancelled(status)) return;
    if (text.ok()) status = report == Report::kStatus ? TakeStatus(policy, *text, signals) : TakeData(policy, *text, signals);
    if (!status.ok()) signals.Fail(Whole(report == Report::kStatus ? kStatus : kData), View(status.message()));
    all = all && status.ok();
  }
  signals.Lapse(kProvider, kLapse);
  all ? schedule_.Succeeded(now) : schedule_.Failed(now);
}

}  // namespace sluice::scheduler
