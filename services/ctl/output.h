// How sluicectl writes: aligned columns for people, proto JSON for programs.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace google::protobuf {
class Message;
class Timestamp;
}  // namespace google::protobuf

namespace sluice::ctl {

// What the far side sent, safe for a terminal: control characters become '?'.
std::string Printable(std::string_view text);

// Columns as wide as their widest cell; the last one is not padded.
class Table {
 public:
  explicit Table(std::vector<std::string> head);
  void Add(std::vector<std::string> row);
  bool empty() const { return rows_.size() <= 1; }
  void Print(std::ostream& out) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// snake_case names, defaults included, indented.
void PrintJson(std::ostream& out, const google::protobuf::Message& message);

// "2026-12-01 10:00:00"; "-" when it is not set.
std::string TimeText(bool is_set, const google::protobuf::Timestamp& at);

}  // namespace sluice::ctl
