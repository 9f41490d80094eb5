#include "storage/accept_columns.h"

#include <algorithm>
#include <numeric>

namespace sluice::storage {
namespace {

template <class... Columns>
void ClearAll(Columns&... columns) {
  (columns.Clear(), ...);
}

void AddEntry(EntryColumns& to, const AcceptedMessage& message, const AcceptedRecipient& recipient,
              int64_t message_id, int64_t id) {
  to.id.Add(id);
  to.message_id.Add(message_id);
  to.keyed.Add(message.key_hash.has_value());
  to.accepted_at.Add(message.accepted_at);
  to.due_at.Add(message.due_at);
  to.expires_at.Add(message.expires_at);
  to.priority.Add(message.priority);
  to.engagement.Add(recipient.engagement);
  to.dsn_notify.Add(recipient.dsn_notify);
  to.tenant.Add(message.tenant);
  to.stream.Add(message.stream);
  to.campaign.Add(message.campaign);
  to.domain.Add(recipient.domain);
  to.sender_domain.Add(message.sender_domain);
  to.recipient.Add(recipient.address);
  to.tags.Add(message.tags);
  to.metadata.AddOrNull(recipient.metadata_json);
  to.merge_values.AddOrNull(recipient.merge_values_json);
}

}  // namespace

int64_t AcceptColumns::CounterCount(const std::vector<AcceptedMessage>& batch) {
  return std::accumulate(batch.begin(), batch.end(), int64_t{0}, [](int64_t sum, const auto& m) {
    return sum + static_cast<int64_t>(std::max<size_t>(m.recipients.size(), 1));
  });
}

void AcceptColumns::Clear() {
  ClearAll(keys.key_hash, keys.digest, keys.message_id, keys.verdicts);
  MessageColumns& m = messages;
  ClearAll(m.id, m.keyed, m.accepted_at, m.size_bytes, m.encoding, m.flags, m.dsn_return,
           m.return_path, m.sender_domain, m.dsn_envelope_id, m.prepended_headers, m.content);
  EntryColumns& e = entries;
  ClearAll(e.id, e.message_id, e.keyed, e.accepted_at, e.due_at, e.expires_at, e.priority,
           e.engagement, e.dsn_notify, e.tenant, e.stream, e.campaign, e.domain, e.sender_domain,
           e.recipient, e.tags, e.metadata, e.merge_values);
  has_unkeyed = false;
  accepted_at = Instant{};
}

// Sorted keys are also what keeps two writers with the same keys from a deadlock.
void AcceptColumns::FindEqualKeys(const std::vector<AcceptedMessage>& batch) {
  by_key_.clear();
  first_with_key.resize(batch.size());
  for (size_t i = 0; i < batch.size(); ++i) {
    first_with_key[i] = i;
    if (batch[i].key_hash) by_key_.push_back(i);
  }
  std::sort(by_key_.begin(), by_key_.end(), [&](size_t a, size_t b) {
    return batch[a].key_hash == batch[b].key_hash ? a < b : *batch[a].key_hash < *batch[b].key_hash;
  });
  for (size_t i = 1; i < by_key_.size(); ++i) {
    const size_t before = by_key_[i - 1], here = by_key_[i];
    if (batch[before].key_hash == batch[here].key_hash) {
      first_with_key[here] = first_with_key[before];
    }
  }
}

void AcceptColumns::AddMessage(const AcceptedMessage& message, int64_t id) {
  // Nobody left to send to: the key and its answer are all that is kept.
  if (message.recipients.empty()) return;
  MessageColumns& to = messages;
  to.id.Add(id);
  to.keyed.Add(message.key_hash.has_value());
  to.accepted_at.Add(message.accepted_at);
  to.size_bytes.Add(message.size_bytes);
  to.encoding.Add(message.encoding);
  to.flags.Add(message.flags);
  to.dsn_return.Add(message.dsn_return);
  to.return_path.Add(message.return_path);
  to.sender_domain.Add(message.sender_domain);
  to.dsn_envelope_id.Add(message.dsn_envelope_id);
  to.prepended_headers.Add(message.prepended_headers);
  to.content.Add(message.content);
  int64_t entry_id = id;
  for (const AcceptedRecipient& recipient : message.recipients) {
    AddEntry(entries, message, recipient, id, entry_id++);
  }
}

void AcceptColumns::Fill(const std::vector<AcceptedMessage>& batch, ShardId shard, WriterId writer,
                         uint32_t first_counter) {
  Clear();
  FindEqualKeys(batch);
  ids.assign(batch.size(), 0);
  first_entry_id = MakeId(shard, writer, first_counter);
  int64_t next = first_entry_id;
  for (size_t i = 0; i < batch.size(); ++i) {
    const AcceptedMessage& message = batch[i];
    accepted_at = std::max(accepted_at, message.accepted_at);
    if (!message.key_hash) has_unkeyed = true;
    if (first_with_key[i] != i) continue;
    ids[i] = next;
    AddMessage(message, next);
    next += static_cast<int64_t>(std::max<size_t>(message.recipients.size(), 1));
  }
  last_entry_id = next - 1;
  for (size_t i : by_key_) {
    if (first_with_key[i] != i) continue;
    keys.key_hash.Add(*batch[i].key_hash);
    keys.digest.Add(batch[i].digest);
    keys.message_id.Add(ids[i]);
    keys.verdicts.AddOrNull(batch[i].verdicts);
  }
}

}  // namespace sluice::storage
