// A hash of text that cannot be predicted without its key.
#pragma once

#include <socketless/core/hash_key.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// SipHash-1-3: one round for each eight bytes, three at the end, as in the hash tables of Rust, Python and Ruby.
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
class siphash_state {
public:
    constexpr explicit siphash_state(hash_key const& key) noexcept
        : v0_(key.first ^ 0x736f6d6570736575), v1_(key.second ^ 0x646f72616e646f6d),
          v2_(key.first ^ 0x6c7967656e657261), v3_(key.second ^ 0x7465646279746573) {}

    [[nodiscard]] constexpr std::uint64_t finish(std::string_view text) && noexcept {
        std::size_t const size = text.size();
        for (; text.size() >= word; text.remove_prefix(word)) mix(read(text, word));
        mix(static_cast<std::uint64_t>(size) << 56u | read(text, text.size()));
        v2_ ^= 0xff;
        for (int i = 0; i != 3; ++i) round();
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

private:
    static constexpr std::size_t word = sizeof(std::uint64_t);

    // The first bytes of the text, at most a word of them, the least significant first.
    [[nodiscard]] static constexpr std::uint64_t read(std::string_view text, std::size_t count) noexcept {
        if (!std::is_constant_evaluated() && std::endian::native == std::endian::little) {
            if (count == word) return load<std::uint64_t>(text.data());
            if (count >= 4) // in two halves, which may have bytes in common
                return load<std::uint32_t>(text.data()) | std::uint64_t{load<std::uint32_t>(text.data() + count - 4)}
                                                              << 8 * (count - 4);
        }
        std::uint64_t read = 0;
        for (std::size_t i = 0; i != count; ++i)
            read |= static_cast<std::uint64_t>(static_cast<unsigned char>(text[i])) << 8 * i;
        return read;
    }

    template <class T>
    [[nodiscard]] static T load(char const* from) noexcept {
        T value{};
        std::memcpy(&value, from, sizeof value);
        return value;
    }

    constexpr void mix(std::uint64_t m) noexcept {
        v3_ ^= m;
        round();
        v0_ ^= m;
    }

    constexpr void round() noexcept {
        v0_ += v1_;
        v2_ += v3_;
        v1_ = std::rotl(v1_, 13) ^ v0_;
        v3_ = std::rotl(v3_, 16) ^ v2_;
        v0_ = std::rotl(v0_, 32);
        v2_ += v1_;
        v0_ += v3_;
        v1_ = std::rotl(v1_, 17) ^ v2_;
        v3_ = std::rotl(v3_, 21) ^ v0_;
        v2_ = std::rotl(v2_, 32);
    }

    std::uint64_t v0_;
    std::uint64_t v1_;
    std::uint64_t v2_;
    std::uint64_t v3_;
};

[[nodiscard]] constexpr std::uint64_t siphash(hash_key const& key, std::string_view text) noexcept {
    return siphash_state(key).finish(text);
}

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
