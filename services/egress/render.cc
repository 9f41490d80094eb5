#include "egress/render.h"

#include <utility>

#include "base/text.h"
#include "mail/header_address.h"
#include "mail/header_section.h"

namespace sluice::egress {
namespace {

RenderOutcome Held(std::string why) {
  return {.kind = RenderOutcome::Kind::kHeld, .why = std::move(why)};
}

bool HasPlaceholder(std::string_view text) {
  return text.find(kTokenPlaceholder) != std::string_view::npos;
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
  (void)peer;
  const ContentFields& fields = entry.content->fields();
  out.keys = std::move(keys);
  out.return_path = fields.return_path;
  out.added = fields.prepended_headers;
  out.has_8bit = fields.has_8bit;
  out.needs_smtputf8 = fields.needs_smtputf8 || entry.has_utf8_address;
  if (RenderOutcome filled = FillInToken(entry, out); filled.kind != RenderOutcome::Kind::kReady) {
    return filled;
  }
  if (fields.has_merge) {
    return {.kind = RenderOutcome::Kind::kRefused,
            .why = "merge fields cannot be rendered here",
            .status = {4, 3, 0}};
  }
  absl::StatusOr<std::string_view> body = entry.content->Body(out.body);
  if (!body.ok()) {
    return {.kind = RenderOutcome::Kind::kBroken, .why = std::string(View(body.status().message()))};
  }
  out.message = *body;
  return ChooseSigners(entry, out);
}

}  // namespace sluice::egress
