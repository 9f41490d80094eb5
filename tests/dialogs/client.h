// Does what a dialog asks of the client and judges what came of it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <asio/awaitable.hpp>

#include "dialogs/dialog.h"
#include "dialogs/fake_server.h"
#include "net/smtp_session.h"

namespace sluice::dialogs {

class Client {
 public:
  // Both outlive the client.
  Client(FakeServer& server, TlsContext& tls);

  // Empty, or the first line that failed and how. What went over the wire is in trace().
  asio::awaitable<std::string> Run(std::vector<Line> lines);
  const std::string& trace() const { return trace_; }

 private:
  asio::awaitable<std::string> Do(const Line& line);
  asio::awaitable<std::string> Open(const std::vector<std::string>& words);
  asio::awaitable<std::string> Send(const std::vector<std::string>& words);
  asio::awaitable<std::string> WaitPeerClosed();
  std::string Set(const Line& line);
  std::string SetTimeout(const std::vector<std::string>& words);
  std::string Judge(const Line& line) const;
  std::string JudgeOpen(const std::vector<std::string>& words) const;
  std::string JudgeRecipient(const std::vector<std::string>& words) const;
  std::string JudgeSession(const std::string& wanted) const;

  FakeServer& server_;
  TlsContext& tls_;
  SmtpTimeouts timeouts_;
  std::string content_;
  std::string trace_;
  size_t connection_count_ = 0;
  OpenResult opened_;
  bool is_open_judged_ = true;
  std::map<std::string, RecipientResult> results_;
  TransactionResult transaction_;
};

}  // namespace sluice::dialogs
