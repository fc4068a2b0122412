// Socket.IO packets from C++ values: the text message, and the attachments that follow it.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/detail/placeholder.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/text/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// Where an event or an acknowledgement goes: the namespace, and the id of the acknowledgement, if there is one.
struct address {
    /// The namespace.
    std::string_view nsp = "/";
    /// The id of the acknowledgement. For an event: that it asks for one.
    std::optional<std::uint64_t> id = std::nullopt;
};

namespace detail {

constexpr char digit_of(packet_type type) noexcept {
    return static_cast<char>('0' + static_cast<char>(type));
}

constexpr result<void> check_namespace(std::string_view nsp) noexcept {
    if (nsp.size() == 1 && nsp.front() == '/') return {};
    if (!nsp.starts_with('/')) return error{errc::invalid_namespace};
    if (nsp.find(',') != std::string_view::npos) return error{errc::invalid_namespace, nsp.find(',')};
    return utf8::validate(nsp);
}

// Whether it is the main namespace, and asks for nothing.
constexpr bool is_default(address const& to) noexcept {
    return !to.id && to.nsp.size() == 1 && to.nsp.front() == '/';
}

constexpr result<void> check_address(address const& to) noexcept {
    auto const id = to.id; // a copy: otherwise GCC 12 warns of an uninitialized id
    if (id && *id > max_ack_id) return error{errc::invalid_ack_id};
    return check_namespace(to.nsp);
}

constexpr void put_address(core_detail::output& out, address const& to) {
    if (to.nsp.size() != 1) { // not "/"
        out.put(to.nsp);
        out.put(',');
    }
    if (to.id) put_decimal(out, *to.id);
}

// JSON that is already made may hold objects that look like placeholders. They were plain data where they came from,
// but the receiver would take them for placeholders, since this packet has attachments.
constexpr result<void> check_own_placeholders(std::string_view payload, std::size_t attachments) noexcept {
    auto const found = count_placeholders(payload, static_cast<std::uint32_t>(attachments));
    if (!found) return found.error().code;
    return *found == attachments ? result<void>() : error{errc::invalid_placeholder};
}

// The limits of a call that names no limits.
inline constexpr limits no_limits{
    .max_depth = 0xffffffff, .max_attachments = 0xffffffff, .max_attachments_size = 0xffffffff};

constexpr result<void> check_attachments(attachment_list const& attachments, limits const& bounds) noexcept {
    if (attachments.size() > bounds.max_attachments) return error{errc::too_many_attachments};
    if (&bounds == &no_limits) return {};
    std::size_t left = bounds.max_attachments_size;
    for (byte_view const a : attachments) {
        if (a.size() > left) return error{errc::attachments_too_large};
        left -= a.size();
    }
    return {};
}

// Whether the encoder knows that the payload has the shape that its type wants, or has to look.
enum class payload_shape : bool { unknown, known };

// Checks the payload, which begins at `begin`, and puts in the number of its attachments. This part of encode_packet is
// the same for all payloads: it is compiled once.
constexpr result<void> finish_packet(core_detail::output& out, std::size_t begin, json::writer const& payload,
                                     attachment_list const* attachments, limits const& bounds, packet_type type,
                                     payload_shape shape) {
    if (auto const status = payload.status(); !status) return status;
    // What did not fit in a span cannot be checked.
    if (shape == payload_shape::unknown && !out.overflowed()) {
        auto const good = check_payload(type, json::text::trusted(out.kept(begin)), revision::v5);
        if (!good) return good.error().code;
    }
    if (attachments == nullptr || attachments->empty()) return {};
    if (auto const good = check_attachments(*attachments, bounds); !good) return good;
    if (payload.may_hold_placeholders() && !out.overflowed()) {
        auto const good = check_own_placeholders(out.kept(begin), attachments->size());
        if (!good) return good;
    }
    out.replace(0, digit_of(is_event(type) ? packet_type::binary_event : packet_type::binary_ack));
    out.insert(1, "-");
    out.insert(1, core_detail::decimal_text(attachments->size()).view());
    return {};
}

// Writes a packet whose payload `write_payload(json::writer&)` writes. If an event or an acknowledgement
// turns out to have attachments, its type becomes the binary one and their number is put in.
template <output_target Target, class WritePayload>
constexpr result<std::size_t> encode_packet(Target&& target, attachment_list* attachments, limits const& bounds,
                                            packet_type type, address const& to, payload_shape shape,
                                            WritePayload write_payload) {
    if (attachments != nullptr) attachments->clear();
    if (is_ack(type) && !to.id) return error{errc::missing_ack_id};
    bool const has_default = is_default(to);
    if (!has_default)
        if (auto const good = check_address(to); !good) return good.error();
    auto const written = core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        out.put(digit_of(type));
        if (!has_default) put_address(out, to);
        std::size_t const begin = out.size();
        json::writer payload(out, attachments, bounds.max_depth); // NOLINT(misc-const-correctness): most payloads write
        write_payload(payload);
        bool const has_attachments = attachments != nullptr && !attachments->empty();
        bool const is_checked = !core_detail::prefers_small_code && shape == payload_shape::known;
        if (is_checked && !has_attachments && payload.status()) [[likely]]
            return {};
        return finish_packet(out, begin, payload, attachments, bounds, type, shape);
    });
    if (written) [[likely]]
        return *written; // made anew: a copy would wait for what has just been written
    if (attachments != nullptr) attachments->clear();
    return written.error();
}

