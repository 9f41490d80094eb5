// What egress works on, as values: an entry on loan from a scheduler, and the two ways it goes back
// (a report after an attempt, a return without one). No proto and no socket in here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "egress/content.h"
#include "egress/session.h"
#include "mail/disposition.h"
#include "mail/ids.h"
#include "mail/policy_document.h"
#include "mail/smtp_reply.h"
#include "mail/stage_times.h"

namespace sluice::egress {

struct DomainTls;

// One release: one entry to be attempted once. Moved from hand to hand, never copied.
struct Entry {
  QueueEntryId id;
  MessageId message;
  uint64_t attempt_id = 0;
  int attempt = 1;
  std::string recipient;
  bool has_utf8_address = false;
  SourceName source;
  Provider provider;
  SiteName site;
  std::vector<std::string> mx_hosts;  // in the order to try
  std::shared_ptr<const SmartHostPolicy> smart_host;  // null: they are MX hosts
  bool is_high = false;
  Instant not_after{};
  std::map<std::string, std::string> merge_values;
  uint8_t dsn_notify = 0;  // bits of smtp/dsn_request.h
  TenantName tenant;
  StreamName stream;
  CampaignName campaign;
  PoolName pool;
  std::string traceparent;  // mail/trace_context.h; empty = none

  std::shared_ptr<Session> session;  // who lent it
  PinnedContent content;             // set before it reaches a ready queue
  std::shared_ptr<const DomainTls> tls;  // what the recipient's domain asks for; set before, too
  bool is_begun = false;             // TryBegin said yes: it ends in a report, whatever happens
  bool one_rcpt = false;             // stands on one warmup grant: a second RCPT needs another release
  bool is_rcpt_sent = false;         // an RCPT command went out, or was about to
  int stale_count = 0;  // connections that turned out to be closed when it was its turn

  std::string_view recipient_domain() const {
    return std::string_view(recipient).substr(recipient.rfind('@') + 1);
  }
};
using EntryPtr = std::unique_ptr<Entry>;

// One finished attempt; mirrors AttemptReport. Immutable once made: streams share it until it is
// acknowledged.
struct Report {
  QueueEntryId entry;
  MessageId message;
  uint64_t attempt_id = 0;
  int attempt = 1;
  Disposition disposition = Disposition::kDeferred;
  Stage stage = Stage::kLocal;
  ReplyClass reply_class = ReplyClass::kNone;
  std::string reply_rule;    // that judged it; empty when delivered
  Duration retry_after{0};   // the peer, or the rule, says when to try again; 0 = as scheduled
  SmtpReply reply;
  SourceName source;
  std::string mx_host;
  std::string mx_address;
  std::string tls_version;  // empty = plain text
  std::string tls_cipher;
  bool tls_verified = false;
  std::string tls_detail;  // why not
  Instant started_at{};
  Duration duration{0};
  StageTimes times;
  bool possible_duplicate = false;
  bool rcpt_sent = false;
};
using ReportPtr = std::shared_ptr<const Report>;

// Why an entry goes back without an attempt; the names are those of the wire.
enum class ReturnReason : uint8_t { kDrain, kRecall, kLease, kSourceLost, kContent, kKey, kLimit };
std::string_view ToString(ReturnReason reason);

struct Return {
  QueueEntryId entry;
  uint64_t attempt_id = 0;
  ReturnReason reason = ReturnReason::kLease;
  std::string detail = {};  // for people
};

}  // namespace sluice::egress
