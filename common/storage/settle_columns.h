// Settlements as the array parameters of the settling statements. No I/O.
#pragma once

#include <cstdint>
#include <vector>

#include "storage/binary_array.h"
#include "storage/queue_store.h"

namespace sluice::storage {

// Numbers of Settlement::Change in the statements.
inline constexpr int16_t kChangeEnd = 0, kChangeDefer = 1, kChangeHold = 2, kChangeMove = 3;

struct FenceColumns {
  BinaryArray<int16_t> shard;
  BinaryArray<int64_t> epoch, last_seq;

  void Fill(const std::vector<ShardEpoch>& shards);
};

// Reused from call to call: keeps its memory.
struct SettleColumns {
  BinaryArray<int64_t> entry_id;
  BinaryArray<int16_t> place;  // Of the entry's shard in the fence, from 1.
  BinaryArray<int16_t> change;
  BinaryArray<bool> told;  // An event is written.
  BinaryArray<int64_t> attempt_id, duration_micros;
  BinaryArray<Instant> occurred_at, due_at;
  BinaryArray<int16_t> attempts, crashes, reply_code;
  BinaryArray<bool> possible_duplicate;
  BinaryArray<Text> kind, held, stage, source, mx_host, mx_address, enhanced_status, reply,
      reply_class, tls, egress, pool, provider, site, detail, times;
  // Of kNone only.
  BinaryArray<int64_t> message_id;
  BinaryArray<Text> tenant, stream, campaign, recipient;
  BinaryArray<Bytes> metadata;

  void Clear();
  void Add(const Settlement& settlement, int16_t fence_place);
};

}  // namespace sluice::storage
