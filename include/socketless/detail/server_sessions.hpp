// Which sockets have their state again: sessions that the server keeps itself, or that are kept elsewhere.
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

class server_sessions : public server_parts {
public:
    using server_parts::server_parts;

    //=== sessions that are kept ===//

    // The kept session that an asked socket may have again: its id is free, and all that it missed can be queued.
    [[nodiscard]] socketio::recoverable_session const* find_kept(server_socket const& s) {
        if (s.recovery() == nullptr) return nullptr;
        recovery_claim const& claimed = *s.recovery();
        auto const* kept = claimed.restored ? &claimed.restored->session : nullptr;
        if (kept != nullptr && !is_random_id(kept->sid)) return nullptr;
        if (kept == nullptr && recovery_) kept = recovery_->find(claimed, s.nsp, connections_.now());
        if (kept == nullptr || sockets_.is_taken(kept->sid)) return nullptr;
        constexpr std::size_t size_of_answer = 100; // CONNECT, without the name of the namespace
        auto const* const connection = connections_.engine().find(s.connection);
        if (connection == nullptr) return nullptr;
        std::size_t const size =
            connection->queued() + namespaces_.name(s.nsp).size() + size_of_answer + size_of_missed(claimed, *kept);
        return size <= options_.engine.max_queued ? kept : nullptr;
    }
    [[nodiscard]] std::size_t size_of_missed(recovery_claim const& claimed,
                                             socketio::recoverable_session const& kept) const {
        if (!claimed.restored) return recovery_->size_of_missed(kept, claimed.offset);
        std::size_t size = 0;
        for (missed_packet const& missed : claimed.restored->missed) size += 1 + missed.size(); // and its type
        return size;
    }

    // Prepares a socket before its client is let in: as the session that is kept, or as a new one.
    void prepare_as(server_socket& s, std::uint32_t number, socketio::recoverable_session const& kept) {
        s.short_sid = id_from(kept.sid);
        for (std::string const& room : kept.rooms) // those that were kept elsewhere include the id
            if (room != kept.sid && rooms_.rooms_of(number) < options_.max_rooms) rooms_.join(number, room);
    }
    void prepare_afresh(server_socket& s) const {
        if (auto* const claimed = s.recovery()) begin(*s.details, *claimed);
        give_sid(s);
    }
    void begin(server_socket_details& of, recovery_claim& claimed) const {
        if (recovery_)
            recovery_->begin(claimed, random_);
        else if (elsewhere_ != nullptr)
            claimed = {.pid = std::string(view(make_random_id(random_))), .offset = elsewhere_->position()};
        else
            of.recovery.reset(); // whoever kept sessions has gone
    }

    // Whether the state of a connected socket is kept when it ends for this reason.
    [[nodiscard]] bool is_kept(server_socket const& s, socketio::disconnect_reason reason) const noexcept {
        bool const may_recover = s.may_recover && connections_[s.connection.index].may_recover;
        return s.recovery() != nullptr && may_recover && s.state == socket_state::connected &&
               socketio::is_recoverable(reason);
    }

    void persist(std::uint32_t number, socketio::disconnect_reason reason) {
        server_socket const& s = sockets_[number];
        recovery_claim* const claimed = s.recovery();
        if (claimed == nullptr || !is_kept(s, reason)) return;
        if (!recovery_) return persist_elsewhere(number, *claimed);
        socketio::recoverable_session lost{.pid = {}, .sid = std::string(s.sid()), .nsp = s.nsp, .data = s.data()};
        rooms_.for_each_room(number, [&](std::string_view room) { lost.rooms.emplace_back(room); });
        recovery_->persist(std::move(lost), *claimed, sockets_.handle(number), connections_.now());
        release_unused();
    }

    void persist_elsewhere(std::uint32_t number, recovery_claim& claimed) {
        if (elsewhere_ == nullptr) return;
        std::string_view const nsp = namespaces_.name(sockets_[number].nsp);
        claimed.is_kept_elsewhere = true; // whatever the application does while its data is written
        elsewhere_->persist(sockets_.handle(number), nsp, claimed.pid, claimed.offset);
    }

    // The application wants the client out: it may not have its state again.
    void forget_kept(socket_handle socket) {
        auto const* const s = sockets_.find(socket);
        auto const* const claimed = s == nullptr ? nullptr : s->recovery();
        if (elsewhere_ != nullptr && claimed != nullptr && claimed->is_kept_elsewhere)
            elsewhere_->forget_session(claimed->pid);
        if (!recovery_) return;
        recovery_->forget(socket, connections_.now());
        release_unused();
    }

    // Takes out the session that find_kept has given.
    [[nodiscard]] restored_state restore(recovery_claim& claimed, socketio::recoverable_session const& kept) noexcept {
        if (!claimed.restored) return recovery_->restore(claimed, kept);
        auto const taken = std::move(claimed.restored);
        return {.session = std::move(taken->session), .missed = std::move(taken->missed)};
    }

    void send_missed(std::uint32_t number, restored_state const& restored) {
        for (missed_packet const& missed : restored.missed) {
            packet_.assign(missed.text, missed.attachments, std::nullopt);
            send_packet(number).ignore();
        }
        if (!recovery_) return;
        auto const connection = sockets_[number].connection;
        auto const send = [&](auto const& missed) { connections_.hand_down(connection, missed).ignore(); };
        recovery_->for_each_missed(restored.session, restored.offset, send);
    }

    //=== sessions that are kept elsewhere ===//

    // Whether the client still waits.
    [[nodiscard]] bool is_restoring(socket_handle socket) const noexcept {
        auto const* const s = sockets_.find(socket, socket_state::restoring);
        if (s == nullptr || session_of(*s).nsp(s->local).empty()) return false;
        auto const* const below = connections_.engine().find(s->connection);
        return below != nullptr && below->is_open();
    }
    // Whether a client that has its session again waits for the application's answer.
    [[nodiscard]] bool awaits_answer(socket_handle socket) const noexcept {
        auto const* const claimed = claim_of_asked(socket);
        return claimed != nullptr && claimed->restored != nullptr;
    }
    // Whether such a client was let in. It may be lost by now.
    [[nodiscard]] bool was_let_in(socket_handle socket) const noexcept {
        auto const* const s = sockets_.find(socket);
        bool const has_joined =
            s != nullptr && (s->state == socket_state::connected || s->state == socket_state::ended);
        auto const* const claimed = has_joined ? s->recovery() : nullptr;
        return claimed != nullptr && !claimed->restored;
    }
    // One more event that it misses meanwhile.
    void add_missed(socket_handle socket, missed_packet packet) {
        auto* const claimed = claim_of_asked(socket);
        if (claimed != nullptr && claimed->restored) claimed->restored->missed.push_back(std::move(packet));
    }
    // It misses too much: it cannot have its session again.
    void forget_restored(socket_handle socket) noexcept {
        if (auto* const claimed = claim_of_asked(socket)) claimed->restored.reset();
    }

    //=== namespaces ===//

    // Frees the number of a namespace that no socket is in and no lost socket can come back to.
    void release_if_unused(std::uint32_t nsp) {
        if (!namespaces_.is_idle(nsp) || (recovery_ && !recovery_->release(nsp))) return;
        namespaces_.release(nsp);
    }
    void release_unused() {
        while (auto const nsp = recovery_->take_unreferenced()) release_if_unused(*nsp);
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

private:
    [[nodiscard]] recovery_claim* claim_of_asked(socket_handle socket) const noexcept {
        auto const* const s = find_asked(socket);
        return s == nullptr ? nullptr : s->recovery();
    }
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
