// What a server does with its sockets: it emits to one, broadcasts to an audience, and puts them into rooms.
#pragma once

#include <socketless/audience.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/shrink.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/asked_sockets.hpp>
#include <socketless/detail/recovery_elsewhere.hpp>
#include <socketless/detail/server_core.hpp>
#include <socketless/detail/server_sockets.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/recovery_offset.hpp>
#include <socketless/socketio/server_session.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

// There are two roads out. An event for one socket is encoded into the queue of its session, which checks it and awaits
// its acknowledgement. An event for many, or one that is kept for a socket that may come back, is encoded once, as
// packet_, and goes past the sessions: all transports share its bytes. Through the queues it would be encoded and
// copied for each socket: a broadcast would take more than twice as long.
//
// Names and strings come as views, so that each function is made once for literals of all lengths.
class server_emitter : public server_core {
    // How the packet of a broadcast is made: from values, or from an event that was encoded elsewhere.
    [[nodiscard]] auto packet_of(std::string_view name, json::detail::values const& args) {
        return [this, name, &args](std::uint32_t nsp, std::optional<std::uint64_t> id,
                                   socketio::recovery_offset const* offset) {
            if (offset == nullptr) return make_packet(nsp, id, name, args);
            return make_packet(nsp, id, name, json::detail::values_of(args, offset->view()));
        };
    }
    [[nodiscard]] auto packet_of(encoded_event const& encoded) {
        return
            [this, &encoded](std::uint32_t, std::optional<std::uint64_t> id, socketio::recovery_offset const* offset) {
                return packet_.assign(encoded, id, offset, options_.sockets.max_queued);
            };
    }

public:
    using server_core::server_core;

    //=== one socket ===//

    result<void> emit_event(socket_handle socket, std::string_view name, json::detail::values const& args) {
        if (recovery_) return emit_kept(socket, name, args);
        if (elsewhere_ != nullptr) [[unlikely]]
            return emit_elsewhere(socket, name, args);
        auto* const s = sockets_.find(socket, socket_state::connected);
        if (s == nullptr) return emit_early(socket, name, args);
        return with_session(*s, [&](auto& session) { return session.emit(s->local, name, args); });
    }

    result<void> emit_volatile_event(socket_handle socket, std::string_view name, json::detail::values const& args) {
        auto* const s = find_live(socket);
        if (s == nullptr) return error{find_asked(socket) != nullptr ? errc::would_wait : errc::not_connected};
        if (!is_writable(*s)) return error{errc::would_wait};
        if (s->recovery() == nullptr || !can_recover())
            return with_session(*s, [&](auto& session) { return session.emit(s->local, name, args); });
        // What a parser has made cannot be read: the event is encoded in the default way too.
        bool const is_parsed = options_.sockets.parser != nullptr;
        if (is_parsed)
            if (auto const made = make_packet(s->nsp, std::nullopt, name, args); !made) return made;
        return connections_.with_queue(s->connection.index, [&](auto& session) {
            auto const emitted = session.emit(s->local, name, args);
            if (emitted) note_end_of(is_parsed ? packet_.text() : connections_.queued_text(), socket.index);
            return emitted;
        });
    }

    result<std::uint64_t> emit_event_with_ack(socket_handle socket, std::optional<milliseconds> timeout,
                                              std::string_view name, json::detail::values const& args) {
        auto* const s = find_live(socket);
        if (s == nullptr) return emit_early_with_ack(socket, timeout, name, args);
        auto const id = ++last_ack_id_;
        auto& session = session_of(*s);
        session.handle_timeout(connections_.now()); // the timeout counts from now
        auto const emitted = session.emit_with_ack(s->local, id, timeout, name, args);
        connections_.mark_busy(s->connection.index);
        // A connection that cannot take it ends, and the acknowledgement with it.
        connections_.flush_or_break_off(s->connection.index);
        if (!emitted) return emitted.error();
        return id;
    }

    result<void> acknowledge_event(socketio::ack_request& request, json::detail::values const& args) {
        if (!request) return error{errc::already_acknowledged};
        auto* const s = find_live(request.socket());
        if (s == nullptr) return error{errc::not_connected};
        socketio::ack_request local(s->local, request.id());
        auto const done = with_session(*s, [&](auto& session) { return session.acknowledge(local, args); });
        if (!local) request.clear();
        return done;
    }

