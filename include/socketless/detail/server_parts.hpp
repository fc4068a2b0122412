// What a server is made of: its connections, the sockets on them, their namespaces and rooms, and the ways to find, to
// write to and to count them.
#pragma once

#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/hash_key.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/asked_sockets.hpp>
#include <socketless/detail/namespaces.hpp>
#include <socketless/detail/packet_limit.hpp>
#include <socketless/detail/recovery_elsewhere.hpp>
#include <socketless/detail/server_connections.hpp>
#include <socketless/detail/server_recovery.hpp>
#include <socketless/detail/server_sockets.hpp>
#include <socketless/detail/shared_packet.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/server_options.hpp>
#include <socketless/socketio/rooms.hpp>
#include <socketless/socketio/server_session.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {
class server;
} // namespace socketless::inline v0

namespace socketless::inline v0::detail {

// server_sessions adds what is kept of lost sockets, server_core how a socket comes and goes, server_emitter what is
// done with it; `server` is the face of all.
class server_parts {
public:
    server_parts(server_parts const&) = delete; // the sessions refer to the options
    server_parts& operator=(server_parts const&) = delete;
    ~server_parts() = default;

    using event = socketio::event;
    using socket_handle = socketio::socket_handle;

    server_parts(server_options options, random_source random, time_point now)
        : options_(with_path(std::move(options))), random_(std::move(random)),
          connections_(
              options_, [this](std::span<std::byte> bytes) { random_(bytes); }, now),
          names_key_(make_hash_key(random_)), namespaces_(names_key_), rooms_(names_key_) {
        // A packet that a session could queue but not its transport is refused before either takes it.
        options_.sockets.max_queued =
            std::min(options_.sockets.max_queued, packet_limit(options_.engine.max_queued, options_.sockets.limits));
        if (options_.sockets.parser != nullptr) socketio::detail::limit_messages_only(options_.sockets.limits);
        namespaces_.declare("/", admission::automatic);
        if (options_.recovery) recovery_.emplace(*options_.recovery, random_);
    }

    [[nodiscard]] static server_options with_path(server_options options) {
        options.engine.path = options.path;
        return options;
    }

    using server_socket = detail::server_socket;
    using socket_state = detail::server_socket_state;

    // An event that comes from no session.
    struct own_event {
        socketio::event_type type;
        socket_handle socket;
        bool recovered = false;
        std::uint64_t id = 0;
        std::size_t expected = 0;
        std::size_t answers = 0;
    };

    // The acknowledgements of a broadcast.
    struct broadcast_acks {
        std::size_t expected = 0;
        std::size_t ended = 0;
        std::size_t answers = 0;
    };

    //=== sockets ===//

    // A connected socket that is not about to end; null for any other.
    [[nodiscard]] server_socket const* find_live(socket_handle socket) const noexcept {
        auto const* const s = sockets_.find(socket, socket_state::connected);
        return s != nullptr && is_live(*s) ? s : nullptr;
    }
    [[nodiscard]] bool is_live(server_socket const& s) const noexcept {
        return s.state == socket_state::connected && session_of(s).is_connected(s.local);
    }

    // A socket that the application may let in; null for any other.
    [[nodiscard]] server_socket const* find_asked(socket_handle socket) const noexcept {
        auto const* const s = sockets_.find(socket, socket_state::asked);
        if (s == nullptr) return nullptr;
        return session_of(*s).nsp(s->local).empty() ? nullptr : s;
    }

    [[nodiscard]] bool is_writable(server_socket const& s) const noexcept {
        auto const* const session = connections_.engine().find(s.connection);
        return session != nullptr && session->writable();
    }

    // Whether clients may have their state again after their connection was lost.
    [[nodiscard]] bool can_recover() const noexcept { return recovery_ || elsewhere_ != nullptr; }

    // Calls `f(session)` of the socket's connection and sends what the session has queued.
    template <class F>
    result<void> with_session(server_socket const& s, F f) {
        return connections_.with_session(s.connection.index, f);
    }
    [[nodiscard]] socketio::server_session& session_of(server_socket const& s) noexcept {
        return connections_[s.connection.index].session;
    }
    [[nodiscard]] socketio::server_session const& session_of(server_socket const& s) const noexcept {
        return connections_[s.connection.index].session;
    }

    //=== what there is ===//

