// JSON, 64 bytes at a time: which bytes are what, and where containers end. The best that the machine has.
#pragma once

#include <socketless/kernels/avx2_json.hpp>
#include <socketless/kernels/detect.hpp>
#include <socketless/kernels/json_outline.hpp>
#include <socketless/kernels/sse2_json.hpp>

#include <cstddef>

// Elsewhere reading one character after the other is as fast.
#if defined(SOCKETLESS_SSE2) && !defined(__OPTIMIZE_SIZE__)
#define SOCKETLESS_JSON_OUTLINE
#endif

#include <socketless/core/detail/prologue.hpp>

#ifdef SOCKETLESS_JSON_OUTLINE

namespace socketless::inline v0::kernels {

using json_kernel = sse2::json;

/// The shortest text that the kernels take.
inline constexpr std::size_t shortest_json = 16;

/// From the opening bracket or brace at `p` to behind the one that closes it, or to the end if there is none.
/// Precondition: at least `shortest_json` bytes.
[[nodiscard]] inline char const* skip_json_container(char const* p, char const* end) noexcept {
#ifdef SOCKETLESS_AVX2
    if (static_cast<std::size_t>(end - p) >= avx2::width && has_haswell()) return avx2::skip_json_container(p, end);
#endif
    return skip_json_container<json_kernel>(p, end);
}

} // namespace socketless::inline v0::kernels

#endif

#include <socketless/core/detail/epilogue.hpp>
