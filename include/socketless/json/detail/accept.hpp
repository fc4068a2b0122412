// Whether a text is JSON, decided quickly: the validator says where it is wrong if it is not.
#pragma once

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

SOCKETLESS_NEVER_INLINE inline verdict judge_halves(char const* begin, char const* end,
                                                    std::uint32_t max_depth) noexcept {
    auto const size = static_cast<std::size_t>(end - begin);
    return judge_at_once(kernels::sse2::json_bytes<2>::halves(begin, size), begin, end, max_depth);
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
        auto const next = seen.take(found, escapes, kernels::avx2::parity_of(found.quotes), syntax::first_bits(left), p);
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
