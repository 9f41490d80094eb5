#include "egress/dialer.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/text.h"

namespace sluice::egress {
namespace {

// "host:port" or "[host]:port"; both empty when it is neither.
std::pair<std::string, std::string> Split(const std::string& name) {
  const size_t colon = name.rfind(':');
  if (colon == std::string::npos || colon == 0) return {};
  std::string host = name.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return {std::move(host), name.substr(colon + 1)};
}

std::string TextOf(const sockaddr& address, std::string_view port) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.sa_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return Cat(text.data(), ":", port);
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  return Cat("[", text.data(), "]:", port);
}

}  // namespace

std::vector<DialTarget> LookUpTargets(const std::string& name) {
  if (name.starts_with("unix:") || name.starts_with("unix-abstract:")) return {{name, ""}};
  const auto [host, port] = Split(name);
  if (host.empty()) return {};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  std::vector<DialTarget> targets;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    targets.push_back({TextOf(*at->ai_addr, port), host});
  }
  return targets;
}

Dialer::Dialer(std::vector<std::string> names, LookUp look_up, Tell tell)
    : names_(std::move(names)),
      look_up_(std::move(look_up)),
      tell_(std::move(tell)),
      thread_([this] { Run(); }) {}

Dialer::~Dialer() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Dialer::Run() {
  std::vector<std::vector<DialTarget>> answers(names_.size());
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    std::vector<DialTarget> all;
    for (size_t i = 0; i < names_.size(); ++i) {
      std::vector<DialTarget> answer = look_up_(names_[i]);
      if (!answer.empty()) answers[i] = std::move(answer);
      all.insert(all.end(), answers[i].begin(), answers[i].end());
    }
    std::sort(all.begin(), all.end());
    const auto is_same = [](const DialTarget& a, const DialTarget& b) {
      return a.address == b.address;
    };
    all.erase(std::unique(all.begin(), all.end(), is_same), all.end());
    tell_(std::move(all));
    lock.lock();
    changed_.wait_for(lock, kInterval, [this] { return stop_; });
  }
}

}  // namespace sluice::egress
