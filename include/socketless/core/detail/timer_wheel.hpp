// Deadlines of very many things: set, cancelled and fired in constant time each.
#pragma once

#include <socketless/core/time.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::core_detail {

// A hierarchical timing wheel (Varghese and Lauck, 1987): six levels of 64 slots, a slot of the lowest level one
// millisecond wide, of each other as wide as the whole level below it. A timer lies on the level of the highest bits in
// which its time differs from now, and moves down as they come to agree. Small indices name the timers.
class timer_wheel {
public:
    // All timers are below `count`: setting one of them allocates nothing.
    void reserve(std::size_t count) {
        if (count > nodes_.size()) nodes_.resize(count);
    }

    // Fires at the deadline or up to a millisecond later. Replaces the timer's earlier deadline.
    void set(std::uint32_t timer, time_point deadline) {
        reserve(std::size_t{timer} + 1);
        if (!base_ || (deadline < *base_ && now_ == 0)) begin_before(deadline);
        std::uint64_t const tick = std::clamp(tick_of(deadline), now_, now_ + furthest);
        if (nodes_[timer].slot != unfiled && nodes_[timer].tick == tick) return;
        cancel(timer);
        nodes_[timer].tick = tick & most_ticks;
        file(timer);
    }

    void cancel(std::uint32_t timer) noexcept {
        if (timer < nodes_.size() && nodes_[timer].slot != unfiled) take_out(timer);
    }

    // When `advance` has something to do: at the first deadline, or earlier, where timers move down a level.
    [[nodiscard]] std::optional<time_point> next() const noexcept {
        auto const at = heads_[due_slot] != none ? std::optional(occupied_slot{now_, due_slot}) : next_slot();
        if (!at) return std::nullopt;
        return deadline(*base_, milliseconds(at->tick));
    }

    // Takes out all timers that are due and calls `fire(timer)` for each, which may set and cancel timers. If it
    // throws, the timers that it was not called for are still due.
    template <class Fire>
    void advance(time_point now, Fire fire) {
        if (!base_ || now < *base_) return;
        std::uint64_t const until = tick_down(now);
        while (auto const at = next_slot()) {
            if (at->tick > until) break;
            now_ = std::max(now_, at->tick);
            while (heads_[at->slot] != none) {
                std::uint32_t const timer = heads_[at->slot];
                cancel(timer);
                if (nodes_[timer].tick <= now_)
                    queue(timer);
                else
                    file(timer); // on a lower level
            }
        }
        now_ = std::max(now_, until);
        while (heads_[due_slot] != none) {
            std::uint32_t const timer = heads_[due_slot];
            cancel(timer);
            fire(timer);
        }
    }

private:
    static constexpr std::uint32_t none = 0xffffffff;
    static constexpr std::uint16_t unfiled = 0xffff;
    static constexpr std::size_t levels = 6;
    static constexpr std::size_t slots = 64;
    static constexpr std::size_t due_slot = levels * slots; // the list of the timers that are due, in that order
    static constexpr unsigned bits = 6;                     // of a slot's number
    static constexpr std::uint64_t furthest = (std::uint64_t{1} << bits * levels) / 2;

    static constexpr std::uint64_t most_ticks = (std::uint64_t{1} << 48u) - 1; // see below: there are fewer

    struct node {
        std::uint64_t tick : 48 = 0;
        std::uint64_t slot : 16 = unfiled;
        std::uint32_t previous = none;
        std::uint32_t next = none;
    };

    struct occupied_slot {
        std::uint64_t tick;
        std::size_t slot;
    };

    // Of the caller's clock, in a millisecond. Unsigned: the clock's durations may not hold all of its time.
    static constexpr auto units = static_cast<std::uint64_t>(time_point::duration(milliseconds(1)).count());
    static_assert(static_cast<std::uint64_t>(time_point::duration::max().count()) / units < std::uint64_t{1} << 46u);

