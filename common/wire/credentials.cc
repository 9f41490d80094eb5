#include "wire/credentials.h"

#include <arpa/inet.h>
#include <grpcpp/security/auth_metadata_processor.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <fstream>
#include <sstream>

#include "base/config.h"
#include "base/status.h"
#include "base/text.h"
#include "wire/access.h"
#include "wire/peer.h"

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

// Errors at start are clear; later ones leave the old files in force, with a line of gRPC's in the log.
absl::Status CheckFiles(const CredentialsConfig& config) {
  if (config.cert.empty() != config.key.empty()) {
    return absl::InvalidArgumentError("'cert' and 'key' go together");
  }
  if (!config.cert.empty()) {
    RETURN_IF_ERROR(ReadFile(config.cert, "cert").status());
    RETURN_IF_ERROR(ReadFile(config.key, "key").status());
  }
  if (config.ca.empty()) return absl::OkStatus();
  return ReadFile(config.ca, "ca").status();
}

constexpr unsigned kReadAgainSeconds = 2;

std::shared_ptr<grpc::experimental::CertificateProviderInterface> Watch(const CredentialsConfig& config) {
  return std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(config.key, config.cert, config.ca,
                                                                              kReadAgainSeconds);
}

// Runs before a call reaches its service.
class RoleCheck final : public grpc::AuthMetadataProcessor {
 public:
  explicit RoleCheck(CallHook on_call) : on_call_(std::move(on_call)) {}

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context, OutputMetadata*,
                       OutputMetadata*) override {
    const auto path = metadata.find(":path");
    if (path == metadata.end()) return {grpc::StatusCode::PERMISSION_DENIED, "a call without a path"};
    const std::string_view method(path->second.data(), path->second.size());
    const std::optional<Identity> caller = IdentityOf(NamesOf(*context));
    const absl::Status allowed = Authorize(method, caller);
    if (allowed.ok()) return grpc::Status::OK;
    if (on_call_) on_call_({MethodName(method), caller.has_value() ? ToString(*caller) : "", "PERMISSION_DENIED", Duration::zero()});
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, std::string(View(allowed.message())));
  }

 private:
  const CallHook on_call_;
};

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
    const CredentialsConfig& config, std::string_view address, CallHook on_call) {
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
  RETURN_IF_ERROR(CheckFiles(config));
  grpc::experimental::TlsServerCredentialsOptions options(Watch(config));
  options.watch_identity_key_cert_pairs();
  if (!config.client_auth) return grpc::experimental::TlsServerCredentials(options);
  options.watch_root_certs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  auto credentials = grpc::experimental::TlsServerCredentials(options);
  credentials->SetAuthMetadataProcessor(std::make_shared<RoleCheck>(std::move(on_call)));
  return credentials;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const CredentialsConfig& config, std::string_view address) {
  if (config.plaintext) {
    RETURN_IF_ERROR(CheckPlaintext(config, address));
    return grpc::InsecureChannelCredentials();
  }
  RETURN_IF_ERROR(CheckFiles(config));
  // Neither a certificate of ours nor an authority of our choice: nothing to watch, the system's authorities.
  if (config.cert.empty() && config.ca.empty()) return grpc::SslCredentials({});
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(Watch(config));
  if (!config.ca.empty()) options.watch_root_certs();
  if (!config.cert.empty()) options.watch_identity_key_cert_pairs();
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace sluice::wire
