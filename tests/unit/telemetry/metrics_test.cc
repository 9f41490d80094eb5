#include "telemetry/metrics.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/text.h"

namespace sluice::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsTest, ShowsCountersGaugesAndHistogramsAsPrometheusReadsThem) {
  Metrics metrics;
  metrics.AddCounter("sluice_messages_accepted_total", "Accepted.").Add(3);
  metrics.AddGauge("sluice_entries_waiting_count", "Waiting.").Set(-2);
  Histogram& latency = metrics.AddHistogram("sluice_commit_seconds", "Commit.", {0.1, 1});
  latency.Observe(std::chrono::milliseconds(50));
  latency.Observe(0.5);
  latency.Observe(7);

  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("# HELP sluice_messages_accepted_total Accepted.\n"));
  EXPECT_THAT(text, HasSubstr("sluice_messages_accepted_total 3\n"));
  EXPECT_THAT(text, HasSubstr("sluice_entries_waiting_count -2\n"));
  EXPECT_THAT(text, HasSubstr("sluice_commit_seconds_bucket{le=\"0.1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("sluice_commit_seconds_bucket{le=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("sluice_commit_seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("sluice_commit_seconds_sum 7.55"));
}

TEST(MetricsTest, LabelsKeepTheirOrder) {
  Metrics metrics;
  auto& attempts = metrics.AddCounters("sluice_attempts_total", "Attempts.",
                                       {Label::kProvider, Label::kDisposition});
  attempts.With({"google", "delivered"}).Add(2);
  attempts.With({"google", "delivered"}).Add();
  EXPECT_THAT(
      metrics.Text(),
      HasSubstr("sluice_attempts_total{provider=\"google\",disposition=\"delivered\"} 3\n"));
}

TEST(MetricsTest, SeriesBeyondTheBoundShareOne) {
  Metrics metrics;
  auto& tenants =
      metrics.AddCounters("sluice_submissions_total", "Submissions.", {Label::kTenant}, 2);
  for (const char* tenant : {"a", "b", "c", "d", "a"}) tenants.With({tenant}).Add();
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("{tenant=\"a\"} 2"));
  EXPECT_THAT(text, HasSubstr("{tenant=\"other\"} 2"));
  EXPECT_THAT(text, Not(HasSubstr("tenant=\"c\"")));
}

TEST(MetricsTest, ThreadsLoseNoIncrement) {
  Metrics metrics;
  Counter& counter = metrics.AddCounter("sluice_things_total", "Things.");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) counter.Add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), 40'000);
}

TEST(MetricsTest, ComputedOnesAreReadAtTheScrape) {
  Metrics metrics;
  double now = 1;
  metrics.AddComputed("sluice_index_bytes_count", "Index.", [&] { return now; });
  now = 5;
  EXPECT_THAT(metrics.Text(), HasSubstr("sluice_index_bytes_count 5\n"));
  metrics.AddProcess("1.2.3");
  EXPECT_THAT(metrics.Text(), HasSubstr("sluice_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("sluice_process_memory_bytes_count 0\n")));
}

TEST(MetricsDeathTest, RefusesNamesThatBreakTheRules) {
  Metrics metrics;
  EXPECT_DEATH(metrics.AddCounter("messages_total", ""), "IsMetricName");
  EXPECT_DEATH(metrics.AddCounter("sluice_messages_count", ""), "IsMetricName");
  EXPECT_DEATH(metrics.AddGauge("sluice_Queue_count", ""), "IsMetricName");
  metrics.AddCounter("sluice_a_total", "");
  EXPECT_DEATH(metrics.AddCounter("sluice_a_total", ""), "name");
}

std::string HttpGet(int port, std::string_view path) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  const std::string request = Cat("GET ", path, " HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(::write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char part[4096];
  for (ssize_t n = 0; (n = ::read(fd, part, sizeof(part))) > 0;)
    answer.append(part, static_cast<size_t>(n));
  ::close(fd);
  return answer;
}

TEST(MetricsExposerTest, AnswersAScrape) {
  Metrics metrics;
  metrics.AddCounter("sluice_messages_accepted_total", "Accepted.").Add(7);
  auto exposer = MetricsExposer::Start("127.0.0.1:0", metrics);
  ASSERT_TRUE(exposer.ok());
  const std::string answer = HttpGet((*exposer)->port(), "/metrics");
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("sluice_messages_accepted_total 7"));
}

TEST(MetricsExposerTest, AnAddressThatIsTakenIsAnErrorThatNamesIt) {
  Metrics metrics;
  auto first = MetricsExposer::Start("127.0.0.1:0", metrics);
  ASSERT_TRUE(first.ok());
  const std::string address = Cat("127.0.0.1:", (*first)->port());
  const auto second = MetricsExposer::Start(address, metrics);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(Cat(second.status().message()), HasSubstr(address));
}

}  // namespace
}  // namespace sluice::telemetry