SOCKETLESS_NEVER_INLINE constexpr bool is_listed_as_reserved(std::string_view name) noexcept {
    return std::ranges::any_of(reserved_event_names, [name](auto const reserved) { return name == reserved; });
}

constexpr bool is_reserved(std::string_view name) noexcept {
    if (name.size() < 7) return false;
    char const c = name.front();
    return (c == 'c' || c == 'd' || c == 'n' || c == 'r') && is_listed_as_reserved(name);
}

template <output_target Target, class... Args>
constexpr result<std::size_t> encode_event(Target&& target, attachment_list* attachments, limits const& bounds,
                                           address const& to, std::string_view name, Args const&... args) {
    if (is_reserved(name)) {
        if (attachments != nullptr) attachments->clear();
        return error{errc::reserved_event_name};
    }
    return encode_packet(target, attachments, bounds, packet_type::event, to, payload_shape::known, [&](auto& out) {
        out.begin_array().string(name);
        (out.value(args), ...);
        out.end_array();
    });
}

template <output_target Target, class... Args>
constexpr result<std::size_t> encode_ack(Target&& target, attachment_list* attachments, limits const& bounds,
                                         address const& to, Args const&... args) {
    return encode_packet(target, attachments, bounds, packet_type::ack, to, payload_shape::known, [&](auto& out) {
        out.begin_array();
        (out.value(args), ...);
        out.end_array();
    });
}

template <output_target Target, class T>
constexpr result<std::size_t> encode_value(Target&& target, attachment_list* attachments, limits const& bounds,
                                           packet_type type, address const& to, T const& payload) {
    return encode_packet(target, attachments, bounds, type, to, payload_shape::unknown,
                         [&](json::writer& out) { out.value(payload); });
}

constexpr void no_payload(json::writer&) noexcept {}

} // namespace detail

// All encoders append to a character container or fill a std::span<char> from its start, and return how many bytes they
// wrote. They write in one pass. After an error a container has its old contents.
//
// Errors of all of them: errc::invalid_namespace for a namespace without a leading '/' or with a comma in it,
// errc::invalid_ack_id for an id over `max_ack_id`, errc::invalid_utf8 in any text, errc::invalid_placeholder for JSON
// that is already made and looks like a placeholder in a packet with attachments, errc::buffer_too_small for a
// span (the offset is the size needed: encoding into an empty span measures a packet).

