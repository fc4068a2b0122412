// Sixty-four bytes of JSON in registers of x86-64.
#pragma once

#include <socketless/core/detail/inlining.hpp>
#include <socketless/kernels/detect.hpp>
#include <socketless/kernels/json_outline.hpp>

#ifdef SOCKETLESS_SSE2

#include <emmintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::sse2 {

/// Sixteen bytes of JSON.
class json_quarter {
public:
    explicit json_quarter(char const* p) noexcept : bytes_(_mm_loadu_si128(reinterpret_cast<__m128i const*>(p))) {}

    [[nodiscard]] __m128i bytes() const noexcept { return bytes_; }
    [[nodiscard]] __m128i lower() const noexcept {
        return _mm_or_si128(bytes_, _mm_set1_epi8(0x20)); // makes '[' a '{', and ']' a '}'
    }
    [[nodiscard]] __m128i rare() const noexcept { return _mm_or_si128(equal(bytes_, '\\'), up_to(bytes_, 0x1f)); }

    static std::uint32_t bits(__m128i found) noexcept { return static_cast<std::uint32_t>(_mm_movemask_epi8(found)); }
    static __m128i equal(__m128i bytes, char c) noexcept { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)); }
    static __m128i up_to(__m128i bytes, char highest) noexcept {
        // NOLINTNEXTLINE(portability-simd-intrinsics): as in sse2_block.hpp
        return _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(highest)), bytes);
    }

private:
    __m128i bytes_;
};

/// Up to 64 bytes, in N quarters that may overlap.
template <std::size_t N>
class json_bytes {
public:
    using quarter = json_quarter;

    static json_bytes<4> whole(char const* p) noexcept { return {{p, p + 16, p + 32, p + 48}, {0, 16, 32, 48}}; }
    /// Of 16 to 32 bytes.
    static json_bytes<2> halves(char const* p, std::size_t n) noexcept { return {{p, p + n - 16}, {0, n - 16}}; }
    /// Of 32 to 64 bytes.
    static json_bytes<4> quarters(char const* p, std::size_t n) noexcept {
        std::size_t const last = n - 16;
        std::size_t const third = std::min<std::size_t>(32, last);
        return {{p, p + 16, p + third, p + last}, {0, 16, third, last}};
    }

    json_bytes(std::array<char const*, N> places, std::array<std::size_t, N> at) noexcept : places_(places), at_(at) {}

    [[nodiscard]] SOCKETLESS_ALWAYS_INLINE json_masks masks() const noexcept {
        json_masks found{equal('"'),
                         where([](quarter q) { return quarter::equal(q.lower(), '{'); }),
                         where([](quarter q) { return quarter::equal(q.lower(), '}'); }),
                         equal(','),
                         equal(':'),
                         up_to(0x20),
                         0,
                         0,
                         0};
        __m128i rare = _mm_setzero_si128();
        __m128i all = _mm_setzero_si128();
        for (char const* const p : places_) {
            quarter const q(p);
            rare = _mm_or_si128(rare, q.rare());
            all = _mm_or_si128(all, q.bytes());
        }
        found.non_ascii = quarter::bits(all);
        if (quarter::bits(rare) != 0) [[unlikely]] {
            found.backslashes = equal('\\');
            found.controls = up_to(0x1f);
        }
        return found;
    }

    [[nodiscard]] std::uint64_t quotes() const noexcept { return equal('"'); }
    [[nodiscard]] std::uint64_t commas() const noexcept { return equal(','); }
    /// Whether all of them are ASCII, and neither backslashes nor control characters.
    [[nodiscard]] bool all_plain() const noexcept {
        __m128i odd = _mm_setzero_si128();
        for (char const* const p : places_) {
            quarter const q(p);
            odd = _mm_or_si128(odd, _mm_or_si128(q.rare(), q.bytes()));
        }
        return quarter::bits(odd) == 0;
    }

    [[nodiscard]] json_digits digits() const noexcept {
        auto const is_digit = [](quarter q) {
            // NOLINTNEXTLINE(portability-simd-intrinsics): as in sse2_block.hpp
            return quarter::up_to(_mm_sub_epi8(q.bytes(), _mm_set1_epi8('0')), 9);
        };
        return {where(is_digit), equal('0')};
    }
    [[nodiscard]] json_signs signs() const noexcept { return {equal('-'), equal('.')}; }

    [[nodiscard]] json_nesting nesting() const noexcept {
        return {equal('"'), where([](quarter q) { return quarter::equal(q.lower(), '{'); }),
                where([](quarter q) { return quarter::equal(q.lower(), '}'); }), equal('\\')};
    }

private:
    // One bit for each byte for which `question` has one.
    template <class Question>
    [[nodiscard]] SOCKETLESS_ALWAYS_INLINE std::uint64_t where(Question question) const noexcept {
        std::uint64_t found = quarter::bits(question(quarter(places_[0])));
        for (std::size_t i = 1; i != N; ++i)
            found |= std::uint64_t{quarter::bits(question(quarter(places_[i])))} << at_[i];
        return found;
    }
    [[nodiscard]] SOCKETLESS_ALWAYS_INLINE std::uint64_t equal(char c) const noexcept {
        return where([c](quarter q) { return quarter::equal(q.bytes(), c); });
    }
    [[nodiscard]] SOCKETLESS_ALWAYS_INLINE std::uint64_t up_to(char highest) const noexcept {
        return where([highest](quarter q) { return quarter::up_to(q.bytes(), highest); });
    }

    std::array<char const*, N> places_;
    std::array<std::size_t, N> at_;
};

/// Sixty-four bytes of a text, or what is left of it at its end: they are loaded together with what stands before.
/// Precondition: at least 64 bytes in all.
class json_place {
public:
    json_place(char const* p, char const* end) noexcept
        : before_(64 - std::min<std::size_t>(static_cast<std::size_t>(end - p), 64)),
          bytes_(json_bytes<4>::whole(p - before_)) {}

    [[nodiscard]] SOCKETLESS_ALWAYS_INLINE json_masks masks() const noexcept { return bytes_.masks().from(before_); }
    [[nodiscard]] json_digits digits() const noexcept { return bytes_.digits().from(before_); }
    [[nodiscard]] json_signs signs() const noexcept { return bytes_.signs().from(before_); }

private:
    std::size_t before_;
    json_bytes<4> bytes_;
};

/// See kernels::json_nesting.
struct json {
    [[nodiscard]] static json_nesting load_nesting(char const* p) noexcept { return json_bytes<4>::whole(p).nesting(); }
    /// Precondition: `n` is at least 16 and less than 64.
    [[nodiscard]] static json_nesting load_short_nesting(char const* p, std::size_t n) noexcept {
        return n <= 32 ? json_bytes<2>::halves(p, n).nesting() : json_bytes<4>::quarters(p, n).nesting();
    }
};

} // namespace socketless::inline v0::kernels::sse2

#include <socketless/core/detail/epilogue.hpp>

#endif
