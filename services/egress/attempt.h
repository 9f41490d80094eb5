// The end of an attempt: facts in; verdict, report, one line of the delivery log and the counters
// out. The one place where an outcome becomes a disposition.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "egress/surroundings.h"
#include "egress/work.h"

namespace sluice::egress {

// What was seen of one attempt. Views live during Conclude.
struct AttemptFacts {
  Stage stage = Stage::kLocal;
  SmtpReply reply;
  bool is_delivered = false;
  bool is_unknown_after_dot = false;
  std::string_view mx_host = {}, mx_address = {};
  const TlsFacts* tls = nullptr;  // null: plain text
  Instant started_at{};
  Duration duration{0};
  StageTimes times = {};
};

// What an attempt says about the way it took.
struct Concluded {
  bool is_delivered = false;
  // A throttling reply that means our address: it is too fast.
  bool is_throttled = false;
  std::string reply = {};  // for people; of a refusal
  std::vector<Reaction> reactions = {};
};
// What was known before.
struct Pace {
  double taken = 0;    // messages a second that the provider took lately
  bool counts = true;  // false: one more recipient of a transaction that was refused as a whole
  SiteName site = {};  // empty: limits are counted for the provider
};
// `entry` must be begun; it is reported and done with.
Concluded Conclude(const Surroundings& around, AttemptCounters& counters, const Entry& entry, AttemptFacts facts,
                   const Pace& pace);
// Gives an entry that was not begun back.
void GiveBack(const Surroundings& around, const Entry& entry, ReturnReason reason,
              std::string detail = {});

}  // namespace sluice::egress
