#include "unit/net/fake_stream.h"

#include <algorithm>
#include <cstring>

#include <asio/experimental/as_tuple.hpp>
#include <asio/use_awaitable.hpp>

namespace sluice {

FakeStream::FakeStream(asio::any_io_executor executor, std::string greeting, Peer peer)
    : timer_(executor, asio::steady_timer::time_point::max()),
      to_read_(std::move(greeting)),
      peer_(std::move(peer)),
      log_(std::make_shared<Log>()) {}

asio::awaitable<Stream::IoResult> FakeStream::ReadSome(asio::mutable_buffer into) {
  ++log_->read_count;
  if (to_read_.empty() && !is_closed_) {
    constexpr auto kAwait = asio::experimental::as_tuple(asio::use_awaitable);
    co_await timer_.async_wait(kAwait);
  }
  if (is_closed_) {
    co_return IoResult(asio::error::operation_aborted, 0);
  }
  const size_t count = std::min(into.size(), to_read_.size());
  std::memcpy(into.data(), to_read_.data(), count);
  to_read_.erase(0, count);
  co_return IoResult(asio::error_code(), count);
}

asio::awaitable<Stream::IoResult> FakeStream::WriteSome(
    std::span<const asio::const_buffer> buffers) {
  Written written;
  for (const asio::const_buffer& buffer : buffers) {
    const size_t count = std::min(buffer.size(), most_per_write_ - written.bytes.size());
    if (count > 0) {
      written.buffers.push_back(buffer.data());
      written.bytes.append(static_cast<const char*>(buffer.data()), count);
    }
  }
  log_->writes.push_back(written);
  to_read_ += peer_(written);
  co_return IoResult(asio::error_code(), written.bytes.size());
}

asio::awaitable<HandshakeResult> FakeStream::StartTls(TlsContext&, const TlsRequirement&) {
  HandshakeResult result;
  result.error = asio::error::operation_not_supported;
  co_return result;
}

void FakeStream::Close() noexcept {
  is_closed_ = true;
  log_->is_closed = true;
  timer_.cancel();
}

}  // namespace sluice
