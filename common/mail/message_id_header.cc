#include "mail/message_id_header.h"

#include "base/text.h"

namespace sluice {

std::string MakeMessageIdHeader(std::string_view token, std::string_view domain) {
  return Cat("<", token, "@", domain, ">");
}

}  // namespace sluice
