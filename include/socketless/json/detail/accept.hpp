// Whether a text is JSON, decided quickly: the validator says where it is wrong if it is not.
#pragma once

#include <socketless/core/limits.hpp>
#include <socketless/json/detail/container_stack.hpp>
#include <socketless/json/detail/marks.hpp>
#include <socketless/json/detail/number_grammar.hpp>
#include <socketless/json/detail/scan.hpp>
#include <socketless/kernels/block.hpp>
#include <socketless/kernels/haswell.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

#ifdef SOCKETLESS_JSON_OUTLINE

namespace socketless::inline v0::json::detail {

// Whether all from `p` to `end` is a number, but for white space at the end. `last_block` is where the last block of
// the text begins.
SOCKETLESS_ALWAYS_INLINE bool is_number(char const* p, char const* end, char const* last_block) noexcept {
    using kernels::block;
    char const* const first = p + (*p == '-' ? 1 : 0);
    auto const digits = first <= last_block
                            ? block::load(first).digits()
                            : block::load(last_block).digits().from(static_cast<std::size_t>(first - last_block));
    bool const nonzero = *first >= '1' && *first <= '9';
    if (nonzero && digits.begin_with(static_cast<std::size_t>(end - first))) return true;
    std::size_t const size = digits.first_missing();
    if ((size == 1 || nonzero) && size < block::size - 1 && first[size] == '.') {
        std::size_t const fraction = digits.from(size + 1).first_missing();
        if (fraction != 0 && first + size + 1 + fraction == end) return true;
    }
    auto const number = skip_number(p, end);
    return number.good && skip_space(number.p, end) == end;
}

SOCKETLESS_ALWAYS_INLINE bool is_word(char const* p, char const* end) noexcept {
    auto const size = static_cast<std::size_t>(end - p);
    if (size == 4 && (std::memcmp(p, "true", 4) == 0 || std::memcmp(p, "null", 4) == 0)) return true;
    if (size == 5 && std::memcmp(p, "false", 5) == 0) return true;
    auto const length = word_length(p, end);
    return length != 0 && skip_space(p + length, end) == end;
}

// Walks an array or object from mark to mark. Where a token ends is known before it has been looked at, so that the
// processor checks several at a time. Takes UTF-8 for granted. The text ends with a closing bracket: behind all others
// there is a character.
// Preconditions: an opening bracket or brace at `begin`, a closing one before `end`; at least kernels::shortest_json
// bytes.
template <class Marks>
SOCKETLESS_ALWAYS_INLINE bool accept_marked(Marks all, char const* begin, char const* end,
                                            std::uint32_t max_depth) noexcept {
    container_stack stack;
    std::uint32_t depth = 0;
    char closing = '\0'; // what closes the innermost container
    char const* const last_block = end - kernels::block::size;
    char const* p = begin;
    char const* mark = nullptr;
    for (;;) {
        if (closing == '}') {
            if (*p != '"') [[unlikely]] {
                p = skip_space(p, end);
                if (*p != '"') return false;
            }
            if (!all.next(mark)) return false;
            if (*mark != '"') return false;
            p = mark + 1;
            if (*p != ':') [[unlikely]] {
                p = skip_space(p, end);
                if (*p != ':') return false;
            }
            ++p;
        }

        if (is_space(*p)) [[unlikely]]
            p = skip_space(p, end);
        char const first = *p;
        if (first == '"') {
            if (!all.next(mark)) return false;
            if (*mark == '"') [[unlikely]] {
                p = mark + 1;
                if (!all.next(mark) || skip_space(p, end) != mark) return false;
            }
        } else if (first <= '9') {
            if (!all.next(mark) || !is_number(p, mark, last_block)) return false;
        } else if (first == '{' || first == '[') {
            if (depth == max_depth) return false;
            stack.push(depth++, first == '{');
            closing = static_cast<char>(first + 2); // the closing brackets are two behind the opening ones
            ++p;
            if (is_space(*p)) [[unlikely]]
                p = skip_space(p, end);
            if (*p != closing) continue;
            if (!all.next(mark)) return false;
        } else {
            if (!all.next(mark) || !is_word(p, mark)) return false;
        }

        // The ends of containers, then a comma or the end of the text.
        while (*mark != ',') {
            if (*mark != closing) return false;
            p = mark + 1;
            stack.pop(--depth);
            if (depth == 0) return p == end;
            closing = stack.closing();
            if (!all.next(mark) || (p != mark && skip_space(p, end) != mark)) return false;
        }
        p = mark + 1;
    }
}

inline bool accept_short(char const* begin, char const* end, std::uint32_t max_depth) noexcept {
    return accept_marked(few_marks(begin, static_cast<std::size_t>(end - begin)), begin, end, max_depth);
}

SOCKETLESS_NEVER_INLINE inline bool accept_long(char const* begin, char const* end, std::uint32_t max_depth) noexcept {
    outline<common_kernel> whole(begin, end);
    return accept_marked(marks(whole, begin), begin, end, max_depth);
}

#ifdef SOCKETLESS_AVX2
SOCKETLESS_HASWELL_KERNEL inline bool accept_long_haswell(char const* begin, char const* end,
                                                          std::uint32_t max_depth) noexcept {
    outline<haswell_kernel> whole(begin, end);
    return accept_marked(marks(whole, begin), begin, end, max_depth);
}
#endif

inline bool accept(char const* begin, char const* end, std::uint32_t max_depth) noexcept {
    if (static_cast<std::size_t>(end - begin) < outline_block) return accept_short(begin, end, max_depth);
#ifdef SOCKETLESS_AVX2
    if (kernels::has_haswell()) return accept_long_haswell(begin, end, max_depth);
#endif
    return accept_long(begin, end, max_depth);
}

} // namespace socketless::inline v0::json::detail

#endif

#include <socketless/core/detail/epilogue.hpp>
