#include "ingest/lookup.h"

#include <algorithm>
#include <set>

#include "base/status.h"
#include "base/text.h"
#include "mail/address.h"

namespace sluice::ingest {
namespace {

absl::Status NotFound(MessageId message) {
  return absl::NotFoundError(
      Cat("no message ", FormatMessageId(message),
          " of this tenant: it may be older than the event retention, or another tenant's"));
}

// As it is stored; what is no address stays as it is and matches nothing.
std::string Canonical(const std::string& recipient) {
  const absl::StatusOr<EmailAddress> address =
      EmailAddress::Parse(recipient, AddressLiterals::kAllow);
  return address.ok() ? address->ToString() : recipient;
}

}  // namespace

absl::StatusOr<Lookup::Message> Lookup::Get(std::string_view tenant, MessageId message,
                                            int most_events) {
  Message found;
  ASSIGN_OR_RETURN(found.entries, entries_.ByMessage(message.value()));
  ASSIGN_OR_RETURN(found.events, events_.ByMessage(message.value(), most_events));
  std::erase_if(found.entries,
                [&](const storage::QueueEntryRow& entry) { return entry.tenant != tenant; });
  std::erase_if(found.events,
                [&](const storage::StoredEvent& event) { return event.tenant != tenant; });
  if (found.entries.empty() && found.events.empty()) return NotFound(message);
  return found;
}

absl::StatusOr<std::vector<Lookup::Cancelled>> Lookup::Cancel(
    std::string_view tenant, MessageId message, const std::vector<std::string>& recipients) {
  ASSIGN_OR_RETURN(const Message found, Get(tenant, message, 1));
  std::set<std::string> wanted;
  for (const std::string& recipient : recipients) wanted.insert(Canonical(recipient));
  std::vector<int64_t> ids;
  for (const storage::QueueEntryRow& entry : found.entries) {
    if (wanted.empty() || wanted.contains(entry.recipient)) ids.push_back(entry.id);
  }
  std::set<int64_t> cancelled;
  if (!ids.empty()) {
    ASSIGN_OR_RETURN(const auto answers, cancel_entries_(message, ids));
    for (const auto& [id, was_in_time] : answers) {
      if (was_in_time) cancelled.insert(id);
    }
  }
  std::vector<Cancelled> outcomes;
  if (recipients.empty()) {
    for (const storage::QueueEntryRow& entry : found.entries) {
      outcomes.push_back({entry.recipient, cancelled.contains(entry.id)});
    }
  }
  for (const std::string& recipient : recipients) {
    const std::string canonical = Canonical(recipient);
    const auto entry = std::find_if(found.entries.begin(), found.entries.end(),
                                    [&](const auto& one) { return one.recipient == canonical; });
    outcomes.push_back({recipient, entry != found.entries.end() && cancelled.contains(entry->id)});
  }
  return outcomes;
}

}  // namespace sluice::ingest
