// Where the strings of a JSON text are, and where its values end: for 64 bytes at once, one bit for each byte, the
// lowest for the first. What does it is made of this and of the few instructions that differ between machines.
#pragma once

#include <socketless/core/detail/inlining.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels {

/// Which of 64 bytes are what, wherever they stand.
struct json_masks {
    std::uint64_t quotes;
    /// Commas, closing brackets and closing braces.
    std::uint64_t ends;
    std::uint64_t backslashes;
    /// Those below 0x20.
    std::uint64_t controls;

    /// Those of the bytes from `n` on.
    [[nodiscard]] json_masks from(std::size_t n) const noexcept {
        return {quotes >> n, ends >> n, backslashes >> n, controls >> n};
    }
};

/// Which of 64 bytes are what, to find where a container ends.
struct json_nesting {
    std::uint64_t quotes;
    std::uint64_t opening;
    std::uint64_t closing;
    std::uint64_t backslashes;

    /// Those of the bytes from `n` on.
    [[nodiscard]] json_nesting from(std::size_t n) const noexcept {
        return {quotes >> n, opening >> n, closing >> n, backslashes >> n};
    }
};

/// What is found in 64 bytes, given those before them.
struct json_words {
    /// Commas and closing brackets outside of strings, and closing quotes with none of those directly behind them.
    std::uint64_t marks;
    /// Backslashes that begin an escape.
    std::uint64_t escapes;
};

/// How far strings were followed.
class json_strings {
public:
    /// Whether a control character was in a string, or a backslash outside.
    [[nodiscard]] bool wrong() const noexcept { return wrong_ != 0; }
    /// Whether there were escapes.
    [[nodiscard]] bool escapes() const noexcept { return any_escapes_ != 0; }
    void forget_escapes() noexcept { any_escapes_ = 0; }

    /// Takes the quotes and backslashes of the next 64 bytes: leaves the quotes that begin or end strings, and
    /// returns the backslashes that begin an escape.
    template <class Masks>
    SOCKETLESS_ALWAYS_INLINE std::uint64_t unescape(Masks& found) noexcept {
        if ((found.backslashes | escaped_) == 0) [[likely]]
            return 0;
        std::uint64_t const escapes = take_escapes(found.backslashes);
        found.quotes &= ~was_escaped_;
        return escapes;
    }

    /// Which bytes are in strings, closing quotes aside. `parity` has the bits that have an odd number of quotes
    /// at and below their place.
    SOCKETLESS_ALWAYS_INLINE std::uint64_t strings(std::uint64_t parity) noexcept {
        std::uint64_t const inside = parity ^ in_string_;
        in_string_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(inside) >> 63);
        return inside;
    }

    /// Takes the rest.
    SOCKETLESS_ALWAYS_INLINE json_words take(json_masks const& found, std::uint64_t escapes,
                                             std::uint64_t parity) noexcept {
        std::uint64_t const inside = strings(parity);
        wrong_ |= (found.controls & inside) | (escapes & ~inside);
        std::uint64_t const ends = found.ends & ~inside;
        return {ends | (found.quotes & ~inside & ~(ends >> 1u)), escapes};
    }

private:
    std::uint64_t take_escapes(std::uint64_t backslashes) noexcept {
        std::uint64_t escapes = 0;
        was_escaped_ = escaped_;
        for (backslashes &= ~escaped_; backslashes != 0;) {
            std::uint64_t const escape = backslashes & (~backslashes + 1);
            escapes |= escape;
            backslashes &= ~(escape | escape << 1u);
        }
        was_escaped_ |= escapes << 1u;
        escaped_ = escapes >> 63u;
        any_escapes_ |= escapes;
        return escapes;
    }

    std::uint64_t in_string_ = 0; // all bits, or none
    std::uint64_t escaped_ = 0;   // the lowest bit, if the next byte is
    std::uint64_t was_escaped_ = 0;
    std::uint64_t any_escapes_ = 0;
    std::uint64_t wrong_ = 0;
};

/// The bits that have an odd number of bits at and below their place.
[[nodiscard]] inline std::uint64_t parity_of(std::uint64_t bits) noexcept {
    bits ^= bits << 1u;
    bits ^= bits << 2u;
    bits ^= bits << 4u;
    bits ^= bits << 8u;
    bits ^= bits << 16u;
    return bits ^ bits << 32u;
}

/// Follows brackets and braces to the one that closes the container.
class json_depth {
public:
    /// Takes the brackets of the next 64 bytes that are not in strings. Returns the place of the bracket
    /// that closes the container, or 64 if it is not among these.
    SOCKETLESS_ALWAYS_INLINE std::size_t take(std::uint64_t opening, std::uint64_t closing) noexcept {
        auto const closed = static_cast<std::size_t>(std::popcount(closing));
        if (closed >= open_) {
            for (std::uint64_t left = closing; left != 0; left &= left - 1) {
                std::uint64_t const below = (left & (~left + 1)) - 1;
                auto const opened = static_cast<std::size_t>(std::popcount(opening & below));
                if (open_ + opened == static_cast<std::size_t>(std::popcount(closing & below)) + 1)
                    return static_cast<std::size_t>(std::countr_zero(left));
            }
        }
        open_ += static_cast<std::size_t>(std::popcount(opening)) - closed;
        return 64;
    }

private:
    std::size_t open_ = 0;
};

/// From the opening bracket or brace at `p` to behind the one that closes it, or to the end if there is none.
template <class Kernel>
[[nodiscard]] char const* skip_json_container(char const* p, char const* end) noexcept {
    constexpr std::size_t block = 64;
    json_strings strings;
    json_depth depth;
    char const* const begin = p;
    while (p != end) {
        auto const left = static_cast<std::size_t>(end - p);
        auto found = left >= block ? Kernel::load_nesting(p)
                     : static_cast<std::size_t>(end - begin) >= block
                         ? Kernel::load_nesting(end - block).from(block - left)
                         : Kernel::load_short_nesting(p, left);
        static_cast<void>(strings.unescape(found));
        std::uint64_t const inside = strings.strings(parity_of(found.quotes));
        std::size_t const place = depth.take(found.opening & ~inside, found.closing & ~inside);
        if (place != block) return p + place + 1;
        p += std::min(left, block);
    }
    return end;
}

/// Reads the text from `p` on into at most `room` words, and returns how many that were. At least 64 bytes stand before
/// `end`.
template <class Kernel>
[[nodiscard]] std::size_t outline_json(json_strings& strings, char const* p, char const* end, json_words* words,
                                       std::size_t room) noexcept {
    constexpr std::size_t block = 64;
    json_strings local = strings;
    auto const read = [&local](json_masks found) {
        std::uint64_t const escapes = local.unescape(found);
        return local.take(found, escapes, parity_of(found.quotes));
    };
    std::size_t filled = 0;
    for (; filled != room && static_cast<std::size_t>(end - p) >= block; p += block)
        words[filled++] = read(Kernel::load(p));
    if (auto const left = static_cast<std::size_t>(end - p); filled != room && left != 0)
        words[filled++] = read(Kernel::load(end - block).from(block - left));
    strings = local;
    return filled;
}

} // namespace socketless::inline v0::kernels

#include <socketless/core/detail/epilogue.hpp>
