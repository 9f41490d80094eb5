#include "unit/net/knot_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/status.h"
#include "base/text.h"

extern char** environ;

namespace sluice {
namespace {

constexpr const char* kKnotd = "/usr/sbin/knotd";

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// Free for UDP and TCP a moment ago.
uint16_t FreePort() {
  for (int i = 0; i < 50; ++i) {
    const int udp = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int tcp = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = Loopback(0);
    socklen_t length = sizeof address;
    bool is_free = ::bind(udp, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                   ::getsockname(udp, reinterpret_cast<sockaddr*>(&address), &length) == 0 &&
                   ::bind(tcp, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(udp);
    ::close(tcp);
    if (is_free) {
      return ntohs(address.sin_port);
    }
  }
  return 0;
}

// SOA of `zone` ("a.test.").
std::string SoaQuery(const std::string& zone) {
  std::string query("\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12);
  for (size_t begin = 0; begin < zone.size();) {
    const size_t end = zone.find('.', begin);
    query += static_cast<char>(end - begin);
    query += zone.substr(begin, end - begin);
    begin = end + 1;
  }
  query.append("\x00\x00\x06\x00\x01", 5);
  return query;
}

// True when the server gives an authoritative answer without error.
bool Answers(uint16_t port, const std::string& query) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  std::array<unsigned char, 512> reply{};
  pollfd readable{fd, POLLIN, 0};
  const bool is_answered =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, query.data(), query.size(), 0) > 0 && ::poll(&readable, 1, 50) == 1 &&
      ::recv(fd, reply.data(), reply.size(), 0) > 12 && (reply[3] & 15) == 0 && reply[7] > 0;
  ::close(fd);
  return is_answered;
}

}  // namespace

absl::StatusOr<std::unique_ptr<KnotServer>> KnotServer::Start(const Zones& zones) {
  if (!std::filesystem::exists(kKnotd)) {
    return absl::NotFoundError("no knotd: install the package knot");
  }
  std::string directory = (std::filesystem::temp_directory_path() / "sluice_knot_XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) {
    return absl::InternalError("no temporary directory");
  }
  std::unique_ptr<KnotServer> server(new KnotServer(directory, FreePort()));
  RETURN_IF_ERROR(server->Launch(zones));
  for (const auto& [zone, lines] : zones) {
    RETURN_IF_ERROR(server->WaitUntilAnswering(zone));
  }
  return server;
}

absl::Status KnotServer::Launch(const Zones& zones) {
  std::ofstream config(directory_ + "/knot.conf");
  config << "server:\n  rundir: " << directory_ << "\n  listen: " << forwarder()
         << "\n  udp-workers: 1\n"
         << "  tcp-workers: 1\n  background-workers: 1\ndatabase:\n  storage: " << directory_
         << "\nzone:\n";
  for (const auto& [zone, lines] : zones) {
    const std::string file = directory_ + "/" + zone + "zone";
    config << "  - domain: " << zone << "\n    file: " << file << "\n";
    std::ofstream(file) << "$ORIGIN " << zone
                        << "\n$TTL 300\n@ SOA ns h 1 3600 600 86400 60\n@ NS ns\n"
                        << "ns A 127.0.0.1\n"
                        << lines;
  }
  config.close();
  const std::string path = directory_ + "/knot.conf";
  const std::string log = directory_ + "/log";
  std::array<const char*, 4> argv{kKnotd, "-c", path.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  const int error =
      ::posix_spawn(&pid_, kKnotd, &actions, nullptr, const_cast<char**>(argv.data()), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? absl::OkStatus() : absl::InternalError("cannot start knotd");
}

absl::Status KnotServer::WaitUntilAnswering(const std::string& zone) const {
  const std::string query = SoaQuery(zone);
  for (int i = 0; i < 300; ++i) {
    if (Answers(port_, query)) {
      return absl::OkStatus();
    }
    // A closed port answers at once: wait a little for the server to be there.
    ::poll(nullptr, 0, 20);
  }
  std::ifstream log(directory_ + "/log");
  const std::string text(std::istreambuf_iterator<char>(log), {});
  return absl::DeadlineExceededError(Cat("knotd does not answer for ", zone, "\n", text));
}

std::string KnotServer::forwarder() const { return Cat("127.0.0.1@", port_); }

void KnotServer::Stop() {
  if (pid_ > 0) {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
}

KnotServer::~KnotServer() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace sluice
