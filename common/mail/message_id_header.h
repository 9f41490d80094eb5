// The Message-ID header's value (RFC 5322 section 3.6.4) for a message that came without one.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// "<token@shop.example>". `token` must be unique for ever and consist of letters, digits and single dots;
// `domain` is the From domain as EmailAddress::domain() gives it.
std::string MakeMessageIdHeader(std::string_view token, std::string_view domain);

}  // namespace sluice
