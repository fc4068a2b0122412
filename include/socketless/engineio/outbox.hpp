// The queue of an Engine.IO session: messages of its own, and shared ones, which are not copied.
#pragma once

#include <socketless/core/detail/frame_queue.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

namespace detail {
class outbox;
} // namespace detail

/// A message that is encoded once and queued by any number of sessions without a copy: for broadcasts.
/// Immutable; cheap to copy; the bytes go with the last session that holds it.
class shared_message {
public:
    /// No message.
    shared_message() noexcept = default;

    /// Precondition: text is UTF-8.
    explicit shared_message(frame message)
        : wire_(std::make_shared<std::string const>(detail::wire_type(message.kind) + std::string(message.data))),
          kind_(message.kind), has_separator_(message.kind == frame_kind::text &&
                                              message.data.find(packet_separator) != std::string_view::npos) {}

    /// Whether there is a message.
    [[nodiscard]] explicit operator bool() const noexcept { return wire_ != nullptr; }
    /// Whether it is text or binary.
    [[nodiscard]] frame_kind kind() const noexcept { return kind_; }
    /// Whether it is text with a record separator in it, which cannot go into a body of revision 4.
    [[nodiscard]] bool has_separator() const noexcept { return has_separator_; }
    /// The type of the packet and the message: a text frame, or a binary frame of revision 3.
    [[nodiscard]] std::string_view wire() const noexcept { return *wire_; }

private:
    friend class detail::outbox;

    std::shared_ptr<std::string const> wire_;
    frame_kind kind_ = frame_kind::text;
    bool has_separator_ = false;
};

namespace detail {

// A queue of messages, each with the type of its packet before it: as it goes over a WebSocket. A shared message that
// is the first to wait lies in the outbox itself, so that a broadcast touches no other memory of a receiver.
class outbox : private core_detail::frame_queue {
public:
    struct message {
        frame_kind kind;
        std::string_view wire;
        std::shared_ptr<std::string const> const* shared; // if others queue it too

        [[nodiscard]] std::string_view data() const noexcept { return wire.substr(1); }
    };

    using frame_queue::adopt;
    using frame_queue::has_memory;
    using frame_queue::memory;
    using frame_queue::release;

    [[nodiscard]] bool empty() const noexcept { return !first_waits_ && frame_queue::empty(); }
    [[nodiscard]] std::size_t size() const noexcept {
        return frame_queue::size() + (first_waits_ ? first_->size() : 0);
    }
    [[nodiscard]] bool exceeds(std::size_t limit) const noexcept {
        return first_waits_ ? exceed(size(), count() + 1, limit) : frame_queue::exceeds(limit);
    }
    [[nodiscard]] bool has_binary() const noexcept {
        return (first_waits_ && front().kind == frame_kind::binary) || frame_queue::has_binary();
    }

    // What goes before the messages of the layer above, for a layer that puts them here itself.
    static constexpr heads message_heads{wire_type(frame_kind::text), wire_type(frame_kind::binary)};
    [[nodiscard]] frame_queue& frames() noexcept { return *this; }

    void push(frame m) {
        char const type = wire_type(m.kind);
        frame_queue::push(m.kind, {&type, 1}, m.data);
    }
    void push(shared_message m) {
        if (!empty()) return frame_queue::push(m.kind(), std::move(m.wire_));
        first_ = std::move(m.wire_);
        first_waits_ = true;
    }

    // Precondition: not empty.
    [[nodiscard]] message front() const noexcept {
        if (first_waits_) {
            bool const is_text = first_->front() == wire_type(frame_kind::text);
            return {is_text ? frame_kind::text : frame_kind::binary, *first_, &first_};
        }
        return message_of(front_with_owner());
    }
    // The same, and takes it off.
    [[nodiscard]] message take() noexcept {
        if (!first_waits_) return message_of(frame_queue::take());
        message const m = front();
        first_waits_ = false;
        return m;
    }
    // Takes the first message off. Its bytes stay until the next one is queued.
    void pop() noexcept {
        if (first_waits_)
            first_waits_ = false;
        else
            frame_queue::pop();
    }

    void clear() noexcept {
        first_.reset();
        first_waits_ = false;
        frame_queue::clear();
    }
    // Gives back memory that a burst has left behind.
    void shrink() noexcept {
        if (!first_waits_) first_.reset();
        frame_queue::shrink();
        is_used_often = false;
    }

private:
    [[nodiscard]] static message message_of(owned_frame const& f) noexcept { return {f.kind, f.data, f.owner}; }

    std::shared_ptr<std::string const> first_; // before all others, or taken off
    bool first_waits_ = false;

public:
    // The memory is kept for the next message. It is not after the first message since it was given back.
    bool is_used_often = false;
};

} // namespace detail
} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
