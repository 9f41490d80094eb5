#include "rig/connection.h"

#include <sys/epoll.h>

namespace sluice::rig {

using Next = Session::Next;

Connection::Connection(int fd, SessionContext& context, Counters& counters, Peer peer, SSL_CTX* tls)
    : transport_(fd), session_(context, counters, std::move(peer)), tls_(tls) {}

Connection::~Connection() { session_.Ended(now_); }

uint32_t Connection::wanted_events() const {
  switch (state_) {
    case State::kReading:
    case State::kLingering:
      return EPOLLIN;
    case State::kWriting:
      return EPOLLOUT;
    case State::kHandshaking:
      return transport_.handshake_wants_write() ? EPOLLOUT : EPOLLIN;
    case State::kPaused:
      return 0;
  }
  return 0;
}

Connection::Alive Connection::Start(SteadyInstant steady, Instant now) {
  last_active_ = steady_ = steady;
  now_ = now;
  step_ = session_.Greet(now);
  return Advance();
}

Connection::Alive Connection::OnEvents(uint32_t events, std::span<char> scratch,
                                       SteadyInstant steady, Instant now) {
  last_active_ = steady_ = steady;
  now_ = now;
  // A reset or fully closed connection in a state that does not read would be reported for ever.
  const bool reads = state_ == State::kReading || state_ == State::kHandshaking;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0 && !reads) return Alive::kNo;
  switch (state_) {
    case State::kReading:
      return ReadAll(scratch);
    case State::kWriting:
      if (Advance() == Alive::kNo) return Alive::kNo;
      return GoOn(scratch);
    case State::kHandshaking:
      return ShakeHands(scratch);
    case State::kLingering:
      return Discard(scratch);
    case State::kPaused:
      return Alive::kYes;
  }
  return Alive::kNo;
}

Connection::Alive Connection::OnTimer(std::span<char> scratch, SteadyInstant steady, Instant now) {
  steady_ = steady;
  now_ = now;
  timer_.reset();
  if (state_ != State::kPaused) return Alive::kNo;  // lingered or shook hands for too long
  last_active_ = steady;
  state_ = State::kReading;
  step_ = session_.Resume(now);
  if (step_.next == Next::kRead && !pending_.empty()) Consume({});
  if (Advance() == Alive::kNo) return Alive::kNo;
  return GoOn(scratch);
}

Connection::Alive Connection::OnIdle(SteadyInstant steady, Instant now) {
  steady_ = steady;
  now_ = now;
  if (state_ != State::kReading) return Alive::kNo;
  step_ = session_.TimeOut(now);
  return Advance();
}

// Reading again after a state that did not: what TLS has read ahead makes no event.
Connection::Alive Connection::GoOn(std::span<char> scratch) {
  if (state_ == State::kReading && transport_.HasBuffered()) return ReadAll(scratch);
  return Alive::kYes;
}

Connection::Alive Connection::ReadAll(std::span<char> scratch) {
  do {
    const Transport::Result result = transport_.Read(scratch.data(), scratch.size());
    if (result.status == Transport::Status::kWouldBlock) return Alive::kYes;
    if (result.status == Transport::Status::kGone) return Alive::kNo;
    Consume(std::string_view(scratch.data(), result.bytes));
    if (Advance() == Alive::kNo) return Alive::kNo;
  } while (state_ == State::kReading && transport_.HasBuffered());
  return Alive::kYes;
}

void Connection::Consume(std::string_view fresh) {
  if (pending_.empty()) {
    step_ = session_.Consume(fresh, now_);
    pending_ = fresh;
    return;
  }
  pending_ += fresh;
  std::string_view all = pending_;
  step_ = session_.Consume(all, now_);
  pending_.erase(0, pending_.size() - all.size());
}

bool Connection::Flush() {
  while (!session_.output().empty()) {
    const std::string_view output = session_.output();
    const Transport::Result result = transport_.Write(output.data(), output.size());
    if (result.status == Transport::Status::kGone) return false;
    if (result.status == Transport::Status::kWouldBlock) break;
    session_.Sent(result.bytes, now_);
  }
  return true;
}

// Writes the output, then does the session's step; comes again when the output was not taken whole.
Connection::Alive Connection::Advance() {
  if (step_.next == Next::kReset) {
    transport_.ResetOnClose();
    return Alive::kNo;
  }
  if (!Flush() || step_.next == Next::kAbort) return Alive::kNo;
  if (!session_.output().empty()) {
    state_ = State::kWriting;
    return Alive::kYes;
  }
  state_ = State::kReading;
  switch (step_.next) {
    case Next::kRead:
      break;
    case Next::kPause:
      state_ = State::kPaused;
      timer_ = steady_ + step_.pause;
      break;
    case Next::kStartTls:
      // What came in the clear behind STARTTLS must not be taken for what comes under TLS.
      pending_.clear();
      transport_.StartTls(tls_);
      state_ = State::kHandshaking;
      timer_ = steady_ + kHandshakeTimeout;
      break;
    case Next::kClose:
      transport_.FinishWriting();
      state_ = State::kLingering;
      timer_ = steady_ + kLinger;
      break;
    case Next::kAbort:
    case Next::kReset:
      return Alive::kNo;
  }
  return Alive::kYes;
}

Connection::Alive Connection::ShakeHands(std::span<char> scratch) {
  const Transport::Result result = transport_.Handshake();
  if (result.status == Transport::Status::kGone) return Alive::kNo;
  if (result.status == Transport::Status::kWouldBlock) return Alive::kYes;
  timer_.reset();
  state_ = State::kReading;
  step_ = {};
  session_.TlsStarted(now_);
  return GoOn(scratch);
}

Connection::Alive Connection::Discard(std::span<char> scratch) {
  const Transport::Result result = transport_.Read(scratch.data(), scratch.size());
  return result.status == Transport::Status::kGone ? Alive::kNo : Alive::kYes;
}

}  // namespace sluice::rig
