#include "rig/script.h"

#include "base/text.h"
#include "rig/command.h"

namespace sluice::rig {
namespace {

char Fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

void LeaveOut(Extensions& from, const Extensions& kept) {
  from.pipelining = from.pipelining && kept.pipelining;
  from.chunking = from.chunking && kept.chunking;
  from.size = from.size && kept.size;
  from.eight_bit = from.eight_bit && kept.eight_bit;
  from.smtputf8 = from.smtputf8 && kept.smtputf8;
  from.enhanced_codes = from.enhanced_codes && kept.enhanced_codes;
  from.dsn = from.dsn && kept.dsn;
  from.starttls = from.starttls && kept.starttls;
  from.ehlo = from.ehlo && kept.ehlo;
}

}  // namespace

// One pass with one point to go back to: the last '*'. Quadratic at worst, never exponential.
bool GlobMatches(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || Fold(pattern[p]) == Fold(text[t]))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool Recurrence::CountSaysYes(Stage stage, const Peer& peer, std::string_view recipient) {
  std::string key(1, static_cast<char>('0' + static_cast<int>(stage)));
  switch (per_) {
    case Per::kRule:
      break;
    case Per::kRecipient:
      key += Lower(recipient);
      break;
    case Per::kDomain:
      key += Lower(SplitAddress(recipient).domain);
      break;
    case Per::kSource:
      key += peer.source_ip;
      break;
    case Per::kConnection:
      Append(key, peer.connection_id);
      break;
  }
  if (times_.size() >= kMaxKeys && !times_.contains(key)) return false;
  const uint64_t time = ++times_[key];
  if (first_ > 0 && time > first_) return false;
  return every_ == 0 || time % every_ == 0;
}

bool Recurrence::Fires(Stage stage, const Peer& peer, std::string_view recipient,
                       std::mt19937_64& random) {
  if (probability_ < 1 && std::uniform_real_distribution<>(0, 1)(random) >= probability_)
    return false;
  const std::lock_guard lock(mutex_);
  if ((first_ > 0 || every_ > 0) && !CountSaysYes(stage, peer, recipient)) return false;
  ++fired_;
  return true;
}

uint64_t Recurrence::fired() const {
  const std::lock_guard lock(mutex_);
  return fired_;
}

bool Rule::MatchesPeer(const Peer& peer) const {
  if (source != "*" && !GlobMatches(source, peer.source_ip)) return false;
  if (listener == "*" || GlobMatches(listener, peer.listener_ip)) return true;
  return GlobMatches(listener, Cat(peer.listener_ip, ":", peer.listener_port));
}

bool Rule::MatchesRecipient(std::string_view address) const {
  const AddressParts parts = SplitAddress(address);
  return GlobMatches(domain, parts.domain) && GlobMatches(local, parts.local);
}

ConnectionTerms Script::TermsFor(const Peer& peer) const {
  ConnectionTerms terms;
  for (const Rule& rule : rules_) {
    if (rule.by_recipient || !rule.MatchesPeer(peer)) continue;
    LeaveOut(terms.extensions, rule.without);
    if (terms.messages_per_connection == 0)
      terms.messages_per_connection = rule.messages_per_connection;
  }
  return terms;
}

const Action* Script::Find(Stage stage, const Peer& peer, std::span<const std::string> recipients,
                           std::mt19937_64& random) const {
  for (const Rule& rule : rules_) {
    const auto& action = rule.actions[static_cast<size_t>(stage)];
    if (!action || !rule.MatchesPeer(peer)) continue;
    std::string_view matched = recipients.empty() ? std::string_view() : recipients.front();
    bool matches = !rule.by_recipient;
    for (size_t i = 0; i < recipients.size() && !matches; ++i) {
      matches = rule.MatchesRecipient(recipients[i]);
      matched = recipients[i];
    }
    if (matches && rule.recurrence->Fires(stage, peer, matched, random)) return &*action;
  }
  return nullptr;
}

std::vector<Script::Use> Script::Uses() const {
  std::vector<Use> uses;
  for (const Rule& rule : rules_) uses.push_back({rule.name, rule.recurrence->fired()});
  return uses;
}

absl::StatusOr<std::string> ReplyToWire(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  const std::string_view code = text.substr(0, 3);
  if (code.size() < 3 || code[0] < '2' || code[0] > '5' || !ParseNumber(code)) {
    return absl::InvalidArgumentError(
        Cat(Quoted(text), " is no reply: write a code from 200 to 599 and a text"));
  }
  text.remove_prefix(3);
  if (text.starts_with('-')) text.remove_prefix(1);
  std::string wire;
  while (true) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.starts_with(' ')) line.remove_prefix(1);
    Append(wire, code, end == std::string_view::npos ? ' ' : '-', line, "\r\n");
    if (end == std::string_view::npos) return wire;
    text.remove_prefix(end + 1);
    // Further lines may repeat the code, as on the wire.
    if (text.starts_with(code) && text.size() > 3 && (text[3] == '-' || text[3] == ' '))
      text.remove_prefix(4);
  }
}

}  // namespace sluice::rig
