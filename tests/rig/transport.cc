#include "rig/transport.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/status.h"
#include "base/text.h"

namespace sluice::rig {
namespace {

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Certificate = std::unique_ptr<X509, FreeCertificate>;

absl::Status SslError(std::string_view what) {
  char text[256] = "";
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  ERR_clear_error();
  return absl::InternalError(Cat(what, ": ", text));
}

bool AddAlternativeName(X509* certificate, const std::string& host_name) {
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, Cat("DNS:", host_name).c_str());
  const bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// Valid from yesterday for ten years.
Certificate SelfSigned(EVP_PKEY* key, const std::string& host_name) {
  Certificate certificate(X509_new());
  X509* c = certificate.get();
  X509_NAME* name = X509_get_subject_name(c);
  const auto* text = reinterpret_cast<const unsigned char*>(host_name.c_str());
  const bool ok =
      X509_set_version(c, 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(c), 1) == 1 &&
      X509_gmtime_adj(X509_getm_notBefore(c), -86'400) &&
      X509_gmtime_adj(X509_getm_notAfter(c), 10L * 365 * 86'400) && X509_set_pubkey(c, key) == 1 &&
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
      X509_set_issuer_name(c, name) == 1 && AddAlternativeName(c, host_name) &&
      X509_sign(c, key, EVP_sha256()) != 0;
  return ok ? std::move(certificate) : nullptr;
}

absl::Status UseSelfSigned(SSL_CTX* context, const std::string& host_name) {
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate = key ? SelfSigned(key.get(), host_name) : nullptr;
  if (!certificate || SSL_CTX_use_certificate(context, certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return SslError("cannot make a certificate");
  }
  return absl::OkStatus();
}

absl::Status WriteCertificate(SSL_CTX* context, const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  const bool written = file && PEM_write_X509(file, SSL_CTX_get0_certificate(context)) == 1;
  if (file && std::fclose(file) == 0 && written) return absl::OkStatus();
  return absl::UnavailableError(Cat("cannot write the certificate to ", path));
}

int TakeAnyCertificate(int /*ok*/, X509_STORE_CTX* /*store*/) { return 1; }

}  // namespace

absl::StatusOr<SslContext> MakeTlsContext(const TlsOptions& options) {
  SslContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) return SslError("cannot set up TLS");
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context.get(), 1);
  if (options.certificate_file.empty()) {
    RETURN_IF_ERROR(UseSelfSigned(context.get(), options.host_name));
  } else if (SSL_CTX_use_certificate_chain_file(context.get(), options.certificate_file.c_str()) !=
                 1 ||
             SSL_CTX_use_PrivateKey_file(context.get(), options.key_file.c_str(),
                                         SSL_FILETYPE_PEM) != 1) {
    return SslError(Cat("cannot load ", options.certificate_file, " with ", options.key_file));
  }
  if (!options.write_certificate.empty()) {
    RETURN_IF_ERROR(WriteCertificate(context.get(), options.write_certificate));
  }
  using Ask = TlsOptions::ClientCertificate;
  if (options.client_certificate != Ask::kNone) {
    const int demand =
        options.client_certificate == Ask::kDemand ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | demand, TakeAnyCertificate);
  }
  return context;
}

Transport::~Transport() {
  ssl_.reset();
  ::close(fd_);
}

Transport::Result Transport::FromSsl(int returned) {
  if (returned > 0) return {Status::kOk, static_cast<size_t>(returned)};
  const int error = SSL_get_error(ssl_.get(), returned);
  ERR_clear_error();
  const bool again = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  return {again ? Status::kWouldBlock : Status::kGone};
}

Transport::Result Transport::Read(char* into, size_t room) {
  if (ssl_)
    return FromSsl(SSL_read(ssl_.get(), into, static_cast<int>(std::min<size_t>(room, 1 << 30))));
  const ssize_t n = ::recv(fd_, into, room, 0);
  if (n > 0) return {Status::kOk, static_cast<size_t>(n)};
  const bool again = n < 0 && (errno == EAGAIN || errno == EINTR);
  return {again ? Status::kWouldBlock : Status::kGone};
}

Transport::Result Transport::Write(const char* from, size_t size) {
  if (ssl_)
    return FromSsl(SSL_write(ssl_.get(), from, static_cast<int>(std::min<size_t>(size, 1 << 30))));
  const ssize_t n = ::send(fd_, from, size, MSG_NOSIGNAL);
  if (n >= 0) return {Status::kOk, static_cast<size_t>(n)};
  return {errno == EAGAIN || errno == EINTR ? Status::kWouldBlock : Status::kGone};
}

void Transport::StartTls(SSL_CTX* context) {
  ssl_.reset(SSL_new(context));
  if (!ssl_ || SSL_set_fd(ssl_.get(), fd_) != 1) ssl_.reset();
  if (ssl_) SSL_set_accept_state(ssl_.get());
}

Transport::Result Transport::Handshake() {
  return ssl_ ? FromSsl(SSL_do_handshake(ssl_.get())) : Result{Status::kGone};
}

void Transport::FinishWriting() {
  if (ssl_) SSL_shutdown(ssl_.get());
  ERR_clear_error();
  ::shutdown(fd_, SHUT_WR);
}

void Transport::ResetOnClose() {
  const linger reset{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

}  // namespace sluice::rig
