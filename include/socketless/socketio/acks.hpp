// The acknowledgements that a connection waits for: found by id, timed out, and ended with their socket.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/shrink.hpp>
#include <socketless/core/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// An acknowledgement that is awaited.
struct pending_ack {
    /// As on the wire.
    std::uint64_t id = 0;
    /// The socket of the connection that owes it: a small number of the caller's, see `pending_acks`.
    std::uint32_t socket = 0;
    /// When waiting ends, if ever.
    std::optional<time_point> deadline = std::nullopt;

    friend constexpr bool operator==(pending_ack const&, pending_ack const&) noexcept = default;
};

/// Acknowledgements that are awaited. Each ends exactly once, by the call that gives it back:
///
///     await --> awaited --answer---------------> take
///                   |-----deadline-------------> take_expired
///                   `-----socket disconnected--> take_of
///
/// Memory is proportional to how many are awaited, and to the greatest number of a socket; while
/// their number stays constant, nothing is allocated.
class pending_acks {
public:
    /// Whether acknowledgements are awaited, and how many.
    [[nodiscard]] bool empty() const noexcept { return live_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return live_; }

    /// Waits for one more. Precondition: its id is greater than all before. Amortized O(log n).
    void await(pending_ack const& ack) {
        SOCKETLESS_ASSERT(entries_.empty() || entries_.back().ack.id < ack.id);
        if (ack.socket >= chains_.size()) chains_.resize(std::size_t{ack.socket} + 1);
        chain& owed = chains_[ack.socket];
        auto const index = static_cast<std::uint32_t>(entries_.size());
        entries_.push_back({ack, true, owed.last, none});
        if (ack.deadline) {
            core_detail::rollback undo([this]() noexcept { entries_.pop_back(); });
            deadlines_.push_back({*ack.deadline, ack.id});
            undo.commit();
            std::ranges::push_heap(deadlines_, std::greater<>());
            ++timed_;
        }
        (owed.last == none ? owed.first : entries_[owed.last].next) = index;
        owed.last = index;
        ++live_;
    }

    /// The acknowledgement that this socket answers; nothing if it owes none with this id. Amortized O(log n).
    [[nodiscard]] std::optional<pending_ack> take(std::uint64_t id, std::uint32_t socket) {
        std::size_t const i = find(id);
        if (!is_live(i, id) || entries_[i].ack.socket != socket) return std::nullopt;
        return remove(i);
    }

    /// An acknowledgement whose deadline is `now` or has passed: the earliest deadline first, then the lowest id.
    /// Amortized O(log n).
    [[nodiscard]] std::optional<pending_ack> take_expired(time_point now) {
        if (deadlines_.empty() || deadlines_.front().at > now) return std::nullopt;
        return remove(find(deadlines_.front().id));
    }

    /// An acknowledgement that this socket owes, the lowest id first: the socket is disconnected. Amortized O(log n),
    /// however many others owe. Ids over `last` stay.
    [[nodiscard]] std::optional<pending_ack> take_of(std::uint32_t socket,
                                                     std::uint64_t last = std::numeric_limits<std::uint64_t>::max()) {
        if (!is_owed_by(socket)) return std::nullopt;
        std::uint32_t const i = chains_[socket].first;
        if (entries_[i].ack.id > last) return std::nullopt;
        return remove(i);
    }

    /// Whether this socket owes any. Constant time.
    [[nodiscard]] bool is_owed_by(std::uint32_t socket) const noexcept {
        return socket < chains_.size() && chains_[socket].first != none;
    }

    /// When `take_expired` has something to give, if ever. Exact. Constant time.
    [[nodiscard]] std::optional<time_point> next_deadline() const noexcept {
        if (deadlines_.empty()) return std::nullopt;
        return deadlines_.front().at;
    }

private:
    static constexpr std::uint32_t none = 0xffffffff;

    // The acknowledgements of one socket are linked from the lowest id to the highest, by their places in entries_.
    struct entry {
        pending_ack ack;
        bool live = true;
        std::uint32_t previous = none;
        std::uint32_t next = none;
    };

    struct chain {
        std::uint32_t first = none;
        std::uint32_t last = none;
    };

    struct due {
        time_point at;
        std::uint64_t id;

        friend constexpr bool operator>(due const& a, due const& b) noexcept {
            return a.at != b.at ? a.at > b.at : a.id > b.id;
        }
    };

    // Where the id is, or where it would be.
    [[nodiscard]] std::size_t find(std::uint64_t id) const noexcept {
        auto const found = std::ranges::lower_bound(entries_, id, {}, [](entry const& e) { return e.ack.id; });
        return static_cast<std::size_t>(found - entries_.begin());
    }

    [[nodiscard]] bool is_live(std::size_t i, std::uint64_t id) const noexcept {
        return i != entries_.size() && entries_[i].live && entries_[i].ack.id == id;
    }

    pending_ack remove(std::size_t i) {
        entry& ended = entries_[i];
        pending_ack const ack = ended.ack;
        link(ended.previous, ended.next, ack.socket);
        ended.live = false;
        --live_;
        if (ack.deadline) --timed_;
        drop_deadlines();
        drop_entries();
        return ack;
    }

    // Makes two entries of a socket neighbours; `none` is the end of its chain.
    void link(std::uint32_t a, std::uint32_t b, std::uint32_t socket) noexcept {
        (a == none ? chains_[socket].first : entries_[a].next) = b;
        (b == none ? chains_[socket].last : entries_[b].previous) = a;
    }

    // Keeps a deadline at the top of the heap that is not stale, and at most as many stale ones as others.
    void drop_deadlines() {
        auto const is_stale = [this](due const& d) { return !is_live(find(d.id), d.id); };
        while (!deadlines_.empty() && is_stale(deadlines_.front())) {
            std::ranges::pop_heap(deadlines_, std::greater<>());
            deadlines_.pop_back();
        }
        if (deadlines_.size() > 2 * timed_) {
            std::erase_if(deadlines_, is_stale);
            std::ranges::make_heap(deadlines_, std::greater<>());
        }
        core_detail::shrink(deadlines_);
    }

    void drop_entries() {
        if (entries_.size() <= 2 * live_) return;
        std::uint32_t kept = 0;
        for (entry const& e : entries_) {
            if (!e.live) continue;
            // Neighbours before it have moved already, and have updated its links.
            link(e.previous, kept, e.ack.socket);
            link(kept, e.next, e.ack.socket);
            entries_[kept++] = e;
        }
        entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(kept), entries_.end());
        core_detail::shrink(entries_);
    }

    std::vector<entry> entries_; // by id; those that have ended stay until they are half of it
    std::vector<chain> chains_;  // by socket
    std::vector<due> deadlines_; // a heap, the first at the top; those whose entry has ended are stale
    std::size_t live_ = 0;       // of entries_
    std::size_t timed_ = 0;      // of deadlines_
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
