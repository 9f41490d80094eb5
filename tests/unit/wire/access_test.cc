// The authorisation matrix: every method of every service × every role, as it is meant to be.
#include "wire/access.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <map>

#include "base/text.h"
#include "sluice/v1/admin.pb.h"
#include "sluice/v1/dispatch.pb.h"
#include "sluice/v1/events.pb.h"
#include "sluice/v1/intake.pb.h"
#include "sluice/v1/submission.pb.h"

namespace sluice::wire {
namespace {

constexpr Role kAll[] = {Role::kViewer, Role::kOperator, Role::kAdmin, Role::kIngest, Role::kEgress};

std::vector<const google::protobuf::ServiceDescriptor*> Services() {
  std::vector<const google::protobuf::ServiceDescriptor*> out;
  for (const auto* file : {v1::Policy::descriptor()->file(), v1::GetStatusRequest::descriptor()->file(), v1::Hello::descriptor()->file(),
                           v1::SubscribeRequest::descriptor()->file(), v1::AcceptedBatch::descriptor()->file(),
                           v1::SubmitRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) out.push_back(file->service(i));
  }
  return out;
}

// The roles that may call it, in the order of kAll, joined by blanks.
std::string WhoMay(const std::string& path) {
  std::string who;
  for (const Role role : kAll) {
    if (Authorize(path, Identity{role, "x"}).ok()) Append(who, who.empty() ? "" : " ", ToString(role));
  }
  return who;
}

TEST(AccessTest, EveryMethodIsDecided) {
  for (const auto* service : Services()) {
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string path = Cat("/", service->full_name(), "/", service->method(i)->name());
      EXPECT_NE(WhoMay(path), "") << path << " has no row in wire/access.cc";
    }
  }
}

TEST(AccessTest, ReadingIsForEveryPersonChangingForOperatorsPolicyAndKeysForAdmins) {
  const std::map<std::string, std::string> expected = {
      {"GetPolicy", "viewer operator admin"},   {"ListConstraints", "viewer operator admin"},
      {"GetStatus", "viewer operator admin"},   {"ListSuppressions", "viewer operator admin"},
      {"Suspend", "operator admin"},            {"StartOperation", "operator admin"},
      {"UpdateWarmup", "operator admin"},       {"OverrideHealth", "operator admin"},
      {"ApplyPolicy", "admin"},                 {"CreateApiKey", "admin"},
      {"RevokeApiKey", "admin"},                {"LimitApiKey", "admin"},
  };
  for (const auto& [method, who] : expected) EXPECT_EQ(WhoMay("/sluice.v1.AdminService/" + method), who) << method;
}

TEST(AccessTest, NoMethodThatChangesSomethingIsAViewers) {
  for (const auto* service : Services()) {
    if (service->name() != "AdminService") continue;
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string name = service->method(i)->name();
      const bool reads = name.starts_with("Get") || name.starts_with("List") || name.starts_with("Explain") ||
                         name.starts_with("Summarize") || name.starts_with("Validate");
      const bool viewer = Authorize(Cat("/sluice.v1.AdminService/", name), Identity{Role::kViewer, "x"}).ok();
      EXPECT_TRUE(reads || !viewer) << name;
    }
  }
}

TEST(AccessTest, OurProcessesHaveTheirServiceAndNoOther) {
  EXPECT_EQ(WhoMay("/sluice.v1.DispatchService/Control"), "egress");
  EXPECT_EQ(WhoMay("/sluice.v1.DispatchService/Deliver"), "egress");
  EXPECT_EQ(WhoMay("/sluice.v1.IntakeService/Handoff"), "ingest");
  EXPECT_EQ(WhoMay("/sluice.v1.IntakeService/CancelEntries"), "ingest");
}

TEST(AccessTest, WithoutAnIdentityOnlyWhatGoesByOtherMeansIsOpen) {
  EXPECT_TRUE(Authorize("/grpc.health.v1.Health/Check", std::nullopt).ok());
  EXPECT_TRUE(Authorize("/sluice.v1.SubmissionService/Submit", std::nullopt).ok());
  EXPECT_FALSE(Authorize("/sluice.v1.AdminService/GetStatus", std::nullopt).ok());
  EXPECT_FALSE(Authorize("/sluice.v1.AdminService/Unheard", Identity{Role::kAdmin, "x"}).ok());
  EXPECT_FALSE(Authorize("", Identity{Role::kAdmin, "x"}).ok());
}

TEST(AccessTest, ADenialNamesTheRoleThatIsNeeded) {
  EXPECT_EQ(Authorize("/sluice.v1.AdminService/ApplyPolicy", Identity{Role::kViewer, "carol"}).message(),
            "sluice.v1.AdminService/ApplyPolicy needs the role 'admin'; 'viewer.carol' has another");
}

TEST(AccessTest, AnIdentityIsRoleAndHost) {
  const auto identity = IdentityOf({"localhost", "mta1.example.com", "egress.mta1.example.com"});
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->role, Role::kEgress);
  EXPECT_EQ(identity->host, "mta1.example.com");
  for (const char* name : {"egress", "egress.", ".egress", "Egress.mta1", "egressx.mta1", ""}) {
    EXPECT_FALSE(IdentityOf({name}).has_value()) << name;
  }
}

}  // namespace
}  // namespace sluice::wire
