// cluster::emitter: emits to the sockets of all servers through Redis, without being a server.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

namespace detail {
struct message;
} // namespace detail

/// What is to be published on Redis: `PUBLISH channel message`.
struct publication {
    /// The channel.
    std::string channel;
    /// The message: bytes.
    std::string message;

    /// The command, as redisCommandArgv of hiredis takes it. Borrowed.
    [[nodiscard]] std::array<std::string_view, 3> words() const noexcept { return {"PUBLISH", channel, message}; }
};

/// Makes what reaches the sockets of all servers on a Redis, C++ and Node, from a program that is none: a cron job, a
/// worker, a shell. Each call makes one publication. Pure functions: the caller sends it.
///
///     cluster::emitter const io;                                        // "/" and the prefix "socket.io"
///     if (auto const p = io.to("lobby").except("muted").emit("news", 1, "two")) send(p->words());
///
/// `to` and `except` give an emitter that has one more room. Servers use `@socket.io/redis-adapter` 8 or a redis_node
/// with the same prefix. Byte for byte what `@socket.io/redis-emitter` 5.1.0 publishes, but for numbers
/// that are integers beyond 64 bits, which that writes as others.
class emitter {
public:
    /// For a namespace of the servers whose adapters have this prefix (there the option `key`).
    /// A namespace without a leading '/' gets one, as by `of` of the reference.
    explicit emitter(std::string nsp = "/", std::string prefix = "socket.io");

    /// Adds the sockets of a room, or leaves out those of a room. The id of a socket is a room that it is in.
    [[nodiscard]] emitter to(std::string_view room) const {
        emitter more(*this);
        return add(more.to_, room), more;
    }
    [[nodiscard]] emitter except(std::string_view room) const {
        emitter more(*this);
        return add(more.except_, room), more;
    }

    /// An event for all these sockets. Errors: errc::reserved_event_name, errc::invalid_namespace, errc::invalid_utf8,
    /// errc::out_of_range (longer than 2^32-1), those of a write_json.
    template <class... Args, socketio::event_name_for<Args...> Name>
    [[nodiscard]] result<publication> emit(Name const& name, Args const&... args) const {
        return broadcast(false, socketio::detail::name_of(name),
                         json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// The same for those whose transport can take it at once.
    template <class... Args, socketio::event_name_for<Args...> Name>
    [[nodiscard]] result<publication> emit_volatile(Name const& name, Args const&... args) const {
        return broadcast(true, socketio::detail::name_of(name),
                         json::detail::values_of(json::detail::passed_on(args)...));
    }
    /// Puts all these sockets into rooms, or takes them out. Errors: as above.
    [[nodiscard]] result<publication> join(std::vector<std::string> const& rooms) const;
    [[nodiscard]] result<publication> leave(std::vector<std::string> const& rooms) const;
    /// Disconnects them from the namespace, or all sockets of their connections. Errors: as above.
    [[nodiscard]] result<publication> disconnect() const;
    [[nodiscard]] result<publication> disconnect_connections() const;
    /// An event for the applications of all servers; rooms do not count. Errors: as above; errc::unexpected_binary. The
    /// names that a Namespace of Node has reserved are connect, connection and new_namespace.
    template <class... Args, socketio::event_name_for<Args...> Name>
    [[nodiscard]] result<publication> server_side_emit(Name const& name, Args const&... args) const {
        return emit_to_servers(socketio::detail::name_of(name),
                               json::detail::values_of(json::detail::passed_on(args)...));
    }

private:
    // Each room once, as in the Set that the reference has.
    static void add(std::vector<std::string>& rooms, std::string_view room);
    result<publication> broadcast(bool is_volatile, std::string_view name, json::detail::values const& args) const;
    result<publication> emit_to_servers(std::string_view name, json::detail::values const& args) const;
    result<publication> request(detail::message& m) const;

    std::string nsp_;
    std::string prefix_;
    std::vector<std::string> to_;
    std::vector<std::string> except_;
};

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#include <socketless/impl/cluster_emitter.hpp>
#endif
