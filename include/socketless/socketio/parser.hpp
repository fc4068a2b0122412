// Parsers of one's own: which messages packets become, where that is not Socket.IO's default encoding.
#pragma once

#include <socketless/core/detail/function_ref.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/detail/parsed_packets.hpp>
#include <socketless/socketio/packet.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// Which side sends a packet.
enum class sender : std::uint8_t { client, server };

/// A packet for a `parser` to encode. Borrowed: valid during the call.
struct outgoing_packet {
    /// What writes the payload, as one value.
    using write_function = core_detail::function_ref<void(json::writer&)>;

    /// Its type: never a binary one. Whether there are binary values, the payload tells.
    packet_type type = packet_type::event;
    /// Its namespace. In a CONNECT of revision 4 a query may follow it.
    std::string_view nsp = "/";
    /// The id of the acknowledgement that an event asks for, or that this is.
    std::optional<std::uint64_t> id = std::nullopt;
    /// Who sends it.
    socketio::sender sender = socketio::sender::server;
    /// The payload: what an event or an acknowledgement carries is an array, the name of an event its first element.
    /// Null for a packet without a payload.
    write_function const* payload = nullptr;

    /// Writes the payload to another format; errc::depth_exceeded beyond the depth of `bounds`.
    result<void> write_payload(json::sink& to, limits const& bounds) const {
        json::writer out(to, bounds.max_depth);
        if (payload != nullptr) (*payload)(out);
        return out.status();
    }
};

/// A packet that a `parser` has decoded. The session looks at it as at any other: types, namespaces, payloads and names
/// of events have the same rules whatever the parser.
struct incoming_packet {
    /// Its type: never a binary one.
    packet_type type = packet_type::event;
    /// Its namespace. It points into the message, or into `buffer`.
    std::string_view nsp = "/";
    /// Its id, if it has one.
    std::optional<std::uint64_t> id;
    /// Its payload as JSON: empty if there is none. A parser writes it with `write_payload`.
    std::string payload;
    /// The binary values in the payload. They point into the message, or into `buffer`.
    attachment_list attachments;
    /// For the parser's own use: it lives as long as the packet.
    std::string buffer;

    /// Writes the payload: `write(json::writer&)` writes one value, whose binary values become `attachments`.
    /// Errors: what the writer finds wrong; errc::depth_exceeded beyond the depth of `bounds`.
    template <class Write>
    result<void> write_payload(limits const& bounds, Write write) {
        payload.clear();
        attachments.clear();
        auto const written = core_detail::write_to(payload, [&](core_detail::output& out) {
            json::writer w(out, &attachments, bounds.max_depth);
            write(w);
            return w.status();
        });
        return written ? result<void>() : result<void>(written.error());
    }

    /// The memory that it has.
    [[nodiscard]] std::size_t size() const noexcept {
        return payload.capacity() + buffer.capacity() + attachments.capacity() * sizeof(byte_view);
    }
    /// As if it were new, but with the memory that it has.
    void clear() noexcept {
        type = packet_type::event;
        nsp = "/";
        id.reset();
        payload.clear();
        attachments.clear();
        buffer.clear();
    }
};

/// Makes messages of packets and packets of messages, one of each: the "parser" of the reference's options. Both sides
/// have to use the same one. The applications see no difference: `event::args` and the rest stay as they are.
///
///     class my_parser final : public socketless::socketio::parser {
///         result<frame_kind> encode(outgoing_packet const&, std::string& message, limits const&) const override;
///         result<void> decode(frame message, incoming_packet&, limits const&) const override;
///     };
///     static my_parser const mine;
///     options.parser = &mine;
///
/// One object may serve any number of sessions, on any number of threads: its functions do not change it.
/// See `msgpack_parser` for one that is complete.
class parser {
public:
    /// Writes the message that carries the packet to `message`, which is empty, and returns which kind of message it
    /// is. An error is that of the call that sends the packet, and nothing ends. Text has to be UTF-8
    /// (errc::invalid_utf8) without U+001E, which separates packets in long-polling (errc::separator_in_text).
    /// A parser may refuse events and acknowledgements; but not CONNECT and DISCONNECT, nor an event that it has
    /// encoded before, with another id or one more string at its end, since that event was accepted.
    [[nodiscard]] virtual result<frame_kind> encode(outgoing_packet const& packet, std::string& message,
                                                    limits const& bounds) const = 0;

    /// Decodes a message of the peer, from which anything may come. `packet` is empty before; text is UTF-8. An error
    /// closes the connection with "parse error".
    [[nodiscard]] virtual result<void> decode(frame message, incoming_packet& packet, limits const& bounds) const = 0;

protected:
    parser() = default;
    ~parser() = default;

private:
    friend class message_queue;
    [[nodiscard]] virtual std::unique_ptr<detail::parsed_packets> begin(socketio::sender own_side) const;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#include <socketless/impl/parser.hpp>
#endif
