// A server that plays the script of a dialog, one block a connection, on a loopback port of its
// own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/stream.hpp>

#include "dialogs/dialog.h"

namespace sluice::dialogs {

// Runs on the test's io_context, beside the client; both belong to its one thread.
class FakeServer {
 public:
  FakeServer(asio::io_context& io, std::vector<std::vector<Line>> connections);

  asio::ip::tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }
  ~FakeServer();
  // Connections whose script has been played to its end.
  size_t played_count() const { return played_count_; }
  bool is_done() const { return played_count_ == connections_.size(); }
  // The first line that did not come as written; empty if all did.
  const std::string& fault() const { return fault_; }

 private:
  class Connection;
  asio::awaitable<void> Serve();

  asio::ip::tcp::acceptor acceptor_;
  asio::ssl::context tls_;
  std::vector<std::vector<Line>> connections_;
  std::vector<std::unique_ptr<Connection>> held_;
  size_t played_count_ = 0;
  std::string fault_;
};

}  // namespace sluice::dialogs
