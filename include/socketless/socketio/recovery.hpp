// Connection state recovery, on a server: the sessions that may come back, and the events that they missed.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/time.hpp>
#include <socketless/socketio/recovery_offset.hpp>
#include <socketless/socketio/recovery_options.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// Whom an event was for: the members of a namespace that are in one of `rooms` (all, if it is empty) and in none of
/// `except`. A socket's own sid counts as a room that it is in. Borrowed for one call.
struct recovery_audience {
    /// The caller's small, dense number for the namespace: see recovery_store::refers_to.
    std::uint32_t nsp = 0;
    /// The rooms that it was for, and those that it was not for.
    std::span<std::string_view const> rooms = {};
    std::span<std::string_view const> except = {};
};

/// A session that may come back.
struct recoverable_session {
    /// The secret by which its owner restores it: nobody can guess it.
    std::string pid;
    /// The id of its socket, which it gets back.
    std::string sid;
    /// Its namespace: see recovery_audience.
    std::uint32_t nsp = 0;
    /// The rooms that it was in when it was lost.
    std::vector<std::string> rooms = {};
    /// The caller's own number for it, different for each that is kept; 0 for no number. See `owned_by`.
    std::uint64_t owner = 0;
    /// The application's own.
    std::shared_ptr<void> data = nullptr;
    /// The session does not get the events up to this offset: the last one that was given before it connected. A
    /// `misleading` event that it was sent raises it.
    recovery_offset since = {};
    /// Rooms that it has left since it was connected: events for them may be the last that its client has seen.
    std::vector<std::string> left = {};
};

/// Keeps, in memory and within limits, the events that were sent and the sessions that ended in a way that can be
/// recovered from, so that a client that comes back in time gets what it missed.
///
///     event sent:  offset = next_offset(), written into the event; keep(offset, ...)
///     connection lost:  persist(session, now)
///     CONNECT {pid, offset}:  session = restore(pid, offset, ...); for_each_missed(*session, offset, send)
///
/// `Payload` is the form in which an event is sent again: cheap to copy or move, such as a shared message. The store
/// destroys what it drops at once. Precondition: the times that it is given never go back.
template <class Payload>
class recovery_store {
public:
    /// Calls `random` once, for the characters with which all offsets of this store begin.
    recovery_store(recovery_options const& options, random_source const& random)
        : options_(options), offsets_(random) {}

    recovery_store(recovery_store const&) = delete; // sessions are found by views of their pids
    recovery_store& operator=(recovery_store const&) = delete;

    /// The options that it was made with.
    [[nodiscard]] recovery_options const& options() const noexcept { return options_; }
    /// How many packets and how many sessions are kept.
    [[nodiscard]] std::size_t packet_count() const noexcept { return packets_.size(); }
    [[nodiscard]] std::size_t session_count() const noexcept { return sessions_.size(); }
    /// What `max_bytes` limits.
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

    //=== events ===//

    /// A new offset, greater than all before. It need not be used.
    [[nodiscard]] recovery_offset next_offset() noexcept { return offsets_.next(); }

    /// Keeps an event that was sent. `bytes` is the memory that the payload takes. Precondition: the offset came from
    /// `next_offset` and is greater than that of any event kept before. Linear in the names of the audience, amortized.
    void keep(recovery_offset const& offset, recovery_audience const& audience, Payload payload, std::size_t bytes,
              time_point now) {
        auto const number = detail::offset_series::number(offset);
        SOCKETLESS_ASSERT(offset <= last_offset() && (packets_.empty() || packets_.back().number < number));
        for (auto const names : {audience.rooms, audience.except})
            for (std::string_view const name : names) bytes += name.size() + size_of_string;
        kept_namespace& nsp = of(audience.nsp);
        // The names first: they may be those of a session that expires below.
        packets_.push_back(
            {number, audience.nsp, bytes, now, owned(audience.rooms), owned(audience.except), std::move(payload)});
        ++nsp.references;
        bytes_ += bytes;
        drop_expired(now);
        while (packets_.size() > options_.max_packets || bytes_ > options_.max_bytes) drop_packet();
    }

    /// The last offset that was given.
    [[nodiscard]] recovery_offset last_offset() const noexcept { return offsets_.last(); }

    /// Clients take the last argument of any event for an offset if it is a string, unless the event asks for an
    /// acknowledgement. A volatile event has no offset of its own; if it ends with the text of an offset of this store,
    /// a client that has seen it may come back with that. `event` is the text of such a packet. If it misleads in this
    /// way, returns the least that `since` of all its receivers may be from now on, so that only offsets of later
    /// events recover their sessions.
    [[nodiscard]] std::optional<recovery_offset> misleading(std::string_view event) const {
        return offsets_.misleading(event);
    }

    //=== sessions ===//

