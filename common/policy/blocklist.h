// DNS blocklists (RFC 5782): what to ask, what an answer means, and when it counts. An answer outside 127/8, one that the zone defines
// as an error, and a resolver that fails say nothing about an address. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace sluice {

enum class BlocklistUse : uint8_t { kOn, kOff, kMetric };

// A row of data/blocklists.yaml, which explains the fields. Addresses as numbers, host order.
struct Blocklist {
  struct Code {
    uint32_t first = 0, last = 0;
    std::string_view word, means;
    int confirm = 2;
  };
  struct Error {
    uint32_t address = 0;
    std::string_view means;
  };
  std::string_view zone = {}, keyed = {};
  bool of_domains = false, lists_ipv6 = false;
  BlocklistUse use = BlocklistUse::kOff;
  std::string_view listed = {}, clean = {}, delist = {};
  std::vector<Code> codes = {};
  std::vector<Error> errors = {};
};
const std::vector<Blocklist>& ShippedBlocklists();
const Blocklist* FindBlocklist(std::string_view zone);

// `11.2.0.192`; 32 nibbles for IPv6; empty: no address.
std::string ReversedAddress(std::string_view address);
// Whether the world could know it: not loopback, private, link-local or reserved.
bool IsPublicAddress(std::string_view address);

struct BlocklistReading {
  enum class Kind : uint8_t { kClean, kListed, kError };
  Kind kind = Kind::kClean;
  const Blocklist::Code* code = nullptr;  // The worst, when listed.
  std::string text;                       // The codes, or what is wrong.
};
// `addresses` of an answer that had some; none = not listed.
BlocklistReading ReadBlocklist(const Blocklist& list, const std::vector<std::string>& addresses);

// Answers in a row, until one counts.
struct Confirmation {
  bool stands = false;  // Listed, as far as anything is done about it.
  int positives = 0, negatives = 0;
  std::optional<Instant> first_positive_at = {};
  friend bool operator==(const Confirmation&, const Confirmation&) = default;
};
struct ConfirmationRules {
  Duration apart = std::chrono::minutes(5);  // From the first positive answer to the one that confirms.
  int clean = 3;                             // Clean answers in a row that end it.
};
// `needed` answers in a row make it stand.
Confirmation Confirm(Confirmation before, bool is_listed, int needed, const ConfirmationRules& rules, Instant now);

}  // namespace sluice
