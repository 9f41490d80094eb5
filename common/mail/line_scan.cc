#include "mail/line_scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace sluice {
namespace {

constexpr size_t kBlock = 64;

// Bit i tells about byte i of a block.
struct Masks {
  uint64_t cr = 0;
  uint64_t lf = 0;
  uint64_t nul = 0;
  uint64_t high = 0;
};

#ifdef __SSE2__
inline Masks MasksOf(const char* block) {
  const __m128i cr = _mm_set1_epi8('\r');
  const __m128i lf = _mm_set1_epi8('\n');
  const __m128i nul = _mm_setzero_si128();
  const auto bits = [](__m128i x) {
    return static_cast<uint64_t>(static_cast<uint32_t>(_mm_movemask_epi8(x)));
  };
  Masks masks;
  for (unsigned part = 0; part < kBlock / 16; ++part) {
    const __m128i bytes =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + size_t{16} * part));
    masks.cr |= bits(_mm_cmpeq_epi8(bytes, cr)) << (16 * part);
    masks.lf |= bits(_mm_cmpeq_epi8(bytes, lf)) << (16 * part);
    masks.nul |= bits(_mm_cmpeq_epi8(bytes, nul)) << (16 * part);
    masks.high |= bits(bytes) << (16 * part);
  }
  return masks;
}
#else
inline Masks MasksOf(const char* block) {
  Masks masks;
  for (unsigned i = 0; i < kBlock; ++i) {
    const auto byte = static_cast<unsigned char>(block[i]);
    masks.cr |= static_cast<uint64_t>(byte == '\r') << i;
    masks.lf |= static_cast<uint64_t>(byte == '\n') << i;
    masks.nul |= static_cast<uint64_t>(byte == 0) << i;
    masks.high |= static_cast<uint64_t>(byte >> 7) << i;
  }
  return masks;
}
#endif

class Scanner {
 public:
  explicit Scanner(size_t longest_line) : longest_line_(longest_line) {}

  // False once there is a problem.
  bool Block(const Masks& masks, size_t offset) {
    high_ |= masks.high;
    if (masks.nul != 0) return Fail(LineProblem::kNul, offset + First(masks.nul));
    // Each LF must stand right after a CR, and after each CR an LF.
    const uint64_t after_cr = masks.cr << 1 | cr_before_;
    if (const uint64_t wrong = masks.lf ^ after_cr; wrong != 0) {
      const size_t at = offset + First(wrong);
      return (masks.lf & wrong & -wrong) != 0 ? Fail(LineProblem::kBareLf, at)
                                              : Fail(LineProblem::kBareCr, at - 1);
    }
    cr_before_ = masks.cr >> (kBlock - 1);
    for (uint64_t lf = masks.lf; lf != 0; lf &= lf - 1) {
      const size_t next = offset + First(lf) + 1;
      if (next - line_begin_ > longest_line_ + 2) return Fail(LineProblem::kLongLine, line_begin_);
      line_begin_ = next;
    }
    return true;
  }

  LineScan End(size_t size) {
    if (scan_.problem == LineProblem::kNone && size - line_begin_ > longest_line_) {
      Fail(LineProblem::kLongLine, line_begin_);
    }
    scan_.has_8bit = high_ != 0;
    return scan_;
  }

 private:
  static size_t First(uint64_t mask) { return static_cast<size_t>(std::countr_zero(mask)); }
  bool Fail(LineProblem problem, size_t at) {
    scan_.problem = problem;
    scan_.at = at;
    return false;
  }

  size_t longest_line_;
  uint64_t cr_before_ = 0;  // 1 when the block before ended with CR.
  uint64_t high_ = 0;
  size_t line_begin_ = 0;
  LineScan scan_;
};

}  // namespace

LineScan ScanLines(std::string_view bytes, size_t longest_line) {
  Scanner scanner(longest_line);
  const size_t whole = bytes.size() - bytes.size() % kBlock;
  for (size_t offset = 0; offset < whole; offset += kBlock) {
    if (!scanner.Block(MasksOf(bytes.data() + offset), offset)) return scanner.End(bytes.size());
  }
  // Padding with blanks also turns a CR at the very end into a bare one.
  std::array<char, kBlock> last;
  last.fill(' ');
  std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(whole), bytes.end(), last.begin());
  scanner.Block(MasksOf(last.data()), whole);
  return scanner.End(bytes.size());
}

size_t LineNumber(std::string_view bytes, size_t at) {
  return 1 + static_cast<size_t>(
                 std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

}  // namespace sluice
