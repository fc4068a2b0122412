// What a server is made of: its connections, their sockets, and what is sent to many of them. `server` is its face.
#pragma once

#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/index_queue.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/stable_vector.hpp>
#include <socketless/core/detail/timer_wheel.hpp>
#include <socketless/core/hash_key.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/asked_sockets.hpp>
#include <socketless/detail/namespaces.hpp>
#include <socketless/detail/packet_limit.hpp>
#include <socketless/detail/reasons.hpp>
#include <socketless/detail/server_recovery.hpp>
#include <socketless/detail/server_sockets.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/server_options.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/rooms.hpp>
#include <socketless/socketio/server_session.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

class server_core {
public:
    server_core(server_core const&) = delete; // the sessions refer to the options
    server_core& operator=(server_core const&) = delete;

protected:
    using event = socketio::event;
    using socket_handle = socketio::socket_handle;

    server_core(server_options options, random_source random, time_point now)
        : options_(with_path(std::move(options))), random_(std::move(random)), now_(now),
          engine_(options_.engine, [this](std::span<std::byte> bytes) { random_(bytes); }),
          names_key_(make_hash_key(random_)), namespaces_(names_key_), rooms_(names_key_) {
        // What a session could queue and its transport could not is refused before either has begun.
        options_.sockets.max_queued =
            std::min(options_.sockets.max_queued, packet_limit(options_.engine.max_queued, options_.sockets.limits));
        namespaces_.declare("/", admission::automatic);
        if (options_.recovery) recovery_.emplace(*options_.recovery, random_);
    }
    ~server_core() = default;

    [[nodiscard]] static server_options with_path(server_options options) {
        options.engine.path = options.path;
        return options;
    }

    using server_socket = detail::server_socket;
    using socket_state = detail::server_socket_state;
    using messages = server_recovery::messages;

    struct connection_record {
        engineio::session_handle handle;
        socketio::server_session session;
        bool is_gone = false;    // its Engine.IO session has closed
        bool may_recover = true; // nobody has disconnected it
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

    //=== connections ===//

    void take(engineio::server_event const& e) {
        std::uint32_t const index = e.session.index;
        if (e.event.type == engineio::event_type::opened) return open(e.session);
        auto const* const below = engine_.find(e.session);
        if (below == nullptr || index >= connections_.size() || !connections_[index])
            return; // or there was no memory for it
        switch (e.event.type) {
        case engineio::event_type::message: {
            rollback undo([&]() noexcept { break_off(index); });
            connections_[index]->session.message_received(e.event.message, below->now());
            undo.commit();
            break;
        }
        case engineio::event_type::closed:
            connections_[index]->session.connection_closed(reason_of(e.event.reason), below->now());
            connections_[index]->is_gone = true;
            break;
        default: return;
        }
        touch(index);
    }

    void open(engineio::session_handle handle) {
        auto const* const opened = engine_.find(handle);
        if (opened == nullptr) return;
        rollback undo([&]() noexcept { engine_.abort(handle, engineio::close_reason::transport_error); });
        while (handle.index >= connections_.size()) {
            busy_.reserve(connections_.size() + 1);
            timers_.reserve(connections_.size() + 1);
            connections_.push();
        }
        bool const v3 = opened->revision() == engineio::revision::v3;
        auto const revision = v3 ? socketio::revision::v4 : socketio::revision::v5;
        connections_[handle.index].emplace(
            connection_record{handle, socketio::server_session(options_.sockets, queue_, revision, now_)});
        undo.commit();
        if (is_closing_) return end(handle.index, socketio::disconnect_reason::server_shutting_down);
        touch(handle.index);
    }

    // The session may have events to tell. Its timer is set when they have been taken.
    void touch(std::uint32_t index) noexcept { busy_.push(index); }

    void end(std::uint32_t index, socketio::disconnect_reason reason) {
        rollback undo([&]() noexcept { break_off(index); });
        connections_[index]->session.close(reason);
        undo.commit();
        static_cast<void>(flush(index));
    }

