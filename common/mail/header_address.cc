#include "mail/header_address.h"

#include <optional>
#include <string>

#include "base/status.h"
#include "base/text.h"
#include "mail/limits.h"

namespace sluice {
namespace {

constexpr int kCommentDepth = 16;

absl::Status Bad(std::string_view value, std::string_view why) {
  return absl::InvalidArgumentError(Cat(Quoted(value), " ", why));
}

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// One pass over the value, a mailbox at a time.
class Reader {
 public:
  explicit Reader(std::string_view value) : value_(value), rest_(value) {}

  absl::StatusOr<std::vector<EmailAddress>> List() {
    std::vector<EmailAddress> addresses;
    while (true) {
      ASSIGN_OR_RETURN(EmailAddress address, Mailbox());
      if (addresses.size() == limits::kFromAddresses) {
        return Bad(value_, Cat("has more than ", limits::kFromAddresses, " addresses: give fewer"));
      }
      addresses.push_back(std::move(address));
      RETURN_IF_ERROR(SkipBlanks());
      if (rest_.empty()) return addresses;
      if (rest_.front() != ',') return Unexpected();
      rest_.remove_prefix(1);
    }
  }

 private:
  // mailbox = [phrase] "<" addr-spec ">" / addr-spec
  absl::StatusOr<EmailAddress> Mailbox() {
    std::string_view only_word;
    int words = 0;
    while (true) {
      RETURN_IF_ERROR(SkipBlanks());
      if (rest_.empty() || rest_.front() == ',') {
        return Bad(
            value_,
            "lacks an address: write Name <user@example.com>, and a name with a comma in quotes");
      }
      if (rest_.front() == '<') return InBrackets();
      if (rest_.front() == '@') return words == 1 ? Bare(only_word) : Unexpected();
      ASSIGN_OR_RETURN(only_word, Word());
      ++words;
    }
  }

  absl::StatusOr<EmailAddress> InBrackets() {
    rest_.remove_prefix(1);
    RETURN_IF_ERROR(SkipBlanks());
    const auto no_address = [&] {
      return Bad(value_, "has no address in its angle brackets: write <user@example.com>");
    };
    if (rest_.empty() || rest_.front() == '@' || rest_.front() == '>') return no_address();
    ASSIGN_OR_RETURN(const std::string_view local, Word());
    if (rest_.empty() || rest_.front() != '@') return no_address();
    absl::StatusOr<EmailAddress> address = Bare(local);
    if (!address.ok()) return address;
    RETURN_IF_ERROR(SkipBlanks());
    if (rest_.empty() || rest_.front() != '>')
      return Bad(value_, "lacks a closing angle bracket: add it");
    rest_.remove_prefix(1);
    return address;
  }

  // The "@" and domain of an addr-spec whose local part was read and directly precedes.
  absl::StatusOr<EmailAddress> Bare(std::string_view local) {
    if (local.data() + local.size() != rest_.data()) {
      return Bad(value_, "has a blank or a comment before an @: remove it");
    }
    size_t end = 1;
    while (end < rest_.size() && !IsBlank(rest_[end]) &&
           std::string_view(",;<>()\"").find(rest_[end]) == std::string_view::npos) {
      ++end;
    }
    const std::string_view spec(local.data(), local.size() + end);
    rest_.remove_prefix(end);
    return EmailAddress::Parse(spec, AddressLiterals::kAllow);
  }

  // An atom (with dots, which display names often have) or a quoted string.
  absl::StatusOr<std::string_view> Word() {
    size_t end = 0;
    if (rest_.front() == '"') {
      ASSIGN_OR_RETURN(end, QuotedEnd());
    } else {
      while (end < rest_.size() && (rest_[end] == '.' || IsAtomChar(rest_[end]))) ++end;
      if (end == 0) return Unexpected();
    }
    const std::string_view word = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return word;
  }

  absl::StatusOr<size_t> QuotedEnd() const {
    for (size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') return i + 1;
      if (rest_[i] == '\\') ++i;
    }
    return Bad(value_, "has a quote that is never closed: add the closing one");
  }

  absl::Status Unexpected() const {
    const char c = rest_.front();
    if (c == ':' || c == ';')
      return Bad(value_, "has a group: list its addresses without the group name");
    return Bad(value_,
               Cat("has an unexpected ", Quoted(std::string_view(&c, 1)),
                   ": write Name <user@example.com>, and names with special characters in quotes"));
  }

  // Blanks, folds and comments, which nest.
  absl::Status SkipBlanks() {
    int depth = 0;
    for (; !rest_.empty(); rest_.remove_prefix(1)) {
      const char c = rest_.front();
      if (c == '(') {
        if (++depth > kCommentDepth)
          return Bad(value_, "has comments nested too deeply: remove them");
      } else if (c == ')' && depth > 0) {
        --depth;
      } else if (c == '\\' && depth > 0 && rest_.size() > 1) {
        rest_.remove_prefix(1);
      } else if (depth == 0 && !IsBlank(c)) {
        return absl::OkStatus();
      }
    }
    if (depth > 0) return Bad(value_, "has a comment that is never closed: add its )");
    return absl::OkStatus();
  }

  std::string_view value_;
  std::string_view rest_;
};

}  // namespace

absl::StatusOr<std::vector<EmailAddress>> ParseMailboxList(std::string_view value) {
  return Reader(value).List();
}

}  // namespace sluice
