// smtp-blast: how fast the sink is, and nothing else. Kept connections, each with a number of
// transactions under way, every one in a single write (MAIL, RCPT and BDAT, or DATA with the
// content sent ahead). One thread.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <iostream>

#include "base/clock.h"
#include "base/status.h"
#include "base/text.h"
#include "rig/address.h"
#include "rig/latency.h"

namespace sluice::rig {
namespace {

struct Options {
  std::string target;
  uint64_t messages = 200'000, connections = 20, depth = 1, size = 10'240;
  bool data = false, tokens = false;
};

struct Client {
  int fd = -1;
  uint64_t unanswered = 0;  // transactions
  int replies = 0;          // of the oldest transaction, seen
  std::string reply;        // part of a line
  std::string output;
  size_t sent = 0;
};

std::string Body(uint64_t size) {
  std::string body;
  while (body.size() < size)
    Append(body, "A line of mail that is about as long as most lines are. ", body.size(), "\r\n");
  body.resize(size - 2);
  return body + "\r\n";
}

class Blast {
 public:
  explicit Blast(const Options& options)
      : options_(options), body_(Body(options.size)), epoll_(epoll_create1(0)) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(const SocketAddress target, SocketAddress::Parse(options_.target));
    clients_.resize(options_.connections);
    for (Client& client : clients_) RETURN_IF_ERROR(Connect(client, target));
    while (answered_ < options_.messages) {
      epoll_event events[128];
      const int count = epoll_wait(epoll_, events, 128, 10'000);
      if (count == 0) return absl::DeadlineExceededError("no reply for 10 s");
      for (int i = 0; i < count; ++i)
        RETURN_IF_ERROR(OnEvent(clients_[events[i].data.u64], events[i].events));
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Connect(Client& client, const SocketAddress& target) {
    client.fd = ::socket(target.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client.fd < 0 || ::connect(client.fd, target.data(), target.size()) != 0) {
      return absl::UnavailableError("cannot connect");
    }
    char greeting[512];
    if (::recv(client.fd, greeting, sizeof greeting, 0) <= 0)
      return absl::UnavailableError("no banner");
    const std::string_view hello = "EHLO blast.test\r\n";
    if (::send(client.fd, hello.data(), hello.size(), 0) < 0)
      return absl::UnavailableError("cannot say hello");
    std::string reply;
    while (reply.find("\r\n250 ") == std::string::npos) {
      const ssize_t n = ::recv(client.fd, greeting, sizeof greeting, 0);
      if (n <= 0) return absl::UnavailableError("no answer to EHLO");
      reply.append(greeting, static_cast<size_t>(n));
    }
    epoll_event event{.events = EPOLLIN,
                      .data = {.u64 = static_cast<uint64_t>(&client - clients_.data())}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd, &event);
    return Fill(client);
  }

  void AppendTransaction(std::string& out) {
    const uint64_t number = started_++;
    Append(out, "MAIL FROM:<a@shop.example>\r\nRCPT TO:<u", number, "@d", number % 100,
           ".test>\r\n");
    std::string token;
    if (options_.tokens) token = Cat("X-Rig-Token: ", MakeToken(clock_.Now(), number), "\r\n");
    if (options_.data) {
      Append(out, "DATA\r\n", token, body_, ".\r\n");
    } else {
      Append(out, "BDAT ", token.size() + body_.size(), " LAST\r\n", token, body_);
    }
  }

  absl::Status Fill(Client& client) {
    while (client.unanswered < options_.depth && started_ < options_.messages) {
      AppendTransaction(client.output);
      ++client.unanswered;
    }
    return Flush(client);
  }

  absl::Status Flush(Client& client) {
    while (client.sent < client.output.size()) {
      const ssize_t n = ::send(client.fd, client.output.data() + client.sent,
                               client.output.size() - client.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && errno != EAGAIN) return absl::UnavailableError("connection lost");
      if (n < 0) {
        Watch(client, EPOLLIN | EPOLLOUT);
        return absl::OkStatus();
      }
      client.sent += static_cast<size_t>(n);
    }
    client.output.clear();
    client.sent = 0;
    return absl::OkStatus();
  }

  void Watch(Client& client, uint32_t events) {
    epoll_event event{.events = events,
                      .data = {.u64 = static_cast<uint64_t>(&client - clients_.data())}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, client.fd, &event);
  }

  absl::Status OnEvent(Client& client, uint32_t events) {
    if ((events & EPOLLOUT) != 0) {
      Watch(client, EPOLLIN);
      RETURN_IF_ERROR(Flush(client));
    }
    if ((events & ~static_cast<uint32_t>(EPOLLOUT)) == 0) return absl::OkStatus();
    char replies[16 * 1024];
    const ssize_t n = ::recv(client.fd, replies, sizeof replies, MSG_DONTWAIT);
    if (n <= 0) return absl::UnavailableError("connection lost");
    client.reply.append(replies, static_cast<size_t>(n));
    RETURN_IF_ERROR(TakeReplies(client));
    return Fill(client);
  }

  absl::Status TakeReplies(Client& client) {
    size_t at = 0;
    for (size_t end; (end = client.reply.find('\n', at)) != std::string::npos; at = end + 1) {
      if (client.reply[at] != '2' && client.reply[at] != '3') {
        return absl::FailedPreconditionError(
            Cat("the sink said ", client.reply.substr(at, end - at)));
      }
      if (++client.replies < (options_.data ? 4 : 3)) continue;
      client.replies = 0;
      --client.unanswered;
      ++answered_;
    }
    client.reply.erase(0, at);
    return absl::OkStatus();
  }

  const Options& options_;
  const std::string body_;
  SystemClock clock_;
  int epoll_;
  std::vector<Client> clients_;
  uint64_t started_ = 0, answered_ = 0;
};

double CpuMicros() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

}  // namespace
}  // namespace sluice::rig

int main(int argc, char** argv) {
  sluice::rig::Options options;
  CLI::App app{"Sends mail to a sink as fast as it takes it, to measure the sink.", "smtp-blast"};
  app.add_option("--target", options.target, "ADDR:PORT")->required();
  app.add_option("--messages", options.messages)->capture_default_str();
  app.add_option("--connections", options.connections)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--depth", options.depth, "transactions under way on a connection")
      ->check(CLI::Range(1, 100));
  app.add_option("--size", options.size, "bytes of content")->check(CLI::Range(100, 100'000'000));
  app.add_flag("--data", options.data, "DATA in place of BDAT");
  app.add_flag("--tokens", options.tokens, "a token in every message");
  CLI11_PARSE(app, argc, argv);
  const sluice::SystemClock clock;
  const auto start = clock.Steady();
  const double cpu = sluice::rig::CpuMicros();
  const absl::Status status = sluice::rig::Blast(options).Run();
  const double seconds = static_cast<double>((clock.Steady() - start).count()) / 1e6;
  if (!status.ok()) {
    std::cerr << "smtp-blast: " << sluice::View(status.message()) << std::endl;
    return 1;
  }
  const auto messages = static_cast<double>(options.messages);
  std::cout << "{\"messages_per_s\": " << static_cast<uint64_t>(messages / seconds)
            << ", \"client_cpu_us_per_message\": " << (sluice::rig::CpuMicros() - cpu) / messages
            << "}" << std::endl;
  return 0;
}
