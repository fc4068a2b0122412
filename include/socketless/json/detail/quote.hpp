// Strings as JSON.stringify writes them: between quotes, with escapes where there must be some.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/kernels/block.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

// What some bytes of a string hold besides ASCII that stands for itself: what needs an escape, and what is not ASCII.
template <class Block>
struct contents {
    using lanes = decltype(std::declval<Block>().specials());

    contents() noexcept = default; // no bytes
    explicit contents(Block b) noexcept : specials(b.specials()), beyond_ascii(b.non_ascii()) {}

    lanes specials;
    lanes beyond_ascii;
};

template <class Word>
Word load_word(char const* p) noexcept {
    Word loaded;
    std::memcpy(&loaded, p, sizeof loaded);
    return loaded;
}

// Copies less than eight bytes, at least one, and says what they hold.
template <class Block>
SOCKETLESS_ALWAYS_INLINE contents<Block> copy_few(char const* p, std::size_t size, char* out) noexcept {
    if (size >= 4) {
        auto const first = load_word<std::uint32_t>(p);
        auto const last = load_word<std::uint32_t>(p + size - 4);
        std::memcpy(out, &first, sizeof first);
        std::memcpy(out + size - 4, &last, sizeof last);
        return contents<Block>(Block::fill(first | std::uint64_t{last} << 32u));
    }
    auto const byte = [p](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(p[i])}; };
    std::uint64_t const all = byte(0) | byte(size / 2) << 8u | byte(size - 1) << 16u;
    char const middle = p[size / 2];
    char const last = p[size - 1];
    out[0] = p[0];
    out[size / 2] = middle;
    out[size - 1] = last;
    return contents<Block>(Block::fill(all | 0x2020'2020'2000'0000u));
}

// Copies `size` bytes, and says what they hold. Not for long strings: it does not stop at the first special.
template <class Block = kernels::block>
SOCKETLESS_ALWAYS_INLINE contents<Block> copy_short(char const* p, std::size_t size, char* out) noexcept {
    if (size >= Block::size) {
        auto const copy = [](char const* from, char* to) {
            auto const b = Block::load(from);
            b.store(to);
            return b;
        };
        std::size_t const last = size - Block::size;
        contents<Block> holds(copy(p + last, out + last));
        for (std::size_t i = 0; i < last; i += Block::size) {
            contents<Block> const more(copy(p + i, out + i));
            holds.specials = holds.specials | more.specials;
            holds.beyond_ascii = holds.beyond_ascii | more.beyond_ascii;
        }
        return holds;
    }
    if constexpr (Block::size > 8) {
        if (size >= 8) {
            auto const first = load_word<std::uint64_t>(p);
            auto const last = load_word<std::uint64_t>(p + size - 8);
            std::memcpy(out, &first, sizeof first);
            std::memcpy(out + size - 8, &last, sizeof last);
            return contents<Block>(Block::pair(first, last));
        }
    }
    return size == 0 ? contents<Block>() : copy_few<Block>(p, size, out);
}

// ECMAScript's QuoteJSONString: a short escape if there is one, otherwise \u00XX in lower case. Returns the end of what
// it has written: at most longest_escape bytes.
inline constexpr std::size_t longest_escape = 6;

constexpr char* write_escape(char c, char* out) noexcept {
    constexpr std::string_view letters = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu"; // of the control characters
    *out++ = '\\';
    char const letter = c < 0x20 ? letters[static_cast<std::size_t>(c)] : c;
    *out++ = letter;
    if (letter != 'u') return out;
    *out++ = '0';
    *out++ = '0';
    *out++ = c < 0x10 ? '0' : '1';
    *out++ = "0123456789abcdef"[c & 0xf];
    return out;
}

// Whether `c` is what a string does not hold as itself.
constexpr bool needs_escape(char c) noexcept {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

// Writes whole blocks with escapes, and moves `p` behind them.
template <class Block = kernels::block>
char* copy_escaped_blocks(char const*& p, char const* end, char* out) noexcept {
    while (static_cast<std::size_t>(end - p) >= Block::size) {
        auto const b = Block::load(p);
        b.store(out); // what follows writes over what is not plain
        auto const specials = b.specials();
        std::size_t const plain = specials.first();
        out += plain;
        p += plain;
        if (specials.any()) out = write_escape(*p++, out);
    }
    return out;
}

// Writes all from `p` to `end` with escapes. Room for longest_escape bytes each.
constexpr char* copy_escaped(char const* p, char const* end, char* out) noexcept {
    if (!core_detail::prefers_small_code && !std::is_constant_evaluated()) out = copy_escaped_blocks(p, end, out);
    for (; p != end; ++p) {
        if (needs_escape(*p))
            out = write_escape(*p, out);
        else
            *out++ = *p;
    }
    return out;
}

// GCC warns of what stands behind an array that is shorter, and is never read.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Warray-bounds"
#endif
// Whether a literal starts with as many plain characters, or is all plain if it is shorter. Without a loop: compilers
// know the answer.
template <std::size_t... I>
SOCKETLESS_ALWAYS_INLINE constexpr bool is_plain_start(char const* p, std::size_t size,
                                                       std::index_sequence<I...> /*which*/) noexcept {
    return ((I >= size || is_plain(p[I])) && ...);
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

// Whether the compiler knows this key, that it is plain, and that it is not "_placeholder".
SOCKETLESS_ALWAYS_INLINE constexpr bool is_plain_literal([[maybe_unused]] std::string_view name) noexcept {
#if defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__)
    constexpr std::size_t longest = 16;
    std::size_t const size = name.size();
    char const* const p = name.data();
    bool const is_plain =
        size != 0 && size <= longest && *p != '_' && is_plain_start(p, size, std::make_index_sequence<longest>());
    return !std::is_constant_evaluated() && __builtin_constant_p(size) != 0 && __builtin_constant_p(is_plain) != 0 &&
           is_plain;
#else
    return false;
#endif
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
