// The errors in input and in calls: errc names them, error also says where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// What went wrong. The enumerators are grouped by the layer that reports them; `name` and `message` put
/// them into words. Converts implicitly to `std::error_code`.
enum class errc : std::uint8_t {
    // text and buffers
    invalid_utf8 = 1,
    invalid_base64,
    buffer_too_small,

    // JSON
    invalid_json,
    depth_exceeded,
    wrong_kind,
    not_an_integer,
    out_of_range,
    lone_surrogate,
    escaped_string,
    null_string,

    // MessagePack, which shares those of JSON
    invalid_msgpack,

    // Engine.IO packets, payloads, streams, handshakes and requests
    unknown_packet_type,
    empty_packet,
    invalid_length,
    truncated_packet,
    payload_too_large,
    too_many_packets,
    separator_in_text,
    invalid_handshake,
    invalid_request_target,

    // Engine.IO sessions
    not_open,
    queue_overflow,
    message_too_large,
    would_wait,

    // Socket.IO packets
    invalid_attachment_count,
    too_many_attachments,
    attachments_too_large,
    invalid_namespace,
    invalid_ack_id,
    missing_ack_id,
    invalid_payload,
    invalid_event_name,
    reserved_event_name,
    invalid_placeholder,
    unexpected_text,
    unexpected_binary,
    missing_argument,

    // Socket.IO sessions
    not_connected,
    already_connected,
    already_acknowledged,
    too_many_acks,
    buffer_full,

    // clusters
    too_many_requests,

    // HTTP
    invalid_start_line,
    unsupported_http_version,
    target_too_long,
    invalid_field,
    too_many_fields,
    head_too_large,
    invalid_host,
    invalid_content_length,
    invalid_transfer_coding,
    unknown_transfer_coding,
    invalid_chunk,
    truncated_message,
    invalid_url,

    // WebSocket
    not_a_websocket_handshake,
    unsupported_websocket_version,
    invalid_websocket_key,
    unoffered_extension,
    unoffered_subprotocol,
    reserved_bits,
    unknown_opcode,
    invalid_masking,
    invalid_control_frame,
    unexpected_fragment,
    too_many_fragments,
    invalid_close_code,
};

