// Sixteen bytes in a register of x86-64.
#pragma once

#include <socketless/kernels/detect.hpp>

#ifdef SOCKETLESS_SSE2

#include <emmintrin.h>

#include <bit>
#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::sse2 {

/// See kernels::scalar::lanes.
class lanes {
public:
    lanes() noexcept = default;
    explicit lanes(std::uint32_t bits) noexcept : bits_(bits) {}

    [[nodiscard]] bool any() const noexcept { return bits_ != 0; }
    [[nodiscard]] std::size_t first() const noexcept {
        return static_cast<std::size_t>(std::countr_zero(bits_ | 1u << 16u)); // a bit behind the last lane
    }
    [[nodiscard]] lanes operator|(lanes other) const noexcept { return lanes(bits_ | other.bits_); }

private:
    std::uint32_t bits_ = 0;
};

/// See kernels::scalar::block.
class block {
public:
    static constexpr std::size_t size = 16;

    [[nodiscard]] static block load(char const* p) noexcept {
        return block(_mm_loadu_si128(reinterpret_cast<__m128i const*>(p)));
    }
    [[nodiscard]] static block fill(std::uint64_t bytes) noexcept { return pair(bytes, bytes); }
    /// The bytes of one word behind those of another.
    [[nodiscard]] static block pair(std::uint64_t first, std::uint64_t second) noexcept {
        return block(_mm_set_epi64x(static_cast<long long>(second), static_cast<long long>(first)));
    }
    [[nodiscard]] static block repeat(std::uint32_t key) noexcept {
        return block(_mm_set1_epi32(static_cast<std::int32_t>(key)));
    }
    void store(char* p) const noexcept { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes_); }

    [[nodiscard]] friend block operator|(block a, block b) noexcept { return block(_mm_or_si128(a.bytes_, b.bytes_)); }
    [[nodiscard]] friend block operator^(block a, block b) noexcept { return block(_mm_xor_si128(a.bytes_, b.bytes_)); }

    [[nodiscard]] lanes specials() const noexcept {
        __m128i const quotes = _mm_cmpeq_epi8(bytes_, _mm_set1_epi8('"'));
        __m128i const backslashes = _mm_cmpeq_epi8(bytes_, _mm_set1_epi8('\\'));
        return all_of(_mm_or_si128(_mm_or_si128(quotes, backslashes), up_to(bytes_, 0x1f)));
    }
    [[nodiscard]] lanes non_ascii() const noexcept { return all_of(bytes_); }

private:
    explicit block(__m128i bytes) noexcept : bytes_(bytes) {}

    static __m128i up_to(__m128i bytes, char highest) noexcept {
        // NOLINTNEXTLINE(portability-simd-intrinsics): it would have us use a library that most compilers do not have
        return _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(highest)), bytes);
    }
    static lanes all_of(__m128i high_bits) noexcept {
        return lanes(static_cast<std::uint32_t>(_mm_movemask_epi8(high_bits)));
    }

    __m128i bytes_;
};

} // namespace socketless::inline v0::kernels::sse2

#include <socketless/core/detail/epilogue.hpp>

#endif