    // Some of what was to be sent is lost because memory was: the connection ends, and no other one gets the rest.
    void break_off(std::uint32_t index) noexcept {
        queue_.clear();
        engine_.abort(connections_[index]->handle, engineio::close_reason::transport_error);
    }

    // From a session to the transport.
    result<void> flush(std::uint32_t index) {
        connection_record& c = *connections_[index];
        rollback undo([&]() noexcept { break_off(index); });
        result<void> sent;
        while (auto const t = c.session.poll_transmit()) {
            if (t->type == socketio::transmit_type::close) {
                if (auto const cause = c.session.cause()) engine_.blame(c.handle, *cause);
                engine_.close(c.handle, now_);
                touch(index); // it has ended by itself
            } else if (auto const done = hand_down(c.handle, t->message); !done) {
                sent = done;
            }
        }
        undo.commit();
        return sent;
    }
    // A packet whose message the transport does not take can not be left out: others of its messages may have gone.
    template <class Message>
    result<void> hand_down(engineio::session_handle connection, Message const& message) {
        auto const done = engine_.send(connection, message);
        if (!done && done.error().code == errc::message_too_large)
            engine_.abort(connection, engineio::close_reason::queue_overflow);
        return done;
    }
    void flush(server_socket const& s) { static_cast<void>(flush(s.connection.index)); }
    // Where something has been done already that must be told.
    void flush_or_break_off(std::uint32_t index) noexcept {
        attempt([&] { static_cast<void>(flush(index)); });
    }

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

    // A socket that the application may let in; null for any other.
    [[nodiscard]] server_socket const* find_asked(socket_handle socket) const noexcept {
        auto const* const s = sockets_.find(socket, socket_state::asked);
        if (s == nullptr) return nullptr;
        return connections_[s->connection.index]->session.nsp(s->local).empty() ? nullptr : s;
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
        if (auto const* const s = sockets_.find(own.socket)) {
            told.nsp = namespaces_.name(s->nsp);
            told.sid = s->sid();
        }
        told.recovered = own.recovered;
        told.id = own.id;
        told.expected = own.expected;
        told.answers = own.answers;
    }

    void poll_session(std::optional<event>& e, std::uint32_t index) {
        auto& session = connections_[index]->session;
        session.poll_event(e); // ends the connection where it throws
        if (session.has_transmit()) flush_or_break_off(index);
        if (e) {
            if (!translate(index, *e)) e.reset();
            return;
        }
        busy_.pop();
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
        if (number == socketio::server_session::no_tag) return false; // it was not admitted
        e.socket = sockets_.handle(number);
        if (e.ack) e.ack = socketio::ack_request(e.socket, e.ack.id());
        if (e.type == socketio::event_type::ack) note_ack(e.id, e.outcome);
        if (e.type == socketio::event_type::disconnected) {
            if (sockets_[number].state == socket_state::refused) return forget(number), false;
            attempt([&] { persist(number, e.reason); }); // what cannot be kept cannot be recovered
            sockets_[number].state = socket_state::ended;
            ended_ = number;
        }
        return true;
    }

    // A client asks to join a namespace. Returns whether the application is asked.
    [[nodiscard]] bool admit(std::uint32_t index, event& e) {
        auto const local = e.socket;
        rollback undo([&]() noexcept { turn_away(index, local); });
        auto const nsp = namespaces_.find_or_make(e.nsp, e.data);
        if (!nsp) return false;
        rollback undo_namespace([&]() noexcept { release_if_unused(*nsp); });
        bool const has_recovery = recovery_ && connections_[index]->session.revision() == socketio::revision::v5;
        auto details =
            has_recovery
                ? std::make_unique<server_socket_details>(server_socket_details{recovery_claim::of(e.data), {}})
                : nullptr;
        std::uint32_t const number = sockets_.make();
        server_socket& s = sockets_[number];
        s.nsp = *nsp;
        s.local = local;
        s.connection = connections_[index]->handle;
        s.details = std::move(details);
        connections_[index]->session.set_tag(local, number);
        namespaces_.enter(*nsp);
        undo_namespace.commit();
        e.socket = sockets_.handle(number);
        rollback undo_socket([&]() noexcept { abandon(number); });
        e.recovered = find_kept(s) != nullptr;
        bool const skips = e.recovered && options_.skip_middlewares;
        bool const is_asked = namespaces_.admission(*nsp) == admission::ask && !skips;
        if (is_asked && s.recovery() != nullptr) s.recovery()->is_promised = e.recovered;
        auto const accepted = is_asked ? result<void>() : let_in(e.socket);
        undo_socket.commit();
        undo.commit();
        if (!accepted && accepted.error().code == errc::message_too_large) {
            forget(number);
            drop(index, local);
        }
        return is_asked;
    }

