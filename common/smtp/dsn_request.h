// What a sender asks of later hops about delivery status notifications (RFC 3461), as parameters of
// MAIL and RCPT for peers that offer DSN. Sluice writes no notifications itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

enum class DsnReturn : uint8_t { kNone, kFull, kHeaders };
// From the numbers of the API; anything else is kNone.
constexpr DsnReturn DsnReturnOf(int number) {
  return number == 1   ? DsnReturn::kFull
         : number == 2 ? DsnReturn::kHeaders
                       : DsnReturn::kNone;
}

// NOTIFY as a bit set: the API's numbers 1 never, 2 success, 3 failure, 4 delay as bits 1, 2, 4, 8.
inline constexpr uint8_t kDsnNever = 1, kDsnSuccess = 2, kDsnFailure = 4, kDsnDelay = 8;
constexpr uint8_t DsnNotifyBit(int number) {
  return number >= 1 && number <= 4 ? static_cast<uint8_t>(1U << (number - 1)) : uint8_t{0};
}

// RFC 3461 §4: printable ASCII but "+" and "=" as it is, everything else as +XX.
void AppendXtext(std::string& out, std::string_view text);

// " RET=… ENVID=…" and " NOTIFY=… ORCPT=…"; nothing for what was not asked. ORCPT names the recipient
// itself, by type rfc822, or utf-8 (RFC 6533 §3) for an address beyond ASCII.
void AppendDsnOfMail(std::string& out, DsnReturn what, std::string_view envelope_id);
void AppendDsnOfRcpt(std::string& out, uint8_t notify, std::string_view recipient);

}  // namespace sluice
