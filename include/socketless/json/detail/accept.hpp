// Whether a text is JSON, decided quickly: the validator says where it is wrong if it is not.
#pragma once

#include <socketless/core/detail/inlining.hpp>
#include <socketless/json/detail/syntax.hpp>
#include <socketless/kernels/haswell.hpp>
#include <socketless/kernels/json.hpp>

#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

#ifdef SOCKETLESS_JSON_OUTLINE

namespace socketless::inline v0::json::detail {

// What is known of a text: JSON in ASCII; JSON if it is UTF-8; or nothing.
enum class verdict : std::uint8_t { unsure, json, ascii_json };

SOCKETLESS_ALWAYS_INLINE verdict verdict_of(syntax const& seen, std::uint32_t non_ascii) noexcept {
    if (!seen.good() || !seen.complete()) return verdict::unsure;
    return non_ascii == 0 ? verdict::ascii_json : verdict::json;
}

// The whole text at once.
template <class Bytes>
SOCKETLESS_ALWAYS_INLINE verdict judge_at_once(Bytes const& bytes, char const* begin, char const* end,
                                               std::uint32_t max_depth) noexcept {
    syntax seen(begin, end, max_depth);
    auto found = bytes.masks();
    std::uint64_t const escapes = seen.unescape(found);
    static_cast<void>(seen.take(found, escapes, kernels::parity_of(found.quotes),
                                syntax::first_bits(static_cast<std::size_t>(end - begin)), begin));
    if (seen.has_scalars()) {
        seen.take_digits(bytes.digits(), begin);
        if (seen.has_signs()) seen.take_signs(bytes.signs(), begin);
    }
    return verdict_of(seen, found.non_ascii);
}

// Whether the text between these brackets is strings with commas between them, in ASCII, without escapes and spaces: so
// are most of the short events.
template <class Bytes>
SOCKETLESS_ALWAYS_INLINE bool are_plain_strings(Bytes const& bytes, std::size_t size) noexcept {
    if (!bytes.all_plain()) return false;
    std::uint64_t const quotes = bytes.quotes();
    std::uint64_t const inside = kernels::parity_of(quotes);
    std::uint64_t const commas = bytes.commas() & ~inside;
    std::uint64_t const last = std::uint64_t{1} << (size - 1);
    // Each character outside of strings is behind the end of one, and before the beginning of the next one.
    std::uint64_t const outside = (2 * last - 1) & ~(inside | quotes);
    return outside == (1 | commas | last) && (commas | last) == (quotes & ~inside) << 1u &&
           (1 | commas) << 1u == (quotes & inside);
}

SOCKETLESS_NEVER_INLINE inline verdict judge_halves(char const* begin, char const* end,
                                                    std::uint32_t max_depth) noexcept {
    auto const size = static_cast<std::size_t>(end - begin);
    auto const bytes = kernels::sse2::json_bytes<2>::halves(begin, size);
    if (*begin == '[' && end[-1] == ']' && max_depth != 0 && are_plain_strings(bytes, size)) return verdict::ascii_json;
    return judge_at_once(bytes, begin, end, max_depth);
}

SOCKETLESS_NEVER_INLINE inline verdict judge_quarters(char const* begin, char const* end,
                                                      std::uint32_t max_depth) noexcept {
    auto const size = static_cast<std::size_t>(end - begin);
    return judge_at_once(kernels::sse2::json_bytes<4>::quarters(begin, size), begin, end, max_depth);
}

SOCKETLESS_NEVER_INLINE inline verdict judge_long(char const* begin, char const* end,
                                                  std::uint32_t max_depth) noexcept {
    syntax seen(begin, end, max_depth);
    std::uint32_t non_ascii = 0;
    for (char const* p = begin;;) {
        auto const left = static_cast<std::size_t>(end - p);
        kernels::sse2::json_place const place(p, end);
        auto found = place.masks();
        non_ascii |= found.non_ascii;
        std::uint64_t const escapes = seen.unescape(found);
        auto const next = seen.take(found, escapes, kernels::parity_of(found.quotes), syntax::first_bits(left), p);
        if (seen.has_scalars()) {
            seen.take_digits(place.digits(), p);
            if (seen.has_signs()) seen.take_signs(place.signs(), p);
        }
        if (left <= syntax_block || !seen.good()) break;
        p += next;
    }
    return verdict_of(seen, non_ascii);
}

#ifdef SOCKETLESS_AVX2
SOCKETLESS_HASWELL_KERNEL inline verdict judge_haswell(char const* begin, char const* end,
                                                       std::uint32_t max_depth) noexcept {
    syntax seen(begin, end, max_depth);
    std::uint32_t non_ascii = 0;
    for (char const* p = begin;;) {
        auto const left = static_cast<std::size_t>(end - p);
        kernels::avx2::json_place const place(begin, p, end);
        auto found = place.masks();
        non_ascii |= found.non_ascii;
        std::uint64_t const escapes = seen.unescape(found);
        auto const next =
            seen.take(found, escapes, kernels::avx2::parity_of(found.quotes), syntax::first_bits(left), p);
        if (seen.has_scalars()) {
            seen.take_digits(place.digits(), p);
            if (seen.has_signs()) seen.take_signs(place.signs(), p);
        }
        if (left <= syntax_block || !seen.good()) break;
        p += next;
    }
    return verdict_of(seen, non_ascii);
}
#endif

// Preconditions: an opening bracket or brace at `begin`, a closing one before `end`; at least kernels::shortest_json
// bytes.
inline verdict judge(char const* begin, char const* end, std::uint32_t max_depth) noexcept {
    auto const size = static_cast<std::size_t>(end - begin);
    if (size <= 32) return judge_halves(begin, end, max_depth);
#ifdef SOCKETLESS_AVX2
    if (kernels::has_haswell()) return judge_haswell(begin, end, max_depth);
#endif
    return size < syntax_block ? judge_quarters(begin, end, max_depth) : judge_long(begin, end, max_depth);
}

} // namespace socketless::inline v0::json::detail

#endif

#include <socketless/core/detail/epilogue.hpp>
