// Where the messages of a Socket.IO session wait to be sent: packets are encoded here, text first, then attachments.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/frame_queue.hpp>
#include <socketless/core/detail/function_ref.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/detail/values.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/parser.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

namespace detail {

// Encodes a packet with a payload of the shape that its type wants. It is compiled once for all payloads.
inline result<std::size_t> encode_payload(std::string& text, attachment_list* attachments, limits const& bounds,
                                          packet_type type, address const& to, json::detail::values const& payload) {
    return encode_packet(text, attachments, bounds, type, to, payload_shape::known,
                         [&](json::writer& out) { out.value(payload); });
}

// What writes the array of an event or of an acknowledgement.
[[nodiscard]] inline auto array_of(std::string_view name, json::detail::values const& args) noexcept {
    return [name, &args](json::writer& out) { out.begin_array().string(name).value(args).end_array(); };
}
[[nodiscard]] inline auto array_of(json::detail::values const& args) noexcept {
    return [&args](json::writer& out) { out.begin_array().value(args).end_array(); };
}

} // namespace detail

/// The limits of one packet. A call that would queue a larger one returns an error, and nothing ends.
struct packet_bounds {
    /// Bytes of all its messages together (errc::message_too_large).
    std::size_t max_size;
    /// The limits of the receiver. The sender does not know them and takes its own (errc::too_many_attachments,
    /// errc::attachments_too_large, errc::depth_exceeded).
    socketless::limits const& limits;
};

/// Where the messages of a session wait until its `poll_transmit` takes them. One queue may serve any number of
/// sessions if each is drained before another is called: idle sessions then hold no memory for it. With a parser they
/// also share the memory of the packet that was decoded last: an event is valid until the next `poll_event` of any of
/// them.
class message_queue : private core_detail::frame_queue {
public:
    /// Whether nothing waits.
    using frame_queue::empty;
    /// Bytes that wait.
    using frame_queue::size;

    /// What appends a packet: its text, and its attachments.
    using encode_function = detail::encode_function;

    /// For the sessions: queues all messages of the packet that `encode` makes.
    /// Queues nothing if that fails or throws, or if the messages are larger together than `max_size`.
    result<void> put(std::size_t max_size, encode_function encode) {
        if (parser_ != nullptr) [[unlikely]]
            return put_parsed(max_size, encode);
        if (below_ != nullptr) return below_->put(*heads_below_, attachments_, max_size, encode);
        return frame_queue::put({}, attachments_, max_size, encode);
    }
    /// The same for an event or an acknowledgement. Errors: those of `encode_event` and `encode_ack`, and
    /// errc::message_too_large.
    template <class Name, class... Args>
    result<void> put_event(packet_bounds const& bounds, address const& to, Name const& name, Args const&... args) {
        std::string_view const written = detail::name_of(name);
        if (detail::is_reserved(written)) return error{errc::reserved_event_name};
        return put_array(bounds, packet_type::event, to,
                         detail::array_of(written, json::detail::values_of(json::detail::passed_on(args)...)));
    }
    template <class... Args>
    result<void> put_ack(packet_bounds const& bounds, address const& to, Args const&... args) {
        return put_array(bounds, packet_type::ack, to,
                         detail::array_of(json::detail::values_of(json::detail::passed_on(args)...)));
    }
    /// Whether a packet would never fit.
    using frame_queue::is_too_large;

    /// For whoever hands the messages to a transport: what `call()` queues goes to the queue of the transport, each
    /// message behind its head, and need not move there. Precondition: nothing waits here.
    template <class Call>
    auto put_below(core_detail::frame_queue& below, heads const& before, Call call) {
        SOCKETLESS_ASSERT(empty());
        core_detail::rollback const undo([this]() noexcept { below_ = nullptr; });
        below_ = &below;
        heads_below_ = &before;
        return call();
    }

    /// For the sessions: which parser they have, null for the default encoding, and which side they are.
    void use(parser const* p, sender own_side) noexcept {
        parser_ = p;
        side_ = own_side;
    }
    [[nodiscard]] bool has_parser() const noexcept { return parser_ != nullptr; }
    /// Precondition: there is a parser.
    [[nodiscard]] detail::parsed_packets& parsed() {
        if (!parsed_) parsed_ = parser_->begin(side_);
        return *parsed_;
    }
    /// Gives back the memory for a large packet. The packet that was decoded last is not valid then.
    void shrink_parsed() noexcept {
        if (parsed_) parsed_->shrink_packet();
    }

    using frame_queue::clear;
    using frame_queue::exceeds;
    using frame_queue::front;
    using frame_queue::pop;
    using frame_queue::push;
    using frame_queue::shrink;

private:
    result<void> put_array(packet_bounds const& bounds, packet_type type, address const& to,
                           json::detail::values const& array) {
        if (parser_ != nullptr) [[unlikely]]
            return put_parsed(bounds, type, to, array);
        return put(bounds.max_size, [&](std::string& text, attachment_list& attachments) {
            return detail::encode_payload(text, &attachments, bounds.limits, type, to, array);
        });
    }

    SOCKETLESS_NEVER_INLINE result<void> put_parsed(std::size_t max_size, encode_function encode) {
        return parsed().put(parsed_to(max_size), encode);
    }
    SOCKETLESS_NEVER_INLINE result<void> put_parsed(packet_bounds const& bounds, packet_type type, address const& to,
                                                    json::detail::values const& array) {
        return parsed().put_array(parsed_to(bounds.max_size), type, to, array, bounds.limits);
    }
    [[nodiscard]] detail::parsed_packets::destination parsed_to(std::size_t max_size) noexcept {
        if (below_ != nullptr) return {*below_, *heads_below_, max_size};
        return {*this, {}, max_size};
    }

    core_detail::frame_queue* below_ = nullptr; // during a call
    heads const* heads_below_ = nullptr;
    attachment_list attachments_; // of the packet that is being put: their memory is used again
    parser const* parser_ = nullptr;
    sender side_ = sender::server;
    std::unique_ptr<detail::parsed_packets> parsed_; // once there is something to do with the parser
};

namespace detail {

// Encodes an event that goes past a queue, within the bounds that the queue would hold it to.
inline result<void> encode_event_within(std::string& text, attachment_list& attachments, packet_bounds const& bounds,
                                        address const& to, std::string_view name, json::detail::values const& args) {
    if (is_reserved(name)) return error{errc::reserved_event_name};
    auto const encoded =
        encode_payload(text, &attachments, bounds.limits, packet_type::event, to, array_of(name, args));
    if (!encoded) return encoded.error();
    if (message_queue::is_too_large(text.size(), attachments, bounds.max_size)) return error{errc::message_too_large};
    return {};
}

} // namespace detail
} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
