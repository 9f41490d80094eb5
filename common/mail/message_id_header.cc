#include "mail/message_id_header.h"

#include "base/text.h"

namespace sluice {

std::string MakeMessageIdHeader(MessageId id, std::string_view domain) {
  return Cat("<", FormatMessageId(id), "@", domain, ">");
}

}  // namespace sluice
