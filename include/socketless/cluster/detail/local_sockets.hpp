// The sockets of this node's own server, to whom messages apply.
#pragma once

#include <socketless/audience.hpp>
#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/payload.hpp>
#include <socketless/cluster/detail/socket_description.hpp>
#include <socketless/cluster/options.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/recovery_elsewhere.hpp>
#include <socketless/detail/server_emitter.hpp>
#include <socketless/detail/shared_packet.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>
#include <socketless/server_options.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/text/utf8.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// It goes past the face of the server: an event that comes encoded is not encoded again.
class local_sockets {
public:
    explicit local_sockets(server& io) noexcept : server_(&io), emitter_(io.core_.get()) {}

    [[nodiscard]] server const& io() const noexcept { return *server_; }
    [[nodiscard]] server_options const& options() const noexcept { return server_->options(); }
    // What the face of the server does not show.
    [[nodiscard]] socketless::detail::server_emitter& emitter() const noexcept { return *emitter_; }

    // An event that no other node wants.
    result<void> emit(std::string_view nsp, std::span<std::string_view const> to,
                      std::span<std::string_view const> except, std::span<socketio::socket_handle const> except_sockets,
                      bool is_volatile, std::string_view name, json::detail::values const& args) {
        auto here = server_->in(nsp);
        for (auto const room : to) here.to(room);
        for (auto const room : except) here.except(room);
        for (auto const socket : except_sockets) here.except(socket);
        auto const emitted =
            is_volatile ? emitter_->broadcast_volatile(here, name, args) : emitter_->broadcast(here, name, args);
        return emitted ? result<void>() : emitted.error();
    }

    void deliver(message const& m) {
        auto const delivered = m.is_volatile ? emitter_->broadcast_volatile(whom(m), event_of(m))
                                             : emitter_->broadcast(whom(m), event_of(m));
        // Its receivers will not say that they have heard of it, or have not got it.
        bool const has_place = delivered && !m.offset.empty();
        if (keeps_elsewhere_ && !has_place && !m.is_volatile) emitter_->spoil(whom(m));
    }
    // The same, and asks for acknowledgements: the server's events have the id that is returned.
    result<std::uint64_t> ask(message const& m, milliseconds timeout) {
        return emitter_->broadcast_with_ack(whom(m), timeout, event_of(m));
    }
    // How many sockets were asked.
    [[nodiscard]] std::size_t acks_due(std::uint64_t id) const noexcept { return emitter_->acks_due(id); }

    // The sockets are looked up once: a message may name thousands of rooms.
    void join(message const& m) {
        whom(m).for_each([&](socketio::socket_handle socket) {
            for (auto const& room : m.others) server_->join(socket, room);
        });
    }
    void leave(message const& m) {
        whom(m).for_each([&](socketio::socket_handle socket) {
            for (auto const& room : m.others) server_->leave(socket, room);
        });
    }
    void disconnect(message const& m) { m.closes ? whom(m).disconnect_connections() : whom(m).disconnect(); }

    // Writes the sockets that `of` is for into `to`, as JSON.
    result<void> describe(message& to, message const& of, node_options const& options,
                          handshakes with = handshakes::whole) {
        return make_value(to, bounds_of_descriptions(server_->options().sockets.limits), [&](json::writer& out) {
            out.begin_array();
            whom(of).for_each([&](socketio::socket_handle s) { write_socket(out, *server_, s, options, with); });
            out.end_array();
        });
    }

    // The id of a socket that is there or may come back; empty for others.
    [[nodiscard]] std::string_view sid_of(socketio::socket_handle socket) const { return emitter_->sid_of(socket); }
    [[nodiscard]] bool has_room(std::string_view nsp, std::string_view room) const {
        return emitter_->has_room(nsp, room);
    }
    [[nodiscard]] bool has_sockets(std::string_view nsp) const { return emitter_->has_sockets(nsp); }
    [[nodiscard]] bool has_socket(std::string_view nsp, std::string_view sid) const {
        return server_->find(nsp, sid).has_value();
    }
    // Whether events may be kept for lost sockets of the namespace.
    [[nodiscard]] bool keeps_sessions(std::string_view nsp) const { return emitter_->keeps_sessions(nsp); }

    //=== sessions that are kept elsewhere ===//

    // Null: no more.
    void keep_elsewhere(socketless::detail::recovery_elsewhere* keeper) {
        keeps_elsewhere_ = keeper != nullptr;
        emitter_->keep_elsewhere(keeper);
    }

    //=== what is there ===//

    // The time of the server, which counts the timeouts of acknowledgements.
    [[nodiscard]] time_point now() const noexcept { return emitter_->now(); }
    void advance(time_point now) noexcept { emitter_->advance(now); }

    // The rooms of a namespace, the ids of sockets among them. Names that are no text could not be told.
    [[nodiscard]] std::vector<std::string> room_names(std::string_view nsp) const {
        auto names = emitter_->room_names(nsp);
        std::erase_if(names, [](std::string const& name) { return !utf8::validate(name); });
        server_->in(nsp).for_each([&](socketio::socket_handle s) { names.emplace_back(server_->sid(s)); });
        return names;
    }
    [[nodiscard]] std::vector<std::string> sids_in(message const& m) const {
        std::vector<std::string> sids;
        whom(m).for_each([&](socketio::socket_handle s) { sids.emplace_back(server_->sid(s)); });
        return sids;
    }

private:
    [[nodiscard]] socketless::audience whom(message const& m) const {
        auto here = server_->in(m.nsp);
        for (auto const& room : m.rooms) here.to(room);
        for (auto const& room : m.except) here.except(room);
        return here;
    }
    [[nodiscard]] static socketless::detail::encoded_event event_of(message const& m) noexcept {
        return {m.text, m.payload_begin, m.attachments, m.offset};
    }

    server* server_;
    socketless::detail::server_emitter* emitter_;
    bool keeps_elsewhere_ = false;
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
