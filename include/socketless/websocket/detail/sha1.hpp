// SHA-1 (FIPS 180-4), for the accept value of the WebSocket handshake, which proves that a server has understood. No
// secret depends on it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::websocket::detail {

// Takes text in pieces; `digest` ends it.
class sha1 {
public:
    using value = std::array<char, 20>;

    constexpr sha1& add(std::string_view text) noexcept {
        for (char const c : text) put(static_cast<unsigned char>(c));
        return *this;
    }

    [[nodiscard]] constexpr value digest() noexcept {
        std::uint64_t const bit_count = size_ * 8;
        put(0x80);
        while (size_ % block_size != block_size - 8) put(0);
        for (unsigned shift = 64; shift != 0; shift -= 8) put(bit_count >> (shift - 8));
        value digest{};
        for (std::size_t i = 0; i != digest.size(); ++i)
            digest[i] = static_cast<char>(static_cast<unsigned char>(state_[i / 4] >> (24 - i % 4 * 8) & 0xffu));
        return digest;
    }

private:
    static constexpr std::size_t block_size = 64;

    constexpr void put(std::uint64_t byte) noexcept {
        std::size_t const at = size_++ % block_size;
        words_[at / 4] = words_[at / 4] << 8u | static_cast<std::uint32_t>(byte & 0xffu);
        if (at == block_size - 1) mix();
    }

    static constexpr std::uint32_t turned(std::uint32_t x, unsigned places) noexcept {
        return x << places | x >> (32 - places);
    }

    constexpr void mix() noexcept {
        auto [a, b, c, d, e] = state_;
        for (unsigned round = 0; round != 80; ++round) {
            // The sixteen words are a ring, in which each new word takes the place of the oldest.
            std::uint32_t& word = words_[round % 16];
            if (round >= 16)
                word =
                    turned(words_[(round + 13) % 16] ^ words_[(round + 8) % 16] ^ words_[(round + 2) % 16] ^ word, 1);
            std::uint32_t const next = turned(a, 5) + chosen(round, b, c, d) + e + constants[round / 20] + word;
            e = d;
            d = c;
            c = turned(b, 30);
            b = a;
            a = next;
        }
        state_ = {state_[0] + a, state_[1] + b, state_[2] + c, state_[3] + d, state_[4] + e};
    }

    static constexpr std::uint32_t chosen(unsigned round, std::uint32_t b, std::uint32_t c, std::uint32_t d) noexcept {
        if (round < 20) return (b & c) | (~b & d);
        if (round >= 40 && round < 60) return (b & c) | (b & d) | (c & d);
        return b ^ c ^ d;
    }

    static constexpr std::array<std::uint32_t, 4> constants{0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};

    std::array<std::uint32_t, 5> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    std::array<std::uint32_t, 16> words_{};
    std::uint64_t size_ = 0;
};

} // namespace socketless::inline v0::websocket::detail

#include <socketless/core/detail/epilogue.hpp>
