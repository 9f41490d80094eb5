#include "egress/key_ring.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/status.h"

namespace sluice::egress {
namespace {

// A key is a few kilobytes; what is larger was named by mistake.
constexpr int64_t kMostFileBytes = 64 << 10;

absl::StatusOr<std::string> ReadFile(const std::string& path, int64_t size) {
  if (size < 0) {
    return absl::NotFoundError(
        Cat("the file is not there (", path, "): put it into the directory, or correct its name"));
  }
  if (size > kMostFileBytes) return absl::InvalidArgumentError("the file is far too large");
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad() || !file.is_open()) {
    return absl::UnavailableError(Cat("cannot read ", path, ": ", std::strerror(errno)));
  }
  return text;
}

absl::StatusOr<std::shared_ptr<const DkimPrivateKey>> LoadKey(const std::string& path, int64_t size,
                                                              const std::string& algorithm) {
  const auto known = ParseDkimAlgorithm(algorithm);
  if (!known.has_value()) {
    return absl::InvalidArgumentError(Cat("the algorithm '", algorithm, "' is not known"));
  }
  ASSIGN_OR_RETURN(const std::string pem, ReadFile(path, size));
  return DkimPrivateKey::Parse(pem, *known);
}

absl::StatusOr<TokenKeys> LoadTokens(const std::string& path, int64_t size) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, size));
  return TokenKeys::Parse(text);
}

}  // namespace

const KeyGroup* Keys::Find(std::string_view tenant, std::string_view domain) const {
  const auto own = groups_.find(tenant);
  if (own == groups_.end()) return nullptr;
  for (; !domain.empty(); domain = ParentDomain(domain)) {
    if (const auto group = own->second.find(domain); group != own->second.end()) {
      return &group->second;
    }
  }
  return nullptr;
}

KeyRing::KeyRing(std::string directory, std::string token_file, const Logger& logger)
    : directory_(std::move(directory)), token_file_(std::move(token_file)), logger_(logger) {
  Refresh();
}

void KeyRing::SetRules(std::vector<SigningKey> rules) {
  rules_ = std::move(rules);
  std::map<std::pair<std::string, std::string>, Loaded> kept;
  for (const SigningKey& rule : rules_) {
    const auto name = std::make_pair(rule.key, rule.algorithm);
    if (const auto old = files_.find(name); old != files_.end()) kept[name] = old->second;
    kept.try_emplace(name);
  }
  files_ = std::move(kept);
  for (auto& [name, loaded] : files_) Look(name.first, name.second, loaded);
  Publish();
}

void KeyRing::Refresh() {
  bool is_new = LookAtTokens();
  for (auto& [name, loaded] : files_) {
    is_new = Look(name.first, name.second, loaded) || is_new;
  }
  if (is_new) Publish();
}

bool KeyRing::Look(const std::string& name, const std::string& algorithm, Loaded& loaded) {
  const std::string path = Cat(directory_, "/", name);
  const Mark mark = MarkOf(path);
  if (loaded.is_looked_at && mark == loaded.mark) return false;
  loaded.is_looked_at = true;
  loaded.mark = mark;
  absl::StatusOr<std::shared_ptr<const DkimPrivateKey>> key = LoadKey(path, mark.size, algorithm);
  if (key.ok()) {
    loaded.key = *std::move(key);
    logger_.Info("dkim_key_loaded", {{"key", name}, {"algorithm", algorithm}});
    return true;
  }
  // A file half written, or spoilt, does not stop the mail that its last good state can sign; one
  // taken away does: perhaps somebody else has it.
  if (key.status().code() == absl::StatusCode::kNotFound) loaded.key = nullptr;
  logger_.Error("dkim_key_not_usable", {{"key", name},
                                        {"algorithm", algorithm},
                                        {"in_use", loaded.key != nullptr ? "the last good one" : "none"},
                                        {"error", View(key.status().message())}});
  return true;
}

bool KeyRing::LookAtTokens() {
  if (token_file_.empty()) return false;
  const Mark mark = MarkOf(token_file_);
  if (are_tokens_looked_at_ && mark == token_mark_) return false;
  are_tokens_looked_at_ = true;
  token_mark_ = mark;
  absl::StatusOr<TokenKeys> keys = LoadTokens(token_file_, mark.size);
  if (keys.ok()) {
    tokens_ = *std::move(keys);
    logger_.Info("token_secrets_loaded", {{"file", token_file_}});
  } else {
    logger_.Error("token_secrets_not_usable",
                  {{"file", token_file_}, {"error", View(keys.status().message())}});
  }
  return true;
}

void KeyRing::Publish() {
  auto keys = std::make_shared<Keys>();
  keys->tokens_ = tokens_;
  missing_count_ = 0;
  for (const SigningKey& rule : rules_) {
    const Loaded& loaded = files_[{rule.key, rule.algorithm}];
    missing_count_ += loaded.key == nullptr ? 1 : 0;
    keys->groups_[rule.tenant][rule.domain].push_back({rule, loaded.key});
  }
  const std::lock_guard lock(mutex_);
  published_ = std::move(keys);
}

std::shared_ptr<const Keys> KeyRing::Read() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

KeyRing::Mark KeyRing::MarkOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return {};
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .size = info.st_size,
          .changed_at = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

}  // namespace sluice::egress
