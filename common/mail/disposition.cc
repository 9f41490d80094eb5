#include "mail/disposition.h"

#include <array>
#include <utility>

namespace sluice {
namespace {

template <class Enum>
using Name = std::pair<Enum, std::string_view>;

constexpr std::array kDispositions{
    Name<Disposition>{Disposition::kDelivered, "delivered"},
    Name<Disposition>{Disposition::kDeferred, "deferred"},
    Name<Disposition>{Disposition::kBounced, "bounced"},
};

constexpr std::array kReplyClasses{
    Name<ReplyClass>{ReplyClass::kNone, "none"},
    Name<ReplyClass>{ReplyClass::kUnknown, "unknown"},
    Name<ReplyClass>{ReplyClass::kThrottle, "throttle"},
    Name<ReplyClass>{ReplyClass::kConnLimit, "conn_limit"},
    Name<ReplyClass>{ReplyClass::kMsgPerConn, "msg_per_conn"},
    Name<ReplyClass>{ReplyClass::kGreylist, "greylist"},
    Name<ReplyClass>{ReplyClass::kBlockIp, "block_ip"},
    Name<ReplyClass>{ReplyClass::kBlockDomain, "block_domain"},
    Name<ReplyClass>{ReplyClass::kDnsbl, "dnsbl"},
    Name<ReplyClass>{ReplyClass::kAuth, "auth"},
    Name<ReplyClass>{ReplyClass::kContent, "content"},
    Name<ReplyClass>{ReplyClass::kPolicy, "policy"},
    Name<ReplyClass>{ReplyClass::kRcptBad, "rcpt_bad"},
    Name<ReplyClass>{ReplyClass::kRcptQuota, "rcpt_quota"},
    Name<ReplyClass>{ReplyClass::kRcptRate, "rcpt_rate"},
    Name<ReplyClass>{ReplyClass::kRemoteSys, "remote_sys"},
    Name<ReplyClass>{ReplyClass::kOurBug, "our_bug"},
};

constexpr std::array kReplyScopes{
    Name<ReplyScope>{ReplyScope::kSourceProvider, "source_provider"},
    Name<ReplyScope>{ReplyScope::kSource, "source"},
    Name<ReplyScope>{ReplyScope::kSenderProvider, "sender_provider"},
    Name<ReplyScope>{ReplyScope::kSender, "sender"},
    Name<ReplyScope>{ReplyScope::kRecipient, "recipient"},
    Name<ReplyScope>{ReplyScope::kRecipientOrg, "recipient_org"},
    Name<ReplyScope>{ReplyScope::kMessage, "message"},
    Name<ReplyScope>{ReplyScope::kConnection, "connection"},
};

constexpr std::array kStages{
    Name<Stage>{Stage::kLocal, "local"},     Name<Stage>{Stage::kDns, "dns"},
    Name<Stage>{Stage::kConnect, "connect"}, Name<Stage>{Stage::kBanner, "banner"},
    Name<Stage>{Stage::kEhlo, "ehlo"},       Name<Stage>{Stage::kStarttls, "starttls"},
    Name<Stage>{Stage::kAuth, "auth"},
    Name<Stage>{Stage::kMail, "mail"},       Name<Stage>{Stage::kRcpt, "rcpt"},
    Name<Stage>{Stage::kData, "data"},       Name<Stage>{Stage::kBody, "body"},
};

// The tables are in enumerator order, so that the index is the value.
template <class Table>
constexpr bool IsInOrder(const Table& table) {
  for (size_t i = 0; i < table.size(); ++i) {
    if (static_cast<size_t>(table[i].first) != i) {
      return false;
    }
  }
  return true;
}
static_assert(IsInOrder(kDispositions) && IsInOrder(kReplyClasses) && IsInOrder(kReplyScopes) &&
              IsInOrder(kStages));

template <class Table, class Enum>
std::string_view NameOf(const Table& table, Enum value) {
  const auto index = static_cast<size_t>(value);
  return index < table.size() ? table[index].second : std::string_view("invalid");
}

template <class Enum, size_t N>
std::optional<Enum> ValueOf(const std::array<Name<Enum>, N>& table, std::string_view name) {
  for (const auto& [value, its_name] : table) {
    if (its_name == name) {
      return value;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string_view ToString(Disposition disposition) { return NameOf(kDispositions, disposition); }
std::string_view ToString(ReplyClass reply_class) { return NameOf(kReplyClasses, reply_class); }
std::string_view ToString(ReplyScope scope) { return NameOf(kReplyScopes, scope); }
std::string_view ToString(Stage stage) { return NameOf(kStages, stage); }

std::optional<Disposition> ParseDisposition(std::string_view name) {
  return ValueOf(kDispositions, name);
}
std::optional<ReplyClass> ParseReplyClass(std::string_view name) {
  return ValueOf(kReplyClasses, name);
}
std::optional<ReplyScope> ParseReplyScope(std::string_view name) {
  return ValueOf(kReplyScopes, name);
}
std::optional<Stage> ParseStage(std::string_view name) { return ValueOf(kStages, name); }

}  // namespace sluice
