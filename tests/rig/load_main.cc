// sluice-load: sends mail to a Sluice over gRPC, as much and as fast as asked. See README.md.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <random>

#include "base/status.h"
#include "base/text.h"
#include "rig/command.h"
#include "rig/loader.h"

namespace sluice::rig {
namespace {

volatile sig_atomic_t stop_asked = 0;

struct Options {
  LoadClientOptions client;
  LoadOptions load;
  MessageShape shape;
  std::string corpus = SLUICE_SOURCE_DIR "/tests/data/mail", duration = "0s", retry_for = "5m",
              streams = "transactional";
  bool quiet = false, no_keys = false;
  uint64_t seed = 0;
};

// "transactional=3,marketing": a share of 1 where none is given.
absl::Status ParseStreams(std::string_view text,
                          std::vector<std::pair<std::string, uint64_t>>& streams) {
  streams.clear();
  while (!text.empty()) {
    const std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), item.size() + 1));
    const size_t equals = item.find('=');
    const auto share = equals == std::string_view::npos ? 1 : ParseNumber(item.substr(equals + 1));
    if (!share || *share == 0 || *share > 1'000'000 || equals == 0 || item.empty()) {
      return absl::InvalidArgumentError("--streams is NAME[=SHARE],NAME[=SHARE]…");
    }
    streams.emplace_back(item.substr(0, equals), *share);
  }
  return streams.empty() ? absl::InvalidArgumentError("--streams names none") : absl::OkStatus();
}

absl::Status Resolve(Options& o) {
  if (const char* key = std::getenv("SLUICE_KEY"); key && o.client.key.empty()) o.client.key = key;
  if (o.client.key.empty())
    return absl::InvalidArgumentError("give the API key by --key or SLUICE_KEY");
  ASSIGN_OR_RETURN(o.load.duration, ParseDuration(o.duration));
  ASSIGN_OR_RETURN(o.load.retry_for, ParseDuration(o.retry_for));
  RETURN_IF_ERROR(ParseStreams(o.streams, o.load.streams));
  if (o.load.messages == 0 && o.load.duration == Duration(0)) {
    return absl::InvalidArgumentError("say when to end: --messages or --duration");
  }
  // A frame may hold 64 MB; half of it leaves room for whatever surrounds content.
  constexpr uint64_t kFrameBytes = 32 * 1024 * 1024;
  o.load.frame =
      std::clamp<uint64_t>(o.load.frame, 1, std::max<uint64_t>(1, kFrameBytes / o.shape.size));
  o.load.outstanding = o.client.connections * o.client.window * o.load.frame;
  o.load.idempotency = !o.no_keys;
  if (o.seed == 0) o.seed = std::random_device()();
  return absl::OkStatus();
}

absl::StatusOr<bool> Run(Options& options) {
  RETURN_IF_ERROR(Resolve(options));
  Corpus corpus;
  if (options.shape.incompressible) {
    corpus.prose = RandomLines(8191, options.seed);
  } else {
    ASSIGN_OR_RETURN(corpus, ReadCorpus(options.corpus));
  }
  // 24 bits, so that run and number share the token's half without meeting before 2^40 messages.
  const auto run = static_cast<uint32_t>(options.seed & 0xffffff);
  ASSIGN_OR_RETURN(MessageMaker maker, MessageMaker::Make(options.shape, run, std::move(corpus)));
  const SystemClock clock;
  Loader loader(options.load, std::move(maker), clock, options.seed);
  RETURN_IF_ERROR(loader.Open());
  ASSIGN_OR_RETURN(const auto client, LoadClient::Make(options.client, clock, loader));
  const absl::Status status = loader.Run(*client, stop_asked, !options.quiet);
  std::cout << loader.Summary(*client) << std::endl;
  RETURN_IF_ERROR(status);
  return loader.all_accepted();
}

void Describe(CLI::App& app, Options& o) {
  app.add_option("--target", o.client.target, "ADDR:PORT of ingest")->required();
  app.add_option("--key", o.client.key, "API key; SLUICE_KEY in the environment does as well");
  app.add_flag("--plaintext,!--tls", o.client.credentials.plaintext, "no TLS (loopback only)")
      ->default_val(true);
  app.add_option("--ca", o.client.credentials.ca,
                 "PEM file of the authority of the server's certificate");
  app.add_option("--messages", o.load.messages, "end after so many");
  app.add_option("--duration", o.duration, "end sending after so long: 30s, 5m");
  app.add_option("--rate", o.load.rate, "messages a second; 0: as fast as answers come")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--size", o.shape.size, "bytes of a message, made of lines of the corpus")
      ->check(CLI::Range(uint64_t{512}, uint64_t{50 * 1024 * 1024}))
      ->capture_default_str();
  app.add_flag("--incompressible", o.shape.incompressible, "bodies of random base64 lines");
  app.add_option("--domains", o.shape.domains, "recipient domains d0, d1, …")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  app.add_option("--domain-suffix", o.shape.domain_suffix, "what follows dN")
      ->capture_default_str();
  app.add_option("--recipients", o.shape.recipients, "of a message")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--from", o.shape.from, "From and return path")->capture_default_str();
  app.add_flag("--no-return-path", o.load.no_return_path, "leave it out: the policy's verp_domain makes one for each recipient");
  app.add_option("--streams", o.streams, "NAME[=SHARE],…: streams by share")->capture_default_str();
  app.add_option("--campaign", o.load.campaign, "campaign of all messages");
  app.add_option("--connections", o.client.connections, "gRPC connections, a stream each")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--window", o.client.window, "unanswered frames of a stream")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--frame", o.load.frame, "messages of a frame at most")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--no-idempotency-keys", o.no_keys, "retries may then send twice");
  app.add_option("--retry-for", o.retry_for,
                 "a message is given up so long after it was first sent")
      ->capture_default_str();
  app.add_option("--tokens-file", o.load.tokens_file,
                 "every accepted message: token, recipients, size, xxh3-128");
  app.add_option("--corpus", o.corpus, "directory of *.eml")->capture_default_str();
  app.add_option("--seed", o.seed, "of tokens and contents; 0: another each time");
  app.add_flag("--quiet", o.quiet, "no progress on stderr");
}

}  // namespace
}  // namespace sluice::rig

int main(int argc, char** argv) {
  sluice::rig::Options options;
  CLI::App app{
      "Sends mail to Sluice over SubmitStream. Every message is another, carries an X-Rig-Token "
      "header that begins\n"
      "with its submit time, and is sent again with the same idempotency key until it is answered "
      "for good.\n"
      "Progress on stderr, one line of JSON on stdout at the end. Exit 0: all accepted; 3: some "
      "were not; 1: failed.\n"
      "SIGINT or SIGTERM ends the sending, answers are waited for; a second one ends that too. "
      "Memory: about 100 bytes an unanswered message\n"
      "and a frame for each connection, whatever the number sent.",
      "sluice-load"};
  sluice::rig::Describe(app, options);
  CLI11_PARSE(app, argc, argv);
  for (const int signal : {SIGINT, SIGTERM})
    std::signal(signal, [](int) { sluice::rig::stop_asked = sluice::rig::stop_asked + 1; });
  const auto done = sluice::rig::Run(options);
  if (done.ok()) return *done ? 0 : 3;
  std::cerr << "sluice-load: " << sluice::View(done.status().message()) << std::endl;
  return 1;
}
