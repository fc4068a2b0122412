// Gives back the memory that a burst has left behind.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

// Keeps room for twice what the vector holds once it holds less than an eighth of what it could. The work is paid for
// by the elements that have gone. Vectors of a few elements stay as they are, so that these come and go for nothing; and
// so does one for whose smaller copy there is no memory.
template <class T>
void shrink(std::vector<T>& v) noexcept {
    constexpr std::size_t few = 64;
    if (v.capacity() <= few || v.size() >= v.capacity() / 8) return;
    std::vector<T> smaller;
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
    try {
        smaller.reserve(v.size() * 2);
    } catch (...) {
        return;
    }
#else
    smaller.reserve(v.size() * 2);
#endif
    std::move(v.begin(), v.end(), std::back_inserter(smaller));
    v.swap(smaller);
}

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
