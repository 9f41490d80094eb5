// The resolver against a real name server. Skipped, loudly, without knotd; with
// SLUICE_REQUIRE_ALL=1 that fails.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <map>
#include <thread>
#include <vector>

#include "base/text.h"
#include "net/dns.h"
#include "unit/net/knot_server.h"

namespace sluice {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const char* const kZone = R"(
many     MX 20 c.many
many     MX 10 b.many
many     MX 10 a.many
a.many   A 192.0.2.1
b.many   A 192.0.2.2
b.many   A 192.0.2.3
b.many   AAAA 2001:db8::2
only-a   A 192.0.2.7
only-aaaa AAAA 2001:db8::7
null     MX 0 .
mixed    MX 10 192.0.2.1.
mixed    MX 20 a.many
numeric  MX 10 192.0.2.1.
to-alias MX 10 alias
alias    CNAME b.many
domain-alias CNAME many
dangling CNAME nowhere
text     TXT "only a text"
short    60 MX 10 a.many
*.wild   MX 10 a.many
)";

std::string FortyHosts() {
  std::string lines;
  for (int i = 40; i > 0; --i) {
    Append(lines, "forty MX ", i, " h", i, ".forty\n");
  }
  return lines;
}

class ResolverTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = KnotServer::Start({{"mail.test.", kZone + FortyHosts()}});
    if (started.ok()) {
      knot_ = std::move(*started).release();
    } else {
      why_not_ = View(started.status().message());
    }
  }
  static void TearDownTestSuite() { delete std::exchange(knot_, nullptr); }

  void SetUp() override {
    if (knot_ == nullptr && std::getenv("SLUICE_REQUIRE_ALL") == nullptr) {
      GTEST_SKIP() << why_not_;
    }
    ASSERT_NE(knot_, nullptr) << why_not_;
    resolver_ = MakeResolver({knot_->forwarder()});
  }

  std::unique_ptr<Resolver> MakeResolver(std::vector<std::string> forwarders,
                                         Duration timeout = std::chrono::seconds(10),
                                         size_t max_pending = 100) {
    ResolverOptions options;
    options.forwarders = std::move(forwarders);
    options.timeout = timeout;
    options.max_pending = max_pending;
    auto resolver = CreateResolver(options, clock_);
    EXPECT_TRUE(resolver.ok()) << resolver.status();
    return *std::move(resolver);
  }

  static MxAnswer Mx(Resolver& resolver, std::string_view domain) {
    std::promise<MxAnswer> promise;
    resolver.ResolveMx(domain, [&promise](const MxAnswer& answer) { promise.set_value(answer); });
    return Await(promise);
  }
  MxAnswer Mx(std::string_view domain) { return Mx(*resolver_, domain); }

  AddressAnswer Addresses(std::string_view host, AddressFamily family = AddressFamily::kIpv4First) {
    std::promise<AddressAnswer> promise;
    resolver_->ResolveAddresses(
        host, family, [&promise](const AddressAnswer& answer) { promise.set_value(answer); });
    return Await(promise);
  }

  template <class T>
  static T Await(std::promise<T>& promise) {
    auto future = promise.get_future();
    if (future.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
      ADD_FAILURE() << "no answer at all";
      std::abort();
    }
    return future.get();
  }

  static KnotServer* knot_;
  static std::string why_not_;
  FakeClock clock_;
  std::unique_ptr<Resolver> resolver_;
};
KnotServer* ResolverTest::knot_ = nullptr;
std::string ResolverTest::why_not_;

std::vector<std::string> Names(const MxAnswer& answer) {
  std::vector<std::string> names;
  for (const MxHost& host : answer.hosts) {
    names.push_back(Cat(host.preference, " ", host.name));
  }
  return names;
}

TEST_F(ResolverTest, SortsMxHostsByPreference) {
  const MxAnswer answer = Mx("Many.Mail.TEST.");
  EXPECT_EQ(answer.status, DnsStatus::kOk);
  EXPECT_EQ(answer.kind, MxKind::kMx);
  EXPECT_THAT(Names(answer),
              ElementsAre("10 a.many.mail.test", "10 b.many.mail.test", "20 c.many.mail.test"));
  EXPECT_EQ(answer.ttl, std::chrono::seconds(300));
}

