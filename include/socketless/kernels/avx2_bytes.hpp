// Thirty-two bytes in a register of x86-64 with AVX2, and the instructions for which C++ has no operator. The operators
// are those of the compiler, for its vectors.
#pragma once

#include <socketless/kernels/detect.hpp>

#ifdef SOCKETLESS_AVX2

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::avx2 {

/// Compared, each byte gives 0 or 255.
using bytes = unsigned char __attribute__((vector_size(32)));
// The same register for instructions that take other numbers.
using chars = char __attribute__((vector_size(32)));
using shorts = short __attribute__((vector_size(32)));
using words = unsigned short __attribute__((vector_size(32)));
using ints = int __attribute__((vector_size(32)));
using longs = long long __attribute__((vector_size(32)));

inline constexpr std::size_t width = sizeof(bytes);

/// A table of 16 for `look_up`, which looks up in each half of a register for itself.
constexpr std::array<std::uint8_t, width> twice(std::array<std::uint8_t, width / 2> const& half) noexcept {
    std::array<std::uint8_t, width> both{};
    for (std::size_t i = 0; i != width; ++i) both[i] = half[i % half.size()];
    return both;
}

SOCKETLESS_AVX2_INLINE inline bytes load(void const* p) noexcept {
    bytes loaded;
    std::memcpy(&loaded, p, sizeof loaded);
    return loaded;
}
SOCKETLESS_AVX2_INLINE inline bytes load(std::array<std::uint8_t, width> const& constant) noexcept {
    return load(constant.data());
}
SOCKETLESS_AVX2_INLINE inline void store(bytes b, char* p) noexcept {
    std::memcpy(p, &b, sizeof b);
}
SOCKETLESS_AVX2_INLINE inline bytes fill(std::uint8_t c) noexcept {
    return bytes{} + c;
}

/// One bit for each byte: its highest.
SOCKETLESS_AVX2_INLINE inline std::uint32_t high_bits(bytes b) noexcept {
    return static_cast<std::uint32_t>(__builtin_ia32_pmovmskb256(reinterpret_cast<chars>(b)));
}
/// Whether `a` and `b` have a bit in common.
SOCKETLESS_AVX2_INLINE inline bool meet(bytes a, bytes b) noexcept {
    return __builtin_ia32_ptestz256(reinterpret_cast<longs>(a), reinterpret_cast<longs>(b)) == 0;
}
/// The byte of `table` that the low four bits of each byte say; 0 where its highest bit is set.
SOCKETLESS_AVX2_INLINE inline bytes look_up(bytes table, bytes places) noexcept {
    return reinterpret_cast<bytes>(
        __builtin_ia32_pshufb256(reinterpret_cast<chars>(table), reinterpret_cast<chars>(places)));
}
/// The four bytes at each of eight places.
SOCKETLESS_AVX2_INLINE inline bytes permuted(bytes b, ints places) noexcept {
    return reinterpret_cast<bytes>(__builtin_ia32_permvarsi256(reinterpret_cast<ints>(b), places));
}
SOCKETLESS_AVX2_INLINE inline bytes low_halves(bytes b) noexcept {
    return b & std::uint8_t{0x0f};
}
SOCKETLESS_AVX2_INLINE inline bytes high_halves(bytes b) noexcept {
    return low_halves(reinterpret_cast<bytes>(reinterpret_cast<words>(b) >> 4));
}
/// The upper 16 bits of each product of unsigned numbers of 16 bits.
SOCKETLESS_AVX2_INLINE inline bytes high_products(ints a, ints b) noexcept {
    return reinterpret_cast<bytes>(__builtin_ia32_pmulhuw256(reinterpret_cast<shorts>(a), reinterpret_cast<shorts>(b)));
}
/// The sum of each two neighbours, each multiplied with its factor: bytes, or numbers of 16 bits.
SOCKETLESS_AVX2_INLINE inline shorts pair_sums(bytes b, ints factors) noexcept {
    return __builtin_ia32_pmaddubsw256(reinterpret_cast<chars>(b), reinterpret_cast<chars>(factors));
}
SOCKETLESS_AVX2_INLINE inline ints pair_sums(shorts s, ints factors) noexcept {
    return __builtin_ia32_pmaddwd256(s, reinterpret_cast<shorts>(factors));
}
/// Each byte less `n`; 0 where it is less than that.
SOCKETLESS_AVX2_INLINE inline bytes beyond(bytes b, std::uint8_t n) noexcept {
#ifdef __clang__
    bytes const lowest = fill(n); // it knows the instruction
    return (b > lowest ? b : lowest) - lowest;
#else
    return reinterpret_cast<bytes>(
        __builtin_ia32_psubusb256(reinterpret_cast<chars>(b), reinterpret_cast<chars>(fill(n))));
#endif
}

} // namespace socketless::inline v0::kernels::avx2

#include <socketless/core/detail/epilogue.hpp>

#endif
