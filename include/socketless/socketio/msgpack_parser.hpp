// Packets as MessagePack, one binary message each: what socket.io-msgpack-parser 3 sends and reads.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/value.hpp>
#include <socketless/msgpack/writer.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/parser.hpp>

#include <algorithm>
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

namespace detail {

// The members of a packet, of each the last one.
class msgpack_members {
    // Compares numbers, where a comparison of texts would call a function. Clang 14 wants it before its first use.
    template <std::size_t Size>
    static constexpr bool is(std::string_view name, char const (&known)[Size]) noexcept {
        using msgpack::detail::load;
        return name.size() == Size - 1 && load<Size - 1>(name.data()) == load<Size - 1>(known);
    }

public:
    msgpack::value type;
    msgpack::value nsp;
    msgpack::value id;
    msgpack::value data;

    // Where the value of a member of this name belongs; null if it is none of a packet's.
    constexpr msgpack::value* find(std::string_view name) noexcept {
        if (is(name, "type")) return &type;
        if (is(name, "data")) return &data;
        if (is(name, "nsp")) return &nsp;
        return is(name, "id") ? &id : nullptr;
    }

    // The same for a key that begins at `p`, if it is one of the longer three and written as everybody does. Moves `p`
    // behind it.
    SOCKETLESS_ALWAYS_INLINE constexpr msgpack::value* skip_usual_key(char const*& p, char const* end) noexcept {
        using msgpack::detail::load;
        if (end - p <= 5) return nullptr;
        std::uint64_t const start = load<4>(p);
        if (start == load<4>("\xa3nsp")) return p += 4, &nsp;
        if (start == load<4>("\xa4typ") && p[4] == 'e') return p += 5, &type;
        constexpr char name_of_data[] = {'\xa4', 'd', 'a', 't'}; // of which a literal would have a longer escape
        if (start == load<4>(name_of_data) && p[4] == 'a') return p += 5, &data;
        return nullptr;
    }
};

// Checks the key of a member, and moves `p` behind it; its place if it is one of a packet's.
constexpr bool read_key(char const* begin, char const*& p, char const* end, std::uint32_t max_depth,
                        msgpack_members& to, msgpack::value*& member) noexcept {
    member = to.skip_usual_key(p, end);
    if (member != nullptr) return true;
    msgpack::detail::head const key = msgpack::detail::read_head(p, end);
    if (key.kind == msgpack::kind::string && key.length < static_cast<std::size_t>(end - p) - key.size)
        member = to.find({p + key.size, key.length});
    if (member == nullptr) return msgpack::detail::check_value(begin, p, end, max_depth).has_value();
    p += key.size + std::size_t{key.length};
    return true;
}

// Checks a message and finds its members in one pass. False if that cannot be done: msgpack::validate tells why.
constexpr bool read_members(std::string_view message, std::uint32_t max_depth, msgpack_members& to) noexcept {
    char const* const begin = message.data();
    char const* const end = begin + message.size();
    msgpack::detail::head const map = msgpack::detail::read_head(begin, end);
    if (map.kind != msgpack::kind::map || max_depth == 0) return false;
    char const* p = begin + map.size;
    for (std::uint32_t left = map.length; left != 0; --left) {
        msgpack::value* member = nullptr;
        if (!read_key(begin, p, end, max_depth - 1, to, member)) return false;
        char const* const value = p;
        if (!msgpack::detail::skip_short(p, end) && !msgpack::detail::check_value(begin, p, end, max_depth - 1))
            return false;
        if (member != nullptr) *member = msgpack::value::trusted({value, static_cast<std::size_t>(p - value)});
    }
    return p == end;
}

} // namespace detail

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
    std::uint32_t const max_depth = bounds.max_depth + (bounds.max_depth < limits::deepest ? 1 : 0);
    detail::msgpack_members members;
    if (!detail::read_members(message, std::min(max_depth, limits::deepest), members)) [[unlikely]] {
        if (auto const whole = msgpack::validate(message, max_depth); !whole) return whole.error();
        return error{errc::unknown_packet_type}; // no map
    }
    auto const [type, nsp, id, data] = members;
    msgpack_packet packet;
    if (!data.is_undefined()) packet.data = data;
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
    if (!id.empty() && !id.is_undefined()) {
        auto const number = id.get<std::uint64_t>();
        if (!number || *number > max_ack_id) return error{errc::invalid_ack_id, offset_of(id)};
        packet.id = *number;
    }
    return packet;
}

