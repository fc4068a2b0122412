// Packets and request targets, decoded and encoded again: the bytes must be the same.
#pragma once

#include "tools/rewrite.hpp"

#include <socketless/socketless.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace demo {

using namespace socketless;

// A packet's data, read value by value and written anew: binary values become attachments again.
struct rewritten {
    socketio::argument data;

    friend void write_json(json::writer& out, rewritten const& r) {
        support::rewrite(out, r.data.json(), [&](json::writer& w, json::text value) {
            auto const bytes = r.data.binary(value);
            if (bytes) w.binary(*bytes);
            return bytes.has_value();
        });
    }
};

// The text of a Socket.IO packet; its attachments go to `attachments`.
inline result<std::size_t> encode_again(std::string& text, attachment_list& attachments, socketio::message const& m) {
    using enum socketio::packet_type;
    socketio::packet const& p = m.packet;
    rewritten const data{{p.data, m.attachments}};
    switch (p.type) {
    case connect: {
        auto const nsp = std::string(p.nsp) + (p.query ? '?' + std::string(*p.query) : "");
        return p.data.empty() ? socketio::encode_connect(text, nsp) : socketio::encode_connect(text, nsp, data);
    }
    case disconnect: return socketio::encode_disconnect(text, p.nsp);
    case connect_error:
        return p.data.empty() ? socketio::encode(text, p) : socketio::encode_connect_error(text, p.nsp, data);
    case event:
    case binary_event: return socketio::encode_array(text, attachments, event, {p.nsp, p.id}, data);
    case ack:
    case binary_ack: return socketio::encode_array(text, attachments, ack, {p.nsp, p.id}, data);
    }
    return errc::unknown_packet_type;
}

// The message that the MessagePack parser makes of a packet that it has decoded.
inline std::optional<std::string> encode_as_msgpack(socketio::message const& m, socketio::sender from) {
    rewritten const data{{m.packet.data, m.attachments}};
    auto const write = [&data](json::writer& out) { out.value(data); };
    socketio::outgoing_packet::write_function const payload(write);
    socketio::outgoing_packet const p{.type = socketio::detail::without_attachments(m.packet.type),
                                      .nsp = m.packet.nsp,
                                      .id = m.packet.id,
                                      .sender = from,
                                      .payload = m.packet.data.empty() ? nullptr : &payload};
    std::string message;
    if (!socketio::msgpack_parser.encode(p, message, limits())) return std::nullopt;
    return message;
}

// The target of a request, from its parts; nothing for a target that is not of Engine.IO.
inline std::optional<std::string> write_again(engineio::request_target const& target) {
    if (!target.query.find("EIO") || !target.transport) return std::nullopt;
    engineio::request_fields fields;
    fields.path = target.path;
    fields.revision = target.revision;
    fields.transport = *target.transport;
    fields.base64 = target.base64;
    fields.sid = target.sid.value_or("");

    std::deque<std::string> decoded;
    auto const decode = [&decoded](std::string_view text) {
        return percent::decode(text, decoded.emplace_back(text.size(), '\0')).value_or(text);
    };
    std::vector<engineio::query_parameter> own;
    for (auto const p : target.query) {
        if (p.name == fields.timestamp.name)
            fields.timestamp.value = decode(p.value);
        else if (p.name != "EIO" && p.name != "transport" && p.name != "sid" && p.name != "b64")
            own.push_back({decode(p.name), decode(p.value)});
    }
    fields.query = own;
    std::string text;
    if (!engineio::write_request_target(text, fields)) return std::nullopt;
    return text;
}

} // namespace demo
