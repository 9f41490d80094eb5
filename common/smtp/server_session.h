// The receiving side of SMTP (RFC 5321) for mail that reports something: bytes in, replies and finished
// messages out. No TLS, no AUTH, no relaying: only recipients that `accepts` takes. No I/O.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

struct ReceivedMail {
  std::string from{};           // Empty = the null path.
  std::vector<std::string> to{};  // At least one.
  std::string content{};        // Dots taken out, lines end with CRLF.
};

class SmtpServerSession {
 public:
  struct Rules {
    std::string host_name;
    std::function<bool(std::string_view domain)> accepts;  // A recipient's domain, in lower case.
    size_t most_bytes = 1 << 20;  // Of one message; larger ones are refused with 552.
    int most_recipients = 10;
    int most_messages = 100;      // Then 421.
    int most_errors = 10;         // Then 421.
  };
  // `rules` must outlive it.
  explicit SmtpServerSession(const Rules& rules) : rules_(&rules) {}

  std::string Greeting() const;
  // Appends to `replies` what is to be sent. When a message is complete it is answered by the caller
  // through Finish, and what follows it is fed again: `bytes` is moved behind what was used.
  std::optional<ReceivedMail> Feed(std::string_view& bytes, std::string& replies);
  // The fate of the message that Feed gave: the reply line for it, such as `250 2.0.0 ok`.
  void Finish(std::string_view reply, std::string& replies);
  // Send what is left, then close.
  bool is_over() const { return is_over_; }

 private:
  void OnCommand(std::string_view line, std::string& replies);
  void OnMail(std::string_view arguments, std::string& replies);
  void OnRcpt(std::string_view arguments, std::string& replies);
  void OnData(std::string& replies);
  // True at the final dot.
  bool OnContent(std::string_view line);
  void Say(std::string_view reply, std::string& replies);
  void Refuse(std::string_view reply, std::string& replies);
  void Reset();

  const Rules* rules_;
  std::string line_;
  bool line_too_long_ = false;
  std::optional<std::string> from_;
  ReceivedMail mail_;
  bool in_content_ = false, too_large_ = false, is_over_ = false, greeted_ = false;
  int messages_ = 0, errors_ = 0;
};

}  // namespace sluice
