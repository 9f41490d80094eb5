#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/status.h"
#include "base/text.h"

namespace sluice {
namespace {

std::string LastError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

bool IsAddress(const std::string& name) {
  std::array<unsigned char, 16> bytes;
  return ::inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

// Slots of every SSL: the key its sessions are kept under, and who keeps them.
int KeySlot() {
  static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return slot;
}
int OwnerSlot() {
  static const int slot = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return slot;
}

absl::StatusOr<int> VersionNumber(const std::string& text) {
  constexpr std::array<std::pair<std::string_view, int>, 4> kVersions = {
      {{"1.0", TLS1_VERSION},
       {"1.1", TLS1_1_VERSION},
       {"1.2", TLS1_2_VERSION},
       {"1.3", TLS1_3_VERSION}}};
  for (const auto& [name, number] : kVersions) {
    if (name == text) {
      return number;
    }
  }
  return absl::InvalidArgumentError(
      Cat("the lowest TLS version '", text, "' is none of 1.0, 1.1, 1.2, 1.3"));
}

absl::Status LoadAuthorities(SSL_CTX* context, const std::string& file) {
  if (file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return absl::OkStatus();
  }
  return SSL_CTX_load_verify_file(context, file.c_str()) == 1
             ? absl::OkStatus()
             : absl::InvalidArgumentError(
                   Cat("cannot read the authorities of '", file, "': ", LastError()));
}

absl::Status LoadCertificate(SSL_CTX* context, const TlsClientOptions& options) {
  if (options.certificate_file.empty() && options.key_file.empty()) {
    return absl::OkStatus();
  }
  const bool is_loaded =
      SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_check_private_key(context) == 1;
  return is_loaded ? absl::OkStatus()
                   : absl::InvalidArgumentError(
                         Cat("cannot use the client certificate '", options.certificate_file,
                             "' with the key '", options.key_file, "': ", LastError()));
}

void ExpectNames(SSL* ssl, const TlsRequirement& requirement) {
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (IsAddress(requirement.server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), requirement.server_name.c_str());
    return;
  }
  if (!requirement.server_name.empty()) {
    SSL_set_tlsext_host_name(ssl, requirement.server_name.c_str());
    SSL_set1_host(ssl, requirement.server_name.c_str());
  }
  for (const std::string& name : requirement.other_names) {
    SSL_add1_host(ssl, name.c_str());
  }
}

absl::Status ExpectTlsa(SSL* ssl, const TlsRequirement& requirement) {
  if (SSL_dane_enable(ssl, requirement.server_name.c_str()) <= 0) {
    return absl::InternalError(Cat("cannot use DANE: ", LastError()));
  }
  // RFC 7672 §3.1.1: with DANE-EE neither names nor dates of the certificate count.
  SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
  int taken_count = 0;
  for (const TlsaRecord& record : requirement.tlsa) {
    taken_count += SSL_dane_tlsa_add(ssl, record.usage, record.selector, record.matching,
                                     reinterpret_cast<const unsigned char*>(record.data.data()),
                                     record.data.size()) > 0
                       ? 1
                       : 0;
  }
  ERR_clear_error();
  return taken_count > 0 ? absl::OkStatus()
                         : absl::InvalidArgumentError("no TLSA record can be used");
}

// Sessions that were verified in one way are never resumed where another is asked for.
std::string SessionKey(std::string_view client, const TlsRequirement& requirement) {
  std::string key = Cat(client, "\n", requirement.server_name, "\n", ToString(requirement.mode));
  for (const std::string& name : requirement.other_names) {
    Append(key, "\n", name);
  }
  for (const TlsaRecord& record : requirement.tlsa) {
    Append(key, "\n", ToString(record));
  }
  return key;
}

}  // namespace

bool MustEncrypt(const TlsRequirement& requirement) {
  return requirement.mode == TlsMode::kRequired || requirement.mode == TlsMode::kVerified;
}

// Sessions to be resumed, the last used kept. A TLS 1.3 session is given out once (RFC 8446 §C.4).
class TlsContext::Sessions {
 public:
  explicit Sessions(size_t most) : most_(most) {}
  ~Sessions() {
    for (const Item& item : order_) {
      SSL_SESSION_free(item.session);
    }
  }

  // Takes over one reference.
  void Put(const std::string& key, SSL_SESSION* session) {
    const std::lock_guard lock(mutex_);
    Drop(by_key_.find(key));
    order_.push_front({key, session});
    by_key_[key] = order_.begin();
    while (order_.size() > most_) {
      Drop(by_key_.find(order_.back().key));
    }
  }

