#include "ingest/idempotency.h"

#include <openssl/evp.h>
#define XXH_STATIC_LINKING_ONLY  // The state as a member, not behind a pointer.
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/check.h"

namespace sluice::ingest {
namespace {

uint64_t BigEndian(const unsigned char* bytes) {
  uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}

// Fields with their lengths before them, so that no two requests give the same bytes.
class Hasher {
 public:
  Hasher() { SLUICE_CHECK(XXH3_128bits_reset(&state_) == XXH_OK); }
  void Number(int64_t value) { Bytes(&value, sizeof value); }
  void Text(std::string_view text) {
    Number(static_cast<int64_t>(text.size()));
    Bytes(text.data(), text.size());
  }
  void Moment(const std::optional<Instant>& at) {
    Number(at.has_value() ? 1 : 0);
    Number(at.has_value() ? ToMicros(*at) : 0);
  }
  // A map arrives in any order.
  void Map(Pairs pairs) {
    std::sort(pairs.begin(), pairs.end());
    Number(static_cast<int64_t>(pairs.size()));
    for (const auto& [name, value] : pairs) {
      Text(name);
      Text(value);
    }
  }
  storage::Hash128 End() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(&state_);
    return {hash.high64, hash.low64};
  }

 private:
  void Bytes(const void* data, size_t size) {
    SLUICE_CHECK(XXH3_128bits_update(&state_, data, size) == XXH_OK);
  }
  XXH3_state_t state_;
};

}  // namespace

storage::Hash128 HashKey(std::string_view tenant, std::string_view key) {
  std::string text;
  text.reserve(tenant.size() + 1 + key.size());
  text.append(tenant).append(1, '\0').append(key);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  SLUICE_CHECK(EVP_Digest(text.data(), text.size(), hash.data(), nullptr, EVP_sha256(), nullptr) ==
               1);
  return {BigEndian(hash.data()), BigEndian(hash.data() + 8)};
}

storage::Hash128 DigestOf(const SubmissionRequest& request) {
  Hasher hasher;
  for (const std::string_view text :
       {request.stream, request.campaign, request.return_path, request.content,
        request.list_unsubscribe_url, request.dsn_envelope_id}) {
    hasher.Text(text);
  }
  hasher.Moment(request.first_attempt_at);
  hasher.Moment(request.expires_at);
  hasher.Number(request.priority);
  hasher.Number(request.merge ? 1 : 0);
  hasher.Number(request.dsn_return);
  hasher.Map(request.metadata);
  hasher.Number(static_cast<int64_t>(request.recipients.size()));
  for (const RecipientRequest& recipient : request.recipients) {
    hasher.Text(recipient.address);
    hasher.Map(recipient.metadata);
    hasher.Map(recipient.merge_values);
    hasher.Number(recipient.dsn_notify);
    hasher.Number(recipient.engagement);
  }
  return hasher.End();
}

}  // namespace sluice::ingest
