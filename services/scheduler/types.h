// What crosses the border of the scheduler's core: plain values, made by the service faces and the workers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "mail/policy_document.h"
#include "mail/signing_key.h"
#include "policy/automation.h"
#include "policy/shaping.h"

namespace sluice::scheduler {

// One stored content, shared by every entry of its message. Immutable.
struct Content {
  int64_t message_id = 0;
  std::string return_path, prepended_headers, data, dsn_envelope_id;
  int encoding = 1;  // sluice.v1.ContentEncoding
  int64_t size_bytes = 0;
  bool has_8bit = false, needs_smtputf8 = false, merge = false;
  int dsn_return = 0;
  size_t bytes() const { return data.size() + prepended_headers.size() + return_path.size() + 128; }
};

using MergeValues = std::vector<std::pair<std::string, std::string>>;

// What egress needs of one entry beyond the index.
struct EntryPayload {
  std::string recipient;
  MergeValues merge_values;
  std::vector<int> dsn_notify;
  std::string traceparent = {};  // mail/trace_context.h
};

// ---- intake -------------------------------------------------------------------------------------

struct HandedRecipient {
  std::string domain;
  EntryPayload payload;
  int engagement = 0;
};
struct HandedMessage {
  int64_t message_id = 0;
  int32_t part = 0;
  std::string tenant, stream, campaign, sender_domain, tags;
  int priority = 1;
  Instant accepted_at{}, due_at{}, expires_at{};
  std::shared_ptr<const Content> content;  // Null = left out.
  std::vector<HandedRecipient> recipients;
};
struct HandedBatch {
  int shard = 0;
  int64_t writer = 0, seq = 0;
  std::vector<HandedMessage> messages;
};

// ---- dispatch -----------------------------------------------------------------------------------

struct ReleasedEntry {
  int64_t entry_id = 0, message_id = 0, attempt_id = 0;
  int attempt = 1;
  EntryPayload payload;
  std::string source, provider, site, tenant, stream, campaign, pool;
  std::vector<std::string> mx_hosts;
  std::shared_ptr<const SmartHostPolicy> smart_host;  // Null = they are MX hosts.
  int priority = 1;
  Instant not_after{};
  bool one_rcpt = false;  // A grant covers one RCPT command.
};
struct DeliverBatch {
  std::vector<std::shared_ptr<const Content>> contents;
  std::vector<ReleasedEntry> releases;
  int64_t settled_through = -1;  // -1 = nothing new.
  std::vector<int64_t> not_owned;
  bool empty() const {
    return contents.empty() && releases.empty() && not_owned.empty() && settled_through < 0;
  }
};

// An entry as it was released.
struct RecalledEntry {
  int64_t entry_id = 0;
  int64_t attempt_id = 0;  // 0 = whichever.
  friend bool operator==(const RecalledEntry&, const RecalledEntry&) = default;
};

struct AssignedSource {
  std::string name, bind, ehlo;
  int64_t epoch = 0;
  std::string proxy = {};
  std::vector<std::string> pools;
  friend bool operator==(const AssignedSource&, const AssignedSource&) = default;
};

// What limits the sources of one egress, and what replies mean.
struct ShapingOrder {
  std::vector<PlacedRule> rules;
  std::vector<Constraint> constraints;
  std::vector<ReplyRule> reply_rules = {};
  std::vector<PlacedAutomation> automation = {};
  friend bool operator==(const ShapingOrder&, const ShapingOrder&) = default;
};

struct AttemptReport {
  int64_t entry_id = 0, message_id = 0, attempt_id = 0, number = 0;
  int attempt = 1;
  int disposition = 0;  // sluice.v1.Disposition
  std::string stage, source, mx_host, mx_address, enhanced_status, reply, reply_class, tls, times;
  int reply_code = 0;
  Instant started_at{};
  int64_t duration_micros = 0;
  bool possible_duplicate = false;
  Duration retry_after{};  // 0 = as scheduled.
  bool rcpt_sent = false;  // An RCPT command went out: its grant is spent.
};
struct ReturnedEntry {
  int64_t entry_id = 0, attempt_id = 0;
  std::string reason, detail;
};
// One message of a Deliver stream.
struct DeliverInput {
  std::vector<int64_t> begun;
  std::vector<AttemptReport> reports;
  std::vector<ReturnedEntry> returns;
  std::vector<int64_t> content_needed;
  std::vector<int64_t> inventory;  // Begun, or with a report that was not acknowledged.
  bool inventory_complete = false;
};

// How much of one source to a provider, or a site, an egress can use at once.
struct RoomAt {
  std::string source, provider, site;
  std::optional<int64_t> most;  // Absent = nothing limits it.
};

struct EgressHello {
  std::string egress_id, version;
  uint64_t incarnation = 0;
  int64_t credit_entries = 0, credit_bytes = 0;
  std::vector<std::string> bind_addresses;
};

}  // namespace sluice::scheduler
