// socketless::server: a whole Socket.IO server: many connections, their sockets in namespaces and rooms, broadcasts.
#pragma once

#include <socketless/audience.hpp>
#include <socketless/core/assert.hpp>
#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/stable_vector.hpp>
#include <socketless/core/detail/timer_wheel.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/namespaces.hpp>
#include <socketless/detail/reasons.hpp>
#include <socketless/detail/server_sockets.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/recovery.hpp>
#include <socketless/socketio/rooms.hpp>
#include <socketless/socketio/server_session.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace socketless::inline v0 {

/// How a server behaves.
struct server_options {
    /// The connections: heartbeat, transports, limits, whether clients of revision 3 (EIO=3) are served, ...
    engineio::server_options engine = {};
    /// What goes on over them.
    socketio::server_options sockets = {};
    /// Connection state recovery, if it is wanted.
    std::optional<socketio::recovery_options> recovery = std::nullopt;
};

/// A whole server: all connections of a process, or of one of its threads; two servers share nothing. "/" is there from the
/// start, other namespaces are declared, one by one or by a predicate.
///
///     for (;;) {
///         if (auto e = server.poll_event()) { ...; continue; }            // for the application
///         if (auto t = server.poll_transmit(buffer)) { ...; continue; }   // for the I/O layer
///         wait for input, or until server.poll_timeout();
///     }
///
/// Inputs and transmits are those of engineio::server. Events are those of socketio::server_session but for `closed`,
/// `connected` for each socket, and acks_complete. The work for one input, event, transmit or timer is constant, however
/// many connections there are. The time of a call that takes none is that of the last call that took one: an application
/// that acts on a timer of its own says `handle_timeout(now)` first.
class server {
public:
    using event = socketio::event;
    using socket_handle = socketio::socket_handle;

    server(server_options options, random_source random, time_point now)
        : options_(std::move(options)), random_(std::move(random)), now_(now),
          engine_(options_.engine, [this](std::span<std::byte> bytes) { random_(bytes); }) {
        namespaces_.declare("/", admission::automatic);
        if (options_.recovery) recovery_.emplace(*options_.recovery);
    }

    server(server const&) = delete; // the sessions refer to the options
    server& operator=(server const&) = delete;

    [[nodiscard]] server_options const& options() const noexcept { return options_; }

    //=== namespaces ===//

    /// Declares a namespace; clients may join it from now on. Again, to change who decides that. Precondition: the name
    /// begins with '/'.
    void declare(std::string_view nsp, admission a = admission::automatic) {
        SOCKETLESS_ASSERT(nsp.starts_with('/'));
        namespaces_.declare(nsp, a);
    }
    /// Declares all namespaces whose name and a client's auth the predicate likes. One that was not declared by name is
    /// there while sockets are in it.
    void declare_matching(namespace_predicate predicate, admission a = admission::automatic) {
        namespaces_.declare_matching(std::move(predicate), a);
    }

    //=== what happened: see engineio::server ===//

    void http_received(engineio::http_request const& request, time_point now) {
        now_ = now;
        engine_.http_received(request, now);
    }
    void http_aborted(engineio::exchange_id exchange, time_point now) {
        now_ = now;
        engine_.http_aborted(exchange, now);
    }
    [[nodiscard]] std::optional<engineio::request_error> check_websocket(std::string_view target) const {
        return engine_.check_websocket(target);
    }
    void websocket_opened(engineio::channel_id channel, std::string_view target, time_point now) {
        now_ = now;
        engine_.websocket_opened(channel, target, now);
    }
    void websocket_received(engineio::channel_id channel, frame message, time_point now) {
        now_ = now;
        engine_.websocket_received(channel, message, now);
    }
    void stream_opened(engineio::channel_id channel, time_point now) {
        now_ = now;
        engine_.stream_opened(channel, now);
    }
    void stream_received(engineio::channel_id channel, std::string_view chunk, time_point now) {
        now_ = now;
        engine_.stream_received(channel, chunk, now);
    }
    void channel_closed(engineio::channel_id channel, time_point now) {
        now_ = now;
        engine_.channel_closed(channel, now);
    }
    void pause(engineio::channel_id channel) { engine_.pause(channel); }
    void resume(engineio::channel_id channel) { engine_.resume(channel); }

