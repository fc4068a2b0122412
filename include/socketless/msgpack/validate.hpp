// msgpack::validate: are these bytes MessagePack, all of them? No recursion, no allocation.
#pragma once

#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/kernels/block.hpp>
#include <socketless/msgpack/detail/format.hpp>
#include <socketless/msgpack/detail/levels.hpp>
#include <socketless/msgpack/kind.hpp>
#include <socketless/msgpack/value.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack {

namespace detail {

// Whether the `size` bytes at `p` are known to be ASCII at once: short ones, with a block's bytes before the end.
SOCKETLESS_ALWAYS_INLINE constexpr bool is_known_ascii(char const* p, std::size_t size, char const* end) noexcept {
    using kernels::block;
    return !std::is_constant_evaluated() && size <= block::size && static_cast<std::size_t>(end - p) >= block::size &&
           block::load(p).non_ascii().first() >= size;
}

SOCKETLESS_NEVER_INLINE constexpr result<void> check_utf8(char const* begin, char const* p, std::size_t size) noexcept {
    auto const good = utf8::validate(std::string_view(p, size));
    if (good) return good;
    return error{errc::invalid_utf8, static_cast<std::size_t>(p - begin) + good.error().offset};
}

// Walks values that are valid, and says where the container stands with which too many are open at once; `end` if they
// never are.
SOCKETLESS_NEVER_INLINE constexpr char const* find_deeper(char const* p, char const* end,
                                                          std::uint32_t max_depth) noexcept {
    levels outer;
    std::uint64_t left = 1; // values of the innermost container
    std::uint32_t depth = 0;
    while (p != end) {
        --left;
        head const h = read_head(p, end);
        if (h.kind == kind::array || h.kind == kind::map) {
            if (depth++ == max_depth || !outer.push(left)) return p;
            left = h.parts();
        }
        p += h.size + std::size_t{h.bytes()};
        for (; left == 0 && depth != 0; --depth) left = outer.pop();
    }
    return end;
}

// Where nothing is wrong, the count of values that are due tells where the outermost one ends. No value takes less than
// a byte, so that more values cannot be due than bytes are left.
constexpr result<void> check(char const* const begin, char const* const end, std::uint32_t max_depth) noexcept {
    auto const wrong = [begin](char const* at) {
        return error{errc::invalid_msgpack, static_cast<std::size_t>(at - begin)};
    };
    char const* p = begin;
    std::uint64_t due = 1;
    std::uint64_t containers = 0;
    do {
        if (p == end) return wrong(p);
        --due;
        unsigned const first = byte_at(p);
        if (first < 0x80 || first >= 0xe0) {
            ++p;
            continue;
        }
        head h;
        if (first < 0xa0) {
            h = {kind::array, 1, 0};
            due += first < 0x90 ? (first & 0xfu) * 2 : first & 0xfu;
        } else if (first < 0xc0) {
            h = {kind::string, 1, first & 0x1fu};
        } else {
            h = read_head(p, end);
            if (h.kind == kind::none) return wrong(p);
            due += h.parts();
        }
        auto const left = static_cast<std::size_t>(end - p) - h.size;
        if (h.kind == kind::array || h.kind == kind::map) {
            ++containers;
            if (due > left) return wrong(p);
            p += h.size;
            continue;
        }
        if (h.length > left) return wrong(p);
        p += h.size;
        if (h.kind == kind::string && !is_known_ascii(p, h.length, end)) [[unlikely]] {
            if (auto const good = check_utf8(begin, p, h.length); !good) return good;
        }
        p += h.length;
    } while (due != 0);
    if (p != end) return wrong(p);

    if (containers > max_depth) [[unlikely]] {
        char const* const deeper = find_deeper(begin, end, max_depth);
        if (deeper != end) return error{errc::depth_exceeded, static_cast<std::size_t>(deeper - begin)};
    }
    return {};
}

} // namespace detail

/// Checks that all of `bytes` is one MessagePack value, whose strings are UTF-8, with at most `max_depth` arrays and
/// maps open at once, and returns it. Keys of any kind, the same key twice and extensions of any type pass.
///
/// Beyond a depth of 170, a message is also too deep if the numbers of values that are still to come on each level take
/// more than 1,024 bytes together: levels with up to 127 values left take a byte, and those whose last value is open
/// a 64th.
/// Errors: errc::invalid_msgpack at the first byte of a value that is cut, has no format or has too great a length, or
/// behind the value; errc::invalid_utf8 at the byte that is wrong; errc::depth_exceeded at the container.
/// Linear; constant stack; no allocation.
[[nodiscard]] constexpr result<value> validate(std::string_view bytes,
                                               std::uint32_t max_depth = limits{}.max_depth) noexcept {
    char const* const begin = bytes.data();
    auto const good = detail::check(begin, begin + bytes.size(), std::min(max_depth, limits::deepest));
    if (!good) return good.error();
    return value::trusted(bytes);
}

} // namespace socketless::inline v0::msgpack

#include <socketless/core/detail/epilogue.hpp>
