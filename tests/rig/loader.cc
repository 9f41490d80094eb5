#include "rig/loader.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/text.h"
#include "rig/content.h"
#include "sluice/v1/submission.pb.h"
#include "wire/status.h"

namespace sluice::rig {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(100);
constexpr Duration kSecond = std::chrono::seconds(1);
constexpr Duration kFinishPatience = std::chrono::seconds(10);

// What may pass: the same request with the same key is then sent again.
bool MayPass(absl::StatusCode code) {
  return code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kResourceExhausted ||
         code == absl::StatusCode::kAborted || code == absl::StatusCode::kDeadlineExceeded ||
         code == absl::StatusCode::kUnknown || code == absl::StatusCode::kInternal ||
         code == absl::StatusCode::kCancelled;
}

int64_t CpuMicros() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{1'000'000} * (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

}  // namespace

Loader::Loader(LoadOptions options, MessageMaker maker, const Clock& clock, uint64_t seed)
    : options_(std::move(options)), maker_(std::move(maker)), clock_(clock), random_(seed) {
  for (const auto& [name, share] : options_.streams) shares_ += share;
}

Loader::~Loader() = default;

absl::Status Loader::Open() {
  if (options_.tokens_file.empty()) return absl::OkStatus();
  tokens_.reset(std::fopen(options_.tokens_file.c_str(), "w"));
  if (tokens_) return absl::OkStatus();
  return absl::UnavailableError(Cat("cannot write ", options_.tokens_file));
}

bool Loader::Sending() const {
  if (stopped_ || !fatal_.ok()) return false;
  if (options_.messages > 0 && made_ >= options_.messages) return false;
  return options_.duration == Duration(0) || now_ - start_ < options_.duration;
}

absl::Status Loader::Run(LoadClient& client, const volatile sig_atomic_t& stop, bool progress) {
  const int64_t cpu = CpuMicros();
  start_ = last_answer_ = now_ = clock_.Steady();
  next_progress_ = start_ + kSecond;
  pacer_ = std::make_unique<Pacer>(options_.rate, start_);
  while (fatal_.ok() && (Sending() || unanswered_ > 0)) {
    stopped_ = stopped_ || stop != 0;
    if (stop > 1) break;
    SteadyInstant until = now_ + kTick;
    if (const auto at = pacer_->NextAt(); at && Sending()) until = std::min(until, *at);
    if (const auto at = retries_.NextAt()) until = std::min(until, *at);
    client.Run(std::max(now_, until));
    now_ = clock_.Steady();
    if (now_ < next_progress_) continue;
    if (progress) Progress();
    next_progress_ = now_ + kSecond;
    if (tokens_) std::fflush(tokens_.get());
  }
  if (fatal_.ok()) client.Finish(kFinishPatience);
  cpu_micros_ = CpuMicros() - cpu;
  if (tokens_ && std::fflush(tokens_.get()) != 0)
    return absl::DataLossError("the tokens file is not whole");
  return fatal_;
}

void Loader::NextFrame(std::vector<Pending>& frame) {
  now_ = clock_.Steady();
  while (frame.size() < options_.frame) {
    const auto retry = retries_.Take(now_);
    if (!retry) break;
    frame.push_back(*retry);
  }
  if (!Sending()) return;
  uint64_t room = options_.frame - frame.size();
  room = std::min(room, pacer_->Due(now_));
  room = std::min(room, options_.outstanding - std::min(options_.outstanding, unanswered_));
  if (options_.messages > 0) room = std::min(room, options_.messages - made_);
  pacer_->Took(room);
  const Instant wall = clock_.Now();
  for (uint64_t i = 0; i < room; ++i) {
    frame.push_back({.id = {made_++, wall}, .first_sent = now_});
  }
  unanswered_ += room;
}

const std::string& Loader::StreamOf(uint64_t number) const {
  uint64_t left = number % shares_;
  for (const auto& [name, share] : options_.streams) {
    if (left < share) return name;
    left -= share;
  }
  return options_.streams.back().first;
}

void Loader::Fill(Pending& pending, v1::Submission& submission) {
  if (pending.attempts++ > 0) ++retried_;
  const MessageShape& shape = maker_.shape();
  if (options_.idempotency) submission.set_idempotency_key(maker_.Token(pending.id));
  submission.set_stream(StreamOf(pending.id.number));
  submission.set_campaign(options_.campaign);
  if (!options_.no_return_path) submission.set_return_path(shape.from);
  maker_.Content(pending.id, *submission.mutable_content());
  const auto count = static_cast<int>(shape.recipients);
  while (submission.recipients_size() < count) submission.add_recipients();
  for (int i = 0; i < count; ++i) {
    maker_.Recipient(pending.id, static_cast<uint64_t>(i),
                     *submission.mutable_recipients(i)->mutable_address());
  }
  if (!tokens_) return;
  const XXH128_hash_t digest =
      XXH3_128bits(submission.content().data(), submission.content().size());
  pending.digest_high = digest.high64;
  pending.digest_low = digest.low64;
}

void Loader::OnOutcome(const Pending& pending, const v1::SubmitOutcome& outcome) {
  last_answer_ = now_ = clock_.Steady();
  if (outcome.has_result()) return OnAccepted(pending, outcome);
  const absl::Status error = wire::FromProto(outcome.error());
  if (MayPass(error.code())) return Retry(pending, wire::RetryDelayOf(error), error);
  NoteError(error);
  ++rejected_;
  --unanswered_;
}

void Loader::OnAccepted(const Pending& pending, const v1::SubmitOutcome& outcome) {
  latency_.Add(now_ - pending.first_sent);
  ++accepted_;
  --unanswered_;
  if (outcome.result().repeated()) ++repeated_;
  const auto refused = static_cast<uint64_t>(outcome.result().refused_size());
  recipients_refused_ += refused;
  recipients_accepted_ += maker_.shape().recipients - std::min(refused, maker_.shape().recipients);
  if (tokens_) WriteToken(pending, outcome);
}

// token, accepted recipients, size, digest; with tabs between.
void Loader::WriteToken(const Pending& pending, const v1::SubmitOutcome& outcome) {
  std::string line = Cat(maker_.Token(pending.id), "\t");
  bool first = true;
  for (uint64_t i = 0; i < maker_.shape().recipients; ++i) {
    const auto& refused = outcome.result().refused();
    const bool out = std::any_of(refused.begin(), refused.end(), [i](const auto& verdict) {
      return verdict.index() == static_cast<int>(i);
    });
    if (out) continue;
    maker_.Recipient(pending.id, i, line_);
    Append(line, first ? "" : ",", line_);
    first = false;
  }
  const XXH128_hash_t digest{pending.digest_low, pending.digest_high};
  Append(line, "\t", maker_.shape().size, "\t", DigestText(digest), "\n");
  if (std::fwrite(line.data(), 1, line.size(), tokens_.get()) != line.size()) {
    fatal_ = absl::DataLossError("the tokens file cannot be written");
  }
}

void Loader::OnLost(const Pending& pending) {
  Retry(pending, std::nullopt, absl::UnavailableError("the stream broke before the answer"));
}

void Loader::Retry(const Pending& pending, std::optional<Duration> asked, const absl::Status& why) {
  NoteError(why);
  now_ = clock_.Steady();
  if (now_ - pending.first_sent > options_.retry_for) {
    ++given_up_;
    --unanswered_;
    return;
  }
  retries_.Add(pending, now_ + Backoff(pending.attempts, asked, random_));
}

void Loader::OnFatal(const absl::Status& status) {
  NoteError(status);
  fatal_ = status;
}

void Loader::NoteError(const absl::Status& status) {
  ErrorNote& note = errors_[absl::StatusCodeToString(status.code())];
  ++note.count;
  if (note.sample.empty()) note.sample = std::string(View(status.message().substr(0, 300)));
}

double Loader::Seconds() const {
  return static_cast<double>((last_answer_ - start_).count()) / 1e6;
}

void Loader::Progress() {
  const uint64_t rate = accepted_ - accepted_at_progress_;
  accepted_at_progress_ = accepted_;
  std::fprintf(stderr,
               "%4llds accepted %llu (%llu/s) unanswered %llu waiting-to-retry %zu retried %llu "
               "rejected %llu "
               "p50 %.1f ms p99 %.1f ms\n",
               static_cast<long long>((now_ - start_).count() / 1'000'000),
               static_cast<unsigned long long>(accepted_), static_cast<unsigned long long>(rate),
               static_cast<unsigned long long>(unanswered_), retries_.size(),
               static_cast<unsigned long long>(retried_),
               static_cast<unsigned long long>(rejected_),
               static_cast<double>(latency_.Percentile(0.5).count()) / 1e3,
               static_cast<double>(latency_.Percentile(0.99).count()) / 1e3);
}

std::string Loader::Summary(const LoadClient& client) const {
  nlohmann::ordered_json errors = nlohmann::ordered_json::object();
  for (const auto& [code, note] : errors_)
    errors[code] = {{"count", note.count}, {"sample", note.sample}};
  const double seconds = std::max(1e-6, Seconds());
  const auto answered = static_cast<double>(std::max<uint64_t>(1, accepted_));
  const nlohmann::ordered_json json = {
      {"accepted", accepted_},
      {"rejected", rejected_},
      {"given_up", given_up_},
      {"unanswered", unanswered_},
      {"retried", retried_},
      {"repeated", repeated_},
      {"recipients_accepted", recipients_accepted_},
      {"recipients_refused", recipients_refused_},
      {"reconnects", client.reconnects()},
      {"seconds", seconds},
      {"messages_per_s", static_cast<double>(accepted_) / seconds},
      {"submit_p50_us", latency_.Percentile(0.5).count()},
      {"submit_p90_us", latency_.Percentile(0.9).count()},
      {"submit_p99_us", latency_.Percentile(0.99).count()},
      {"submit_max_us", latency_.max().count()},
      {"message_bytes", maker_.shape().size},
      {"compression_ratio_lz4", maker_.CompressionRatio(200)},
      {"cpu_us_per_message", static_cast<double>(cpu_micros_) / answered},
      {"errors", errors}};
  return json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

}  // namespace sluice::rig
