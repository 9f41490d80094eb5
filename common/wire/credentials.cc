#include "wire/credentials.h"

#include <arpa/inet.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include <fstream>
#include <sstream>

#include "base/config.h"
#include "base/status.h"
#include "base/text.h"

namespace sluice::wire {
namespace {

absl::StatusOr<std::string> ReadFile(const std::string& path, std::string_view option) {
  std::ifstream file(path);
  std::ostringstream all;
  if (!file || !(all << file.rdbuf())) {
    return absl::InvalidArgumentError(Cat(option, ": cannot read '", path, "'"));
  }
  return all.str();
}

absl::Status CheckPlaintext(const CredentialsConfig& config, std::string_view address) {
  if (IsLocalAddress(address) || config.plaintext_beyond_loopback) return absl::OkStatus();
  return absl::InvalidArgumentError(Cat("plain text is refused on '", address,
                                        "': use a loopback or unix address, give 'cert' and 'key', "
                                        "or set 'plaintext_beyond_loopback'"));
}

struct KeyPair {
  std::string key, cert, ca;
};

absl::StatusOr<KeyPair> ReadKeyPair(const CredentialsConfig& config) {
  KeyPair out;
  if (config.cert.empty() != config.key.empty()) {
    return absl::InvalidArgumentError("'cert' and 'key' go together");
  }
  if (!config.cert.empty()) {
    ASSIGN_OR_RETURN(out.cert, ReadFile(config.cert, "cert"));
    ASSIGN_OR_RETURN(out.key, ReadFile(config.key, "key"));
  }
  if (!config.ca.empty()) {
    ASSIGN_OR_RETURN(out.ca, ReadFile(config.ca, "ca"));
  }
  return out;
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

void CredentialsConfig::Bind(Config& config, std::string_view prefix) {
  config.Bind(Cat(prefix, ".plaintext"), plaintext, "No TLS; only on loopback or a unix socket.");
  config.Bind(Cat(prefix, ".plaintext_beyond_loopback"), plaintext_beyond_loopback,
              "Allow plain text on any address: only inside a network that protects itself.");
  config.Bind(Cat(prefix, ".cert"), cert, "PEM file of our certificate and its chain.");
  config.Bind(Cat(prefix, ".key"), key, "PEM file of our private key.");
  config.Bind(Cat(prefix, ".ca"), ca,
              "PEM file of the authorities that peers' certificates come from.");
  config.Bind(Cat(prefix, ".client_auth"), client_auth,
              "Refuse clients without a certificate of 'ca'.");
}

bool IsLocalAddress(std::string_view address) {
  if (StartsWith(address, "unix:") || StartsWith(address, "unix-abstract:")) return true;
  for (const std::string_view scheme : {"dns:", "ipv4:", "ipv6:"}) {
    if (StartsWith(address, scheme)) address.remove_prefix(scheme.size());
  }
  while (StartsWith(address, "/")) address.remove_prefix(1);
  std::string host(address.substr(0, address.rfind(':')));
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  if (host == "localhost") return true;
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> MakeServerCredentials(
    const CredentialsConfig& config, std::string_view address) {
  if (config.plaintext) {
    RETURN_IF_ERROR(CheckPlaintext(config, address));
    return grpc::InsecureServerCredentials();
  }
  if (config.cert.empty()) {
    return absl::InvalidArgumentError(
        Cat("'", address,
            "' needs 'cert' and 'key', or 'plaintext: true' on a loopback or unix address"));
  }
  if (config.client_auth && config.ca.empty()) {
    return absl::InvalidArgumentError("'client_auth' needs 'ca'");
  }
  ASSIGN_OR_RETURN(const KeyPair files, ReadKeyPair(config));
  grpc::SslServerCredentialsOptions options(
      config.client_auth ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                         : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  options.pem_root_certs = files.ca;
  options.pem_key_cert_pairs.push_back({files.key, files.cert});
  return grpc::SslServerCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const CredentialsConfig& config, std::string_view address) {
  if (config.plaintext) {
    RETURN_IF_ERROR(CheckPlaintext(config, address));
    return grpc::InsecureChannelCredentials();
  }
  ASSIGN_OR_RETURN(const KeyPair files, ReadKeyPair(config));
  return grpc::SslCredentials({files.ca, files.key, files.cert});
}

}  // namespace sluice::wire
