// A small SMTP server for mail that reports something (smtp/server_session.h): bounded in connections,
// sizes, time and rate. Knows nothing of what the mail says.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/log.h"
#include "smtp/server_session.h"

namespace sluice {

struct SmtpListenerOptions {
  std::string listen = {};  // host:port; port 0 = a free one.
  SmtpServerSession::Rules rules = {};
  int most_connections = 100;
  int most_connections_per_peer = 10;
  int most_messages_per_second = 200;  // Of all peers; beyond it 451, and the peer comes back.
  Duration idle_timeout = std::chrono::seconds(60);
  Duration session_timeout = std::chrono::minutes(10);
};

class SmtpListener {
 public:
  // Answers the reply line. Runs on the listener's only thread: while it waits, all peers do.
  using OnMail = std::function<std::string(const ReceivedMail& mail)>;
  virtual ~SmtpListener() = default;
  // Where it really listens.
  virtual const std::string& address() const = 0;
  virtual int64_t refused_connections() const = 0;
};
// Stops when it is destroyed: connections are closed, a message not yet answered is sent again by its peer.
absl::StatusOr<std::unique_ptr<SmtpListener>> StartSmtpListener(SmtpListenerOptions options,
                                                                SmtpListener::OnMail on_mail,
                                                                const Clock& clock, const Logger& log);

}  // namespace sluice
