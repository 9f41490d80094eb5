// Who may talk to whom: TLS, mutual TLS, or plain text where nobody can listen. Plain text must be
// asked for and is refused beyond loopback and unix sockets unless that is asked for too.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "wire/call_log.h"

namespace grpc {
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc

namespace sluice {
class Config;
}

namespace sluice::wire {

struct CredentialsConfig {
  bool plaintext = false;
  // Only where something else protects the network (a service mesh, a test in one private network).
  bool plaintext_beyond_loopback = false;
  // PEM files, read again when they change: a connection made later has what stands there then. Change certificate and key
  // together (a renamed directory, a symbolic link). A server needs `cert` and `key`; a client needs them where the server asks for a
  // certificate.
  std::string cert = {}, key = {};
  // PEM file of the authorities the peer's certificate must come from; a client without it uses the
  // system's.
  std::string ca = {};
  // Server: refuse clients without a certificate of `ca`, and calls that its role does not allow (access.h).
  bool client_auth = false;

  // Binds `<prefix>.plaintext`, `.cert` and so on. This object must outlive `config`.
  void Bind(Config& config, std::string_view prefix);
};

// "127.0.0.1:8080", "[::1]:0", "localhost:1", "unix:/run/sluice.sock", "unix-abstract:x". A
// "dns:///" or "ipv4:" scheme is looked through.
bool IsLocalAddress(std::string_view address);

// `address` decides whether plain text is allowed. Errors name the option to set and are for a
// person. `on_call` is told of calls that the caller's role does not allow.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const CredentialsConfig& config, std::string_view address, CallHook on_call = {});
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const CredentialsConfig& config, std::string_view address);

}  // namespace sluice::wire
