// egress-feeder: a scheduler that only releases, to measure sluice-egress alone. Feeds messages of
// its own making to the egress that dials it, keeps a window of them in flight, and prints how many
// were delivered a second. RECIPIENTS is how many follow each other with the same content.
//
//   sluice-sink --listen 127.0.0.1:2525 & egress-feeder 7101 200000 10240 1 & sluice-egress --config …
#include <lz4.h>
#include <sys/resource.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "base/text.h"
#include "unit/egress/fake_scheduler.h"

namespace sluice::egress {
namespace {

constexpr uint64_t kBatch = 64;
constexpr uint64_t kWindow = 1800;
constexpr int kSourceCount = 4;

// Words in random order: compresses about as well as mail does.
std::string MakeBody(size_t bytes, std::mt19937_64& random) {
  std::string body = "From: shop@shop.example\r\nSubject: feed\r\n\r\n";
  while (body.size() < bytes) {
    std::string line;
    while (line.size() < 70) Append(line, random() % 1009, " item ", random() % 97, " of the autumn catalogue ");
    body += line + "\r\n";
  }
  return body;
}

std::string Compress(const std::string& text) {
  std::string out(static_cast<size_t>(LZ4_compressBound(static_cast<int>(text.size()))), '\0');
  out.resize(static_cast<size_t>(LZ4_compress_default(
      text.data(), out.data(), static_cast<int>(text.size()), static_cast<int>(out.size()))));
  return out;
}

struct Body {
  std::string data;
  size_t size = 0;
};

void AddBody(v1::DeliverResponse& batch, uint64_t id, const Body& body) {
  v1::ContentChunk& chunk = *batch.add_contents();
  chunk.set_message_id(id);
  chunk.set_return_path("bounces@shop.example");
  chunk.set_last(true);
  chunk.mutable_content()->set_encoding(v1::CONTENT_ENCODING_LZ4);
  chunk.mutable_content()->set_data(body.data);
  chunk.mutable_content()->set_size_bytes(static_cast<int64_t>(body.size));
  chunk.mutable_content()->set_prepended_headers("Message-ID: <feed@shop.example>\r\n");
}

// `place` decides over source and site.
void Add(v1::DeliverResponse& batch, uint64_t id, uint64_t message, uint64_t place) {
  v1::Release& release = *batch.add_releases();
  release.set_queue_entry_id(id);
  release.set_message_id(message);
  release.set_attempt_id(id);
  release.set_attempt(1);
  release.set_recipient(Cat("recipient", id, "@d", place % 10, ".example.com"));
  release.set_source(Cat("ip-", place % kSourceCount));
  release.set_provider("other");
  release.set_site(Cat("mx.d", place % 10, ".example.com"));
  release.add_mx_hosts("127.0.0.1");
  release.set_not_after_micros(4'000'000'000'000'000);
  release.set_tenant("shop");
  release.set_stream("marketing");
  release.set_campaign("autumn-sale");
  release.set_pool("warm");
}

void Connect(FakeScheduler& scheduler) {
  const auto is_there = [](const Heard& heard) { return heard.deliver_count > 0; };
  while (!scheduler.WaitUntil(is_there)) {
  }
  scheduler.Own({0});
  std::vector<v1::AssignedSource> sources;
  for (int i = 0; i < kSourceCount; ++i) {
    v1::AssignedSource source;
    source.set_name(Cat("ip-", i));
    source.set_bind_address(Cat("127.0.0.", 11 + i));
    source.set_ehlo(Cat("mta", i, ".example.com"));
    source.set_epoch(1);
    sources.push_back(source);
  }
  scheduler.Assign(sources);
  scheduler.WaitUntil(
      [](const Heard& heard) { return heard.assignment_results.size() == kSourceCount; });
}

int Feed(int port, uint64_t count, size_t bytes, uint64_t recipients) {
  std::mt19937_64 random(1);
  std::vector<Body> bodies;
  size_t raw = 0, compressed = 0;
  for (int i = 0; i < 256; ++i) {
    const std::string text = MakeBody(bytes, random);
    bodies.push_back({Compress(text), text.size()});
    raw += text.size();
    compressed += bodies.back().data.size();
  }
  std::printf("ratio: %.2f\n", static_cast<double>(raw) / static_cast<double>(compressed));
  FakeScheduler scheduler(port);
  Connect(scheduler);
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t id = 1; id <= count; id += kBatch) {
    v1::DeliverResponse batch;
    for (uint64_t i = id; i < id + kBatch && i <= count; ++i) {
      const uint64_t message = i - (i - 1) % recipients;
      const uint64_t place = (i - 1) / recipients;
      if (i == message) AddBody(batch, message, bodies[place % bodies.size()]);
      Add(batch, i, message, place);
    }
    scheduler.WaitUntil(
        [&](const Heard& heard) { return heard.reports.size() + kWindow >= id + kBatch; });
    scheduler.Send(batch);
  }
  scheduler.WaitUntil([&](const Heard& heard) { return heard.reports.size() >= count; });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const size_t delivered = scheduler.heard().CountReports(v1::DISPOSITION_DELIVERED);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
                     static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  std::printf("delivered: %zu of %zu\nfeeder cpu: %.1f us a message\nmessages/s: %.0f\n", delivered,
              static_cast<size_t>(count), cpu / static_cast<double>(count),
              static_cast<double>(count) / took.count());
  return delivered == count ? 0 : 1;
}

uint64_t Number(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace
}  // namespace sluice::egress

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: egress-feeder PORT ENTRIES BYTES RECIPIENTS\n");
    return 2;
  }
  return sluice::egress::Feed(static_cast<int>(sluice::egress::Number(argv[1])),
                              sluice::egress::Number(argv[2]), sluice::egress::Number(argv[3]),
                              sluice::egress::Number(argv[4]));
}
