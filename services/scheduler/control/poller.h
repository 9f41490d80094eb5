// What the poll loop runs: each asks somebody outside about our sources and sending domains and reports to the signal keeper.
#pragma once

#include "base/clock.h"
#include "mail/policy_document.h"
#include "scheduler/control/signal_keeper.h"

namespace sluice::scheduler {

class Poller {
 public:
  virtual ~Poller() = default;
  // Asks what is due; may wait a while. A failure is reported, and changes nothing else.
  virtual void Poll(const PolicyDocument& policy, SignalKeeper& signals, Instant now) = 0;
  // Whether a signal of this name is (still) one that this poller keeps for the policy in force.
  virtual bool Keeps(const PolicyDocument& policy, const SignalKey& key) const = 0;
};

// Domains in From and MAIL FROM, each once, in order; at most 10,000.
std::vector<std::string> SendingDomains(const PolicyDocument& policy);

}  // namespace sluice::scheduler
