// TLS towards mail servers: one client context for the process, and the facts of a session.
// Opportunistic means encrypted and not verified (RFC 7435): a bad certificate never loses mail.
// Verification for DANE and MTA-STS comes on top of this context. No asio in this header.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

struct ssl_ctx_st;

namespace sluice {

enum class TlsMode : uint8_t {
  kNever,          // plain text even if STARTTLS is offered
  kOpportunistic,  // STARTTLS if offered, certificate not verified
};

struct TlsFacts {
  std::string version;  // "TLSv1.3"
  std::string cipher;   // "TLS_AES_256_GCM_SHA384"
  bool peer_verified = false;

  friend bool operator==(const TlsFacts&, const TlsFacts&) = default;
};

// Thread-safe after creation; outlives the sessions that use it. TLS 1.2 and later.
class TlsContext {
 public:
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<TlsContext>> CreateClient();
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  ssl_ctx_st* native() const { return context_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

}  // namespace sluice
