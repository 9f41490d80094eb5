// TLS towards mail servers: one client context for the process, what a session asks of it, and the
// facts of a session. Opportunistic means encrypted and not verified (RFC 7435): a bad certificate
// never loses mail, but it is told. No asio in this header.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "mail/tls_mode.h"
#include "smtp/tls_failure.h"
#include "smtp/tlsa.h"

struct ssl_ctx_st;
struct ssl_st;
struct ssl_session_st;

namespace sluice {

struct TlsFacts {
  std::string version;  // "TLSv1.3"
  std::string cipher;   // "TLS_AES_256_GCM_SHA384"
  // The peer proved its name, whether that was asked for or not.
  bool peer_verified = false;
  // Otherwise why not, and the same for people: "self-signed certificate".
  TlsFailure why_not = TlsFailure::kNone;
  std::string why_not_verified = {};
  bool resumed = false;  // the session of an earlier connection

  friend bool operator==(const TlsFacts&, const TlsFacts&) = default;
};

// What a connection has to be before mail goes over it.
struct TlsRequirement {
  TlsMode mode = TlsMode::kOpportunistic;
  // The server's name for SNI, and the first that its certificate may bear; an address in text is
  // sought among the certificate's addresses.
  std::string server_name = {};
  // Who resumes sessions: never one of another. Empty = the local address.
  std::string client = {};
  // Other names that it may bear.
  std::vector<std::string> other_names = {};
  // With kVerified: what proves the server instead of an authority (DANE, RFC 7672). Usable ones.
  std::vector<TlsaRecord> tlsa = {};
};
// Encrypted or not at all.
bool MustEncrypt(const TlsRequirement& requirement);

struct TlsClientOptions {
  // PEM file of trusted authorities; empty = those of the system.
  std::string ca_file = {};
  // "1.0" to "1.3".
  std::string min_version = "1.2";
  // PEM files, for servers that ask for a certificate; empty = none is shown.
  std::string certificate_file = {}, key_file = {};
  // Sessions kept to be resumed.
  size_t most_sessions = 10'000;
};

// Thread-safe after creation; outlives the sessions that use it.
class TlsContext {
 public:
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<TlsContext>> CreateClient(
      const TlsClientOptions& options = {});
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* native() const { return context_; }

  // Makes `ssl` (of this context, before its handshake) ask for what is required and resume an
  // earlier session of the same `client` (the source), server and requirement. `session_key`
  // must live as long as `ssl`: later sessions are kept under it.
  [[nodiscard]] absl::Status Prepare(ssl_st* ssl, const TlsRequirement& requirement,
                                     std::string_view client, std::string& session_key);

 private:
  class Sessions;
  explicit TlsContext(ssl_ctx_st* context, size_t most_sessions);
  absl::Status Configure(const TlsClientOptions& options);
  static int OnNewSession(ssl_st* ssl, ssl_session_st* session);

  ssl_ctx_st* context_;
  std::unique_ptr<Sessions> sessions_;
};

// Of a session whose handshake has succeeded.
TlsFacts FactsOf(ssl_st* ssl);
// Of a handshake that failed: what was wrong with the peer's certificate, or kValidationFailure
// with an empty text when it was something else.
struct TlsFault {
  TlsFailure failure = TlsFailure::kNone;
  std::string text;
};
TlsFault FaultOf(ssl_st* ssl);
// What a certificate that was not verified lacks; kNone when it was.
TlsFailure FailureOf(long verify_result);

}  // namespace sluice