TEST_F(ResolverTest, TakesTheDomainItselfWhenThereIsNoMx) {
  const MxAnswer answer = Mx("only-a.mail.test");
  EXPECT_EQ(answer.status, DnsStatus::kOk);
  EXPECT_EQ(answer.kind, MxKind::kImplicit);
  EXPECT_THAT(Names(answer), ElementsAre("0 only-a.mail.test"));
  EXPECT_EQ(Mx("text.mail.test").kind, MxKind::kImplicit);
  EXPECT_EQ(Addresses("text.mail.test").status, DnsStatus::kNoData);
}

TEST_F(ResolverTest, KnowsTheNullMx) {
  const MxAnswer answer = Mx("null.mail.test");
  EXPECT_EQ(answer.status, DnsStatus::kOk);
  EXPECT_EQ(answer.kind, MxKind::kNull);
  EXPECT_TRUE(answer.hosts.empty());
}

TEST_F(ResolverTest, TellsNxdomainFromNoDataFromFailure) {
  EXPECT_EQ(Mx("nowhere.mail.test").status, DnsStatus::kNxDomain);
  EXPECT_EQ(Addresses("nowhere.mail.test").status, DnsStatus::kNxDomain);
  EXPECT_EQ(Addresses("many.mail.test").status, DnsStatus::kNoData);
  EXPECT_EQ(Mx("not-served.example").status, DnsStatus::kTempFail);
  EXPECT_EQ(Mx("bad name.example").status, DnsStatus::kNxDomain);
}

TEST_F(ResolverTest, PassesOverMxTargetsThatAreAddresses) {
  EXPECT_THAT(Names(Mx("mixed.mail.test")), ElementsAre("20 a.many.mail.test"));
  EXPECT_EQ(Mx("numeric.mail.test").kind, MxKind::kUnusable);
  EXPECT_EQ(Addresses("192.0.2.1").status, DnsStatus::kNoData);
}

TEST_F(ResolverTest, FollowsAliasesAndSaysSo) {
  const AddressAnswer target = Addresses("alias.mail.test", AddressFamily::kIpv4Only);
  EXPECT_EQ(target.status, DnsStatus::kOk);
  EXPECT_TRUE(target.is_alias);
  EXPECT_THAT(target.addresses, testing::UnorderedElementsAre("192.0.2.2", "192.0.2.3"));
  EXPECT_FALSE(Addresses("b.many.mail.test").is_alias);
  EXPECT_EQ(Mx("domain-alias.mail.test").hosts.size(), 3U);
  EXPECT_EQ(Addresses("dangling.mail.test").status, DnsStatus::kNxDomain);
}

TEST_F(ResolverTest, OrdersFamiliesAsAsked) {
  const auto v4_first = Addresses("b.many.mail.test", AddressFamily::kIpv4First).addresses;
  ASSERT_EQ(v4_first.size(), 3U);
  EXPECT_EQ(v4_first.back(), "2001:db8::2");
  EXPECT_EQ(Addresses("b.many.mail.test", AddressFamily::kIpv6First).addresses.front(),
            "2001:db8::2");
  EXPECT_THAT(Addresses("b.many.mail.test", AddressFamily::kIpv6Only).addresses,
              ElementsAre("2001:db8::2"));
  EXPECT_THAT(Addresses("only-aaaa.mail.test").addresses, ElementsAre("2001:db8::7"));
  EXPECT_EQ(Addresses("only-aaaa.mail.test", AddressFamily::kIpv4Only).status, DnsStatus::kNoData);
}

TEST_F(ResolverTest, LetsTheAddressesOfAHostTakeTurns) {
  std::map<std::string, int> firsts;
  for (int i = 0; i < 10; ++i) {
    ++firsts[Addresses("b.many.mail.test", AddressFamily::kIpv4Only).addresses.front()];
  }
  EXPECT_EQ(firsts, (std::map<std::string, int>{{"192.0.2.2", 5}, {"192.0.2.3", 5}}));
}

TEST_F(ResolverTest, KeepsTheThirtyBestHosts) {
  const MxAnswer answer = Mx("forty.mail.test");
  ASSERT_EQ(answer.hosts.size(), kMaxMxHosts);
  EXPECT_EQ(answer.hosts.front().preference, 1);
  EXPECT_EQ(answer.hosts.back().preference, 30);
}