    /// Time has passed: to be called when `poll_timeout` is due, and before the application acts on a timer of its own. A
    /// spurious call is harmless.
    void handle_timeout(time_point now) {
        now_ = now;
        shrink();
        engine_.handle_timeout(now);
        timers_.advance(now, [this, now](std::uint32_t index) {
            if (!connections_[index]) return;
            connections_[index]->session.handle_timeout(now);
            touch(index);
        });
        if (recovery_) recovery_->handle_timeout(now);
        for (; !retired_.empty() && retired_.front().at <= now; retired_.pop_front())
            if (namespaces_.end_retirement(retired_.front().nsp)) namespaces_.release(retired_.front().nsp);
    }

    //=== what the application wants: one socket ===//

    /// Lets a client in that event_type::connecting told of. Errors: errc::not_connected where it is gone, or was let in
    /// before; errc::queue_overflow.
    result<void> accept(socket_handle socket) {
        auto* const s = sockets_.find(socket, socket_state::asked);
        if (s == nullptr) return error{errc::not_connected};
        auto const number = socket.index;
        auto& session = connections_[s->connection.index]->session;
        if (session.nsp(s->local).empty()) return error{errc::not_connected}; // that it is gone is yet to be told
        auto restored = restore(*s);
        s->sid = restored ? socketless::detail::id_from(restored->session.sid) : new_sid();
        auto const pid = s->recovery ? std::string_view(s->recovery->pid) : std::string_view();
        auto const accepted = session.accept(s->local, view(s->sid), pid);
        flush(*s);
        if (!accepted) return accepted;
        s->state = socket_state::connected;
        by_sid_.insert_or_assign(detail::key_of(view(s->sid)), number);
        rooms_.enter(s->nsp, number);
        own_events_.push({socketio::event_type::connected, socket, restored.has_value()});
        if (restored) replay(*s, number, *restored);
        return {};
    }

    /// Keeps it out. `message` is for people, `data` for programs. Errors: as above; errc::invalid_utf8.
    result<void> refuse(socket_handle socket, std::string_view message) {
        return refuse_with(socket, [&](auto& session, auto local) { return session.refuse(local, message); });
    }
    template <class T>
    result<void> refuse(socket_handle socket, std::string_view message, T const& data) {
        return refuse_with(socket, [&](auto& session, auto local) { return session.refuse(local, message, data); });
    }

    /// Emits an event. Errors: errc::not_connected; errc::reserved_event_name, errc::invalid_utf8; errc::queue_overflow,
    /// with which the connection ends.
    template <class Name, class... Args>
    requires socketio::event_name_for<Name, Args...> result<void> emit(socket_handle socket, Name const& name,
                                                                       Args const&... args) {
        auto* const s = find_live(socket);
        if (s == nullptr) return error{errc::not_connected};
        if (recovery_) return emit_kept(*s, socket.index, name, args...);
        return through(*s, [&](auto& session) { return session.emit(s->local, name, args...); });
    }
    /// Emits an event if its transport can take it at once; else it is dropped: errc::would_wait.
    template <class Name, class... Args>
    requires socketio::event_name_for<Name, Args...> result<void> emit_volatile(socket_handle socket, Name const& name,
                                                                                Args const&... args) {
        auto* const s = find_live(socket);
        if (s == nullptr) return error{errc::not_connected};
        if (!is_writable(*s)) return error{errc::would_wait};
        return through(*s, [&](auto& session) { return session.emit(s->local, name, args...); });
    }
    /// Emits an event and asks for its acknowledgement: event_type::ack, with the id that is returned. Errors: as `emit`;
    /// errc::too_many_acks.
    template <class Name, class... Args>
    requires socketio::event_name_for<Name, Args...> result<std::uint64_t>
    emit_with_ack(socket_handle socket, std::optional<milliseconds> timeout, Name const& name, Args const&... args) {
        auto* const s = find_live(socket);
        if (s == nullptr) return error{errc::not_connected};
        auto const id = ++last_ack_id_;
        auto& session = connections_[s->connection.index]->session;
        session.handle_timeout(now_); // what the timeout counts from
        auto const emitted = session.emit_with_ack(s->local, id, timeout, name, args...);
        flush(*s); // a connection that cannot take it ends, and the acknowledgement with it
        touch(s->connection.index);
        if (!emitted) return emitted.error();
        return id;
    }
    /// emit("message", ...), as in Socket.IO.
    template <class... Args>
    result<void> send(socket_handle socket, Args const&... args) {
        return emit(socket, "message", args...);
    }
    /// Acknowledges an event, once: `request` is empty afterwards. Errors: errc::already_acknowledged; those of `emit`,
    /// after which it may be tried again.
    template <class... Args>
    result<void> acknowledge(socketio::ack_request& request, Args const&... args) {
        if (!request) return error{errc::already_acknowledged};
        auto* const s = find_live(request.socket());
        if (s == nullptr) return error{errc::not_connected};
        socketio::ack_request local(s->local, request.id());
        auto const done = through(*s, [&](auto& session) { return session.acknowledge(local, args...); });
        if (!local) request.clear();
        return done;
    }

