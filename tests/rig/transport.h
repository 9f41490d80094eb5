// The bytes of one accepted connection, plain or TLS, without waiting. Not thread-safe.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace sluice::rig {

struct TlsOptions {
  // PEM files; both empty: a self-signed certificate for `host_name` is made in memory.
  std::string certificate_file, key_file;
  std::string host_name = "sink.test";
  // Where the certificate is written as PEM, so that clients can trust it; empty: nowhere.
  std::string write_certificate;
  enum class ClientCertificate {
    kNone,
    kAsk,
    kDemand
  } client_certificate = ClientCertificate::kNone;
};

struct FreeSslContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSslContext>;
absl::StatusOr<SslContext> MakeTlsContext(const TlsOptions& options);

class Transport {
 public:
  enum class Status { kOk, kWouldBlock, kGone };
  struct Result {
    Status status;
    size_t bytes = 0;
  };

  // Owns `fd`, non-blocking.
  explicit Transport(int fd) : fd_(fd) {}
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  Result Read(char* into, size_t room);
  Result Write(const char* from, size_t size);
  // Bytes are decrypted or read ahead that poll does not show.
  bool HasBuffered() const { return ssl_ && SSL_has_pending(ssl_.get()) == 1; }
  void StartTls(SSL_CTX* context);
  Result Handshake();
  bool handshake_wants_write() const { return ssl_ && SSL_want_write(ssl_.get()); }
  // Sends FIN; reading goes on.
  void FinishWriting();
  // Makes the close an RST.
  void ResetOnClose();
  int fd() const { return fd_; }

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  Result FromSsl(int returned);

  int fd_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

}  // namespace sluice::rig
