// The byte stream under an SMTP session: an interface, so that tests can fake it and a proxy can
// stand in. Belongs to one executor; at most one read and one write at a time.
#pragma once

#include <span>
#include <string>
#include <tuple>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/error_code.hpp>

#include "net/tls.h"

namespace sluice {

// No error: encrypted, and all that was required holds. Else `fault` says what was wrong with the
// peer's certificate, if it was that.
struct HandshakeResult {
  asio::error_code error;
  TlsFault fault;
};

class Stream {
 public:
  using IoResult = std::tuple<asio::error_code, size_t>;

  virtual ~Stream() = default;
  virtual asio::any_io_executor executor() = 0;

  // At least one byte, or an error; asio::error::eof when the peer has closed.
  virtual asio::awaitable<IoResult> ReadSome(asio::mutable_buffer into) = 0;
  // Writes a prefix of the concatenation of `buffers`, which must live until this returns; none is
  // empty.
  virtual asio::awaitable<IoResult> WriteSome(std::span<const asio::const_buffer> buffers) = 0;
  // Client handshake over the bytes that follow, as `requirement` (which outlives it) asks; the
  // stream is encrypted when it succeeds and unusable when it fails.
  virtual asio::awaitable<HandshakeResult> StartTls(TlsContext& context,
                                                    const TlsRequirement& requirement) = 0;

  // Ends pending operations with an error. Idempotent.
  virtual void Close() noexcept = 0;
  // True when nothing is waiting to be read and the peer has not closed, so that an idle connection
  // may be used again. Does not block, takes nothing from the stream.
  virtual bool IsQuiet() noexcept = 0;
  // Null while in plain text.
  virtual const TlsFacts* tls() const = 0;
};

}  // namespace sluice
