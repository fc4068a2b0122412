// Which member is in which room: found by both together, and listed for each member, in constant time.
#pragma once

#include <socketless/core/detail/shrink.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

// A member's being in a room. The room's address names it.
template <class Room>
struct membership {
    Room* room = nullptr;
    std::uint32_t member = 0;
    std::uint32_t position = 0; // in the room's list of members
    std::uint32_t next = 0;     // in the ring of the same member's memberships, as it joined
    std::uint32_t previous = 0;
};

// All memberships, in one pool whose free places are reused, with a hash table over it. It takes less than half of what
// a node-based map would: a server has at least one membership for each socket.
template <class Room>
class memberships {
public:
    static constexpr std::uint32_t none = 0xffffffff;

    [[nodiscard]] membership<Room> const& operator[](std::uint32_t i) const noexcept { return pool_[i]; }
    [[nodiscard]] membership<Room>& operator[](std::uint32_t i) noexcept { return pool_[i]; }

    // The membership's number, or `none`.
    [[nodiscard]] std::uint32_t find(std::uint32_t member, Room const* room) const noexcept {
        if (slots_.empty()) return none;
        for (std::size_t slot = home(member, room);; slot = after(slot)) {
            std::uint32_t const i = slots_[slot];
            if (i == none || (pool_[i].member == member && pool_[i].room == room)) return i;
        }
    }

    // Puts a new membership at the end of the ring that begins with `first`; `first` is `none` for an empty ring. If it
    // throws, nothing has changed. Precondition: the member is not in the room yet.
    void insert(std::uint32_t& first, std::uint32_t member, Room* room, std::uint32_t position) {
        if (3 * (size_ + 1) > 2 * slots_.size()) grow();
        std::uint32_t const i = take_place();
        pool_[i] = {room, member, position, i, i};
        link(first, i);
        file(i);
        ++size_;
    }

    // Precondition: `i` is in the ring that begins with `first`.
    void erase(std::uint32_t& first, std::uint32_t i) {
        unfile(i);
        unlink(first, i);
        pool_[i].room = nullptr;
        pool_[i].next = free_;
        free_ = i;
        if (--size_ == 0) release();
    }

private:
    static constexpr std::size_t fewest_slots = 16;

    void link(std::uint32_t& first, std::uint32_t i) noexcept {
        if (first == none) {
            first = i;
            return;
        }
        std::uint32_t const last = pool_[first].previous;
        pool_[i].next = first;
        pool_[i].previous = last;
        pool_[last].next = i;
        pool_[first].previous = i;
    }

    void unlink(std::uint32_t& first, std::uint32_t i) noexcept {
        membership<Room> const& m = pool_[i];
        if (m.next == i) {
            first = none;
            return;
        }
        if (first == i) first = m.next;
        pool_[m.previous].next = m.next;
        pool_[m.next].previous = m.previous;
    }

    [[nodiscard]] std::uint32_t take_place() {
        if (free_ == none) {
            pool_.emplace_back();
            return static_cast<std::uint32_t>(pool_.size() - 1);
        }
        std::uint32_t const i = free_;
        free_ = pool_[i].next;
        return i;
    }

    //=== the hash table: open addressing, linear probing, no tombstones ===//

    [[nodiscard]] std::size_t home(std::uint32_t member, Room const* room) const noexcept {
        constexpr std::uint64_t odd = 0x9e3779b97f4a7c15; // 2^64 / the golden ratio: neighbours go far apart
        std::uint64_t hash = (std::bit_cast<std::uintptr_t>(room) * odd) ^ member;
        hash = (hash ^ hash >> 32u) * odd;
        return static_cast<std::size_t>(hash >> (64 - std::countr_zero(slots_.size())));
    }

    [[nodiscard]] std::size_t after(std::size_t slot) const noexcept { return (slot + 1) & (slots_.size() - 1); }

    void file(std::uint32_t i) noexcept {
        std::size_t slot = home(pool_[i].member, pool_[i].room);
        while (slots_[slot] != none) slot = after(slot);
        slots_[slot] = i;
    }

    // The entries behind the hole that a search would no longer reach move up.
    void unfile(std::uint32_t i) noexcept {
        std::size_t hole = home(pool_[i].member, pool_[i].room);
        while (slots_[hole] != i) hole = after(hole);
        auto const distance = [mask = slots_.size() - 1](std::size_t from, std::size_t to) {
            return (to - from) & mask;
        };
        for (std::size_t slot = after(hole); slots_[slot] != none; slot = after(slot)) {
            membership<Room> const& m = pool_[slots_[slot]];
            if (distance(home(m.member, m.room), slot) < distance(hole, slot)) continue;
            slots_[hole] = slots_[slot];
            hole = slot;
        }
        slots_[hole] = none;
    }

    void grow() {
        std::vector<std::uint32_t> larger(slots_.empty() ? fewest_slots : slots_.size() * 2, none);
        slots_.swap(larger);
        for (std::uint32_t const i : larger)
            if (i != none) file(i);
    }

    // No membership is left: gives the memory back, unless it is little.
    void release() {
        pool_.clear();
        free_ = none;
        core_detail::shrink(pool_);
        if (slots_.size() > fewest_slots) std::vector<std::uint32_t>().swap(slots_);
    }

    std::vector<membership<Room>> pool_;
    std::vector<std::uint32_t> slots_; // a power of two, at most two thirds of them taken
    std::size_t size_ = 0;
    std::uint32_t free_ = none; // the first free place of the pool; `next` leads to the others
};

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>
