// msgpack::validate: are these bytes MessagePack, all of them? No recursion, no allocation.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/kernels/block.hpp>
#include <socketless/kernels/blocks.hpp>
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

// Whether a string is short and all ASCII.
SOCKETLESS_ALWAYS_INLINE constexpr bool is_short_ascii(char const* p, std::size_t size) noexcept {
    using kernels::block;
    return !core_detail::prefers_small_code && !std::is_constant_evaluated() && size <= 2 * block::size &&
           kernels::blocks::is_ascii<block>(p, size);
}

// The string of `size` bytes at `p`, where there is more to it than a look at one block.
SOCKETLESS_NEVER_INLINE constexpr result<void> check_utf8(char const* begin, char const* p, std::size_t size) noexcept {
    constexpr std::size_t longest_short = 64;
    std::string_view const s(p, size);
    if (!core_detail::prefers_small_code && !std::is_constant_evaluated() && size <= longest_short) {
        if (utf8::detail::is_valid_short(s)) return {};
    }
    auto const good = utf8::validate(s);
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

// Whether the limit of the depth may have been exceeded: a bound that costs little. Each container that opens may be in
// all those before it, but for this: within a large one, which is marked, fewer values are due than at any time before
// only where all that was opened in it has ended.
class depth_bound {
public:
    constexpr explicit depth_bound(std::uint32_t max_depth) noexcept : left_(max_depth), left_at_mark_(max_depth) {}

    // A container begins. `due` is the number of values that are due behind it.
    SOCKETLESS_ALWAYS_INLINE constexpr void open(std::uint64_t due) noexcept {
        if (due < due_at_mark_) {
            due_at_mark_ = due;
            left_ = left_at_mark_;
        }
        if (left_-- == 0) [[unlikely]]
            may_be_exceeded_ = true;
    }
    // The one that has just begun is large: now this many values are due.
    constexpr void mark(std::uint64_t due) noexcept {
        due_at_mark_ = due;
        left_at_mark_ = left_;
    }
    [[nodiscard]] constexpr bool may_be_exceeded() const noexcept { return may_be_exceeded_; }

private:
    std::uint64_t due_at_mark_ = 0;
    std::uint32_t left_;
    std::uint32_t left_at_mark_;
    bool may_be_exceeded_ = false;
};

// The most bytes that are looked at for a value of a fixed size or a short string.
inline constexpr std::size_t longest_common = std::max<std::size_t>(18, 1 + kernels::block::size);

// Moves `p` behind a small integer, or a string of one character of ASCII: the types and most namespaces of packets.
SOCKETLESS_ALWAYS_INLINE constexpr bool skip_short(char const*& p, char const* end) noexcept {
    if (p == end) return false;
    if (byte_at(p) < 0x80) return ++p, true;
    if (byte_at(p) != (format::fixstr | 1u) || end - p < 2 || byte_at(p + 1) >= 0x80) return false;
    return p += 2, true;
}

// Checks the value at `at`, and moves that behind it. Where nothing is wrong, the count of values that are due tells
// where the outermost one ends. No value takes less than a byte, so that more values cannot be due than bytes are left.
constexpr result<void> check_value(char const* const begin, char const*& at, char const* const end,
                                   std::uint32_t max_depth) noexcept {
    using kernels::block;
    auto const wrong = [begin](char const* where) {
        return error{errc::invalid_msgpack, static_cast<std::size_t>(where - begin)};
    };
    char const* p = at;
    std::uint64_t due = 1; // the value at `p` and those behind it
    depth_bound depth(max_depth);
    do {
        auto const room = static_cast<std::size_t>(end - p);
        if (!core_detail::prefers_small_code && !std::is_constant_evaluated() && room >= longest_common) [[likely]] {
            // What is common: short strings of ASCII, numbers, small containers.
            unsigned const first = byte_at(p);
            if (first - 0xa0 < 0x20) {
                std::size_t const size = first & 0x1fu;
                if (size <= block::size && block::load(p + 1).non_ascii().first() >= size) [[likely]] {
                    p += 1 + size;
                    continue;
                }
            } else if (first < 0x80) {
                ++p;
                continue;
            } else if (first < 0xa0) {
                depth.open(due - 1);
                due += (first & 0xfu) << (first < 0x90 ? 1u : 0u);
                if (due > room) [[unlikely]]
                    return wrong(p);
                ++p;
                continue;
            } else if (std::size_t const size = fixed_sizes[first - 0xc0]; size != 0) {
                p += size;
                continue;
            }
        }
        head const h = read_head(p, end);
        if (h.kind == kind::none) return wrong(p);
        char const* const contents = p + h.size;
        auto const left = static_cast<std::size_t>(end - contents);
        if (h.kind == kind::array || h.kind == kind::map) {
            depth.open(due - 1);
            due += h.parts();
            if (due - 1 > left) return wrong(p);
            if (h.size > 1) depth.mark(due - 1);
            p = contents;
            continue;
        }
        if (h.length > left) return wrong(p);
        if (h.kind == kind::string && !is_short_ascii(contents, h.length)) {
            if (auto const good = check_utf8(begin, contents, h.length); !good) return good;
        }
        p = contents + h.length;
    } while (--due != 0);
    if (depth.may_be_exceeded()) [[unlikely]] {
        char const* const deeper = find_deeper(at, p, max_depth);
        if (deeper != p) return error{errc::depth_exceeded, static_cast<std::size_t>(deeper - begin)};
    }
    at = p;
    return {};
}

} // namespace detail

/// Checks that all of `bytes` is one MessagePack value, whose strings are UTF-8, with at most `max_depth` arrays and
/// maps open at once, and returns it. Keys of any kind, the same key twice and extensions of any type pass.
///
/// Beyond a depth of 170, a message may be too deep sooner: if the numbers of values that are still to come on each
/// level do not fit into 1,024 bytes together. A level with up to 127 values left takes one byte, and a level whose
/// last value is open next to nothing.
/// Errors: errc::invalid_msgpack at the first byte of a value that is cut, has no format or has too great a length, or
/// behind the value; errc::invalid_utf8 at the byte that is wrong; errc::depth_exceeded at the container.
/// Linear; constant stack; no allocation.
[[nodiscard]] constexpr result<value> validate(std::string_view bytes,
                                               std::uint32_t max_depth = limits{}.max_depth) noexcept {
    char const* const begin = bytes.data();
    char const* p = begin;
    auto const good = detail::check_value(begin, p, begin + bytes.size(), std::min(max_depth, limits::deepest));
    if (!good) return good.error();
    if (p != begin + bytes.size()) return error{errc::invalid_msgpack, static_cast<std::size_t>(p - begin)};
    return value::trusted(bytes);
}

} // namespace socketless::inline v0::msgpack

#include <socketless/core/detail/epilogue.hpp>