    /// Keeps a session that has ended in a way that can be recovered from, in place of an earlier one of the same pid.
    /// Its client has seen no event that is kept later.
    void persist(recoverable_session session, time_point now) {
        drop_expired(now);
        forget(session.pid);
        kept_namespace& nsp = of(session.nsp);
        auto const added =
            sessions_.insert(sessions_.end(), {std::move(session), now, detail::offset_series::number(last_offset())});
        ++nsp.references;
        by_pid_.emplace(added->session.pid, added);
        if (added->session.owner != 0) by_owner_.insert_or_assign(added->session.owner, added);
        while (sessions_.size() > options_.max_sessions) drop_session(sessions_.begin());
    }

    /// The session that `restore` would take out; null if there is none. Valid until the store changes.
    [[nodiscard]] recoverable_session const* find(std::string_view pid, std::string_view offset, std::uint32_t nsp,
                                                  time_point now) {
        drop_expired(now);
        auto const found = by_pid_.find(pid);
        if (found == by_pid_.end()) return nullptr;
        kept_session const& kept = *found->second;
        return kept.session.nsp == nsp && is_good(offset, kept) ? &kept.session : nullptr;
    }

    /// Takes a session out for a client that has come back: it can be restored once. Nothing if no session with this
    /// pid is kept, if it has expired or is of another namespace, or if the offset is not that of an event
    /// - that was kept for this namespace, and for this session as far as the store can tell,
    /// - from between the times when the session connected and when it ended,
    /// - after which the store has dropped no event of the namespace, which the client might miss unawares.
    /// A session that is refused stays: only its owner knows a pid, and gains nothing by asking again; and a CONNECT
    /// that was garbled on its way must not cost the state of a client that will ask properly.
    [[nodiscard]] std::optional<recoverable_session> restore(std::string_view pid, std::string_view offset,
                                                             std::uint32_t nsp, time_point now) {
        auto const* const found = find(pid, offset, nsp, now);
        if (found == nullptr) return std::nullopt;
        return take(*found);
    }

    /// Takes out a session that `find` has returned. It cannot fail: call it after all that may fail.
    [[nodiscard]] recoverable_session take(recoverable_session const& found) noexcept {
        auto const by_pid = by_pid_.find(found.pid);
        auto const entry = by_pid->second;
        by_pid_.erase(by_pid);
        by_owner_.erase(entry->session.owner);
        recoverable_session session = std::move(entry->session);
        sessions_.erase(entry);
        end_reference(session.nsp);
        return session;
    }

    /// Calls f(Payload const&) for each event after the offset that was for this session, in the order in which they
    /// were kept. Preconditions: the session was restored with this `offset`, and nothing was kept since; `f` does
    /// not change the store. Linear in the events after the offset and the names in their audiences.
    template <class F>
    void for_each_missed(recoverable_session const& session, std::string_view offset, F f) const {
        auto const after = offsets_.find(offset);
        if (!after) return;
        auto const rooms = rooms_of(session);
        auto p = std::ranges::upper_bound(packets_, *after, {}, &kept_packet::number);
        for (; p != packets_.end(); ++p)
            if (p->nsp == session.nsp && is_for(*p, rooms)) f(p->payload);
    }

    /// The session with this number of the caller's, or null. Valid until the store changes.
    [[nodiscard]] recoverable_session const* owned_by(std::uint64_t owner, time_point now) {
        drop_expired(now);
        auto const found = by_owner_.find(owner);
        return found == by_owner_.end() ? nullptr : &found->second->session;
    }

    /// Drops a session, which nobody can restore then; false if no session has this pid.
    bool forget(std::string_view pid) {
        auto const found = by_pid_.find(pid);
        if (found == by_pid_.end()) return false;
        drop_session(found->second);
        return true;
    }

    //=== namespaces ===//

    /// Whether a session or a packet that is kept is of this namespace: the caller may not give the number to another
    /// namespace meanwhile. Constant time, as all of these.
    [[nodiscard]] bool refers_to(std::uint32_t nsp) const noexcept {
        return nsp < namespaces_.size() && namespaces_[nsp].references != 0;
    }
    /// Returns a namespace for which `refers_to` has become false, once each time that this happens, and nothing if
    /// there is no other. If the caller does not use the namespace either, its number is free.
    [[nodiscard]] std::optional<std::uint32_t> take_unreferenced() noexcept {
        while (unreferenced_ != none) {
            std::uint32_t const nsp = unreferenced_;
            unreferenced_ = namespaces_[nsp].next;
            namespaces_[nsp].is_listed = false;
            if (!refers_to(nsp)) return nsp;
        }
        return std::nullopt;
    }
    /// Forgets what is known of a namespace: the caller gives its number to another one from now on. Precondition: not
    /// refers_to(nsp).
    void release(std::uint32_t nsp) noexcept {
        SOCKETLESS_ASSERT(!refers_to(nsp));
        if (nsp < namespaces_.size()) namespaces_[nsp].dropped = {};
    }

    //=== time ===//

    /// Drops what has expired. A spurious call is harmless.
    void handle_timeout(time_point now) { drop_expired(now); }

    /// When something expires next, if ever. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        std::optional<time_point> next;
        if (!packets_.empty()) next = expiry(packets_.front().kept);
        if (!sessions_.empty()) next = earlier(next, expiry(sessions_.front().ended));
        return next;
    }

