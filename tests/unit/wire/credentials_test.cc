#include "wire/credentials.h"

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>

namespace sluice::wire {
namespace {

TEST(CredentialsTest, KnowsWhatIsLocal) {
  for (const char* local :
       {"127.0.0.1:1", "127.9.9.9:1", "[::1]:0", "localhost:80", "unix:/a/b", "unix-abstract:x",
        "dns:///localhost:1", "ipv4:127.0.0.1:5", "ipv6:[::1]:5"}) {
    EXPECT_TRUE(IsLocalAddress(local)) << local;
  }
  for (const char* remote : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.com:1", "128.0.0.1:1",
                             "", ":80", "localhost.evil.example:1", "127.0.0.1.evil.example:1"}) {
    EXPECT_FALSE(IsLocalAddress(remote)) << remote;
  }
}

TEST(CredentialsTest, PlainTextMustBeAskedForAndStaysOnThisHost) {
  EXPECT_FALSE(MakeServerCredentials({}, "127.0.0.1:1").ok());
  EXPECT_TRUE(MakeServerCredentials({.plaintext = true}, "127.0.0.1:1").ok());
  EXPECT_FALSE(MakeServerCredentials({.plaintext = true}, "0.0.0.0:1").ok());
  EXPECT_FALSE(MakeChannelCredentials({.plaintext = true}, "10.0.0.1:1").ok());
  EXPECT_TRUE(
      MakeServerCredentials({.plaintext = true, .plaintext_beyond_loopback = true}, "0.0.0.0:1")
          .ok());
}

TEST(CredentialsTest, RefusesHalfAKeyPairAndMissingFiles) {
  EXPECT_FALSE(MakeServerCredentials({.cert = "/nonexistent"}, "127.0.0.1:1").ok());
  EXPECT_FALSE(
      MakeServerCredentials({.cert = "/nonexistent", .key = "/nonexistent"}, "127.0.0.1:1").ok());
  EXPECT_FALSE(
      MakeServerCredentials({.cert = "/c", .key = "/k", .client_auth = true}, "127.0.0.1:1").ok());
}

}  // namespace
}  // namespace sluice::wire
