// A stream without a network: what the peer says is given beforehand or by a function of what was
// written; what was written is kept, write by write.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <asio/steady_timer.hpp>

#include "net/stream.h"

namespace sluice {

class FakeStream final : public Stream {
 public:
  struct Written {
    std::string bytes;
    std::vector<const void*> buffers;  // where each piece lay
  };
  // Called after each write; what it returns is read next.
  using Peer = std::function<std::string(const Written&)>;

  FakeStream(asio::any_io_executor executor, std::string greeting, Peer peer);

  asio::any_io_executor executor() override { return timer_.get_executor(); }
  asio::awaitable<IoResult> ReadSome(asio::mutable_buffer into) override;
  asio::awaitable<IoResult> WriteSome(std::span<const asio::const_buffer> buffers) override;
  asio::awaitable<HandshakeResult> StartTls(TlsContext& context,
                                            const TlsRequirement& requirement) override;
  void Close() noexcept override;
  bool IsQuiet() noexcept override { return !is_closed_ && to_read_.empty(); }
  const TlsFacts* tls() const override { return nullptr; }

  // Kept by the test, since the session owns the stream.
  struct Log {
    std::vector<Written> writes;
    size_t read_count = 0;
    bool is_closed = false;
  };
  std::shared_ptr<Log> log() const { return log_; }
  // At most so many bytes in each write from now on.
  void LimitWrites(size_t most) { most_per_write_ = most; }

 private:
  asio::steady_timer timer_;  // a read that waits, waits on it
  std::string to_read_;
  Peer peer_;
  std::shared_ptr<Log> log_;
  size_t most_per_write_ = SIZE_MAX;
  bool is_closed_ = false;
};

}  // namespace sluice
