#include "smtp/dkim_canonical.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace sluice {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// Bytes from the beginning that are neither blanks nor controls, counted eight at a time.
size_t PlainRun(std::string_view text) {
  constexpr uint64_t kOnes = 0x0101010101010101u;
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    // Some byte is below '!' (Hacker's Delight: exact as a test for "any").
    if (((word - kOnes * 0x21) & ~word & (kOnes * 0x80)) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) > ' ') ++at;
  return at;
}

// Whether a line without its end is what relaxed canonicalization makes of it: no controls, no two blanks in a row, none at the
// end. Eight bytes at a time; says no to some lines that are.
bool IsRelaxed(std::string_view line) {
  if (!line.empty() && line.back() == ' ') return false;
  constexpr uint64_t kOnes = 0x0101010101010101u, kHigh = kOnes * 0x80, kLow7 = kOnes * 0x7f;
  // The high bit of each byte that is a space; exact.
  const auto spaces = [](uint64_t word) {
    const uint64_t other = word ^ kOnes * ' ';
    return ~(((other & kLow7) + kLow7) | other | kLow7);
  };
  size_t at = 0;
  for (; at + 9 <= line.size(); at += 8) {
    uint64_t word = 0, next = 0;
    std::memcpy(&word, line.data() + at, 8);
    std::memcpy(&next, line.data() + at + 1, 8);
    if (((word - kOnes * ' ') & ~word & kHigh) != 0 || (spaces(word) & spaces(next)) != 0) return false;
  }
  for (; at < line.size(); ++at) {
    if (static_cast<unsigned char>(line[at]) < ' ' || (line[at] == ' ' && line[at + 1] == ' ')) return false;
  }
  return true;
}

const EVP_MD* Sha256Method() {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return method;
}

// Offset behind the field that begins at the front, continuation lines included.
size_t FieldEnd(std::string_view text) {
  size_t end = 0;
  do {
    const size_t lf = text.find('\n', end);
    if (lf == std::string_view::npos) return text.size();
    end = lf + 1;
  } while (end < text.size() && IsBlank(text[end]));
  return end;
}

}  // namespace

Sha256Digest Sha256(std::string_view bytes) {
  Sha256Digest digest{};
  SLUICE_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, Sha256Method(),
                          nullptr) == 1);
  return digest;
}

HeaderTaken TakeHeaderFields(std::string_view text, std::vector<HeaderFieldView>& fields) {
  while (!text.empty()) {
    if (text.starts_with("\r\n")) return {.has_ended = true, .body = text.substr(2)};
    const size_t end = FieldEnd(text);
    std::string_view field = text.substr(0, end);
    text.remove_prefix(end);
    if (field.ends_with('\n')) field.remove_suffix(1);
    if (field.ends_with('\r')) field.remove_suffix(1);
    const size_t colon = field.find_first_of(":\r\n");
    if (colon != std::string_view::npos && field[colon] == ':') {
      fields.push_back({field.substr(0, colon), field.substr(colon + 1)});
    }
  }
  return {};
}

void AppendRelaxedField(std::string& out, std::string_view name, std::string_view value) {
  while (!name.empty() && IsBlank(name.back())) name.remove_suffix(1);
  for (const char c : name) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  out += ':';
  bool has_blank = false;
  bool has_text = false;
  for (const char c : value) {
    if (c == '\r' || c == '\n') continue;
    if (IsBlank(c)) {
      has_blank = true;
      continue;
    }
    if (has_blank && has_text) out += ' ';
    has_blank = false;
    has_text = true;
    out += c;
  }
}

struct DkimBodyHash::Sha {
  Sha() : context(EVP_MD_CTX_new()) {
    SLUICE_CHECK(context != nullptr && EVP_DigestInit_ex(context, Sha256Method(), nullptr) == 1);
  }
  ~Sha() { EVP_MD_CTX_free(context); }
  Sha(const Sha&) = delete;
  Sha& operator=(const Sha&) = delete;

  EVP_MD_CTX* const context;
};

DkimBodyHash::DkimBodyHash() : sha_(std::make_unique<Sha>()) {}
DkimBodyHash::~DkimBodyHash() = default;

void DkimBodyHash::Update(std::string_view part) {
  while (!part.empty()) {
    const size_t lf = part.find('\n');
    const bool is_whole = lf != std::string_view::npos;
    const std::string_view line = part.substr(0, is_whole ? lf + 1 : lf);
    const std::string_view text = line.substr(0, line.size() - (line.ends_with("\r\n") ? 2 : 1));
    // Nearly every line stays as it is.
    if (is_whole && !has_blank_ && !has_cr_ && IsRelaxed(text)) {
      if (!text.empty()) {
        BeginText();
        Emit(text);
      }
      ++line_ends_;
    } else {
      Relax(line);
    }
    part.remove_prefix(line.size());
  }
}

void DkimBodyHash::Relax(std::string_view part) {
  while (!part.empty()) {
    if (const size_t run = PlainRun(part); run > 0) {
      BeginText();
      Emit(part.substr(0, run));
      part.remove_prefix(run);
      continue;
    }
    const char c = part.front();
    part.remove_prefix(1);
    if (c == '\n') {
      ++line_ends_;
      has_blank_ = false;
      has_cr_ = false;
    } else if (c == '\r') {
      if (has_cr_) BeginText();
      has_cr_ = true;
    } else if (IsBlank(c)) {
      if (has_cr_) BeginText();
      has_blank_ = true;
    } else {
      BeginText();
      Emit(c);
    }
  }
}

// Text follows: what was held back counts.
void DkimBodyHash::BeginText() {
  for (; line_ends_ > 0; --line_ends_) Emit("\r\n");
  if (std::exchange(has_blank_, false)) Emit(' ');
  if (std::exchange(has_cr_, false)) Emit('\r');
  has_text_ = true;
}

void DkimBodyHash::Emit(char c) {
  if (used_ == kBufferBytes) Flush();
  buffer_[used_++] = c;
}

void DkimBodyHash::Emit(std::string_view run) {
  while (!run.empty()) {
    if (used_ == kBufferBytes) Flush();
    const size_t size = std::min(run.size(), kBufferBytes - used_);
    std::memcpy(buffer_.data() + used_, run.data(), size);
    used_ += size;
    run.remove_prefix(size);
  }
}

void DkimBodyHash::Flush() {
  SLUICE_CHECK(EVP_DigestUpdate(sha_->context, buffer_.data(), used_) == 1);
  used_ = 0;
}

Sha256Digest DkimBodyHash::Finish() {
  if (has_cr_) BeginText();
  if (has_text_) Emit("\r\n");
  Flush();
  Sha256Digest digest{};
  SLUICE_CHECK(EVP_DigestFinal_ex(sha_->context, digest.data(), nullptr) == 1);
  return digest;
}

}  // namespace sluice
