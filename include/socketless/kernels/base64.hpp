// Base64 of long texts: the best kernel that the machine has, chosen once a call. What they leave over is for the
// caller, who knows of padding and errors.
#pragma once

#include <socketless/kernels/avx2_base64.hpp>
#include <socketless/kernels/avx512_base64.hpp>
#include <socketless/kernels/detect.hpp>
#include <socketless/kernels/neon_base64.hpp>
#include <socketless/kernels/scalar_base64.hpp>

#include <cstddef>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels {

/// Encodes whole groups of three bytes from the start of `data` on, and returns how many bytes these were: what is fast
/// to encode. Writes only what `size / 3` groups take. `out` and `data` do not overlap.
[[nodiscard]] inline std::size_t encode_base64([[maybe_unused]] char const* data, [[maybe_unused]] std::size_t size,
                                               [[maybe_unused]] char* out) noexcept {
#ifdef SOCKETLESS_AVX512
    if (size >= avx512::shortest_data && has_avx512()) return avx512::encode_base64(data, size, out);
#endif
#ifdef SOCKETLESS_AVX2
    if (size >= avx2::shortest_data && has_avx2()) return avx2::encode_base64(data, size, out);
    return 0;
#elif defined(SOCKETLESS_NEON)
    return neon::encode_base64(data, size, out);
#elif defined(SOCKETLESS_BASE64_TABLES)
    return scalar::encode_base64(data, size, out);
#else
    return 0;
#endif
}

/// Decodes whole groups of four characters from the start of `text` on, and returns how many characters these were:
/// what is fast to decode, and nothing behind a character that is not of the alphabet. Writes only what `size / 4`
/// groups take. If `out` does not begin behind `text`, it overwrites only characters that are decoded.
[[nodiscard]] inline std::size_t decode_base64([[maybe_unused]] char const* text, [[maybe_unused]] std::size_t size,
                                               [[maybe_unused]] char* out) noexcept {
#ifdef SOCKETLESS_AVX512
    if (size >= avx512::shortest_text && has_avx512()) return avx512::decode_base64(text, size, out);
#endif
#ifdef SOCKETLESS_AVX2
    if (size >= avx2::shortest_text && has_avx2()) return avx2::decode_base64(text, size, out);
    return 0;
#elif defined(SOCKETLESS_NEON)
    return neon::decode_base64(text, size, out);
#elif defined(SOCKETLESS_BASE64_TABLES)
    return scalar::decode_base64(text, size, out);
#else
    return 0;
#endif
}

} // namespace socketless::inline v0::kernels

#include <socketless/core/detail/epilogue.hpp>