    //=== rooms ===//

    bool join(socket_handle socket, std::string_view room) {
        if (auto const* const asked = find_asked(socket))
            return asked_.join(socket.index, asked->connection.index, room, options_.sockets.max_queued);
        auto const* const s = sockets_.find(socket, socket_state::connected);
        bool const may_join = s != nullptr && room != s->sid() && rooms_.rooms_of(socket.index) < options_.max_rooms;
        return may_join && rooms_.join(socket.index, room);
    }
    bool leave(socket_handle socket, std::string_view room) {
        if (find_asked(socket) != nullptr) return asked_.leave(socket.index, room);
        auto const* const s = sockets_.find(socket, socket_state::connected);
        if (s == nullptr || !rooms_.contains(socket.index, room)) return false;
        if (recovery_ && s->recovery() != nullptr) s->recovery()->note_left(room);
        return rooms_.leave(socket.index, room);
    }

    //=== many sockets ===//

    // Calls f(number) for each socket of an audience.
    template <class F>
    void for_each(audience const& whom, F f) {
        if (auto const nsp = namespaces_.find(whom.nsp_)) for_each(whom, look_up(whom, *nsp), f);
    }

    // Its sockets now.
    [[nodiscard]] std::vector<socket_handle> sockets_of(audience const& whom) {
        std::vector<socket_handle> sockets;
        for_each(whom, [&](std::uint32_t number) { sockets.push_back(sockets_.handle(number)); });
        return sockets;
    }

    // Each returns how many receivers there are.
    result<std::size_t> broadcast(audience const& whom, std::string_view name, json::detail::values const& args) {
        return broadcast_by(whom, packet_of(name, args));
    }
    result<std::size_t> broadcast_volatile(audience const& whom, std::string_view name,
                                           json::detail::values const& args) {
        return broadcast_volatile_by(whom, packet_of(name, args));
    }
    // Returns the id of the acknowledgements.
    result<std::uint64_t> broadcast_with_ack(audience const& whom, std::optional<milliseconds> timeout,
                                             std::string_view name, json::detail::values const& args) {
        return broadcast_with_ack_by(whom, timeout, packet_of(name, args));
    }

    // The same of events that were encoded elsewhere.
    result<std::size_t> broadcast(audience const& whom, encoded_event const& encoded) {
        return broadcast_by(whom, packet_of(encoded), !encoded.offset.empty());
    }
    result<std::size_t> broadcast_volatile(audience const& whom, encoded_event const& encoded) {
        encoded_event bare = encoded;
        bare.offset = {};
        return broadcast_volatile_by(whom, packet_of(bare));
    }
    result<std::uint64_t> broadcast_with_ack(audience const& whom, std::optional<milliseconds> timeout,
                                             encoded_event const& encoded) {
        return broadcast_with_ack_by(whom, timeout, packet_of(encoded));
    }

    // The audience has got, or missed, an event that nobody can give it again: it will not recover.
    void spoil(audience const& whom) {
        auto const nsp = namespaces_.find(whom.nsp_);
        if (!nsp) return;
        auto const found = look_up(whom, *nsp);
        auto const spoil_one = [this](std::uint32_t number) { sockets_[number].may_recover = false; };
        rooms_.for_each(found.nsp, whom.to_, whom.except_, found.except, spoil_one);
        for (std::uint32_t const number : found.by_id) spoil_one(number);
    }

    // How many sockets a broadcast has asked for acknowledgements.
    [[nodiscard]] std::size_t acks_due(std::uint64_t id) const noexcept {
        auto const found = broadcast_acks_.find(id);
        return found == broadcast_acks_.end() ? 0 : found->second.expected;
    }

private:
    //=== one socket whose connection is lost, perhaps ===//

    // A socket to which events are kept: it is connected, or its connection is lost and its state is kept or will be.
    struct receiver {
        std::uint32_t nsp;
        std::string_view sid;
        server_socket const* live = nullptr; // null if its connection is lost
    };