namespace detail {

// Copies a literal, which may hold zeros, and returns its end.
template <std::size_t N>
SOCKETLESS_ALWAYS_INLINE char* copy_literal(char* p, char const (&text)[N]) noexcept {
    return std::copy_n(static_cast<char const*>(text), N - 1, p);
}

// What stands before and behind the payload of a packet. Its members stand in the order in which the reference puts
// them: that of an acknowledgement has its id in front, elsewhere in each role.
class msgpack_envelope {
public:
    msgpack_envelope(packet_type type, address const& to, sender from, bool has_payload) noexcept
        : to_(&to), type_(type), by_client_(from == sender::client), has_payload_(has_payload),
          is_least_(has_payload && !has_options() && !to.id) {}

    SOCKETLESS_ALWAYS_INLINE void begin(core_detail::output& out) const {
        constexpr std::size_t size = 12;
        if (!is_least_ || !out.has_room(size)) return any_begin(out);
        char* const p = out.position();
        out.advance(copy_literal(p, "\x83\xa4type\0\xa4"
                                    "data"));
        p[6] = static_cast<char>(type_);
    }

    SOCKETLESS_ALWAYS_INLINE result<void> end(core_detail::output& out, msgpack::writer& w) const {
        if (is_least_ && is_main() && out.has_room(6))
            out.advance(copy_literal(out.position(), "\xa3nsp\xa1/"));
        else
            any_end(out, w);
        return w.finish();
    }

    // In a CONNECT, whose payload begins at `payload`: the reference's server always names a pid.
    void name_pid(core_detail::output& out, std::size_t payload) const {
        if (by_client_ || out.overflowed() || !out.kept(payload).starts_with("\x81\xa3sid")) return;
        out.replace(payload, '\x82');
        out.put("\xa3pid");
        out.put(undefined);
    }

private:
    static constexpr std::size_t longest_id = 3 + msgpack::detail::longest_number;
    static constexpr std::string_view undefined{"\xd4\0\0", 3};

    SOCKETLESS_NEVER_INLINE void any_begin(core_detail::output& out) const {
        constexpr std::size_t head = 1;
        constexpr std::size_t type_and_data = 6 + 5;
        out.put_piece<head + type_and_data + longest_id>([this](char* p) {
            *p++ = static_cast<char>(0x82 + (has_data() ? 1 : 0) + (to_->id ? 1 : 0) + (has_options() ? 1 : 0));
            if (id_is_first() && !by_client_) p = write_id(p);
            p = copy_literal(p, "\xa4type");
            *p++ = static_cast<char>(type_);
            if (id_is_first() && by_client_) p = write_id(p);
            return has_data() ? copy_literal(p, "\xa4"
                                                "data")
                              : p;
        });
        if (!has_payload_ && has_data()) out.put(undefined);
    }

    SOCKETLESS_NEVER_INLINE void any_end(core_detail::output& out, msgpack::writer& w) const {
        static constexpr char options[] = "\xa7options\x81\xa8"
                                          "compress\xc3";
        constexpr std::size_t nsp = 4;
        out.put_piece<sizeof options - 1 + longest_id + nsp>([this](char* p) {
            if (has_options()) p = copy_literal(p, options);
            if (to_->id && !id_is_first()) p = write_id(p);
            return copy_literal(p, "\xa3nsp");
        });
        w.string(to_->nsp);
    }

    [[nodiscard]] bool is_main() const noexcept { return to_->nsp.size() == 1; } // "/"
    [[nodiscard]] bool id_is_first() const noexcept { return is_ack(type_) && to_->id; }
    [[nodiscard]] bool has_options() const noexcept { return by_client_ && is_event(type_); }
    [[nodiscard]] bool has_data() const noexcept {
        return has_payload_ || (by_client_ && type_ == packet_type::connect);
    }
    char* write_id(char* p) const noexcept {
        return msgpack::detail::write_natural(copy_literal(p, "\xa2id"), *to_->id);
    }

