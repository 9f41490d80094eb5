// Google Postmaster Tools v2: spam rate, authentication, TLS and compliance of each sending domain, as Gmail sees them.
#pragma once

#include <deque>
#include <memory>
#include <string>

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
  absl::Status AskDomain(const PolicyDocument& policy, const std::string& domain, SignalKeeper& signals, Instant now);
  absl::StatusOr<PostmasterStats> AskStats(const std::string& domain, SignalKeeper& signals, Instant now);
  absl::Status AskCompliance(const PolicyDocument& policy, const std::string& domain, SignalKeeper& signals);
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
