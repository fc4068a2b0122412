// Seeded randomness: the same numbers on every platform, so that a failing test fails again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace support {

// SplitMix64 (Steele, Lea and Flood, 2014). Also a std::uniform_random_bit_generator.
class random_source {
public:
    using result_type = std::uint64_t;

    constexpr explicit random_source(std::uint64_t seed) noexcept : state_(seed) {}

    static constexpr result_type min() noexcept { return 0; }
    static constexpr result_type max() noexcept { return std::numeric_limits<result_type>::max(); }

    constexpr std::uint64_t operator()() noexcept {
        state_ += 0x9e3779b97f4a7c15u;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30u)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27u)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31u);
    }

    // 0 to bound - 1. Precondition: bound is not 0.
    constexpr std::size_t below(std::size_t bound) noexcept { return static_cast<std::size_t>((*this)() % bound); }

    constexpr int between(int lowest, int highest) noexcept {
        return lowest + static_cast<int>(below(static_cast<std::size_t>(highest - lowest) + 1));
    }

    // True once in `n` times.
    constexpr bool one_in(std::size_t n) noexcept { return below(n) == 0; }

    constexpr char byte() noexcept { return static_cast<char>(static_cast<unsigned char>((*this)() & 0xffu)); }

    // Precondition: `choices` is not empty. Works for strings, arrays and vectors.
    template <class Choices>
    constexpr auto const& pick(Choices const& choices) noexcept {
        return choices[below(std::size(choices))];
    }

    std::string bytes(std::size_t size) {
        std::string s(size, '\0');
        for (char& c : s) c = byte();
        return s;
    }

    // `size` characters of `alphabet`.
    std::string text(std::size_t size, std::string_view alphabet) {
        std::string s(size, '\0');
        for (char& c : s) c = pick(alphabet);
        return s;
    }

private:
    std::uint64_t state_;
};

} // namespace support
