#include "rig/dot_scanner.h"

#include <bit>

#include "rig/content.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sluice::rig {
namespace {

size_t FindDotLineScalar(std::string_view bytes, size_t from) {
  const size_t found = bytes.find("\r\n.", from);
  return found == std::string_view::npos ? found : found + 2;
}

}  // namespace

size_t FindDotLine(std::string_view bytes) {
  size_t at = 0;
#if defined(__SSE2__)
  // Sixteen positions a turn: a newline with a dot right behind it is rare in mail.
  const __m128i newline = _mm_set1_epi8('\n');
  const __m128i dot = _mm_set1_epi8('.');
  for (; at + 17 <= bytes.size(); at += 16) {
    const char* p = bytes.data() + at;
    const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i next = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 1));
    const __m128i both = _mm_and_si128(_mm_cmpeq_epi8(here, newline), _mm_cmpeq_epi8(next, dot));
    for (auto mask = static_cast<unsigned>(_mm_movemask_epi8(both)); mask != 0; mask &= mask - 1) {
      const size_t lf = at + static_cast<size_t>(std::countr_zero(mask));
      if (lf > 0 && bytes[lf - 1] == '\r') return lf + 1;
    }
  }
#endif
  return FindDotLineScalar(bytes, at > 0 ? at - 1 : 0);
}

DotScanner::State DotScanner::StateAfter(std::string_view text) const {
  if (text.ends_with("\r\n")) return State::kLineStart;
  return text.ends_with('\r') ? State::kCr : State::kText;
}

size_t DotScanner::FeedText(std::string_view bytes, Content& content) {
  const size_t dot = FindDotLine(bytes);
  if (dot == std::string_view::npos) {
    content.Add(bytes);
    state_ = StateAfter(bytes);
    return bytes.size();
  }
  content.Add(bytes.substr(0, dot));
  state_ = State::kDot;
  return dot + 1;
}

size_t DotScanner::Feed(std::string_view bytes, Content& content) {
  size_t at = 0;
  while (at < bytes.size() && state_ != State::kDone) {
    const char c = bytes[at];
    switch (state_) {
      case State::kLineStart:
        if (c == '.') ++at;
        state_ = c == '.' ? State::kDot : State::kText;
        break;
      case State::kText:
        at += FeedText(bytes.substr(at), content);
        break;
      case State::kCr:
        if (c == '\n') content.Add(bytes.substr(at++, 1));
        state_ = c == '\n' ? State::kLineStart : State::kText;
        break;
      case State::kDot:
        if (c == '\r') ++at;
        state_ = c == '\r' ? State::kDotCr : State::kText;
        break;
      case State::kDotCr:
        if (c == '\n') ++at;
        if (c != '\n') content.Add("\r");
        state_ = c == '\n' ? State::kDone : State::kText;
        break;
      case State::kDone:
        break;
    }
  }
  return at;
}

}  // namespace sluice::rig
