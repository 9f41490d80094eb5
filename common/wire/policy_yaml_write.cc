#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"
#include "base/text.h"
#include "sluice/v1/policy.pb.h"
#include "wire/policy_yaml.h"

namespace sluice::wire {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool IsPlainChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_' || c == '.' || c == '/' || c == '@' || c == '+';
}

// Words that YAML takes for something else than themselves.
bool IsTakenWord(std::string_view text) {
  for (const std::string_view word :
       {"null", "Null", "NULL", "true", "True", "false", "False", "yes", "no"}) {
    if (text == word) return true;
  }
  return false;
}

void AppendScalar(std::string& out, std::string_view text) {
  const bool plain = !text.empty() && text.front() != '-' && text.front() != '@' &&
                     !IsTakenWord(text) && std::all_of(text.begin(), text.end(), IsPlainChar);
  if (plain) {
    out.append(text);
    return;
  }
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void AppendMessage(std::string& out, const Message& message);

// Element `index` of a repeated field, or the field itself with -1.
void AppendValue(std::string& out, const Message& message, const FieldDescriptor& field,
                 int index) {
  const auto& r = *message.GetReflection();
  const bool one = index < 0;
  std::string scratch;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return AppendMessage(
          out, one ? r.GetMessage(message, &field) : r.GetRepeatedMessage(message, &field, index));
    case FieldDescriptor::CPPTYPE_STRING:
      return AppendScalar(out,
                          one ? r.GetStringReference(message, &field, &scratch)
                              : r.GetRepeatedStringReference(message, &field, index, &scratch));
    case FieldDescriptor::CPPTYPE_BOOL:
      return Append(out, r.GetBool(message, &field));
    case FieldDescriptor::CPPTYPE_INT32:
      return Append(out, r.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return Append(out, r.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Append(out, r.GetDouble(message, &field));
    default:
      SLUICE_CHECK(!"a kind of field that the policy has not had before");
  }
}

// Maps have no order of their own; by name, so that equal policies read equal.
void AppendMap(std::string& out, const Message& message, const FieldDescriptor& field) {
  const auto& r = *message.GetReflection();
  std::vector<std::pair<std::string, std::string>> entries;
  for (int i = 0; i < r.FieldSize(message, &field); ++i) {
    const Message& entry = r.GetRepeatedMessage(message, &field, i);
    std::string key, value;
    AppendValue(key, entry, *field.message_type()->map_key(), -1);
    AppendValue(value, entry, *field.message_type()->map_value(), -1);
    entries.emplace_back(std::move(key), std::move(value));
  }
  std::sort(entries.begin(), entries.end());
  out += '{';
  for (size_t i = 0; i < entries.size(); ++i) {
    Append(out, i == 0 ? "" : ", ", entries[i].first, ": ", entries[i].second);
  }
  out += '}';
}

void AppendField(std::string& out, const Message& message, const FieldDescriptor& field) {
  if (field.is_map()) return AppendMap(out, message, field);
  if (!field.is_repeated()) return AppendValue(out, message, field, -1);
  out += '[';
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    out += i == 0 ? "" : ", ";
    AppendValue(out, message, field, i);
  }
  out += ']';
}

std::vector<const FieldDescriptor*> FieldsOf(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return fields;
}

void AppendMessage(std::string& out, const Message& message) {
  out += '{';
  bool first = true;
  for (const FieldDescriptor* field : FieldsOf(message)) {
    Append(out, first ? "" : ", ", field->name(), ": ");
    AppendField(out, message, *field);
    first = false;
  }
  out += '}';
}

}  // namespace

std::string WritePolicyYaml(const v1::Policy& policy) {
  std::string out;
  for (const FieldDescriptor* field : FieldsOf(policy)) {
    Append(out, field->name(), ":");
    if (!field->is_repeated()) {
      out += ' ';
      AppendField(out, policy, *field);
      out += '\n';
      continue;
    }
    out += '\n';
    for (int i = 0; i < policy.GetReflection()->FieldSize(policy, field); ++i) {
      out += "  - ";
      AppendValue(out, policy, *field, i);
      out += '\n';
    }
  }
  return out;
}

}  // namespace sluice::wire
