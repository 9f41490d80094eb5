#include "rig/sink_stats.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/text.h"

namespace sluice::rig {
namespace {

using Json = nlohmann::ordered_json;

uint64_t At(const CountValues& values, Count which) { return values[static_cast<size_t>(which)]; }

Json CountsJson(const CountValues& values) {
  Json json;
  for (size_t i = 0; i < kCountCount; ++i) json[std::string(kCountNames[i])] = values[i];
  const uint64_t settled = At(values, Count::kRepliedOk) + At(values, Count::kRefusedAfterDot) +
                           At(values, Count::kDroppedAfterDot);
  const uint64_t dots = At(values, Count::kDotReceived);
  // Counters are read one by one while they move: never below zero.
  json["past_dot_open"] = dots > settled ? dots - settled : 0;
  return json;
}

int64_t Micros(const timeval& time) { return int64_t{1'000'000} * time.tv_sec + time.tv_usec; }

Json ProcessJson() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {{"cpu_us", Micros(usage.ru_utime) + Micros(usage.ru_stime)},
          {"user_us", Micros(usage.ru_utime)},
          {"system_us", Micros(usage.ru_stime)},
          {"max_rss_kb", usage.ru_maxrss}};
}

Json TokensJson(const TokenLedger& tokens) {
  const TokenLedger::Totals totals = tokens.totals();
  return {{"acceptances", totals.acceptances}, {"distinct_accepted", totals.distinct},
          {"duplicated", totals.duplicated},   {"extra", totals.extra},
          {"unanswered", totals.unanswered},   {"untracked", totals.untracked}};
}

Json LatencyJson(const LatencyHistogram& latency) {
  return {{"count", latency.count()},
          {"p50_us", latency.Percentile(0.5).count()},
          {"p90_us", latency.Percentile(0.9).count()},
          {"p99_us", latency.Percentile(0.99).count()},
          {"max_us", latency.max().count()}};
}

absl::StatusOr<int> ListenUnix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError(Cat("'", path, "' is too long for a unix socket"));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  ::unlink(path.c_str());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(fd, 16) == 0) {
    return fd;
  }
  const int error = errno;
  if (fd >= 0) ::close(fd);
  return absl::UnavailableError(Cat("cannot listen on ", path, ": ", std::strerror(error)));
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

std::string StatsJson(const StatsSources& sources) {
  std::map<std::string, CountValues> by_source;
  uint64_t open = 0, most_open = 0;
  uint64_t lost = 0;
  for (const auto& loop : *sources.loops) {
    loop->sources().AddTo(by_source);
    open += loop->open_connections();
    most_open += loop->most_open_connections();
    lost += loop->lines_lost();
  }
  CountValues total{};
  Json sources_json = Json::object();
  for (const auto& [source, values] : by_source) {
    for (size_t i = 0; i < kCountCount; ++i) total[i] += values[i];
    sources_json[source] = CountsJson(values);
  }
  Json json{{"open_connections", open},
            {"most_open_connections", most_open},
            {"record_lines_lost", lost},
            {"total", CountsJson(total)},
            {"by_source", sources_json},
            {"process", ProcessJson()}};
  if (sources.tokens) json["tokens"] = TokensJson(*sources.tokens);
  if (sources.latency) json["latency"] = LatencyJson(*sources.latency);
  Json rules = Json::object();
  for (const Script::Use& use : sources.script()->Uses()) rules[use.name] = use.fired;
  json["rules"] = rules;
  return json.dump() + "\n";
}

std::string LatencyWindowJson(LatencyHistogram* latency) {
  if (latency == nullptr) return {};
  const Json json = LatencyJson(*latency);
  latency->Clear();
  return json.dump() + "\n";
}

std::string DuplicatesJson(const TokenLedger* tokens) {
  Json list = Json::array();
  if (tokens) {
    for (const Duplicate& duplicate : tokens->Duplicates()) {
      Json acceptances = Json::array();
      for (const Acceptance& a : duplicate.acceptances) {
        acceptances.push_back({{"t", static_cast<double>(ToMicros(a.at)) / 1e6},
                               {"src", a.source},
                               {"answered", a.answered}});
      }
      list.push_back({{"token", duplicate.token},
                      {"recipient", duplicate.recipient},
                      {"times", duplicate.times},
                      {"acceptances", acceptances}});
    }
  }
  return list.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

StatsServer::~StatsServer() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
  if (listener_ >= 0) ::close(listener_);
  if (!socket_path_.empty()) ::unlink(socket_path_.c_str());
}

absl::StatusOr<std::string> StatsServer::Start(const std::string& where) {
  std::string bound = where;
  if (where.find('/') != std::string::npos) {
    ASSIGN_OR_RETURN(listener_, ListenUnix(where));
    socket_path_ = where;
  } else {
    ASSIGN_OR_RETURN(const SocketAddress address, SocketAddress::Parse(where));
    ASSIGN_OR_RETURN(listener_, Listen(address, false));
    bound = SocketAddress::Local(listener_).ToString();
  }
  thread_ = std::thread([this] { Serve(); });
  return bound;
}

void StatsServer::Serve() {
  while (!stop_.load()) {
    pollfd wait{.fd = listener_, .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, 100) <= 0) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const timeval second{.tv_sec = 1, .tv_usec = 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
    ServeOne(fd);
    ::close(fd);
  }
}

void StatsServer::ServeOne(int fd) const {
  std::string request;
  char piece[1024];
  while (request.find("\r\n\r\n") == std::string::npos && request.size() < kMaxRequest) {
    const ssize_t n = ::recv(fd, piece, sizeof piece, 0);
    if (n <= 0) return;
    request.append(piece, static_cast<size_t>(n));
  }
  std::string_view path = request;
  path.remove_prefix(path.starts_with("GET ") ? 4 : path.size());
  const std::string body = answer_(path.substr(0, path.find_first_of(" ?\r")));
  const std::string_view status = body.empty() ? "404 Not Found" : "200 OK";
  SendAll(fd, Cat("HTTP/1.1 ", status, "\r\nContent-Type: application/json\r\nContent-Length: ",
                  body.size(), "\r\nConnection: close\r\n\r\n", body));
}

}  // namespace sluice::rig
