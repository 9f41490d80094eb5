// What arrives as the content of one message: counted, and by recording mode digested or written to
// a file. Holds a few hundred bytes whatever the size of the content. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

namespace sluice::rig {

enum class Recording { kNone, kEnvelope, kDigest, kFull };

// 128 bits of xxh3 as 32 hex digits.
std::string DigestText(XXH128_hash_t hash);

// Looks for the header line "X-Rig-Token: <hex>" while the header section goes by.
class TokenFinder {
 public:
  static constexpr size_t kMaxHeader = 64 * 1024;
  static constexpr size_t kMaxLine = 200;
  static constexpr size_t kMaxToken = 64;

  // Before each message; without `search` it finds nothing and costs nothing.
  void Reset(bool search);
  // True once: when the token's line ends within `bytes`. `line_start` is then where the line
  // begins in `bytes`; what of the line came in earlier buffers is `carried()`.
  bool Feed(std::string_view bytes, size_t& line_start);
  bool searching() const { return searching_; }
  const std::string& token() const { return token_; }
  std::string_view carried() const { return carried_; }

 private:
  bool TakeLine(std::string_view line);

  bool searching_ = true;
  size_t seen_ = 0;
  bool carried_too_long_ = false;
  std::string carried_;
  std::string token_;
};

class Content {
 public:
  Content() = default;
  // `directory` is used in mode kFull only.
  void Begin(Recording mode, bool want_token, const std::string& directory,
             const std::string& file_name);
  void Add(std::string_view bytes);
  // Ends the content; a file gets its final name only when `keep`.
  void Finish(bool keep);

  uint64_t size() const { return size_; }
  const std::string& token() const { return finder_.token(); }
  // 0 and empty without a token: the content from the token's line to the end.
  uint64_t suffix_size() const { return suffix_size_; }
  XXH128_hash_t digest() const { return XXH3_128bits_digest(&whole_.state); }
  XXH128_hash_t suffix_digest() const { return XXH3_128bits_digest(&suffix_.state); }
  // The finished file's name in the directory; empty when there is none.
  const std::string& file() const { return file_; }

 private:
  struct Hash {
    XXH3_state_t state{};
  };
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void AddToken(std::string_view bytes);
  void AddSuffix(std::string_view bytes);

  Recording mode_ = Recording::kNone;
  bool in_suffix_ = false;
  bool digests_ = false;
  uint64_t size_ = 0;
  uint64_t suffix_size_ = 0;
  Hash whole_;
  Hash suffix_;
  TokenFinder finder_;
  std::unique_ptr<std::FILE, CloseFile> stream_;
  std::string temporary_;
  std::string path_;
  std::string file_;
};

}  // namespace sluice::rig
