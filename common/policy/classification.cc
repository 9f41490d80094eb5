#include "policy/classification.h"

#include <array>

namespace sluice {
namespace {

constexpr uint16_t kBeforeMail =
    StageBit(Stage::kBanner) | StageBit(Stage::kEhlo) | StageBit(Stage::kStarttls);
constexpr uint16_t kNetwork = StageBit(Stage::kDns) | StageBit(Stage::kConnect) | kBeforeMail;
constexpr uint16_t kEnvelope = StageBit(Stage::kMail) | StageBit(Stage::kRcpt);
constexpr uint16_t kContent = StageBit(Stage::kData) | StageBit(Stage::kBody);
constexpr uint16_t kTransaction = kEnvelope | kContent;
constexpr uint16_t kLocalOrDns = StageBit(Stage::kLocal) | StageBit(Stage::kDns);
constexpr uint16_t kRcpt = StageBit(Stage::kRcpt);
constexpr uint16_t kEvery = 0xffff;
constexpr uint16_t kAny = ReplyRule::kAnyNumber;

constexpr auto kDeferred = Disposition::kDeferred;
constexpr auto kBounced = Disposition::kBounced;

// First match wins. The enhanced status is asked before the bare code, the particular before the
// general. Texts are not read here: what providers mean by theirs is data, and comes in front of
// these.
constexpr std::array kBuiltIn{
    // We speak for the peer: nothing was answered, or nothing was sent.
    ReplyRule{"local_content", kLocalOrDns, 0, 0, 6, kAny, 5, kBounced, ReplyClass::kContent},
    ReplyRule{"local_too_large", kLocalOrDns, 0, 0, 3, 4, 5, kBounced, ReplyClass::kPolicy},
    ReplyRule{"null_mx", kLocalOrDns, 0, 0, 1, 10, 5, kBounced, ReplyClass::kRcptBad},
    ReplyRule{"local_refusal", kLocalOrDns, 0, 0, kAny, kAny, 5, kBounced, ReplyClass::kPolicy},
    ReplyRule{"local_deferral", StageBit(Stage::kLocal), 0, 0, kAny, kAny, 0, kDeferred,
              ReplyClass::kUnknown},
    ReplyRule{"dns_failure", StageBit(Stage::kDns), 0, 0, kAny, kAny, 0, kDeferred,
              ReplyClass::kRemoteSys},
    ReplyRule{"no_answer", kEvery, 0, 0, kAny, kAny, 0, kDeferred, ReplyClass::kRemoteSys, true},

    // RFC 7505 and RFC 7504: the host, or the domain, takes no mail at all.
    ReplyRule{"domain_takes_no_mail", kTransaction, 556, 556, kAny, kAny, 0, kBounced,
              ReplyClass::kRcptBad},

    // Before MAIL the host speaks of us or of itself, never of a message.
    ReplyRule{"closing", kNetwork, 421, 421, kAny, kAny, 0, kDeferred, ReplyClass::kRemoteSys,
              true},
    ReplyRule{"host_policy", kBeforeMail, 400, 499, 7, kAny, 0, kDeferred, ReplyClass::kPolicy,
              true},
    ReplyRule{"host_blocks_us", kBeforeMail, 500, 599, 7, kAny, 0, kDeferred, ReplyClass::kBlockIp,
              true},
    ReplyRule{"banner_refused", StageBit(Stage::kBanner), 500, 599, kAny, kAny, 0, kDeferred,
              ReplyClass::kBlockIp, true},
    ReplyRule{"host_refused", kNetwork, 400, 599, kAny, kAny, 0, kDeferred, ReplyClass::kRemoteSys,
              true},

    // The service is closing this connection; the next one may do. A mailbox is never meant.
    ReplyRule{"shutting_down", kTransaction, 421, 421, kAny, kAny, 0, kDeferred,
              ReplyClass::kRemoteSys, true},

    // Mailbox full is temporary however it is said, and 552 means it only before content (RFC 5321
    // §4.2.3,
    // §4.5.3.1.10); after content 552 is "too large" unless the status says mailbox.
    ReplyRule{"mailbox_full", kTransaction, 400, 599, 2, 2, 0, kDeferred, ReplyClass::kRcptQuota},
    ReplyRule{"too_large", kTransaction, 400, 599, 2, 3, 5, kBounced, ReplyClass::kPolicy},
    ReplyRule{"too_large", kTransaction, 400, 599, 3, 4, 5, kBounced, ReplyClass::kPolicy},
    ReplyRule{"too_many_recipients", kRcpt, 400, 599, 5, 3, 0, kDeferred, ReplyClass::kMsgPerConn},
    ReplyRule{"system_full", kTransaction, 400, 599, 3, 1, 4, kDeferred, ReplyClass::kRemoteSys},
    ReplyRule{"mailbox_full_552", kRcpt, 552, 552, kAny, kAny, 0, kDeferred,
              ReplyClass::kRcptQuota},
    ReplyRule{"too_large_552", kContent | StageBit(Stage::kMail), 552, 552, kAny, kAny, 0, kBounced,
              ReplyClass::kPolicy},

    // Enhanced status, permanent.
    ReplyRule{"no_such_mailbox", kRcpt | kContent, 500, 599, 1, 1, 0, kBounced,
              ReplyClass::kRcptBad},
    ReplyRule{"bad_destination_system", kRcpt | kContent, 500, 599, 1, 2, 0, kBounced,
              ReplyClass::kRcptBad},
    ReplyRule{"bad_mailbox_syntax", kRcpt | kContent, 500, 599, 1, 3, 0, kBounced,
              ReplyClass::kRcptBad},
    ReplyRule{"mailbox_moved", kRcpt | kContent, 500, 599, 1, 6, 0, kBounced, ReplyClass::kRcptBad},
    ReplyRule{"bad_sender", kTransaction, 500, 599, 1, 7, 0, kBounced, ReplyClass::kOurBug},
    ReplyRule{"bad_sender_system", kTransaction, 500, 599, 1, 8, 0, kBounced, ReplyClass::kOurBug},
    ReplyRule{"domain_takes_no_mail", kTransaction, 500, 599, 1, 10, 0, kBounced,
              ReplyClass::kRcptBad},
    ReplyRule{"mailbox_disabled", kRcpt | kContent, 500, 599, 2, 1, 0, kBounced,
              ReplyClass::kRcptBad},
    ReplyRule{"protocol", kTransaction, 500, 599, 5, kAny, 0, kBounced, ReplyClass::kOurBug},
    ReplyRule{"content", kTransaction, 500, 599, 6, kAny, 0, kBounced, ReplyClass::kContent},
    ReplyRule{"authentication", kTransaction, 400, 599, 7, 20, 0, kDeferred, ReplyClass::kAuth},

    ReplyRule{"refused_by_policy", kTransaction, 500, 599, 7, kAny, 5, kBounced,
              ReplyClass::kPolicy},
    ReplyRule{"no_route_to_mailbox", kRcpt, 500, 599, 4, 1, 5, kBounced, ReplyClass::kRcptBad},
    ReplyRule{"remote_system", kTransaction, 500, 599, 3, kAny, 5, kBounced,
              ReplyClass::kRemoteSys},
    ReplyRule{"remote_network", kTransaction, 500, 599, 4, kAny, 5, kBounced,
              ReplyClass::kRemoteSys},

    // Enhanced status, temporary.
    ReplyRule{"deferred_by_policy", kTransaction, 400, 499, 7, kAny, 4, kDeferred,
              ReplyClass::kPolicy},
    ReplyRule{"system_busy", kTransaction, 400, 499, 3, 2, 0, kDeferred, ReplyClass::kRemoteSys},
    ReplyRule{"congestion", kTransaction, 400, 499, 4, 5, 0, kDeferred, ReplyClass::kThrottle},

    // Bare codes.
    ReplyRule{"no_such_mailbox_550", kRcpt, 550, 550, kAny, kAny, 0, kBounced,
              ReplyClass::kRcptBad},
    ReplyRule{"not_local_551", kRcpt, 551, 551, kAny, kAny, 0, kBounced, ReplyClass::kRcptBad},
    ReplyRule{"bad_mailbox_553", kRcpt, 553, 553, kAny, kAny, 0, kBounced, ReplyClass::kRcptBad},
    ReplyRule{"syntax", kTransaction, 500, 504, kAny, kAny, 0, kBounced, ReplyClass::kOurBug},
    ReplyRule{"parameters_555", kEnvelope, 555, 555, kAny, kAny, 0, kBounced, ReplyClass::kOurBug},
    ReplyRule{"local_error_451", kTransaction, 451, 452, kAny, kAny, 0, kDeferred,
              ReplyClass::kRemoteSys},

    // Class digit.
    ReplyRule{"temporary", kEvery, 400, 499, kAny, kAny, 0, kDeferred, ReplyClass::kUnknown},
    ReplyRule{"permanent_content", kContent, 500, 599, kAny, kAny, 0, kBounced,
              ReplyClass::kContent},
    ReplyRule{"permanent", kEvery, 500, 599, kAny, kAny, 0, kBounced, ReplyClass::kUnknown},
};

bool Matches(const ReplyRule& rule, const SmtpReply& reply, Stage stage) {
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

const ReplyRule* FirstMatch(std::span<const ReplyRule> rules, const SmtpReply& reply, Stage stage) {
  for (const ReplyRule& rule : rules) {
    if (Matches(rule, reply, stage)) {
      return &rule;
    }
  }
  return nullptr;
}

}  // namespace

Verdict Classify(const SmtpReply& reply, Stage stage, std::span<const ReplyRule> rules) {
  if (stage == Stage::kBody && reply.code >= 200 && reply.code < 300) {
    return {Disposition::kDelivered, ReplyClass::kNone, false, "accepted"};
  }
  const ReplyRule* rule = FirstMatch(rules, reply, stage);
  if (rule == nullptr) {
    rule = FirstMatch(kBuiltIn, reply, stage);
  }
  if (rule == nullptr) {
    return {kDeferred, ReplyClass::kOurBug, false, "out_of_place"};
  }
  return {rule->disposition, rule->reply_class, rule->host_only, rule->name};
}

Verdict Classify(const SmtpReply& reply, Stage stage) { return Classify(reply, stage, {}); }

}  // namespace sluice
