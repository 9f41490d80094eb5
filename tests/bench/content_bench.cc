// CPU of what is done to a message's content: parse, render, sign. Run by hand.
#include <benchmark/benchmark.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <string>

#include "base/text.h"
#include "mail/content.h"
#include "mail/merge_template.h"
#include "smtp/dkim.h"
#include "smtp/token.h"

namespace sluice {
namespace {

std::string Message(size_t bytes) {
  std::string out =
      "From: News <news@shop.example>\r\nTo: {{name}} <u@x.example>\r\nSubject: Hi {{name}}\r\n"
      "Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n"
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nDear {{name}},\r\n";
  while (out.size() < bytes) out += "The quick brown fox jumps over the lazy dog and sleeps.\r\n";
  return out;
}

std::string NewKey(const char* kind) {
  EVP_PKEY* key = std::string_view(kind) == "RSA" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048})
                                                  : EVP_PKEY_Q_keygen(nullptr, nullptr, kind);
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  std::string pem(text, static_cast<size_t>(size));
  BIO_free(bio);
  EVP_PKEY_free(key);
  return pem;
}

void Sign(benchmark::State& state, const char* kind, DkimAlgorithm algorithm) {
  const auto key = DkimPrivateKey::Parse(NewKey(kind), algorithm).value();
  const std::string message = Message(static_cast<size_t>(state.range(0)));
  const std::string_view piece = message;
  const DkimSigner signer{"shop.example", "s1", key.get()};
  for (auto _ : state) benchmark::DoNotOptimize(SignDkim({&piece, 1}, {&signer, 1}, FromMicros(0)));
}
void SignRsa2048(benchmark::State& state) { Sign(state, "RSA", DkimAlgorithm::kRsaSha256); }
void SignEd25519(benchmark::State& state) { Sign(state, "ED25519", DkimAlgorithm::kEd25519Sha256); }
BENCHMARK(SignRsa2048)->Arg(10 << 10)->Arg(100 << 10);
BENCHMARK(SignEd25519)->Arg(10 << 10)->Arg(100 << 10);

void BodyHash(benchmark::State& state) {
  const std::string message = Message(10 << 10);
  for (auto _ : state) {
    DkimBodyHash hash;
    hash.Update(message);
    benchmark::DoNotOptimize(hash.Finish());
  }
}
BENCHMARK(BodyHash);

void Parse(benchmark::State& state) {
  const std::string message = Message(10 << 10);
  for (auto _ : state) benchmark::DoNotOptimize(CheckContent(message, {}));
}
BENCHMARK(Parse);

void MergeCompile(benchmark::State& state) {
  const std::string message = Message(10 << 10);
  for (auto _ : state) benchmark::DoNotOptimize(MergeTemplate::Compile("", message));
}
BENCHMARK(MergeCompile);

void MergeRender(benchmark::State& state) {
  const std::string message = Message(10 << 10);
  const auto compiled = MergeTemplate::Compile("", message).value();
  const auto values = [](std::string_view) { return std::optional<std::string_view>("Bob"); };
  for (auto _ : state) benchmark::DoNotOptimize(compiled.Render(values));
}
BENCHMARK(MergeRender);

void Token(benchmark::State& state) {
  const auto keys = TokenKeys::Parse("0123456789abcdef0123456789abcdef").value();
  for (auto _ : state) benchmark::DoNotOptimize(keys.Encode({MessageId(7), QueueEntryId(9)}));
}
BENCHMARK(Token);

}  // namespace
}  // namespace sluice

BENCHMARK_MAIN();
