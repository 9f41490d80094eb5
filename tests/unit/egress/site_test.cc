// Sites, their hosts and the addresses behind them: who may use which connection, and how many there may be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace sluice::egress
