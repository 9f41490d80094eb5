// Sites, their hosts and the addresses behind them: who may use which connection, and how many there may be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/text.h"
#include "unit/egress/egress_rig.h"

namespace sluice::egress {
namespace {

AddressAnswer At(const std::string& address) {
  AddressAnswer answer;
  answer.status = DnsStatus::kOk;
  answer.addresses = {address};
  return answer;
}

TEST(SiteTest, NeverSendsMailToTheMxOfAnotherDomainOfTheSameSite) {
  EgressRig rig({.sink_script = {},
                 .hosts = {{"a.hosting.example", At("127.0.0.1")},
                           {"b.hosting.example", At("127.0.0.1")}}});
  rig.Begin({SourceAt("ip-11", "127.0.0.11")});
  v1::DeliverResponse batch;
  const auto host_of = [](uint64_t id) -> std::string { return id % 2 == 0 ? "a.hosting.example" : "b.hosting.example"; };
  for (uint64_t id = 1; id <= 60; ++id) AddMessage(batch, id, "ip-11", {host_of(id)});
  rig.scheduler().Send(batch);

  ASSERT_TRUE(rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() >= 60; }));
  for (const v1::AttemptReport& report : rig.scheduler().heard().reports) {
    EXPECT_EQ(report.attempt().mx_host(), host_of(report.queue_entry_id()));
  }
}

// How many attempts were under way at once, at most.
size_t MostAtOnce(const Heard& heard) {
  std::vector<std::pair<int64_t, int>> steps;
  for (const v1::AttemptReport& report : heard.reports) {
    steps.emplace_back(report.attempt().started_at_micros(), 1);
    steps.emplace_back(report.attempt().started_at_micros() + report.attempt().duration_micros(), -1);
  }
  std::sort(steps.begin(), steps.end());
  int now = 0, most = 0;
  for (const auto& [at, step] : steps) most = std::max(most, now += step);
  return static_cast<size_t>(most);
}

constexpr char kSlowDot[] = R"(
rules:
  - match: {}
    dot: {delay: 200ms, reply: "250 2.0.0 slow"}
)";

// Two customers of one provider, whose names lead to the same machine.
v1::DeliverResponse TwoCustomers(const std::string& provider) {
  v1::DeliverResponse batch;
  for (uint64_t id = 1; id <= 24; ++id) {
    const std::string host = id % 2 == 0 ? "a.mail.protection.outlook.com" : "b.mail.protection.outlook.com";
    AddMessage(batch, id, "ip-11", {host});
    v1::Release& release = *batch.mutable_releases(batch.releases_size() - 1);
    release.set_provider(provider);
    release.set_site(host);
  }
  return batch;
}

EgressRig::Settings TwoNamesOfOneMachine() {
  return {.sink_script = kSlowDot,
          .hosts = {{"a.mail.protection.outlook.com", At("127.0.0.1")}, {"b.mail.protection.outlook.com", At("127.0.0.1")}}};
}

TEST(PeerLimitTest, BoundsConnectionsToOneAddressOverAllSitesOfTheProvider) {
  EgressRig rig(TwoNamesOfOneMachine());
  rig.Begin({SourceAt("ip-11", "127.0.0.11")});
  rig.scheduler().Send(TwoCustomers("m365"));
  ASSERT_TRUE(rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() >= 24; }));
  const Heard heard = rig.scheduler().heard();
  EXPECT_EQ(heard.CountReports(v1::DISPOSITION_DELIVERED), 24U) << "those that wait are neither failed nor forgotten";
  EXPECT_LE(MostAtOnce(heard), 3U);
  for (const v1::AttemptReport& report : heard.reports) {
    EXPECT_EQ(report.attempt().mx_host()[0], report.queue_entry_id() % 2 == 0 ? 'a' : 'b');
  }
  EXPECT_LE(rig.sink().Total(rig::Count::kConnected), 12U) << "one that waits dials nobody";
}

TEST(PeerLimitTest, LeavesProvidersAloneThatDoNotCountSo) {
  EgressRig rig(TwoNamesOfOneMachine());
  rig.Begin({SourceAt("ip-11", "127.0.0.11")});
  rig.scheduler().Send(TwoCustomers("other"));
  ASSERT_TRUE(rig.scheduler().WaitUntil([](const Heard& heard) { return heard.reports.size() >= 24; }));
  EXPECT_GT(MostAtOnce(rig.scheduler().heard()), 3U);
}

}  // namespace
}  // namespace sluice::egress
