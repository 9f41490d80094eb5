// How long the client waits at each step: RFC 5321 §4.5.3.2 where it speaks, our choice elsewhere.
// Each bounds the whole step, however slowly bytes drip.
#pragma once

#include <chrono>

#include "base/clock.h"

namespace sluice {

struct SmtpTimeouts {
  Duration connect = std::chrono::seconds(60);
  Duration banner = std::chrono::minutes(5);
  Duration ehlo = std::chrono::minutes(5);
  Duration starttls = std::chrono::minutes(2);  // the reply, and again the handshake
  Duration mail = std::chrono::minutes(5);
  Duration rcpt = std::chrono::minutes(5);
  Duration data = std::chrono::minutes(2);
  Duration block = std::chrono::minutes(3);  // between two blocks of content that the peer takes
  Duration dot = std::chrono::minutes(10);   // the reply to the final dot or BDAT LAST
  Duration rset = std::chrono::seconds(20);
  Duration quit = std::chrono::seconds(5);
  // For whoever keeps connections: how long one may lie unused before Quit. The session itself does
  // not act on it.
  Duration idle = std::chrono::seconds(60);
};

}  // namespace sluice
