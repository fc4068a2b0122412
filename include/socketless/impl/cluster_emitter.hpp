// The functions of cluster::emitter, part of cluster/emitter.hpp. With SOCKETLESS_SEPARATE_COMPILATION only source.hpp
// includes them.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/cluster/detail/redis_formats.hpp>
#include <socketless/cluster/emitter.hpp> // NOLINT(misc-header-include-cycle): it ends with this file
#include <socketless/core/detail/separate.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/message_queue.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster {

namespace detail {

// What a Namespace of the reference keeps for itself: such an event would pass for its own.
[[nodiscard]] inline bool is_reserved_for_servers(std::string_view name) noexcept {
    return name == "connect" || name == "connection" || name == "new_namespace";
}

[[nodiscard]] inline message message_of(message_type type) {
    message m;
    m.type = type;
    return m;
}

// A publication whose message `write(std::string&)` writes.
template <class Write>
[[nodiscard]] result<publication> publication_of(std::string channel, Write write) {
    publication p{std::move(channel), {}};
    if (auto const written = write(p.message); !written) return written.error();
    return p;
}

} // namespace detail

SOCKETLESS_INLINE emitter::emitter(std::string nsp, std::string prefix)
    : nsp_(std::move(nsp)), prefix_(std::move(prefix)) {
    if (!nsp_.starts_with('/')) nsp_.insert(nsp_.begin(), '/');
}

SOCKETLESS_INLINE void emitter::add(std::vector<std::string>& rooms, std::string_view room) {
    detail::add_room(rooms, room);
}

SOCKETLESS_INLINE result<publication> emitter::broadcast(bool is_volatile, std::string_view name,
                                                         json::detail::values const& args) const {
    if (socketio::detail::is_reserved(name)) return error{errc::reserved_event_name};
    if (auto const good = socketio::detail::check_namespace(nsp_); !good) return good.error();
    auto const write = [&](msgpack::writer& out) {
        out.begin_array().string(detail::emitter_uid);
        out.begin_object().member("type", static_cast<int>(socketio::packet_type::event)).key("data");
        out.begin_array().string(name);
        out.by_json_writer([&args](json::writer& w) { w.value(args); });
        out.end_array().member("nsp", nsp_).end_object();
        out.begin_object();
        detail::write_names(out, "rooms", to_);
        out.key("flags").begin_object();
        if (is_volatile) out.member("volatile", true);
        out.end_object();
        detail::write_names(out, "except", except_);
        out.end_object().end_array();
    };
    return detail::publication_of(detail::broadcast_channel(prefix_, nsp_, to_),
                                  [&write](std::string& bytes) { return detail::write_msgpack_with(bytes, write); });
}

SOCKETLESS_INLINE result<publication> emitter::request(detail::message& m) const {
    if (auto const good = socketio::detail::check_namespace(nsp_); !good) return good.error();
    m.rooms = to_;
    m.except = except_;
    return detail::publication_of(detail::channel_of(prefix_, detail::of_requests, nsp_),
                                  [&m](std::string& bytes) { return detail::encode_redis_request(bytes, m); });
}

SOCKETLESS_INLINE result<publication> emitter::join(std::vector<std::string> const& rooms) const {
    auto m = detail::message_of(detail::message_type::sockets_join);
    m.others = rooms;
    return request(m);
}
SOCKETLESS_INLINE result<publication> emitter::leave(std::vector<std::string> const& rooms) const {
    auto m = detail::message_of(detail::message_type::sockets_leave);
    m.others = rooms;
    return request(m);
}
SOCKETLESS_INLINE result<publication> emitter::disconnect() const {
    auto m = detail::message_of(detail::message_type::disconnect_sockets);
    return request(m);
}
SOCKETLESS_INLINE result<publication> emitter::disconnect_connections() const {
    auto m = detail::message_of(detail::message_type::disconnect_sockets);
    m.closes = true;
    return request(m);
}

SOCKETLESS_INLINE result<publication> emitter::emit_to_servers(std::string_view name,
                                                               json::detail::values const& args) const {
    if (detail::is_reserved_for_servers(name)) return error{errc::reserved_event_name};
    auto m = detail::message_of(detail::message_type::server_side_emit);
    m.uid = detail::emitter_uid;
    auto const made = detail::write_json_with(m.text, socketio::detail::array_of(name, args));
    if (!made) return made.error();
    return request(m);
}

} // namespace socketless::inline v0::cluster

#include <socketless/core/detail/epilogue.hpp>
