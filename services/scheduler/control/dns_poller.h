// Looks at our own DNS as receivers do: forward-confirmed reverse DNS and the EHLO name of each source, SPF that covers each source for
// each sending domain, DMARC and DKIM records.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "policy/spf.h"
#include "scheduler/control/dns_questions.h"
#include "scheduler/control/poll_schedule.h"
#include "scheduler/control/poller.h"

namespace sluice::scheduler {

class DnsPoller final : public Poller {
 public:
  DnsPoller(Duration every, uint64_t seed, bool ask_for_every_address, Resolver& resolver)
      : schedule_(every, seed), ask_for_every_address_(ask_for_every_address), dns_(resolver) {}
  void Poll(const PolicyDocument& policy, SignalKeeper& signals, Instant now) override;
  bool Keeps(const PolicyDocument& policy, const SignalKey& key) const override;

 private:
  void CheckSource(const SourcePolicy& source, SignalKeeper& signals);
  void CheckSenderPolicy(const PolicyDocument& policy, const std::string& domain, SignalKeeper& signals);
  void CheckDmarc(const std::string& domain, SignalKeeper& signals);
  void CheckDkim(const DkimKey& key, SignalKeeper& signals);
  bool IsAsked(const SourcePolicy& source) const;
  SpfLookups Lookups();

  PollSchedule schedule_;
  const bool ask_for_every_address_;
  DnsQuestions dns_;
  // Of one round: what several sources ask alike.
  std::map<std::string, std::optional<std::vector<std::string>>> texts_, addresses_, mx_;
};

}  // namespace sluice::scheduler
