// What an idempotency key and the content under it are stored as. Both are kept for a day, so the
// way they are computed may not change within one.
#pragma once

#include <string_view>

#include "ingest/submission.h"
#include "storage/queue_store.h"

namespace sluice::ingest {

// First 16 bytes of SHA-256 over tenant, NUL, key: keys of different tenants never meet.
storage::Hash128 HashKey(std::string_view tenant, std::string_view key);

// XXH3-128 over every field of the request but the key. Two requests with the same digest are the
// same request.
storage::Hash128 DigestOf(const SubmissionRequest& request);

}  // namespace sluice::ingest
