// The events of a node until the application polls them: copies, as the messages that they come from are gone by then.
#pragma once

#include <socketless/cluster/detail/message.hpp>
#include <socketless/cluster/event.hpp>
#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/packet.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::cluster::detail {

struct kept_event {
    event_type type = event_type::complete;
    std::uint64_t id = 0;
    std::string nsp = {};
    std::string node = {};
    reply_request reply = {};
    std::string text = {}; // JSON
    std::vector<std::string> attachments = {};
    std::uint64_t expected = 0;
    std::uint64_t answers = 0;
    bool is_whole = false;

    void keep(socketio::argument const& value) {
        text = value.json().raw();
        attachments.reserve(value.attachments().size());
        for (byte_view const a : value.attachments()) attachments.emplace_back(as_characters(a));
    }
    [[nodiscard]] std::size_t size() const noexcept {
        constexpr std::size_t overhead = sizeof(kept_event);
        std::size_t n = overhead + nsp.size() + node.size() + text.size();
        n += reply.node().size() + reply.nsp().size() + reply.id().size();
        for (std::string const& a : attachments) n += sizeof(std::string) + a.size();
        return n;
    }
};

class event_queue {
public:
    // Whether `max` bytes of events wait already.
    [[nodiscard]] bool is_full(std::size_t max) const noexcept { return size_ >= max; }

    void push(kept_event e) {
        std::size_t const size = e.size();
        events_.push(std::move(e));
        size_ += size;
    }

    [[nodiscard]] std::optional<event> poll() {
        if (events_.empty()) return std::nullopt;
        size_ -= events_.front().size();
        current_ = std::move(events_.front());
        events_.pop();
        views_.clear();
        for (auto const& a : current_.attachments) views_.push_back(as_bytes(a));

        std::optional<event> told(std::in_place);
        told->type = current_.type;
        told->nsp = current_.nsp;
        told->node = current_.node;
        told->id = current_.id;
        told->reply = std::move(current_.reply);
        told->expected = current_.expected;
        told->answers = current_.answers;
        told->is_whole = current_.is_whole;
        socketio::argument const value(json::text::trusted(current_.text), views_);
        switch (current_.type) {
        case event_type::server_side_event:
            told->packet.packet.type =
                views_.empty() ? socketio::packet_type::event : socketio::packet_type::binary_event;
            told->packet.packet.nsp = current_.nsp;
            told->packet.packet.data = value.json();
            told->packet.packet.attachments = static_cast<std::uint32_t>(views_.size());
            told->packet.attachments = views_;
            break;
        case event_type::sockets: told->sockets = socket_range(value); break;
        case event_type::dropped: told->dropped = current_.answers; break;
        default: told->answer = value; break;
        }
        return told;
    }

private:
    core_detail::fifo<kept_event> events_;
    std::size_t size_ = 0;
    kept_event current_; // the event that was polled last, and its attachments
    std::vector<byte_view> views_;
};

} // namespace socketless::inline v0::cluster::detail

#include <socketless/core/detail/epilogue.hpp>
