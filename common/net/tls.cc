#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/text.h"

namespace sluice {

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::CreateClient() {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  if (context == nullptr) {
    return absl::InternalError(
        Cat("cannot create a TLS context: ", ERR_reason_error_string(ERR_get_error())));
  }
  std::unique_ptr<TlsContext> owner(new TlsContext(context));
  if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
    return absl::InternalError("cannot set the lowest TLS version");
  }
  // Without verification a weak certificate is no worse than plain text, which would be next.
  SSL_CTX_set_security_level(context, 1);
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  return owner;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

}  // namespace sluice