    address const* to_;
    packet_type type_;
    bool by_client_;
    bool has_payload_;
    bool is_least_; // nothing but type, data and nsp
};

template <output_target Target, class... Args>
[[nodiscard]] result<std::size_t> encode_msgpack(Target&& target, packet_type type, address const& to, sender from,
                                                 Args const&... args) {
    if (!is_default(to))
        if (auto const good = check_address(to); !good) return good.error();
    return core_detail::write_to(target, [&](core_detail::output& out) {
        msgpack_envelope const envelope(type, to, from, true);
        msgpack::writer w(out);
        envelope.begin(out);
        w.array_head(sizeof...(args));
        (w.value(args), ...);
        return envelope.end(out, w);
    });
}

class msgpack_parser final : public parser {
public:
    // Binary values of a packet whatever its size, and bytes of the message for each of the others: an empty one takes
    // two there, but its placeholder about thirty.
    static constexpr std::size_t few_attachments = 1'000;
    static constexpr std::size_t bytes_per_attachment = 16;

    constexpr msgpack_parser() noexcept = default;

    [[nodiscard]] result<frame_kind> encode(outgoing_packet const& p, std::string& message,
                                            limits const& bounds) const override {
        auto const written = core_detail::write_to(message, [&](core_detail::output& out) -> result<void> {
            address const to{p.nsp, p.id};
            msgpack_envelope const envelope(p.type, to, p.sender, p.payload != nullptr);
            msgpack::writer w(out);
            envelope.begin(out);
            std::size_t const payload = out.size();
            if (p.payload != nullptr)
                if (auto const done = p.write_payload(w.sink(), bounds); !done) return done;
            if (p.type == packet_type::connect) envelope.name_pid(out, payload);
            return envelope.end(out, w);
        });
        return written ? result<frame_kind>(frame_kind::binary) : written.error();
    }

    [[nodiscard]] result<void> decode(frame message, incoming_packet& to, limits const& bounds) const override {
        if (message.kind != frame_kind::binary) return error{errc::unexpected_text};
        auto const p = decode_msgpack(message.data, bounds);
        if (!p) return p.error();
        to.type = p->type;
        to.nsp = p->nsp;
        to.id = p->id;
        if (p->data.empty()) return {};
        std::string_view const data = p->data.raw();
        std::size_t const most = few_attachments + data.size() / bytes_per_attachment;
        return to.write_payload(bounds,
                                [&](json::writer& out) { msgpack::detail::json_converter(out, most).write(data); });
    }
};

} // namespace detail

/// Encodes an event as the MessagePack message of one side: its name and any arguments that `msgpack::write` can write.
/// Appends to a character container or fills a span, and returns how many bytes that are. After an error a container
/// has its old contents. Errors: errc::reserved_event_name, errc::invalid_namespace, errc::invalid_ack_id, those of
/// msgpack::write. Source: socket.io-msgpack-parser 3.0.2.
template <output_target Target, class... Args>
[[nodiscard]] result<std::size_t> encode_msgpack_event(Target&& target, sender from, address const& to,
                                                       json::detail::string_argument name, Args const&... args) {
    if (detail::is_reserved(name.view)) return error{errc::reserved_event_name};
    return detail::encode_msgpack(target, packet_type::event, to, from, name.view, json::detail::passed_on(args)...);
}
/// The same for the acknowledgement of the event with the id `to.id`. Errors: errc::missing_ack_id, and those above.
template <output_target Target, class... Args>
[[nodiscard]] result<std::size_t> encode_msgpack_ack(Target&& target, sender from, address const& to,
                                                     Args const&... args) {
    if (!to.id) return error{errc::missing_ack_id};
    return detail::encode_msgpack(target, packet_type::ack, to, from, json::detail::passed_on(args)...);
}

/// The parser of socket.io-msgpack-parser 3: each packet is one binary message, smaller than JSON where there are
/// numbers and binary values. Both sides have to use it:
///
///     options.parser = &socketless::socketio::msgpack_parser;          // C++: client_options, server_options.sockets
///     new Server({ parser: require("socket.io-msgpack-parser") });      // JavaScript: Server, io
///
/// What applications get is JSON whatever the parser, so what JSON has not arrives as JSON.stringify would write it:
/// NaN and the infinities as null, a Date as text in ISO 8601, undefined as null or not at all; of an extension of any
/// other type an array of the type and its bytes. An event for one socket that is connected goes out as it is, NaN as
/// NaN; one that is kept first, or for many, has been JSON too. Otherwise packets are encoded byte for byte as the
/// reference does, but for numbers that are integers beyond 64 bits, which that writes as others. Maps have strings and
/// integers as keys, only events and acknowledgements have binary values, and no map beside these looks like their
/// placeholders in JSON: anything else closes the connection; so do more than 1,000 binary values of less than 16 bytes
/// each.
inline constexpr detail::msgpack_parser msgpack_parser;

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
