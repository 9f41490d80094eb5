#include "wire/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "google/rpc/status.pb.h"

namespace sluice::wire {
namespace {

using ::testing::ElementsAre;

TEST(WireStatusTest, EveryCodeKeepsItsMeaning) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status ours(static_cast<absl::StatusCode>(code), code == 0 ? "" : "why");
    const grpc::Status theirs = ToGrpc(ours);
    EXPECT_EQ(static_cast<int>(theirs.error_code()), code);
    EXPECT_EQ(FromGrpc(theirs), ours);
  }
}

TEST(WireStatusTest, AnUnknownCodeOfAPeerIsUnknown) {
  google::rpc::Status proto;
  proto.set_code(99);
  EXPECT_EQ(FromProto(proto).code(), absl::StatusCode::kUnknown);
}

TEST(WireStatusTest, FieldViolationsNameFieldAndCure) {
  const absl::Status status =
      FieldViolations({{"return_path", "give an address"}, {"recipients[3].address", "no @"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(View(status.message()), "return_path: give an address; recipients[3].address: no @");
  EXPECT_THAT(FieldViolationsOf(FromGrpc(ToGrpc(status))),
              ElementsAre(FieldViolation{"return_path", "give an address"},
                          FieldViolation{"recipients[3].address", "no @"}));
}

TEST(WireStatusTest, RetryDelayAndReasonTravelTogether) {
  const absl::Status status = WithReason(
      Retry(absl::StatusCode::kUnavailable, "database away", std::chrono::milliseconds(1500)),
      {"NOT_ACTIVE", {{"endpoint", "10.0.0.1:7000"}}});
  const absl::Status back = FromGrpc(ToGrpc(status));
  EXPECT_EQ(back.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(RetryDelayOf(back), std::chrono::milliseconds(1500));
  EXPECT_EQ(ErrorReasonOf(back), (ErrorReason{"NOT_ACTIVE", {{"endpoint", "10.0.0.1:7000"}}}));
}

TEST(WireStatusTest, DetailsSurviveInsideAStream) {
  google::rpc::Status proto;
  ToProto(FieldError("stream", "unknown"), &proto);
  EXPECT_THAT(FieldViolationsOf(FromProto(proto)),
              ElementsAre(FieldViolation{"stream", "unknown"}));
}

TEST(WireStatusTest, GarbageInsteadOfDetailsIsNoDetails) {
  const absl::Status status =
      FromGrpc(grpc::Status(grpc::StatusCode::INTERNAL, "x", "\xff\xff\xff garbage"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(FieldViolationsOf(status).empty());
  EXPECT_FALSE(RetryDelayOf(status).has_value());
}

}  // namespace
}  // namespace sluice::wire
