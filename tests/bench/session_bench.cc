// CPU of the SMTP client alone: everything but the sockets. Each run is one transaction.
//
//   session_bench --benchmark_min_time=1
#include <benchmark/benchmark.h>

#include <asio/io_context.hpp>

#include "net/smtp_session.h"
#include "net/spawn.h"
#include "unit/net/patient_server.h"

namespace sluice {
namespace {

asio::awaitable<void> Run(benchmark::State& state, std::unique_ptr<Stream> stream, size_t recipient_count) {
  SmtpSessionOptions options;
  options.ehlo = "client.example";
  options.mx_host = "mx.example";
  OpenResult opened = co_await SmtpSession::OpenOver(std::move(stream), std::move(options));
  const std::string body = "Subject: x\r\n\r\n" + std::string(10'240, 'x') + "\r\n";
  const std::string_view piece = body;
  const std::vector<std::string_view> recipients(recipient_count, "recipient@y.example");
  SmtpTransaction transaction;
  transaction.return_path = "bounces@x.example";
  transaction.recipients = recipients;
  transaction.content.pieces = std::span(&piece, 1);
  for (auto _ : state) {
    const TransactionResult result = co_await opened.session->Send(transaction);
    if (!result.recipients.front().is_delivered()) state.SkipWithError("not delivered");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(recipient_count));
}

void Measure(benchmark::State& state, std::string ehlo, std::string first, std::string last, size_t recipients) {
  asio::io_context io(1);
  auto stream = std::make_unique<PatientServer>(io.get_executor(), std::move(ehlo), std::move(first), std::move(last));
  Spawn(io.get_executor(), Run(state, std::move(stream), recipients), "bench");
  io.run();
}

void Bdat(benchmark::State& state) {
  const auto recipients = static_cast<size_t>(state.range(0));
  std::string replies;
  for (size_t i = 0; i < recipients + 2; ++i) replies += "250 2.1.5 OK\r\n";
  Measure(state, "250-mx\r\n250-PIPELINING\r\n250-SIZE\r\n250 CHUNKING\r\n", replies, "", recipients);
}
BENCHMARK(Bdat)->Arg(1)->Arg(100);

void Data(benchmark::State& state) {
  Measure(state, "250-mx\r\n250-SIZE\r\n250 PIPELINING\r\n", "250 2.1.0 OK\r\n250 2.1.5 OK\r\n354 go\r\n", "250 2.0.0 OK\r\n", 1);
}
BENCHMARK(Data);

}  // namespace
}  // namespace sluice

BENCHMARK_MAIN();
