// Plays every file of cases/ as a test of its own name.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <asio/io_context.hpp>

#include "dialogs/client.h"
#include "dialogs/dialog.h"
#include "dialogs/fake_server.h"
#include "net/spawn.h"

namespace sluice::dialogs {
namespace {

std::vector<std::string> CaseFiles() {
  std::vector<std::string> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(SLUICE_SOURCE_DIR "/tests/dialogs/cases")) {
    if (entry.path().extension() == ".dialog") {
      files.push_back(entry.path().string());
    }
  }
  std::ranges::sort(files);
  return files;
}

asio::awaitable<void> RunClient(Client& client, std::vector<Line> lines, std::string& fault,
                                bool& is_done) {
  fault = co_await client.Run(std::move(lines));
  is_done = true;
}

class DialogTest : public testing::TestWithParam<std::string> {};

TEST_P(DialogTest, Plays) {
  const auto dialog = ReadDialog(GetParam());
  ASSERT_TRUE(dialog.ok()) << dialog.status();
  const auto tls = TlsContext::CreateClient();
  ASSERT_TRUE(tls.ok()) << tls.status();

  asio::io_context io;
  FakeServer server(io, dialog->connections);
  Client client(server, **tls);
  std::string fault;
  bool is_done = false;
  Spawn(io.get_executor(), RunClient(client, dialog->client, fault, is_done), "client");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!(is_done && (server.is_done() || !fault.empty())) && io.run_one_until(until) > 0) {
  }

  EXPECT_EQ(fault, "") << client.trace();
  EXPECT_EQ(server.fault(), "") << client.trace();
  EXPECT_TRUE(is_done) << "the client hangs\n" << client.trace();
  EXPECT_TRUE(server.is_done()) << "the server hangs\n" << client.trace();
}

std::string NameOf(const testing::TestParamInfo<std::string>& file) {
  std::string name = std::filesystem::path(file.param).stem().string();
  std::ranges::replace_if(
      name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Cases, DialogTest, testing::ValuesIn(CaseFiles()), NameOf);

TEST(DialogCasesTest, AreThere) { EXPECT_GE(CaseFiles().size(), 35U); }

}  // namespace
}  // namespace sluice::dialogs
