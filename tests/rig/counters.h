// What the sink counts, by source address. One loop writes a Counters, anyone may read it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace sluice::rig {

enum class Count {
  kConnected,           // connections accepted
  kTls,                 // STARTTLS handshakes done
  kQuit,                // connections ended by QUIT
  kMail,                // transactions whose MAIL was accepted
  kRcpt,                // ... that had a recipient accepted
  kDataBegun,           // ... whose content began (354 or first BDAT)
  kDotReceived,         // ... whose final dot (or BDAT LAST) was received
  kRepliedOk,           // ... whose 2xx to that was written whole
  kRefusedAfterDot,     // ... whose 4xx or 5xx to that was written whole
  kDroppedAfterDot,     // ... whose connection ended before the reply to the dot was written whole
  kRecipientsAccepted,  // RCPT answered 2xx
  kRecipientsRefused,
  kBytes,                // of content, after dots were taken off
  kUnofferedPipelining,  // commands sent ahead although PIPELINING was not offered
  kBareLf,               // command lines ended by a bare LF
  kSyntaxErrors,         // commands answered 500 to 555 for their form
  kTimeouts,             // connections closed for idleness
  kMostOpen,             // connections open at once, at the most (summed over the sink's threads)
};
constexpr size_t kCountCount = 18;
constexpr std::array<std::string_view, kCountCount> kCountNames = {"connected",
                                                                   "tls",
                                                                   "quit",
                                                                   "mail",
                                                                   "rcpt",
                                                                   "data_begun",
                                                                   "dot_received",
                                                                   "replied_ok",
                                                                   "refused_after_dot",
                                                                   "dropped_after_dot",
                                                                   "recipients_accepted",
                                                                   "recipients_refused",
                                                                   "bytes",
                                                                   "unoffered_pipelining",
                                                                   "bare_lf",
                                                                   "syntax_errors",
                                                                   "timeouts",
                                                                   "most_open"};

using CountValues = std::array<uint64_t, kCountCount>;

class Counters {
 public:
  // From the one writing thread only: a plain store, no locked instruction.
  void Add(Count which, uint64_t by = 1) {
    auto& value = values_[static_cast<size_t>(which)];
    value.store(value.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  void Opened() {
    Add(Count::kConnected);
    auto& most = values_[static_cast<size_t>(Count::kMostOpen)];
    if (++open_ > most.load(std::memory_order_relaxed)) most.store(open_, std::memory_order_relaxed);
  }
  void Closed() { --open_; }
  uint64_t Get(Count which) const {
    return values_[static_cast<size_t>(which)].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<uint64_t>, kCountCount> values_{};
  uint64_t open_ = 0;  // Of the writing thread.
};

// The counters of one loop by source address; from the kMaxSources-th address on under "other".
class SourceTable {
 public:
  static constexpr size_t kMaxSources = 65'536;
  // The reference lives as long as the table.
  Counters& For(const std::string& source_ip);
  void AddTo(std::map<std::string, CountValues>& by_source) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Counters>> by_source_;
};

}  // namespace sluice::rig
