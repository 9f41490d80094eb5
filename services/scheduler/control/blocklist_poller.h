// Asks DNS blocklists about our sources and sending domains. A zone is believed only while its self-test holds.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "policy/blocklist.h"
#include "scheduler/control/dns_questions.h"
#include "scheduler/control/poll_schedule.h"
#include "scheduler/control/poller.h"

namespace sluice::scheduler {

struct BlocklistOptions {
  Duration every = std::chrono::minutes(15);
  uint64_t seed = 0;
  Duration test_every = std::chrono::hours(1);
  ConfirmationRules confirmation;
  std::vector<std::string> on, off;         // Zones beside, or not of, those that are shipped as on.
  std::map<std::string, std::string> keys;  // Zone → key; such a zone is on.
  bool ask_for_every_address = false;       // Also those that the world cannot know: a resolver of one's own is configured.
};

// Lines `zone key`; `#` begins a comment. The error names the line, never the key.
absl::StatusOr<std::map<std::string, std::string>> ReadBlocklistKeys(const std::string& path);

class BlocklistPoller final : public Poller {
 public:
  BlocklistPoller(BlocklistOptions options, Resolver& resolver, const Logger& log);
  void Poll(const PolicyDocument& policy, SignalKeeper& signals, Instant now) override;
  bool Keeps(const PolicyDocument& policy, const SignalKey& key) const override;

 private:
  struct Zone {
    const Blocklist* list = nullptr;
    std::string suffix;  // With the key.
    bool is_trusted = false;
    PollSchedule schedule;
    Instant test_at{};
  };
  bool Test(Zone& zone, SignalKeeper& signals, Instant now);
  void Ask(Zone& zone, const std::vector<SignalKey>& subjects, const std::vector<std::string>& names, SignalKeeper& signals,
           Instant now);
  std::vector<std::pair<SignalKey, std::string>> Subjects(const Zone& zone, const PolicyDocument& policy) const;

  const BlocklistOptions options_;
  DnsQuestions dns_;
  std::vector<Zone> zones_;
};

}  // namespace sluice::scheduler
