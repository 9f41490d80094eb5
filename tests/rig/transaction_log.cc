#include "rig/transaction_log.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/text.h"

namespace sluice::rig {
namespace {

// The length of the UTF-8 sequence that `text` begins with; 0 when it begins with none.
size_t Utf8Length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  const size_t length = first >= 0xc2 && first < 0xe0   ? 2
                        : first >= 0xe0 && first < 0xf0 ? 3
                        : first >= 0xf0 && first < 0xf5 ? 4
                                                        : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0)) return 0;
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90)) return 0;
  return length;
}

void AppendList(std::string& out, const std::vector<std::string>& texts) {
  out += '[';
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out += ',';
    AppendJsonString(out, texts[i]);
  }
  out += ']';
}

void AppendSeconds(std::string& out, Instant at) {
  const int64_t micros = ToMicros(at);
  const std::string fraction = Cat(1'000'000 + micros % 1'000'000);
  Append(out, micros / 1'000'000, '.', std::string_view(fraction).substr(1));
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    size_t taken = 1;
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[0];
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += text[0];
    } else if (const size_t length = Utf8Length(text); length > 0) {
      out.append(text.substr(0, length));
      taken = length;
    } else {
      Append(out, "\\u00", kHex[byte >> 4], kHex[byte & 15]);
    }
    text.remove_prefix(taken);
  }
  out += '"';
}

void Transaction::Clear() {
  from.clear();
  accepted.clear();
  refused.clear();
  token.clear();
  file.clear();
  reached = Reached::kMail;
  code = 0;
  size = suffix_size = 0;
}

void TransactionLog::Write(const Peer& peer, std::string_view ehlo, bool tls,
                           const Transaction& t) {
  if (fd_ < 0 || mode_ == Recording::kNone) return;
  buffer_ += "{\"t\":";
  AppendSeconds(buffer_, t.ended_at);
  Append(buffer_, ",\"src\":\"", peer.source_ip, ':', peer.source_port, "\",\"dst\":\"",
         peer.listener_ip, ':', peer.listener_port, "\",\"ehlo\":");
  AppendJsonString(buffer_, ehlo);
  Append(buffer_, ",\"tls\":", tls, ",\"from\":");
  AppendJsonString(buffer_, t.from);
  buffer_ += ",\"to\":";
  AppendList(buffer_, t.accepted);
  buffer_ += ",\"refused\":";
  AppendList(buffer_, t.refused);
  Append(buffer_, ",\"reached\":\"", kReachedNames[static_cast<size_t>(t.reached)],
         "\",\"code\":", t.code, ",\"size\":", t.size);
  if (!t.token.empty()) Append(buffer_, ",\"token\":\"", t.token, '"');
  if (t.reached >= Reached::kDot && mode_ != Recording::kEnvelope) {
    Append(buffer_, ",\"xxh3\":\"", DigestText(t.digest), '"');
    if (!t.token.empty()) {
      Append(buffer_, ",\"suffix_size\":", t.suffix_size, ",\"suffix_xxh3\":\"",
             DigestText(t.suffix_digest), '"');
    }
  }
  if (!t.file.empty()) Append(buffer_, ",\"file\":\"", t.file, '"');
  buffer_ += "}\n";
  ++lines_;
  if (buffer_.size() >= kFlushBytes) Flush();
}

void TransactionLog::Flush() {
  std::string_view left = buffer_;
  while (!left.empty()) {
    const ssize_t n = ::write(fd_, left.data(), left.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      lines_lost_ += lines_;
      break;
    }
    left.remove_prefix(static_cast<size_t>(n));
  }
  buffer_.clear();
  lines_ = 0;
}

}  // namespace sluice::rig