    /// Disconnects the socket from its namespace. Harmless if it is gone.
    void disconnect(socket_handle socket) {
        auto* const s = sockets_.find(socket, socket_state::connected);
        if (s == nullptr) return;
        static_cast<void>(through(*s, [&](auto& session) { return session.disconnect(s->local), result<void>(); }));
        touch(s->connection.index);
    }
    /// Disconnects all sockets of its connection and closes that.
    void disconnect_connection(socket_handle socket) {
        auto* const s = sockets_.find(socket);
        if (s == nullptr) return;
        end(s->connection.index, socketio::disconnect_reason::server_namespace_disconnect);
    }

    /// Puts the socket into a room, takes it out: false if nothing changes. The id of a socket is a room that it is in
    /// by itself.
    bool join(socket_handle socket, std::string_view room) {
        auto const* const s = sockets_.find(socket, socket_state::connected);
        return s != nullptr && room != view(s->sid) && rooms_.join(socket.index, room);
    }
    bool leave(socket_handle socket, std::string_view room) {
        return sockets_.find(socket, socket_state::connected) != nullptr && rooms_.leave(socket.index, room);
    }
    [[nodiscard]] bool is_in(socket_handle socket, std::string_view room) const noexcept {
        return sockets_.find(socket) != nullptr && rooms_.contains(socket.index, room);
    }
    /// The rooms that the socket has joined, in that order. Valid until it leaves one.
    [[nodiscard]] std::vector<std::string_view> rooms_of(socket_handle socket) const {
        std::vector<std::string_view> names;
        if (sockets_.find(socket) != nullptr)
            rooms_.for_each_room(socket.index, [&](std::string_view room) { names.push_back(room); });
        return names;
    }

    //=== what the application wants: many sockets ===//

    /// The sockets of a namespace.
    [[nodiscard]] audience in(std::string_view nsp) { return {*this, nsp}; }
    /// The sockets of a room of "/".
    [[nodiscard]] audience to(std::string_view room) {
        auto chosen = in("/");
        return chosen.to(room);
    }

    /// Ends everything: sockets are told "server shutting down" here, and their clients find the connection closed once all
    /// that is queued has gone. New connections are closed at once; the I/O layer is done when `size` is 0.
    void close() {
        is_closing_ = true;
        for (std::uint32_t index = 0; index != connections_.size(); ++index)
            if (connections_[index]) end(index, socketio::disconnect_reason::server_shutting_down);
    }

    //=== what it means, what to do, when to come back ===//

    /// The next event of any socket. While `disconnected` is handled its socket's id, rooms and data are still there.
    [[nodiscard]] std::optional<event> poll_event() {
        std::optional<event> e;
        while (!e && step(e)) {
        }
        return e;
    }

    /// The next thing to do, for any connection. Views live until the next call that is not const, or until `buffer` is
    /// used again.
    [[nodiscard]] std::optional<engineio::transmit> poll_transmit(std::string& buffer) {
        return engine_.poll_transmit(buffer);
    }

