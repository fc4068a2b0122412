// A vector for what is one thing as a rule, and seldom more.
#pragma once

#include <socketless/core/assert.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// Grows at its end. The first element lies in the vector itself until there is a second: then all move. An element that
// is made by default takes no memory, and to move one cannot fail.
template <class T>
class small_vector {
public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T* data() noexcept { return many_ ? many_.get() : &one_; }
    [[nodiscard]] T const* data() const noexcept { return many_ ? many_.get() : &one_; }
    [[nodiscard]] T* begin() noexcept { return data(); }
    [[nodiscard]] T* end() noexcept { return data() + size_; }

    [[nodiscard]] T& operator[](std::size_t i) noexcept {
        SOCKETLESS_ASSERT(i < size_);
        return data()[i];
    }
    [[nodiscard]] T const& operator[](std::size_t i) const noexcept {
        SOCKETLESS_ASSERT(i < size_);
        return data()[i];
    }

    // Adds an element that is made by default. Nothing changes where it throws.
    T& emplace_back() {
        if (size_ == capacity_) grow();
        return data()[size_++];
    }

private:
    void grow() {
        static_assert(std::is_nothrow_default_constructible_v<T> && std::is_nothrow_move_assignable_v<T>);
        std::uint32_t const capacity = capacity_ * 2;
        auto larger = std::make_unique<T[]>(capacity);
        T* const all = data();
        for (std::uint32_t i = 0; i != size_; ++i) larger[i] = std::move(all[i]);
        many_ = std::move(larger);
        capacity_ = capacity;
    }

    T one_;
    std::unique_ptr<T[]> many_;
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 1;
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
