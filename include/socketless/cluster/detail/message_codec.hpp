// Messages in MessagePack as the maps that socket.io-adapter 2.5 makes of them, and the Redis Streams adapter
// publishes: what a bus of the caller's own carries.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/detail/payload.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/msgpack/kind.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/value.hpp>
#include <socketless/msgpack/writer.hpp>
#include <socketless/socketio/packet.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

//=== writing ===//

// What a message says: a map. As JSON only if it has no attachments.
template <class Writer>
void write_data(Writer& out, message const& m) {
    using enum message_type;
    out.begin_object();
    if (m.type == broadcast) begin_packet(out.key("packet"), m).end_object();
    bool const id_first = m.type != fetch_sockets;
    if (id_first && !m.request_id.empty()) out.member("requestId", m.request_id);
    switch (m.type) {
    case broadcast:
    case disconnect_sockets:
    case fetch_sockets: write_options(out.key("opts"), m); break;
    case sockets_join:
    case sockets_leave:
        write_options(out.key("opts"), m);
        write_names(out, "rooms", m.others);
        break;
    case fetch_sockets_response: out.member("sockets", m.value()); break;
    case server_side_emit: out.member("packet", m.value()); break;
    case server_side_emit_response:
    case broadcast_ack:
        if (!m.text.empty()) out.member("packet", m.value());
        break;
    case broadcast_client_count: out.member("clientCount", m.count); break;
    default: break;
    }
    if (!id_first && !m.request_id.empty()) out.member("requestId", m.request_id);
    if (m.type == disconnect_sockets) out.member("close", m.closes);
    out.end_object();
}

// Appends a message. Errors: those of msgpack::write_with.
inline result<void> encode(std::string& to, message const& m) {
    return write_msgpack_with(to, [&](msgpack::writer& out) {
        using enum message_type;
        bool const has_data = m.type != initial_heartbeat && m.type != heartbeat && m.type != adapter_close;
        out.begin_object().member("type", static_cast<std::uint8_t>(m.type));
        if (has_data) {
            out.key("data");
            write_data(out, m);
        }
        out.member("uid", m.uid).member("nsp", m.nsp).end_object();
    });
}

//=== reading ===//

// Nothing, or JavaScript's undefined, leaves the text empty.
template <class Value>
[[nodiscard]] bool read_value(std::optional<Value> const& value, message& m, limits const& bounds) {
    if (!value || is_undefined(*value)) return true;
    return make_value(m, bounds, as_json(*value, bounds)).has_value();
}

// The first element is the name, a string.
[[nodiscard]] inline bool is_server_side_event(json::text array) {
    auto const elements = array.elements();
    return elements.begin() != elements.end() && (*elements.begin()).is(json::kind::string);
}

// An array of objects with ids and arrays of rooms.
[[nodiscard]] inline bool are_sockets(json::text array) {
    auto const is_socket = [](json::text socket) {
        auto const id = socket.find("id");
        auto const rooms = socket.find("rooms");
        return id && id->is(json::kind::string) && rooms && rooms->is(json::kind::array);
    };
    return array.is(json::kind::array) && std::ranges::all_of(array.elements(), is_socket);
}

[[nodiscard]] constexpr bool has_options(message_type type) noexcept {
    using enum message_type;
    return type == broadcast || type == sockets_join || type == sockets_leave || type == disconnect_sockets ||
           type == fetch_sockets;
}

template <class Value>
[[nodiscard]] bool read_data(Value const& data, message& m, limits const& bounds, std::size_t max_rooms) {
    using enum message_type;
    m.request_id = text_of(data, "requestId");
    if (m.request_id.size() > max_id_size) return false;
    if (has_options(m.type))
        if (auto const options = data.find("opts"); options && !read_options(*options, m, max_rooms)) return false;
    auto const packet = data.find("packet");
    switch (m.type) {
    case broadcast: {
        auto const event = packet ? event_data(*packet) : error{errc::invalid_payload};
        return event && make_packet(m, bounds, as_json(*event, bounds));
    }
    case sockets_join:
    case sockets_leave: {
        auto const rooms = data.find("rooms");
        return rooms && read_names(*rooms, m.others, max_rooms);
    }
    case disconnect_sockets: m.closes = is_true(data, "close"); return true;
    case fetch_sockets: return !m.request_id.empty();
    case fetch_sockets_response: {
        auto const sockets = data.find("sockets");
        return sockets && read_value(sockets, m, bounds_of_descriptions(bounds)) && are_sockets(m.payload());
    }
    case server_side_emit: return packet && read_value(packet, m, bounds) && is_server_side_event(m.payload());
    case server_side_emit_response:
    case broadcast_ack: return read_value(packet, m, bounds);
    case broadcast_client_count: return read_client_count(data, m);
    default: return true;
    }
}

// Reads a message. Its attachments are borrowed from the bytes. False if it is none, or breaks a limit.
[[nodiscard]] inline bool decode(std::string_view bytes, message& m, limits const& bounds, std::size_t max_rooms) {
    m.clear();
    if (!msgpack::validate(bytes, max_depth_of_message(bounds))) return false;
    auto const whole = msgpack::value::trusted(bytes);
    auto const number = member<std::uint8_t>(whole, "type");
    constexpr auto last = static_cast<std::uint8_t>(message_type::adapter_close);
    if (!number || *number == 0 || *number > last) return false;
    m.type = static_cast<message_type>(*number);
    m.uid = text_of(whole, "uid");
    m.nsp = text_of(whole, "nsp");
    if (m.uid.empty() || m.uid.size() > max_id_size || m.nsp.empty()) return false;
    return read_data(whole.find("data").value_or(msgpack::value()), m, bounds, max_rooms);
}

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
