// One JSON line per transaction, gathered and written in large pieces. README.md describes the
// fields.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "rig/content.h"
#include "rig/script.h"

namespace sluice::rig {

// How far a transaction got; later ones include the earlier.
enum class Reached { kMail, kRcpt, kData, kDot, kReplied };
constexpr std::string_view kReachedNames[] = {"mail", "rcpt", "data", "dot", "replied"};

struct Transaction {
  Instant ended_at{};  // Without content: when its last command came, however late RSET or the end of the connection follows.
  std::string from;
  std::vector<std::string> accepted;
  std::vector<std::string> refused;
  Reached reached = Reached::kMail;
  int code = 0;  // of the reply to the dot as decided, written or not; 0 before the dot
  uint64_t size = 0;
  uint64_t suffix_size = 0;
  std::string token;
  XXH128_hash_t digest{};
  XXH128_hash_t suffix_digest{};
  std::string file;

  // Keeps the capacity of its strings.
  void Clear();
};

// One of each loop; several may share a file, since it is appended to in whole lines. Not
// thread-safe.
class TransactionLog {
 public:
  static constexpr size_t kFlushBytes = 128 * 1024;
  static constexpr Duration kFlushAfter = std::chrono::milliseconds(100);

  // `fd` is open for appending and outlives the log; -1 writes nothing.
  TransactionLog(int fd, Recording mode) : fd_(fd), mode_(mode) {}
  void Write(const Peer& peer, std::string_view ehlo, bool tls, const Transaction& transaction);
  // Call at least every kFlushAfter.
  void Flush();
  uint64_t lines_lost() const { return lines_lost_; }

 private:
  int fd_;
  Recording mode_;
  std::string buffer_;
  uint64_t lines_ = 0;
  uint64_t lines_lost_ = 0;
};

// Appends `text` as a JSON string. Bytes that are not UTF-8 come as \u00XX.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace sluice::rig
