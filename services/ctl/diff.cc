#include "ctl/diff.h"

#include <cstdint>
#include <vector>

namespace sluice::ctl {
namespace {

using Lines = std::vector<std::string_view>;

// Beyond this the middle part is shown as replaced, which is true too.
constexpr size_t kMostCells = 25'000'000;

Lines Split(std::string_view text) {
  Lines out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

// length[i][j]: longest common subsequence of a[i..] and b[j..].
class Common {
 public:
  Common(const Lines& a, const Lines& b)
      : columns_(b.size() + 1), length_((a.size() + 1) * columns_) {
    for (size_t i = a.size(); i-- > 0;) {
      for (size_t j = b.size(); j-- > 0;) {
        length_[i * columns_ + j] =
            a[i] == b[j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
      }
    }
  }
  uint32_t at(size_t i, size_t j) const { return length_[i * columns_ + j]; }

 private:
  size_t columns_;
  std::vector<uint32_t> length_;
};

class Writer {
 public:
  void Keep(std::string_view line) {
    if (line.empty() || line.front() == ' ') return;
    section_ = line;
    told_ = false;
  }
  void Remove(std::string_view line) { Change('-', line); }
  void Add(std::string_view line) { Change('+', line); }
  std::string Text() && { return std::move(out_); }

 private:
  void Change(char sign, std::string_view line) {
    if (!told_ && !section_.empty() && !line.empty() && line.front() == ' ') {
      out_.append("  ").append(section_).append("\n");
      told_ = true;
    }
    out_ += sign;
    out_ += ' ';
    out_.append(line).append("\n");
  }
  std::string out_;
  std::string_view section_;
  bool told_ = false;
};

}  // namespace

std::string Diff(std::string_view before, std::string_view after) {
  Lines a = Split(before), b = Split(after);
  Writer writer;
  size_t begin = 0;
  while (begin < a.size() && begin < b.size() && a[begin] == b[begin]) writer.Keep(a[begin++]);
  while (a.size() > begin && b.size() > begin && a.back() == b.back()) {
    a.pop_back();
    b.pop_back();
  }
  a.erase(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(begin));
  b.erase(b.begin(), b.begin() + static_cast<std::ptrdiff_t>(begin));
  if ((a.size() + 1) * (b.size() + 1) > kMostCells) {
    for (const std::string_view line : a) writer.Remove(line);
    for (const std::string_view line : b) writer.Add(line);
    return std::move(writer).Text();
  }
  const Common common(a, b);
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      writer.Keep(a[i]);
      ++i, ++j;
    } else if (j == b.size() || (i < a.size() && common.at(i + 1, j) >= common.at(i, j + 1))) {
      writer.Remove(a[i++]);
    } else {
      writer.Add(b[j++]);
    }
  }
  return std::move(writer).Text();
}

}  // namespace sluice::ctl
