// Packets as MessagePack, one binary message each: what socket.io-msgpack-parser 3 sends and reads.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/value.hpp>
#include <socketless/msgpack/writer.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/parser.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// A packet in MessagePack. Borrowed from the message.
struct msgpack_packet {
    /// Its type: never a binary one, as binary values stand where they belong.
    packet_type type = packet_type::event;
    /// Its namespace.
    std::string_view nsp = "/";
    /// The id of the acknowledgement that an event asks for, or that this is.
    std::optional<std::uint64_t> id;
    /// The payload: empty if the packet has none.
    msgpack::value data;
};

/// Decodes a packet in MessagePack and checks that all of the message is MessagePack:
///
///     packet = map of: type 0 to 4, nsp string, [ data any ], [ id 0 to 2^53-1 ], members of other names
///
/// The members come in any order; of doubled ones the last counts; undefined stands for one that is not there. What
/// types, namespaces and payloads have to do with each other is left to the session.
/// Nothing is copied or allocated. Errors: those of msgpack::validate; errc::unknown_packet_type,
/// errc::invalid_namespace, errc::invalid_ack_id. Linear; constant stack.
/// Source: socket.io-msgpack-parser 3.0.2, Decoder.checkPacket.
[[nodiscard]] constexpr result<msgpack_packet> decode_msgpack(std::string_view message,
                                                              limits const& bounds = {}) noexcept {
    auto const whole = msgpack::validate(message, bounds.max_depth + (bounds.max_depth < limits::deepest ? 1 : 0));
    if (!whole) return whole.error();
    msgpack::value type;
    msgpack::value nsp;
    msgpack::value id;
    msgpack_packet packet;
    for (msgpack::member const m : whole->members()) {
        if (m.key.equals("type"))
            type = m.value;
        else if (m.key.equals("nsp"))
            nsp = m.value;
        else if (m.key.equals("data"))
            packet.data = m.value.is_undefined() ? msgpack::value() : m.value;
        else if (m.key.equals("id"))
            id = m.value.is_undefined() ? msgpack::value() : m.value;
    }
    auto const offset_of = [message](msgpack::value v) {
        return v.empty() ? 0 : static_cast<std::size_t>(v.raw().data() - message.data());
    };
    auto const digit = type.get<std::uint8_t>();
    if (!digit || *digit > static_cast<std::uint8_t>(packet_type::connect_error))
        return error{errc::unknown_packet_type, offset_of(type)};
    packet.type = static_cast<packet_type>(*digit);
    auto const name = nsp.borrow_string();
    if (!name) return error{errc::invalid_namespace, offset_of(nsp)};
    packet.nsp = *name;
    if (!id.empty()) {
        auto const number = id.get<std::uint64_t>();
        if (!number || *number > max_ack_id) return error{errc::invalid_ack_id, offset_of(id)};
        packet.id = *number;
    }
    return packet;
}

namespace detail {

class msgpack_parser final : public parser {
public:
    constexpr msgpack_parser() noexcept = default;

    // The members stand in the order in which the reference puts them.
    [[nodiscard]] result<frame_kind> encode(outgoing_packet const& p, std::string& message,
                                            limits const& bounds) const override {
        auto const written = core_detail::write_to(message, [&](core_detail::output& out) -> result<void> {
            msgpack::writer w(out);
            bool const by_client = p.sender == sender::client;
            bool const has_options = by_client && p.type == packet_type::event;
            bool const has_data = p.payload != nullptr || (by_client && p.type == packet_type::connect);
            out.put(static_cast<char>(0x82 + (has_data ? 1 : 0) + (p.id ? 1 : 0) + (has_options ? 1 : 0)));
            bool const id_first = p.id && is_ack(p.type);
            if (id_first && !by_client) put_id(out, w, *p.id);
            out.put(std::string_view("\xa4type"));
            out.put(static_cast<char>(p.type));
            if (id_first && by_client) put_id(out, w, *p.id);
            if (has_data)
                if (auto const data = put_data(out, w, p, bounds); !data) return data;
            if (has_options)
                out.put(std::string_view("\xa7options\x81\xa8"
                                         "compress\xc3"));
            if (p.id && !id_first) put_id(out, w, *p.id);
            out.put(std::string_view("\xa3nsp"));
            w.string(p.nsp);
            return w.finish();
        });
        if (!written) return written.error();
        return frame_kind::binary;
    }

    [[nodiscard]] result<void> decode(frame message, incoming_packet& to, limits const& bounds) const override {
        if (message.kind != frame_kind::binary) return error{errc::unexpected_text};
        auto const p = decode_msgpack(message.data, bounds);
        if (!p) return p.error();
        to.type = p->type;
        to.nsp = p->nsp;
        to.id = p->id;
        if (p->data.empty()) return {};
        return to.write_payload(bounds, [&](json::writer& out) { out.value(p->data); });
    }

private:
    static constexpr std::string_view undefined{"\xd4\0\0", 3};

    static void put_id(core_detail::output& out, msgpack::writer& w, std::uint64_t id) {
        out.put(std::string_view("\xa2id"));
        w.number(id);
    }

    static result<void> put_data(core_detail::output& out, msgpack::writer& w, outgoing_packet const& p,
                                 limits const& bounds) {
        out.put(std::string_view("\xa4"
                                 "data"));
        if (p.payload == nullptr) {
            out.put(undefined);
            return {};
        }
        std::size_t const begin = out.size();
        json::writer payload(w, bounds.max_depth);
        (*p.payload)(payload);
        // The reference's server always names a pid.
        bool const lacks_pid = p.sender == sender::server && p.type == packet_type::connect && !out.overflowed() &&
                               out.kept(begin).starts_with("\x81\xa3sid");
        if (lacks_pid) {
            out.replace(begin, '\x82');
            out.put(std::string_view("\xa3pid"));
            out.put(undefined);
        }
        return payload.status();
    }
};

} // namespace detail

/// The parser of socket.io-msgpack-parser 3: each packet is one binary message, smaller than JSON where there are
/// numbers and binary values. Both sides have to use it:
///
///     options.parser = &socketless::socketio::msgpack_parser;            // C++: client_options, server_options.sockets
///     const io = new Server({ parser: require("socket.io-msgpack-parser") });     // JavaScript
///
/// What applications get is JSON whatever the parser, so what JSON has not arrives as JSON.stringify would write it:
/// NaN and the infinities as null, a Date as text in ISO 8601, undefined as null or not at all; of an extension of any
/// other type an array of the type and its bytes. What applications send goes out as it is: NaN as NaN.
/// Packets are encoded byte for byte as the reference does.
inline constexpr detail::msgpack_parser msgpack_parser;

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
