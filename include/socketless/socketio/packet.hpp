// Socket.IO packets: a text message in, a packet out. Revisions 5 and 4 of the protocol.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/detail/made_in_place.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/kernels/scalar_block.hpp>
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
        return is_event(type) ? *data.elements().begin() : json::text();
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

// Whether a string whose quote stands at `p` is one of them.
SOCKETLESS_NEVER_INLINE constexpr bool is_one_of_reserved(char const* p, char const* end) noexcept {
    auto const name = json::text::trusted(json::detail::between(p, json::detail::skip_string(p + 1, end)));
    return std::ranges::any_of(reserved_event_names, [name](auto const reserved) { return name.equals(reserved); });
}

// The same: nearly all names begin differently.
SOCKETLESS_ALWAYS_INLINE constexpr bool is_reserved(char const* p, char const* end) noexcept {
    auto const begins_with = [&](auto... characters) { return end - p > 1 && ((p[1] == characters) || ...); };
    return begins_with('c', 'd', 'n', 'r', '\\') && is_one_of_reserved(p, end);
}

// Whether the first element of `array`, which is valid, can be the name of an event.
SOCKETLESS_ALWAYS_INLINE constexpr result<void> check_event_name(std::string_view array) noexcept {
    char const* const end = array.data() + array.size();
    char const* const p = json::detail::skip_rare_space(array.data() + 1, end);
    if (p == end || *p == ']') return error{errc::invalid_event_name};
    auto const offset = static_cast<std::size_t>(p - array.data());
    if (*p == '"') return is_reserved(p, end) ? result<void>(errc::reserved_event_name, offset) : result<void>();
    if (*p == '-' || core_detail::is_digit(*p)) return {};
    return error{errc::invalid_event_name, offset};
}

// Whether `data` is a payload that a packet of this type can have; an error's offset counts within `data`.
SOCKETLESS_ALWAYS_INLINE constexpr result<void> check_payload(packet_type type, json::text data, revision r) noexcept {
    using enum packet_type;
    char const first = data.empty() ? '\0' : data.raw().front();
    if (is_event(type)) return first == '[' ? check_event_name(data.raw()) : error{errc::invalid_payload};
    bool const object = first == '{';
    bool const good = is_ack(type)            ? first == '['
                      : type == connect       ? first == '\0' || (object && r == revision::v5)
                      : type == connect_error ? first == '\0' || object || first == '"'
                                              : first == '\0';
    return good ? result<void>{} : error{errc::invalid_payload};
}

// Like `text.substr(begin)`, where `begin` is known to be within.
constexpr std::string_view rest_of(std::string_view text, std::size_t begin) noexcept {
    return {text.data() + begin, text.size() - begin};
}

// What is read of a header, in parts that a compiler keeps in registers.
struct header_parts {
    packet_type type = packet_type::event;
    std::string_view nsp = "/";
    std::string_view query;
    bool has_query = false;
    bool has_id = false;
    std::uint64_t id = 0;
    std::uint32_t attachments = 0;
    // Where the payload begins.
    std::size_t size = 0;

    [[nodiscard]] constexpr std::optional<std::string_view> asked_query() const noexcept {
        return has_query ? std::optional(query) : std::nullopt;
    }
    [[nodiscard]] constexpr std::optional<std::uint64_t> asked_id() const noexcept {
        return has_id ? std::optional(id) : std::nullopt;
    }
};

// The packet whose header these are.
SOCKETLESS_ALWAYS_INLINE constexpr packet packet_of(header_parts const& h, json::text payload) noexcept {
    return {h.type, h.nsp, h.asked_query(), h.asked_id(), h.attachments, payload};
}

SOCKETLESS_ALWAYS_INLINE constexpr result<void> read_attachment_count(std::string_view text, header_parts& h,
                                                                      limits const& bounds) noexcept {
    auto const count = core_detail::read_digits(rest_of(text, h.size));
    std::size_t const end = h.size + count.size;
    if (count.size == 0 || count.value == 0) {
        bool const too_many = count.size > core_detail::max_digits;
        return error{too_many ? errc::too_many_attachments : errc::invalid_attachment_count, h.size};
    }
    if (end == text.size() || text[end] != '-') return error{errc::invalid_attachment_count, end};
    if (count.value > bounds.max_attachments) return error{errc::too_many_attachments, h.size};
    h.size = end + 1;
    h.attachments = static_cast<std::uint32_t>(count.value);
    return {};
}

