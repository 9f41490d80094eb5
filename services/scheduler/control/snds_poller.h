// Microsoft SNDS: what Outlook.com sees of our addresses, by the REST interface (OAuth) or by the automated links.
#pragma once

#include <memory>
#include <string>

#include "scheduler/control/oauth.h"
#include "scheduler/control/poll_schedule.h"
#include "scheduler/control/poller.h"

namespace sluice::scheduler {

struct SndsOptions {
  Duration every = std::chrono::hours(6);
  // Of the REST interface; with a token source.
  std::string url = {};
  // Instead: a file with the two automated links, data first, then status. Read each time.
  std::string links_file = {};
  uint64_t seed = 0;
};

class SndsPoller final : public Poller {
 public:
  // `tokens` null: by the links.
  SndsPoller(SndsOptions options, std::unique_ptr<OauthTokenSource> tokens, AskHttp ask)
      : options_(std::move(options)), tokens_(std::move(tokens)), ask_(std::move(ask)), schedule_(options_.every, options_.seed) {}
  void Poll(const PolicyDocument& policy, SignalKeeper& signals, Instant now) override;
  bool Keeps(const PolicyDocument& policy, const SignalKey& key) const override;

 private:
  enum class Report { kData, kStatus };
  absl::StatusOr<HttpQuestion> Question(Report report);
  absl::StatusOr<std::string> Get(Report report);
  absl::Status TakeData(const PolicyDocument& policy, const std::string& text, SignalKeeper& signals);
  absl::Status TakeStatus(const PolicyDocument& policy, const std::string& text, SignalKeeper& signals);

  const SndsOptions options_;
  const std::unique_ptr<OauthTokenSource> tokens_;
  const AskHttp ask_;
  PollSchedule schedule_;
};

}  // namespace sluice::scheduler
