// The words for how an attempt went: the verdict, the reason class, and the stage of the dialog it
// was decided at. ToString gives the lower-case names that logs, metrics, SQL and the API use;
// Parse takes exactly those.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice {

// Verdict on one attempt.
enum class Disposition : uint8_t { kDelivered, kDeferred, kBounced };
std::string_view ToString(Disposition disposition);
std::optional<Disposition> ParseDisposition(std::string_view name);

// Why the peer (or we) refused; the classes that reactions hang on.
enum class ReplyClass : uint8_t {
  kNone,         // delivered: nothing to explain
  kUnknown,      // refused, and the reply does not tell why
  kThrottle,     // slow down
  kConnLimit,    // too many connections
  kMsgPerConn,   // too many messages on one connection
  kGreylist,     // come back later, same IP
  kBlockIp,      // the sending IP is refused
  kBlockDomain,  // the sending domain is refused
  kDnsbl,        // refused because of a DNS blocklist
  kAuth,         // SPF, DKIM, DMARC, PTR
  kContent,      // this content is refused
  kPolicy,       // a rule of the receiver or its tenant
  kRcptBad,      // no such recipient
  kRcptQuota,    // mailbox full
  kRcptRate,     // this recipient receives too fast
  kRemoteSys,    // the receiver's system, or the way to it, has trouble
  kOurBug,       // we did something wrong
};
std::string_view ToString(ReplyClass reply_class);
std::optional<ReplyClass> ParseReplyClass(std::string_view name);

// Who is meant by a refusal.
enum class ReplyScope : uint8_t {
  kSourceProvider,  // our address, at this provider
  kSource,          // our address, everywhere
  kSenderProvider,  // the sending domain, at this provider
  kSender,          // the sending domain, everywhere
  kRecipient,
  kRecipientOrg,    // everybody at one receiving organisation
  kMessage,
  kConnection,
};
std::string_view ToString(ReplyScope scope);
std::optional<ReplyScope> ParseReplyScope(std::string_view name);

// Where in the dialog an attempt was decided.
enum class Stage : uint8_t {
  kLocal,     // by us, before anything was sent for the message
  kDns,       // looking up the hosts or their addresses
  kConnect,   // TCP connect, binding the source included
  kBanner,    // waiting for the greeting
  kEhlo,      // EHLO or HELO
  kStarttls,  // STARTTLS and its handshake
  kAuth,      // AUTH, towards a smart host
  kMail,      // MAIL FROM
  kRcpt,      // RCPT TO
  kData,      // DATA, before any content was asked for
  kBody,      // content, its final dot or BDAT LAST, and the reply to it
};
std::string_view ToString(Stage stage);
std::optional<Stage> ParseStage(std::string_view name);

}  // namespace sluice
