#include "dialogs/dialog.h"

#include <filesystem>
#include <fstream>

#include "base/text.h"

namespace sluice::dialogs {
namespace {

// Takes the line apart; the verb of a script line is its mark.
absl::StatusOr<Line> ReadScriptLine(int number, const std::string& text) {
  if (text.starts_with("! ")) {
    const size_t end = std::min(text.find(' ', 2), text.size());
    return Line{number, text.substr(2, end - 2), end < text.size() ? text.substr(end + 1) : ""};
  }
  const bool has_mark =
      text.size() >= 2 && text[1] == ':' && (text[0] == 'S' || text[0] == 'C' || text[0] == 'R');
  if (!has_mark || (text.size() > 2 && text[2] != ' ')) {
    return absl::InvalidArgumentError(Cat("line ", number, ": neither S:, C:, R: nor !"));
  }
  return Line{number, text.substr(0, 1), text.size() > 3 ? text.substr(3) : ""};
}

Line ReadClientLine(int number, const std::string& text) {
  const size_t end = std::min(text.find(' '), text.size());
  return Line{number, text.substr(0, end), end < text.size() ? text.substr(end + 1) : ""};
}

}  // namespace

absl::StatusOr<Dialog> ReadDialog(const std::string& path) {
  std::ifstream file(path);
  Dialog dialog;
  dialog.name = std::filesystem::path(path).stem().string();
  std::string text;
  for (int number = 1; std::getline(file, text); ++number) {
    if (text == "---") {
      dialog.connections.emplace_back();
    } else if (text.empty() || text.starts_with('#')) {
      continue;
    } else if (dialog.connections.empty()) {
      dialog.client.push_back(ReadClientLine(number, text));
    } else {
      auto line = ReadScriptLine(number, text);
      if (!line.ok()) {
        return line.status();
      }
      dialog.connections.back().push_back(*std::move(line));
    }
  }
  if (dialog.client.empty() || dialog.connections.empty()) {
    return absl::InvalidArgumentError(Cat(path, ": no actions or no script"));
  }
  return dialog;
}

std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (c == 'x' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c;
    }
  }
  return out;
}

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const bool is_quoted = text.front() == '"';
    const size_t begin = is_quoted ? 1 : 0;
    const size_t end = std::min(text.find(is_quoted ? '"' : ' ', begin), text.size());
    if (end > begin || is_quoted) {
      words.emplace_back(text.substr(begin, end - begin));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

}  // namespace sluice::dialogs
