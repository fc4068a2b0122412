// Whether JSON keeps to its grammar, decided for 64 bytes at once: one bit for each byte, the lowest for the first.
#pragma once

#include <socketless/core/detail/inlining.hpp>
#include <socketless/json/detail/escape.hpp>
#include <socketless/json/detail/number_grammar.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/kernels/json.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

#ifdef SOCKETLESS_JSON_OUTLINE

namespace socketless::inline v0::json::detail {

// How many bytes a word stands for.
inline constexpr std::size_t syntax_block = 64;

// What is known of a text once some of its blocks have been looked at. UTF-8 is taken for granted.
//
// Each token stands behind a value, or behind an opening bracket, a comma or a colon. What may stand there depends on
// nothing but the token before it and, behind commas, on the innermost container. So each bracket is looked at by
// itself, and all else in words. A block begins with the last token or the last character of a string that the block
// before it has seen, so that nothing but strings goes from one into the next.
class syntax {
public:
    // Precondition: an opening bracket or brace at `begin`, a closing one before `end`.
    syntax(char const* begin, char const* end, std::uint32_t max_depth) noexcept
        : end_(end), too_deep_(std::uint64_t{2} << std::min(max_depth, deepest)),
          stack_(2u | static_cast<std::uint64_t>(*begin == '{')), wrong_(max_depth == 0 ? 1 : 0) {}

    // Those of the first `n` bytes of a block, or of all.
    static std::uint64_t first_bits(std::size_t n) noexcept {
        return n < syntax_block ? (std::uint64_t{1} << n) - 1 : ~std::uint64_t{0};
    }

    // Whether what was taken can begin a text.
    [[nodiscard]] bool good() const noexcept { return wrong_ == 0; }
    // Whether the text ends with the container that it begins with.
    [[nodiscard]] bool complete() const noexcept { return complete_; }

    // Takes the strings of the next block: leaves the quotes that begin or end strings, and returns the backslashes
    // that begin an escape.
    SOCKETLESS_ALWAYS_INLINE std::uint64_t unescape(kernels::json_masks& found) noexcept {
        return strings_.unescape(found);
    }

    // Takes the rest of the block at `p`, whose first byte was taken before. `parity` has the bits that have an odd
    // number of quotes at and below their place, `part` those of the text. Returns where the next block begins.
    SOCKETLESS_ALWAYS_INLINE std::size_t take(kernels::json_masks const& found, std::uint64_t escapes,
                                              std::uint64_t parity, std::uint64_t part, char const* p) noexcept {
        std::uint64_t const inside = strings_.strings(parity);
        wrong_ |= found.controls & inside;
        if (escapes != 0 && ((escapes & ~inside) != 0 || !are_escapes(escapes, p, end_))) wrong_ = 1;
        tokens const t{found.quotes & inside,
                       found.quotes & ~inside,
                       found.opening & ~inside,
                       found.closing & ~inside,
                       found.commas & ~inside,
                       found.colons & ~inside,
                       inside};
        std::uint64_t const spaces = found.low & ~inside;
        scalars_ = part & ~(inside | found.quotes | t.opening | t.closing | t.commas | t.colons | spaces);
        std::size_t next = last;
        if (std::uint64_t const unfinished = scalars_ | spaces; unfinished >> last != 0) {
            next -= static_cast<std::size_t>(std::countl_one(unfinished));
            if (next == 0 || next > last) [[unlikely]] { // more than a block of it
                scalars_ = 0;
                wrong_ = 1;
                return last;
            }
            scalars_ &= first_bits(next);
        }
        starts_ = scalars_ & ~(scalars_ << 1u);
        std::uint64_t const keys = (t.commas | t.opening) & follow_brackets((t.opening | t.closing) & ~first, p);
        std::uint64_t key_ends = 0;
        if (spaces == 0) [[likely]] {
            key_ends = check<false>(t, keys, 0);
        } else {
            if ((found.controls & spaces) != 0 && !are_spaces(found.controls & spaces, p)) wrong_ = 1;
            key_ends = check<true>(t, keys, spaces);
        }
        if (next == last) [[likely]] {
            in_key_ |= key_ends >> last;
            strings_.go_back(inside, last);
        } else {
            in_key_ |= key_ends >> next & 1u;
            strings_.go_back(inside, next);
        }
        return next;
    }

    // Whether there are numbers or words in the block; then take_digits is to be called.
    [[nodiscard]] bool has_scalars() const noexcept { return scalars_ != 0; }

