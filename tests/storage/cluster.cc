#include "storage/cluster.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <pqxx/nontransaction>

#include "base/check.h"
#include "base/text.h"
#include "storage/migrate.h"

namespace sluice::storage {
namespace {

void ExecOn(const std::string& url, const std::string& sql) {
  pqxx::connection connection(url);
  pqxx::nontransaction(connection).exec(sql);
}

}  // namespace

Cluster* Cluster::Get() {
  static const std::unique_ptr<Cluster> cluster = [] {
    std::unique_ptr<Cluster> made(new Cluster);
    if (!made->Up()) made.reset();
    return made;
  }();
  return cluster.get();
}

bool Cluster::Up() {
  char path[] = "/tmp/sluice-storage-XXXXXX";
  SLUICE_CHECK(mkdtemp(path) != nullptr);
  directory_ = path;
  url_ = Run(Cat("up --set fsync=off --guard ", getpid()));
  if (url_.empty()) return false;
  url_ = url_.substr(0, url_.rfind(" dbname="));
  ExecOn(UrlOf("postgres"), "create database template_sluice");
  const absl::Status status =
      Migrate({.url = UrlOf("template_sluice")}, MigrateOptions{.shards = 16}, kNow);
  if (!status.ok()) std::fprintf(stderr, "migrate: %s\n", status.ToString().c_str());
  SLUICE_CHECK(status.ok());
  return true;
}

Cluster::~Cluster() { Run("down --mode immediate --remove"); }

std::string Cluster::Run(const std::string& arguments) {
  const std::string command = Cat("/usr/bin/python3 " SLUICE_SOURCE_DIR "/tests/rig/postgres.py ",
                                  arguments, " --dir ", directory_);
  std::FILE* pipe = popen(command.c_str(), "r");
  SLUICE_CHECK(pipe != nullptr);
  std::string out;
  std::array<char, 256> buffer;
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) out += buffer.data();
  if (pclose(pipe) != 0) return "";
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

std::string Cluster::UrlOf(const std::string& database) const {
  return Cat(url_, " dbname=", database);
}

ConnectionOptions Cluster::CreateDatabase() {
  const std::string name = Cat("test_", ++databases_);
  ExecOn(UrlOf("postgres"), Cat("create database ", name, " template template_sluice"));
  return {.url = UrlOf(name), .application_name = "storage_test"};
}

void Cluster::DropDatabase(const ConnectionOptions& options) {
  const std::string name = options.url.substr(options.url.rfind('=') + 1);
  ExecOn(UrlOf("postgres"), Cat("drop database ", name, " with (force)"));
}

void Cluster::Kill() { Run("kill"); }
void Cluster::Start() { Run("start"); }

void StorageTest::SetUp() {
  if (Cluster::Get() == nullptr) {
    const char* required = std::getenv("SLUICE_REQUIRE_POSTGRES");
    ASSERT_TRUE(required == nullptr) << "PostgreSQL is required and did not start";
    GTEST_SKIP() << "PostgreSQL did not start";
  }
  options_ = Cluster::Get()->CreateDatabase();
}

void StorageTest::TearDown() {
  session_.reset();
  if (!options_.url.empty()) Cluster::Get()->DropDatabase(options_);
}

std::string StorageTest::Query(const std::string& sql) {
  if (session_ == nullptr || !session_->is_open()) {
    auto opened = Session::Open(options_);
    SLUICE_CHECK(opened.ok());
    session_ = *std::move(opened);
  }
  const pqxx::result result = pqxx::nontransaction(session_->connection()).exec(sql);
  return result.empty() || result.columns() == 0 ? "" : result[0][0].c_str();
}

int64_t StorageTest::Count(const std::string& table_and_where) {
  return std::stoll(Query(Cat("select count(*) from ", table_and_where)));
}

void StorageTest::Exec(const std::string& sql) { Query(sql); }

}  // namespace sluice::storage
