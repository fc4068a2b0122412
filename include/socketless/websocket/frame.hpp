// The frames of WebSocket (RFC 6455, 5): their opcodes, close codes and headers, masking, and how a frame is written.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/output.hpp>
#include <socketless/core/result.hpp>
#include <socketless/kernels/blocks.hpp>
#include <socketless/kernels/bulk.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::websocket {

/// Which end of the connection this is. A client masks its frames, a server does not.
enum class role : std::uint8_t { client, server };

/// What a frame is. Source: RFC 6455, 5.2.
enum class opcode : std::uint8_t {
    /// A further fragment of the message that has begun.
    continuation = 0x0,
    /// A message, or its first fragment: UTF-8, or any bytes.
    text = 0x1,
    binary = 0x2,
    /// The end of what this side sends: nothing, or a code of two bytes and a reason in UTF-8.
    close = 0x8,
    /// A question whether the peer is alive, which it answers with a pong that has the same payload.
    ping = 0x9,
    pong = 0xa,
};

/// Whether frames of this kind steer the connection: they are short, whole, and may stand between the fragments of a
/// message.
[[nodiscard]] constexpr bool is_control(opcode code) noexcept {
    return code >= opcode::close;
}

/// The opcode of a message's first frame.
[[nodiscard]] constexpr opcode opcode_of(frame_kind kind) noexcept {
    return kind == frame_kind::text ? opcode::text : opcode::binary;
}

/// The most bytes that a control frame may carry.
inline constexpr std::size_t max_control_payload = 125;

/// The longest reason of a close frame, in bytes: its code takes two.
inline constexpr std::size_t max_close_reason = max_control_payload - 2;

/// Why a connection was closed. Applications use 4000 to 4999, libraries register 3000 to 3999: a cast makes one of
/// these. Source: RFC 6455, 7.4, and the registry of IANA that it begins.
enum class close_code : std::uint16_t {
    /// All is done.
    normal_closure = 1000,
    /// The server stops, or the user leaves the page.
    going_away = 1001,
    /// The peer broke the rules of the protocol.
    protocol_error = 1002,
    /// A kind of message that this side cannot use.
    unsupported_data = 1003,
    /// The peer's close frame had no code. Never sent.
    no_status_received = 1005,
    /// The connection ended without a close frame. Never sent.
    abnormal_closure = 1006,
    /// Text that is not UTF-8, or otherwise not what the message should be.
    invalid_payload_data = 1007,
    /// A message that this side does not accept, for no reason that has a code of its own.
    policy_violation = 1008,
    /// A message that is too large.
    message_too_big = 1009,
    /// The server did not agree to an extension that the client needs.
    mandatory_extension = 1010,
    /// Something unexpected on the side that closes: most often the server.
    internal_error = 1011,
    /// The server restarts, or has too much to do: come back later.
    service_restart = 1012,
    try_again_later = 1013,
    /// A gateway got a bad answer from the server behind it.
    bad_gateway = 1014,
    /// TLS could not be agreed on. Never sent.
    tls_handshake = 1015,
};

/// Whether a close frame may have this code: 1000 to 1003, 1007 to 1014, 3000 to 4999. Source: RFC 6455, 7.4.
[[nodiscard]] constexpr bool may_be_sent(std::uint16_t code) noexcept {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}
[[nodiscard]] constexpr bool may_be_sent(close_code code) noexcept {
    return may_be_sent(static_cast<std::uint16_t>(code));
}

/// The key that a client masks one frame with: random, another for each frame (RFC 6455, 5.3 and 10.3).
using mask_key = std::array<char, 4>;

/// Whether more frames of the same message follow.
enum class fragment : std::uint8_t { not_last, last };

