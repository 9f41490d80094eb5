#include "mail/address.h"

#include <algorithm>

#include "base/status.h"
#include "base/text.h"
#include "mail/domain.h"
#include "mail/limits.h"
#include "mail/utf8.h"

namespace sluice {
namespace {

absl::Status Bad(std::string_view text, std::string_view why) {
  return absl::InvalidArgumentError(Cat("address ", Quoted(text), " ", why));
}

// Looked for before anything else: neither may ever reach a header or a command, quoted or not.
absl::Status CheckBytes(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_c1 =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (byte < 0x20 || byte == 0x7f || is_c1)
      return Bad(text, "has a control character in it: remove it");
  }
  if (!IsValidUtf8(text)) return Bad(text, "is not UTF-8: convert it");
  return absl::OkStatus();
}

bool IsDotString(std::string_view local) {
  if (local.empty() || local.front() == '.' || local.back() == '.') return false;
  for (size_t i = 0; i < local.size(); ++i) {
    if (local[i] == '.' ? local[i - 1] == '.' : !IsAtomChar(local[i])) return false;
  }
  return true;
}

struct LocalPart {
  std::string characters;  // Without quotes and escapes.
  size_t size = 0;         // As written.
};

// RFC 5321 Quoted-string at the start of `text`.
absl::StatusOr<LocalPart> ReadQuoted(std::string_view text) {
  LocalPart local;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      local.size = i + 1;
      return local;
    }
    if (text[i] == '\\' && ++i == text.size()) break;
    local.characters += text[i];
  }
  return Bad(text, "has a quote that is never closed: add the closing one, before the @");
}

absl::Status ExplainBadCharacter(std::string_view text, char c) {
  if (c == '<' || c == '>')
    return Bad(text, "has angle brackets: give the bare address, without a name");
  if (c == ' ')
    return Bad(text, "has a blank in it: remove it, or put the part before the @ in quotes");
  if (c == ',' || c == ';') return Bad(text, "looks like several: give one address each");
  return Bad(text, Cat("has ", Quoted(std::string_view(&c, 1)),
                       " before the @: remove it, or put that part in quotes"));
}

absl::StatusOr<LocalPart> ReadDotString(std::string_view text) {
  const size_t end = std::min(text.find('@'), text.size());
  const std::string_view local = text.substr(0, end);
  for (const char c : local) {
    if (c != '.' && !IsAtomChar(c)) return ExplainBadCharacter(text, c);
  }
  if (end == text.size()) return Bad(text, "has no @: add the domain, as in user@example.com");
  if (local.empty()) return Bad(text, "has nothing before the @: add the local part");
  if (!IsDotString(local)) {
    return Bad(text,
               "has a dot at the edge of its local part, or two in a row: remove it, or put that "
               "part in quotes");
  }
  return LocalPart{std::string(local), end};
}

absl::StatusOr<std::string> ReadDomain(std::string_view text, std::string_view domain,
                                       AddressLiterals literals) {
  if (domain.find('@') != std::string_view::npos)
    return Bad(text, "has more than one @: give one address");
  absl::StatusOr<std::string> name;
  if (!domain.empty() && domain.front() == '[') {
    if (literals == AddressLiterals::kRefuse) {
      return Bad(text,
                 "names a host by its IP address, which is not allowed here: use a domain name");
    }
    name = NormaliseAddressLiteral(domain);
  } else {
    name = NormaliseDomain(domain);
  }
  if (!name.ok()) return Bad(text, Cat("is not usable: ", name.status().message()));
  return name;
}

}  // namespace

bool IsAtomChar(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x80) return true;
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}

std::string QuoteLocalPart(std::string_view characters) {
  if (IsDotString(characters)) return std::string(characters);
  std::string quoted = "\"";
  for (const char c : characters) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted += '"';
}

absl::StatusOr<EmailAddress> EmailAddress::Parse(std::string_view text, AddressLiterals literals) {
  if (text.empty())
    return absl::InvalidArgumentError("the address is empty: give one, as in user@example.com");
  // No valid address, however escaped and internationalised, is longer.
  if (text.size() > 4 * limits::kAddressBytes)
    return Bad(text, "is far too long: at most 254 bytes");
  RETURN_IF_ERROR(CheckBytes(text));
  ASSIGN_OR_RETURN(const LocalPart read,
                   text.front() == '"' ? ReadQuoted(text) : ReadDotString(text));
  if (read.size == text.size() || text[read.size] != '@') {
    return Bad(text, "has no @ after its quoted local part: add the domain");
  }
  std::string address = QuoteLocalPart(read.characters);
  const size_t at = address.size();
  if (at > limits::kLocalPartBytes)
    return Bad(text, "has more than 64 bytes before the @: shorten it");
  const bool needs_smtputf8 = !IsAscii(address);
  ASSIGN_OR_RETURN(const std::string domain,
                   ReadDomain(text, text.substr(read.size + 1), literals));
  Append(address, '@', domain);
  if (address.size() > limits::kAddressBytes) return Bad(text, "is over 254 bytes: shorten it");
  return EmailAddress(std::move(address), at, needs_smtputf8);
}

absl::StatusOr<ReturnPath> ReturnPath::Parse(std::string_view text) {
  if (text.size() >= 2 && text.front() == '<' && text.back() == '>')
    text = text.substr(1, text.size() - 2);
  if (text.empty()) return ReturnPath();
  ASSIGN_OR_RETURN(const EmailAddress address, EmailAddress::Parse(text));
  return ReturnPath(address);
}

}  // namespace sluice
