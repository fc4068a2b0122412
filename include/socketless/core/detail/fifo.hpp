// A queue in memory that is reused.
#pragma once

#include <socketless/core/assert.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// First in, first out. Popped items are freed when the queue becomes empty, or when there are more of them than of
// others.
template <class T>
class fifo {
public:
    fifo() = default;
    fifo(fifo&& other) noexcept : items_(std::move(other.items_)), head_(std::exchange(other.head_, 0)) {}
    fifo& operator=(fifo&& other) noexcept {
        items_ = std::move(other.items_);
        head_ = std::exchange(other.head_, 0);
        return *this;
    }

    [[nodiscard]] bool empty() const noexcept { return head_ == items_.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size() - head_; }
    // Precondition of all four: not empty.
    [[nodiscard]] T& front() noexcept {
        SOCKETLESS_ASSERT(!empty());
        return items_[head_];
    }
    [[nodiscard]] T const& front() const noexcept {
        SOCKETLESS_ASSERT(!empty());
        return items_[head_];
    }
    [[nodiscard]] T& back() noexcept {
        SOCKETLESS_ASSERT(!empty());
        return items_.back();
    }
    void pop() noexcept {
        SOCKETLESS_ASSERT(!empty());
        constexpr std::size_t few = 64;
        if (++head_ == items_.size()) {
            items_.clear();
        } else if (head_ > few && head_ > size()) { // the pops have paid for it
            items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
        } else {
            return;
        }
        head_ = 0;
    }
    void push(T item) { items_.push_back(std::move(item)); }

    // The next `count` pushes allocate nothing. Amortized constant time.
    void reserve(std::size_t count) {
        std::size_t const wanted = items_.size() + count;
        if (wanted > items_.capacity()) items_.reserve(std::max(wanted, 2 * items_.capacity()));
    }

private:
    std::vector<T> items_;
    std::size_t head_ = 0;
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
