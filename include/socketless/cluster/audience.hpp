// cluster::audience: whom a broadcast is for on all nodes, and the broadcast.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

class node;

namespace detail {
class node_core;
} // namespace detail

/// Sockets of a namespace on all nodes: all of them, or those in the rooms added by `to`, but for those left out by
/// `except`. It is used as `socketless::audience` is, whose sockets are those of one server:
///
///     node.in("/").to("lobby").except(sender).emit("news", 1, "two");
///
/// The sockets of this node get an event at once, the others when the bus has brought it. The id of a socket is a room
/// that it is in by itself, on whatever node it is. Names are borrowed until the audience is gone.
class audience {
public:
    //=== who ===//

    /// Adds the sockets of a room, or leaves out those of a room or a single socket of this node. A temporary comes
    /// back by value, so that you can keep the audience of a whole expression.
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

    //=== what ===//

    /// Emits an event to all: to this node's sockets now, and to the others by the bus. Errors: those of
    /// `socketless::audience::emit`, and errc::message_too_large for what no message of the bus can hold; then nobody
    /// gets it. What the bus cannot take is dropped and told: event_type::dropped.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<void> emit(Name const& name, Args const&... args) const {
        return broadcast(false, socketio::detail::name_of(name),
                         json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// Emits it to those whose transport can take it at once. Errors: as above.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<void> emit_volatile(Name const& name, Args const&... args) const {
        return broadcast(true, socketio::detail::name_of(name),
                         json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// Emits it and asks each for an acknowledgement: event_type::ack of the node for each, then event_type::complete,
    /// with the id that is returned. Errors: as above; errc::too_many_requests.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<std::uint64_t> emit_with_ack(std::optional<milliseconds> timeout, Name const& name,
                                        Args const&... args) const {
        return broadcast_with_ack(timeout, socketio::detail::name_of(name),
                                  json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// emit("message", ...), as in Socket.IO.
    template <class... Args>
    result<void> send(Args const&... args) const {
        return emit(std::string_view("message"), json::detail::passed_on(args)...);
    }

    /// Puts all into a room, takes all out of it. Errors: errc::invalid_utf8, errc::message_too_large: then nothing
    /// changes, on this node neither.
    result<void> join(std::string_view room) const;
    result<void> leave(std::string_view room) const;
    /// Disconnects all: "server namespace disconnect". Errors: as above.
    result<void> disconnect() const;
    /// Disconnects all sockets of their connections, in whatever namespace, and closes those. Errors: as above.
    result<void> disconnect_connections() const;

    /// Asks every node for its sockets of the audience: event_type::sockets of the node for each, then
    /// event_type::complete, with the id that is returned. A node whose answer would be longer than `max_message`
    /// leaves out the handshakes; one whose answer is too long then does not answer, nor one whose `write_data` or
    /// `write_handshake` fails. Errors: as above; errc::too_many_requests.
    result<std::uint64_t> fetch_sockets(std::optional<milliseconds> timeout = std::nullopt) const;

private:
    friend class node;
    friend class detail::node_core;

    audience(detail::node_core& core, std::string_view nsp) noexcept : core_(&core), nsp_(nsp) {}

    // The templates above, without the types of their values.
    result<void> broadcast(bool is_volatile, std::string_view name, json::detail::values const& args) const;
    result<std::uint64_t> broadcast_with_ack(std::optional<milliseconds> timeout, std::string_view name,
                                             json::detail::values const& args) const;

    detail::node_core* core_;
    std::string_view nsp_;
    std::vector<std::string_view> to_;
    std::vector<std::string_view> except_;
    std::vector<socketio::socket_handle> except_sockets_;
};

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>
