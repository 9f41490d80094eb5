// What a reply costs to classify and an MX set to look up: build/<preset>/bin/classification_bench.
#include <benchmark/benchmark.h>

#include "policy/classification.h"
#include "policy/provider.h"
#include "policy/shipped_data.h"

namespace sluice {
namespace {

void Run(benchmark::State& state, std::string_view text, std::string_view host) {
  const ReplyRules rules;
  const SmtpReply reply = *ParseSmtpReply(text);
  for (auto _ : state) {
    benchmark::DoNotOptimize(rules.Classify(reply, Stage::kRcpt, {.provider = {}, .mx_host = host}));
  }
}

void ClassifyAKnownText(benchmark::State& state) {
  Run(state, "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail originating from your IP address. To protect our users",
      "aspmx.l.google.com");
}
void ClassifyABadRecipient(benchmark::State& state) {
  Run(state, "550 5.1.1 <nobody@corp.example>: Recipient address rejected: User unknown in local recipient table", "mx.corp.example");
}
void ClassifyByCodeAlone(benchmark::State& state) { Run(state, "451 4.3.0 something went wrong at our end", "mx.corp.example"); }

// Every shipped example in turn: the automaton sees as many states as it ever will.
void ClassifyTheCorpus(benchmark::State& state) {
  const ReplyRules rules;
  std::vector<SmtpReply> replies;
  for (const ShippedReply& row : ShippedReplies()) {
    const std::string_view first = row.example.substr(0, row.example.find('\n'));
    if (auto reply = ParseSmtpReply(first)) replies.push_back(*std::move(reply));
  }
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(rules.Classify(replies[i++ % replies.size()], Stage::kRcpt, {.provider = {}, .mx_host = "aspmx.l.google.com"}));
  }
}

void FindAProvider(benchmark::State& state) {
  const ProviderCatalogue catalogue;
  const std::vector<MxHost> hosts{{"contoso-com.mail.protection.outlook.com", 0}};
  for (auto _ : state) benchmark::DoNotOptimize(catalogue.Match(hosts));
}
void FindNoProvider(benchmark::State& state) {
  const ProviderCatalogue catalogue;
  const std::vector<MxHost> hosts{{"mx1.mail.corp.example", 10}, {"mx2.mail.corp.example", 20}};
  for (auto _ : state) benchmark::DoNotOptimize(catalogue.Match(hosts));
}

BENCHMARK(ClassifyAKnownText);
BENCHMARK(ClassifyABadRecipient);
BENCHMARK(ClassifyByCodeAlone);
BENCHMARK(ClassifyTheCorpus);
BENCHMARK(FindAProvider);
BENCHMARK(FindNoProvider);

}  // namespace
}  // namespace sluice

BENCHMARK_MAIN();
