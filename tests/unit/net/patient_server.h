// A server that takes all mail, as a stream that costs next to nothing: replies are counted out, no
// byte is kept. For measuring the client.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include <asio/error.hpp>

#include "net/stream.h"

namespace sluice {

class PatientServer final : public Stream {
 public:
  // `ehlo` is the whole reply to EHLO. `first_replies` answer what comes in one write with MAIL,
  // `last_reply` what comes after a 354; without a 354 there is no such write.
  PatientServer(asio::any_io_executor executor, std::string ehlo, std::string first_replies,
                std::string last_reply)
      : executor_(std::move(executor)),
        ehlo_(std::move(ehlo)),
        first_replies_(std::move(first_replies)),
        last_reply_(std::move(last_reply)) {
    next_ = "220 mx.example\r\n";
  }

  asio::any_io_executor executor() override { return executor_; }
  asio::awaitable<IoResult> ReadSome(asio::mutable_buffer into) override {
    const size_t count = std::min(into.size(), next_.size());
    std::memcpy(into.data(), next_.data(), count);
    next_.remove_prefix(count);
    co_return IoResult(count == 0 ? asio::error_code(asio::error::eof) : asio::error_code(), count);
  }
  asio::awaitable<IoResult> WriteSome(std::span<const asio::const_buffer> buffers) override {
    size_t bytes = 0;
    for (const asio::const_buffer& buffer : buffers) bytes += buffer.size();
    const std::string_view begin(static_cast<const char*>(buffers.front().data()),
                                 std::min<size_t>(buffers.front().size(), 4));
    next_ = begin == "EHLO" ? ehlo_ : begin == "MAIL" ? first_replies_ : last_reply_;
    written_ += bytes;
    co_return IoResult(asio::error_code(), bytes);
  }
  asio::awaitable<HandshakeResult> StartTls(TlsContext&, const TlsRequirement&) override {
    HandshakeResult result;
    result.error = asio::error::operation_not_supported;
    co_return result;
  }
  void Close() noexcept override {}
  bool IsQuiet() noexcept override { return next_.empty(); }
  const TlsFacts* tls() const override { return nullptr; }

  size_t written() const { return written_; }

 private:
  asio::any_io_executor executor_;
  const std::string ehlo_, first_replies_, last_reply_;
  std::string_view next_;
  size_t written_ = 0;
};

}  // namespace sluice
