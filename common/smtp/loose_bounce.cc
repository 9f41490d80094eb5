#include "smtp/loose_bounce.h"

#include <algorithm>
#include <array>

#include "smtp/dsn.h"

namespace sluice {
namespace {

struct Shape {
  std::string_view name;
  std::string_view phrase;  // Lower case.
  FeedbackKind kind = FeedbackKind::kBounce;
};

// First match wins: the particular before the general, delays before failures.
constexpr std::array kShapes = {
    Shape{"gmail", "delivery to the following recipient has been delayed", FeedbackKind::kDelay},
    Shape{"exim", "message has not yet been delivered", FeedbackKind::kDelay},
    Shape{"exim", "no action is required on your part", FeedbackKind::kDelay},
    Shape{"sendmail", "you do not need to resend your message", FeedbackKind::kDelay},
    Shape{"exchange", "delivery is delayed to these recipients", FeedbackKind::kDelay},
    Shape{"text", "will continue to be attempted", FeedbackKind::kDelay},
    Shape{"text", "we will keep trying", FeedbackKind::kDelay},
    Shape{"text", "still trying to deliver", FeedbackKind::kDelay},
    Shape{"qmail", "this is the qmail-send program"},
    Shape{"qmail", "hi. this is the"},
    Shape{"gmail", "delivery to the following recipient failed permanently"},
    Shape{"gmail", "your message wasn't delivered to"},
    Shape{"gmail", "address not found"},
    Shape{"exim", "this message was created automatically by mail delivery software"},
    Shape{"exim", "a message that you sent could not be delivered"},
    Shape{"postfix", "this is the mail system at host"},
    Shape{"postfix", "i'm sorry to have to inform you that"},
    Shape{"sendmail", "the following addresses had permanent fatal errors"},
    Shape{"yahoo", "sorry, we were unable to deliver your message to the following address"},
    Shape{"yahoo", "unable to deliver message to the following address"},
    Shape{"exchange", "your message did not reach some or all of the intended recipients"},
    Shape{"exchange", "delivery has failed to these recipients"},
    Shape{"exchange", "this is an automatically generated delivery status notification"},
    Shape{"exchange", "couldn't be delivered"},
    Shape{"exchange", "wasn't found at"},
    Shape{"domino", "your message\n\n  subject:"},
    Shape{"domino", "was not delivered to"},
    Shape{"groupwise", "the message that you sent was undeliverable to the following"},
    Shape{"mailru", "a message that you have sent could not be delivered to one or more recipients"},
    Shape{"qq", "sorry that your mail could not be delivered"},
    Shape{"163", "您的邮件"},
    Shape{"gmx", "a message that you sent could not be delivered to one or more"},
    Shape{"gmx", "could not be delivered to one or more recipients"},
    Shape{"courier", "undeliverable mail"},
    Shape{"text", "delivery failed"},
    Shape{"text", "delivery failure"},
    Shape{"text", "undeliverable"},
    Shape{"text", "undelivered mail"},
    Shape{"text", "could not be delivered"},
    Shape{"text", "cannot be delivered"},
    Shape{"text", "returned mail"},
    Shape{"text", "returned to sender"},
    Shape{"text", "user unknown"},
    Shape{"text", "nicht zugestellt"},
    Shape{"text", "konnte nicht"},
    Shape{"text", "n'a pas pu être remis"},
    Shape{"text", "non è stato possibile"},
    Shape{"text", "no se pudo entregar"},
};

bool ContainsAny(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return text.find(word) != std::string_view::npos;
  });
}

bool IsAddressChar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-/=?^_`{|}~.@").find(c) != std::string_view::npos;
}

// The first thing with an @ that is not one of ours or the reporter's.
std::string FirstAddress(std::string_view text) {
  for (size_t at = text.find('@'); at != std::string_view::npos; at = text.find('@', at + 1)) {
    size_t begin = at, end = at + 1;
    while (begin > 0 && IsAddressChar(text[begin - 1]) && text[begin - 1] != '@') --begin;
    while (end < text.size() && IsAddressChar(text[end]) && text[end] != '@') ++end;
    std::string address(text.substr(begin, end - begin));
    while (!address.empty() && (address.back() == '.' || address.back() == '\'')) address.pop_back();
    const std::string lower = LowerCase(address);
    if (begin == at || lower.ends_with("@") ||
        ContainsAny(lower, {"postmaster@", "mailer-daemon@", "b-", "support@"})) {
      continue;
    }
    return address;
  }
  return {};
}

bool IsDaemon(const HeaderFields& headers) {
  return ContainsAny(LowerCase(headers.Find("from")),
                     {"mailer-daemon", "postmaster", "mail delivery", "maildelivery", "mdaemon"});
}

// What the original message says is not what the reporter says.
std::string_view BeforeOriginal(std::string_view text) {
  size_t end = text.size();
  for (const std::string_view mark :
       {"--- Below this line is a copy", "------ This is a copy of the message",
        "----- Original message -----", "---- Original message ----", "--- Original message ---",
        "------ The body of the message is", "-----Original Message-----",
        "--------------Original message", "--- The original message"}) {
    end = std::min(end, text.find(mark));
  }
  return text.substr(0, end);
}

}  // namespace

std::string TextOfHtml(std::string_view html) {
  std::string out;
  bool inside = false;
  for (size_t i = 0; i < html.size(); ++i) {
    if (html[i] == '<' && i + 1 < html.size() && html[i + 1] != ' ' &&
        html.substr(i, 64).find('@') > html.substr(i, 64).find('>')) {
      inside = true;
      out += ' ';
    } else if (html[i] == '>' && inside) {
      inside = false;
    } else if (!inside) {
      out += html[i];
    }
  }
  for (const auto& [entity, character] :
       {std::pair<std::string_view, char>{"&lt;", '<'}, {"&gt;", '>'}, {"&#39;", '\''},
        {"&quot;", '"'}, {"&nbsp;", ' '}, {"&amp;", '&'}}) {
    for (size_t at = out.find(entity); at != std::string::npos; at = out.find(entity, at + 1)) {
      out.replace(at, entity.size(), 1, character);
    }
  }
  return out;
}

std::optional<FeedbackMessage> ReadLooseBounce(const HeaderFields& headers, std::string_view text,
                                               bool is_null_sender) {
  text = BeforeOriginal(text);
  const std::string failed = AddressInText(headers.Find("x-failed-recipients"));
  const bool from_daemon = is_null_sender || IsDaemon(headers) || !failed.empty();
  if (!from_daemon) return std::nullopt;
  const std::string lower = LowerCase(text) + '\n' + LowerCase(headers.Find("subject"));
  const auto shape = std::find_if(kShapes.begin(), kShapes.end(), [&](const Shape& one) {
    return lower.find(one.phrase) != std::string::npos;
  });
  FeedbackMessage out;
  ReportedRecipient recipient{.address = failed.empty() ? FirstAddress(text) : failed,
                              .reply = ReplyInText(text)};
  if (shape != kShapes.end()) {
    out.kind = shape->kind;
    out.shape = shape->name;
  } else if (!failed.empty() || recipient.reply.code >= 500 ||
             (recipient.reply.enhanced && recipient.reply.enhanced->klass == 5)) {
    out.kind = FeedbackKind::kBounce;
    out.shape = "text";
  } else {
    return std::nullopt;
  }
  out.recipients.push_back(std::move(recipient));
  return out;
}

}  // namespace sluice