TEST_F(ResolverTest, AnswersFromTheCacheAtOnceUntilTheTtlIsOver) {
  Mx("short.mail.test");
  clock_.Advance(std::chrono::seconds(20));
  bool was_called = false;
  resolver_->ResolveMx("short.mail.test", [&was_called](const MxAnswer& answer) {
    was_called = true;
    EXPECT_EQ(answer.ttl, std::chrono::seconds(40));
  });
  EXPECT_TRUE(was_called) << "a cached answer comes before the call returns";
  clock_.Advance(std::chrono::seconds(41));
  std::promise<std::thread::id> answered;
  resolver_->ResolveMx("short.mail.test", [&answered](const MxAnswer&) {
    answered.set_value(std::this_thread::get_id());
  });
  EXPECT_NE(Await(answered), std::this_thread::get_id()) << "asked again";
}

TEST_F(ResolverTest, AnswersFromTheCacheWhileDnsIsDownAndDefersTheRest) {
  auto knot = KnotServer::Start({{"gone.test.", "a MX 10 b\nb A 192.0.2.1\n"}});
  ASSERT_TRUE(knot.ok()) << knot.status();
  const auto resolver = MakeResolver({(*knot)->forwarder()}, std::chrono::milliseconds(500));
  EXPECT_EQ(Mx(*resolver, "a.gone.test").status, DnsStatus::kOk);
  (*knot)->Stop();
  EXPECT_EQ(Mx(*resolver, "a.gone.test").status, DnsStatus::kOk);
  EXPECT_EQ(Mx(*resolver, "b.gone.test").status, DnsStatus::kTempFail);
}

TEST_F(ResolverTest, AsksManyAtOnceFromManyThreads) {
  constexpr int kThreads = 4, kEach = 200;
  std::vector<std::thread> threads;
  std::atomic<int> ok_count = 0, answer_count = 0;
  std::promise<void> all;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        resolver_->ResolveMx(
            Cat("n", (t * kEach + i) % 90, ".wild.mail.test"), [&](const MxAnswer& answer) {
              ok_count += answer.status == DnsStatus::kOk && answer.hosts.size() == 1 ? 1 : 0;
              if (++answer_count == kThreads * kEach) {
                all.set_value();
              }
            });
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  ASSERT_EQ(all.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
  EXPECT_EQ(ok_count, kThreads * kEach);
}

// A name server that never answers: a bound socket that nobody reads.
class SilentServer {
 public:
  SilentServer() : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address_;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address_), sizeof address_), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address_), &length), 0);
  }
  ~SilentServer() { ::close(fd_); }
  std::string forwarder() const { return Cat("127.0.0.1@", ntohs(address_.sin_port)); }

 private:
  int fd_;
  sockaddr_in address_{};
};

TEST_F(ResolverTest, GivesUpInBoundedTimeWhenNobodyAnswers) {
  const SilentServer silent;
  const auto resolver = MakeResolver({silent.forwarder()}, std::chrono::milliseconds(150));
  const auto begin = std::chrono::steady_clock::now();
  const MxAnswer answer = Mx(*resolver, "a.mail.test");
  EXPECT_EQ(answer.status, DnsStatus::kTempFail);
  EXPECT_THAT(answer.detail, HasSubstr("within 150ms"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(ResolverTest, RefusesMoreQuestionsThanItMayHaveUnderWay) {
  const SilentServer silent;
  const auto resolver = MakeResolver({silent.forwarder()}, std::chrono::seconds(20), 3);
  std::atomic<int> refused = 0;
  for (int i = 0; i < 5; ++i) {
    resolver->ResolveMx(Cat("d", i, ".mail.test"), [&refused](const MxAnswer&) { ++refused; });
  }
  EXPECT_EQ(refused, 2);
}

TEST_F(ResolverTest, AnswersWhatIsOpenWhenItIsDestroyed) {
  const SilentServer silent;
  auto resolver = MakeResolver({silent.forwarder()}, std::chrono::seconds(20));
  int failed = 0;
  for (int i = 0; i < 5; ++i) {
    resolver->ResolveAddresses(
        Cat("d", i, ".mail.test"), AddressFamily::kIpv4First,
        [&](const AddressAnswer& a) { failed += a.status == DnsStatus::kTempFail ? 1 : 0; });
  }
  resolver.reset();
  EXPECT_EQ(failed, 5);
}

TEST(ResolverOptionsTest, RefusesAForwarderThatIsNoAddress) {
  SystemClock clock;
  ResolverOptions options;
  options.forwarders = {"ns.example@53"};
  EXPECT_EQ(CreateResolver(options, clock).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sluice
