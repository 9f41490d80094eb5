#include "rig/load_message.h"

#include <lz4.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "base/status.h"
#include "base/text.h"
#include "rig/command.h"
#include "rig/latency.h"

namespace sluice::rig {
namespace {

constexpr size_t kLongestLine = 120;
// The shares that make a body compress as HTML mail does.
constexpr size_t kMarkupLines = 12;
constexpr size_t kProseLines = 6;
// Beyond this the corpus would begin to repeat itself.
constexpr uint64_t kMostText = 12 * 1024;
constexpr size_t kPictureLines = 8192;

bool IsPrime(size_t n) {
  for (size_t i = 2; i * i <= n; ++i) {
    if (n % i == 0) return false;
  }
  return n > 1;
}

// splitmix64: from a counter to numbers without pattern.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// Boundaries would make parts of a mail that has none; dots and From lines are for tests that ask
// for them.
bool FitsBody(std::string_view line) {
  return !line.empty() && line.size() <= kLongestLine && IsAscii(line) && !line.starts_with("--") &&
         !line.starts_with('.') && !line.starts_with("From ") &&
         line.find('\x1b') == std::string_view::npos;
}

bool IsMarkup(std::string_view line) {
  return line.find_first_of("<>") != std::string_view::npos ||
         line.find("=3D") != std::string_view::npos;
}

// Words with blanks; neither base64 nor what quoted-printable would misread. A soft break may end
// it.
bool IsProse(std::string_view line) {
  if (line.ends_with('=')) line.remove_suffix(1);
  return line.size() >= 30 && line.find(' ') != std::string_view::npos &&
         line.find('=') == std::string_view::npos;
}

}  // namespace

MessageMaker::MessageMaker(MessageShape shape, uint32_t run, Corpus corpus)
    : shape_(std::move(shape)), run_(run), corpus_(std::move(corpus)) {}

absl::StatusOr<MessageMaker> MessageMaker::Make(MessageShape shape, uint32_t run, Corpus corpus) {
  if (shape.size < MessageShape::kLeastSize || shape.domains == 0 || shape.recipients == 0) {
    return absl::InvalidArgumentError(Cat("a message has at least ", MessageShape::kLeastSize,
                                          " bytes, a domain and a recipient"));
  }
  if (corpus.prose.size() < kLeastLines) {
    return absl::InvalidArgumentError(
        Cat("the corpus gives only ", corpus.prose.size(), " lines of text"));
  }
  // With a prime count any stride visits every line once before it comes round.
  while (!IsPrime(corpus.prose.size())) corpus.prose.pop_back();
  for (std::string& line : corpus.prose) line += "\r\n";
  for (std::string& line : corpus.markup) line += "\r\n";
  if (shape.size > kMostText) corpus.picture = RandomLines(kPictureLines, run);
  for (std::string& line : corpus.picture) line += "\r\n";
  return MessageMaker(std::move(shape), run, std::move(corpus));
}

std::string MessageMaker::Token(const MessageId& id) const {
  return MakeToken(id.submitted_at, static_cast<uint64_t>(run_) << 40 ^ id.number);
}

void MessageMaker::Recipient(const MessageId& id, uint64_t index, std::string& out) const {
  const uint64_t domain = (id.number * shape_.recipients + index) % shape_.domains;
  out.clear();
  Append(out, "u", id.number, "-", index, "@d", domain, shape_.domain_suffix);
}

// Articles: a run of markup as it stands in its mail, then text, until `out` has `size` bytes or
// more.
void MessageMaker::AppendArticles(uint64_t dice, uint64_t size, std::string& out) const {
  const std::vector<std::string>& prose = corpus_.prose;
  const std::vector<std::string>& markup = corpus_.markup;
  size_t at = static_cast<size_t>(dice % prose.size());
  const size_t stride = static_cast<size_t>(1 + (dice >> 32) % (prose.size() - 1));
  size_t tag = markup.empty() ? 0 : static_cast<size_t>((dice >> 20) % markup.size());
  while (out.size() < size) {
    for (size_t i = 0; i < kMarkupLines && !markup.empty(); ++i) {
      out += markup[tag];
      if (++tag == markup.size()) tag = 0;
    }
    for (size_t i = 0; i < kProseLines; ++i) {
      out += prose[at];
      at += stride;
      if (at >= prose.size()) at -= prose.size();
    }
  }
}

void MessageMaker::Content(const MessageId& id, std::string& out) const {
  const std::string token = Token(id);
  const uint64_t dice = Mix(id.number ^ static_cast<uint64_t>(run_) << 32);
  out.clear();
  out.reserve(shape_.size + kLongestLine + 2);
  Append(out, "X-Rig-Token: ", token, "\r\nFrom: Harbour Shop <", shape_.from, ">\r\nTo: u",
         id.number, "-0@d", id.number * shape_.recipients % shape_.domains, shape_.domain_suffix,
         "\r\nSubject: Notes from the pier, no. ", dice % 100'000, "\r\nMessage-ID: <", token, "@",
         SplitAddress(shape_.from).domain,
         ">\r\nMIME-Version: 1.0\r\nContent-Type: text/html; "
         "charset=us-ascii\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
  AppendArticles(dice, std::min(shape_.size, kMostText), out);
  // Mail larger than that is large by a picture or an attachment.
  const auto& picture = corpus_.picture;
  for (size_t at = dice % kPictureLines; out.size() < shape_.size; at = (at + 1) % kPictureLines) {
    out += picture[at];
  }
  out.resize(shape_.size - 2);
  // A cut right behind a CR would leave a bare one.
  if (out.back() == '\r') out.back() = ' ';
  out += "\r\n";
}

double MessageMaker::CompressionRatio(int samples) const {
  std::string content;
  std::vector<char> compressed(
      static_cast<size_t>(LZ4_compressBound(static_cast<int>(shape_.size))));
  double before = 0;
  double after = 0;
  for (int i = 0; i < samples; ++i) {
    Content({static_cast<uint64_t>(i) * 7919, FromMicros(1'800'000'000'000'000 + i)}, content);
    const int size =
        LZ4_compress_default(content.data(), compressed.data(), static_cast<int>(content.size()),
                             static_cast<int>(compressed.size()));
    before += static_cast<double>(content.size());
    after += std::min(static_cast<double>(size), static_cast<double>(content.size()));
  }
  return before / after;
}

absl::StatusOr<Corpus> ReadCorpus(const std::string& directory) {
  std::error_code error;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().extension() == ".eml") paths.push_back(entry.path());
  }
  if (error || paths.empty()) {
    return absl::NotFoundError(Cat("no *.eml in ", directory, "; name the corpus with --corpus"));
  }
  std::sort(paths.begin(), paths.end());
  Corpus corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    std::string line;
    bool body = false;
    while (std::getline(file, line)) {
      if (line.ends_with('\r')) line.pop_back();
      body = body || line.empty();
      if (!body || !FitsBody(line)) continue;
      if (IsMarkup(line)) {
        corpus.markup.push_back(line);
      } else if (IsProse(line)) {
        corpus.prose.push_back(line);
      }
    }
  }
  // Text that stands in two mails would come twice in one.
  std::sort(corpus.prose.begin(), corpus.prose.end());
  corpus.prose.erase(std::unique(corpus.prose.begin(), corpus.prose.end()), corpus.prose.end());
  return corpus;
}

std::vector<std::string> RandomLines(size_t count, uint64_t seed) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::mt19937_64 random(seed);
  std::vector<std::string> lines(count, std::string(76, ' '));
  for (std::string& line : lines) {
    for (char& c : line) c = kAlphabet[random() % kAlphabet.size()];
  }
  return lines;
}

}  // namespace sluice::rig
