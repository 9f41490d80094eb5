// A session on its socket: reads, writes, waits out pauses, shakes hands, closes. Owned and driven
// by one loop.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "rig/session.h"
#include "rig/transport.h"

namespace sluice::rig {

class Connection {
 public:
  // After the goodbye the client has this long to close, so that the last reply is not lost to an
  // RST.
  static constexpr Duration kLinger = std::chrono::seconds(2);
  static constexpr Duration kHandshakeTimeout = std::chrono::seconds(30);

  enum class Alive { kYes, kNo };

  Connection(int fd, SessionContext& context, Counters& counters, Peer peer, SSL_CTX* tls);
  ~Connection();

  // Each reads and writes what it can. kNo: delete the connection. `scratch` holds nothing between
  // calls.
  Alive Start(SteadyInstant steady, Instant now);
  Alive OnEvents(uint32_t events, std::span<char> scratch, SteadyInstant steady, Instant now);
  Alive OnTimer(std::span<char> scratch, SteadyInstant steady, Instant now);
  Alive OnIdle(SteadyInstant steady, Instant now);

  // For epoll.
  uint32_t wanted_events() const;
  // When OnTimer is wanted.
  std::optional<SteadyInstant> timer() const { return timer_; }
  SteadyInstant last_active() const { return last_active_; }
  int fd() const { return transport_.fd(); }

  uint32_t registered_events = 0;  // the loop's own note

 private:
  enum class State { kReading, kWriting, kPaused, kHandshaking, kLingering };

  Alive ReadAll(std::span<char> scratch);
  void Consume(std::string_view fresh);
  Alive Advance();
  bool Flush();
  Alive Discard(std::span<char> scratch);
  Alive ShakeHands(std::span<char> scratch);
  Alive GoOn(std::span<char> scratch);

  Transport transport_;
  Session session_;
  SSL_CTX* tls_;
  State state_ = State::kReading;
  Session::Step step_;
  std::string pending_;  // read but not yet taken: part of a line, or what came during a pause
  std::optional<SteadyInstant> timer_;
  SteadyInstant last_active_{};
  SteadyInstant steady_{};
  Instant now_{};
};

}  // namespace sluice::rig
