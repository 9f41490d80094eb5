#include "rig/content.h"

#include "base/text.h"
#include "rig/command.h"

namespace sluice::rig {
namespace {

constexpr std::string_view kTokenHeader = "X-Rig-Token:";

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

void AppendHex(std::string& out, uint64_t value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out += kHex[value >> shift & 15];
}

}  // namespace

std::string DigestText(XXH128_hash_t hash) {
  std::string text;
  text.reserve(32);
  AppendHex(text, hash.high64);
  AppendHex(text, hash.low64);
  return text;
}

void TokenFinder::Reset(bool search) {
  searching_ = search;
  seen_ = 0;
  carried_too_long_ = false;
  carried_.clear();
  token_.clear();
}

// True when `line` (with its newline) is the token's; the empty line ends the search.
bool TokenFinder::TakeLine(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  if (line.empty()) searching_ = false;
  if (!StartsWithIgnoreCase(line, kTokenHeader)) return false;
  line.remove_prefix(kTokenHeader.size());
  while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  if (line.empty() || line.size() > kMaxToken || !IsHex(line)) return false;
  token_ = line;
  searching_ = false;
  return true;
}

bool TokenFinder::Feed(std::string_view bytes, size_t& line_start) {
  size_t at = 0;
  while (searching_ && at < bytes.size()) {
    const size_t end = bytes.find('\n', at);
    const std::string_view piece =
        bytes.substr(at, end == std::string_view::npos ? end : end - at + 1);
    seen_ += piece.size();
    if (seen_ > kMaxHeader) searching_ = false;
    if (end == std::string_view::npos) {
      carried_too_long_ = carried_too_long_ || carried_.size() + piece.size() > kMaxLine;
      if (!carried_too_long_) carried_.append(piece);
      return false;
    }
    line_start = at;
    at = end + 1;
    if (carried_too_long_) {
      carried_too_long_ = false;
    } else if (carried_.empty() ? TakeLine(piece) : TakeLine(Cat(carried_, piece))) {
      return true;
    }
    carried_.clear();
  }
  return false;
}

void Content::Begin(Recording mode, bool want_token, const std::string& directory,
                    const std::string& file_name) {
  mode_ = mode;
  digests_ = mode == Recording::kDigest || mode == Recording::kFull;
  size_ = suffix_size_ = 0;
  in_suffix_ = false;
  file_.clear();
  if (digests_) XXH3_128bits_reset(&whole_.state);
  if (digests_) XXH3_128bits_reset(&suffix_.state);
  finder_.Reset(want_token || mode != Recording::kNone);
  stream_.reset();
  if (mode != Recording::kFull || file_name.empty()) return;
  file_ = file_name;
  path_ = Cat(directory, "/", file_name);
  temporary_ = path_ + ".part";
  stream_.reset(std::fopen(temporary_.c_str(), "wb"));
  if (!stream_) file_.clear();
}

void Content::AddSuffix(std::string_view bytes) {
  suffix_size_ += bytes.size();
  if (digests_) XXH3_128bits_update(&suffix_.state, bytes.data(), bytes.size());
}

void Content::AddToken(std::string_view bytes) {
  size_t line_start = 0;
  if (!finder_.Feed(bytes, line_start)) return;
  in_suffix_ = true;
  AddSuffix(finder_.carried());
  AddSuffix(bytes.substr(line_start));
}

void Content::Add(std::string_view bytes) {
  size_ += bytes.size();
  if (digests_) XXH3_128bits_update(&whole_.state, bytes.data(), bytes.size());
  if (in_suffix_) {
    AddSuffix(bytes);
  } else if (finder_.searching()) {
    AddToken(bytes);
  }
  if (stream_ && std::fwrite(bytes.data(), 1, bytes.size(), stream_.get()) != bytes.size()) {
    stream_.reset();
    file_.clear();
    std::remove(temporary_.c_str());
  }
}

void Content::Finish(bool keep) {
  if (!stream_) return;
  stream_.reset();
  const bool kept = keep && std::rename(temporary_.c_str(), path_.c_str()) == 0;
  if (kept) return;
  std::remove(temporary_.c_str());
  file_.clear();
}

}  // namespace sluice::rig
