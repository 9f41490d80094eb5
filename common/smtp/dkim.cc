#include "smtp/dkim.h"

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "base/status.h"
#include "base/text.h"

namespace sluice {
namespace {

// RFC 6376 section 5.4.1, and what mailbox providers ask to see signed (RFC 8058, Feedback-ID).
struct SignedName {
  std::string_view name;  // lower case
  bool is_oversigned;
};
constexpr std::array kSignedNames = {
    SignedName{"from", true},
    SignedName{"sender", true},
    SignedName{"reply-to", true},
    SignedName{"to", true},
    SignedName{"cc", true},
    SignedName{"subject", true},
    SignedName{"date", true},
    SignedName{"message-id", true},
    SignedName{"in-reply-to", true},
    SignedName{"references", true},
    SignedName{"mime-version", true},
    SignedName{"content-type", true},
    SignedName{"content-transfer-encoding", true},
    SignedName{"list-unsubscribe", true},
    SignedName{"list-unsubscribe-post", true},
    SignedName{"feedback-id", true},
    SignedName{"list-id", false},
    SignedName{"list-help", false},
    SignedName{"list-subscribe", false},
    SignedName{"list-post", false},
    SignedName{"list-owner", false},
    SignedName{"list-archive", false},
    SignedName{"auto-submitted", false},
};
// RFC 5322 section 2.1.1 wants 78 characters at most.
constexpr size_t kLineBytes = 76;
constexpr size_t kNone = kSignedNames.size();

size_t IndexOf(std::string_view name) {
  const auto is_same = [name](const SignedName& one) {
    return one.name.size() == name.size() &&
           std::equal(name.begin(), name.end(), one.name.begin(), [](char a, char b) {
             return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
           });
  };
  return static_cast<size_t>(
      std::find_if(kSignedNames.begin(), kSignedNames.end(), is_same) - kSignedNames.begin());
}

// The parts of the message that all its signatures share.
struct Hashed {
  std::string fields;      // the signed fields, relaxed, each with CRLF
  std::string names;       // the value of h=, not folded
  std::string body_hash;   // the value of bh=
};

// Fields of one name are taken from the last to the first (RFC 6376 section 5.4.2).
void SelectFields(const std::vector<HeaderFieldView>& fields, Hashed& hashed) {
  std::array<std::vector<size_t>, kSignedNames.size()> found;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (const size_t index = IndexOf(fields[i].name); index != kNone) found[index].push_back(i);
  }
  for (size_t index = 0; index < kSignedNames.size(); ++index) {
    const SignedName& signed_name = kSignedNames[index];
    const size_t times = found[index].size() + (signed_name.is_oversigned ? 1 : 0);
    for (size_t i = 0; i < times; ++i) {
      Append(hashed.names, hashed.names.empty() ? "" : ":", signed_name.name);
    }
    for (auto at = found[index].rbegin(); at != found[index].rend(); ++at) {
      AppendRelaxedField(hashed.fields, fields[*at].name, fields[*at].value);
      hashed.fields += "\r\n";
    }
  }
}

std::string_view View(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Hashed Hash(std::span<const std::string_view> pieces) {
  Hashed hashed;
  std::vector<HeaderFieldView> fields;
  DkimBodyHash body;
  bool is_body = false;
  for (const std::string_view piece : pieces) {
    if (is_body) {
      body.Update(piece);
      continue;
    }
    const HeaderTaken taken = TakeHeaderFields(piece, fields);
    is_body = taken.has_ended;
    body.Update(taken.body);
  }
  SelectFields(fields, hashed);
  hashed.body_hash = EncodeBase64(View(body.Finish()));
  return hashed;
}

// `text` where it may be cut behind any `separator`, or anywhere when that is 0; the line so far
// holds `used` characters.
void AppendFolded(std::string& out, std::string_view text, char separator, size_t used) {
  while (!text.empty()) {
    size_t size = 1;
    if (separator != 0) {
      size = std::min(text.find(separator), text.size() - 1) + 1;
    } else if (used < kLineBytes) {
      size = std::min(text.size(), kLineBytes - used);
    }
    if (used + size > kLineBytes) {
      out += "\r\n\t";
      used = 1;
    }
    out.append(text.substr(0, size));
    used += size;
    text.remove_prefix(size);
  }
}

// The field up to and with `b=`.
std::string Unsigned(const Hashed& hashed, const DkimSigner& signer, Instant now) {
  std::string field = "DKIM-Signature: v=1; a=";
  Append(field, ToString(signer.key->algorithm()), "; c=relaxed/relaxed;\r\n\td=", signer.domain,
         "; s=", signer.selector, ";\r\n\tt=", ToMicros(now) / 1'000'000, "; h=");
  const size_t line = field.rfind('\n') + 1;
  AppendFolded(field, hashed.names, ':', field.size() - line);
  Append(field, ";\r\n\tbh=", hashed.body_hash, ";\r\n\tb=");
  return field;
}

absl::Status AppendSignature(const Hashed& hashed, const DkimSigner& signer, Instant now,
                             std::string& out) {
  std::string field = Unsigned(hashed, signer, now);
  std::string signed_text = hashed.fields;
  const std::string_view all = field;
  const size_t colon = all.find(':');
  AppendRelaxedField(signed_text, all.substr(0, colon), all.substr(colon + 1));
  ASSIGN_OR_RETURN(const std::string signature, signer.key->Sign(Sha256(signed_text)));
  AppendFolded(field, EncodeBase64(signature), 0, 3);
  Append(out, field, "\r\n");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> SignDkim(std::span<const std::string_view> pieces,
                                     std::span<const DkimSigner> signers, Instant now) {
  std::string out;
  if (signers.empty()) return out;
  if (signers.size() > kMostDkimSigners) {
    return absl::InvalidArgumentError(
        Cat(signers.size(), " signatures in one message: at most ", kMostDkimSigners));
  }
  const Hashed hashed = Hash(pieces);
  for (const DkimSigner& signer : signers) {
    RETURN_IF_ERROR(AppendSignature(hashed, signer, now, out));
  }
  return out;
}

}  // namespace sluice
