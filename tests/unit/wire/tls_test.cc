// Mutual TLS with certificates made for the test: who is let in, and what a server learns of its
// peer.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>

#include "base/text.h"
#include "sluice/v1/admin.grpc.pb.h"
#include "sluice/v1/submission.grpc.pb.h"
#include "wire/channel.h"
#include "wire/peer.h"
#include "wire/server.h"
#include "wire/status.h"
#include "wire/unary_reply.h"

namespace sluice::wire {
namespace {

template <class T, void (*Free)(T*)>
struct Freer {
  void operator()(T* object) const { Free(object); }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509, X509_free>>;

struct KeyAndCertificate {
  Key key;
  Certificate certificate;
};

// Signed by `issuer`, or by itself.
// `valid_for` is counted from an hour ago.
KeyAndCertificate MakeIdentity(const std::string& name, const KeyAndCertificate* issuer, long valid_for = 7200, bool local = true) {
  KeyAndCertificate out{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
  X509* const x = out.certificate.get();
  X509_set_version(x, 2);
  static long serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), valid_for - 3600);
  X509_set_pubkey(x, out.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  const KeyAndCertificate& signer = issuer == nullptr ? out : *issuer;
  X509_set_issuer_name(x, X509_get_subject_name(signer.certificate.get()));
  const std::string names = Cat("DNS:", name, local ? ",DNS:localhost,IP:127.0.0.1" : "");
  for (const auto& [id, value] :
       {std::pair<int, std::string>{NID_subject_alt_name, names},
        {NID_basic_constraints, issuer == nullptr ? "CA:TRUE" : "CA:FALSE"}}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str());
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
  }
  EXPECT_GT(X509_sign(x, signer.key.get(), EVP_sha256()), 0);
  return out;
}

// A directory of PEM files, gone at the end.
class Files {
 public:
  Files() { std::filesystem::create_directories(folder_); }
  ~Files() { std::filesystem::remove_all(folder_); }
  void Write(const std::string& name, const KeyAndCertificate& identity) {
    const auto write = [&](const std::string& path, auto put) {
      FILE* file = std::fopen(path.c_str(), "w");
      put(file);
      std::fclose(file);
    };
    write(Cert(name), [&](FILE* file) { PEM_write_X509(file, identity.certificate.get()); });
    write(KeyOf(name), [&](FILE* file) {
      PEM_write_PrivateKey(file, identity.key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  std::string Cert(const std::string& name) const { return Cat(folder_, "/", name, ".pem"); }
  const std::string& Folder() const { return folder_; }
  std::string KeyOf(const std::string& name) const { return Cat(folder_, "/", name, ".key"); }

 private:
  const std::string folder_ =
      Cat(std::filesystem::temp_directory_path().string(), "/sluice_tls_test_", ::getpid());
};

// Answers with the names that the transport knows of the caller.
class WhoAmI final : public v1::SubmissionService::CallbackService {
 public:
  grpc::ServerUnaryReactor* GetMessage(grpc::CallbackServerContext* context,
                                       const v1::GetMessageRequest*,
                                       v1::GetMessageResponse* response) override {
    auto* const reactor = context->DefaultReactor();
    for (const std::string& name : PeerNames(*context))
      response->mutable_message_id()->append(name + " ");
    UnaryReply(reactor).Finish(absl::OkStatus());
    return reactor;
  }
};

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() {
    const KeyAndCertificate stranger = MakeIdentity("other-ca", nullptr);
    const KeyAndCertificate& ca = ca_;
    files_.Write("ca", ca);
    files_.Write("server", MakeIdentity("scheduler.host1", &ca));
    files_.Write("egress", MakeIdentity("egress.mta1", &ca));
    files_.Write("stranger", MakeIdentity("egress.mta1", &stranger));
    files_.Write("expired", MakeIdentity("egress.mta1", &ca, 60));
    files_.Write("elsewhere", MakeIdentity("scheduler.host2", &ca, 7200, false));
    for (const char* name : {"viewer.carol", "admin.alice"}) files_.Write(name, MakeIdentity(name, &ca));
  }
  void Serve(bool client_auth) {
    ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.credentials.cert = files_.Cert("server");
    options.credentials.key = files_.KeyOf("server");
    options.credentials.ca = files_.Cert("ca");
    options.credentials.client_auth = client_auth;
    options.on_call = [this](const CallRecord& call) {
      const std::lock_guard lock(mutex_);
      calls_.push_back(Cat(call.caller, " ", call.method, " ", call.code));
    };
    server_ = *Server::Start(options, {&service_, &admin_});
  }
  // `patiently`: connects again and again until it is let in or the time is over.
  absl::StatusOr<std::string> Ask(const CredentialsConfig& credentials, bool patiently = false) {
    ChannelOptions options;
    options.credentials = credentials;
    const auto stub =
        v1::SubmissionService::NewStub(*MakeChannel(server_->addresses()[0], options));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(patiently ? 40 : 10));
    context.set_wait_for_ready(patiently);
    v1::GetMessageResponse response;
    const grpc::Status status = stub->GetMessage(&context, v1::GetMessageRequest(), &response);
    if (!status.ok()) return FromGrpc(status);
    return response.message_id();
  }
  CredentialsConfig As(const std::string& name) {
    CredentialsConfig out;
    out.ca = files_.Cert("ca");
    out.cert = files_.Cert(name);
    out.key = files_.KeyOf(name);
    return out;
  }
  CredentialsConfig Anonymous() {
    CredentialsConfig out;
    out.ca = files_.Cert("ca");
    return out;
  }

  grpc::Status ApplyAs(const std::string& name) {
    ChannelOptions options;
    options.credentials = As(name);
    const auto stub = v1::AdminService::NewStub(*MakeChannel(server_->addresses()[0], options));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    v1::ApplyPolicyResponse response;
    return stub->ApplyPolicy(&context, v1::ApplyPolicyRequest(), &response);
  }

  Files files_;
  const KeyAndCertificate ca_ = MakeIdentity("ca", nullptr);
  WhoAmI service_;
  v1::AdminService::CallbackService admin_;  // Every method answers UNIMPLEMENTED.
  std::mutex mutex_;
  std::vector<std::string> calls_;
  std::unique_ptr<Server> server_;
};

TEST_F(TlsTest, AServerWithClientAuthLearnsTheNamesOfItsPeer) {
  Serve(true);
  const auto names = Ask(As("egress"));
  ASSERT_TRUE(names.ok()) << View(names.status().message());
  EXPECT_EQ(names->substr(0, 12), "egress.mta1 ");
}

TEST_F(TlsTest, NobodyComesInWithoutACertificateOfOurs) {
  Serve(true);
  EXPECT_FALSE(Ask(Anonymous()).ok());
  EXPECT_FALSE(Ask(As("stranger")).ok());
}

TEST_F(TlsTest, WithoutClientAuthAnybodyMayAskAndHasNoName) {
  Serve(false);
  const auto names = Ask(Anonymous());
  ASSERT_TRUE(names.ok()) << View(names.status().message());
  EXPECT_EQ(*names, "");
}

TEST_F(TlsTest, AnExpiredCertificateIsNone) {
  Serve(true);
  EXPECT_FALSE(Ask(As("expired")).ok());
}

TEST_F(TlsTest, AServerUnderAnotherNameIsNotTrusted) {
  Serve(true);
  for (const char* kind : {".pem", ".key"}) {
    std::filesystem::copy_file(files_.Folder() + "/elsewhere" + kind, files_.Folder() + "/server" + kind,
                               std::filesystem::copy_options::overwrite_existing);
  }
  Serve(true);
  EXPECT_FALSE(Ask(As("egress")).ok());
}

TEST_F(TlsTest, ACallGoesAsFarAsItsRole) {
  Serve(true);
  EXPECT_EQ(ApplyAs("viewer.carol").error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ApplyAs("egress").error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(ApplyAs("admin.alice").error_code(), grpc::StatusCode::UNIMPLEMENTED);  // Let in.
  server_->Drain(std::chrono::seconds(5));
  EXPECT_EQ(calls_, (std::vector<std::string>{"viewer.carol AdminService/ApplyPolicy PERMISSION_DENIED",
                                              "egress.mta1 AdminService/ApplyPolicy PERMISSION_DENIED",
                                              "admin.alice AdminService/ApplyPolicy UNIMPLEMENTED"}));
}

// Long after the old certificate would have ended, and without a restart.
TEST_F(TlsTest, NewConnectionsSeeARotatedCertificate) {
  Serve(true);
  ASSERT_TRUE(Ask(As("egress")).ok());
  const KeyAndCertificate next = MakeIdentity("next-ca", nullptr);
  files_.Write("next-ca", next);
  files_.Write("server", MakeIdentity("scheduler.host1", &next));
  CredentialsConfig trusting_next = As("egress");
  trusting_next.ca = files_.Cert("next-ca");
  EXPECT_TRUE(Ask(trusting_next, true).ok());
  EXPECT_FALSE(Ask(As("egress")).ok());
}

TEST_F(TlsTest, PlainTextToATlsServerFails) {
  Serve(false);
  CredentialsConfig plain;
  plain.plaintext = true;
  EXPECT_FALSE(Ask(plain).ok());
}

TEST_F(TlsTest, AServerThatOurAuthorityDoesNotKnowIsNotTrusted) {
  Serve(false);
  CredentialsConfig wrong;
  wrong.ca = files_.Cert("stranger");
  EXPECT_FALSE(Ask(wrong).ok());
}

}  // namespace
}  // namespace sluice::wire
