#include "storage/settle_columns.h"

namespace sluice::storage {
namespace {

int16_t NumberOf(Settlement::Change change) {
  switch (change) {
    case Settlement::Change::kEnd:
      return kChangeEnd;
    case Settlement::Change::kDefer:
      return kChangeDefer;
    case Settlement::Change::kHold:
      return kChangeHold;
    case Settlement::Change::kMove:
      return kChangeMove;
    case Settlement::Change::kNone:
      break;
  }
  return -1;
}

template <class... Columns>
void ClearAll(Columns&... columns) {
  (columns.Clear(), ...);
}

}  // namespace

void FenceColumns::Fill(const std::vector<ShardEpoch>& shards) {
  ClearAll(shard, epoch, last_seq);
  for (const ShardEpoch& s : shards) {
    shard.Add(static_cast<int16_t>(s.shard));
    epoch.Add(s.epoch);
    last_seq.Add(s.last_seq);
  }
}

void SettleColumns::Clear() {
  ClearAll(entry_id, place, change, told, attempt_id, duration_micros, occurred_at, due_at,
           attempts, crashes, reply_code, possible_duplicate, kind, held, stage, source, mx_host,
           mx_address, enhanced_status, reply, reply_class, tls, egress, pool, provider, site,
           detail, times);
  ClearAll(message_id, tenant, stream, campaign, recipient, metadata);
}

void SettleColumns::Add(const Settlement& s, int16_t fence_place) {
  entry_id.Add(s.entry_id);
  place.Add(fence_place);
  change.Add(NumberOf(s.change));
  told.Add(!s.kind.empty());
  attempt_id.Add(s.attempt_id);
  duration_micros.Add(s.duration_micros);
  occurred_at.Add(s.occurred_at);
  s.due_at ? due_at.Add(*s.due_at) : due_at.AddNull();
  attempts.Add(s.attempts);
  crashes.Add(s.crashes);
  reply_code.Add(s.reply_code);
  possible_duplicate.Add(s.possible_duplicate);
  kind.Add(s.kind);
  held.Add(s.held);
  stage.Add(s.stage);
  source.Add(s.source);
  mx_host.Add(s.mx_host);
  mx_address.Add(s.mx_address);
  enhanced_status.Add(s.enhanced_status);
  reply.Add(s.reply);
  reply_class.Add(s.reply_class);
  tls.Add(s.tls);
  egress.Add(s.egress);
  pool.Add(s.pool);
  provider.Add(s.provider);
  site.Add(s.site);
  detail.Add(s.detail);
  times.Add(s.times);
  if (s.change != Settlement::Change::kNone) return;
  message_id.Add(s.message_id);
  tenant.Add(s.tenant);
  stream.Add(s.stream);
  campaign.Add(s.campaign);
  recipient.Add(s.recipient);
  metadata.AddOrNull(s.metadata_json);
}

}  // namespace sluice::storage
