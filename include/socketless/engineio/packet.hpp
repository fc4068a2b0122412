// Engine.IO packets: one frame in, one packet out, and back. Revisions 4 and 3 of the protocol.
#pragma once

#include <socketless/core/detail/made_in_place.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/text/base64.hpp>
#include <socketless/text/utf8.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// The revision of the protocol: what a client says with EIO= in its requests.
enum class revision : std::uint8_t { v3 = 3, v4 = 4 };

/// Packet types; the value is the digit on the wire (Engine.IO protocol, "Packet types").
enum class packet_type : std::uint8_t { open, close, ping, pong, message, upgrade, noop };

/// The type's name in the protocol text: "open", "close", ...
[[nodiscard]] constexpr std::string_view name(packet_type type) noexcept {
    constexpr std::string_view names[] = {"open", "close", "ping", "pong", "message", "upgrade", "noop"};
    return names[static_cast<std::size_t>(type)];
}

/// One packet. `data` is borrowed: from the frame that it was decoded from, or, where that was base64, from
/// the buffer that it was decoded into. Only a message can be binary.
struct packet {
    /// The type of the packet.
    packet_type type = packet_type::message;
    /// Whether `data` is text or binary.
    frame_kind kind = frame_kind::text;
    /// What follows the type.
    std::string_view data;

    friend constexpr bool operator==(packet const&, packet const&) noexcept = default;
};

namespace detail {

// The type that `digit` stands for when the first type is written as `zero`.
constexpr result<packet_type> read_type(char digit, char zero) noexcept {
    auto const value = static_cast<unsigned char>(digit - zero);
    if (value > static_cast<unsigned char>(packet_type::noop)) return error{errc::unknown_packet_type};
    return static_cast<packet_type>(value);
}

constexpr char digit_of(packet_type type) noexcept {
    return static_cast<char>('0' + static_cast<char>(type));
}

// The byte before a message: in a text frame, and in a binary frame of revision 3.
constexpr char wire_type(frame_kind kind) noexcept {
    return kind == frame_kind::text ? digit_of(packet_type::message) : static_cast<char>(packet_type::message);
}

// The prefix of a binary message in a text frame, before its base64.
constexpr std::string_view base64_prefix(revision r) noexcept {
    return r == revision::v4 ? "b" : "b4";
}

constexpr result<packet> packet_of(packet_type type, frame_kind kind, std::string_view data) noexcept {
    return result<packet>(core_detail::made_in_place{[&] { return packet{type, kind, data}; }});
}

// All but the first byte. Precondition: there is one.
constexpr std::string_view behind_first(std::string_view bytes) noexcept {
    return {bytes.data() + 1, bytes.size() - 1};
}

constexpr result<packet> decode_base64(std::string_view text, std::string_view prefix,
                                       std::span<char> buffer) noexcept {
    if (!text.starts_with(prefix)) {
        if (text.size() < prefix.size()) return error{errc::empty_packet, text.size()};
        return error{errc::unknown_packet_type, 1};
    }
    auto const size = base64::decode(text.substr(prefix.size()), buffer);
    if (size) return packet_of(packet_type::message, frame_kind::binary, {buffer.data(), *size});
    auto e = size.error();
    if (e.code == errc::invalid_base64) e.offset += prefix.size();
    return e;
}

// A text packet. Base64 that was decoded is ASCII: it need not be checked for UTF-8.
constexpr result<packet> decode_text(std::string_view text, revision r, std::span<char> buffer) noexcept {
    if (text.starts_with('b')) {
        auto decoded = decode_base64(text, base64_prefix(r), buffer);
        if (!decoded) {
            // What stands before a character that is wrong is ASCII, and may be overwritten.
            auto const e = decoded.error();
            std::size_t const good = e.code == errc::invalid_base64 ? e.offset : 0;
            if (auto const valid = utf8::validate(text.substr(good)); !valid)
                decoded = error{errc::invalid_utf8, good + valid.error().offset};
        }
        return decoded;
    }
    if (auto const valid = utf8::validate(text); !valid) return valid.error();
    if (text.empty()) return error{errc::empty_packet};
    auto const type = read_type(text.front(), '0');
    if (!type) return type.error();
    return packet_of(*type, frame_kind::text, behind_first(text));
}

// A binary packet: in revision 4 all of it is the message, in revision 3 a byte before it says so.
constexpr result<packet> decode_binary(std::string_view bytes, revision r) noexcept {
    if (r == revision::v4) return packet_of(packet_type::message, frame_kind::binary, bytes);
    if (bytes.empty()) return error{errc::empty_packet};
    auto const type = read_type(bytes.front(), '\0');
    if (type != packet_type::message) return error{errc::unknown_packet_type};
    return packet_of(packet_type::message, frame_kind::binary, behind_first(bytes));
}

} // namespace detail