    // The time of the last input, of this server or of who emits through it.
    [[nodiscard]] time_point now() const noexcept { return connections_.now(); }
    void advance(time_point now) noexcept { connections_.advance(now); }

    // The id of a socket that has joined its namespace, or whose state is kept; empty for others.
    [[nodiscard]] std::string_view sid_of(socket_handle socket) {
        if (auto const* const s = sockets_.find(socket)) {
            bool const has_joined = s->state == socket_state::connected || s->state == socket_state::ended;
            return has_joined ? s->sid() : std::string_view();
        }
        auto const* const kept = recovery_ ? recovery_->find_of(socket, connections_.now()) : nullptr;
        return kept == nullptr ? std::string_view() : kept->sid;
    }
    // Whether a socket is in the room of the namespace; the id of a socket is a room.
    [[nodiscard]] bool has_room(std::string_view nsp, std::string_view room) const {
        auto const number = namespaces_.find(nsp);
        return number && (!rooms_.members(*number, room).empty() || sockets_.find_number(number, room));
    }
    // Whether events of the namespace may be kept for sockets whose connection is lost.
    [[nodiscard]] bool keeps_sessions(std::string_view nsp) const {
        auto const number = namespaces_.find(nsp);
        return recovery_ && number && recovery_->refers_to(*number);
    }
    // The names of the rooms of the namespace, without the ids of sockets.
    [[nodiscard]] std::vector<std::string> room_names(std::string_view nsp) const {
        auto const number = namespaces_.find(nsp);
        if (!number) return {};
        auto const names = rooms_.room_names(*number);
        return {names.begin(), names.end()};
    }
    // Whether a socket is in the namespace.
    [[nodiscard]] bool has_sockets(std::string_view nsp) const {
        auto const number = namespaces_.find(nsp);
        return number && !rooms_.members(*number).empty();
    }

    //=== shared packets ===//

    // Keeps packet_, which is sent next, for clients that miss it.
    void keep_packet(socketio::recovery_offset const& offset, socketio::recovery_audience const& whom) {
        recovery_->keep(offset, whom, packet_.messages(), connections_.now());
    }

    // Sends packet_ to one socket, without a copy.
    result<void> send_packet(std::uint32_t number) {
        server_socket const& s = sockets_[number];
        core_detail::rollback undo(
            [&]() noexcept { connections_.engine().abort(s.connection, engineio::close_reason::transport_error); });
        result<void> sent;
        for (auto message = packet_.messages().begin(); sent && message != packet_.messages().end(); ++message)
            sent = connections_.hand_down(s.connection, *message);
        undo.commit();
        return sent;
    }

    //=== acknowledgements of broadcasts ===//

    // Makes room for all events that the acknowledgements of broadcasts will produce, and for two more.
    void reserve_own_events() { own_events_.reserve(broadcast_acks_.size() + 2); }

    void note_ack(std::uint64_t id, socketio::ack_outcome outcome) noexcept {
        auto const found = broadcast_acks_.find(id);
        if (found == broadcast_acks_.end()) return;
        broadcast_acks& b = found->second;
        if (outcome == socketio::ack_outcome::answered) ++b.answers;
        if (++b.ended != b.expected) return;
        own_events_.push({socketio::event_type::acks_complete, {}, false, id, b.expected, b.answers});
        broadcast_acks_.erase(found);
    }

protected:
    friend class socketless::server;

    static constexpr std::uint32_t nobody = 0xffffffff;

    server_options options_;
    random_source random_;
    server_connections connections_;
    hash_key names_key_; // of all tables that find names which peers choose
    namespaces namespaces_;
    server_sockets sockets_;
    asked_sockets asked_;                // what the application did with sockets that are not in yet
    std::optional<std::uint32_t> ended_; // whose `disconnected` was polled last; nobody: told_auth_ was told
    socketio::rooms rooms_;              // members are sockets, by their numbers
    core_detail::fifo<own_event> own_events_;
    std::uint64_t last_ack_id_ = 0;
    std::unordered_map<std::uint64_t, broadcast_acks> broadcast_acks_;
    std::optional<server_recovery> recovery_; // unless sessions are kept elsewhere
    recovery_elsewhere* elsewhere_ = nullptr;
    std::string told_auth_; // of the client of the last event, if that has waited for its session
    shared_packet packet_{connections_.queue()};
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