namespace detail {

struct errc_text {
    errc code;
    std::string_view name;
    std::string_view message;
};

inline constexpr errc_text errc_texts[] = {
    {errc::invalid_utf8, "invalid_utf8", "text is not valid UTF-8"},
    {errc::invalid_base64, "invalid_base64", "text is not base64 of the standard alphabet"},
    {errc::buffer_too_small, "buffer_too_small", "the buffer given is too small"},
    {errc::invalid_json, "invalid_json", "text is not JSON"},
    {errc::depth_exceeded, "depth_exceeded", "JSON is nested deeper than the limit"},
    {errc::wrong_kind, "wrong_kind", "the JSON value is of another kind"},
    {errc::not_an_integer, "not_an_integer", "the JSON number is not an integer"},
    {errc::out_of_range, "out_of_range", "the JSON number does not fit the type asked for"},
    {errc::lone_surrogate, "lone_surrogate", "the JSON string has half a surrogate pair, which UTF-8 cannot hold"},
    {errc::escaped_string, "escaped_string", "the JSON string has escapes, so that its contents cannot be borrowed"},
    {errc::null_string, "null_string", "a null pointer where a string is due"},
    {errc::invalid_msgpack, "invalid_msgpack", "the bytes are not MessagePack"},
    {errc::unknown_packet_type, "unknown_packet_type", "unknown packet type"},
    {errc::empty_packet, "empty_packet", "a packet without even a type"},
    {errc::invalid_length, "invalid_length", "the length of a packet is invalid"},
    {errc::truncated_packet, "truncated_packet", "a packet ends before its length"},
    {errc::payload_too_large, "payload_too_large", "the payload is larger than the limit"},
    {errc::too_many_packets, "too_many_packets", "the payload has more packets than the limit"},
    {errc::separator_in_text, "separator_in_text", "text with a record separator in it cannot go into a v4 payload"},
    {errc::invalid_handshake, "invalid_handshake", "the handshake lacks a field or has one that is not valid"},
    {errc::invalid_request_target, "invalid_request_target", "the request target cannot be read"},
    {errc::not_open, "not_open", "the session is not open"},
    {errc::queue_overflow, "queue_overflow", "the queue would exceed its limit: the session closes"},
    {errc::message_too_large, "message_too_large", "the message alone exceeds the limit of the queue"},
    {errc::would_wait, "would_wait", "a volatile message would have to wait, and was dropped"},
    {errc::invalid_attachment_count, "invalid_attachment_count", "the number of attachments is invalid"},
    {errc::too_many_attachments, "too_many_attachments", "more attachments than the limit"},
    {errc::attachments_too_large, "attachments_too_large", "the attachments together are larger than the limit"},
    {errc::invalid_namespace, "invalid_namespace", "the name of the namespace is invalid"},
    {errc::invalid_ack_id, "invalid_ack_id", "the acknowledgement id is over 2^53-1"},
    {errc::missing_ack_id, "missing_ack_id", "an acknowledgement without an id"},
    {errc::invalid_payload, "invalid_payload", "the packet type does not allow this payload"},
    {errc::invalid_event_name, "invalid_event_name", "an event's name is neither a string nor a number"},
    {errc::reserved_event_name, "reserved_event_name", "the event's name is reserved"},
    {errc::invalid_placeholder, "invalid_placeholder", "a placeholder does not name an attachment"},
    {errc::unexpected_text, "unexpected_text", "text where an attachment is due"},
    {errc::unexpected_binary, "unexpected_binary", "binary where no attachment is due"},
    {errc::missing_argument, "missing_argument", "fewer arguments than asked for"},
    {errc::not_connected, "not_connected", "the socket is not connected"},
    {errc::already_connected, "already_connected", "the socket is connected, or about to be"},
    {errc::already_acknowledged, "already_acknowledged", "the event was acknowledged, or asked for no acknowledgement"},
    {errc::too_many_acks, "too_many_acks", "the limit of awaited acknowledgements is reached"},
    {errc::buffer_full, "buffer_full", "the events that wait for the socket to connect would exceed the limit"},
    {errc::too_many_requests, "too_many_requests", "the limit of requests that wait for other nodes is reached"},
    {errc::invalid_start_line, "invalid_start_line", "the first line of the HTTP message cannot be read"},
    {errc::unsupported_http_version, "unsupported_http_version", "the version of HTTP is neither 1.0 nor 1.1"},
    {errc::target_too_long, "target_too_long", "the request target is longer than the limit"},
    {errc::invalid_field, "invalid_field", "a field of the HTTP message breaks the grammar"},
    {errc::too_many_fields, "too_many_fields", "the HTTP message has more fields than the limit"},
    {errc::head_too_large, "head_too_large", "the head of the HTTP message is larger than the limit"},
    {errc::invalid_host, "invalid_host", "the request has not exactly one valid Host"},
    {errc::invalid_content_length, "invalid_content_length", "the Content-Length is invalid, or there are several"},
    {errc::invalid_transfer_coding, "invalid_transfer_coding", "the Transfer-Encoding leaves the end of the body open"},
    {errc::unknown_transfer_coding, "unknown_transfer_coding", "a transfer coding other than chunked"},
    {errc::invalid_chunk, "invalid_chunk", "a chunk of the body breaks the grammar or a limit"},
    {errc::truncated_message, "truncated_message", "the connection ended before the HTTP message"},
    {errc::invalid_url, "invalid_url", "the text is not the URL of a server"},
    {errc::not_a_websocket_handshake, "not_a_websocket_handshake", "the message does not open a WebSocket"},
    {errc::unsupported_websocket_version, "unsupported_websocket_version", "the WebSocket version is not 13"},
    {errc::invalid_websocket_key, "invalid_websocket_key", "the key of the WebSocket, or its answer, is wrong"},
    {errc::unoffered_extension, "unoffered_extension", "the server chose an extension that was not offered"},
    {errc::unoffered_subprotocol, "unoffered_subprotocol", "the server chose a subprotocol that was not offered"},
    {errc::reserved_bits, "reserved_bits", "a frame has a reserved bit set"},
    {errc::unknown_opcode, "unknown_opcode", "a frame has an unknown opcode"},
    {errc::invalid_masking, "invalid_masking", "a client's frame is not masked, or a server's is"},
    {errc::invalid_control_frame, "invalid_control_frame", "a control frame is fragmented or too long"},
    {errc::unexpected_fragment, "unexpected_fragment", "a fragment of no message, or a message within a message"},
    {errc::too_many_fragments, "too_many_fragments", "the message has more fragments than the limit"},
    {errc::invalid_close_code, "invalid_close_code", "a close frame has a code that may not be sent"},
};

// Codes start at 1 and are listed in order.
constexpr errc_text text_of(errc code) noexcept {
    auto const index = static_cast<std::size_t>(code) - 1;
    return index < std::size(errc_texts) ? errc_texts[index] : errc_text{code, "unknown", "unknown error"};
}

static_assert([] {
    for (std::size_t i = 0; i != std::size(errc_texts); ++i)
        if (static_cast<std::size_t>(errc_texts[i].code) != i + 1) return false;
    return true;
}());

class errc_category final : public std::error_category {
public:
    [[nodiscard]] char const* name() const noexcept override { return "socketless"; }
    [[nodiscard]] std::string message(int code) const override {
        return std::string(text_of(static_cast<errc>(code)).message);
    }
};

} // namespace detail

/// The enumerator's own name, for logs: `name(errc::invalid_json) == "invalid_json"`.
[[nodiscard]] constexpr std::string_view name(errc code) noexcept {
    return detail::text_of(code).name;
}

/// One line for a person to read.
[[nodiscard]] constexpr std::string_view message(errc code) noexcept {
    return detail::text_of(code).message;
}

/// The category of `std::error_code`s made from `errc`; its name is "socketless".
[[nodiscard]] inline std::error_category const& error_category() noexcept {
    static detail::errc_category const category;
    return category;
}

/// The code as a `std::error_code`, of `error_category`.
[[nodiscard]] inline std::error_code make_error_code(errc code) noexcept {
    return {static_cast<int>(code), error_category()};
}

/// What was wrong and where: `offset` counts bytes from the start of the input that was refused. With
/// errc::buffer_too_small it is a size in bytes that is enough: from an encoder, the exact size of its output. From
/// `socketio::arguments::get` it is the index of an argument.
struct error {
    /// What was wrong.
    errc code{};
    /// Where, in bytes, unless `code` gives it another meaning: see above.
    std::size_t offset = 0;

    friend constexpr bool operator==(error const&, error const&) noexcept = default;
};

} // namespace socketless::inline v0

template <>
struct std::is_error_code_enum<socketless::errc> : std::true_type {};

#include <socketless/core/detail/epilogue.hpp>