    [[nodiscard]] std::optional<receiver> find_receiver(socket_handle socket) {
        if (auto const* const s = sockets_.find(socket, socket_state::connected)) {
            if (is_live(*s)) return receiver{s->nsp, s->sid(), s};
            auto const reason = session_of(*s).ending(s->local);
            if (reason && is_kept(*s, *reason)) return receiver{s->nsp, s->sid()};
            return std::nullopt;
        }
        auto const* const kept = recovery_->find_of(socket, connections_.now());
        return kept == nullptr ? std::nullopt : std::optional(receiver{kept->nsp, kept->sid});
    }

    result<void> emit_kept(socket_handle socket, std::string_view name, json::detail::values const& args) {
        auto const to = find_receiver(socket);
        if (!to) return emit_early(socket, name, args);
        auto const offset = recovery_->next_offset();
        if (auto const made = make_packet(to->nsp, std::nullopt, name, json::detail::values_of(args, offset.view()));
            !made)
            return made;
        bool const can_recover = to->live == nullptr || to->live->recovery() != nullptr;
        if (can_recover) keep_packet(offset, {to->nsp, {&to->sid, 1}, {}});
        if (to->live == nullptr) return {};
        auto const sent = send_packet(socket.index);
        bool const is_lost = !sent && sent.error().code == errc::not_open; // `disconnected` has yet to be polled
        return is_lost && can_recover ? result<void>() : sent;
    }

    // The event comes back as a broadcast, with its offset.
    SOCKETLESS_NEVER_INLINE result<void> emit_elsewhere(socket_handle socket, std::string_view name,
                                                        json::detail::values const& args) {
        auto const* const s = sockets_.find(socket);
        if (s == nullptr || !is_there(*s)) return emit_early(socket, name, args);
        return elsewhere_->emit(namespaces_.name(s->nsp), s->sid(), name, args);
    }
    // Whether a socket is connected, or its connection is lost and its session is kept elsewhere or will be.
    [[nodiscard]] bool is_there(server_socket const& s) const noexcept {
        if (s.state != socket_state::connected) return s.recovery() != nullptr && s.recovery()->is_kept_elsewhere;
        if (is_live(s)) return true;
        auto const reason = session_of(s).ending(s.local);
        return reason && is_kept(s, *reason);
    }

    // The socket gets an event without an offset of its own, whose end may mislead its client. Precondition:
    // can_recover().
    void note_end_of(std::string_view text, std::uint32_t number) {
        server_socket& s = sockets_[number];
        if (elsewhere_ != nullptr) {
            if (misleads(text)) s.may_recover = false;
        } else if (auto const since = recovery_->misleading(text)) {
            s.recovery()->raise_since(*since);
        }
    }

    //=== one socket that has not been let in yet ===//

    result<void> emit_early(socket_handle socket, std::string_view name, json::detail::values const& args) {
        auto const* const s = find_asked(socket);
        if (s == nullptr) return error{errc::not_connected};
        if (auto const made = make_early(*s, std::nullopt, name, args); !made) return made;
        keep_early(socket.index, *s, false);
        return {};
    }

    result<std::uint64_t> emit_early_with_ack(socket_handle socket, std::optional<milliseconds> timeout,
                                              std::string_view name, json::detail::values const& args) {
        auto const* const s = find_asked(socket);
        if (s == nullptr) return error{errc::not_connected};
        auto const id = ++last_ack_id_;
        if (auto const made = make_early(*s, id, name, args); !made) return made.error();
        auto& session = session_of(*s);
        session.handle_timeout(connections_.now()); // the timeout counts from now
        if (auto const awaited = session.expect_early_ack(s->local, id, timeout); !awaited) return awaited.error();
        core_detail::rollback undo([&]() noexcept { session.forget_ack(s->local, id); });
        keep_early(socket.index, *s, true);
        undo.commit();
        connections_.mark_busy(s->connection.index);
        return id;
    }

    // Encodes an event into packet_, if there is room to keep it.
    result<void> make_early(server_socket const& s, std::optional<std::uint64_t> id, std::string_view name,
                            json::detail::values const& args) {
        constexpr std::size_t longest_offset = 64; // which recovery may put behind it
        if (auto const made = make_packet(s.nsp, id, name, args); !made) return made;
        std::size_t const limit = options_.sockets.max_queued;
        std::size_t const size = early_size();
        if (recovery_ && size > limit - std::min(limit, longest_offset)) return error{errc::message_too_large};
        return asked_.has_room(s.connection.index, size, limit) ? result<void>() : error{errc::buffer_full};
    }
    void keep_early(std::uint32_t number, server_socket const& s, bool asks) {
        auto const attachments = packet_.attachments();
        early_packet packet{packet_.text(), {attachments.begin(), attachments.end()}, asks};
        asked_.keep(number, s.connection.index, std::move(packet), early_size());
    }
    [[nodiscard]] std::size_t early_size() const noexcept { return sizeof(early_packet) + packet_.size(); }

