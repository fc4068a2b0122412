// The memory of vectors: gives back what a burst has left behind, and takes what will be needed beforehand.
#pragma once

#include <socketless/core/detail/rollback.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// Once the vector holds less than an eighth of its capacity, cuts that to twice what it holds. The elements that have
// gone have paid for the work. A vector with room for a few elements only stays as it is, so that these come and go at
// no cost; so does one if there is no memory for its smaller copy.
template <class T>
void shrink(std::vector<T>& v) noexcept {
    constexpr std::size_t few = 64;
    if (v.capacity() <= few || v.size() >= v.capacity() / 8) return;
    std::vector<T> smaller;
    if (!attempt([&] { smaller.reserve(v.size() * 2); })) return;
    std::move(v.begin(), v.end(), std::back_inserter(smaller));
    v.swap(smaller);
}

// Makes room for `count` elements in all: adding them allocates nothing. Amortized constant time.
template <class T>
void reserve(std::vector<T>& v, std::size_t count) {
    if (count > v.capacity()) v.reserve(std::max(count, 2 * v.capacity()));
}

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
