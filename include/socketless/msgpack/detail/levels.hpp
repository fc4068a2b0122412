// How many values are still to come on each level of a nest: a stack in little memory, as deep as the limits allow.
#pragma once

#include <cstddef>
#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack::detail {

// A stack of numbers below 2^40. Most levels have few values left, or none, and take a byte or less. Each entry ends
// with a byte that says how it is read:
//
//     1 to 127    the number
//     0x80 + n    n + 1 zeros, n < 64
//     0xc0 + n    a number of n bytes, which stand before it
class levels {
public:
    // Never fails for a stack of up to 170 numbers; up to 1,024 if they are below 128. False if there is no room.
    [[nodiscard]] constexpr bool push(std::uint64_t n) noexcept {
        if (n == 0 && size_ != 0 && bytes_[size_ - 1] >= zeros && bytes_[size_ - 1] < number - 1) {
            ++bytes_[size_ - 1];
            return true;
        }
        if (capacity - size_ < longest) return false;
        if (n == 0) {
            bytes_[size_++] = zeros;
        } else if (n < zeros) {
            bytes_[size_++] = static_cast<std::uint8_t>(n);
        } else {
            std::uint8_t tag = number;
            for (; n != 0; n >>= 8u, ++tag) bytes_[size_++] = static_cast<std::uint8_t>(n & 0xffu);
            bytes_[size_++] = tag;
        }
        return true;
    }

    // Precondition: not empty.
    constexpr std::uint64_t pop() noexcept {
        std::uint8_t const tag = bytes_[size_ - 1];
        if (tag > zeros && tag < number) {
            --bytes_[size_ - 1];
            return 0;
        }
        --size_;
        if (tag <= zeros) return tag % zeros;
        std::uint64_t n = 0;
        for (std::uint8_t left = tag; left != number; --left) n = n << 8u | bytes_[--size_];
        return n;
    }

private:
    static constexpr std::uint8_t zeros = 0x80;
    static constexpr std::uint8_t number = 0xc0;
    static constexpr std::size_t longest = 6;
    static constexpr std::size_t capacity = 1'024 + longest;

    std::size_t size_ = 0;
    std::uint8_t bytes_[capacity]; // what is below size_ was written
};

} // namespace socketless::inline v0::msgpack::detail

#include <socketless/core/detail/epilogue.hpp>
