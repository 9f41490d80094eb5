// What the sink was told to do other than accept: rules of a YAML script, matched by where a
// connection comes from and goes to and by recipient. README.md has the language. Holds no sockets
// and no clock.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice::rig {

enum class Stage { kBanner, kEhlo, kStartTls, kMail, kRcpt, kData, kDot };
constexpr size_t kStageCount = 7;
constexpr std::array<std::string_view, kStageCount> kStageNames = {
    "banner", "ehlo", "starttls", "mail", "rcpt", "data", "dot"};

enum class Drop {
  kNo,
  kClose,    // close in place of the reply
  kReset,    // the same by RST
  kAfter,    // reply, then close
  kMidData,  // at stage data: go on, then close after `after_bytes` of content
};

struct Action {
  std::string reply;  // as sent, line ends included; empty: the normal one
  int code = 0;       // of `reply`
  Duration delay{};   // before the reply
  Duration drip{};    // between the bytes of the reply; zero: all at once
  Drop drop = Drop::kNo;
  uint64_t after_bytes = 0;
  bool bad_handshake = false;  // at stage starttls: 220, then bytes that are no TLS
};

struct Extensions {
  bool pipelining = true, chunking = true, size = true, eight_bit = true, smtputf8 = true;
  bool enhanced_codes = true, dsn = true, starttls = true;
  bool ehlo = true;  // false: EHLO is answered 502
};

// The two ends of a connection.
struct Peer {
  std::string listener_ip;
  uint16_t listener_port = 0;
  std::string source_ip;
  uint16_t source_port = 0;
  uint64_t connection_id = 0;
};

// '*' any run of bytes, '?' any one byte; ASCII case is ignored.
bool GlobMatches(std::string_view pattern, std::string_view text);

// How often a rule applies. Thread-safe: loops share the rules, so that "the first 3" are 3 over
// all of them.
class Recurrence {
 public:
  enum class Per { kRule, kRecipient, kDomain, kSource, kConnection };
  static constexpr size_t kMaxKeys = 100'000;

  Recurrence() = default;
  Recurrence(uint64_t first, uint64_t every, double probability, Per per)
      : first_(first), every_(every), probability_(probability), per_(per) {}
  // Counts one more time for `stage` and says whether the rule acts this time. A key beyond the
  // first kMaxKeys never acts.
  bool Fires(Stage stage, const Peer& peer, std::string_view recipient, std::mt19937_64& random);
  uint64_t fired() const;

 private:
  bool CountSaysYes(Stage stage, const Peer& peer, std::string_view recipient);

  uint64_t first_ = 0;  // 0: no such limit
  uint64_t every_ = 0;
  double probability_ = 1;
  Per per_ = Per::kRule;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, uint64_t> times_;
  uint64_t fired_ = 0;
};

struct Rule {
  std::string name;
  std::string listener = "*", source = "*";  // addresses; listener also as ADDR:PORT
  std::string domain = "*", local = "*";
  bool by_recipient = false;
  Extensions without{};  // false = left out
  uint64_t messages_per_connection = 0;
  std::array<std::optional<Action>, kStageCount> actions;
  // Shared so that a Rule can be moved.
  std::unique_ptr<Recurrence> recurrence;

  bool MatchesPeer(const Peer& peer) const;
  bool MatchesRecipient(std::string_view address) const;
};

// What a script asks for a whole connection.
struct ConnectionTerms {
  Extensions extensions;
  uint64_t messages_per_connection = 0;  // 0: no limit
};

// Thread-safe once parsed.
class Script {
 public:
  // An error names file, line and cure. An empty text is an empty script.
  static absl::StatusOr<std::shared_ptr<const Script>> Parse(std::string_view yaml,
                                                             std::string_view name);

  bool empty() const { return rules_.empty(); }
  ConnectionTerms TermsFor(const Peer& peer) const;
  // The first rule that has an action for `stage`, matches and fires; null: the normal reply. At
  // the stages data and dot one matching recipient is enough. The action lives as long as the
  // script.
  const Action* Find(Stage stage, const Peer& peer, std::span<const std::string> recipients,
                     std::mt19937_64& random) const;

  struct Use {
    std::string name;
    uint64_t fired;
  };
  std::vector<Use> Uses() const;

 private:
  std::vector<Rule> rules_;
};

// A reply as sent from "451 4.7.1 text" with '\n' between lines; an error when it is no reply.
absl::StatusOr<std::string> ReplyToWire(std::string_view text);

}  // namespace sluice::rig