    //=== many sockets ===//

    // An audience whose names have been looked up: going over it cannot fail.
    struct found_audience {
        std::uint32_t nsp;
        std::vector<std::uint32_t> except;
        std::vector<std::uint32_t> by_id;
    };

    [[nodiscard]] found_audience look_up(audience const& whom, std::uint32_t nsp) const {
        found_audience found{nsp, numbers_except(whom, nsp), {}};
        found.by_id = numbers_to(whom, nsp, found.except);
        found.except.insert(found.except.end(), found.by_id.begin(), found.by_id.end()); // they follow the rooms
        return found;
    }

    // The sockets that the audience leaves out by their handles or ids.
    [[nodiscard]] std::vector<std::uint32_t> numbers_except(audience const& whom, std::uint32_t nsp) const {
        std::vector<std::uint32_t> numbers;
        for (socket_handle const socket : whom.except_sockets_)
            if (sockets_.find(socket) != nullptr) numbers.push_back(socket.index);
        for (std::string_view const room : whom.except_)
            if (auto const number = sockets_.find_number(nsp, room)) numbers.push_back(*number);
        return numbers;
    }

    // The sockets that the audience calls by their ids, each once, less those that it leaves out.
    [[nodiscard]] std::vector<std::uint32_t> numbers_to(audience const& whom, std::uint32_t nsp,
                                                        std::vector<std::uint32_t> const& except) const {
        std::vector<std::uint32_t> numbers;
        std::vector<std::string_view> sorted; // the rooms to leave out, once they are needed
        for (std::string_view const room : whom.to_) {
            auto const number = sockets_.find_number(nsp, room);
            if (!number || std::ranges::count(except, *number) != 0 || std::ranges::count(numbers, *number) != 0)
                continue;
            if (sorted.empty() && !whom.except_.empty()) {
                sorted = whom.except_;
                std::ranges::sort(sorted);
            }
            if (!is_in_any(*number, sorted)) numbers.push_back(*number);
        }
        return numbers;
    }

    // Whether the socket is in one of these rooms, which are sorted. It takes as long as the shorter of the two lists:
    // a message of another server may name thousands of rooms for each of thousands of sockets.
    [[nodiscard]] bool is_in_any(std::uint32_t number, std::vector<std::string_view> const& sorted) const {
        if (rooms_.rooms_of(number) >= sorted.size())
            return std::ranges::any_of(sorted, [&](std::string_view room) { return rooms_.contains(number, room); });
        bool is_found = false;
        rooms_.for_each_room(
            number, [&](std::string_view room) { is_found = is_found || std::ranges::binary_search(sorted, room); });
        return is_found;
    }

    template <class F>
    void for_each(audience const& whom, found_audience const& found, F f) {
        live_only<F> const live{*this, f};
        rooms_.for_each(found.nsp, whom.to_, whom.except_, found.except, live);
        for (std::uint32_t const number : found.by_id) live(number);
    }

    // Calls `f` for those that are connected. The memory of receivers lies apart: it is fetched beforehand.
    template <class F>
    struct live_only {
        server_emitter& self; // NOLINT(*-ref-data-members): it lives for one call
        F& f;

        void operator()(std::uint32_t number) const {
            if (self.is_live(self.sockets_[number])) f(number);
        }
        void prepare(std::uint32_t number) const noexcept {
            server_socket const& s = self.sockets_[number];
            self.connections_.prefetch(s.connection.index);
        }
    };

    // Keeps packet_ for those of the audience who miss it.
    void keep_for(audience const& whom, std::uint32_t nsp, socketio::recovery_offset const& offset) {
        auto except = whom.except_;
        for (socket_handle const socket : whom.except_sockets_)
            if (auto const sid = sid_of(socket); !sid.empty()) except.push_back(sid);
        keep_packet(offset, {nsp, whom.to_, except});
    }