    SOCKETLESS_ALWAYS_INLINE void take_digits(kernels::json_digits found, char const* p) noexcept {
        digits_ = found.digits & scalars_;
        zeros_ = found.zeros & scalars_;
        odd_ = scalars_ ^ digits_;
        for (std::uint64_t words = odd_ & starts_; words != 0; words &= words - 1) {
            auto const at = static_cast<std::size_t>(std::countr_zero(words));
            if (p[at] != '-') take_word(at, p);
        }
        wrong_ |= ((zeros_ & starts_) << 1u) & digits_;
    }

    // Whether there are numbers in the block that are not digits alone; then take_signs is to be called.
    [[nodiscard]] bool has_signs() const noexcept { return odd_ != 0; }

    SOCKETLESS_ALWAYS_INLINE void take_signs(kernels::json_signs found, char const* p) noexcept {
        if (std::uint64_t const rest = odd_ & ~(found.minuses | found.points); rest != 0) [[unlikely]]
            take_exponents(rest, p);
        std::uint64_t const minuses = found.minuses & odd_;
        std::uint64_t const points = found.points & odd_;
        std::uint64_t const behind = odd_ << 1u;
        // The carry goes to the end of each run of digits behind a point. Behind a minus it does no harm.
        std::uint64_t const sum = digits_ + (digits_ & (points << 1u));
        wrong_ |= (minuses & ~starts_) | (behind & ~digits_) | (points & sum & ~digits_) |
                  ((zeros_ & (minuses << 1u)) << 1u & digits_);
    }

private:
    static constexpr std::uint64_t first = 1;
    static constexpr std::size_t last = syntax_block - 1;
    // The levels fit in a word, with a one above them.
    static constexpr std::uint32_t deepest = 62;

    // Those outside of strings, and the strings.
    struct tokens {
        std::uint64_t string_begins;
        std::uint64_t string_ends;
        std::uint64_t opening;
        std::uint64_t closing;
        std::uint64_t commas;
        std::uint64_t colons;
        std::uint64_t inside;
    };

    // Which bytes stand in objects, or open one. Where a bracket is wrong it stops: nothing counts any more.
    SOCKETLESS_ALWAYS_INLINE std::uint64_t follow_brackets(std::uint64_t brackets, char const* p) noexcept {
        std::uint64_t stack = stack_;
        std::uint64_t objects = 0 - (stack & 1u);
        for (; brackets != 0; brackets &= brackets - 1) {
            char const* const at = p + std::countr_zero(brackets);
            auto const c = static_cast<unsigned char>(*at);
            std::uint64_t const brace = c >> 5u; // its lowest bit is what braces and brackets differ in
            std::uint64_t const changes = stack ^ brace;
            if ((c & 2u) != 0) { // what opening and closing ones differ in
                stack = stack * 2 + (brace & 1u);
                if (stack >= too_deep_) [[unlikely]] {
                    wrong_ = 1;
                    break;
                }
                if ((changes & 1u) != 0) objects ^= brackets | (0 - brackets);
            } else {
                if ((changes & 1u) != 0) [[unlikely]] {
                    wrong_ = 1;
                    break;
                }
                stack >>= 1u;
                if (stack == 1) [[unlikely]] {
                    complete_ = at + 1 == end_;
                    if (!complete_) wrong_ = 1;
                    break;
                }
                if (((stack ^ brace) & 1u) != 0) objects ^= brackets | (0 - brackets);
            }
        }
        stack_ = stack;
        return objects;
    }

    // What follows, with spaces between them or not.
    template <bool Spaces>
    SOCKETLESS_ALWAYS_INLINE static std::uint64_t next_of(std::uint64_t tokens, std::uint64_t spaces) noexcept {
        std::uint64_t const behind = tokens << 1u;
        if constexpr (!Spaces) return behind;
        return ((spaces + (spaces & behind)) | behind) & ~spaces; // the carry goes to the end of a run of spaces
    }

