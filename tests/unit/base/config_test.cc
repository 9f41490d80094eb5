#include "base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Fields {
  std::string listen = "127.0.0.1:1";
  int64_t threads = 2;
  bool testing = false;
  Duration wait = std::chrono::seconds(5);
  std::vector<std::string> peers;
  std::string url;
};

absl::Status Load(Fields& fields, std::string_view yaml,
                  const Config::GetEnv& get_env = [](const char*) -> const char* { return nullptr; }) {
  Config config("ingest");
  config.Bind("listen", fields.listen, "");
  config.Bind("threads", fields.threads, 1, 64, "");
  config.Bind("testing", fields.testing, "");
  config.Bind("wait", fields.wait, "");
  config.Bind("peers", fields.peers, "");
  config.Bind("postgres.url", fields.url, "");
  return config.LoadText(yaml, "a.yaml", get_env);
}

TEST(ConfigTest, ReadsEveryKindOfField) {
  Fields f;
  ASSERT_TRUE(Load(f, "listen: h:2\nthreads: 4\ntesting: true\nwait: 2m\npeers: [a, b]\npostgres:\n  url: u\n").ok());
  EXPECT_EQ(f.listen, "h:2");
  EXPECT_EQ(f.threads, 4);
  EXPECT_TRUE(f.testing);
  EXPECT_EQ(f.wait, std::chrono::minutes(2));
  EXPECT_THAT(f.peers, ElementsAre("a", "b"));
  EXPECT_EQ(f.url, "u");
}

TEST(ConfigTest, NamesLineAndKeyOfWhatItRefuses) {
  Fields f;
  EXPECT_THAT(std::string(Load(f, "threads: 2\nlisten_on: x\n").message()), HasSubstr("a.yaml:2: unknown key 'listen_on'"));
  EXPECT_THAT(std::string(Load(f, "threads: 65\n").message()), HasSubstr("a.yaml:1: threads: '65' must be"));
  EXPECT_THAT(std::string(Load(f, "wait: 5\n").message()), HasSubstr("a.yaml:1: wait:"));
  EXPECT_THAT(std::string(Load(f, "testing: yes\n").message()), HasSubstr("true or false"));
  EXPECT_THAT(std::string(Load(f, "a: [\n").message()), HasSubstr("not valid YAML"));
  EXPECT_THAT(std::string(Load(f, "wait: 1s\nwait: 2s\n").message()), HasSubstr("stands twice"));
}

TEST(ConfigTest, TheEnvironmentOverridesTheFile) {
  Fields f;
  const auto env = [](const char* name) -> const char* {
    if (std::string_view(name) == "SLUICE_INGEST_POSTGRES_URL") return "from-env";
    if (std::string_view(name) == "SLUICE_INGEST_PEERS") return "x,y";
    return nullptr;
  };
  ASSERT_TRUE(Load(f, "postgres: {url: from-file}\n", env).ok());
  EXPECT_EQ(f.url, "from-env");
  EXPECT_THAT(f.peers, ElementsAre("x", "y"));
}

}  // namespace
}  // namespace sluice
