// Where the strings and brackets of a JSON text are: for 64 bytes at once, one bit for each byte, the
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
    /// Brackets and braces.
    std::uint64_t opening;
    std::uint64_t closing;
    std::uint64_t commas;
    std::uint64_t colons;
    /// Those up to 0x20: spaces, and those below.
    std::uint64_t low;
    std::uint64_t backslashes;
    /// Those below 0x20.
    std::uint64_t controls;
    /// Not zero if some are not ASCII.
    std::uint32_t non_ascii;

    /// Those of the bytes from `n` on.
    [[nodiscard]] json_masks from(std::size_t n) const noexcept {
        return {quotes >> n, opening >> n,     closing >> n,  commas >> n, colons >> n,
                low >> n,    backslashes >> n, controls >> n, non_ascii};
    }
};

/// Which of 64 bytes are decimal digits.
struct json_digits {
    std::uint64_t digits;
    std::uint64_t zeros;

    /// Those of the bytes from `n` on.
    [[nodiscard]] json_digits from(std::size_t n) const noexcept { return {digits >> n, zeros >> n}; }
};

/// Which of 64 bytes are what else numbers are made of.
struct json_signs {
    std::uint64_t minuses;
    std::uint64_t points;

    /// Those of the bytes from `n` on.
    [[nodiscard]] json_signs from(std::size_t n) const noexcept { return {minuses >> n, points >> n}; }
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

/// How far strings were followed.
class json_strings {
public:
    /// Takes the quotes and backslashes of the next 64 bytes: leaves the quotes that begin or end strings, and
    /// returns the backslashes that begin an escape.
    template <class Masks>
    SOCKETLESS_ALWAYS_INLINE std::uint64_t unescape(Masks& found) noexcept {
        if ((found.backslashes | escaped_) == 0) [[likely]]
            return was_escaped_ = 0;
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

    /// The next 64 bytes begin with the byte `n`, at least 1, of those that were taken last. `inside` is what `strings`
    /// returned for them.
    SOCKETLESS_ALWAYS_INLINE void go_back(std::uint64_t inside, std::size_t n) noexcept {
        in_string_ = 0 - (inside >> (n - 1) & 1u);
        escaped_ = was_escaped_ >> n & 1u;
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
        return escapes;
    }

    std::uint64_t in_string_ = 0; // all bits, or none
    std::uint64_t escaped_ = 0;   // the lowest bit, if the next byte is
    std::uint64_t was_escaped_ = 0;
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

/// From the opening bracket or brace at `p` to behind the one that closes it, or to the end if there is none.
template <class Kernel>
[[nodiscard]] char const* skip_json_container(char const* p, char const* end) noexcept {
    constexpr std::size_t block = 64;
    json_strings strings;
    std::size_t depth = 0;
    char const* const begin = p;
    while (p != end) {
        auto const left = static_cast<std::size_t>(end - p);
        auto found = left >= block ? Kernel::load_nesting(p)
                     : static_cast<std::size_t>(end - begin) >= block
                         ? Kernel::load_nesting(end - block).from(block - left)
                         : Kernel::load_short_nesting(p, left);
        static_cast<void>(strings.unescape(found));
        std::uint64_t const inside = strings.strings(parity_of(found.quotes));
        std::uint64_t const opening = found.opening & ~inside;
        for (std::uint64_t brackets = opening | (found.closing & ~inside); brackets != 0; brackets &= brackets - 1) {
            if ((opening & brackets & (0 - brackets)) != 0)
                ++depth;
            else if (--depth == 0)
                return p + std::countr_zero(brackets) + 1;
        }
        p += std::min(left, block);
    }
    return end;
}

} // namespace socketless::inline v0::kernels

#include <socketless/core/detail/epilogue.hpp>