    // Precondition: base_ is not later than `t`.
    [[nodiscard]] std::uint64_t since_base(time_point t) const noexcept {
        return static_cast<std::uint64_t>(t.time_since_epoch().count()) -
               static_cast<std::uint64_t>(base_->time_since_epoch().count());
    }
    [[nodiscard]] std::uint64_t tick_down(time_point t) const noexcept { return since_base(t) / units; }
    [[nodiscard]] std::uint64_t tick_of(time_point deadline) const noexcept {
        if (deadline <= *base_) return 0;
        if (deadline > time_point::max() - milliseconds(1)) return tick_down(deadline); // nothing comes after it
        return (since_base(deadline) - 1) / units + 1;
    }

    // The wheel's time begins with the clock's, or long before the deadline, since a timer that is set later may be due
    // sooner. If one is due before the wheel's time, and no time has passed, it begins anew.
    void begin_before(time_point deadline) noexcept {
        auto const old = std::exchange(base_, deadline);
        if (!old) {
            base_ =
                deadline > time_point() ? time_point() : socketless::deadline(deadline, -milliseconds(furthest / 2));
            return;
        }
        base_ = socketless::deadline(*old, -milliseconds(tick_of(*old) + furthest / 2));
        std::uint64_t const earlier_by = tick_of(*old);
        for (std::uint32_t timer = 0; timer != nodes_.size(); ++timer) {
            if (nodes_[timer].slot == unfiled) continue;
            cancel(timer);
            nodes_[timer].tick = std::min(nodes_[timer].tick + earlier_by, furthest) & most_ticks;
            file(timer);
        }
    }

    void file(std::uint32_t timer) noexcept {
        node& n = nodes_[timer];
        std::uint64_t const differing = (n.tick ^ now_) | (slots - 1);
        auto const level =
            std::min<std::size_t>((63u - static_cast<unsigned>(std::countl_zero(differing))) / bits, levels - 1);
        std::size_t const slot = n.tick >> bits * level & (slots - 1);
        n.slot = static_cast<std::uint16_t>(level * slots + slot);
        n.previous = none;
        n.next = heads_[n.slot];
        if (n.next != none) nodes_[n.next].previous = timer;
        heads_[n.slot] = timer;
        occupied_[level] |= std::uint64_t{1} << slot;
    }

    // Precondition: it is filed.
    void take_out(std::uint32_t timer) noexcept {
        node& n = nodes_[timer];
        if (last_due_ == timer) last_due_ = n.previous;
        if (n.previous != none)
            nodes_[n.previous].next = n.next;
        else
            heads_[n.slot] = n.next;
        if (n.next != none) nodes_[n.next].previous = n.previous;
        if (heads_[n.slot] == none) occupied_[n.slot / slots] &= ~(std::uint64_t{1} << n.slot % slots);
        n.slot = unfiled;
    }

    // Puts a timer at the end of the list of those that are due.
    void queue(std::uint32_t timer) noexcept {
        node& n = nodes_[timer];
        n.slot = due_slot;
        n.previous = last_due_;
        n.next = none;
        (last_due_ == none ? heads_[due_slot] : nodes_[last_due_].next) = timer;
        last_due_ = timer;
    }

    // The slot that comes first, with the time at which it begins. All slots of a lower level come before all of a
    // higher.
    [[nodiscard]] std::optional<occupied_slot> next_slot() const noexcept {
        for (std::size_t level = 0; level != levels; ++level) {
            if (occupied_[level] == 0) continue;
            auto const current = static_cast<int>(now_ >> bits * level & (slots - 1));
            auto const ahead = static_cast<std::uint64_t>(std::countr_zero(std::rotr(occupied_[level], current)));
            std::uint64_t const begin = ((now_ >> bits * level) + ahead) << bits * level;
            std::size_t const slot = (static_cast<std::size_t>(current) + ahead) % slots;
            return occupied_slot{std::max(begin, now_), level * slots + slot};
        }
        return std::nullopt;
    }

    std::optional<time_point> base_;
    std::uint64_t now_ = 0;
    std::array<std::uint64_t, levels + 1> occupied_{};
    std::array<std::uint32_t, due_slot + 1> heads_ = [] {
        std::array<std::uint32_t, due_slot + 1> heads{};
        heads.fill(none);
        return heads;
    }();
    std::vector<node> nodes_;
    std::uint32_t last_due_ = none;
};

} // namespace socketless::inline v0::core_detail

#include <socketless/core/detail/epilogue.hpp>