    // The name of a namespace that a client asks for leaves no room for an answer: its connection ends.
    void drop(std::uint32_t index, socket_handle local) {
        connections_[index]->session.drop(local);
        end(index, socketio::disconnect_reason::forced_server_close);
    }

    // There is no such namespace for this client, or nobody could find out.
    void turn_away(std::uint32_t index, socket_handle local) noexcept {
        bool const is_done = attempt([&] {
            if (connections_[index]->session.refuse(local, "Invalid namespace"))
                static_cast<void>(flush(index));
            else
                drop(index, local);
        });
        if (!is_done) break_off(index);
    }

    // Forgets a socket that was not let in.
    void abandon(std::uint32_t number) noexcept {
        server_socket const& s = sockets_[number];
        connections_[s.connection.index]->session.set_tag(s.local, socketio::server_session::no_tag);
        forget(number);
    }

    // Lets a client in that has asked to join a namespace. Where it throws the client waits on.
    result<void> let_in(socket_handle socket) {
        auto* const s = sockets_.find(socket, socket_state::asked);
        if (s == nullptr) return error{errc::not_connected};
        auto const number = socket.index;
        auto& session = connections_[s->connection.index]->session;
        if (session.nsp(s->local).empty()) return error{errc::not_connected}; // that it is gone is yet to be told
        bool const is_promised = s->recovery() != nullptr && s->recovery()->is_promised;
        reserve_own_events();
        rooms_.enter(s->nsp, number);
        rollback undo_room([&]() noexcept { rooms_.exit(number); });
        auto const* const kept = find_kept(*s); // it is kept until nothing can fail any more
        if (is_promised && kept == nullptr) {   // it was accepted as somebody that it cannot be any more
            end(s->connection.index, socketio::disconnect_reason::forced_server_close);
            return error{errc::not_connected};
        }
        if (kept != nullptr)
            prepare_as(*s, number, *kept);
        else
            prepare_afresh(*s);
        rollback undo_sid([&, before = sockets_.file(number)]() noexcept { sockets_.unfile(number, before); });
        auto const pid = s->recovery() != nullptr ? std::string_view(s->recovery()->pid) : std::string_view();
        auto const accepted = session.accept(s->local, s->sid(), pid);
        if (!accepted) {
            flush(*s);
            return accepted;
        }
        undo_sid.commit();
        undo_room.commit();
        auto const restored = kept != nullptr ? std::optional(recovery_->restore(*s->recovery(), *kept)) : std::nullopt;
        if (restored && !s->data) s->data = restored->session.data; // what was set for the new connection stays
        s->state = socket_state::connected;
        own_events_.push({socketio::event_type::connected, socket, restored.has_value()});
        flush_or_break_off(s->connection.index);
        auto const send = [&](engineio::shared_message const& missed) { hand_down(s->connection, missed).ignore(); };
        if (restored && !attempt([&] { recovery_->for_each_missed(restored->session, restored->offset, send); }))
            break_off(s->connection.index); // it may come back for what it has missed
        bool const is_whole = attempt([&] {
            if (auto const early = asked_.take(number)) catch_up(*s, number, *early);
        });
        if (!is_whole) {
            s->may_recover = false; // without what is lost
            break_off(s->connection.index);
        }
        return {};
    }

