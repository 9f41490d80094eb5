// What a client context asks of a server's certificate, over memory instead of a network.
#include "net/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>
#include <utility>

#include "unit/net/test_authority.h"

namespace sluice {
namespace {

using testing::HasSubstr;
using SslPtr = std::unique_ptr<SSL, decltype(&SSL_free)>;

struct Outcome {
  bool is_done = false;
  TlsFacts facts;
  TlsFault fault;
  std::string sni;
};

class TlsTest : public testing::Test {
 protected:
  void SetUp() override { context_ = Make({.ca_file = authority_.ca_file()}); }

  static std::unique_ptr<TlsContext> Make(const TlsClientOptions& options) {
    auto context = TlsContext::CreateClient(options);
    EXPECT_TRUE(context.ok()) << context.status();
    return *std::move(context);
  }

  Outcome Shake(SSL_CTX* server, const TlsRequirement& requirement,
                std::string_view client = "192.0.2.1") {
    return Shake(*context_, server, requirement, client);
  }

  // Both sides take turns until they are through or one fails.
  static Outcome Shake(TlsContext& context, SSL_CTX* server_context,
                       const TlsRequirement& requirement, std::string_view source) {
    std::string key;
    const SslPtr client(SSL_new(context.native()), &SSL_free);
    const SslPtr server(SSL_new(server_context), &SSL_free);
    EXPECT_TRUE(context.Prepare(client.get(), requirement, source, key).ok());
    BIO *near = nullptr, *far = nullptr;
    BIO_new_bio_pair(&near, 0, &far, 0);
    SSL_set_bio(client.get(), near, near);
    SSL_set_bio(server.get(), far, far);
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    Outcome outcome;
    for (int turn = 0; turn < 10; ++turn) {
      SSL_do_handshake(client.get());
      SSL_do_handshake(server.get());
      char byte = 0;
      SSL_read(client.get(), &byte, 1);  // takes the session tickets of TLS 1.3
      ERR_clear_error();
    }
    outcome.is_done = SSL_is_init_finished(client.get()) == 1;
    if (const char* name = SSL_get_servername(server.get(), TLSEXT_NAMETYPE_host_name)) {
      outcome.sni = name;
    }
    if (outcome.is_done) {
      outcome.facts = FactsOf(client.get());
    } else {
      outcome.fault = FaultOf(client.get());
    }
    SSL_set_shutdown(client.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    return outcome;
  }

  static TlsRequirement Require(TlsMode mode, std::string name = "mx.example") {
    TlsRequirement requirement;
    requirement.mode = mode;
    requirement.server_name = std::move(name);
    return requirement;
  }
  static TlsRequirement RequireDane(std::vector<TlsaRecord> records) {
    TlsRequirement requirement = Require(TlsMode::kVerified);
    requirement.tlsa = std::move(records);
    return requirement;
  }

  TestAuthority authority_;
  std::unique_ptr<TlsContext> context_;
};

TEST_F(TlsTest, VerifiedTakesTheRightNameOfATrustedAuthority) {
  const auto server = authority_.Serve({});

  const Outcome outcome = Shake(server.get(), Require(TlsMode::kVerified));

  EXPECT_TRUE(outcome.is_done);
  EXPECT_TRUE(outcome.facts.peer_verified);
  EXPECT_EQ(outcome.facts.version, "TLSv1.3");
  EXPECT_EQ(outcome.sni, "mx.example");
}

TEST_F(TlsTest, VerifiedRefusesWhatIsNotProved) {
  const auto wrong_name = authority_.Serve({.dns_names = {"other.example"}, .more_names = {}});
  const auto name = Shake(wrong_name.get(), Require(TlsMode::kVerified));
  EXPECT_FALSE(name.is_done);
  EXPECT_EQ(name.fault.failure, TlsFailure::kCertificateHostMismatch);

  TlsRequirement other = Require(TlsMode::kVerified);
  other.other_names = {"other.example"};
  EXPECT_TRUE(Shake(wrong_name.get(), other).is_done);

  const auto expired = authority_.Serve({.more_names = {}, .days_valid = -1});
  EXPECT_EQ(Shake(expired.get(), Require(TlsMode::kVerified)).fault.failure,
            TlsFailure::kCertificateExpired);

  TestAuthority stranger;
  const auto untrusted = stranger.Serve({});
  const auto trust = Shake(untrusted.get(), Require(TlsMode::kVerified));
  EXPECT_EQ(trust.fault.failure, TlsFailure::kCertificateNotTrusted);
  EXPECT_THAT(trust.fault.text, HasSubstr("certificate"));
}

TEST_F(TlsTest, OpportunisticAndRequiredTakeAnyCertificateAndSayWhatIsWrong) {
  TestAuthority stranger;
  const auto server = stranger.Serve({});

  for (const TlsMode mode : {TlsMode::kOpportunistic, TlsMode::kRequired}) {
    const Outcome outcome = Shake(server.get(), Require(mode));
    EXPECT_TRUE(outcome.is_done);
    EXPECT_FALSE(outcome.facts.peer_verified);
    EXPECT_THAT(outcome.facts.why_not_verified, HasSubstr("certificate"));
  }
}

TEST_F(TlsTest, AnAddressIsSoughtAmongTheAddresses) {
  const auto server = authority_.Serve({.more_names = "IP:127.0.0.5"});

  EXPECT_TRUE(Shake(server.get(), Require(TlsMode::kVerified, "127.0.0.5")).is_done);
  EXPECT_FALSE(Shake(server.get(), Require(TlsMode::kVerified, "127.0.0.6")).is_done);
}

TEST_F(TlsTest, DaneEeMatchesKeyOrCertificateWhateverNameAndDate) {
  const auto server =
      authority_.Serve({.dns_names = {"nobody.example"}, .more_names = {}, .days_valid = -1});
  for (const auto& [selector, matching] : {std::pair{0, 0}, {0, 1}, {1, 1}, {1, 2}, {1, 0}}) {
    const TlsaRecord record =
        authority_.EeRecord(static_cast<uint8_t>(selector), static_cast<uint8_t>(matching));
    const Outcome outcome = Shake(server.get(), RequireDane({record}));
    EXPECT_TRUE(outcome.is_done) << ToString(record) << outcome.fault.text;
    EXPECT_TRUE(outcome.facts.peer_verified);
  }
}

TEST_F(TlsTest, DaneTaMatchesTheAuthorityAndWantsTheName) {
  const auto server = authority_.Serve({});
  EXPECT_TRUE(Shake(server.get(), RequireDane({authority_.TaRecord()})).is_done);

  const auto other = authority_.Serve({.dns_names = {"other.example"}, .more_names = {}});
  EXPECT_EQ(Shake(other.get(), RequireDane({authority_.TaRecord()})).fault.failure,
            TlsFailure::kCertificateHostMismatch);
}

TEST_F(TlsTest, DaneMismatchIsRefusedAlsoWithATrustedCertificate) {
  const auto server = authority_.Serve({});
  TlsaRecord wrong = authority_.EeRecord(1, 1);
  wrong.data[0] = static_cast<char>(~wrong.data[0]);

  const Outcome outcome = Shake(server.get(), RequireDane({wrong}));

  EXPECT_FALSE(outcome.is_done);
  EXPECT_NE(outcome.fault.failure, TlsFailure::kNone);
  EXPECT_TRUE(Shake(server.get(), RequireDane({wrong, authority_.EeRecord(1, 1)})).is_done);
}

TEST_F(TlsTest, SessionsAreResumedByTheSameSourceServerAndRequirementOnly) {
  const auto server = authority_.Serve({});
  const TlsRequirement opportunistic = Require(TlsMode::kOpportunistic);
  EXPECT_FALSE(Shake(server.get(), opportunistic).facts.resumed);

  EXPECT_TRUE(Shake(server.get(), opportunistic).facts.resumed);
  EXPECT_FALSE(Shake(server.get(), opportunistic, "192.0.2.2").facts.resumed);
  EXPECT_FALSE(Shake(server.get(), Require(TlsMode::kVerified)).facts.resumed);
  const Outcome verified = Shake(server.get(), Require(TlsMode::kVerified));
  EXPECT_TRUE(verified.facts.resumed);
  EXPECT_TRUE(verified.facts.peer_verified);
}

TEST_F(TlsTest, FewSessionsAreKept) {
  const auto few = Make({.ca_file = authority_.ca_file(), .most_sessions = 1});
  const auto server = authority_.Serve({});
  const TlsRequirement requirement = Require(TlsMode::kOpportunistic);
  Shake(*few, server.get(), requirement, "a");
  Shake(*few, server.get(), requirement, "b");

  EXPECT_FALSE(Shake(*few, server.get(), requirement, "a").facts.resumed);
}

TEST_F(TlsTest, OldVersionsAreRefusedUnlessAllowed) {
  const auto server = authority_.Serve({});
  SSL_CTX_set_max_proto_version(server.get(), TLS1_2_VERSION);
  const auto strict = Make({.ca_file = {}, .min_version = "1.3"});
  EXPECT_FALSE(Shake(*strict, server.get(), Require(TlsMode::kOpportunistic), "a").is_done);
  EXPECT_EQ(Shake(server.get(), Require(TlsMode::kOpportunistic)).facts.version, "TLSv1.2");
}

TEST(TlsContextTest, SaysWhatIsWrongWithItsOptions) {
  EXPECT_THAT(TlsContext::CreateClient({.min_version = "2"}).status().ToString(),
              HasSubstr("none of 1.0, 1.1, 1.2, 1.3"));
  EXPECT_THAT(TlsContext::CreateClient({.ca_file = "/nowhere"}).status().ToString(),
              HasSubstr("/nowhere"));
  EXPECT_THAT(TlsContext::CreateClient({.certificate_file = "/nothing"}).status().ToString(),
              HasSubstr("/nothing"));
}

}  // namespace
}  // namespace sluice
