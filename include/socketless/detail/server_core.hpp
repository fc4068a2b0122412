// How a socket of a server comes, is let in, and goes.
#pragma once

#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/asked_sockets.hpp>
#include <socketless/detail/namespaces.hpp>
#include <socketless/detail/server_connections.hpp>
#include <socketless/detail/server_parts.hpp>
#include <socketless/detail/server_recovery.hpp>
#include <socketless/detail/server_sockets.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/json/text.hpp>
#include <socketless/socketio/recovery.hpp>
#include <socketless/socketio/recovery_offset.hpp>
#include <socketless/socketio/server_session.hpp>
#include <socketless/socketio/session.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

class server_core : public server_parts {
public:
    using server_parts::server_parts;

    //=== time ===//

    void advance_clock(time_point now) {
        packet_.release(); // frees the memory of the largest packet; timers are due often enough to do it here
        connections_.handle_timeout(now);
        if (!recovery_) return;
        recovery_->handle_timeout(now);
        release_unused();
    }

    //=== events ===//

    // Works until there is an event, or nothing to do.
    void poll_event(std::optional<event>& e) {
        if (ended_) forget(*std::exchange(ended_, std::nullopt));
        while (!e) {
            if (!own_events_.empty()) return take_own_event(e);
            std::uint32_t const index = connections_.poll_event(e);
            if (index == server_connections::none) return connections_.queue().shrink_parsed();
            if (!translate(index, *e)) e.reset();
        }
    }