/// Encodes an event: its name and any arguments that `json::write` can write, binary ones included: each
/// becomes a placeholder, numbered depth-first, and an entry of `attachments`, which is cleared first and must be
/// sent after the text, each as a binary message. With attachments it is a BINARY_EVENT.
///
///     std::string text;
///     attachment_list attachments;
///     auto size = socketio::encode_event(text, attachments, {.nsp = "/admin", .id = 17}, "update", 1, bytes);
///
/// Errors: errc::reserved_event_name, and those above. Source: Socket.IO protocol v5, "EVENT", "BINARY_EVENT".
template <output_target Target, class... Args>
[[nodiscard]] constexpr result<std::size_t> encode_event(Target&& target, attachment_list& attachments,
                                                         address const& to, json::detail::string_argument name,
                                                         Args const&... args) {
    return detail::encode_event(target, &attachments, detail::no_limits, to, name.view,
                                json::detail::passed_on(args)...);
}
/// The same within the limits of a receiver: refuses what the receiver would refuse. Errors:
/// errc::too_many_attachments, errc::attachments_too_large, errc::depth_exceeded (levels of JSON that is already made
/// count too), and those above.
template <output_target Target, class... Args>
[[nodiscard]] constexpr result<std::size_t> encode_event(Target&& target, attachment_list& attachments,
                                                         limits const& bounds, address const& to,
                                                         json::detail::string_argument name, Args const&... args) {
    return detail::encode_event(target, &attachments, bounds, to, name.view, json::detail::passed_on(args)...);
}

/// Encodes an event without binary arguments: refuses them with errc::unexpected_binary.
template <output_target Target, class... Args>
[[nodiscard]] constexpr result<std::size_t> encode_event(Target&& target, address const& to,
                                                         json::detail::string_argument name, Args const&... args) {
    return detail::encode_event(target, nullptr, detail::no_limits, to, name.view, json::detail::passed_on(args)...);
}

/// Encodes the acknowledgement of the event with the id `to.id`. With attachments it is a BINARY_ACK.
/// Errors: errc::missing_ack_id, and those above. Source: Socket.IO protocol v5, "ACK", "BINARY_ACK".
template <output_target Target, class... Args>
[[nodiscard]] constexpr result<std::size_t> encode_ack(Target&& target, attachment_list& attachments, address const& to,
                                                       Args const&... args) {
    return detail::encode_ack(target, &attachments, detail::no_limits, to, json::detail::passed_on(args)...);
}
/// The same within the limits of a receiver: see `encode_event`.
template <output_target Target, class... Args>
[[nodiscard]] constexpr result<std::size_t> encode_ack(Target&& target, attachment_list& attachments,
                                                       limits const& bounds, address const& to, Args const&... args) {
    return detail::encode_ack(target, &attachments, bounds, to, json::detail::passed_on(args)...);
}

/// Encodes an acknowledgement without binary arguments: refuses them with errc::unexpected_binary.
template <output_target Target, class... Args>
[[nodiscard]] constexpr result<std::size_t> encode_ack(Target&& target, address const& to, Args const&... args) {
    return detail::encode_ack(target, nullptr, detail::no_limits, to, json::detail::passed_on(args)...);
}

/// Encodes CONNECT: from a client without a payload, in revision 4 with a query behind '?' in the namespace.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> encode_connect(Target&& target, std::string_view nsp = "/") {
    return detail::encode_packet(target, nullptr, detail::no_limits, packet_type::connect, {nsp, std::nullopt},
                                 detail::payload_shape::known, detail::no_payload);
}

/// Encodes CONNECT with a payload, which must be an object (otherwise errc::invalid_payload): the client's auth, or the
/// server's answer.
template <output_target Target, class T>
[[nodiscard]] constexpr result<std::size_t> encode_connect(Target&& target, std::string_view nsp, T const& payload) {
    return detail::encode_value(target, nullptr, detail::no_limits, packet_type::connect, {nsp, std::nullopt}, payload);
}