    //=== before a client is let in ===//

    template <class Name, class... Args>
    result<void> emit_early(socket_handle socket, Name const& name, Args const&... args) {
        auto const* const s = find_asked(socket);
        if (s == nullptr) return error{errc::not_connected};
        if (auto const made = make_early(*s, std::nullopt, name, args...); !made) return made;
        keep_early(socket.index, *s, false);
        return {};
    }

    template <class Name, class... Args>
    result<std::uint64_t> emit_early_with_ack(socket_handle socket, std::optional<milliseconds> timeout,
                                              Name const& name, Args const&... args) {
        auto const* const s = find_asked(socket);
        if (s == nullptr) return error{errc::not_connected};
        auto const id = ++last_ack_id_;
        if (auto const made = make_early(*s, id, name, args...); !made) return made.error();
        auto& session = connections_[s->connection.index]->session;
        session.handle_timeout(now_); // what the timeout counts from
        if (auto const awaited = session.expect_early_ack(s->local, id, timeout); !awaited) return awaited.error();
        rollback undo([&]() noexcept { session.forget_ack(s->local, id); });
        keep_early(socket.index, *s, true);
        undo.commit();
        touch(s->connection.index);
        return id;
    }

    // Encodes an event into text_ and packet_, if there is room to keep it.
    template <class Name, class... Args>
    result<void> make_early(server_socket const& s, std::optional<std::uint64_t> id, Name const& name,
                            Args const&... args) {
        constexpr std::size_t longest_offset = 64; // which recovery may put behind it
        if (auto const made = make_packet(s.nsp, id, name, args...); !made) return made;
        std::size_t const limit = options_.sockets.max_queued;
        std::size_t const size = asked_sockets::size_of(text_, std::span(packet_).subspan(1));
        if (recovery_ && size > limit - std::min(limit, longest_offset)) return error{errc::message_too_large};
        return asked_.has_room(s.connection.index, size, limit) ? result<void>() : error{errc::buffer_full};
    }
    void keep_early(std::uint32_t number, server_socket const& s, bool asks) {
        asked_.keep(number, s.connection.index, {text_, {packet_.begin() + 1, packet_.end()}, asks});
    }

    // The client has been let in: what was done before counts from now on.
    void catch_up(server_socket const& s, std::uint32_t number, early_acts const& early) {
        for (std::string const& room : early.rooms)
            if (room != s.sid() && rooms_.rooms_of(number) < options_.max_rooms) rooms_.join(number, room);
        for (early_packet const& p : early.packets) {
            text_ = p.text;
            std::optional<socketio::recovery_offset> offset;
            if (recovery_ && !p.asks) {
                offset = recovery_->next_offset();
                text_.pop_back(); // the bracket at the end of its arguments
                text_.append(",\"").append(offset->view()).append("\"]");
            }
            packet_.clear();
            packet_.emplace_back(frame{frame_kind::text, text_});
            packet_.insert(packet_.end(), p.attachments.begin(), p.attachments.end());
            std::string_view const own = s.sid();
            if (offset && s.recovery() != nullptr) recovery_->keep(*offset, {s.nsp, {&own, 1}, {}}, packet_, now_);
            static_cast<void>(send_packet(number)); // to a connection that is lost no more than it is kept
        }
    }

    // The socket's last event has been handled.
    void forget(std::uint32_t number) {
        std::uint32_t const nsp = sockets_[number].nsp;
        rooms_.exit(number);
        asked_.forget(number);
        sockets_.free(number);
        namespaces_.exit(nsp);
        release_if_unused(nsp);
    }

    // Its number may be given to another namespace once nobody is there and nobody can come back.
    void release_if_unused(std::uint32_t nsp) {
        if (!namespaces_.is_idle(nsp) || (recovery_ && !recovery_->release(nsp))) return;
        namespaces_.release(nsp);
    }
    void release_unused() {
        while (auto const nsp = recovery_->take_unreferenced()) release_if_unused(*nsp);
    }

