// Things that callers know by a handle: an index, which is used again, and a generation, which tells its uses apart.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/shrink.hpp>
#include <socketless/core/detail/stable_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// Where one thing is kept at a time: a base of the things, so that the generation fills what would be padding.
class slot {
public:
    // Odd while the slot is used. 0 is nobody's: that of a handle that was not set.
    [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }
    [[nodiscard]] bool is_used() const noexcept { return generation_ % 2 != 0; }

    void occupy() noexcept {
        if (!is_used()) ++generation_;
    }
    void vacate() noexcept {
        if (is_used()) ++generation_;
    }

private:
    std::uint32_t generation_ = 0;
};

// Indices are small and dense. References stay good. `T` derives from `slot`, and to make an empty one cannot fail.
// Memory is taken for `Chunk` of them at a time.
template <class T, std::size_t Chunk = 16>
class slot_map {
public:
    // How many things there are, and how many indices: those of things that have gone are free.
    [[nodiscard]] std::size_t size() const noexcept { return slots_.size() - free_.size(); }
    [[nodiscard]] std::size_t indices() const noexcept { return slots_.size(); }

    [[nodiscard]] T& operator[](std::uint32_t index) noexcept { return slots_[index]; }
    [[nodiscard]] T const& operator[](std::uint32_t index) const noexcept { return slots_[index]; }

    // The thing with this handle, or null where it has gone.
    template <class Handle>
    [[nodiscard]] T const* find(Handle const& handle) const noexcept {
        if (handle.index >= slots_.size()) return nullptr;
        T const& found = slots_[handle.index];
        return found.is_used() && found.generation() == handle.generation ? &found : nullptr;
    }
    template <class Handle>
    [[nodiscard]] T* find(Handle const& handle) noexcept {
        return const_cast<T*>(std::as_const(*this).find(handle));
    }

    // Occupies an index with an empty thing. Nothing changes where it throws.
    [[nodiscard]] std::uint32_t make() {
        if (free_.empty()) {
            reserve(free_, slots_.size() + 1); // so that `free` cannot fail
            slots_.push();
            free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
        }
        std::uint32_t const index = free_.back();
        free_.pop_back();
        slots_[index].occupy();
        return index;
    }

    // Empties the thing; its index may be used again. Precondition: it is used.
    void free(std::uint32_t index) noexcept {
        T& gone = slots_[index];
        SOCKETLESS_ASSERT(gone.is_used());
        slot next(static_cast<slot const&>(gone));
        next.vacate();
        std::destroy_at(&gone);
        static_cast<slot&>(*std::construct_at(&gone)) = next;
        free_.push_back(index);
    }

private:
    stable_vector<T, Chunk> slots_;
    std::vector<std::uint32_t> free_;
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
