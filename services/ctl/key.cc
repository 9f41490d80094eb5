#include <ostream>

#include "ctl/client.h"
#include "ctl/output.h"
#include "ctl/verbs.h"

namespace sluice::ctl {

int KeyCreate(const Context& context, const std::string& tenant, const std::string& label) {
  v1::CreateApiKeyRequest request;
  request.set_tenant(tenant);
  request.set_label(label);
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
  Table table({"KEY", "TENANT", "CREATED AT", "REVOKED AT", "LABEL"});
  for (const v1::ApiKey& key : all.api_keys()) {
    table.Add({key.key_id(), key.tenant(), TimeText(key.has_created_at(), key.created_at()),
               TimeText(key.has_revoked_at(), key.revoked_at()), key.label()});
  }
  table.Print(context.io.out);
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
