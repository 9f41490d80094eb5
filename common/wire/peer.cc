#include "wire/peer.h"

#include "wire/access.h"

#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>

#include <strings.h>

namespace sluice::wire {

std::vector<std::string> PeerNames(const grpc::ServerContextBase& context) {
  const auto auth = context.auth_context();
  return auth == nullptr ? std::vector<std::string>() : NamesOf(*auth);
}

std::vector<std::string> NamesOf(const grpc::AuthContext& auth) {
  std::vector<std::string> out;
  if (!auth.IsPeerAuthenticated()) return out;
  for (const char* property : {"x509_subject_alternative_name", "x509_common_name"}) {
    for (const grpc::string_ref& value : auth.FindPropertyValues(property)) {
      out.emplace_back(value.data(), value.size());
    }
  }
  return out;
}

bool MayActAs(const grpc::ServerContextBase& context, std::string_view egress_id) {
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) return true;
  const std::optional<Identity> caller = IdentityOf(PeerNames(context));
  return caller.has_value() && caller->role == Role::kEgress && caller->host == egress_id;
}

std::string BearerToken(const grpc::ServerContextBase& context) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto found = context.client_metadata().find("authorization");
  if (found == context.client_metadata().end()) return {};
  const std::string_view value(found->second.data(), found->second.size());
  if (value.size() <= kScheme.size() ||
      ::strncasecmp(value.data(), kScheme.data(), kScheme.size()) != 0) {
    return {};
  }
  return std::string(value.substr(kScheme.size()));
}

}  // namespace sluice::wire
