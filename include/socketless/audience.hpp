// socketless::audience: whom a broadcast is for, and the broadcast.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

class server;
namespace detail {
class server_emitter;
} // namespace detail

/// Sockets of one namespace: all of them, or those in some rooms, less those in others and less single ones. Made by
/// `server::in`; each call says more, the last one acts:
///
///     server.in("/chat").to("room 1").to("room 2").except("muted").except(sender).emit("news", text).ignore();
///
/// A socket that is in several of the rooms belongs to the audience once. The id of a socket is a room that it is in by
/// itself. Names are borrowed until the audience is gone; each use looks up who is in it. You may keep it:
///
///     auto const others = server.to("lobby").except(sender);
///
class audience {
public:
    //=== who ===//

    /// Adds the sockets of a room, or leaves out those of a room or a single socket. A temporary comes back by value,
    /// so that you can keep the audience of a whole expression.
    audience& to(std::string_view room) & {
        to_.push_back(room);
        return *this;
    }
    audience& except(std::string_view room) & {
        except_.push_back(room);
        return *this;
    }
    audience& except(socketio::socket_handle socket) & {
        except_sockets_.push_back(socket);
        return *this;
    }
    [[nodiscard]] audience to(std::string_view room) && { return std::move(to(room)); }
    [[nodiscard]] audience except(std::string_view room) && { return std::move(except(room)); }
    [[nodiscard]] audience except(socketio::socket_handle socket) && { return std::move(except(socket)); }

    /// How many sockets it has. Linear.
    [[nodiscard]] std::size_t size() const;
    /// Calls f(socket_handle) for each socket in it now. `f` may do anything. If it throws, no other call follows.
    template <class F>
    void for_each(F f) const {
        for (socketio::socket_handle const socket : sockets()) f(socket);
    }

    //=== what ===//

    /// Emits an event to all: encoded once, its bytes shared by all receivers. Returns how many those are. Errors:
    /// errc::reserved_event_name, errc::invalid_utf8, errc::too_many_attachments, errc::attachments_too_large,
    /// errc::depth_exceeded, errc::message_too_large: see `server::emit`. The server disconnects a receiver that does
    /// not read, for which more than `max_queued` bytes would wait; the others get the event.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<std::size_t> emit(Name const& name, Args const&... args) const {
        return broadcast(socketio::detail::name_of(name), json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// Emits it to those whose transport can take it at once. Errors: as above.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<std::size_t> emit_volatile(Name const& name, Args const&... args) const {
        return broadcast_volatile(socketio::detail::name_of(name),
                                  json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// Emits it and asks all for an acknowledgement: one event_type::ack for each, then one event_type::acks_complete,
    /// all with the id that is returned. Errors: as above. If it throws, nobody was asked.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<std::uint64_t> emit_with_ack(std::optional<milliseconds> timeout, Name const& name,
                                        Args const&... args) const {
        return broadcast_with_ack(timeout, socketio::detail::name_of(name),
                                  json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// emit("message", ...), as in Socket.IO.
    template <class... Args>
    result<std::size_t> send(Args const&... args) const {
        return emit(std::string_view("message"), json::detail::passed_on(args)...);
    }

    /// Puts all into a room, takes all out of it. `room` may be a view that the server has given, as by `rooms_of`.
    /// If memory runs out, only some have joined or left: call it again.
    void join(std::string_view room) const;
    void leave(std::string_view room) const;
    /// Disconnects all: "server namespace disconnect".
    void disconnect() const;
    /// Disconnects all sockets of their connections, in whatever namespace, and closes those: disconnectSockets(true)
    /// of Socket.IO.
    void disconnect_connections() const;

private:
    friend class server;
    friend class detail::server_emitter;

    audience(detail::server_emitter& server, std::string_view nsp) noexcept : server_(&server), nsp_(nsp) {}

    // The templates above, without the types of their values.
    result<std::size_t> broadcast(std::string_view name, json::detail::values const& args) const;
    result<std::size_t> broadcast_volatile(std::string_view name, json::detail::values const& args) const;
    result<std::uint64_t> broadcast_with_ack(std::optional<milliseconds> timeout, std::string_view name,
                                             json::detail::values const& args) const;
    // A copy: whoever is called for each may change who they are.
    [[nodiscard]] std::vector<socketio::socket_handle> sockets() const;

    detail::server_emitter* server_;
    std::string_view nsp_;
    std::vector<std::string_view> to_;
    std::vector<std::string_view> except_;
    std::vector<socketio::socket_handle> except_sockets_;
};

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
