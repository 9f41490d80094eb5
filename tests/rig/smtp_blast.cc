// smtp-blast: mail into an SMTP server as fast as it takes it, to measure the sink or another MTA.
// Kept connections, each with a number of transactions under way: with BDAT every one is a single
// write; with DATA (RFC 2920: the last of its group) the content follows the 354, and one is under
// way. One thread.
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <iostream>
#include <optional>
#include <random>

#include "base/clock.h"
#include "base/status.h"
#include "base/text.h"
#include "rig/address.h"
#include "rig/latency.h"
#include "rig/load_message.h"

namespace sluice::rig {
namespace {

struct Options {
  std::string target;
  uint64_t messages = 200'000, connections = 20, depth = 1, size = 10'240;
  std::string corpus, from = "a@shop.example";
  bool data = false, tokens = false;
};

struct Client {
  int fd = -1;
  std::string content;      // of the transaction under way, to follow the 354
  SteadyInstant begun{};    // that transaction, at MAIL
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
  // `maker` null: the same lines in every message.
  Blast(const Options& options, const MessageMaker* maker)
      : options_(options), maker_(maker), body_(Body(options.size)), epoll_(epoll_create1(0)) {}

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
  const LatencyHistogram& accepted() const { return accepted_; }

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

  void MakeContent(uint64_t number, std::string& out) {
    if (maker_ != nullptr) return maker_->Content({number, clock_.Now()}, out);
    out.clear();
    if (options_.tokens) Append(out, "X-Rig-Token: ", MakeToken(clock_.Now(), number), "\r\n");
    out += body_;
  }

  void AppendTransaction(Client& client) {
    const uint64_t number = started_++;
    client.begun = clock_.Steady();
    MakeContent(number, client.content);
    Append(client.output, "MAIL FROM:<", options_.from, ">\r\nRCPT TO:<u", number, "@d",
           number % 100, ".d.test>\r\n");
    if (options_.data) {
      client.output += "DATA\r\n";
    } else {
      Append(client.output, "BDAT ", client.content.size(), " LAST\r\n", client.content);
    }
  }

  absl::Status Fill(Client& client) {
    while (client.unanswered < options_.depth && started_ < options_.messages) {
      AppendTransaction(client);
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
            Cat("the server said ", client.reply.substr(at, end - at)));
      }
      ++client.replies;
      if (options_.data && client.replies == 3) Append(client.output, client.content, ".\r\n");
      if (client.replies < (options_.data ? 4 : 3)) continue;
      client.replies = 0;
      --client.unanswered;
      ++answered_;
      if (options_.depth == 1) accepted_.Add(clock_.Steady() - client.begun);
    }
    client.reply.erase(0, at);
    return absl::OkStatus();
  }

  const Options& options_;
  const MessageMaker* const maker_;
  const std::string body_;
  LatencyHistogram accepted_;  // MAIL to the last reply; of one at a time
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

absl::Status Measure(const Options& options) {
  std::optional<MessageMaker> maker;
  if (!options.corpus.empty()) {
    ASSIGN_OR_RETURN(Corpus corpus, ReadCorpus(options.corpus));
    const MessageShape shape{
        .size = options.size, .domain_suffix = ".d.test", .from = options.from};
    ASSIGN_OR_RETURN(maker, MessageMaker::Make(shape, std::random_device()(), std::move(corpus)));
  }
  const SystemClock clock;
  const auto start = clock.Steady();
  const double cpu = CpuMicros();
  Blast blast(options, maker ? &*maker : nullptr);
  RETURN_IF_ERROR(blast.Run());
  const double seconds = static_cast<double>((clock.Steady() - start).count()) / 1e6;
  const auto messages = static_cast<double>(options.messages);
  std::cout << "{\"messages_per_s\": " << static_cast<uint64_t>(messages / seconds)
            << ", \"client_cpu_us_per_message\": " << (CpuMicros() - cpu) / messages;
  if (blast.accepted().count() > 0) {
    std::cout << ", \"submit_p50_us\": " << blast.accepted().Percentile(0.5).count()
              << ", \"submit_p99_us\": " << blast.accepted().Percentile(0.99).count();
  }
  std::cout << "}" << std::endl;
  return absl::OkStatus();
}

}  // namespace
}  // namespace sluice::rig

int main(int argc, char** argv) {
  sluice::rig::Options options;
  CLI::App app{"Sends mail to an SMTP server as fast as it takes it, to measure that server.",
               "smtp-blast"};
  app.add_option("--target", options.target, "ADDR:PORT")->required();
  app.add_option("--messages", options.messages)->capture_default_str();
  app.add_option("--connections", options.connections)
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  auto* depth = app.add_option("--depth", options.depth, "transactions under way on a connection")
                    ->check(CLI::Range(1, 100));
  app.add_option("--size", options.size, "bytes of content")->check(CLI::Range(512, 100'000'000));
  app.add_flag("--data", options.data, "DATA in place of BDAT")->excludes(depth);
  app.add_flag("--tokens", options.tokens, "a token in every message");
  app.add_option("--corpus", options.corpus,
                 "directory of *.eml: messages as sluice-load makes them");
  app.add_option("--from", options.from, "return path")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = sluice::rig::Measure(options);
  if (status.ok()) return 0;
  std::cerr << "smtp-blast: " << sluice::View(status.message()) << std::endl;
  return 1;
}
