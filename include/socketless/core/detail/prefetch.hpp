// Memory that is about to be used: the processor fetches it while other work goes on.
#pragma once

#include <cstddef>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// A hint: nothing happens where the compiler has no word for it. `size` bytes from `from` on.
inline void prefetch([[maybe_unused]] void const* from, [[maybe_unused]] std::size_t size) noexcept {
#if defined(__GNUC__)
    constexpr std::size_t line = 64;
    auto const* const begin = static_cast<char const*>(from);
    for (std::size_t at = 0; at < size; at += line) __builtin_prefetch(begin + at, 1);
#endif
}

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
