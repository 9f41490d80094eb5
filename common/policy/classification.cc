#include "policy/classification.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "policy/code_rules.h"
#include "policy/provider.h"
#include "policy/reply_text.h"
#include "policy/shipped_data.h"

namespace sluice {
namespace {

// Enough for the automaton of every rule on every reply seen so far; without it each rule is asked by itself.
constexpr int64_t kMostPatternBytes = 64 << 20;

RE2::Options PatternOptions() {
  RE2::Options options;
  options.set_case_sensitive(false);
  options.set_log_errors(false);
  options.set_max_mem(kMostPatternBytes);
  return options;
}

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

bool IsListed(std::string_view list, std::string_view word) {
  for (size_t at = list.find(word); at != std::string_view::npos; at = list.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || list[at - 1] == ' ') && (end == list.size() || list[end] == ' ')) return true;
  }
  return false;
}

bool SaysSlowDown(ReplyClass reply_class) {
  switch (reply_class) {
    case ReplyClass::kThrottle:
    case ReplyClass::kConnLimit:
    case ReplyClass::kMsgPerConn:
    case ReplyClass::kGreylist:
    case ReplyClass::kRcptRate:
    case ReplyClass::kRcptQuota:
      return true;
    default:
      return false;
  }
}

// Says nothing of the recipient: somebody else's mail would have been refused as well.
bool RefusesUs(ReplyClass reply_class, ReplyScope scope) {
  return reply_class == ReplyClass::kBlockIp || reply_class == ReplyClass::kBlockDomain ||
         reply_class == ReplyClass::kDnsbl ||
         (reply_class == ReplyClass::kAuth &&
          (scope == ReplyScope::kSource || scope == ReplyScope::kSourceProvider));
}

}  // namespace

struct ReplyRules::Rule {
  std::string name;
  std::string providers;  // With blanks between; empty = any.
  uint16_t code_from = 400, code_to = 599;
  uint16_t stages = 0xffff;
  ReplyClass reply_class = ReplyClass::kUnknown;
  ReplyScope scope = ReplyScope::kMessage;
  std::optional<Disposition> disposition;
  const ReplyReaction* reaction = nullptr;
  bool is_operators = false;

  bool IsFor(const SmtpReply& reply, Stage stage, const ReplyOrigin& origin,
             std::string_view dialect) const {
    return reply.code >= code_from && reply.code <= code_to && (stages & StageBit(stage)) != 0 &&
           (providers.empty() || IsListed(providers, is_operators ? origin.provider : dialect));
  }
};

struct ReplyRules::Compiled {
  ProviderCatalogue dialects;
  std::vector<Rule> rules;  // In the order they are asked.
  std::vector<std::unique_ptr<RE2>> patterns;
  RE2::Set set{PatternOptions(), RE2::UNANCHORED};

  void Add(Rule rule, std::string_view pattern) {
    auto compiled = std::make_unique<RE2>(Piece(pattern), PatternOptions());
    if (!compiled->ok() || set.Add(Piece(pattern), nullptr) < 0) return;
    rules.push_back(std::move(rule));
    patterns.push_back(std::move(compiled));
  }

  // Numbers of the rules whose pattern matches.
  std::vector<int> Matching(std::string_view text) const {
    std::vector<int> found;
    RE2::Set::ErrorInfo error{};
    if (set.Match(Piece(text), &found, &error) || error.kind == RE2::Set::kNoError) return found;
    found.clear();
    for (size_t i = 0; i < patterns.size(); ++i) {
      if (RE2::PartialMatch(Piece(text), *patterns[i])) found.push_back(static_cast<int>(i));
    }
    return found;
  }
};

ReplyRules::ReplyRules() : ReplyRules(std::vector<ReplyRule>()) {}

ReplyRules::ReplyRules(const std::vector<ReplyRule>& operators) {
  auto compiled = std::make_unique<Compiled>();
  for (const ReplyRule& rule : operators) {
    std::string providers;
    for (const std::string& provider : rule.providers) {
      providers += (providers.empty() ? "" : " ") + provider;
    }
    uint16_t stages = rule.stages.empty() ? 0xffff : 0;
    for (const Stage stage : rule.stages) stages |= StageBit(stage);
    compiled->Add({.name = rule.name,
                   .providers = std::move(providers),
                   .code_from = static_cast<uint16_t>(rule.code_from),
                   .code_to = static_cast<uint16_t>(rule.code_to),
                   .stages = stages,
                   .reply_class = rule.reply_class,
                   .scope = rule.scope.value_or(UsualScope(rule.reply_class)),
                   .disposition = rule.disposition,
                   .is_operators = true},
                  rule.pattern);
  }
  for (const ShippedReply& row : ShippedReplies()) {
    compiled->Add({.name = std::string(row.name),
                   .providers = std::string(row.providers),
                   .code_from = row.code_from,
                   .code_to = row.code_to,
                   .stages = row.stages,
                   .reply_class = row.reply_class,
                   .scope = row.scope,
                   .disposition = row.defer ? std::optional(Disposition::kDeferred) : std::nullopt,
                   .reaction = &row.reaction},
                  row.pattern);
  }
  SLUICE_CHECK(compiled->set.Compile());
  compiled_ = std::move(compiled);
}