// The first comma of a text, or its end, and whether it stands behind nothing but ASCII.
struct comma_place {
    char const* p;
    bool is_behind_ascii;
};
SOCKETLESS_NEVER_INLINE constexpr comma_place find_comma(char const* p, char const* end) noexcept {
#ifndef __OPTIMIZE_SIZE__
    if (!std::is_constant_evaluated()) {
        using kernels::scalar::block;
        for (; static_cast<std::size_t>(end - p) >= block::size; p += block::size) {
            auto const found = block::load(p).commas_or_non_ascii();
            if (!found.any()) continue;
            p += found.first();
            if (*p == ',') return {p, true};
            break;
        }
    }
#endif
    unsigned char bits = 0;
    for (; p != end && *p != ','; ++p) bits |= static_cast<unsigned char>(*p);
    return {p, bits < 0x80};
}

SOCKETLESS_ALWAYS_INLINE constexpr result<void> read_namespace(std::string_view text, header_parts& h, revision r,
                                                               text_check utf8) noexcept {
    std::size_t const begin = h.size;
    auto const found = find_comma(text.data() + begin, text.data() + text.size());
    auto const comma = static_cast<std::size_t>(found.p - text.data());
    h.nsp = {text.data() + begin, comma - begin};
    if (!found.is_behind_ascii && utf8 == text_check::due) {
        if (auto const valid = utf8::validate(h.nsp); !valid)
            return error{errc::invalid_utf8, begin + valid.error().offset};
    }
    if (r == revision::v4 && h.type == packet_type::connect) {
        if (std::size_t const question = h.nsp.find('?'); question != std::string_view::npos) {
            h.has_query = true;
            h.query = rest_of(h.nsp, question + 1);
            h.nsp.remove_suffix(h.nsp.size() - question);
        }
    }
    h.size = std::min(comma + 1, text.size());
    return {};
}

// Reads all but the payload into `h`, which is as it was made.
SOCKETLESS_ALWAYS_INLINE constexpr result<void> read_header(std::string_view text, header_parts& h, revision r,
                                                            limits const& bounds, text_check utf8) noexcept {
    if (text.empty()) return error{errc::empty_packet};
    auto const type = static_cast<unsigned char>(text.front() - '0');
    if (type > static_cast<unsigned char>(packet_type::binary_ack)) return error{errc::unknown_packet_type};
    h.type = static_cast<packet_type>(type);
    h.size = 1;
    if (is_binary(h.type)) {
        if (auto const read = read_attachment_count(text, h, bounds); !read) return read;
    }
    if (h.size != text.size() && text[h.size] == '/') {
        if (auto const read = read_namespace(text, h, r, utf8); !read) return read;
    }
    if (auto const id = core_detail::read_digits(rest_of(text, h.size)); id.size != 0) {
        if (id.size > core_detail::max_digits || id.value > max_ack_id) return error{errc::invalid_ack_id, h.size};
        h.has_id = true;
        h.id = id.value;
        h.size += id.size;
    } else if (is_ack(h.type)) {
        return error{errc::missing_ack_id, h.size};
    }
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
    detail::header_parts h;
    if (auto const read = detail::read_header(text, h, r, bounds, text_check::due); !read) return read.error();
    return result<header>(core_detail::made_in_place{[&] {
        return header{h.type, h.nsp, h.asked_query(), h.asked_id(), h.attachments, detail::rest_of(text, h.size)};
    }});
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
/// Nothing is copied or allocated; the packet is borrowed from `text`. Whoever says that UTF-8 was checked promises
/// that `text` is UTF-8: so is the data of a text packet that engineio::decode returned.
/// Errors, each with its offset in `text`: those of `decode_header` and json::validate; errc::invalid_payload,
/// errc::invalid_event_name, errc::reserved_event_name, errc::invalid_placeholder. Linear; constant stack.
[[nodiscard]] constexpr result<packet> decode(std::string_view text, revision r = revision::v5,
                                              limits const& bounds = {}, text_check utf8 = text_check::due) noexcept {
    detail::header_parts h;
    if (auto const read = detail::read_header(text, h, r, bounds, utf8); !read) return read.error();
    json::text data;
    if (h.size != text.size()) {
        // The reference takes white space for an id; here it is neither an id nor a part of the payload.
        if (json::detail::is_space(text[h.size])) return error{errc::invalid_json, h.size};
        auto const json = json::detail::validate(detail::rest_of(text, h.size), bounds.max_depth, utf8);
        if (!json) return error{json.error().code, h.size + json.error().offset};
        data = *json;
    }
    auto good = detail::check_payload(h.type, data, r);
    if (good && is_binary(h.type) && !detail::are_usual(data.raw(), h.attachments)) {
        if (auto const count = detail::count_placeholders(data.raw(), h.attachments); !count) good = count.error();
    }
    if (!good) return error{good.error().code, h.size + good.error().offset};
    return result<packet>(core_detail::made_in_place{[&] { return detail::packet_of(h, data); }});
}

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
