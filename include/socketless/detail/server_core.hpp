// How a socket of a server comes, is let in, and goes.
#pragma once

#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/asked_sockets.hpp>
#include <socketless/detail/namespaces.hpp>
#include <socketless/detail/recovery_elsewhere.hpp>
#include <socketless/detail/server_connections.hpp>
#include <socketless/detail/server_recovery.hpp>
#include <socketless/detail/server_sessions.hpp>
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

class server_core : public server_sessions {
public:
    using server_sessions::server_sessions;

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
        if (ended_) forget_told(*std::exchange(ended_, std::nullopt));
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
            if (own.type == socketio::event_type::connecting)
                tell_auth(told, *s->details);
            else
                told.sid = s->sid();
        }
        told.recovered = own.recovered;
        told.id = own.id;
        told.expected = own.expected;
        told.answers = own.answers;
    }

    // The auth goes with the event: an idle socket keeps none.
    void tell_auth(event& told, server_socket_details& of) noexcept {
        told_auth_ = std::exchange(of.auth, {});
        told.data = told_auth_.empty() ? json::text() : json::text::trusted(told_auth_);
        ended_ = nobody;
    }
    // The application has handled the last event of a socket, or one that came with an auth.
    void forget_told(std::uint32_t number) {
        if (number == nobody)
            std::string().swap(told_auth_);
        else
            forget(number);
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
            if (!is_known(sockets_[number].state)) return forget(number), false;
            core_detail::attempt([&] { persist(number, e.reason); }); // what cannot be kept cannot be recovered
            sockets_[number].state = socket_state::ended;
            ended_ = number;
        }
        return true;
    }

    // Whether the application knows the socket, and has yet to hear of its end.
    [[nodiscard]] static bool is_known(socket_state state) noexcept {
        return state != socket_state::refused && state != socket_state::restoring;
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
        auto const is_asked = begin_restoring(number, e) ? result<bool>(false) : decide(number, e.recovered);
        undo_socket.commit();
        undo.commit();
        if (!is_asked) give_up(number, is_asked.error().code);
        return is_asked.value_or(false);
    }

    // Lets a client in, or finds that the application is asked: true. Finds whether the client will recover, too.
    [[nodiscard]] result<bool> decide(std::uint32_t number, bool& is_recovered) {
        server_socket const& s = sockets_[number];
        is_recovered = find_kept(s) != nullptr;
        auto* const claimed = s.recovery();
        bool const was_let_in = claimed == nullptr || !claimed->restored || claimed->restored->is_of_namespace;
        bool const skips = is_recovered && options_.skip_middlewares && was_let_in;
        bool const is_asked = namespaces_.admission(s.nsp) == admission::ask && !skips;
        if (is_asked && claimed != nullptr) claimed->is_promised = is_recovered;
        if (is_asked) return true;
        auto const accepted = let_in(sockets_.handle(number));
        return accepted ? result<bool>(false) : accepted.error();
    }
    // The client was not let in.
    void give_up(std::uint32_t number, errc code) {
        if (code != errc::message_too_large) return;
        auto const index = sockets_[number].connection.index;
        auto const local = sockets_[number].local;
        forget(number);
        drop(index, local);
    }

    //=== sessions that are kept elsewhere ===//

    // From now on `elsewhere` keeps all sessions, and this server none; if it is null, nobody does. It outlives this,
    // or its next call. Only a server whose options ask for recovery recovers anything. Precondition: there was no
    // connection yet, or `elsewhere` is null.
    void keep_elsewhere(recovery_elsewhere* elsewhere) noexcept {
        if (!options_.recovery) return;
        recovery_.reset();
        elsewhere_ = elsewhere;
        for (std::uint32_t number = 0; number != sockets_.numbers(); ++number) // they wait in vain
            core_detail::attempt([&] { end_restoring(sockets_.handle(number), nullptr); });
    }

    // Whether the client of a new socket waits for its session.
    [[nodiscard]] bool begin_restoring(std::uint32_t number, event const& e) {
        auto const* const claimed = sockets_[number].recovery();
        bool const claims_session = claimed != nullptr && !claimed->pid.empty() && is_offset(claimed->offset);
        return elsewhere_ != nullptr && claims_session && asks_elsewhere(sockets_[number], *claimed, e);
    }
    [[nodiscard]] bool asks_elsewhere(server_socket& s, recovery_claim const& claimed, event const& e) {
        s.details->auth = e.data.raw();
        s.state = socket_state::restoring;
        if (elsewhere_->restore(e.socket, e.nsp, claimed.pid, claimed.offset)) return true;
        s.state = socket_state::asked;
        std::string().swap(s.details->auth);
        return false;
    }

    // The session that a client waits for was found, or was not: the server lets the client in, or asks the
    // application. Does nothing if the client waits no longer. If it throws, the client's connection ends.
    // Precondition: this is no call of `elsewhere`.
    void end_restoring(socket_handle socket, std::unique_ptr<restored_elsewhere> found) {
        if (!is_restoring(socket)) return;
        server_socket& s = *sockets_.find(socket);
        auto* const claimed = s.recovery();
        if (claimed == nullptr) return; // never: it has claimed a session
        core_detail::rollback undo([&, index = s.connection.index]() noexcept {
            s.state = socket_state::restoring; // the application does not hear of it
            connections_.break_off(index);
        });
        reserve_own_events();
        claimed->restored = std::move(found);
        s.state = socket_state::asked;
        bool is_recovered = false;
        auto const is_asked = decide(socket.index, is_recovered);
        if (!is_asked && is_asked.error().code != errc::message_too_large) return; // it could not be let in
        undo.commit();
        if (is_asked && *is_asked) {
            if (!is_recovered) claimed->restored.reset();
            own_events_.push({socketio::event_type::connecting, socket, is_recovered});
        } else if (is_asked) {
            std::string().swap(s.details->auth);
        }
        if (!is_asked) give_up(socket.index, errc::message_too_large);
    }

    // The socket of a client that asks to join. If it throws, a namespace that was made for the client goes too.
    [[nodiscard]] std::uint32_t make_socket(std::uint32_t index, socket_handle local, std::uint32_t nsp,
                                            json::text auth) {
        core_detail::rollback undo([&]() noexcept { release_if_unused(nsp); });
        std::unique_ptr<server_socket_details> details;
        if (can_recover() && connections_[index].session.revision() == socketio::revision::v5)
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
        auto* const claimed = s.recovery();
        auto const restored =
            kept != nullptr && claimed != nullptr ? std::optional(restore(*claimed, *kept)) : std::nullopt;
        // Data that was set for the new connection stays. There are details: the claim is one.
        if (restored && !s.details->data) s.details->data = restored->session.data;
        s.state = socket_state::connected;
        own_events_.push({socketio::event_type::connected, sockets_.handle(number), restored.has_value()});
        connections_.flush_or_break_off(s.connection.index);
        if (restored && !core_detail::attempt([&] { send_missed(number, *restored); }))
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
    void catch_up(server_socket& s, std::uint32_t number, early_acts const& early) {
        for (std::string const& room : early.rooms)
            if (room != s.sid() && rooms_.rooms_of(number) < options_.max_rooms) rooms_.join(number, room);
        for (early_packet const& p : early.packets) {
            auto const offset = recovery_ && !p.asks ? std::optional(recovery_->next_offset()) : std::nullopt;
            packet_.assign(p.text, p.attachments, offset);
            if (elsewhere_ != nullptr && !p.asks) s.may_recover = false; // it would be missed, or mislead
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
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
