// Sixty-four bytes of JSON in registers of x86-64.
#pragma once

#include <socketless/kernels/detect.hpp>
#include <socketless/kernels/json_outline.hpp>

#ifdef SOCKETLESS_SSE2

#include <emmintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::sse2 {

/// See kernels::json_masks.
class json {
public:
    [[nodiscard]] static json_masks load(char const* p) noexcept {
        quarter const a(p);
        quarter const b(p + 16);
        quarter const c(p + 32);
        quarter const d(p + 48);
        auto const all = [&](auto question) {
            return std::uint64_t{question(a)} | std::uint64_t{question(b)} << 16u | std::uint64_t{question(c)} << 32u |
                   std::uint64_t{question(d)} << 48u;
        };
        json_masks masks{all(&quarter_quotes), all(&quarter_ends), 0, 0};
        if (any(_mm_or_si128(_mm_or_si128(a.backslashes(), b.backslashes()),
                             _mm_or_si128(c.backslashes(), d.backslashes()))))
            masks.backslashes = all([](quarter const& q) { return bits(q.backslashes()); });
        if (any(control(lesser(lesser(a.bytes, b.bytes), lesser(c.bytes, d.bytes)))))
            masks.controls = all([](quarter const& q) { return bits(control(q.bytes)); });
        return masks;
    }

    [[nodiscard]] static json_nesting load_nesting(char const* p) noexcept {
        json_nesting found{0, 0, 0, 0};
        for (std::size_t const at : {0u, 16u, 32u, 48u}) add(found, p, at);
        return found;
    }

    /// Precondition: `n` is at least 16 and less than 64.
    [[nodiscard]] static json_nesting load_short_nesting(char const* p, std::size_t n) noexcept {
        json_nesting found{0, 0, 0, 0};
        std::size_t const last = n - 16;
        for (std::size_t at = 0; at < last; at += 16) add(found, p, at);
        add(found, p, last);
        return found;
    }

    /// The same.
    [[nodiscard]] static json_masks load_short(char const* p, std::size_t n) noexcept {
        std::size_t const last = n - 16; // the quarters overlap where they would reach behind the end
        std::size_t const second = std::min<std::size_t>(16, last);
        json_masks masks{0, 0, 0, 0};
        __m128i rare = add(masks, p, 0);
        rare = _mm_or_si128(rare, add(masks, p, second));
        if (n > 32) {
            rare = _mm_or_si128(rare, add(masks, p, std::min<std::size_t>(32, last)));
            rare = _mm_or_si128(rare, add(masks, p, last));
        }
        if (any(rare)) [[unlikely]] {
            for (std::size_t const at : {std::size_t{0}, second, std::min<std::size_t>(32, last), last}) {
                quarter const q(p + at);
                masks.backslashes |= std::uint64_t{bits(q.backslashes())} << at;
                masks.controls |= std::uint64_t{bits(control(q.bytes))} << at;
            }
        }
        return masks;
    }

private:
    struct quarter {
        explicit quarter(char const* p) noexcept : bytes(_mm_loadu_si128(reinterpret_cast<__m128i const*>(p))) {}

        [[nodiscard]] __m128i backslashes() const noexcept { return _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\')); }

        __m128i bytes;
    };

    static void add(json_nesting& found, char const* p, std::size_t at) noexcept {
        quarter const q(p + at);
        __m128i const lower = _mm_or_si128(q.bytes, _mm_set1_epi8(0x20)); // makes '[' a '{', and ']' a '}'
        found.quotes |= std::uint64_t{quarter_quotes(q)} << at;
        found.opening |= std::uint64_t{bits(_mm_cmpeq_epi8(lower, _mm_set1_epi8('{')))} << at;
        found.closing |= std::uint64_t{bits(_mm_cmpeq_epi8(lower, _mm_set1_epi8('}')))} << at;
        found.backslashes |= std::uint64_t{bits(q.backslashes())} << at;
    }

    // Adds the quotes and ends of a quarter, and returns what else there is.
    static __m128i add(json_masks& masks, char const* p, std::size_t at) noexcept {
        quarter const q(p + at);
        masks.quotes |= std::uint64_t{quarter_quotes(q)} << at;
        masks.ends |= std::uint64_t{quarter_ends(q)} << at;
        return _mm_or_si128(q.backslashes(), control(q.bytes));
    }

    static std::uint32_t bits(__m128i found) noexcept { return static_cast<std::uint32_t>(_mm_movemask_epi8(found)); }
    static bool any(__m128i found) noexcept { return bits(found) != 0; }
    static __m128i control(__m128i bytes) noexcept { return _mm_cmpeq_epi8(lesser(bytes, _mm_set1_epi8(0x1f)), bytes); }
    static __m128i lesser(__m128i a, __m128i b) noexcept {
        return _mm_min_epu8(a, b); // NOLINT(portability-simd-intrinsics): as in sse2_block.hpp
    }
    static std::uint32_t quarter_quotes(quarter const& q) noexcept {
        return bits(_mm_cmpeq_epi8(q.bytes, _mm_set1_epi8('"')));
    }
    static std::uint32_t quarter_ends(quarter const& q) noexcept {
        __m128i const lower = _mm_or_si128(q.bytes, _mm_set1_epi8(0x20)); // makes ']' a '}'
        return bits(
            _mm_or_si128(_mm_cmpeq_epi8(lower, _mm_set1_epi8('}')), _mm_cmpeq_epi8(q.bytes, _mm_set1_epi8(','))));
    }
};

} // namespace socketless::inline v0::kernels::sse2

#include <socketless/core/detail/epilogue.hpp>

#endif
