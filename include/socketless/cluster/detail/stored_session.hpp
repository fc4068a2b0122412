// A session as it is kept in Redis: MessagePack of { sid, pid, rooms, data } as base64, as
// @socket.io/redis-streams-adapter 0.3.1 keeps it. C++ servers add { nsp, since }, which it ignores.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/payload.hpp>
#include <socketless/cluster/detail/socket_description.hpp>
#include <socketless/cluster/options.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/kind.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/writer.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/recovery.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/text/base64.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

// What was kept.
struct stored_session {
    socketio::recoverable_session session;
    std::string nsp;   // empty if that is not known: servers of Node do not say
    std::string since; // the client has no event of the session up to this offset; empty if that is not known
};

// Appends the session of a socket that is about to be forgotten.
inline result<void> encode_session(std::string& to, server const& io, socketio::socket_handle socket,
                                   std::string_view pid, std::string_view since, node_options const& options) {
    message m;
    auto const written = make_value(m, bounds_of_descriptions(io.options().sockets.limits), [&](json::writer& out) {
        out.begin_object().member("sid", io.sid(socket)).member("pid", pid);
        write_rooms(out, io, socket);
        write_data(out, socket, options);
        out.member("nsp", io.nsp(socket)).member("since", since).end_object();
    });
    if (!written) return written;
    return write_base64_of_msgpack_with(to, [&m](msgpack::writer& out) { out.value(m.value()); });
}

// Reads a session. Nothing if it is none, breaks a limit, or is that of another pid.
[[nodiscard]] inline std::optional<stored_session> decode_session(std::string_view value, std::string_view pid,
                                                                  limits const& bounds, node_options const& options) {
    std::string bytes(base64::max_decoded_size(value.size()), '\0');
    auto const size = base64::decode(value, bytes);
    if (!size) return std::nullopt;
    bytes.resize(*size);
    auto const whole = msgpack::validate(bytes, max_depth_of_message(bounds));
    if (!whole || !whole->is(msgpack::kind::map) || text_of(*whole, "pid") != pid) return std::nullopt;
    stored_session found{.session = {.pid = std::string(pid), .sid = text_of(*whole, "sid")},
                         .nsp = text_of(*whole, "nsp"),
                         .since = text_of(*whole, "since")};
    auto& session = found.session;
    auto const rooms = whole->find("rooms");
    bool const is_good =
        session.sid.size() == random_id{}.size() && rooms && read_names(*rooms, session.rooms, options.max_rooms);
    if (!is_good) return std::nullopt;
    std::ranges::sort(session.rooms); // each event that the client has missed may name thousands of rooms
    auto const data = whole->find("data");
    if (!data || !options.read_data) return found;
    message m;
    if (!make_value(m, bounds_of_descriptions(bounds), as_json(*data, bounds_of_descriptions(bounds))))
        return std::nullopt;
    session.data = options.read_data(m.value());
    return found;
}

// Whether a broadcast is for a socket that is in these rooms, of which its id is one. Precondition: they are sorted.
[[nodiscard]] inline bool is_for(message const& m, std::vector<std::string> const& rooms) {
    auto const is_among = [&rooms](std::string const& name) { return std::ranges::binary_search(rooms, name); };
    return (m.rooms.empty() || std::ranges::any_of(m.rooms, is_among)) && std::ranges::none_of(m.except, is_among);
}

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