    /// When `handle_timeout` is to be called, if ever; a call at that time may find nothing to do. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        auto const own = recovery_ ? earlier(recovery_->poll_timeout(), timers_.next()) : timers_.next();
        auto const retired = retired_.empty() ? std::nullopt : std::optional(retired_.front().at);
        return earlier(engine_.poll_timeout(), earlier(own, retired));
    }

    //=== what there is ===//

    /// How many connections and how many sockets there are.
    [[nodiscard]] std::size_t size() const noexcept { return engine_.size(); }
    [[nodiscard]] std::size_t socket_count() const noexcept { return by_sid_.size(); }

    [[nodiscard]] bool is_connected(socket_handle socket) const noexcept { return find_live(socket) != nullptr; }
    /// The socket's id; empty if there is none.
    [[nodiscard]] std::string_view sid(socket_handle socket) const noexcept {
        auto const* const s = sockets_.find(socket);
        return s != nullptr && s->state != socket_state::asked ? view(s->sid) : std::string_view();
    }
    /// Its namespace.
    [[nodiscard]] std::string_view nsp(socket_handle socket) const noexcept {
        auto const* const s = sockets_.find(socket);
        return s == nullptr ? std::string_view() : namespaces_.name(s->nsp);
    }
    /// The connected socket with this id, if there is one.
    [[nodiscard]] std::optional<socket_handle> find(std::string_view nsp, std::string_view sid) const {
        auto const number = find_number(namespaces_.find(nsp), sid);
        if (!number) return std::nullopt;
        return sockets_.handle(*number);
    }
    /// Its connection, or null if it is gone: transport, revision, bytes queued, ... Sockets of one client share it. Valid
    /// until the next call that is not const.
    [[nodiscard]] engineio::server_session const* connection(socket_handle socket) const noexcept {
        auto const* const s = sockets_.find(socket);
        return s == nullptr ? nullptr : engine_.find(s->connection);
    }

    /// Something of the application's own, kept with the socket and recovered with it.
    void set_data(socket_handle socket, std::shared_ptr<void> data) {
        if (auto* const s = sockets_.find(socket)) s->data = std::move(data);
    }
    /// The same; null if there is none. Precondition: it is a T.
    template <class T>
    [[nodiscard]] T* data(socket_handle socket) const noexcept {
        auto const* const s = sockets_.find(socket);
        return s == nullptr ? nullptr : static_cast<T*>(s->data.get());
    }

