#include "smtp/server_session.h"

#include <algorithm>

#include "base/text.h"
#include "smtp/mime.h"

namespace sluice {
namespace {

constexpr size_t kMostLineBytes = 4096;

// `<a@b>` and what follows; false when there is no path.
bool TakePath(std::string_view arguments, std::string_view keyword, std::string& path) {
  if (LowerCase(arguments.substr(0, keyword.size())) != keyword) return false;
  arguments.remove_prefix(keyword.size());
  while (arguments.starts_with(' ')) arguments.remove_prefix(1);
  const size_t end = arguments.find('>');
  if (!arguments.starts_with('<') || end == std::string_view::npos) return false;
  path = arguments.substr(1, end - 1);
  return true;
}

std::string DomainOf(std::string_view path) {
  const size_t at = path.rfind('@');
  return at == std::string_view::npos ? std::string() : LowerCase(path.substr(at + 1));
}

}  // namespace

std::string SmtpServerSession::Greeting() const { return Cat("220 ", rules_->host_name, " ESMTP\r\n"); }

void SmtpServerSession::Say(std::string_view reply, std::string& replies) {
  Append(replies, reply, "\r\n");
}

void SmtpServerSession::Refuse(std::string_view reply, std::string& replies) {
  Say(reply, replies);
  if (++errors_ < rules_->most_errors) return;
  Say("421 4.7.0 too many errors", replies);
  is_over_ = true;
}

void SmtpServerSession::Reset() {
  from_.reset();
  mail_ = {};
  in_content_ = too_large_ = false;
}

std::optional<ReceivedMail> SmtpServerSession::Feed(std::string_view& bytes, std::string& replies) {
  while (!bytes.empty() && !is_over_) {
    const size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (line_.size() + piece.size() <= kMostLineBytes) {
      line_ += piece;
    } else {
      line_too_long_ = true;
    }
    if (end == std::string_view::npos) {
      bytes = {};
      return std::nullopt;
    }
    bytes.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    const std::string line = std::exchange(line_, {});
    const bool too_long = std::exchange(line_too_long_, false);
    if (in_content_) {
      if (!OnContent(line)) continue;
      in_content_ = false;
      if (!too_large_) return std::exchange(mail_, {});
      Reset();
      Refuse("552 5.3.4 the message is too large", replies);
    } else if (too_long) {
      Refuse("500 5.5.2 the line is too long", replies);
    } else {
      OnCommand(line, replies);
    }
  }
  if (is_over_) bytes = {};
  return std::nullopt;
}

bool SmtpServerSession::OnContent(std::string_view line) {
  if (line == ".") return true;
  if (line.starts_with('.')) line.remove_prefix(1);
  if (mail_.content.size() + line.size() + 2 > rules_->most_bytes) too_large_ = true;
  if (!too_large_) Append(mail_.content, line, "\r\n");
  return false;
}

void SmtpServerSession::Finish(std::string_view reply, std::string& replies) {
  Reset();
  Say(reply, replies);
  if (++messages_ < rules_->most_messages) return;
  Say("421 4.7.0 enough messages on one connection", replies);
  is_over_ = true;
}

void SmtpServerSession::OnCommand(std::string_view line, std::string& replies) {
  const size_t blank = std::min(line.find(' '), line.size());
  const std::string verb = LowerCase(line.substr(0, blank));
  const std::string_view arguments = line.substr(std::min(blank + 1, line.size()));
  if (verb == "ehlo" || verb == "helo") {
    Reset();
    greeted_ = true;
    if (verb == "ehlo") {
      Append(replies, "250-", rules_->host_name, "\r\n250-PIPELINING\r\n250-SIZE ", rules_->most_bytes,
             "\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n");
    } else {
      Say(Cat("250 ", rules_->host_name), replies);
    }
  } else if (verb == "mail") {
    OnMail(arguments, replies);
  } else if (verb == "rcpt") {
    OnRcpt(arguments, replies);
  } else if (verb == "data") {
    OnData(replies);
  } else if (verb == "rset") {
    Reset();
    Say("250 2.0.0 ok", replies);
  } else if (verb == "noop") {
    Say("250 2.0.0 ok", replies);
  } else if (verb == "quit") {
    Say("221 2.0.0 bye", replies);
    is_over_ = true;
  } else {
    Refuse("502 5.5.1 this server takes reports only: EHLO, MAIL, RCPT, DATA, RSET, NOOP, QUIT", replies);
  }
}

void SmtpServerSession::OnMail(std::string_view arguments, std::string& replies) {
  std::string path;
  if (!greeted_) return Refuse("503 5.5.1 say EHLO first", replies);
  if (from_) return Refuse("503 5.5.1 a transaction is open", replies);
  if (!TakePath(arguments, "from:", path)) return Refuse("501 5.5.4 write MAIL FROM:<address>", replies);
  from_ = path;
  Say("250 2.1.0 ok", replies);
}

void SmtpServerSession::OnRcpt(std::string_view arguments, std::string& replies) {
  std::string path;
  if (!from_) return Refuse("503 5.5.1 say MAIL first", replies);
  if (!TakePath(arguments, "to:", path)) return Refuse("501 5.5.4 write RCPT TO:<address>", replies);
  if (!rules_->accepts(DomainOf(path))) {
    return Refuse("550 5.7.1 this server takes bounces and complaints for its own domains only", replies);
  }
  if (static_cast<int>(mail_.to.size()) >= rules_->most_recipients) {
    return Say("452 4.5.3 too many recipients", replies);
  }
  mail_.to.push_back(path);
  Say("250 2.1.5 ok", replies);
}

void SmtpServerSession::OnData(std::string& replies) {
  if (!from_ || mail_.to.empty()) return Refuse("503 5.5.1 no valid recipients", replies);
  mail_.from = *from_;
  in_content_ = true;
  Say("354 end with <CRLF>.<CRLF>", replies);
}

}  // namespace sluice
