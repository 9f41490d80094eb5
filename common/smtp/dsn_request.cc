#include "smtp/dsn_request.h"

#include <utility>

#include "base/text.h"
#include "mail/utf8.h"

namespace sluice {

void AppendXtext(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '+' && c != '=') {
      out += c;
    } else {
      out += '+';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
}

void AppendDsnOfMail(std::string& out, DsnReturn what, std::string_view envelope_id) {
  if (what == DsnReturn::kFull) out += " RET=FULL";
  if (what == DsnReturn::kHeaders) out += " RET=HDRS";
  if (envelope_id.empty()) return;
  out += " ENVID=";
  AppendXtext(out, envelope_id);
}

void AppendDsnOfRcpt(std::string& out, uint8_t notify, std::string_view recipient) {
  if (notify == 0) return;
  if ((notify & kDsnNever) != 0) {
    out += " NOTIFY=NEVER";
  } else {
    constexpr std::pair<uint8_t, std::string_view> kWords[] = {
        {kDsnSuccess, "SUCCESS"}, {kDsnFailure, "FAILURE"}, {kDsnDelay, "DELAY"}};
    std::string_view lead = " NOTIFY=";
    for (const auto& [bit, word] : kWords) {
      if ((notify & bit) == 0) continue;
      Append(out, std::exchange(lead, ","), word);
    }
  }
  if (IsAscii(recipient)) {
    out += " ORCPT=rfc822;";
    AppendXtext(out, recipient);
    return;
  }
  // RFC 6533 §3, utf-8-addr-unitext: UTF-8 as it is, for the transaction has SMTPUTF8.
  out += " ORCPT=utf-8;";
  for (const char c : recipient) {
    if (static_cast<unsigned char>(c) >= 0x80) {
      out += c;
    } else if (c == '\\' || c == '+' || c == '=' || c <= 0x20 || c == 0x7f) {
      constexpr std::string_view kHex = "0123456789ABCDEF";
      Append(out, "\\x{", std::string_view(&kHex[static_cast<unsigned char>(c) >> 4], 1),
             std::string_view(&kHex[static_cast<unsigned char>(c) & 15], 1), "}");
    } else {
      out += c;
    }
  }
}

}  // namespace sluice
