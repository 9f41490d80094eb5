// The secrets of egress: the DKIM keys that the policy names, by whom they sign for, and the secrets
// of tokens. Read from files (a mounted secret), looked at again and again, so that a key that
// appears or changes is used without a restart. What cannot be used is said once, when it changes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/log.h"
#include "base/text.h"
#include "mail/signing_key.h"
#include "smtp/dkim_key.h"
#include "smtp/token.h"

namespace sluice::egress {

// A key that must sign; null while its file is missing or cannot be used.
struct HeldKey {
  SigningKey rule;
  std::shared_ptr<const DkimPrivateKey> key;
};
using KeyGroup = std::vector<HeldKey>;

// What is known at one moment. Immutable.
class Keys {
 public:
  // The keys that sign mail of `tenant` from `domain`; null: no signature is due.
  const KeyGroup* Find(std::string_view tenant, std::string_view domain) const;
  // Some mail of this tenant must be signed.
  bool HasAny(std::string_view tenant) const { return groups_.contains(tenant); }
  // Null: none were given.
  const TokenKeys* tokens() const { return tokens_.has_value() ? &*tokens_ : nullptr; }

 private:
  friend class KeyRing;
  template <class Value>
  using ByName = absl::flat_hash_map<std::string, Value, StringHash, std::equal_to<>>;

  ByName<ByName<KeyGroup>> groups_;  // by tenant, by domain
  std::optional<TokenKeys> tokens_;
};

class KeyRing {
 public:
  // `token_file` may be empty.
  KeyRing(std::string directory, std::string token_file, const Logger& logger);

  // ---- one thread ----
  void SetRules(std::vector<SigningKey> rules);
  // Looks whether files have changed; cheap when not.
  void Refresh();
  // Keys that must sign and cannot.
  size_t missing_count() const { return missing_count_; }

  // ---- any thread ----
  std::shared_ptr<const Keys> Read() const;

 private:
  // What stat says of a file; differs when the file does.
  struct Mark {
    uint64_t device = 0, inode = 0;
    int64_t size = -1, changed_at = 0;  // nanoseconds
    friend bool operator==(const Mark&, const Mark&) = default;
  };
  struct Loaded {
    Mark mark;
    bool is_looked_at = false;
    std::shared_ptr<const DkimPrivateKey> key;
  };
  static Mark MarkOf(const std::string& path);

  // False: nothing is new.
  bool Look(const std::string& name, const std::string& algorithm, Loaded& loaded);
  bool LookAtTokens();
  void Publish();

  const std::string directory_, token_file_;
  const Logger& logger_;
  std::vector<SigningKey> rules_;
  std::map<std::pair<std::string, std::string>, Loaded> files_;  // by name and algorithm
  Mark token_mark_;
  bool are_tokens_looked_at_ = false;
  std::optional<TokenKeys> tokens_;
  size_t missing_count_ = 0;
  mutable std::mutex mutex_;
  std::shared_ptr<const Keys> published_ = std::make_shared<const Keys>();
};

}  // namespace sluice::egress
