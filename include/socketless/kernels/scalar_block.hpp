// Eight bytes in a word: the block of machines without vectors, and the specification of the others.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::kernels::scalar {

/// Some lanes of a block: those for which something holds.
class lanes {
public:
    /// None.
    constexpr lanes() noexcept = default;
    /// The high bit of each byte that is in.
    constexpr explicit lanes(std::uint64_t highs) noexcept : highs_(highs) {}

    [[nodiscard]] constexpr bool any() const noexcept { return highs_ != 0; }

    /// The first of them; if there are none, the size of a block.
    [[nodiscard]] constexpr std::size_t first() const noexcept {
        auto const zeros =
            std::endian::native == std::endian::little ? std::countr_zero(highs_) : std::countl_zero(highs_);
        return static_cast<std::size_t>(zeros) / 8;
    }

    /// The others.
    [[nodiscard]] constexpr lanes operator|(lanes other) const noexcept { return lanes(highs_ | other.highs_); }

private:
    std::uint64_t highs_ = 0;
};

/// Bytes that are looked at together. Each question is answered for each lane by itself.
class block {
public:
    static constexpr std::size_t size = 8;

    /// The bytes at `p`. Precondition: there are `size` of them.
    [[nodiscard]] static block load(char const* p) noexcept {
        block loaded;
        std::memcpy(&loaded.word_, p, size);
        return loaded;
    }
    /// These eight bytes, as often as they fit.
    [[nodiscard]] static block fill(std::uint64_t bytes) noexcept {
        block made;
        made.word_ = bytes;
        return made;
    }
    /// The bytes at `p`, and zeros behind them. Precondition: there are `n` of them, less than `size`.
    [[nodiscard]] static block load_part(char const* p, std::size_t n) noexcept {
        block loaded;
#ifndef __OPTIMIZE_SIZE__
        if constexpr (std::endian::native == std::endian::little) {
            if (n >= 4) {
                std::uint32_t first = 0;
                std::uint32_t last = 0;
                std::memcpy(&first, p, sizeof first);
                std::memcpy(&last, p + n - sizeof last, sizeof last);
                loaded.word_ = first | std::uint64_t{last} << (n - 4) * 8;
            } else if (n != 0) {
                auto const byte = [p](std::size_t i) {
                    return std::uint64_t{static_cast<unsigned char>(p[i])} << i * 8;
                };
                loaded.word_ = byte(0) | byte(n / 2) | byte(n - 1);
            }
            return loaded;
        }
#endif
        std::memcpy(&loaded.word_, p, n);
        return loaded;
    }
    /// The four bytes of `key`, as they lie in memory, over and over.
    [[nodiscard]] static block repeat(std::uint32_t key) noexcept {
        block repeated;
        repeated.word_ = std::uint64_t{key} << 32u | key;
        return repeated;
    }
    /// Precondition: room for `size` bytes.
    void store(char* p) const noexcept {
        std::memcpy(p, &word_, size);
    }

    [[nodiscard]] friend block operator|(block a, block b) noexcept {
        a.word_ |= b.word_;
        return a;
    }
    [[nodiscard]] friend block operator^(block a, block b) noexcept {
        a.word_ ^= b.word_;
        return a;
    }

    /// Which bytes a JSON string does not hold as themselves: quotes, backslashes and control characters.
    [[nodiscard]] lanes specials() const noexcept {
        return lanes((zeros(word_ ^ ones * '"') | zeros(word_ ^ ones * '\\') | below<0x20>(word_)) & highs);
    }
    /// Which bytes are not ASCII.
    [[nodiscard]] lanes non_ascii() const noexcept {
        return lanes(word_ & highs);
    }
    /// Which bytes are commas or not ASCII.
    [[nodiscard]] lanes commas_or_non_ascii() const noexcept {
        return lanes((zeros(word_ ^ ones * ',') | word_) & highs);
    }

private:
    static constexpr std::uint64_t ones = 0x0101010101010101u;
    static constexpr std::uint64_t highs = 0x8080808080808080u;

    // The high bits of the bytes that are zero; of those below N, which is at most 128.
    static constexpr std::uint64_t zeros(std::uint64_t word) noexcept {
        return below<1>(word);
    }
    template <std::uint8_t N>
    static constexpr std::uint64_t below(std::uint64_t word) noexcept {
        return ~(((word & ~highs) + ones * (0x80 - N)) | word);
    }

    std::uint64_t word_ = 0;
};

} // namespace socketless::inline v0::kernels::scalar

#include <socketless/core/detail/epilogue.hpp>