    // Whether the socket is to acknowledge an event, from now on.
    [[nodiscard]] bool awaits(server_socket const& s, std::uint64_t id, std::optional<milliseconds> timeout) {
        auto& session = session_of(s);
        session.handle_timeout(connections_.now()); // the timeout counts from now
        connections_.mark_busy(s.connection.index);
        return session.expect_ack(s.local, id, timeout).has_value();
    }

    // Sends packet_ to one of many. If memory runs out, only the connection of this socket ends.
    bool reaches(std::uint32_t number) noexcept {
        bool is_sent = false;
        core_detail::attempt([&] { is_sent = send_packet(number).has_value(); });
        return is_sent;
    }

    //=== broadcasts, however their packets are made: make(nsp, id, offset) makes packet_ ===//

    template <class Make>
    result<std::size_t> broadcast_by(audience const& whom, Make make, bool has_offset = false) {
        auto const nsp = namespaces_.find(whom.nsp_);
        if (!nsp) return std::size_t{0};
        auto const found = look_up(whom, *nsp);
        if (recovery_) {
            auto const offset = recovery_->next_offset();
            if (auto const made = make(*nsp, std::nullopt, &offset); !made) return made.error();
            keep_for(whom, *nsp, offset);
        } else if (auto const made = make(*nsp, std::nullopt, nullptr); !made) {
            return made.error();
        }
        if (elsewhere_ != nullptr && !has_offset && misleads(packet_.text())) [[unlikely]]
            spoil(whom);
        std::size_t receivers = 0;
        for_each(whom, found, [&](std::uint32_t number) { receivers += reaches(number) ? 1u : 0u; });
        return receivers;
    }

    template <class Make>
    result<std::size_t> broadcast_volatile_by(audience const& whom, Make make) {
        auto const nsp = namespaces_.find(whom.nsp_);
        if (!nsp) return std::size_t{0};
        if (auto const made = make(*nsp, std::nullopt, nullptr); !made) return made.error();
        auto const since = recovery_ ? recovery_->misleading(packet_.text()) : std::nullopt;
        bool const is_misleading = elsewhere_ != nullptr && misleads(packet_.text());
        std::size_t receivers = 0;
        for_each(whom, look_up(whom, *nsp), [&](std::uint32_t number) {
            if (!is_writable(sockets_[number])) return;
            auto* const claimed = sockets_[number].recovery();
            if (since && claimed != nullptr) claimed->raise_since(*since);
            if (is_misleading) sockets_[number].may_recover = false;
            receivers += reaches(number) ? 1u : 0u;
        });
        return receivers;
    }

    template <class Make>
    result<std::uint64_t> broadcast_with_ack_by(audience const& whom, std::optional<milliseconds> timeout, Make make) {
        auto const id = ++last_ack_id_;
        reserve_own_events();
        auto const nsp = namespaces_.find(whom.nsp_);
        if (nsp)
            if (auto const made = make(*nsp, id, nullptr); !made) return made.error();
        // All acknowledgements are awaited before the first is asked for: if it throws, nobody was asked.
        std::vector<std::uint32_t> asked;
        broadcast_acks& acks = broadcast_acks_[id];
        core_detail::rollback undo([&]() noexcept {
            for (std::uint32_t const number : asked)
                session_of(sockets_[number]).forget_ack(sockets_[number].local, id);
            broadcast_acks_.erase(id);
        });
        if (nsp) {
            for_each(whom, look_up(whom, *nsp), [&](std::uint32_t number) {
                core_detail::reserve(asked, asked.size() + 1);
                if (awaits(sockets_[number], id, timeout)) asked.push_back(number);
            });
        }
        if (asked.empty()) {
            own_events_.push({socketio::event_type::acks_complete, {}, false, id});
            return id;
        }
        undo.commit();
        acks.expected = asked.size();
        // A connection that cannot take it ends, and the acknowledgement with it.
        for (std::uint32_t const number : asked) reaches(number);
        return id;
    }

    //=== packets ===//

    // Encodes an event into packet_.
    result<void> make_packet(std::uint32_t nsp, std::optional<std::uint64_t> id, std::string_view name,
                             json::detail::values const& args) {
        auto const& own = options_.sockets;
        return packet_.encode({own.max_queued, own.limits}, {namespaces_.name(nsp), id}, name, args);
    }
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