/// Encodes CONNECT_ERROR with its payload: in revision 5 an object with a "message", in revision 4 (ERROR)
/// usually a string. Errors: errc::invalid_payload for anything but an object or a string, and those above.
template <output_target Target, class T>
[[nodiscard]] constexpr result<std::size_t> encode_connect_error(Target&& target, std::string_view nsp,
                                                                 T const& payload) {
    return detail::encode_value(target, nullptr, detail::no_limits, packet_type::connect_error, {nsp, std::nullopt},
                                payload);
}
/// The same within the limits of a receiver: see `encode_event`.
template <output_target Target, class T>
[[nodiscard]] constexpr result<std::size_t> encode_connect_error(Target&& target, limits const& bounds,
                                                                 std::string_view nsp, T const& payload) {
    return detail::encode_value(target, nullptr, bounds, packet_type::connect_error, {nsp, std::nullopt}, payload);
}

/// Encodes DISCONNECT.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> encode_disconnect(Target&& target, std::string_view nsp = "/") {
    return detail::encode_packet(target, nullptr, detail::no_limits, packet_type::disconnect, {nsp, std::nullopt},
                                 detail::payload_shape::known, detail::no_payload);
}

/// Encodes an event or an acknowledgement with all its arguments in one value: an array, whose first element is the
/// name of an event (a string or a number). For arguments whose number is known only at run time.
/// Errors: errc::invalid_payload, errc::invalid_event_name, and those of `encode_event` and `encode_ack`.
template <output_target Target, class T>
[[nodiscard]] constexpr result<std::size_t> encode_array(Target&& target, attachment_list& attachments,
                                                         packet_type type, address const& to, T const& array) {
    SOCKETLESS_ASSERT(type == packet_type::event || type == packet_type::ack);
    return detail::encode_value(target, &attachments, detail::no_limits, type, to, array);
}
/// The same within the limits of a receiver: see `encode_event`.
template <output_target Target, class T>
[[nodiscard]] constexpr result<std::size_t> encode_array(Target&& target, attachment_list& attachments,
                                                         limits const& bounds, packet_type type, address const& to,
                                                         T const& array) {
    SOCKETLESS_ASSERT(type == packet_type::event || type == packet_type::ack);
    return detail::encode_value(target, &attachments, bounds, type, to, array);
}

/// Encodes a packet that is already made, such as a decoded one: its data goes out as it stands, placeholders
/// included. Refuses what `decode` would refuse, with the same error codes.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> encode(Target&& target, packet const& p) {
    address const to{p.nsp, p.id};
    if (auto const good = detail::check_address(to); !good) return good.error();
    if (p.query) {
        bool const fits = p.type == packet_type::connect && p.query->find(',') == std::string_view::npos;
        if (!fits) return error{errc::invalid_namespace};
        if (auto const good = utf8::validate(*p.query); !good) return good.error();
    }
    if (is_ack(p.type) && !p.id) return error{errc::missing_ack_id};
    if (is_binary(p.type) != (p.attachments != 0)) return error{errc::invalid_attachment_count};
    auto good = detail::check_payload(p.type, p.data, revision::v5);
    if (good && is_binary(p.type)) {
        if (auto const count = detail::count_placeholders(p.data.raw(), p.attachments); !count) good = count.error();
    }
    if (!good) return good.error();
    return core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        out.put(detail::digit_of(p.type));
        if (is_binary(p.type)) {
            put_decimal(out, p.attachments);
            out.put('-');
        }
        if (p.query) {
            out.put(p.nsp);
            out.put('?');
            out.put(*p.query);
            out.put(',');
            detail::put_address(out, {"/", p.id});
        } else {
            detail::put_address(out, to);
        }
        out.put(p.data.raw());
        return {};
    });
}

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
