// A batch of messages turned into the array parameters of the accept statement. Gives out ids,
// finds equal keys inside the batch. No I/O.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/binary_array.h"
#include "storage/queue_store.h"

namespace sluice::storage {

struct KeyColumns {
  BinaryArray<Hash128> key_hash, digest;
  BinaryArray<int64_t> message_id;
  BinaryArray<Bytes> verdicts;
};

struct MessageColumns {
  BinaryArray<int64_t> id;
  BinaryArray<bool> keyed;
  BinaryArray<Instant> accepted_at;
  BinaryArray<int32_t> size_bytes;
  BinaryArray<int16_t> encoding, flags, dsn_return;
  BinaryArray<Text> return_path, sender_domain, dsn_envelope_id;
  BinaryArray<Bytes> prepended_headers, content;
};

struct EntryColumns {
  BinaryArray<int64_t> id, message_id;
  BinaryArray<bool> keyed;
  BinaryArray<Instant> accepted_at, due_at, expires_at;
  BinaryArray<int16_t> priority, engagement, dsn_notify;
  BinaryArray<Text> tenant, stream, campaign, domain, sender_domain, recipient, tags;
  BinaryArray<Bytes> metadata, merge_values;
};

// Reused from batch to batch: keeps its memory. Not thread-safe.
class AcceptColumns {
 public:
  // Ids are shard | writer | first_counter, first_counter + 1, … The batch must outlive the use of
  // the columns.
  void Fill(const std::vector<AcceptedMessage>& batch, ShardId shard, WriterId writer,
            uint32_t first_counter);

  // Numbers that a batch needs: one an entry, at least one a message.
  static int64_t CounterCount(const std::vector<AcceptedMessage>& batch);

  KeyColumns keys;  // In order of key, each key once.
  MessageColumns messages;
  EntryColumns entries;
  // Per message of the batch: its id (0 when it repeats a key of the batch), and the index of the
  // first message with its key.
  std::vector<int64_t> ids;
  std::vector<size_t> first_with_key;
  int64_t first_entry_id = 0, last_entry_id = 0;
  Instant accepted_at{};  // Latest of the batch.
  bool has_unkeyed = false;

 private:
  void Clear();
  void FindEqualKeys(const std::vector<AcceptedMessage>& batch);
  void AddMessage(const AcceptedMessage& message, int64_t id);

  std::vector<size_t> by_key_;
};

}  // namespace sluice::storage
