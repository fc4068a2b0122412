// Where the messages of a Socket.IO session wait to be sent: packets are encoded here, text first, then attachments.
#pragma once

#include <socketless/core/detail/frame_queue.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/result.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <cstddef>
#include <string>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// Where the messages of a session wait until its `poll_transmit` takes them. One queue may serve any number of sessions
/// if each is drained before another is called: idle sessions then hold no memory for it.
class message_queue : private socketless::detail::frame_queue {
public:
    using frame_queue::empty;
    /// Bytes that wait.
    using frame_queue::size;

    // For the sessions: queues the messages of the packet that `encode(std::string&, attachment_list&)` encodes: all, or
    // none where it fails or throws.
    template <class Encode>
    result<void> put(Encode encode) {
        attachment_list attachments;
        auto const put = encode_text([&](std::string& text) { return encode(text, attachments); });
        if (!put || attachments.empty()) return put;
        // Without all of its attachments the peer would never get past the text.
        socketless::detail::rollback undo([this, before = count() - 1]() noexcept { truncate(before); });
        for (byte_view const attachment : attachments) push(frame_kind::binary, {}, as_characters(attachment));
        undo.commit();
        return {};
    }
    template <class Name, class... Args>
    result<void> put_event(address const& to, Name const& name, Args const&... args) {
        return put([&](std::string& text, attachment_list& attachments) {
            return encode_event(text, attachments, to, detail::name_of(name), args...);
        });
    }
    template <class... Args>
    result<void> put_ack(address const& to, Args const&... args) {
        return put([&](std::string& text, attachment_list& attachments) {
            return encode_ack(text, attachments, to, args...);
        });
    }
    using frame_queue::clear;
    using frame_queue::exceeds;
    using frame_queue::front;
    using frame_queue::pop;
    using frame_queue::push;
    using frame_queue::shrink;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
