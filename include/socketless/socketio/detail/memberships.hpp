// Which member is in which room: found by both together, and listed for each member, in constant time.
#pragma once

#include <socketless/core/detail/index_table.hpp>
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
    static constexpr std::uint32_t none = core_detail::index_table::none;

    [[nodiscard]] membership<Room> const& operator[](std::uint32_t i) const noexcept { return pool_[i]; }
    [[nodiscard]] membership<Room>& operator[](std::uint32_t i) noexcept { return pool_[i]; }

    // The membership's number, or `none`.
    [[nodiscard]] std::uint32_t find(std::uint32_t member, Room const* room) const noexcept {
        return table_.find(hash(member, room),
                           [&](std::uint32_t i) { return pool_[i].member == member && pool_[i].room == room; });
    }

    // Puts a new membership at the end of the ring that begins with `first`; `first` is `none` for an empty ring. If it
    // throws, nothing has changed. Precondition: the member is not in the room yet.
    void insert(std::uint32_t& first, std::uint32_t member, Room* room, std::uint32_t position) {
        table_.reserve(hash_of());
        std::uint32_t const i = take_place();
        pool_[i] = {room, member, position, i, i};
        link(first, i);
        table_.insert(i, hash(member, room));
    }

    // Precondition: `i` is in the ring that begins with `first`.
    void erase(std::uint32_t& first, std::uint32_t i) {
        table_.erase(i, hash_of());
        unlink(first, i);
        pool_[i].room = nullptr;
        pool_[i].next = free_;
        free_ = i;
        if (table_.size() == 0) release();
    }

private:
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

    [[nodiscard]] static std::uint64_t hash(std::uint32_t member, Room const* room) noexcept {
        constexpr std::uint64_t odd = 0x9e3779b97f4a7c15; // rooms go far apart
        std::uint64_t const hash = (std::bit_cast<std::uintptr_t>(room) * odd) ^ member;
        return hash ^ hash >> 32u;
    }
    [[nodiscard]] auto hash_of() const noexcept {
        return [this](std::uint32_t i) { return hash(pool_[i].member, pool_[i].room); };
    }

    // No membership is left: gives the memory back, unless it is little.
    void release() {
        pool_.clear();
        free_ = none;
        core_detail::shrink(pool_);
    }

    std::vector<membership<Room>> pool_;
    core_detail::index_table table_;
    std::uint32_t free_ = none; // the first free place of the pool; `next` leads to the others
};

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>
