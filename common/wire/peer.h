// Who is calling, as the transport knows it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace grpc {
class AuthContext;
class ServerContextBase;
}

namespace sluice::wire {

// Names in the client's verified certificate (DNS and URI alternative names, then the common name);
// empty without mutual TLS. Ours read `<role>.<host>`: `egress.mta1`.
std::vector<std::string> PeerNames(const grpc::ServerContextBase& context);
std::vector<std::string> NamesOf(const grpc::AuthContext& auth);
// Whether the caller may act as egress `egress_id`: its certificate names that host. Always so without mutual TLS, where plain text
// had to be allowed.
bool MayActAs(const grpc::ServerContextBase& context, std::string_view egress_id);
// The API key of `authorization: Bearer <key>`; empty when there is none.
std::string BearerToken(const grpc::ServerContextBase& context);

}  // namespace sluice::wire
