// A hash table of small indices: what they stand for is kept elsewhere, and so are the keys.
#pragma once

#include <socketless/core/assert.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// Open addressing, linear probing, no tombstones: six to twelve bytes an index. `hash_of(i)` says the hash of an index
// that is in the table, of which the low bits may be poor.
class index_table {
public:
    static constexpr std::uint32_t none = 0xffffffff;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    // The index with this hash for which `matches(i)` is true, or `none`.
    template <class Matches>
    [[nodiscard]] std::uint32_t find(std::uint64_t hash, Matches matches) const noexcept {
        if (slots_.empty()) return none;
        for (std::size_t slot = home(hash);; slot = after(slot)) {
            std::uint32_t const i = slots_[slot];
            if (i == none || matches(i)) return i;
        }
    }

    // Makes room for one more: the next `insert` cannot fail.
    template <class HashOf>
    void reserve(HashOf hash_of) {
        if (3 * (size_ + 1) <= 2 * slots_.size()) return;
        std::vector<std::uint32_t> larger(slots_.empty() ? fewest_slots : slots_.size() * 2, none);
        slots_.swap(larger);
        for (std::uint32_t const i : larger)
            if (i != none) file(i, hash_of(i));
    }
    // Precondition: it is not in the table, and there is room.
    void insert(std::uint32_t i, std::uint64_t hash) noexcept {
        SOCKETLESS_ASSERT(3 * (size_ + 1) <= 2 * slots_.size());
        file(i, hash);
        ++size_;
    }

    // Precondition: it is in the table. The entries behind the hole that a search would no longer reach move up.
    template <class HashOf>
    void erase(std::uint32_t i, HashOf hash_of) noexcept {
        std::size_t hole = find_slot(i, hash_of(i));
        auto const distance = [mask = slots_.size() - 1](std::size_t from, std::size_t to) {
            return (to - from) & mask;
        };
        for (std::size_t slot = after(hole); slots_[slot] != none; slot = after(slot)) {
            if (distance(home(hash_of(slots_[slot])), slot) < distance(hole, slot)) continue;
            slots_[hole] = slots_[slot];
            hole = slot;
        }
        slots_[hole] = none;
        // Nothing is left: gives the memory back, unless it is little.
        if (--size_ == 0 && slots_.size() > fewest_slots) std::vector<std::uint32_t>().swap(slots_);
    }

    // Puts another index in the place of `i`. Precondition: `i` is in the table, and the other has the same hash.
    void replace(std::uint32_t i, std::uint32_t other, std::uint64_t hash) noexcept {
        slots_[find_slot(i, hash)] = other;
    }

private:
    static constexpr std::size_t fewest_slots = 16;

    [[nodiscard]] std::size_t home(std::uint64_t hash) const noexcept {
        constexpr std::uint64_t odd = 0x9e3779b97f4a7c15; // 2^64 / the golden ratio: neighbours go far apart
        return static_cast<std::size_t>(hash * odd >> (64 - std::countr_zero(slots_.size())));
    }
    [[nodiscard]] std::size_t after(std::size_t slot) const noexcept { return (slot + 1) & (slots_.size() - 1); }

    [[nodiscard]] std::size_t find_slot(std::uint32_t i, std::uint64_t hash) const noexcept {
        std::size_t slot = home(hash);
        while (slots_[slot] != i) slot = after(slot);
        return slot;
    }

    void file(std::uint32_t i, std::uint64_t hash) noexcept {
        std::size_t slot = home(hash);
        while (slots_[slot] != none) slot = after(slot);
        slots_[slot] = i;
    }

    std::vector<std::uint32_t> slots_; // a power of two, at most two thirds of them taken
    std::size_t size_ = 0;
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
