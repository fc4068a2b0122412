// A vector whose elements stay where they are.
#pragma once

#include <socketless/core/assert.hpp>

#include <cstddef>
#include <memory>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// Grows at its end, in chunks: references stay good, and finding an element is two loads.
template <class T, std::size_t Chunk = 16>
class stable_vector {
public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    [[nodiscard]] T& operator[](std::size_t i) noexcept {
        SOCKETLESS_ASSERT(i < size_);
        return chunks_[i / Chunk][i % Chunk];
    }
    [[nodiscard]] T const& operator[](std::size_t i) const noexcept {
        SOCKETLESS_ASSERT(i < size_);
        return chunks_[i / Chunk][i % Chunk];
    }

    // Adds an element that is made by default.
    T& push() {
        if (size_ == chunks_.size() * Chunk) chunks_.push_back(std::make_unique<T[]>(Chunk));
        return (*this)[size_++];
    }

private:
    std::vector<std::unique_ptr<T[]>> chunks_;
    std::size_t size_ = 0;
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