ReplyRules::~ReplyRules() = default;

size_t ReplyRules::size() const { return compiled_->rules.size(); }

const ReplyRules::Rule* ReplyRules::FirstMatch(const SmtpReply& reply, Stage stage,
                                               const ReplyOrigin& origin,
                                               std::string_view text) const {
  std::vector<int> found = compiled_->Matching(text);
  if (found.empty()) return nullptr;
  std::sort(found.begin(), found.end());
  std::vector<MxHost> hosts{{std::string(origin.mx_host), 0}};
  const std::string_view dialect = compiled_->dialects.Match(hosts).provider;
  for (const int number : found) {
    const Rule& rule = compiled_->rules[static_cast<size_t>(number)];
    if (rule.IsFor(reply, stage, origin, dialect)) return &rule;
  }
  return nullptr;
}

bool ReplyRules::IsTemporary(const SmtpReply& reply, Stage stage, const Rule& rule) {
  // Before MAIL the host speaks of us or of itself.
  return reply.is_transient() || stage < Stage::kMail || SaysSlowDown(rule.reply_class) ||
         (stage < Stage::kRcpt && RefusesUs(rule.reply_class, rule.scope));
}

Verdict ReplyRules::Classify(const SmtpReply& reply, Stage stage, const ReplyOrigin& origin) const {
  Verdict verdict = JudgeByCode(reply, stage);
  if (reply.code < 400 || reply.code > 599) return verdict;
  const std::string text = MatchText(reply);
  if (const Rule* rule = FirstMatch(reply, stage, origin, text)) {
    verdict.rule = rule->name;
    verdict.reply_class = rule->reply_class;
    verdict.scope = rule->scope;
    verdict.reaction = rule->reaction;
    verdict.disposition = rule->disposition.value_or(
        IsTemporary(reply, stage, *rule) ? Disposition::kDeferred : Disposition::kBounced);
  }
  verdict.is_transcoded = reply.is_permanent() && verdict.disposition == Disposition::kDeferred;
  if (verdict.disposition == Disposition::kDeferred) {
    verdict.retry_after = ParseRetryAfter(text);
    if (!verdict.retry_after && verdict.reaction != nullptr && verdict.reaction->retry_after > Duration::zero()) {
      verdict.retry_after = verdict.reaction->retry_after;
    }
  }
  verdict.culprit = FindCulprit(text, verdict.culprit_name);
  return verdict;
}

Verdict Classify(const SmtpReply& reply, Stage stage, const ReplyOrigin& origin) {
  static const ReplyRules* const kShipped = new ReplyRules();
  return kShipped->Classify(reply, stage, origin);
}

ReplyScope UsualScope(ReplyClass reply_class) {
  switch (reply_class) {
    case ReplyClass::kThrottle:
    case ReplyClass::kConnLimit:
    case ReplyClass::kBlockIp:
    case ReplyClass::kDnsbl:
    case ReplyClass::kRemoteSys:
      return ReplyScope::kSourceProvider;
    case ReplyClass::kMsgPerConn:
      return ReplyScope::kConnection;
    case ReplyClass::kBlockDomain:
    case ReplyClass::kAuth:
      return ReplyScope::kSenderProvider;
    case ReplyClass::kGreylist:
    case ReplyClass::kRcptBad:
    case ReplyClass::kRcptQuota:
    case ReplyClass::kRcptRate:
      return ReplyScope::kRecipient;
    case ReplyClass::kNone:
    case ReplyClass::kUnknown:
    case ReplyClass::kContent:
    case ReplyClass::kPolicy:
    case ReplyClass::kOurBug:
      return ReplyScope::kMessage;
  }
  return ReplyScope::kMessage;
}

std::string_view ToString(Culprit culprit) {
  switch (culprit) {
    case Culprit::kNone:
      return "none";
    case Culprit::kAddress:
      return "address";
    case Culprit::kNetblock:
      return "netblock";
    case Culprit::kDkimDomain:
      return "dkim_domain";
    case Culprit::kSpfDomain:
      return "spf_domain";
    case Culprit::kUrlDomains:
      return "url_domains";
  }
  return "none";
}

}  // namespace sluice