    template <class Refuse>
    result<void> refuse_with(socket_handle socket, Refuse refuse) {
        auto* const s = sockets_.find(socket, socket_state::asked);
        if (s == nullptr) return error{errc::not_connected};
        auto const refused = refuse(connections_[s->connection.index]->session, s->local);
        flush_or_break_off(s->connection.index);
        if (!refused) return refused;
        if (!connections_[s->connection.index]->session.ending(s->local)) return forget(socket.index), refused;
        s->state = socket_state::refused; // with acknowledgements that are to be told of
        touch(s->connection.index);
        return refused;
    }

    //=== ids ===//

    // Clients of revision 4 know themselves by the id of their connection, in other namespaces than "/" by `/nsp#id`.
    // In revision 5 that id is a secret which no socket has for its own.
    void give_sid(server_socket& s) const {
        auto const* const connection = engine_.find(s.connection);
        auto const id = connection == nullptr ? std::string_view() : connection->id();
        bool const v4 = connections_[s.connection.index]->session.revision() == socketio::revision::v4;
        s.short_sid = v4 && !id.empty() ? id_from(id) : sockets_.new_sid(random_, id);
        if (std::string_view const nsp = namespaces_.name(s.nsp); v4 && nsp != "/")
            s.details = std::make_unique<server_socket_details>(
                server_socket_details{std::nullopt, std::string(nsp) + "#" + std::string(view(s.short_sid))});
    }

    //=== recovery ===//

    // The kept session that an asked socket may have again: nobody has its id, and what it missed can be queued.
    [[nodiscard]] socketio::recoverable_session const* find_kept(server_socket const& s) {
        if (s.recovery() == nullptr) return nullptr;
        recovery_claim const& claimed = *s.recovery();
        auto const* const kept = recovery_->find(claimed, s.nsp, now_);
        if (kept == nullptr || sockets_.is_taken(kept->sid)) return nullptr;
        constexpr std::size_t size_of_answer = 100; // CONNECT, without the name of the namespace
        auto const* const connection = engine_.find(s.connection);
        if (connection == nullptr) return nullptr;
        std::size_t const size = connection->queued() + namespaces_.name(s.nsp).size() + size_of_answer +
                                 recovery_->size_of_missed(*kept, claimed.offset);
        return size <= options_.engine.max_queued ? kept : nullptr;
    }

    // What may fail before a client is let in: as the one whose state is kept, under the old pid, or under a new one.
    void prepare_as(server_socket& s, std::uint32_t number, socketio::recoverable_session const& kept) {
        s.short_sid = id_from(kept.sid);
        for (std::string const& room : kept.rooms) rooms_.join(number, room);
    }
    void prepare_afresh(server_socket& s) {
        if (auto* const claimed = s.recovery()) recovery_->begin(*claimed, random_);
        give_sid(s);
    }

    // Whether the state of a connected socket is kept when it ends for this reason.
    [[nodiscard]] bool is_kept(server_socket const& s, socketio::disconnect_reason reason) const noexcept {
        bool const may_recover = s.may_recover && connections_[s.connection.index]->may_recover;
        return s.recovery() != nullptr && may_recover && s.state == socket_state::connected &&
               socketio::is_recoverable(reason);
    }

    void persist(std::uint32_t number, socketio::disconnect_reason reason) {
        server_socket const& s = sockets_[number];
        recovery_claim const* const claimed = s.recovery();
        if (claimed == nullptr || !is_kept(s, reason)) return;
        socketio::recoverable_session lost{.pid = {}, .sid = std::string(s.sid()), .nsp = s.nsp, .data = s.data};
        rooms_.for_each_room(number, [&](std::string_view room) { lost.rooms.emplace_back(room); });
        recovery_->persist(std::move(lost), *claimed, sockets_.handle(number), now_);
        release_unused();
    }

    // A socket to which events are kept: it is connected, or its connection is lost and its state is kept or will be.
    struct receiver {
        std::uint32_t nsp;
        std::string_view sid;
        server_socket const* live = nullptr; // null if its connection is lost
    };

