#include "policy/code_rules.h"

#include <algorithm>
#include <array>

namespace sluice {
namespace {

// One row: matches when stage, code and enhanced status all do.
struct CodeRule {
  static constexpr uint16_t kAnyNumber = 0xffff;
  std::string_view name;
  uint16_t stages = 0;               // bit set of StageBit
  int code_from = 0, code_to = 999;  // inclusive; 0 = we speak for the peer (SmtpReply)
  // Of the enhanced status; if any of the three is set, there must be one.
  uint16_t subject = kAnyNumber;
  uint16_t detail = kAnyNumber;
  uint8_t klass = 0;  // 0 = any
  Disposition disposition = Disposition::kDeferred;
  ReplyClass reply_class = ReplyClass::kUnknown;
  bool host_only = false;
};

constexpr uint16_t kBeforeMail =
    StageBit(Stage::kBanner) | StageBit(Stage::kEhlo) | StageBit(Stage::kStarttls) |
    StageBit(Stage::kAuth);
constexpr uint16_t kNetwork = StageBit(Stage::kDns) | StageBit(Stage::kConnect) | kBeforeMail;
constexpr uint16_t kEnvelope = StageBit(Stage::kMail) | StageBit(Stage::kRcpt);
constexpr uint16_t kContent = StageBit(Stage::kData) | StageBit(Stage::kBody);
constexpr uint16_t kTransaction = kEnvelope | kContent;
constexpr uint16_t kLocalOrDns = StageBit(Stage::kLocal) | StageBit(Stage::kDns);
constexpr uint16_t kRcpt = StageBit(Stage::kRcpt);
constexpr uint16_t kEvery = 0xffff;
constexpr uint16_t kAny = CodeRule::kAnyNumber;

constexpr auto kDeferred = Disposition::kDeferred;
constexpr auto kBounced = Disposition::kBounced;

// First match wins. The enhanced status is asked before the bare code, the particular before the
// general. Texts are not read here: what providers mean by theirs is data, and comes in front of
// these.
constexpr std::array kBuiltIn{
    // We speak for the peer: nothing was answered, or nothing was sent.
    CodeRule{"local_content", kLocalOrDns, 0, 0, 6, kAny, 5, kBounced, ReplyClass::kContent},
    CodeRule{"local_too_large", kLocalOrDns, 0, 0, 3, 4, 5, kBounced, ReplyClass::kPolicy},
    CodeRule{"null_mx", kLocalOrDns, 0, 0, 1, 10, 5, kBounced, ReplyClass::kRcptBad},
    CodeRule{"local_refusal", kLocalOrDns, 0, 0, kAny, kAny, 5, kBounced, ReplyClass::kPolicy},
    CodeRule{"local_deferral", StageBit(Stage::kLocal), 0, 0, kAny, kAny, 0, kDeferred,
              ReplyClass::kUnknown},
    CodeRule{"dns_failure", StageBit(Stage::kDns), 0, 0, kAny, kAny, 0, kDeferred,
              ReplyClass::kRemoteSys},
    CodeRule{"no_answer", kEvery, 0, 0, kAny, kAny, 0, kDeferred, ReplyClass::kRemoteSys, true},

    // RFC 7505 and RFC 7504: the host, or the domain, takes no mail at all.
    CodeRule{"domain_takes_no_mail", kTransaction, 556, 556, kAny, kAny, 0, kBounced,
              ReplyClass::kRcptBad},

    // Before MAIL the host speaks of us or of itself, never of a message.
    CodeRule{"closing", kNetwork, 421, 421, kAny, kAny, 0, kDeferred, ReplyClass::kRemoteSys,
              true},
    CodeRule{"host_policy", kBeforeMail, 400, 499, 7, kAny, 0, kDeferred, ReplyClass::kPolicy,
              true},
    CodeRule{"host_blocks_us", kBeforeMail, 500, 599, 7, kAny, 0, kDeferred, ReplyClass::kBlockIp,
              true},
    CodeRule{"banner_refused", StageBit(Stage::kBanner), 500, 599, kAny, kAny, 0, kDeferred,
              ReplyClass::kBlockIp, true},
    CodeRule{"host_refused", kNetwork, 400, 599, kAny, kAny, 0, kDeferred, ReplyClass::kRemoteSys,
              true},

    // The service is closing this connection; the next one may do. A mailbox is never meant.
    CodeRule{"shutting_down", kTransaction, 421, 421, kAny, kAny, 0, kDeferred,
              ReplyClass::kRemoteSys, true},

    // Mailbox full is temporary however it is said, and 552 means it only before content (RFC 5321
    // §4.2.3,
    // §4.5.3.1.10); after content 552 is "too large" unless the status says mailbox.
    CodeRule{"mailbox_full", kTransaction, 400, 599, 2, 2, 0, kDeferred, ReplyClass::kRcptQuota},
    CodeRule{"too_large", kTransaction, 400, 599, 2, 3, 5, kBounced, ReplyClass::kPolicy},
    CodeRule{"too_large", kTransaction, 400, 599, 3, 4, 5, kBounced, ReplyClass::kPolicy},
    CodeRule{"too_many_recipients", kRcpt, 400, 599, 5, 3, 0, kDeferred, ReplyClass::kMsgPerConn},
    CodeRule{"system_full", kTransaction, 400, 599, 3, 1, 4, kDeferred, ReplyClass::kRemoteSys},
    CodeRule{"mailbox_full_552", kRcpt, 552, 552, kAny, kAny, 0, kDeferred,
              ReplyClass::kRcptQuota},
    CodeRule{"too_large_552", kContent | StageBit(Stage::kMail), 552, 552, kAny, kAny, 0, kBounced,
              ReplyClass::kPolicy},

    // Enhanced status, permanent.
    CodeRule{"no_such_mailbox", kRcpt | kContent, 500, 599, 1, 1, 0, kBounced,
              ReplyClass::kRcptBad},
    CodeRule{"bad_destination_system", kRcpt | kContent, 500, 599, 1, 2, 0, kBounced,
              ReplyClass::kRcptBad},
    CodeRule{"bad_mailbox_syntax", kRcpt | kContent, 500, 599, 1, 3, 0, kBounced,
              ReplyClass::kRcptBad},
    CodeRule{"mailbox_moved", kRcpt | kContent, 500, 599, 1, 6, 0, kBounced, ReplyClass::kRcptBad},
    CodeRule{"bad_sender", kTransaction, 500, 599, 1, 7, 0, kBounced, ReplyClass::kOurBug},
    CodeRule{"bad_sender_system", kTransaction, 500, 599, 1, 8, 0, kBounced, ReplyClass::kOurBug},
    CodeRule{"domain_takes_no_mail", kTransaction, 500, 599, 1, 10, 0, kBounced,
              ReplyClass::kRcptBad},
    CodeRule{"mailbox_disabled", kRcpt | kContent, 500, 599, 2, 1, 0, kBounced,
              ReplyClass::kRcptBad},
    CodeRule{"protocol", kTransaction, 500, 599, 5, kAny, 0, kBounced, ReplyClass::kOurBug},
    CodeRule{"content", kTransaction, 500, 599, 6, kAny, 0, kBounced, ReplyClass::kContent},
    CodeRule{"authentication", kTransaction, 400, 599, 7, 20, 0, kDeferred, ReplyClass::kAuth},

    CodeRule{"refused_by_policy", kTransaction, 500, 599, 7, kAny, 5, kBounced,
              ReplyClass::kPolicy},
    CodeRule{"no_route_to_mailbox", kRcpt, 500, 599, 4, 1, 5, kBounced, ReplyClass::kRcptBad},
    CodeRule{"remote_system", kTransaction, 500, 599, 3, kAny, 5, kBounced,
              ReplyClass::kRemoteSys},
    CodeRule{"remote_network", kTransaction, 500, 599, 4, kAny, 5, kBounced,
              ReplyClass::kRemoteSys},

    // Enhanced status, temporary.
    CodeRule{"deferred_by_policy", kTransaction, 400, 499, 7, kAny, 4, kDeferred,
              ReplyClass::kPolicy},
    CodeRule{"system_busy", kTransaction, 400, 499, 3, 2, 0, kDeferred, ReplyClass::kRemoteSys},
    CodeRule{"congestion", kTransaction, 400, 499, 4, 5, 0, kDeferred, ReplyClass::kThrottle},

    // Bare codes.
    CodeRule{"no_such_mailbox_550", kRcpt, 550, 550, kAny, kAny, 0, kBounced,
              ReplyClass::kRcptBad},
    CodeRule{"not_local_551", kRcpt, 551, 551, kAny, kAny, 0, kBounced, ReplyClass::kRcptBad},
    CodeRule{"bad_mailbox_553", kRcpt, 553, 553, kAny, kAny, 0, kBounced, ReplyClass::kRcptBad},
    CodeRule{"syntax", kTransaction, 500, 504, kAny, kAny, 0, kBounced, ReplyClass::kOurBug},
    CodeRule{"parameters_555", kEnvelope, 555, 555, kAny, kAny, 0, kBounced, ReplyClass::kOurBug},
    CodeRule{"local_error_451", kTransaction, 451, 452, kAny, kAny, 0, kDeferred,
              ReplyClass::kRemoteSys},

    // Class digit.
    CodeRule{"temporary", kEvery, 400, 499, kAny, kAny, 0, kDeferred, ReplyClass::kUnknown},
    CodeRule{"permanent_content", kContent, 500, 599, kAny, kAny, 0, kBounced,
              ReplyClass::kContent},
    CodeRule{"permanent", kEvery, 500, 599, kAny, kAny, 0, kBounced, ReplyClass::kUnknown},
};

bool Matches(const CodeRule& rule, const SmtpReply& reply, Stage stage) {
  if ((rule.stages & StageBit(stage)) == 0 || reply.code < rule.code_from ||
      reply.code > rule.code_to) {
    return false;
  }
  if (rule.subject == kAny && rule.detail == kAny && rule.klass == 0) {
    return true;
  }
  return reply.enhanced && (rule.klass == 0 || rule.klass == reply.enhanced->klass) &&
         (rule.subject == kAny || rule.subject == reply.enhanced->subject) &&
         (rule.detail == kAny || rule.detail == reply.enhanced->detail);
}

}  // namespace

Verdict JudgeByCode(const SmtpReply& reply, Stage stage) {
  Verdict verdict;
  if (stage == Stage::kBody && reply.code >= 200 && reply.code < 300) {
    verdict.disposition = Disposition::kDelivered;
    verdict.reply_class = ReplyClass::kNone;
    verdict.rule = "accepted";
    return verdict;
  }
  const auto* rule = std::find_if(kBuiltIn.begin(), kBuiltIn.end(), [&](const CodeRule& candidate) {
    return Matches(candidate, reply, stage);
  });
  if (rule == kBuiltIn.end()) {
    verdict.reply_class = ReplyClass::kOurBug;
    verdict.rule = "out_of_place";
  } else {
    verdict.disposition = rule->disposition;
    verdict.reply_class = rule->reply_class;
    verdict.host_only = rule->host_only;
    verdict.rule = rule->name;
  }
  verdict.scope = UsualScope(verdict.reply_class);
  return verdict;
}

}  // namespace sluice
