// Notes for event_inbox as array parameters, for whoever writes them in a transaction of its own. Internal: shows pqxx.
#pragma once

#include <cstdint>

#include "mail/ids.h"
#include "storage/binary_array.h"
#include "storage/event_inbox.h"
#include "storage/rows.h"

namespace sluice::storage {

namespace sql {
inline constexpr const char* kPostNotes = R"sql(
insert into event_inbox (shard, message_id, queue_entry_id, kind, tenant, stream, campaign,
                         recipient, pool, provider, source, enhanced_status, reply, reply_class,
                         detail, metadata)
select * from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                     $13::text[], $14::text[], $15::text[], $16::bytea[]))sql";
}  // namespace sql

struct InboxColumns {
  BinaryArray<int16_t> shard;
  BinaryArray<int64_t> message_id, queue_entry_id;
  BinaryArray<Text> kind, tenant, stream, campaign, recipient, pool, provider, source,
      enhanced_status, reply, reply_class, detail;
  BinaryArray<Bytes> metadata;

  void Add(const InboxNote& note) {
    shard.Add(static_cast<int16_t>(ShardOf(note.message_id).value()));
    message_id.Add(note.message_id);
    queue_entry_id.Add(note.queue_entry_id);
    kind.Add(note.kind);
    tenant.Add(note.tenant);
    stream.Add(note.stream);
    campaign.Add(note.campaign);
    recipient.Add(note.recipient);
    pool.Add(note.pool);
    provider.Add(note.provider);
    source.Add(note.source);
    enhanced_status.Add(note.enhanced_status);
    reply.Add(note.reply);
    reply_class.Add(note.reply_class);
    detail.Add(note.detail);
    metadata.AddOrNull(note.metadata_json);
  }

  Parameters ToParameters() {
    Parameters p;
    p.Add(shard).Add(message_id).Add(queue_entry_id).Add(kind).Add(tenant).Add(stream);
    p.Add(campaign).Add(recipient).Add(pool).Add(provider).Add(source).Add(enhanced_status);
    p.Add(reply).Add(reply_class).Add(detail).Add(metadata);
    return p;
  }
};

}  // namespace sluice::storage
