#include "scheduler/control/dns_questions.h"

#include <future>
#include <memory>

#include "base/text.h"
#include "policy/blocklist.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kAtOnce = 50;

template <class Answer, class Ask>
std::future<Answer> Begin(Ask ask) {
  const auto promise = std::make_shared<std::promise<Answer>>();
  ask([promise](const Answer& answer) { promise->set_value(answer); });
  return promise->get_future();
}

template <class Answer>
Answer Wait(std::future<Answer> future, std::chrono::steady_clock::time_point until) {
  if (future.wait_until(until) == std::future_status::ready) return future.get();
  Answer none;
  none.detail = "no answer";
  return none;
}

}  // namespace

std::vector<AddressAnswer> DnsQuestions::Addresses(const std::vector<std::string>& names, AddressFamily family) {
  std::vector<AddressAnswer> answers;
  for (size_t begin = 0; begin < names.size(); begin += kAtOnce) {
    std::vector<std::future<AddressAnswer>> open;
    for (size_t i = begin; i < std::min(names.size(), begin + kAtOnce); ++i) {
      open.push_back(Begin<AddressAnswer>([&](auto done) { resolver_.ResolveAddresses(names[i], family, done); }));
    }
    const auto until = Until();
    for (auto& one : open) answers.push_back(Wait(std::move(one), until));
  }
  return answers;
}

AddressAnswer DnsQuestions::Addresses(const std::string& name, AddressFamily family) {
  return Addresses(std::vector<std::string>{name}, family)[0];
}

TextAnswer DnsQuestions::Texts(const std::string& name) {
  return Wait(Begin<TextAnswer>([&](auto done) { resolver_.ResolveTxt(name, done); }), Until());
}

MxAnswer DnsQuestions::Mx(const std::string& name) {
  return Wait(Begin<MxAnswer>([&](auto done) { resolver_.ResolveMx(name, done); }), Until());
}

NamesAnswer DnsQuestions::NamesOf(const std::string& address) {
  const std::string name = Cat(ReversedAddress(address), address.find(':') == std::string::npos ? ".in-addr.arpa" : ".ip6.arpa");
  return Wait(Begin<NamesAnswer>([&](auto done) { resolver_.ResolveNames(name, done); }), Until());
}

}  // namespace sluice::scheduler
