#include "rig/sink_loop.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/check.h"

namespace sluice::rig {
namespace {

// Ids below this are listeners (their index) and the wake-up.
constexpr uint64_t kFirstConnection = 1 << 20;
constexpr uint64_t kWakeId = kFirstConnection - 1;
constexpr int kMaxAccepts = 64;
constexpr Duration kIdleScan = std::chrono::seconds(1);

void Watch(int epoll, int fd, uint64_t id, uint32_t events, int operation = EPOLL_CTL_ADD) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  SLUICE_CHECK(epoll_ctl(epoll, operation, fd, &event) == 0);
}

// Ids differ between loops, so that a file name made of one is used once.
uint64_t FirstId() {
  static std::atomic<uint64_t> loops{0};
  return kFirstConnection + (loops.fetch_add(1) << 40);
}

}  // namespace

SinkLoop::SinkLoop(LoopOptions options, SessionContext context, const Clock& clock, SSL_CTX* tls)
    : options_(options),
      context_(std::move(context)),
      clock_(clock),
      tls_(tls),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      scratch_(kScratchBytes),
      next_id_(FirstId()) {
  SLUICE_CHECK(epoll_ >= 0 && wake_ >= 0);
  Watch(epoll_, wake_, kWakeId, EPOLLIN);
}

SinkLoop::~SinkLoop() {
  connections_.clear();
  for (const int fd : listeners_) ::close(fd);
  ::close(wake_);
  ::close(epoll_);
}

void SinkLoop::AddListener(int fd) {
  SLUICE_CHECK(listeners_.size() < kWakeId);
  Watch(epoll_, fd, listeners_.size(), EPOLLIN);
  listeners_.push_back(fd);
}

void SinkLoop::Stop() {
  stop_.store(true);
  eventfd_write(wake_, 1);
}

void SinkLoop::SetScript(std::shared_ptr<const Script> script) {
  const std::lock_guard lock(script_mutex_);
  next_script_ = std::move(script);
  eventfd_write(wake_, 1);
}

void SinkLoop::TakeScript() {
  eventfd_t ignored = 0;
  eventfd_read(wake_, &ignored);
  const std::lock_guard lock(script_mutex_);
  if (next_script_) context_.script = std::move(next_script_);
  next_script_ = nullptr;
}

int SinkLoop::WaitMilliseconds() const {
  SteadyInstant until = next_tick_;
  if (!timers_.empty()) until = std::min(until, timers_.top().at);
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(until - clock_.Steady());
  return static_cast<int>(std::max<int64_t>(0, wait.count()));
}

void SinkLoop::Run() {
  std::array<epoll_event, 256> events;
  while (!stop_.load(std::memory_order_relaxed)) {
    const int count =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), WaitMilliseconds());
    SLUICE_CHECK(count >= 0 || errno == EINTR);
    steady_ = clock_.Steady();
    for (int i = 0; i < count; ++i)
      OnEvent(events[static_cast<size_t>(i)].data.u64, events[static_cast<size_t>(i)].events);
    RunTimers();
    if (steady_ >= next_tick_) Tick();
  }
  connections_.clear();
  if (context_.log) context_.log->Flush();
}

void SinkLoop::OnEvent(uint64_t id, uint32_t events) {
  if (id == kWakeId) return TakeScript();
  if (id < kFirstConnection) return Accept(listeners_[static_cast<size_t>(id)]);
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  Tended(id, connection, connection.OnEvents(events, scratch_, steady_, clock_.Now()));
}

void SinkLoop::Tended(uint64_t id, Connection& connection, Connection::Alive alive) {
  if (alive == Connection::Alive::kNo) {
    connections_.erase(id);
    open_.store(connections_.size(), std::memory_order_relaxed);
    return;
  }
  Register(id, connection);
}

void SinkLoop::Register(uint64_t id, Connection& connection) {
  const uint32_t wanted = connection.wanted_events();
  if (wanted != connection.registered_events)
    Watch(epoll_, connection.fd(), id, wanted, EPOLL_CTL_MOD);
  connection.registered_events = wanted;
  if (connection.timer()) timers_.push({*connection.timer(), id});
}

void SinkLoop::Accept(int listener) {
  for (int i = 0; i < kMaxAccepts; ++i) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    const int fd = accept4(listener, reinterpret_cast<sockaddr*>(&storage), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Open(fd, SocketAddress::Of(storage));
    } else if (errno == EMFILE || errno == ENFILE) {
      // Without this the level-triggered listener would spin; Tick listens again.
      for (size_t l = 0; l < listeners_.size(); ++l)
        Watch(epoll_, listeners_[l], l, 0, EPOLL_CTL_MOD);
      listeners_muted_ = true;
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

void SinkLoop::Open(int fd, const SocketAddress& source) {
  if (connections_.size() >= options_.max_connections) {
    constexpr std::string_view kFull = "421 4.3.2 Too many connections\r\n";
    // Best effort: the client learns it from the close at the latest.
    if (::send(fd, kFull.data(), kFull.size(), MSG_NOSIGNAL) < 0) errno = 0;
    ::close(fd);
    return;
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const SocketAddress local = SocketAddress::Local(fd);
  const uint64_t id = next_id_++;
  Peer peer{.listener_ip = local.ip(),
            .listener_port = local.port(),
            .source_ip = source.ip(),
            .source_port = source.port(),
            .connection_id = id};
  Counters& counters = sources_.For(peer.source_ip);
  auto owned = std::make_unique<Connection>(fd, context_, counters, std::move(peer), tls_);
  Connection& connection = *owned;
  connections_.emplace(id, std::move(owned));
  open_.store(connections_.size(), std::memory_order_relaxed);
  most_open_.store(std::max<uint64_t>(most_open_, connections_.size()), std::memory_order_relaxed);
  const Connection::Alive alive = connection.Start(steady_, clock_.Now());
  if (alive == Connection::Alive::kYes) {
    connection.registered_events = connection.wanted_events();
    Watch(epoll_, fd, id, connection.registered_events);
  }
  Tended(id, connection, alive);
}

void SinkLoop::RunTimers() {
  while (!timers_.empty() && timers_.top().at <= steady_) {
    const Due due = timers_.top();
    timers_.pop();
    const auto found = connections_.find(due.id);
    // A timer set anew or given up since leaves its old mark behind.
    if (found == connections_.end() || found->second->timer() != due.at) continue;
    Connection& connection = *found->second;
    Tended(due.id, connection, connection.OnTimer(scratch_, steady_, clock_.Now()));
  }
}

void SinkLoop::Tick() {
  next_tick_ = steady_ + kTick;
  if (context_.log) {
    context_.log->Flush();
    lines_lost_.store(context_.log->lines_lost(), std::memory_order_relaxed);
  }
  if (listeners_muted_) {
    for (size_t l = 0; l < listeners_.size(); ++l)
      Watch(epoll_, listeners_[l], l, EPOLLIN, EPOLL_CTL_MOD);
    listeners_muted_ = false;
  }
  if (steady_ < next_idle_scan_) return;
  next_idle_scan_ = steady_ + kIdleScan;
  std::vector<uint64_t> idle;
  for (const auto& [id, connection] : connections_) {
    if (steady_ - connection->last_active() >= options_.idle_timeout && !connection->timer())
      idle.push_back(id);
  }
  for (const uint64_t id : idle) {
    Connection& connection = *connections_.at(id);
    Tended(id, connection, connection.OnIdle(steady_, clock_.Now()));
  }
}

}  // namespace sluice::rig