/// Decodes one frame (a WebSocket message, or a packet of a long-polling body or of a framed stream):
///
///     v4  text:    <type> <data>  |  "b" <base64>        binary:  <data>
///     v3  text:    <type> <data>  |  "b4" <base64>       binary:  %x04 <data>
///     type = "0" ... "6"
///
/// Base64 is decoded into `buffer`, which takes `base64::max_decoded_size(f.data.size())` bytes and may be the
/// frame's own memory; without a buffer, base64 is refused. Nothing else is copied: the packet's data is borrowed from
/// the frame.
/// Errors: errc::empty_packet, errc::unknown_packet_type, errc::invalid_utf8, errc::invalid_base64,
/// errc::buffer_too_small. Linear, for text and base64; constant time for binary.
/// Source: Engine.IO protocol v4, "Packet encoding"; v3, "Encoding".
[[nodiscard]] constexpr result<packet> decode(frame f, revision r = revision::v4,
                                              std::span<char> buffer = {}) noexcept {
    if (f.kind == frame_kind::binary) return detail::decode_binary(f.data, r);
    return detail::decode_text(f.data, r, buffer);
}

namespace detail {

// Whether `p` can be written at all: only messages are binary, and text is UTF-8.
constexpr result<void> check(packet const& p) noexcept {
    if (p.kind == frame_kind::text) return utf8::validate(p.data);
    if (p.type != packet_type::message) return error{errc::unknown_packet_type};
    return {};
}

// The size of `p` where only text can go: as it is, or as base64.
constexpr std::size_t text_size(packet const& p, revision r) noexcept {
    if (p.kind == frame_kind::text) return 1 + p.data.size();
    return base64_prefix(r).size() + base64::encoded_size(p.data.size());
}

constexpr void put_text(core_detail::output& out, packet const& p, revision r) {
    if (p.kind == frame_kind::text) {
        out.put(digit_of(p.type));
        out.put(p.data);
    } else {
        out.put(base64_prefix(r));
        if (char* const room = out.take(base64::encoded_size(p.data.size()))) base64::encode(p.data, room);
    }
}

} // namespace detail

/// Writes `p` as the data of one frame, text or binary as `p.kind` says, at the end of a character container
/// or into a std::span<char>. Returns how many bytes that were. (A binary message of revision 4 is
/// its own frame: whoever can send `p.data` itself saves the copy.)
/// Errors: errc::invalid_utf8 for text, errc::unknown_packet_type for binary that is not a message,
/// errc::buffer_too_small (the offset is the size needed).
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> encode(Target&& target, packet const& p, revision r = revision::v4) {
    if (auto const good = detail::check(p); !good) return good.error();
    return core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        if (p.kind == frame_kind::text)
            out.put(detail::digit_of(p.type));
        else if (r == revision::v3)
            out.put(static_cast<char>(packet_type::message));
        out.put(p.data);
        return {};
    });
}

/// Writes `p` as the data of a text frame even if it is binary, which becomes base64: for peers that cannot
/// take binary frames. Otherwise like `encode`.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> encode_as_text(Target&& target, packet const& p,
                                                           revision r = revision::v4) {
    if (auto const good = detail::check(p); !good) return good.error();
    return core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        detail::put_text(out, p, r);
        return {};
    });
}

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
