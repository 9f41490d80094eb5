// Mail addresses as values: an EmailAddress is always a valid RFC 5321 mailbox in canonical form, a
// ReturnPath is one or the null path `<>`. Not here: addresses as headers write them
// (mail/header_address.h), and whether the mailbox exists.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice {

// Whether user@[192.0.2.1] is taken. Mail to an address literal bypasses MX, so recipients need it
// switched on.
enum class AddressLiterals { kRefuse, kAllow };

class EmailAddress {
 public:
  // RFC 5321 section 4.1.2 with RFC 6531 (UTF-8 local parts, IDN domains) and the limits of
  // mail/limits.h. Canonical: the domain as lower-case A-labels without trailing dot; the local
  // part quoted only where it must be ("a"@x.example becomes a@x.example), its case kept. The error
  // names what is wrong and the cure.
  [[nodiscard]] static absl::StatusOr<EmailAddress> Parse(
      std::string_view text, AddressLiterals literals = AddressLiterals::kRefuse);

  // As it goes on the wire. The views live as long as this address.
  std::string_view local() const { return std::string_view(text_).substr(0, at_); }
  // A-label or address literal.
  std::string_view domain() const { return std::string_view(text_).substr(at_ + size_t{1}); }
  const std::string& ToString() const { return text_; }
  // The local part is not ASCII: the address can only go to a server with SMTPUTF8.
  bool needs_smtputf8() const { return needs_smtputf8_; }
  bool is_address_literal() const { return text_.back() == ']'; }

  friend bool operator==(const EmailAddress& a, const EmailAddress& b) {
    return a.text_ == b.text_;
  }

 private:
  EmailAddress(std::string text, size_t at, bool needs_smtputf8)
      : text_(std::move(text)), at_(static_cast<uint16_t>(at)), needs_smtputf8_(needs_smtputf8) {}

  std::string text_;
  uint16_t at_;
  bool needs_smtputf8_;
};

// The MAIL FROM address; null for mail that must never be answered (RFC 5321 section 4.5.5).
class ReturnPath {
 public:
  // The null return path.
  ReturnPath() = default;
  explicit ReturnPath(const EmailAddress& address)
      : text_(address.ToString()),
        at_(address.local().size()),
        needs_smtputf8_(address.needs_smtputf8()) {}
  // "" and "<>" are the null path; otherwise as EmailAddress::Parse, angle brackets allowed.
  [[nodiscard]] static absl::StatusOr<ReturnPath> Parse(std::string_view text);

  bool is_null() const { return text_.empty(); }
  // Without angle brackets; "" when null.
  const std::string& ToString() const { return text_; }
  // "" when null.
  std::string_view domain() const {
    return is_null() ? std::string_view() : std::string_view(text_).substr(at_ + 1);
  }
  bool needs_smtputf8() const { return needs_smtputf8_; }

  friend bool operator==(const ReturnPath& a, const ReturnPath& b) { return a.text_ == b.text_; }

 private:
  std::string text_;
  size_t at_ = 0;
  bool needs_smtputf8_ = false;
};

// A character of an RFC 5322 atom; bytes of UTF-8 sequences count (RFC 6532).
bool IsAtomChar(char c);
// The canonical local part for these unquoted characters: as they are when they form a dot-string,
// else quoted. Precondition: no control characters.
std::string QuoteLocalPart(std::string_view characters);

}  // namespace sluice
