// The end of an attempt: facts in; verdict, report, one line of the delivery log and the counters
// out. The one place where an outcome becomes a disposition.
#pragma once

#include <string_view>

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

// `entry` must be begun; it is reported and done with.
void Conclude(const Surroundings& around, AttemptCounters& counters, const Entry& entry,
              AttemptFacts facts);
// Gives an entry that was not begun back.
void GiveBack(const Surroundings& around, const Entry& entry, ReturnReason reason,
              std::string detail = {});

}  // namespace sluice::egress
