// Base64 in AVX2: 24 bytes and 32 characters at once.
//
// Source: Mula and Lemire, "Faster Base64 Encoding and Decoding Using AVX2 Instructions", 2018.
#pragma once

#include <socketless/kernels/avx2_bytes.hpp>
#include <socketless/kernels/detect.hpp>

#ifdef SOCKETLESS_AVX2

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::avx2 {

inline constexpr std::size_t base64_bytes = width / 4 * 3;

// A group of three bytes is made of four characters, and both are four bytes wide in the middle of the work.
SOCKETLESS_AVX2_INLINE inline bytes base64_characters(bytes twelve_in_each_half) noexcept {
    // Bytes 1 0 2 1 of each group: then each six bits lie within 16, which are multiplied to shift them.
    static constexpr auto spread = twice({1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10});
    auto const groups = reinterpret_cast<ints>(look_up(twelve_in_each_half, load(spread)));
    bytes const upper = high_products(groups & 0x0fc0fc00, ints{} + 0x04000040);
    auto const lower = reinterpret_cast<bytes>(reinterpret_cast<words>(groups & 0x003f03f0) *
                                               reinterpret_cast<words>(ints{} + 0x01000010));
    bytes const values = upper | lower;
    // What to add to a value: at 0 for a to z, then for each digit, + and /, and at 13 for A to Z.
    static constexpr auto distances = twice({71, 252, 252, 252, 252, 252, 252, 252, 252, 252, 252, 237, 240, 65, 0, 0});
    bytes const places = beyond(values, 51) | (reinterpret_cast<bytes>(values < std::uint8_t{26}) & std::uint8_t{13});
    return values + look_up(load(distances), places);
}

// The 24 bytes that begin at `p`, or end there.
SOCKETLESS_AVX2_INLINE inline bytes base64_behind(char const* p) noexcept {
    return base64_characters(permuted(load(p), ints{0, 1, 2, 3, 3, 4, 5, 6}));
}
SOCKETLESS_AVX2_INLINE inline bytes base64_before(char const* p) noexcept {
    return base64_characters(permuted(load(p - width), ints{2, 3, 4, 5, 5, 6, 7, 7}));
}

/// The least that `encode_base64` takes.
inline constexpr std::size_t shortest_data = width + 2;

/// See kernels::encode_base64.
SOCKETLESS_AVX2_KERNEL inline std::size_t encode_base64(char const* data, std::size_t size, char* out) noexcept {
    size -= size % 3;
    std::size_t i = 0;
    for (; size - i >= width; i += base64_bytes, out += width) store(base64_behind(data + i), out);
    if (size - i > base64_bytes) {
        i += base64_bytes;
        store(base64_before(data + i), out);
        out += width;
    }
    // The last bytes, and before them some that are encoded a second time.
    out -= (base64_bytes - (size - i)) / 3 * 4;
    store(base64_before(data + size), out);
    return size;
}

// The bits of 32 characters, in the first 24 bytes. Sets `good` to false if one is none of the alphabet.
SOCKETLESS_AVX2_INLINE inline bytes decoded_base64(bytes characters, bool& good) noexcept {
    // Bits for the halves of a byte: if both have one in common, it is no character of the alphabet.
    static constexpr auto low = twice({0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, //
                                       0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a});
    static constexpr auto high = twice({0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, //
                                        0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10});
    bytes const upper = high_halves(characters);
    good = !meet(look_up(load(low), low_halves(characters)), look_up(load(high), upper));
    // What to add to a character, by its high half; the slash takes the place before its own.
    static constexpr auto distances = twice({0, 16, 19, 4, 191, 191, 185, 185, 0, 0, 0, 0, 0, 0, 0, 0});
    auto const slashes = reinterpret_cast<bytes>(characters == std::uint8_t{'/'});
    bytes const values = characters + look_up(load(distances), upper + slashes);
    // Four values of six bits are two of twelve, and then one of 24.
    ints const groups = pair_sums(pair_sums(values, ints{} + 0x01400140), ints{} + 0x00011000);
    static constexpr auto packed = twice({2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, 128, 128, 128, 128});
    return permuted(look_up(reinterpret_cast<bytes>(groups), load(packed)), ints{0, 1, 2, 4, 5, 6, 3, 7});
}

/// The least that `decode_base64` takes.
inline constexpr std::size_t shortest_text = width;

/// See kernels::decode_base64.
SOCKETLESS_AVX2_KERNEL inline std::size_t decode_base64(char const* text, std::size_t size, char* out) noexcept {
    std::size_t i = 0;
    bool good = true;
    // What is stored is longer than what was decoded, but not than what was read, nor than what will be written.
    for (; size - i >= width + 12; i += width, out += base64_bytes) {
        bytes const decoded = decoded_base64(load(text + i), good);
        if (!good) return i;
        store(decoded, out);
    }
    if (size - i < width) return i;
    bytes const decoded = decoded_base64(load(text + i), good);
    if (!good) return i;
    std::memcpy(out, &decoded, base64_bytes);
    return i + width;
}

} // namespace socketless::inline v0::kernels::avx2

#include <socketless/core/detail/epilogue.hpp>

#endif