/// The header of one frame: 2 to 14 bytes, with the length in its shortest form.
///
///     header = fin-and-opcode mask-and-length [ extended-length ] [ masking-key ]
///     the highest bit of the first byte is 1 for the last fragment, of the second one if there is a key; the 7 others
///     of the second byte are the length; 126: the next 2 bytes are the length, 127: the next 8 are, big-endian
///
/// For one payload that goes to many peers, write a header and the payload as it is. Source: RFC 6455, 5.2.
class frame_header {
public:
    /// The size of the longest header.
    static constexpr std::size_t longest = 14;

    /// The header of a server's frame with `length` bytes. Precondition: `length` is below 2^63.
    constexpr frame_header(opcode code, std::uint64_t length, fragment f = fragment::last) noexcept {
        begin(code, length, f, 0);
    }
    /// The header of a client's frame; `mask` has to be applied to its payload with the same key.
    constexpr frame_header(opcode code, std::uint64_t length, mask_key key, fragment f = fragment::last) noexcept {
        begin(code, length, f, 0x80);
        for (char const c : key) bytes_[size_++] = c;
    }

    /// Its bytes, valid as long as the header.
    [[nodiscard]] constexpr std::string_view view() const noexcept { return {bytes_.data(), size_}; }

private:
    constexpr void begin(opcode code, std::uint64_t length, fragment f, std::uint64_t masked) noexcept {
        put((f == fragment::last ? 0x80u : 0u) | static_cast<std::uint64_t>(code));
        if (length < 126)
            put(masked | length);
        else if (length <= 0xffff)
            put(masked | 126u), put_big_endian(length, 2);
        else
            put(masked | 127u), put_big_endian(length, 8);
    }
    constexpr void put(std::uint64_t byte) noexcept {
        bytes_[size_++] = static_cast<char>(static_cast<unsigned char>(byte & 0xffu));
    }
    constexpr void put_big_endian(std::uint64_t value, unsigned bytes) noexcept {
        while (bytes-- != 0) put(value >> 8 * bytes);
    }

    std::array<char, longest> bytes_{};
    std::size_t size_ = 0;
};

/// Masks or unmasks bytes of a payload in place; `offset` is where in the payload they begin, so that a payload can be
/// unmasked as it comes. Twice with the same key and offset, it changes nothing. Linear. Source: RFC 6455, 5.3.
constexpr void mask(std::span<char> bytes, mask_key key, std::size_t offset = 0) noexcept {
    if (std::is_constant_evaluated()) {
        for (char& c : bytes) c = static_cast<char>(c ^ key[offset++ % 4]);
        return;
    }
    kernels::mask(bytes.data(), bytes.size(), kernels::blocks::turned(std::bit_cast<std::uint32_t>(key), offset));
}

/// Writes a server's frame, which is the last or only one of its message, and returns its size.
/// Errors: errc::buffer_too_small if the target is a span. Preconditions: a control frame has at most
/// `max_control_payload` bytes; text is UTF-8. Linear.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> write_frame(Target&& target, opcode code, std::string_view payload) {
    SOCKETLESS_ASSERT(!is_control(code) || payload.size() <= max_control_payload);
    return core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        out.put(frame_header(code, payload.size()).view());
        out.put(payload);
        return {};
    });
}

/// The same for a client: masked with `key`. `payload` stays as it is, and must not lie in the target.
template <output_target Target>
[[nodiscard]] constexpr result<std::size_t> write_masked_frame(Target&& target, opcode code, std::string_view payload,
                                                               mask_key key) {
    SOCKETLESS_ASSERT(!is_control(code) || payload.size() <= max_control_payload);
    return core_detail::write_to(target, [&](core_detail::output& out) -> result<void> {
        out.put(frame_header(code, payload.size(), key).view());
        char* const at = out.take(payload.size());
        if (at == nullptr) return {};
        std::copy_n(payload.data(), payload.size(), at);
        mask({at, payload.size()}, key);
        return {};
    });
}

} // namespace socketless::inline v0::websocket

#include <socketless/core/detail/epilogue.hpp>