    // `keys` are the commas and brackets that keys follow. Returns the ends of keys.
    template <bool Spaces>
    SOCKETLESS_ALWAYS_INLINE std::uint64_t check(tokens const& t, std::uint64_t keys, std::uint64_t spaces) noexcept {
        std::uint64_t const behind_value = next_of<Spaces>(t.string_ends | t.closing | scalars_, spaces);
        std::uint64_t const behind_opening = next_of<Spaces>(t.opening, spaces);
        std::uint64_t const key_places = next_of<Spaces>(keys, spaces);
        // The carry goes to the end of each key.
        std::uint64_t const sum = t.inside + (key_places & t.string_begins) + in_key_;
        std::uint64_t const key_ends = sum & t.string_ends;
        in_key_ = sum < t.inside ? 1 : 0;
        wrong_ |= ((behind_value & (t.string_begins | starts_ | t.opening)) | (t.commas & ~behind_value) |
                   (t.closing & ~(behind_value | behind_opening)) | (key_places & (scalars_ | t.opening)) |
                   (next_of<Spaces>(key_ends, spaces) ^ t.colons)) &
                  ~first;
        return key_ends;
    }

    SOCKETLESS_NEVER_INLINE static bool are_spaces(std::uint64_t low, char const* p) noexcept {
        for (; low != 0; low &= low - 1)
            if (!is_space(p[std::countr_zero(low)])) return false;
        return true;
    }

    // Whether escapes stand behind these backslashes.
    SOCKETLESS_NEVER_INLINE static bool are_escapes(std::uint64_t backslashes, char const* p,
                                                    char const* end) noexcept {
        for (; backslashes != 0; backslashes &= backslashes - 1)
            if (read_escape(p + std::countr_zero(backslashes) + 1, end).code_point == no_code_point) return false;
        return true;
    }

    // Takes what begins like a word.
    SOCKETLESS_ALWAYS_INLINE void take_word(std::size_t at, char const* p) noexcept {
        std::uint64_t const rest = scalars_ >> at;
        std::uint32_t letters = 0;
        if ((rest & 0x1fu) == 0x0f) {
            std::memcpy(&letters, p + at, sizeof letters);
            if (letters != four("true") && letters != four("null")) wrong_ = 1;
            odd_ ^= std::uint64_t{0x0f} << at;
        } else if ((rest & 0x3fu) == 0x1f) {
            std::memcpy(&letters, p + at + 1, sizeof letters);
            if (p[at] != 'f' || letters != four("alse")) wrong_ = 1;
            odd_ ^= std::uint64_t{0x1f} << at;
        } else {
            wrong_ = 1;
        }
    }

    static std::uint32_t four(char const (&letters)[5]) noexcept {
        std::uint32_t word = 0;
        std::memcpy(&word, letters, sizeof word);
        return word;
    }

    // Where the number at `begin` ends; `begin` if it is none.
    SOCKETLESS_NEVER_INLINE static char const* number_end(char const* begin, char const* end) noexcept {
        auto const number = skip_number(begin, end);
        return number.good ? number.p : begin;
    }

    // Takes numbers with exponents; `rest` has the characters that are neither digits, nor minuses, nor points.
    SOCKETLESS_ALWAYS_INLINE void take_exponents(std::uint64_t rest, char const* p) noexcept {
        for (; rest != 0; rest &= odd_) {
            auto const at = static_cast<std::size_t>(std::countr_zero(rest));
            std::uint64_t const begins = starts_ & first_bits(at);
            if (begins == 0) {
                wrong_ = 1;
                return;
            }
            std::size_t const begin = last - static_cast<std::size_t>(std::countl_zero(begins));
            auto const size = static_cast<std::size_t>(number_end(p + begin, end_) - p);
            if (size <= at || (scalars_ >> size & 1u) != 0) {
                wrong_ = 1;
                return;
            }
            std::uint64_t const taken = first_bits(size) & (~std::uint64_t{0} << begin);
            odd_ &= ~taken;
            digits_ &= ~taken;
        }
    }

    char const* end_;
    std::uint64_t too_deep_;
    kernels::json_strings strings_;
    std::uint64_t stack_; // a bit a level, the innermost lowest: whether it is an object; then a one
    std::uint64_t wrong_;
    std::uint64_t in_key_ = 0; // the lowest bit, if the first byte of the block is of a key
    // Of the block: numbers and words, what of them is a digit or zero, and what is left to look at.
    std::uint64_t scalars_ = 0;
    std::uint64_t starts_ = 0;
    std::uint64_t digits_ = 0;
    std::uint64_t zeros_ = 0;
    std::uint64_t odd_ = 0;
    bool complete_ = false;
};

} // namespace socketless::inline v0::json::detail

#endif

#include <socketless/core/detail/epilogue.hpp>
