// Powers of ten, rounded to 128 bits: from a table of 11 KB or, where memory is short, from tables of 800 bytes. That
// is the choice of the compiler's -Os, and of SOCKETLESS_SMALL_TABLES; the numbers are the same.
#pragma once

#include <socketless/json/detail/power_table.hpp>
#include <socketless/json/detail/wide.hpp>

#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

// Those that doubles need: printing goes further up, reading further down, for the digits that a numeral has.
inline constexpr int least_power = -342;
inline constexpr int greatest_power = 324;

// These have at most 128 significant bits.
constexpr bool is_exact_power(int exponent) noexcept {
    return exponent >= 0 && exponent <= 55;
}

// floor(log2(10^exponent)), for all the exponents above.
constexpr int log2_of_power(int exponent) noexcept {
    return exponent * 1'741'647 >> 19;
}

// Every 27th power, from 10^-351 on.
inline constexpr int power_step = 27;
inline constexpr int least_step = -13;
inline constexpr wide power_steps[] = {
    {0x8049a4ac0c5811ae, 0x205b896d777d6279}, {0xcf42894a5dce35ea, 0x52064cac828675ba},
    {0xa76c582338ed2621, 0xaf2af2b80af6f24f}, {0x873e4f75e2224e68, 0x5a7744a6e804a292},
    {0xda7f5bf590966848, 0xaf39a475506a899f}, {0xb080392cc4349dec, 0xbd8d794d96aacfb4},
    {0x8e938662882af53e, 0x547eb47b7282ee9d}, {0xe65829b3046b0afa, 0x0cb4a5a3112a5113},
    {0xba121a4650e4ddeb, 0x92f34d62616ce414}, {0x964e858c91ba2655, 0x3a6a07f8d510f870},
    {0xf2d56790ab41c2a2, 0xfae27299423fb9c4}, {0xc428d05aa4751e4c, 0xaa97e14c3c26b887},
    {0x9e74d1b791e07e48, 0x775ea264cf55347e}, {0x8000000000000000, 0x0000000000000000},
    {0xcecb8f27f4200f3a, 0x0000000000000000}, {0xa70c3c40a64e6c51, 0x999090b65f67d924},
    {0x86f0ac99b4e8dafd, 0x69a028bb3ded71a4}, {0xda01ee641a708de9, 0xe80e6f4820cc9496},
    {0xb01ae745b101e9e4, 0x5ec05dcff72e7f90}, {0x8e41ade9fbebc27d, 0x14588f13be847308},
    {0xe5d3ef282a242e81, 0x8f1668c8a86da5fb}, {0xb9a74a0637ce2ee1, 0x6d953e2bd7173693},
    {0x95f83d0a1fb69cd9, 0x4abdaf101564f98f}, {0xf24a01a73cf2dccf, 0xbc633b39673c8ced},
    {0xc3b8358109e84f07, 0x0a862f80ec4700c9}, {0x9e19db92b4e31ba9, 0x6c07a2c26a8346d2},
};

// 5^0 to 5^26, with the highest bit set.
inline constexpr std::uint64_t powers_of_five[] = {
    0x8000000000000000, 0xa000000000000000, 0xc800000000000000, 0xfa00000000000000, 0x9c40000000000000,
    0xc350000000000000, 0xf424000000000000, 0x9896800000000000, 0xbebc200000000000, 0xee6b280000000000,
    0x9502f90000000000, 0xba43b74000000000, 0xe8d4a51000000000, 0x9184e72a00000000, 0xb5e620f480000000,
    0xe35fa931a0000000, 0x8e1bc9bf04000000, 0xb1a2bc2ec5000000, 0xde0b6b3a76400000, 0x8ac7230489e80000,
    0xad78ebc5ac620000, 0xd8d726b7177a8000, 0x878678326eac9000, 0xa968163f0a57b400, 0xd3c21bcecceda100,
    0x84595161401484a0, 0xa56fa5b99019a5c8,
};

// For each exponent two bits: what the product of a step and a power of five lacks, and one more.
inline constexpr std::uint32_t power_corrections[] = {
    0x6a6aa995, 0x6a565555, 0x969a5656, 0x55555555, 0x95996956, 0x95aa6aaa, 0xaaa9966a, 0x566aaa5a, 0xaaaaaaaa,
    0x5556aaaa, 0x46195556, 0xa6aaa955, 0x655a556a, 0x59569554, 0xa9555515, 0xa695aaaa, 0xa99965aa, 0x5aaaa555,
    0xaa5a6aa9, 0x9a6aa996, 0xa65a96aa, 0x55555595, 0x55555555, 0x55555555, 0xa5555555, 0xaaaaaaaa, 0xaaa96aaa,
    0xaaaa6aa9, 0x6a9aaa9a, 0x96a9aaaa, 0x65a96a66, 0x5151aaa6, 0x54510655, 0xaaaaaa55, 0x9aa9aaaa, 0x9a695a5a,
    0x5116a955, 0x41955551, 0x66965551, 0x6565966a, 0x55515555, 0x0015a555,
};

constexpr wide power_from_steps(int exponent) noexcept {
    auto const nth = static_cast<unsigned>(exponent - least_step * power_step);
    wide const step = power_steps[nth / power_step];
    std::uint64_t const five = powers_of_five[nth % power_step];

    wide high = multiply(step.high, five);
    wide const low = multiply(step.low, five);
    high = add(high, low.high);
    if (high.high >> 63u == 0) high = {high.high << 1u | high.low >> 63u, high.low << 1u | low.low >> 63u};
    auto const entry = static_cast<unsigned>(exponent - least_power);
    std::uint64_t const correction = power_corrections[entry / 16] >> entry % 16 * 2 & 3u;
    if (correction == 0) return {high.high - (high.low == 0 ? 1 : 0), high.low - 1};
    return add(high, correction - 1);
}

// 10^exponent, divided by a power of two so that it is 2^127 or more and less than 2^128, rounded up.
constexpr wide power_of_ten(int exponent) noexcept {
#if defined(SOCKETLESS_SMALL_TABLES) || defined(__OPTIMIZE_SIZE__)
    return power_from_steps(exponent);
#else
    return power_table[exponent - least_power];
#endif
}

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
