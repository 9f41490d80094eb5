#include "policy/bounce_class.h"

#include <algorithm>
#include <array>

#include "policy/classification.h"

namespace sluice {
namespace {

struct Phrase {
  std::string_view words;  // Lower case.
  ReplyClass reply_class;
};

// First match wins: refusals of the sender before verdicts on the recipient, since many servers mention
// the recipient in both.
constexpr std::array kPhrases = {
    Phrase{"spamhaus", ReplyClass::kDnsbl},
    Phrase{"dnsbl", ReplyClass::kDnsbl},
    Phrase{"blacklist", ReplyClass::kDnsbl},
    Phrase{"block list", ReplyClass::kBlockIp},
    Phrase{"blocklist", ReplyClass::kDnsbl},
    Phrase{"blocked using", ReplyClass::kDnsbl},
    Phrase{"banned sending ip", ReplyClass::kBlockIp},
    Phrase{"dmarc", ReplyClass::kAuth},
    Phrase{"unauthenticated", ReplyClass::kAuth},
    Phrase{"spf", ReplyClass::kAuth},
    Phrase{"over quota", ReplyClass::kRcptQuota},
    Phrase{"overquota", ReplyClass::kRcptQuota},
    Phrase{"mailbox full", ReplyClass::kRcptQuota},
    Phrase{"mailbox is full", ReplyClass::kRcptQuota},
    Phrase{"quota exceeded", ReplyClass::kRcptQuota},
    Phrase{"out of storage", ReplyClass::kRcptQuota},
    Phrase{"insufficient storage", ReplyClass::kRcptQuota},
    Phrase{"spam", ReplyClass::kContent},
    Phrase{"virus", ReplyClass::kContent},
    Phrase{"unsolicited", ReplyClass::kContent},
    Phrase{"content rejected", ReplyClass::kContent},
    Phrase{"access denied", ReplyClass::kPolicy},
    Phrase{"not allowed", ReplyClass::kPolicy},
    Phrase{"not authorized", ReplyClass::kPolicy},
    Phrase{"policy", ReplyClass::kPolicy},
    Phrase{"hop count", ReplyClass::kRemoteSys},
    Phrase{"loop", ReplyClass::kRemoteSys},
    Phrase{"timed out", ReplyClass::kRemoteSys},
    Phrase{"connection refused", ReplyClass::kRemoteSys},
    Phrase{"user unknown", ReplyClass::kRcptBad},
    Phrase{"unknown user", ReplyClass::kRcptBad},
    Phrase{"no such user", ReplyClass::kRcptBad},
    Phrase{"no such recipient", ReplyClass::kRcptBad},
    Phrase{"does not exist", ReplyClass::kRcptBad},
    Phrase{"doesn't exist", ReplyClass::kRcptBad},
    Phrase{"doesn't have a", ReplyClass::kRcptBad},
    Phrase{"mailbox not found", ReplyClass::kRcptBad},
    Phrase{"mailbox unavailable", ReplyClass::kRcptBad},
    Phrase{"no mailbox here", ReplyClass::kRcptBad},
    Phrase{"address not found", ReplyClass::kRcptBad},
    Phrase{"recipient not found", ReplyClass::kRcptBad},
    Phrase{"invalid recipient", ReplyClass::kRcptBad},
    Phrase{"not listed in", ReplyClass::kRcptBad},
    Phrase{"account is disabled", ReplyClass::kRcptBad},
    Phrase{"account has been disabled", ReplyClass::kRcptBad},
    Phrase{"mailbox is disabled", ReplyClass::kRcptBad},
    Phrase{"unrouteable address", ReplyClass::kRcptBad},
    Phrase{"wasn't found", ReplyClass::kRcptBad},
    Phrase{"unbekannt", ReplyClass::kRcptBad},
};

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return out;
}

// 5.1.1, 5.1.10 and 5.2.1 say it themselves, unless the text says otherwise.
bool NamesTheRecipient(const SmtpReply& reply) {
  if (!reply.enhanced || reply.enhanced->klass != 5) return false;
  const EnhancedStatus& status = *reply.enhanced;
  return (status.subject == 1 && (status.detail <= 3 || status.detail == 6 || status.detail == 10) &&
          status.detail != 0) ||
         (status.subject == 2 && status.detail == 1);
}

}  // namespace

ReplyClass ClassifyBounce(const SmtpReply& reply) {
  if (NamesTheRecipient(reply)) return ReplyClass::kRcptBad;
  const std::string text = Lower(reply.text);
  const auto phrase = std::find_if(kPhrases.begin(), kPhrases.end(), [&](const Phrase& one) {
    return text.find(one.words) != std::string::npos;
  });
  if (phrase != kPhrases.end()) {
    // A greylisting or overloaded server that was given up on says nothing of its recipient.
    const bool permanent = reply.code >= 500 || (reply.enhanced && reply.enhanced->klass == 5) ||
                           (reply.code == 0 && !reply.enhanced);
    if (phrase->reply_class != ReplyClass::kRcptBad || permanent) return phrase->reply_class;
  }
  if (reply.enhanced) {
    SmtpReply judged = reply;
    if (judged.code == 0) judged.code = reply.enhanced->klass * 100 + 50;
    return Classify(judged, Stage::kBody).reply_class;
  }
  return ReplyClass::kUnknown;
}

}  // namespace sluice
