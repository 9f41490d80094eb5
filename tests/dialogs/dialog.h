// A dialog file, read: see README.md for its lines. Knows their form, not what they do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace sluice::dialogs {

struct Line {
  int number = 0;    // in the file, from 1
  std::string verb;  // "open", "expect"…; in a script "S", "R", "C" or the word after '!'
  std::string rest;  // what follows, unescaped only where the reader says so
};

struct Dialog {
  std::string name;
  std::vector<Line> client;
  std::vector<std::vector<Line>> connections;
};

// `path` of a file; InvalidArgument names line and fault.
absl::StatusOr<Dialog> ReadDialog(const std::string& path);

// \r \n \t \\ \xNN.
std::string Unescape(std::string_view text);
// Words by blanks; a word may be in double quotes.
std::vector<std::string> Words(std::string_view text);

}  // namespace sluice::dialogs
