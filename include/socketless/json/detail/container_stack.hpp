// Which containers are open, while JSON is walked.
#pragma once

#include <socketless/core/limits.hpp>

#include <cstdint>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json::detail {

// The types of the containers that are open, one bit a level; those of the innermost are in a register.
class container_stack {
public:
    // `depth` is how many are open before.
    constexpr void push(std::uint32_t depth, bool object) noexcept {
        if (depth % 64 == 0) words_[depth / 64] = innermost_;
        innermost_ = innermost_ << 1u | static_cast<std::uint64_t>(object);
    }
    // `depth` is how many are open after.
    constexpr void pop(std::uint32_t depth) noexcept {
        innermost_ >>= 1u;
        if (depth % 64 == 0) [[unlikely]]
            innermost_ = words_[depth / 64];
    }
    // What closes the innermost one.
    [[nodiscard]] constexpr char closing() const noexcept {
        return static_cast<char>(']' | (innermost_ & 1u) << 5u); // ']' and '}' differ in this bit
    }

private:
    std::uint64_t innermost_ = 0;
    std::uint64_t words_[limits::deepest / 64]; // a word is written when it is first reached
};

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
