// The kernels for long texts, in AVX2. Each is a whole loop: it cannot be inlined where the compiler may not assume
// AVX2.
#pragma once

#include <socketless/kernels/avx2_bytes.hpp>
#include <socketless/kernels/block.hpp>
#include <socketless/kernels/blocks.hpp>
#include <socketless/kernels/detect.hpp>
#include <socketless/kernels/utf8_tables.hpp>

#ifdef SOCKETLESS_AVX2

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::avx2 {

// Which of the 32 bytes at `p` are wrong after the three before them: not 0 in these.
SOCKETLESS_AVX2_INLINE inline bytes utf8_errors(char const* p) noexcept {
    static constexpr auto first_high = twice(utf8_pairs::first_high);
    static constexpr auto first_low = twice(utf8_pairs::first_low);
    static constexpr auto second_high = twice(utf8_pairs::second_high);
    bytes const first = load(p - 1);
    bytes const wrong = look_up(load(first_high), high_halves(first)) & look_up(load(first_low), low_halves(first)) &
                        look_up(load(second_high), high_halves(load(p)));
    // Two continuations are right, and needed, two bytes behind a lead of three or four, and three behind one of four.
    bytes const continued = beyond(load(p - 2), 0xe0 - 0x80) | beyond(load(p - 3), 0xf0 - 0x80);
    return wrong ^ (continued & utf8_pairs::two_continuations);
}

// The same where nothing is before them.
SOCKETLESS_AVX2_INLINE inline bytes first_utf8_errors(char const* p) noexcept {
    std::array<char, 2 * width> padded{};
    std::memcpy(padded.data() + width, p, width);
    return utf8_errors(padded.data() + width);
}

/// The least that `valid_utf8` takes.
inline constexpr std::size_t shortest_utf8 = 2 * width + 3;

/// The size of a prefix that is UTF-8: all of it, or up to the sequence that reaches into the 64
/// bytes with the first error.
SOCKETLESS_AVX2_KERNEL inline std::size_t valid_utf8(char const* p, std::size_t size) noexcept {
    std::size_t i = 0;
    while (true) {
        // ASCII, and before it no sequence that goes on.
        while (size - i >= 4 * width &&
               high_bits(load(p + i) | load(p + i + width) | load(p + i + 2 * width) | load(p + i + 3 * width)) == 0)
            i += 4 * width;
        while (size - i >= width && high_bits(load(p + i)) == 0) i += width;
        if (size - i < width) {
            if (high_bits(load(p + size - width)) == 0) return size;
            break;
        }

        // Until there are 64 bytes of ASCII.
        bytes wrong = i == 0 ? first_utf8_errors(p) : utf8_errors(p + i);
        if (meet(wrong, wrong)) return i;
        i += width;
        bool is_ascii = false;
        for (; !is_ascii && size - i >= 2 * width; i += 2 * width) {
            wrong = utf8_errors(p + i) | utf8_errors(p + i + width);
            if (meet(wrong, wrong)) return utf8_pairs::whole(p, i);
            is_ascii = high_bits(load(p + i) | load(p + i + width)) == 0;
        }
        if (!is_ascii) break;
    }
    // Less than 64 bytes are left.
    char const* const last = p + size - 2 * width;
    if (bytes const wrong = utf8_errors(last) | utf8_errors(last + width); meet(wrong, wrong))
        return utf8_pairs::whole(p, i);
    return utf8_pairs::whole(p, size);
}

SOCKETLESS_AVX2_INLINE inline bytes specials(bytes b) noexcept {
    return reinterpret_cast<bytes>((b == '"') | (b == '\\') | (b < 0x20));
}

SOCKETLESS_AVX2_KERNEL inline char const* find_special(char const* p, char const* end) noexcept {
    if (static_cast<std::size_t>(end - p) < width) return blocks::find_special<block>(p, end);
    for (; static_cast<std::size_t>(end - p) > 2 * width; p += 2 * width) {
        bytes const first = specials(load(p));
        bytes const second = specials(load(p + width));
        if (high_bits(first | second) == 0) continue;
        auto const both = std::uint64_t{high_bits(second)} << width | high_bits(first);
        return p + std::countr_zero(both);
    }
    char const* const last = end - width;
    if (p < last)
        if (auto const found = high_bits(specials(load(p))); found != 0) return p + std::countr_zero(found);
    return last + std::countr_zero(high_bits(specials(load(last)))); // 32 if there is none
}

SOCKETLESS_AVX2_KERNEL inline void mask(char* p, std::size_t size, std::uint32_t key) noexcept {
    if (size < width) return blocks::mask<block>(p, size, key);
    using keys = std::uint32_t __attribute__((vector_size(32)));
    auto const repeated = reinterpret_cast<bytes>(keys{} + key);
    // Twice would be not at all: the last bytes are read before the others are written.
    std::size_t const last = size - width;
    bytes const masked = load(p + last) ^ reinterpret_cast<bytes>(keys{} + blocks::turned(key, last));
    std::size_t i = 0;
    for (; last - i > 3 * width && last > i; i += 4 * width) {
        bytes const a = load(p + i) ^ repeated;
        bytes const b = load(p + i + width) ^ repeated;
        bytes const c = load(p + i + 2 * width) ^ repeated;
        bytes const d = load(p + i + 3 * width) ^ repeated;
        store(a, p + i);
        store(b, p + i + width);
        store(c, p + i + 2 * width);
        store(d, p + i + 3 * width);
    }
    for (; i < last; i += width) store(load(p + i) ^ repeated, p + i);
    store(masked, p + last);
}

} // namespace socketless::inline v0::kernels::avx2

#include <socketless/core/detail/epilogue.hpp>

#endif
