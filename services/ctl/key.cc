#include <ostream>

#include "base/text.h"
#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {
namespace {

void Fill(const KeyOptions& from, v1::ApiKeyLimits* out) {
  out->set_messages_per_second(from.messages_per_second);
  out->set_bytes_per_second(from.bytes_per_second);
  out->set_message_bytes(from.message_bytes);
}

std::string LimitsText(const v1::ApiKeyLimits& limits) {
  std::string out;
  const auto add = [&](int64_t value, std::string_view unit) {
    if (value > 0) Append(out, out.empty() ? "" : ", ", value, unit);
  };
  add(limits.messages_per_second(), " messages/s");
  add(limits.bytes_per_second(), " bytes/s");
  add(limits.message_bytes(), " bytes a message");
  return out.empty() ? "none" : out;
}

}  // namespace

int KeyCreate(const Context& context, const KeyOptions& options) {
  v1::CreateApiKeyRequest request;
  request.set_tenant(options.tenant);
  request.set_label(options.label);
  Fill(options, request.mutable_limits());
  v1::CreateApiKeyResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) {
    return Refuse(context, status);
  }
  if (context.json) {
    PrintJson(context.io.out, response);
    return kOk;
  }
  // The secret alone on standard output, so that a script can take it.
  context.io.out << response.secret() << "\n";
  context.io.err << "key " << response.api_key().key_id() << " of tenant "
                 << Printable(response.api_key().tenant()) << "; the secret is not shown again\n";
  return kOk;
}

int KeyList(const Context& context, const std::string& tenant) {
  AdminClient client(context);
  v1::ListApiKeysRequest request;
  request.set_tenant(tenant);
  request.set_page_size(1'000);
  v1::ListApiKeysResponse all;
  do {
    v1::ListApiKeysResponse page;
    if (const absl::Status status = client.Call(request, &page); !status.ok())
      return Refuse(context, status);
    request.set_page_token(page.next_page_token());
    all.mutable_api_keys()->MergeFrom(page.api_keys());
    // A server that never ends its list does not hang us.
  } while (!request.page_token().empty() && all.api_keys_size() < 1'000'000);
  if (context.json) {
    PrintJson(context.io.out, all);
    return kOk;
  }
  Table table({"KEY", "TENANT", "CREATED AT", "REVOKED AT", "LIMITS", "LABEL"});
  for (const v1::ApiKey& key : all.api_keys()) {
    table.Add({key.key_id(), key.tenant(), TimeText(key.has_created_at(), key.created_at()),
               TimeText(key.has_revoked_at(), key.revoked_at()), LimitsText(key.limits()), key.label()});
  }
  table.Print(context.io.out);
  return kOk;
}

int KeyLimit(const Context& context, const KeyOptions& options) {
  v1::LimitApiKeyRequest request;
  request.set_key_id(options.id);
  Fill(options, request.mutable_limits());
  v1::LimitApiKeyResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) {
    return Refuse(context, status);
  }
  if (context.json) {
    PrintJson(context.io.out, response);
  } else {
    context.io.out << "limits of key " << Printable(response.api_key().key_id()) << " at each ingest: "
                   << LimitsText(response.api_key().limits()) << "\n";
  }
  return kOk;
}

int KeyRevoke(const Context& context, const std::string& id) {
  v1::RevokeApiKeyRequest request;
  request.set_key_id(id);
  v1::RevokeApiKeyResponse response;
  if (const absl::Status status = AdminClient(context).Call(request, &response); !status.ok()) {
    return Refuse(context, status);
  }
  if (context.json) {
    PrintJson(context.io.out, response);
  } else {
    const v1::ApiKey& key = response.api_key();
    context.io.out << "key " << Printable(key.key_id()) << " of tenant " << Printable(key.tenant())
                   << " revoked at " << TimeText(key.has_revoked_at(), key.revoked_at()) << "\n";
  }
  return kOk;
}

}  // namespace sluice::ctl