private:
    friend class audience;

    using server_socket = detail::server_socket;
    using socket_state = detail::server_socket_state;
    using messages = std::vector<engineio::shared_message>;

    struct connection_record {
        engineio::session_handle handle;
        socketio::server_session session;
        bool is_busy = false; // it is in busy_
        bool is_gone = false; // its Engine.IO session has closed
    };

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

    struct restored_state {
        socketio::recoverable_session session;
        std::string offset;
    };

    // A namespace that nobody is in and that may be forgotten then.
    struct retired_namespace {
        time_point at;
        std::uint32_t nsp;
    };

    //=== connections ===//

    void take(engineio::server_event const& e) {
        std::uint32_t const index = e.session.index;
        switch (e.event.type) {
        case engineio::event_type::opened: return open(e.session);
        case engineio::event_type::message: connections_[index]->session.message_received(e.event.message, now_); break;
        case engineio::event_type::closed:
            connections_[index]->session.connection_closed(detail::reason_of(e.event.reason), now_);
            connections_[index]->is_gone = true;
            break;
        default: return;
        }
        touch(index);
    }

    void open(engineio::session_handle handle) {
        while (handle.index >= connections_.size()) connections_.push();
        bool const v3 = engine_.find(handle)->revision() == engineio::revision::v3;
        auto const revision = v3 ? socketio::revision::v4 : socketio::revision::v5;
        connections_[handle.index].emplace(
            connection_record{handle, socketio::server_session(options_.sockets, queue_, revision, now_)});
        if (is_closing_) return end(handle.index, socketio::disconnect_reason::server_shutting_down);
        touch(handle.index);
    }

    // The session may have events to tell. Its timer is set when they have been taken.
    void touch(std::uint32_t index) {
        if (std::exchange(connections_[index]->is_busy, true)) return;
        busy_.push(index);
    }

    void end(std::uint32_t index, socketio::disconnect_reason reason) {
        connections_[index]->session.close(reason);
        static_cast<void>(flush(index));
    }

    // From a session to the transport.
    result<void> flush(std::uint32_t index) {
        connection_record& c = *connections_[index];
        result<void> sent;
        while (auto const t = c.session.poll_transmit()) {
            if (t->type == socketio::transmit_type::close) {
                engine_.close(c.handle, now_);
                touch(index); // it has ended by itself
            } else if (auto const done = engine_.send(c.handle, t->message); !done) {
                sent = done;
            }
        }
        return sent;
    }
    void flush(server_socket const& s) { static_cast<void>(flush(s.connection.index)); }

    // Calls `f(session)` of the socket's connection and sends what it has to say.
    template <class F>
    result<void> through(server_socket const& s, F f) {
        std::uint32_t const index = s.connection.index;
        auto const done = f(connections_[index]->session);
        auto const sent = flush(index);
        return done ? sent : done;
    }

    // A connected socket that is not about to end; null for any other.
    [[nodiscard]] server_socket const* find_live(socket_handle socket) const noexcept {
        auto const* const s = sockets_.find(socket, socket_state::connected);
        return s != nullptr && is_live(*s) ? s : nullptr;
    }
    [[nodiscard]] bool is_live(server_socket const& s) const noexcept {
        return s.state == socket_state::connected && connections_[s.connection.index]->session.is_connected(s.local);
    }

    [[nodiscard]] bool is_writable(server_socket const& s) const noexcept {
        auto const* const session = engine_.find(s.connection);
        return session != nullptr && session->writable();
    }

    //=== events ===//

    // Does the next thing that is to be done, of which an event may come. Returns false where there is nothing.
    [[nodiscard]] bool step(std::optional<event>& e) {
        if (ended_) forget(*std::exchange(ended_, std::nullopt));
        if (!own_events_.empty()) return tell_own(e), true;
        if (!busy_.empty()) return poll_session(e, busy_.front()), true;
        auto const below = engine_.poll_event();
        if (below) take(*below);
        return below.has_value();
    }

    void tell_own(std::optional<event>& e) {
        own_event const own = own_events_.front();
        own_events_.pop();
        event& told = e.emplace();
        told.type = own.type;
        told.socket = own.socket;
        told.nsp = nsp(own.socket);
        told.sid = sid(own.socket);
        told.recovered = own.recovered;
        told.id = own.id;
        told.expected = own.expected;
        told.answers = own.answers;
    }

    void poll_session(std::optional<event>& e, std::uint32_t index) {
        auto& session = connections_[index]->session;
        session.poll_event(e);
        static_cast<void>(flush(index));
        if (e) {
            if (!translate(index, *e)) e.reset();
            return;
        }
        busy_.pop();
        connections_[index]->is_busy = false;
        if (connections_[index]->is_gone) connections_[index].reset();
        set_timer(index);
    }

    void set_timer(std::uint32_t index) {
        auto const deadline =
            connections_[index] ? connections_[index]->session.poll_timeout() : std::optional<time_point>();
        if (deadline)
            timers_.set(index, *deadline);
        else
            timers_.cancel(index);
    }

    // Puts an event of a session into the server's terms; false if it is for the server itself.
    [[nodiscard]] bool translate(std::uint32_t index, event& e) {
        if (e.type == socketio::event_type::closed) return false;
        if (e.type == socketio::event_type::connecting) return admit(index, e);
        std::uint32_t const number = connections_[index]->session.tag(e.socket);
        e.socket = sockets_.handle(number);
        if (e.ack) e.ack = socketio::ack_request(e.socket, e.ack.id());
        if (e.type == socketio::event_type::ack) note_ack(e.id, e.outcome);
        if (e.type == socketio::event_type::disconnected) {
            persist(number, e.reason);
            sockets_[number].state = socket_state::ended;
            ended_ = number;
        }
        return true;
    }

    // A client asks to join a namespace. Returns whether the application is asked.
    [[nodiscard]] bool admit(std::uint32_t index, event& e) {
        auto& session = connections_[index]->session;
        auto const nsp = namespaces_.find_or_make(e.nsp, e.data);
        if (!nsp) {
            static_cast<void>(session.refuse(e.socket, "Invalid namespace"));
            static_cast<void>(flush(index));
            return false;
        }
        std::uint32_t const number = sockets_.make();
        server_socket& s = sockets_[number];
        s.nsp = *nsp;
        s.local = e.socket;
        s.connection = connections_[index]->handle;
        s.state = socket_state::asked;
        if (recovery_) s.recovery = claim(e.data);
        session.set_tag(e.socket, number);
        namespaces_.enter(*nsp);
        e.socket = sockets_.handle(number);
        if (namespaces_.admission(*nsp) == admission::ask) return true;
        static_cast<void>(accept(e.socket));
        return false;
    }

    // The socket's last event has been handled.
    void forget(std::uint32_t number) {
        server_socket& s = sockets_[number];
        std::uint32_t const nsp = s.nsp;
        if (find_number(nsp, view(s.sid)) == number) by_sid_.erase(detail::key_of(view(s.sid)));
        rooms_.exit(number);
        sockets_.free(number);
        namespaces_.exit(nsp);
        if (!namespaces_.is_idle(nsp)) return;
        // What is kept for recovery knows the namespace by its number: that is not given to another meanwhile.
        if (!recovery_) return namespaces_.release(nsp);
        namespaces_.retire(nsp);
        retired_.push_back({now_ + options_.recovery->max_disconnection_duration, nsp});
    }

    template <class Refuse>
    result<void> refuse_with(socket_handle socket, Refuse refuse) {
        auto* const s = sockets_.find(socket, socket_state::asked);
        if (s == nullptr) return error{errc::not_connected};
        auto const refused = refuse(connections_[s->connection.index]->session, s->local);
        flush(*s);
        if (refused) forget(socket.index);
        return refused;
    }

    //=== ids ===//

    [[nodiscard]] random_id new_sid() const {
        for (;;) {
            random_id const id = make_random_id(random_);
            if (!by_sid_.contains(detail::key_of(view(id)))) return id;
        }
    }

    [[nodiscard]] std::optional<std::uint32_t> find_number(std::optional<std::uint32_t> nsp,
                                                           std::string_view sid) const {
        if (!nsp || sid.size() != random_id{}.size()) return std::nullopt;
        auto const found = by_sid_.find(detail::key_of(sid));
        if (found == by_sid_.end()) return std::nullopt;
        server_socket const& s = sockets_[found->second];
        if (s.nsp != *nsp || view(s.sid) != sid) return std::nullopt;
        return found->second;
    }

    //=== recovery ===//

    // What a CONNECT says of an earlier connection; and a new secret for the one that it begins.
    [[nodiscard]] std::unique_ptr<detail::recovery_claim> claim(json::text auth) const {
        auto claimed = std::make_unique<detail::recovery_claim>();
        auto const text_of = [&auth](std::string_view key) {
            auto const value = auth.find(key);
            return value ? value->get<std::string>().value_or("") : std::string();
        };
        claimed->pid = text_of("pid");
        claimed->offset = text_of("offset");
        return claimed;
    }

    // The state that the socket may have again. Its pid is the old one then, and a new one else.
    [[nodiscard]] std::optional<restored_state> restore(server_socket& s) {
        if (!recovery_) return std::nullopt;
        detail::recovery_claim& claimed = *s.recovery;
        auto session = recovery_->restore(claimed.pid, claimed.offset, s.nsp, now_);
        if (session && is_taken(session->sid)) session.reset();
        if (!session) {
            claimed.pid = view(make_random_id(random_));
            return std::nullopt;
        }
        return restored_state{std::move(*session), std::move(claimed.offset)};
    }

    // Whether a socket has this id. The last one does not while its end is told.
    [[nodiscard]] bool is_taken(std::string_view sid) const {
        auto const found = by_sid_.find(detail::key_of(sid));
        return found != by_sid_.end() && sockets_[found->second].state == socket_state::connected;
    }

    // The rest of it, once the client has been let in.
    void replay(server_socket& s, std::uint32_t number, restored_state const& restored) {
        for (std::string const& room : restored.session.rooms) rooms_.join(number, room);
        s.data = restored.session.data;
        recovery_->for_each_missed(restored.session, restored.offset, [&](messages const& missed) {
            for (auto const& message : missed) static_cast<void>(engine_.send(s.connection, message));
        });
    }

    void persist(std::uint32_t number, socketio::disconnect_reason reason) {
        server_socket& s = sockets_[number];
        if (!recovery_ || s.state != socket_state::connected || !socketio::is_recoverable(reason)) return;
        socketio::recoverable_session kept{s.recovery->pid, std::string(view(s.sid)), s.nsp};
        rooms_.for_each_room(number, [&](std::string_view room) { kept.rooms.emplace_back(room); });
        kept.data = s.data;
        recovery_->persist(std::move(kept), now_);
    }

    // Keeps a packet that is on its way, for those who miss it.
    void keep(socketio::recovery_offset const& offset, socketio::recovery_audience const& whom) {
        std::size_t size = sizeof(messages);
        for (auto const& message : packet_) size += sizeof message + message.wire().size();
        recovery_->keep(offset, whom, packet_, size, now_);
    }

    template <class Name, class... Args>
    result<void> emit_kept(server_socket const& s, std::uint32_t number, Name const& name, Args const&... args) {
        if (!is_live(s)) return error{errc::not_connected};
        auto const offset = recovery_->next_offset();
        if (auto const made = make_packet(s.nsp, std::nullopt, name, args..., offset.view()); !made) return made;
        std::string_view const own = view(s.sid);
        keep(offset, {s.nsp, {&own, 1}, {}});
        return send_packet(number);
    }

    //=== broadcasts ===//

    // Gives back what the largest packets of all have left behind: timers are due often enough for that.
    void shrink() {
        queue_.shrink();
        messages().swap(packet_);
        std::string().swap(text_);
    }

    // Encodes an event into packet_, to be shared.
    template <class Name, class... Args>
    result<void> make_packet(std::uint32_t nsp, std::optional<std::uint64_t> id, Name const& name,
                             Args const&... args) {
        packet_.clear();
        attachment_list attachments;
        text_.clear();
        auto const encoded = socketio::encode_event(text_, attachments, {namespaces_.name(nsp), id},
                                                    socketio::detail::name_of(name), args...);
        if (!encoded) return encoded.error();
        packet_.emplace_back(frame{frame_kind::text, text_});
        for (byte_view const a : attachments) packet_.emplace_back(frame{frame_kind::binary, as_characters(a)});
        return {};
    }

    // Sends packet_ to one socket, without a copy.
    result<void> send_packet(std::uint32_t number) {
        server_socket const& s = sockets_[number];
        for (auto const& message : packet_)
            if (auto const sent = engine_.send(s.connection, message); !sent) return sent;
        return {};
    }

    // Calls f(number) for each socket of an audience.
    template <class F>
    void for_each(audience const& whom, F f) {
        auto const nsp = namespaces_.find(whom.nsp_);
        if (!nsp) return;
        auto const live = [&](std::uint32_t number) {
            if (is_live(sockets_[number])) f(number);
        };
        auto except = numbers_except(whom, *nsp);
        auto const by_id = numbers_to(whom, *nsp, except);
        except.insert(except.end(), by_id.begin(), by_id.end()); // their turn comes later
        rooms_.for_each(*nsp, whom.to_, whom.except_, except, live);
        for (std::uint32_t const number : by_id) live(number);
    }

    // The sockets that are not to be reached, but for those in rooms.
    [[nodiscard]] std::vector<std::uint32_t> numbers_except(audience const& whom, std::uint32_t nsp) const {
        std::vector<std::uint32_t> numbers;
        for (socket_handle const socket : whom.except_sockets_)
            if (sockets_.find(socket) != nullptr) numbers.push_back(socket.index);
        for (std::string_view const room : whom.except_)
            if (auto const number = find_number(nsp, room)) numbers.push_back(*number);
        return numbers;
    }

    // The sockets that are called by their ids, each once, less those that are not to be reached.
    [[nodiscard]] std::vector<std::uint32_t> numbers_to(audience const& whom, std::uint32_t nsp,
                                                        std::vector<std::uint32_t> const& except) const {
        std::vector<std::uint32_t> numbers;
        for (std::string_view const room : whom.to_) {
            auto const number = find_number(nsp, room);
            if (!number || std::ranges::count(except, *number) != 0 || std::ranges::count(numbers, *number) != 0)
                continue;
            auto const is_in = [&](std::string_view other) { return rooms_.contains(*number, other); };
            if (std::ranges::none_of(whom.except_, is_in)) numbers.push_back(*number);
        }
        return numbers;
    }

    template <class Name, class... Args>
    result<std::size_t> broadcast(audience const& whom, Name const& name, Args const&... args) {
        auto const nsp = namespaces_.find(whom.nsp_);
        if (!nsp) return std::size_t{0};
        if (recovery_) {
            auto const offset = recovery_->next_offset();
            auto const made = make_packet(*nsp, std::nullopt, name, args..., offset.view());
            if (!made) return made.error();
            keep(offset, whom, *nsp);
        } else if (auto const made = make_packet(*nsp, std::nullopt, name, args...); !made) {
            return made.error();
        }
        std::size_t receivers = 0;
        for_each(whom, [&](std::uint32_t number) { receivers += send_packet(number).has_value() ? 1u : 0u; });
        return receivers;
    }

    void keep(socketio::recovery_offset const& offset, audience const& whom, std::uint32_t nsp) {
        auto except = whom.except_;
        for (socket_handle const socket : whom.except_sockets_)
            if (sockets_.find(socket) != nullptr) except.push_back(view(sockets_[socket.index].sid));
        keep(offset, {nsp, whom.to_, except});
    }

    template <class Name, class... Args>
    result<std::size_t> broadcast_volatile(audience const& whom, Name const& name, Args const&... args) {
        auto const nsp = namespaces_.find(whom.nsp_);
        if (!nsp) return std::size_t{0};
        if (auto const made = make_packet(*nsp, std::nullopt, name, args...); !made) return made.error();
        std::size_t receivers = 0;
        for_each(whom, [&](std::uint32_t number) {
            if (is_writable(sockets_[number])) receivers += send_packet(number).has_value() ? 1u : 0u;
        });
        return receivers;
    }

    template <class Name, class... Args>
    result<std::uint64_t> broadcast_with_ack(audience const& whom, std::optional<milliseconds> timeout,
                                             Name const& name, Args const&... args) {
        auto const id = ++last_ack_id_;
        broadcast_acks asked;
        if (auto const nsp = namespaces_.find(whom.nsp_)) {
            if (auto const made = make_packet(*nsp, id, name, args...); !made) return made.error();
            for_each(whom, [&](std::uint32_t number) { asked.expected += ask(number, id, timeout) ? 1u : 0u; });
        }
        if (asked.expected != 0)
            broadcast_acks_.emplace(id, asked);
        else
            own_events_.push({socketio::event_type::acks_complete, {}, false, id});
        return id;
    }

    // Sends packet_ to one socket, which is to acknowledge it.
    [[nodiscard]] bool ask(std::uint32_t number, std::uint64_t id, std::optional<milliseconds> timeout) {
        server_socket const& s = sockets_[number];
        auto& session = connections_[s.connection.index]->session;
        session.handle_timeout(now_); // what the timeout counts from
        if (!session.expect_ack(s.local, id, timeout)) return false;
        static_cast<void>(
            send_packet(number)); // a connection that cannot take it ends, and the acknowledgement with it
        touch(s.connection.index);
        return true;
    }

    void note_ack(std::uint64_t id, socketio::ack_outcome outcome) {
        auto const found = broadcast_acks_.find(id);
        if (found == broadcast_acks_.end()) return;
        broadcast_acks& b = found->second;
        if (outcome == socketio::ack_outcome::answered) ++b.answers;
        if (++b.ended != b.expected) return;
        own_events_.push({socketio::event_type::acks_complete, {}, false, id, b.expected, b.answers});
        broadcast_acks_.erase(found);
    }

    server_options options_;
    random_source random_;
    time_point now_;
    bool is_closing_ = false;
    engineio::server engine_;
    socketio::message_queue queue_; // of all sessions: each is flushed before another is called
    detail::stable_vector<std::optional<connection_record>> connections_; // by the index of their Engine.IO session
    detail::fifo<std::uint32_t> busy_;                                    // connections with events
    detail::timer_wheel timers_;                                          // of connections
    detail::namespaces namespaces_;
    std::deque<retired_namespace> retired_;
    detail::server_sockets sockets_;
    std::optional<std::uint32_t> ended_; // the socket whose end was told last
    std::unordered_map<std::uint64_t, std::uint32_t> by_sid_;
    socketio::rooms rooms_; // members are sockets, by their numbers
    detail::fifo<own_event> own_events_;
    std::uint64_t last_ack_id_ = 0;
    std::unordered_map<std::uint64_t, broadcast_acks> broadcast_acks_;
    std::optional<socketio::recovery_store<messages>> recovery_;
    // The packet that is sent, and where its text is put together.
    messages packet_;
    std::string text_;
};