  // Makes `ssl` resume the session of `key`, if there is one.
  void Give(const std::string& key, SSL* ssl) {
    const std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) {
      return;
    }
    SSL_SESSION* const session = found->second->session;
    if (SSL_SESSION_is_resumable(session) == 1) {
      SSL_set_session(ssl, session);
    }
    if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION ||
        SSL_SESSION_is_resumable(session) != 1) {
      Drop(found);
    }
  }

 private:
  struct Item {
    std::string key;
    SSL_SESSION* session;
  };
  using Index = std::unordered_map<std::string, std::list<Item>::iterator>;

  void Drop(Index::iterator found) {
    if (found == by_key_.end()) {
      return;
    }
    SSL_SESSION_free(found->second->session);
    order_.erase(found->second);
    by_key_.erase(found);
  }

  const size_t most_;
  std::mutex mutex_;
  std::list<Item> order_;
  Index by_key_;
};

TlsContext::TlsContext(ssl_ctx_st* context, size_t most_sessions)
    : context_(context), sessions_(std::make_unique<Sessions>(most_sessions)) {}

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::CreateClient(
    const TlsClientOptions& options) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  if (context == nullptr) {
    return absl::InternalError(Cat("cannot create a TLS context: ", LastError()));
  }
  std::unique_ptr<TlsContext> owner(new TlsContext(context, options.most_sessions));
  RETURN_IF_ERROR(owner->Configure(options));
  return owner;
}

absl::Status TlsContext::Configure(const TlsClientOptions& options) {
  ASSIGN_OR_RETURN(const int version, VersionNumber(options.min_version));
  SSL_CTX_set_min_proto_version(context_, version);
  // Without verification a weak certificate is no worse than plain text, which would be next.
  SSL_CTX_set_security_level(context_, version < TLS1_2_VERSION ? 0 : 1);
  SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_options(context_, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS);
  if (SSL_CTX_dane_enable(context_) <= 0) {
    return absl::InternalError(Cat("cannot use DANE: ", LastError()));
  }
  SSL_CTX_set_session_cache_mode(context_,
                                 SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_set_ex_data(context_, OwnerSlot(), this);
  SSL_CTX_sess_set_new_cb(context_, &TlsContext::OnNewSession);
  RETURN_IF_ERROR(LoadAuthorities(context_, options.ca_file));
  return LoadCertificate(context_, options);
}

TlsContext::~TlsContext() {
  sessions_.reset();
  SSL_CTX_free(context_);
}

int TlsContext::OnNewSession(SSL* ssl, SSL_SESSION* session) {
  const auto* key = static_cast<const std::string*>(SSL_get_ex_data(ssl, KeySlot()));
  auto* owner =
      static_cast<TlsContext*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), OwnerSlot()));
  if (key == nullptr || owner == nullptr) {
    return 0;
  }
  owner->sessions_->Put(*key, session);
  return 1;
}

absl::Status TlsContext::Prepare(SSL* ssl, const TlsRequirement& requirement,
                                 std::string_view client, std::string& session_key) {
  if (!requirement.tlsa.empty()) {
    RETURN_IF_ERROR(ExpectTlsa(ssl, requirement));
  }
  ExpectNames(ssl, requirement);
  if (requirement.mode == TlsMode::kVerified) {
    SSL_set_verify(ssl, SSL_VERIFY_PEER, nullptr);
  }
  session_key = SessionKey(client, requirement);
  SSL_set_ex_data(ssl, KeySlot(), &session_key);
  sessions_->Give(session_key, ssl);
  return absl::OkStatus();
}

TlsFacts FactsOf(SSL* ssl) {
  TlsFacts facts;
  facts.version = SSL_get_version(ssl);
  facts.cipher = SSL_get_cipher_name(ssl);
  const long result = SSL_get_verify_result(ssl);
  facts.peer_verified = result == X509_V_OK;
  if (!facts.peer_verified) {
    facts.why_not = FailureOf(result);
    facts.why_not_verified = X509_verify_cert_error_string(result);
  }
  facts.resumed = SSL_session_reused(ssl) == 1;
  return facts;
}

TlsFault FaultOf(SSL* ssl) {
  const long result = SSL_get_verify_result(ssl);
  if (SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE || result == X509_V_OK) {
    return {TlsFailure::kValidationFailure, ""};
  }
  return {FailureOf(result), X509_verify_cert_error_string(result)};
}

TlsFailure FailureOf(long verify_result) {
  switch (verify_result) {
    case X509_V_OK:
      return TlsFailure::kNone;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return TlsFailure::kCertificateHostMismatch;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return TlsFailure::kCertificateExpired;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_REVOKED:
      return TlsFailure::kCertificateNotTrusted;
    default:
      return TlsFailure::kValidationFailure;
  }
}

}  // namespace sluice
