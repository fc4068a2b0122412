// What sessions know of a parser of the application's.
#pragma once

#include <socketless/core/detail/frame_queue.hpp>
#include <socketless/core/detail/function_ref.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/socketio/assembler.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/packet.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio::detail {

// What appends a packet in the default encoding: its text, and its attachments.
using encode_function = core_detail::function_ref<result<std::size_t>(std::string&, attachment_list&)>;

// What a session with a parser works with: messages of packets and packets of messages. One may serve any number of
// sessions, one after the other. Virtual, so that a program without parsers has no code for them.
class parsed_packets {
public:
    parsed_packets() = default;
    parsed_packets(parsed_packets const&) = delete;
    parsed_packets& operator=(parsed_packets const&) = delete;
    virtual ~parsed_packets() = default;

    // Where messages go, each behind its head, and how large they may be (errc::message_too_large).
    struct destination {
        core_detail::frame_queue& queue; // NOLINT(*-ref-data-members): it lives for one call
        core_detail::frame_queue::heads before;
        std::size_t max_size;
    };

    // Queues the message of an event or an acknowledgement, or of a packet that the default encoding makes.
    virtual result<void> put_array(destination const& where, packet_type type, address const& to,
                                   json::detail::values const& array, limits const& bounds) = 0;
    virtual result<void> put(destination const& where, encode_function encode) = 0;
    // The message of a packet that the default encoding has made: valid until the next one is encoded.
    [[nodiscard]] virtual result<frame> encode_again(std::string_view text, std::span<byte_view const> attachments) = 0;
    // The packet that a message carries: valid until the next one is decoded.
    [[nodiscard]] virtual result<message> decode(frame f, text_check text, revision r, limits const& bounds) = 0;
    // Gives back the memory for what is larger than most packets: that of the last message, which is not valid then,
    // and that of the packet that was decoded last.
    virtual void shrink_message() noexcept = 0;
    virtual void shrink_packet() noexcept = 0;
};

// With a parser, binary values are parts of their message, whose size is limited: there may be any number of them.
constexpr void limit_messages_only(limits& bounds) noexcept {
    bounds.max_attachments = no_limits.max_attachments;
    bounds.max_attachments_size = no_limits.max_attachments_size;
}

} // namespace socketless::inline v0::socketio::detail

#include <socketless/core/detail/epilogue.hpp>
