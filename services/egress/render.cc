#include "egress/render.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/status.h"
#include "base/text.h"
#include "mail/header_address.h"
#include "mail/header_section.h"
#include "mail/seven_bit.h"
#include "mail/utf8.h"

namespace sluice::egress {
namespace {

RenderOutcome Held(std::string why) {
  return {.kind = RenderOutcome::Kind::kHeld, .why = std::move(why)};
}

bool HasPlaceholder(std::string_view text) {
  return text.find(kTokenPlaceholder) != std::string_view::npos;
}

RenderOutcome Failed(const absl::Status& status) {
  const bool is_broken = status.code() == absl::StatusCode::kDataLoss;
  return {.kind = is_broken ? RenderOutcome::Kind::kBroken : RenderOutcome::Kind::kRefused,
          .why = std::string(View(status.message())),
          .status = {5, 6, 0}};
}

absl::Status TakeBody(const Entry& entry, Rendered& out) {
  ASSIGN_OR_RETURN(out.message, entry.content->Body(out.body));
  return absl::OkStatus();
}

void TakeOwnMessage(const Entry& entry, std::string_view message, Rendered& out) {
  const std::shared_ptr<DecodedBody> body = entry.content->NewBody(message.size());
  std::copy(message.begin(), message.end(), body->bytes());
  out.body = body;
  out.message = body->view();
}

// The recipient's values in what is added and in the message.
absl::Status FillInFields(const Entry& entry, Rendered& out) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const CompiledMerge> merge, entry.content->Merge());
  const MergeTemplate::Values values =
      [&entry](std::string_view name) -> std::optional<std::string_view> {
    const auto found = entry.merge_values.find(std::string(name));
    if (found == entry.merge_values.end()) return std::nullopt;
    return found->second;
  };
  ASSIGN_OR_RETURN(out.own_added, merge->added.Render(values));
  out.added = out.own_added;
  ASSIGN_OR_RETURN(const std::string message, merge->message.Render(values));
  TakeOwnMessage(entry, message, out);
  return absl::OkStatus();
}

// A host that takes less than the message has gets it written anew in ASCII (RFC 6152 §3, RFC 2047).
// Addresses are not: what a local part means only its host knows (RFC 6531 §3.2); the session refuses.
RenderOutcome FitToPeer(const Entry& entry, const Extensions& peer, Rendered& out) {
  const bool is_body_refused = out.has_8bit && !peer.eight_bit_mime;
  const bool is_utf8_refused = out.needs_smtputf8 && !peer.smtputf8;
  const bool has_utf8_path = entry.has_utf8_address || !IsAscii(out.return_path);
  if (!(is_body_refused || is_utf8_refused) || (has_utf8_path && !peer.smtputf8)) return {};
  SevenBit made = MakeSevenBit(out.message, is_body_refused);
  if (!made.why.empty()) {
    const std::string_view lacking = is_body_refused ? "no 8-bit content (8BITMIME): "
                                                     : "no UTF-8 in headers (SMTPUTF8): ";
    return {.kind = RenderOutcome::Kind::kRefused,
            .why = Cat("the host takes ", lacking, made.why),
            .status = made.status};
  }
  TakeOwnMessage(entry, made.message, out);
  out.has_8bit = out.has_8bit && !is_body_refused;
  out.needs_smtputf8 = has_utf8_path;
  return {};
}

// Where Sluice's own parts name the recipient's token it is put in.
RenderOutcome FillInToken(const Entry& entry, Rendered& out) {
  const bool in_path = HasPlaceholder(out.return_path), in_added = HasPlaceholder(out.added);
  if (!in_path && !in_added) return {};
  const TokenKeys* tokens = out.keys->tokens();
  if (tokens == nullptr) {
    return Held("the secrets of tokens are missing: name a good file as token.file of egress");
  }
  const std::string token = tokens->Encode({.message = entry.message, .entry = entry.id});
  if (in_path) out.return_path = out.own_return_path = WithToken(out.return_path, token);
  if (in_added) out.added = out.own_added = WithToken(out.added, token);
  return {};
}

// The domain that signs for a message is that of its first author.
std::string AuthorDomain(std::string_view message) {
  const auto from = FindField(message, "from");
  if (!from.has_value()) return "";
  const auto addresses = ParseMailboxList(*from);
  return addresses.ok() ? std::string(addresses->front().domain()) : "";
}

RenderOutcome ChooseSigners(const Entry& entry, Rendered& out) {
  if (!out.keys->HasAny(entry.tenant.value())) return {};
  const KeyGroup* group = out.keys->Find(entry.tenant.value(), AuthorDomain(out.message));
  if (group == nullptr) return {};
  for (const HeldKey& held : *group) {
    if (held.key == nullptr) {
      return Held(Cat("the DKIM key '", held.rule.key, "' (", held.rule.selector, "._domainkey.",
                      held.rule.domain, ") is missing at this egress"));
    }
    if (out.signers.size() == kMostDkimSigners) break;
    out.signers.push_back({held.rule.domain, held.rule.selector, held.key.get()});
  }
  return {};
}

}  // namespace

bool IsSameForAll(const Content& content) {
  const ContentFields& fields = content.fields();
  return !fields.has_merge && !HasPlaceholder(fields.return_path) &&
         !HasPlaceholder(fields.prepended_headers);
}

RenderOutcome Render(const Entry& entry, const Extensions& peer, std::shared_ptr<const Keys> keys,
                     Rendered& out) {
  const ContentFields& fields = entry.content->fields();
  out.keys = std::move(keys);
  out.return_path = fields.return_path;
  out.added = fields.prepended_headers;
  out.has_8bit = fields.has_8bit;
  out.needs_smtputf8 = fields.needs_smtputf8 || entry.has_utf8_address;
  absl::Status status = fields.has_merge ? FillInFields(entry, out) : TakeBody(entry, out);
  if (!status.ok()) return Failed(status);
  if (RenderOutcome filled = FillInToken(entry, out); filled.kind != RenderOutcome::Kind::kReady) {
    return filled;
  }
  if (RenderOutcome fit = FitToPeer(entry, peer, out); fit.kind != RenderOutcome::Kind::kReady) {
    return fit;
  }
  return ChooseSigners(entry, out);
}

}  // namespace sluice::egress
