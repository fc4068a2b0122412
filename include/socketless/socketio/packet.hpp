// Socket.IO packets: a text message in, a packet out. Revisions 5 and 4 of the protocol.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/socketio/detail/placeholder.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// The revision of the protocol: 5 over Engine.IO revision 4, 4 over revision 3.
enum class revision : std::uint8_t { v4 = 4, v5 = 5 };

/// Packet types; the value is the digit on the wire (Socket.IO protocol, "Packet types").
enum class packet_type : std::uint8_t { connect, disconnect, event, ack, connect_error, binary_event, binary_ack };

/// The type's name in the protocol text, in small letters: "connect", ..., "binary_event".
[[nodiscard]] constexpr std::string_view name(packet_type type) noexcept {
    constexpr std::string_view names[] = {"connect",       "disconnect",   "event",     "ack",
                                          "connect_error", "binary_event", "binary_ack"};
    return names[static_cast<std::size_t>(type)];
}

/// Whether it is an event, or an acknowledgement, with attachments or without.
[[nodiscard]] constexpr bool is_event(packet_type type) noexcept {
    return type == packet_type::event || type == packet_type::binary_event;
}
[[nodiscard]] constexpr bool is_ack(packet_type type) noexcept {
    return type == packet_type::ack || type == packet_type::binary_ack;
}
/// Whether attachments follow the text.
[[nodiscard]] constexpr bool is_binary(packet_type type) noexcept {
    return type == packet_type::binary_event || type == packet_type::binary_ack;
}

/// The largest id of an acknowledgement: 2^53-1, JavaScript's largest safe integer.
inline constexpr std::uint64_t max_ack_id = core_detail::max_safe_integer;

/// A packet without its payload, which has not been read yet. Borrowed from the message.
struct header {
    /// The type of the packet.
    packet_type type = packet_type::event;
    /// The namespace; "/" if the message names no other.
    std::string_view nsp = "/";
    /// Revision 4, CONNECT: what follows '?' in the namespace, if there is one.
    std::optional<std::string_view> query;
    /// The id of the acknowledgement that an event asks for, or that this is.
    std::optional<std::uint64_t> id;
    /// How many binary messages follow. At least 1 for the binary types, 0 for the others.
    std::uint32_t attachments = 0;
    /// The rest of the message: JSON, if the peer keeps to the protocol.
    std::string_view payload;

    friend constexpr bool operator==(header const&, header const&) noexcept = default;
};

/// A packet. Borrowed from the message.
struct packet {
    /// The type of the packet.
    packet_type type = packet_type::event;
    /// The namespace; "/" if the message names no other.
    std::string_view nsp = "/";
    /// Revision 4, CONNECT: what follows '?' in the namespace, if there is one.
    std::optional<std::string_view> query;
    /// The id of the acknowledgement that an event asks for, or that this is.
    std::optional<std::uint64_t> id;
    /// How many binary messages follow. At least 1 for the binary types, 0 for the others.
    std::uint32_t attachments = 0;
    /// The payload: an array for events and acknowledgements, empty if the packet has no payload.
    json::text data;

    /// The name of an event: a JSON string or number. Empty for other packets.
    [[nodiscard]] constexpr json::text event_name() const noexcept {
        return is_event(type) && !data.elements().empty() ? *data.elements().begin() : json::text();
    }

    friend constexpr bool operator==(packet const&, packet const&) noexcept = default;
};