    void take_own_event(std::optional<event>& e) {
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

    // Puts an event of a session into the server's terms; false if it is for the server itself.
    [[nodiscard]] bool translate(std::uint32_t index, event& e) {
        if (e.type == socketio::event_type::closed) return false;
        if (e.type == socketio::event_type::connecting) return admit(index, e);
        std::uint32_t const number = connections_[index].session.tag(e.socket);
        if (number == socketio::server_session::no_tag) return false; // it was not admitted
        e.socket = sockets_.handle(number);
        if (e.ack) e.ack = socketio::ack_request(e.socket, e.ack.id());
        if (e.type == socketio::event_type::ack) note_ack(e.id, e.outcome);
        if (e.type == socketio::event_type::disconnected) {
            if (sockets_[number].state == socket_state::refused) return forget(number), false;
            core_detail::attempt([&] { persist(number, e.reason); }); // what cannot be kept cannot be recovered
            sockets_[number].state = socket_state::ended;
            ended_ = number;
        }
        return true;
    }

    //=== letting clients in ===//

    // A client asks to join a namespace. Returns whether the application is asked.
    [[nodiscard]] bool admit(std::uint32_t index, event& e) {
        auto const local = e.socket;
        core_detail::rollback undo([&]() noexcept { turn_away(index, local); });
        auto const nsp = namespaces_.find_or_make(e.nsp, e.data);
        if (!nsp) return false;
        std::uint32_t const number = make_socket(index, local, *nsp, e.data);
        core_detail::rollback undo_socket([&]() noexcept { abandon(number); });
        e.socket = sockets_.handle(number);
        e.recovered = find_kept(sockets_[number]) != nullptr;
        bool const skips = e.recovered && options_.skip_middlewares;
        bool const is_asked = namespaces_.admission(*nsp) == admission::ask && !skips;
        if (auto* const claimed = sockets_[number].recovery(); is_asked && claimed != nullptr)
            claimed->is_promised = e.recovered;
        auto const accepted = is_asked ? result<void>() : let_in(e.socket);
        undo_socket.commit();
        undo.commit();
        if (!accepted && accepted.error().code == errc::message_too_large) {
            forget(number);
            drop(index, local);
        }
        return is_asked;
    }

    // The socket of a client that asks to join. If it throws, a namespace that was made for the client goes too.
    [[nodiscard]] std::uint32_t make_socket(std::uint32_t index, socket_handle local, std::uint32_t nsp,
                                            json::text auth) {
        core_detail::rollback undo([&]() noexcept { release_if_unused(nsp); });
        std::unique_ptr<server_socket_details> details;
        if (recovery_ && connections_[index].session.revision() == socketio::revision::v5)
            details =
                std::make_unique<server_socket_details>(server_socket_details{.recovery = recovery_claim::of(auth)});
        std::uint32_t const number = sockets_.make();
        undo.commit();
        server_socket& s = sockets_[number];
        s.nsp = nsp;
        s.local = local;
        s.connection = connections_.handle(index);
        s.details = std::move(details);
        connections_[index].session.set_tag(local, number);
        namespaces_.enter(nsp);
        return number;
    }

    // The name of the namespace leaves no room for an answer to the client: its connection ends.
    void drop(std::uint32_t index, socket_handle local) {
        connections_[index].session.drop(local);
        connections_.end(index, socketio::disconnect_reason::forced_server_close);
    }

    // Refuses a client: there is no such namespace for it, or finding out threw.
    void turn_away(std::uint32_t index, socket_handle local) noexcept {
        bool const is_done = core_detail::attempt([&] {
            if (connections_[index].session.refuse(local, "Invalid namespace"))
                connections_.flush(index).ignore();
            else
                drop(index, local);
        });
        if (!is_done) connections_.break_off(index);
    }

    // Forgets a socket that was not let in.
    void abandon(std::uint32_t number) noexcept {
        server_socket const& s = sockets_[number];
        session_of(s).set_tag(s.local, socketio::server_session::no_tag);
        forget(number);
    }

    // Lets in a client that has asked to join. If it throws, the client still waits.
    result<void> let_in(socket_handle socket) {
        auto* const s = sockets_.find(socket, socket_state::asked);
        if (s == nullptr) return error{errc::not_connected};
        auto const number = socket.index;
        auto& session = session_of(*s);
        if (session.nsp(s->local).empty()) return error{errc::not_connected}; // it left before it was let in
        bool const is_promised = s->recovery() != nullptr && s->recovery()->is_promised;
        reserve_own_events();
        rooms_.enter(s->nsp, number);
        core_detail::rollback undo_room([&]() noexcept { rooms_.exit(number); });
        auto const* const kept = find_kept(*s); // it stays kept until nothing can fail any more
        if (is_promised && kept == nullptr) {   // the application accepted it for a state that has gone
            connections_.end(s->connection.index, socketio::disconnect_reason::forced_server_close);
            return error{errc::not_connected};
        }
        if (kept != nullptr)
            prepare_as(*s, number, *kept);
        else
            prepare_afresh(*s);
        core_detail::rollback undo_sid(
            [&, before = sockets_.file(number)]() noexcept { sockets_.unfile(number, before); });
        auto const pid = s->recovery() != nullptr ? std::string_view(s->recovery()->pid) : std::string_view();
        auto const accepted = session.accept(s->local, s->sid(), pid);
        if (!accepted) {
            connections_.flush(s->connection.index).ignore();
            return accepted;
        }
        undo_sid.commit();
        undo_room.commit();
        welcome(*s, number, kept);
        return {};
    }

    // The client is in: it gets its state again if that was kept, and all that it has missed; early acts take effect.
    void welcome(server_socket& s, std::uint32_t number, socketio::recoverable_session const* kept) noexcept {
        auto const restored = kept != nullptr ? std::optional(recovery_->restore(*s.recovery(), *kept)) : std::nullopt;
        // Data that was set for the new connection stays. There are details: the claim is one.
        if (restored && !s.details->data) s.details->data = restored->session.data;
        s.state = socket_state::connected;
        own_events_.push({socketio::event_type::connected, sockets_.handle(number), restored.has_value()});
        connections_.flush_or_break_off(s.connection.index);
        auto const send = [&](auto const& missed) { connections_.hand_down(s.connection, missed).ignore(); };
        if (restored &&
            !core_detail::attempt([&] { recovery_->for_each_missed(restored->session, restored->offset, send); }))
            connections_.break_off(s.connection.index); // the client may come back for what it has missed
        bool const is_whole = core_detail::attempt([&] {
            if (auto const early = asked_.take(number)) catch_up(s, number, *early);
        });
        if (!is_whole) {
            s.may_recover = false; // a part of its state is lost
            connections_.break_off(s.connection.index);
        }
    }

    // Does now what the application asked for before it let the client in.
    void catch_up(server_socket const& s, std::uint32_t number, early_acts const& early) {
        for (std::string const& room : early.rooms)
            if (room != s.sid() && rooms_.rooms_of(number) < options_.max_rooms) rooms_.join(number, room);
        for (early_packet const& p : early.packets) {
            auto const offset = recovery_ && !p.asks ? std::optional(recovery_->next_offset()) : std::nullopt;
            packet_.assign(p.text, p.attachments, offset);
            std::string_view const own = s.sid();
            if (offset && s.recovery() != nullptr) keep_packet(*offset, {s.nsp, {&own, 1}, {}});
            send_packet(number).ignore(); // if the connection is lost, the client may come back for it
        }
    }

    // The application has handled the socket's last event.
    void forget(std::uint32_t number) {
        std::uint32_t const nsp = sockets_[number].nsp;
        rooms_.exit(number);
        asked_.forget(number);
        sockets_.free(number);
        namespaces_.exit(nsp);
        release_if_unused(nsp);
    }

    // Frees the number of a namespace that no socket is in and no lost socket can come back to.
    void release_if_unused(std::uint32_t nsp) {
        if (!namespaces_.is_idle(nsp) || (recovery_ && !recovery_->release(nsp))) return;
        namespaces_.release(nsp);
    }
    void release_unused() {
        while (auto const nsp = recovery_->take_unreferenced()) release_if_unused(*nsp);
    }

    // Keeps a client out that has asked to join.
    result<void> refuse(socket_handle socket, std::string_view message, json::detail::values const* data) {
        auto* const s = sockets_.find(socket, socket_state::asked);
        if (s == nullptr) return error{errc::not_connected};
        auto& session = session_of(*s);
        auto const refused =
            data == nullptr ? session.refuse(s->local, message) : session.refuse(s->local, message, *data);
        connections_.flush_or_break_off(s->connection.index);
        if (!refused) return refused;
        if (!session.ending(s->local)) return forget(socket.index), refused;
        s->state = socket_state::refused; // its acknowledgements have yet to end
        connections_.mark_busy(s->connection.index);
        return refused;
    }

    //=== ends ===//

    // The application disconnects the socket.
    void end_socket(socket_handle socket) {
        forget_kept(socket);
        auto* const s = sockets_.find(socket);
        if (s == nullptr) return;
        s->may_recover = false; // even if its connection is already lost
        if (s->state != socket_state::connected) return;
        with_session(*s, [&](auto& session) { return session.disconnect(s->local), result<void>(); }).ignore();
        connections_.mark_busy(s->connection.index);
    }
    // The application closes the socket's connection.
    void end_connection(socket_handle socket) {
        forget_kept(socket);
        auto* const s = sockets_.find(socket);
        if (s == nullptr || !connections_.contains(s->connection.index)) return;
        connections_[s->connection.index].may_recover = false; // even if it is already lost
        connections_.end(s->connection.index, socketio::disconnect_reason::server_namespace_disconnect);
    }

    //=== ids ===//

    // Clients of revision 4 know themselves by the id of their connection, in other namespaces than "/" by `/nsp#id`.
    // In revision 5 the id of the connection is a secret: no socket has it.
    void give_sid(server_socket& s) const {
        auto const* const connection = connections_.engine().find(s.connection);
        auto const id = connection == nullptr ? std::string_view() : connection->id();
        bool const v4 = session_of(s).revision() == socketio::revision::v4;
        s.short_sid = v4 && !id.empty() ? id_from(id) : sockets_.new_sid(random_, id);
        std::string_view const nsp = namespaces_.name(s.nsp);
        if (!v4 || nsp == "/") return;
        if (!s.details) s.details = std::make_unique<server_socket_details>();
        s.details->long_sid = std::string(nsp) + "#" + std::string(view(s.short_sid));
    }

    //=== recovery ===//

    // The kept session that an asked socket may have again: its id is free, and all that it missed can be queued.
    [[nodiscard]] socketio::recoverable_session const* find_kept(server_socket const& s) {
        if (s.recovery() == nullptr) return nullptr;
        recovery_claim const& claimed = *s.recovery();
        auto const* const kept = recovery_->find(claimed, s.nsp, connections_.now());
        if (kept == nullptr || sockets_.is_taken(kept->sid)) return nullptr;
        constexpr std::size_t size_of_answer = 100; // CONNECT, without the name of the namespace
        auto const* const connection = connections_.engine().find(s.connection);
        if (connection == nullptr) return nullptr;
        std::size_t const size = connection->queued() + namespaces_.name(s.nsp).size() + size_of_answer +
                                 recovery_->size_of_missed(*kept, claimed.offset);
        return size <= options_.engine.max_queued ? kept : nullptr;
    }

    // Prepares a socket before its client is let in: as the session that is kept, or as a new one.
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
        bool const may_recover = s.may_recover && connections_[s.connection.index].may_recover;
        return s.recovery() != nullptr && may_recover && s.state == socket_state::connected &&
               socketio::is_recoverable(reason);
    }

    void persist(std::uint32_t number, socketio::disconnect_reason reason) {
        server_socket const& s = sockets_[number];
        recovery_claim const* const claimed = s.recovery();
        if (claimed == nullptr || !is_kept(s, reason)) return;
        socketio::recoverable_session lost{.pid = {}, .sid = std::string(s.sid()), .nsp = s.nsp, .data = s.data()};
        rooms_.for_each_room(number, [&](std::string_view room) { lost.rooms.emplace_back(room); });
        recovery_->persist(std::move(lost), *claimed, sockets_.handle(number), connections_.now());
        release_unused();
    }

    // The application wants the client out: it may not have its state again.
    void forget_kept(socket_handle socket) {
        if (!recovery_) return;
        recovery_->forget(socket, connections_.now());
        release_unused();
    }
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