//=== audience ===//

inline std::size_t audience::size() const {
    std::size_t n = 0;
    server_->for_each(*this, [&n](std::uint32_t) { ++n; });
    return n;
}
template <class F>
void audience::for_each(F f) const {
    std::vector<socketio::socket_handle> sockets; // f may change who they are
    server_->for_each(*this, [&](std::uint32_t number) { sockets.push_back(server_->sockets_.handle(number)); });
    for (auto const socket : sockets) f(socket);
}

template <class Name, class... Args>
requires socketio::event_name_for<Name, Args...> result<std::size_t> audience::emit(Name const& name,
                                                                                    Args const&... args)
const {
    return server_->broadcast(*this, name, args...);
}
template <class Name, class... Args>
requires socketio::event_name_for<Name, Args...> result<std::size_t> audience::emit_volatile(Name const& name,
                                                                                             Args const&... args)
const {
    return server_->broadcast_volatile(*this, name, args...);
}
template <class Name, class... Args>
requires socketio::event_name_for<Name, Args...> result<std::uint64_t>
audience::emit_with_ack(std::optional<milliseconds> timeout, Name const& name, Args const&... args)
const {
    return server_->broadcast_with_ack(*this, timeout, name, args...);
}

inline void audience::join(std::string_view room) const {
    for_each([&](socketio::socket_handle s) { server_->join(s, room); });
}
inline void audience::leave(std::string_view room) const {
    for_each([&](socketio::socket_handle s) { server_->leave(s, room); });
}
inline void audience::disconnect() const {
    for_each([this](socketio::socket_handle s) { server_->disconnect(s); });
}

} // namespace socketless::inline v0