namespace detail {

// The packet whose header has been read.
constexpr packet packet_of(header const& h, json::text payload) noexcept {
    return {h.type, h.nsp, h.query, h.id, h.attachments, payload};
}

// Event names with a meaning of their own in the reference implementation.
inline constexpr std::string_view reserved_event_names[] = {"connect",       "connect_error", "disconnect",
                                                            "disconnecting", "newListener",   "removeListener"};

// Whether `name`, a JSON string, is one of them.
constexpr bool is_reserved(json::text name) noexcept {
    constexpr std::string_view first_characters = "cdnr\\";
    if (name.raw().size() < 2 || first_characters.find(name.raw()[1]) == std::string_view::npos) return false;
    return std::ranges::any_of(reserved_event_names, [name](auto const reserved) { return name.equals(reserved); });
}

// Whether the first element of `array`, which is valid, can be the name of an event.
constexpr result<void> check_event_name(std::string_view array) noexcept {
    char const* const end = array.data() + array.size();
    char const* const p = json::detail::skip_space(array.data() + 1, end);
    if (p == end || *p == ']') return error{errc::invalid_event_name};
    if (*p == '-' || core_detail::is_digit(*p)) return {};
    auto const offset = static_cast<std::size_t>(p - array.data());
    if (*p != '"') return error{errc::invalid_event_name, offset};
    auto const name = json::text::trusted(json::detail::between(p, json::detail::skip_string(p + 1, end)));
    return is_reserved(name) ? result<void>(errc::reserved_event_name, offset) : result<void>();
}

// Whether `data` is a payload that a packet of this type can have; an error's offset counts within `data`.
constexpr result<void> check_payload(packet_type type, json::text data, revision r) noexcept {
    using enum packet_type;
    if (data.empty()) {
        if (type == connect || type == disconnect || type == connect_error) return {};
        return error{errc::invalid_payload};
    }
    auto const kind = data.kind();
    if (is_ack(type)) return kind == json::kind::array ? result<void>{} : error{errc::invalid_payload};
    if (!is_event(type)) {
        bool const object = kind == json::kind::object;
        bool const good = (type == connect && object && r == revision::v5) ||
                          (type == connect_error && (object || kind == json::kind::string));
        return good ? result<void>{} : error{errc::invalid_payload};
    }
    if (kind != json::kind::array) return error{errc::invalid_payload};
    return check_event_name(data.raw());
}

constexpr result<std::uint32_t> read_attachment_count(std::string_view text, std::size_t& position,
                                                      limits const& bounds) noexcept {
    auto const count = core_detail::read_digits(text.substr(position));
    std::size_t const end = position + count.size;
    if (count.size == 0 || count.value == 0) {
        bool const too_many = count.size > core_detail::max_digits;
        return error{too_many ? errc::too_many_attachments : errc::invalid_attachment_count, position};
    }
    if (end == text.size() || text[end] != '-') return error{errc::invalid_attachment_count, end};
    if (count.value > bounds.max_attachments) return error{errc::too_many_attachments, position};
    position = end + 1;
    return static_cast<std::uint32_t>(count.value);
}

template <class Header>
constexpr result<void> read_namespace(std::string_view text, std::size_t& position, Header& h, revision r) noexcept {
    std::size_t const comma = std::min(text.find(',', position), text.size());
    h.nsp = text.substr(position, comma - position);
    if (auto const valid = utf8::validate(h.nsp); !valid)
        return error{errc::invalid_utf8, position + valid.error().offset};
    if (r == revision::v4 && h.type == packet_type::connect) {
        if (std::size_t const question = h.nsp.find('?'); question != std::string_view::npos) {
            h.query = h.nsp.substr(question + 1);
            h.nsp = h.nsp.substr(0, question);
        }
    }
    position = std::min(comma + 1, text.size());
    return {};
}

// Reads all but the payload into `h`, which is as it was made. `position` becomes the place where the payload begins.
template <class Header>
constexpr result<void> read_header(std::string_view text, Header& h, std::size_t& position, revision r,
                                   limits const& bounds) noexcept {
    if (text.empty()) return error{errc::empty_packet};
    auto const type = static_cast<unsigned char>(text.front() - '0');
    if (type > static_cast<unsigned char>(packet_type::binary_ack)) return error{errc::unknown_packet_type};
    h.type = static_cast<packet_type>(type);
    position = 1;
    if (is_binary(h.type)) {
        auto const count = detail::read_attachment_count(text, position, bounds);
        if (!count) return count.error();
        h.attachments = *count;
    }
    if (position != text.size() && text[position] == '/') {
        if (auto const read = detail::read_namespace(text, position, h, r); !read) return read.error();
    }
    auto const id = core_detail::read_digits(text.substr(position));
    if (id.size > core_detail::max_digits || id.value > max_ack_id) return error{errc::invalid_ack_id, position};
    if (id.size != 0) h.id = id.value;
    if (is_ack(h.type) && !h.id) return error{errc::missing_ack_id, position};
    position += id.size;
    return {};
}

} // namespace detail

/// Decodes the text of a packet up to its payload, which is left unread: enough to route it.
///
///     packet = type [ count "-" ] [ nsp "," ] [ id ] [ payload ]      ; count: binary types only
///     nsp    = "/" *( any character but "," )                        ; "," may be absent at the end of the text
///     count, id = 1*16DIGIT
///     payload = JSON without white space before it
///
/// Nothing is copied or allocated; the header is borrowed from `text`.
/// Errors: errc::empty_packet, errc::unknown_packet_type, errc::invalid_attachment_count,
/// errc::too_many_attachments, errc::invalid_utf8, errc::invalid_ack_id, errc::missing_ack_id. Linear in the
/// size of the header.
/// Source: Socket.IO protocol v5, "Packet encoding", "Format".
[[nodiscard]] constexpr result<header> decode_header(std::string_view text, revision r = revision::v5,
                                                     limits const& bounds = {}) noexcept {
    header h;
    std::size_t position = 0;
    if (auto const read = detail::read_header(text, h, position, r, bounds); !read) return read.error();
    h.payload = text.substr(position);
    return h;
}

/// Decodes the text of a packet and checks all of it: the JSON of the payload, its shape for the packet's type,
/// event names, and that each placeholder of a binary packet names one of its attachments.
///
///     connect        an object or nothing; revision 4: nothing
///     disconnect     nothing
///     event          an array; first a string or a number, but not one of the reserved names: connect,
///                    connect_error, disconnect, disconnecting, newListener, removeListener
///     ack            an array, and an id
///     connect_error  an object, a string or nothing
///
/// Nothing is copied or allocated; the packet is borrowed from `text`.
/// Errors, each with its offset in `text`: those of `decode_header` and json::validate; errc::invalid_payload,
/// errc::invalid_event_name, errc::reserved_event_name, errc::invalid_placeholder. Linear; constant stack.
[[nodiscard]] constexpr result<packet> decode(std::string_view text, revision r = revision::v5,
                                              limits const& bounds = {}) noexcept {
    packet p;
    std::size_t offset = 0;
    if (auto const done = detail::read_header(text, p, offset, r, bounds); !done) return done.error();
    if (offset != text.size()) {
        // The reference takes white space for an id; here it is neither an id nor a part of the payload.
        if (json::detail::is_space(text[offset])) return error{errc::invalid_json, offset};
        auto const json = json::validate(text.substr(offset), bounds.max_depth);
        if (!json) return error{json.error().code, offset + json.error().offset};
        p.data = *json;
    }
    auto good = detail::check_payload(p.type, p.data, r);
    if (good && is_binary(p.type)) {
        if (auto const count = detail::count_placeholders(p.data.raw(), p.attachments); !count) good = count.error();
    }
    if (good) return p;
    std::size_t const data_offset =
        p.data.empty() ? offset : static_cast<std::size_t>(p.data.raw().data() - text.data());
    return error{good.error().code, data_offset + good.error().offset};
}

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
