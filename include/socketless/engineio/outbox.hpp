// What a session has to send: messages of its own, kept together in one buffer, and shared ones, which are not copied.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace socketless::inline v0::engineio {

/// A message that is encoded once and queued by any number of sessions without a copy: for broadcasts.
/// Immutable; cheap to copy; the bytes go with the last session that holds it.
class shared_message {
public:
    shared_message() noexcept = default;

    /// Precondition: text is UTF-8.
    explicit shared_message(frame message)
        : wire_(std::make_shared<std::string const>(detail::wire_type(message.kind) + std::string(message.data))),
          kind_(message.kind), has_separator_(message.kind == frame_kind::text &&
                                              message.data.find(packet_separator) != std::string_view::npos) {}

    [[nodiscard]] explicit operator bool() const noexcept { return wire_ != nullptr; }
    [[nodiscard]] frame_kind kind() const noexcept { return kind_; }
    /// Whether it is text with a record separator in it, which cannot go into a body of revision 4.
    [[nodiscard]] bool has_separator() const noexcept { return has_separator_; }
    /// The type of the packet and the message: a text frame, or a binary one of revision 3.
    [[nodiscard]] std::string_view wire() const noexcept { return *wire_; }

private:
    std::shared_ptr<std::string const> wire_;
    frame_kind kind_ = frame_kind::text;
    bool has_separator_ = false;
};

namespace detail {

// A queue of messages, first in, first out. The bytes of those that are not shared stand in one buffer, which is
// reused: a queue that has found its size does not allocate.
class outbox {
public:
    struct message {
        frame_kind kind;
        // With the type of the packet before it.
        std::string_view wire;

        [[nodiscard]] std::string_view data() const noexcept { return wire.substr(1); }
    };

    [[nodiscard]] bool empty() const noexcept { return head_ == entries_.size(); }
    /// The bytes of all that is queued, shared messages included.
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    void push(frame m) {
        compact();
        std::size_t const begin = bytes_.size();
        bytes_ += wire_type(m.kind);
        bytes_ += m.data;
        entries_.push_back({m.kind, begin, bytes_.size() - begin, {}});
        size_ += m.data.size() + 1;
    }

    void push(shared_message m) {
        compact();
        std::size_t const size = m.wire().size();
        auto const kind = m.kind();
        entries_.push_back({kind, bytes_.size(), 0, std::move(m)});
        size_ += size;
    }

    // Whether more than `limit` bytes wait, or so many messages that keeping track of them takes as much.
    [[nodiscard]] bool exceeds(std::size_t limit) const noexcept {
        constexpr std::size_t few = 1024;
        std::size_t const count = entries_.size() - head_;
        return size_ > limit || (count > few && count > limit / sizeof(entry));
    }

    // Precondition: not empty.
    [[nodiscard]] message front() const noexcept { return at(head_); }

    // Takes the first message off. Its bytes stay until the next push.
    void pop() noexcept {
        SOCKETLESS_ASSERT(!empty());
        size_ -= front().wire.size();
        ++head_;
    }

    // Whether any message, from the first to the last, is binary.
    [[nodiscard]] bool has_binary() const noexcept {
        for (std::size_t i = head_; i != entries_.size(); ++i)
            if (entries_[i].kind == frame_kind::binary) return true;
        return false;
    }

    // Forgets all that is queued and the memory for it.
    void clear() noexcept {
        std::vector<entry>().swap(entries_);
        std::string().swap(bytes_);
        head_ = 0;
        size_ = 0;
    }

    // Gives back memory that a burst has left behind.
    void shrink() noexcept {
        if (empty() && bytes_.capacity() + entries_.capacity() != 0) clear();
    }

private:
    struct entry {
        frame_kind kind;
        std::size_t begin;
        std::size_t size;
        shared_message shared;
    };

    [[nodiscard]] message at(std::size_t i) const noexcept {
        entry const& e = entries_[i];
        return {e.kind, e.shared ? e.shared.wire() : std::string_view(bytes_).substr(e.begin, e.size)};
    }

    // Drops what has been taken off: at once when nothing is left, else when it is half of the queue.
    void compact() {
        if (head_ == 0) return;
        if (!empty() && head_ < entries_.size() - head_) return;
        std::size_t const taken = empty() ? bytes_.size() : entries_[head_].begin;
        bytes_.erase(0, taken);
        entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(head_));
        for (entry& e : entries_) e.begin -= taken;
        head_ = 0;
    }

    std::vector<entry> entries_;
    std::string bytes_;
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

} // namespace detail
} // namespace socketless::inline v0::engineio
