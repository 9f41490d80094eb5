#include "wire/service_main.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "base/text.h"

namespace sluice::wire {
namespace {

using ::testing::HasSubstr;

struct Result {
  int code;
  std::string out, err;
};

// One service with one key; what `run` saw of it is in `seen`.
Result Service(std::vector<const char*> arguments, const absl::Status& ends,
               std::string* seen = nullptr) {
  arguments.insert(arguments.begin(), "sluice-test");
  std::string listen = "127.0.0.1:1";
  Config config("test");
  config.Bind("listen", listen, "Where to listen.");
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const int code =
      RunService(static_cast<int>(arguments.size()), const_cast<char**>(arguments.data()),
                 "sluice-test", "A test.", config, [&](ShutdownSignal&) {
                   if (seen != nullptr) *seen = listen;
                   return ends;
                 });
  std::string err = ::testing::internal::GetCapturedStderr();
  return {code, ::testing::internal::GetCapturedStdout(), std::move(err)};
}

TEST(ServiceMainTest, RunsWithItsConfiguration) {
  const std::string file = Cat("/tmp/sluice_service_main_test_", ::getpid(), ".yaml");
  std::ofstream(file) << "listen: here\n";
  std::string seen;
  EXPECT_EQ(Service({"--config", file.c_str()}, absl::OkStatus(), &seen).code, 0);
  EXPECT_EQ(seen, "here");
  std::remove(file.c_str());
}

TEST(ServiceMainTest, AFailedStartIsOneLineAndExitOne) {
  const Result failed = Service({}, absl::UnavailableError("cannot listen on 'x'"));
  EXPECT_EQ(failed.code, 1);
  EXPECT_EQ(failed.err, "sluice-test: cannot listen on 'x'\n");
  const Result missing = Service({"--config", "/nonexistent"}, absl::OkStatus());
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.err, "sluice-test: cannot read the configuration file '/nonexistent'\n");
}

TEST(ServiceMainTest, HelpNamesEveryKeyAndVersionTheVersion) {
  const Result help = Service({"--help"}, absl::OkStatus());
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out, HasSubstr("listen (127.0.0.1:1)"));
  EXPECT_EQ(Service({"--version"}, absl::OkStatus()).out, Cat("sluice-test ", Version(), "\n"));
}

TEST(ServiceMainTest, AnUnknownOptionIsWrongUsage) {
  std::string seen;
  EXPECT_EQ(Service({"--fast"}, absl::OkStatus(), &seen).code, 2);
  EXPECT_EQ(seen, "");
}

}  // namespace
}  // namespace sluice::wire
