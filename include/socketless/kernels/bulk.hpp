// The kernels for long texts: the best that the machine has, chosen once a call. For what is shorter than 64 bytes a
// kernels::block in place costs less than the call.
#pragma once

#include <socketless/kernels/avx2.hpp>
#include <socketless/kernels/block.hpp>
#include <socketless/kernels/blocks.hpp>
#include <socketless/kernels/detect.hpp>
#include <socketless/kernels/neon.hpp>

#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels {

/// The size of a prefix of `size` bytes that is UTF-8, whole sequences, and possibly not the longest one.
[[nodiscard]] inline std::size_t valid_utf8(char const* p, std::size_t size) noexcept {
#ifdef SOCKETLESS_AVX2
    if (size >= avx2::shortest_utf8 && has_avx2()) return avx2::valid_utf8(p, size);
#elif defined(SOCKETLESS_NEON)
    if (size >= neon::shortest_utf8) return neon::valid_utf8(p, size);
#endif
    return blocks::ascii_prefix<block>(p, size);
}

/// The first quote, backslash or control character: what ends the plain part of a JSON string; `end` if there is none.
[[nodiscard]] inline char const* find_special(char const* p, char const* end) noexcept {
#ifdef SOCKETLESS_AVX2
    if (has_avx2()) return avx2::find_special(p, end);
#endif
    return blocks::find_special<block>(p, end);
}

/// Combines bytes with those of a key by exclusive or, in place. The four bytes of `key` lie as in memory, and serve
/// again and again.
inline void mask(char* p, std::size_t size, std::uint32_t key) noexcept {
#ifdef SOCKETLESS_AVX2
    if (size >= 128 && has_avx2()) return avx2::mask(p, size, key);
#endif
    blocks::mask<block>(p, size, key);
}

} // namespace socketless::inline v0::kernels

#include <socketless/core/detail/epilogue.hpp>
