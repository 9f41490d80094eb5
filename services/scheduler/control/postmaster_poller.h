// Google Postmaster Tools v2: spam rate, authentication, TLS, delivery errors, feedback loops and compliance of each sending domain, as
// Gmail sees them. The parts of a domain fail one by one.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>

#include "policy/health.h"
#include "policy/postmaster_stats.h"
#include "scheduler/control/oauth.h"
#include "scheduler/control/poll_schedule.h"
#include "scheduler/control/poller.h"

namespace sluice::scheduler {

struct PostmasterOptions {
  Duration every = std::chrono::hours(24);
  std::string url = {};
  uint64_t seed = 0;
};

class PostmasterPoller final : public Poller {
 public:
  PostmasterPoller(PostmasterOptions options, std::unique_ptr<OauthTokenSource> tokens, AskHttp ask)
      : options_(std::move(options)), tokens_(std::move(tokens)), ask_(std::move(ask)), schedule_(options_.every, options_.seed) {}
  // A few domains at a time, so that nobody waits for ten thousand.
  void Poll(const PolicyDocument& policy, SignalKeeper& signals, Instant now) override;
  bool Keeps(const PolicyDocument& policy, const SignalKey& key) const override;

 private:
  absl::StatusOr<std::string> Ask(const std::string& path, std::optional<std::string> body);
  // Values of all pages, and the text of the first.
  struct Answer {
    PostmasterStats stats = {};
    std::string raw = {};
  };
  absl::StatusOr<Answer> AskStats(const std::string& domain, std::span<const PostmasterMetric> metrics, Instant now);
  // Each reports what it learns.
  struct Subject {
    const std::vector<HealthRule>& rules;
    const std::string& domain;
    SignalKeeper& signals;
    Instant now;
  };
  absl::Status AskRates(const Subject& of);
  absl::Status AskErrors(const Subject& of);
  absl::Status AskLoops(const Subject& of);
  absl::Status AskCompliance(const Subject& of);
  absl::Status AskDomain(const Subject& of);
  void EndRound(SignalKeeper& signals, Instant now);

  const PostmasterOptions options_;
  const std::unique_ptr<OauthTokenSource> tokens_;
  const AskHttp ask_;
  PollSchedule schedule_;
  // Of the round under way.
  std::deque<std::string> waiting_;
  int answered_ = 0, refused_ = 0;
};

}  // namespace sluice::scheduler