    [[nodiscard]] std::optional<receiver> find_receiver(socket_handle socket) {
        if (auto const* const s = sockets_.find(socket, socket_state::connected)) {
            if (is_live(*s)) return receiver{s->nsp, s->sid(), s};
            auto const reason = connections_[s->connection.index]->session.ending(s->local);
            if (reason && is_kept(*s, *reason)) return receiver{s->nsp, s->sid()};
            return std::nullopt;
        }
        auto const* const kept = recovery_->find_of(socket, now_);
        return kept == nullptr ? std::nullopt : std::optional(receiver{kept->nsp, kept->sid});
    }

    template <class Name, class... Args>
    result<void> emit_kept(socket_handle socket, Name const& name, Args const&... args) {
        auto const to = find_receiver(socket);
        if (!to) return emit_early(socket, name, args...);
        auto const offset = recovery_->next_offset();
        if (auto const made = make_packet(to->nsp, std::nullopt, name, args..., offset.view()); !made) return made;
        bool const can_recover = to->live == nullptr || to->live->recovery() != nullptr;
        if (can_recover) recovery_->keep(offset, {to->nsp, {&to->sid, 1}, {}}, packet_, now_);
        if (to->live == nullptr) return {};
        auto const sent = send_packet(socket.index);
        bool const is_lost = !sent && sent.error().code == errc::not_open; // which is yet to be told
        return is_lost && can_recover ? result<void>() : sent;
    }

    // The application wants the socket's client out: it may not have its state again.
    void forget_kept(socket_handle socket) {
        if (!recovery_) return;
        recovery_->forget(socket, now_);
        release_unused();
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
        auto const& own = options_.sockets;
        auto const encoded = socketio::encode_event(text_, attachments, own.limits, {namespaces_.name(nsp), id},
                                                    socketio::detail::name_of(name), args...);
        if (!encoded) return encoded.error();
        if (socketio::message_queue::is_too_large(text_.size(), attachments, own.max_queued))
            return error{errc::message_too_large};
        packet_.emplace_back(frame{frame_kind::text, text_});
        for (byte_view const a : attachments) packet_.emplace_back(frame{frame_kind::binary, as_characters(a)});
        return {};
    }

    // Sends packet_ to one socket, without a copy.
    result<void> send_packet(std::uint32_t number) {
        server_socket const& s = sockets_[number];
        rollback undo([&]() noexcept { engine_.abort(s.connection, engineio::close_reason::transport_error); });
        result<void> sent;
        for (auto message = packet_.begin(); sent && message != packet_.end(); ++message)
            sent = hand_down(s.connection, *message);
        undo.commit();
        return sent;
    }

    // The same for one of many: whether it is sent. A connection for which there is no memory ends, and no other one.
    bool reaches(std::uint32_t number) noexcept {
        bool is_sent = false;
        attempt([&] { is_sent = send_packet(number).has_value(); });
        return is_sent;
    }

    // All events that will come of the acknowledgements of broadcasts, and two more, can be queued.
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

    server_options options_;
    random_source random_;
    time_point now_;
    bool is_closing_ = false;
    engineio::server engine_;
    socketio::message_queue queue_; // of all sessions: each is flushed before another is called
    stable_vector<std::optional<connection_record>> connections_; // by the index of their Engine.IO session
    index_queue busy_;                                            // connections with events
    timer_wheel timers_;                                          // of connections
    hash_key names_key_; // of all tables in which names are found that peers choose
    namespaces namespaces_;
    server_sockets sockets_;
    asked_sockets asked_;                // what was done with them already
    std::optional<std::uint32_t> ended_; // the socket whose end was told last
    socketio::rooms rooms_;              // members are sockets, by their numbers
    fifo<own_event> own_events_;
    std::uint64_t last_ack_id_ = 0;
    std::unordered_map<std::uint64_t, broadcast_acks> broadcast_acks_;
    std::optional<server_recovery> recovery_;
    // The packet that is sent, and where its text is put together.
    messages packet_;
    std::string text_;
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
