// A self-signed certificate, made for this process: what most mail servers have.
#pragma once

#include <openssl/ssl.h>

namespace sluice::dialogs {

// Gives `context` a fresh key and certificate for "mx.example".
void UseTestCertificate(SSL_CTX* context);

}  // namespace sluice::dialogs
