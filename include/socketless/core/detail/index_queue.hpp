// A queue of small indices, each in it at most once.
#pragma once

#include <socketless/core/assert.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// First in, first out. `reserve` takes the memory beforehand, so that queueing cannot fail.
class index_queue {
public:
    // All indices are below `count`.
    void reserve(std::size_t count) {
        if (count > next_.size()) next_.resize(count, unqueued);
    }

    [[nodiscard]] bool empty() const noexcept { return first_ == none; }
    [[nodiscard]] bool contains(std::uint32_t i) const noexcept { return next_[i] != unqueued; }
    // Precondition of both: not empty.
    [[nodiscard]] std::uint32_t front() const noexcept {
        SOCKETLESS_ASSERT(!empty());
        return first_;
    }
    void pop() noexcept {
        SOCKETLESS_ASSERT(!empty());
        std::uint32_t const popped = first_;
        first_ = next_[popped];
        next_[popped] = unqueued;
    }

    // Puts it at the end, if it is not in the queue.
    void push(std::uint32_t i) noexcept {
        SOCKETLESS_ASSERT(i < next_.size());
        if (next_[i] != unqueued) return;
        next_[i] = none;
        if (empty())
            first_ = i;
        else
            next_[last_] = i;
        last_ = i;
    }

private:
    static constexpr std::uint32_t none = 0xffffffff;
    static constexpr std::uint32_t unqueued = 0xfffffffe;

    std::vector<std::uint32_t> next_; // by index
    std::uint32_t first_ = none;
    std::uint32_t last_ = none;
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