private:
    static constexpr std::size_t size_of_string = 32; // at most; the same on all platforms, so that limits act the same

    using name_list = std::vector<std::string>;
    using sorted_names = std::vector<std::string_view>;

    struct kept_packet {
        std::uint64_t number;
        std::uint32_t nsp;
        std::size_t bytes;
        time_point kept;
        name_list rooms;
        name_list except;
        Payload payload;
    };

    // A packet that was dropped: whether its offset is still good.
    struct dropped_packet {
        std::uint64_t number = 0;
        name_list rooms = {};
        name_list except = {};
    };

    struct kept_session {
        recoverable_session session;
        time_point ended;
        std::uint64_t last; // the last number that was given before
    };

    using session_list = std::list<kept_session>;

    static constexpr std::uint32_t none = 0xffffffff;

    struct kept_namespace {
        std::size_t references = 0; // sessions and packets
        dropped_packet dropped;     // its last one
        std::uint32_t next = none;  // in the list of those that have lost their last reference
        bool is_listed = false;
    };

    [[nodiscard]] static name_list owned(std::span<std::string_view const> names) {
        return {names.begin(), names.end()};
    }

    [[nodiscard]] time_point expiry(time_point since) const noexcept {
        return deadline(since, options_.max_disconnection_duration);
    }

    // Whether the offset is that of an event that the session's client may have seen last, and all that came after it
    // in the namespace is still here.
    [[nodiscard]] bool is_good(std::string_view offset, kept_session const& kept) const {
        recoverable_session const& session = kept.session;
        auto const number = offsets_.find(offset);
        if (!number || *number <= detail::offset_series::number(session.since) || *number > kept.last) return false;
        dropped_packet const& dropped = namespaces_[session.nsp].dropped;
        if (dropped.number == *number) return may_have_been_for(dropped, session);
        auto const p = std::ranges::lower_bound(packets_, *number, {}, &kept_packet::number);
        return p != packets_.end() && p->number == *number && p->nsp == session.nsp && may_have_been_for(*p, session);
    }

    // Whether a session may have received an event before its end, as far as its rooms tell. It may have been in a room
    // then that it has left since, and not yet in one that it has joined.
    template <class Packet>
    [[nodiscard]] static bool may_have_been_for(Packet const& p, recoverable_session const& session) {
        auto rooms = rooms_of(session);
        rooms.insert(rooms.end(), session.left.begin(), session.left.end());
        std::ranges::sort(rooms);
        return (p.rooms.empty() || std::ranges::any_of(p.rooms, is_in(rooms))) &&
               std::ranges::count(p.except, session.sid) == 0;
    }

    // The reference's shouldIncludePacket.
    [[nodiscard]] static bool is_for(kept_packet const& p, sorted_names const& rooms) noexcept {
        return (p.rooms.empty() || std::ranges::any_of(p.rooms, is_in(rooms))) &&
               std::ranges::none_of(p.except, is_in(rooms));
    }

    [[nodiscard]] static auto is_in(sorted_names const& rooms) noexcept {
        return [&rooms](std::string const& name) { return std::ranges::binary_search(rooms, std::string_view(name)); };
    }
    [[nodiscard]] static sorted_names rooms_of(recoverable_session const& session) {
        sorted_names rooms(session.rooms.begin(), session.rooms.end());
        rooms.emplace_back(session.sid);
        std::ranges::sort(rooms);
        return rooms;
    }

    void drop_expired(time_point now) {
        while (!packets_.empty() && expiry(packets_.front().kept) <= now) drop_packet();
        while (!sessions_.empty() && expiry(sessions_.front().ended) <= now) drop_session(sessions_.begin());
    }

    void drop_packet() {
        kept_packet& p = packets_.front();
        namespaces_[p.nsp].dropped = {p.number, std::move(p.rooms), std::move(p.except)};
        end_reference(p.nsp);
        bytes_ -= p.bytes;
        packets_.pop_front();
    }

    void drop_session(typename session_list::iterator s) {
        by_pid_.erase(s->session.pid);
        by_owner_.erase(s->session.owner);
        end_reference(s->session.nsp);
        sessions_.erase(s);
    }

    [[nodiscard]] kept_namespace& of(std::uint32_t nsp) {
        if (nsp >= namespaces_.size()) namespaces_.resize(std::size_t{nsp} + 1);
        return namespaces_[nsp];
    }
    void end_reference(std::uint32_t nsp) noexcept {
        kept_namespace& n = namespaces_[nsp];
        if (--n.references != 0 || std::exchange(n.is_listed, true)) return;
        n.next = std::exchange(unreferenced_, nsp);
    }

    recovery_options options_;
    std::deque<kept_packet> packets_; // by number, and by time
    std::size_t bytes_ = 0;
    detail::offset_series offsets_;
    std::vector<kept_namespace> namespaces_; // by their numbers
    std::uint32_t unreferenced_ = none;
    session_list sessions_; // by time
    std::unordered_map<std::string_view, typename session_list::iterator> by_pid_;
    std::unordered_map<std::uint64_t, typename session_list::iterator> by_owner_;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
