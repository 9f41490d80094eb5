#include "scheduler/admin/keys.h"

#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/status.h"
#include "base/text.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kIdChars = 10;
constexpr size_t kMostLabelBytes = 128;
// An ingest that does not look within this is down or in trouble: it learns the key when it is back.
constexpr Duration kIngestPatience = std::chrono::seconds(3);

// Crockford's base32 in lower case, one character a byte: ids need be unique, not dense.
std::string IdText(std::span<const unsigned char> random) {
  constexpr char kLetters[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string out;
  for (const unsigned char byte : random) out += kLetters[byte % 32];
  return out;
}

// RFC 4648 base64url without padding.
std::string Base64Url(std::span<const unsigned char> bytes) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  unsigned pending = 0, bits = 0;
  for (const unsigned char byte : bytes) {
    pending = pending << 8 | byte;
    for (bits += 8; bits >= 6; bits -= 6) out += kLetters[pending >> (bits - 6) & 63U];
    pending &= (1U << bits) - 1;
  }
  if (bits > 0) out += kLetters[pending << (6 - bits) & 63U];
  return out;
}

absl::Status CheckLimits(const storage::KeyLimits& limits) {
  const auto check = [](std::string_view field, int64_t value) -> absl::Status {
    if (value >= 0) return absl::OkStatus();
    return wire::FieldError(Cat("limits.", field), Cat("is ", value, "; give a number above 0, or 0 for no limit"));
  };
  RETURN_IF_ERROR(check("messages_per_second", limits.messages_per_second));
  RETURN_IF_ERROR(check("bytes_per_second", limits.bytes_per_second));
  return check("message_bytes", limits.message_bytes);
}

std::string LimitsText(const storage::KeyLimits& limits) {
  if (limits.none()) return "";
  return Cat(" messages_per_second=", limits.messages_per_second, " bytes_per_second=", limits.bytes_per_second,
             " message_bytes=", limits.message_bytes);
}

absl::Status CheckLabel(const std::string& label) {
  if (label.size() > kMostLabelBytes) {
    return wire::FieldError("label", Cat("is longer than ", kMostLabelBytes, " bytes; shorten it"));
  }
  for (const char c : label) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      return wire::FieldError("label", "holds a control character; leave it out");
  }
  return absl::OkStatus();
}

}  // namespace

MintedKey MintKey(std::span<const unsigned char, kKeySeedBytes> random) {
  MintedKey out;
  out.id = IdText(random.first(kIdChars));
  out.secret = Cat("slk_", out.id, "_", Base64Url(random.subspan(kIdChars)));
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash;
  SHA256(reinterpret_cast<const unsigned char*>(out.secret.data()), out.secret.size(), hash.data());
  out.hash.assign(reinterpret_cast<const char*>(hash.data()), hash.size());
  return out;
}

absl::StatusOr<CreatedKey> KeyAdmin::Create(const KeyOrder& order) {
  RETURN_IF_ERROR(CheckControlOwner(live_));
  RETURN_IF_ERROR(CheckLabel(order.label));
  RETURN_IF_ERROR(CheckLimits(order.limits));
  if (order.tenant.empty()) return wire::FieldError("tenant", "is required");
  bool known = order.tenant == storage::kAllTenants;
  if (!known) {
    ASSIGN_OR_RETURN(known, knows_tenant_(order.tenant));
  }
  if (!known) {
    return wire::FieldError("tenant", Cat("there is no tenant ", Quoted(order.tenant),
                                          "; apply a policy that names it"));
  }

  // 32^10 ids: a second try is for the day when two meet.
  absl::Status stored;
  for (int attempt = 0; attempt < 3; ++attempt) {
    std::array<unsigned char, kKeySeedBytes> random;
    if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
      return absl::InternalError("the system has no randomness to give");
    }
    const MintedKey minted = MintKey(random);
    CreatedKey out;
    out.key.id = minted.id;
    out.key.tenant = order.tenant;
    out.key.label = order.label;
    out.key.secret_hash = minted.hash;
    out.key.created_at = clock_.Now();
    out.key.limits = order.limits;
    out.secret = minted.secret;
    stored = store_.Create(out.key);
    if (absl::IsAlreadyExists(stored)) continue;
    audit_.Record(order.actor, "CreateApiKey", Cat("tenant=", order.tenant, " key_id=", minted.id, LimitsText(order.limits)),
                  stored);
    RETURN_IF_ERROR(stored);
    live_.AwaitIngests(kIngestPatience);
    return out;
  }
  return stored;
}

absl::StatusOr<KeyAdmin::Keys> KeyAdmin::List(const std::string& tenant, Page page) {
  RETURN_IF_ERROR(CheckPageSize(page.size, 100, 1'000));
  Keys out;
  ASSIGN_OR_RETURN(out.keys, store_.List(tenant, page.after, page.size));
  if (static_cast<int>(out.keys.size()) == page.size) out.next_page_token = out.keys.back().id;
  return out;
}

absl::StatusOr<storage::ApiKey> KeyAdmin::Revoke(const std::string& id, const std::string& actor) {
  RETURN_IF_ERROR(CheckControlOwner(live_));
  if (id.empty())
    return wire::FieldError("key_id", "is required; `sluicectl key list` shows the ids");
  const auto revoked = store_.Revoke(id, clock_.Now());
  audit_.Record(actor, "RevokeApiKey", Cat("key_id=", Quoted(id)), revoked.status());
  if (absl::IsNotFound(revoked.status())) {
    return absl::NotFoundError(
        Cat("there is no key ", Quoted(id), "; `sluicectl key list` shows the ids"));
  }
  live_.AwaitIngests(kIngestPatience);
  return revoked;
}

absl::StatusOr<storage::ApiKey> KeyAdmin::Limit(const std::string& id, const storage::KeyLimits& limits,
                                                const std::string& actor) {
  RETURN_IF_ERROR(CheckControlOwner(live_));
  if (id.empty()) return wire::FieldError("key_id", "is required; `sluicectl key list` shows the ids");
  RETURN_IF_ERROR(CheckLimits(limits));
  const auto limited = store_.SetLimits(id, limits);
  audit_.Record(actor, "LimitApiKey", Cat("key_id=", Quoted(id), LimitsText(limits)), limited.status());
  if (absl::IsNotFound(limited.status())) {
    return absl::NotFoundError(Cat("there is no key ", Quoted(id), "; `sluicectl key list` shows the ids"));
  }
  live_.AwaitIngests(kIngestPatience);
  return limited;
}

}  // namespace sluice::scheduler
