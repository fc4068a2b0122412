// The kernels that are loops over blocks, for whatever block there is. Where a text is no multiple of a block, the last
// block overlaps the one before it.
#pragma once

#include <socketless/kernels/scalar_block.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::blocks {

/// The first quote, backslash or control character of a text; its end if there is none.
template <class Block>
[[nodiscard]] char const* find_special(char const* p, char const* end) noexcept {
    auto const size = static_cast<std::size_t>(end - p);
    if (size < Block::size) {
        constexpr std::size_t half = sizeof(std::uint64_t);
        if constexpr (Block::size > half) {
            if (size < half) return find_special<scalar::block>(p, end);
            std::uint64_t first = 0;
            std::uint64_t last = 0; // of which the first ones may be some of the first
            std::memcpy(&first, p, half);
            std::memcpy(&last, end - half, half);
            auto const found = Block::pair(first, last).specials().first();
            return found < half ? p + found : end - (Block::size - found);
        }
        return p + scalar::block::load_part(p, size).specials().first(); // the zeros behind them are special
    }
    char const* const last = end - Block::size;
    for (; p < last; p += Block::size)
        if (auto const found = Block::load(p).specials(); found.any()) return p + found.first();
    return last + Block::load(last).specials().first();
}

/// How many bytes at the start of a text are ASCII.
template <class Block>
[[nodiscard]] std::size_t ascii_prefix(char const* p, std::size_t size) noexcept {
    if (size < Block::size) {
        if constexpr (Block::size > scalar::block::size) return ascii_prefix<scalar::block>(p, size);
        auto const found = scalar::block::load_part(p, size).non_ascii();
        return found.any() ? found.first() : size;
    }
    std::size_t const last = size - Block::size;
    for (std::size_t i = 0; i < last; i += Block::size)
        if (auto const found = Block::load(p + i).non_ascii(); found.any()) return i + found.first();
    return last + Block::load(p + last).non_ascii().first();
}

/// Whether all of a text is ASCII. Looks at all of it: one decision is the cheapest for short texts.
template <class Block>
[[nodiscard]] bool is_ascii(char const* p, std::size_t size) noexcept {
    if (size < Block::size) {
        if constexpr (Block::size > scalar::block::size) return is_ascii<scalar::block>(p, size);
        return !scalar::block::load_part(p, size).non_ascii().any();
    }
    std::size_t const last = size - Block::size;
    Block all = Block::load(p + last);
    for (std::size_t i = 0; i < last; i += Block::size) all = all | Block::load(p + i);
    return !all.non_ascii().any();
}

/// The key of a mask from its byte `n` on, where it begins again after four. It lies as in memory.
[[nodiscard]] constexpr std::uint32_t turned(std::uint32_t key, std::size_t n) noexcept {
    auto const by = static_cast<int>(n % 4 * 8);
    return std::endian::native == std::endian::little ? std::rotr(key, by) : std::rotl(key, by);
}

/// Combines each byte with the one of the four bytes of `key` whose turn it is, by exclusive or.
template <class Block>
void mask(char* p, std::size_t size, std::uint32_t key) noexcept {
    if (size < Block::size) {
        if constexpr (Block::size > scalar::block::size) return mask<scalar::block>(p, size, key);
        auto const bytes = std::bit_cast<std::array<char, 4>>(key);
        for (std::size_t i = 0; i != size; ++i) p[i] = static_cast<char>(p[i] ^ bytes[i % 4]);
        return;
    }
    // Twice would be not at all: the last block is read before the others are written.
    std::size_t const last = size - Block::size;
    Block const masked = Block::load(p + last) ^ Block::repeat(turned(key, last));
    Block const repeated = Block::repeat(key);
    for (std::size_t i = 0; i < last; i += Block::size) (Block::load(p + i) ^ repeated).store(p + i);
    masked.store(p + last);
}

} // namespace socketless::inline v0::kernels::blocks

#include <socketless/core/detail/epilogue.hpp>
