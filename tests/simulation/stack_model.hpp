// A model of whole stacks: events, sockets, acknowledgements, and what a store for recovery must keep; as simple as
// possible, without sessions, queues and slots.
#pragma once

#include "simulation/stack_plan.hpp"

#include <socketless/core/frame.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

using socketio::disconnect_reason;
using socketio::socket_handle;
using socketless::byte_view;

//=== events and answers ===//

// The contents of an event or an acknowledgement, which follow from its number.
struct content {
    std::string text;
    std::vector<std::string> bytes;
    std::vector<byte_view> attachments{};

    content(std::size_t number, std::size_t attachment_count, std::size_t size) {
        static constexpr std::string_view pieces[] = {"a", "\"", "\\", "\n", "\xc3\xa9", "\xf0\x9f\x98\x80", "]", "{"};
        for (std::size_t i = 0; text.size() < size; ++i) text += pieces[(number + i * i) % std::size(pieces)];
        for (std::size_t i = 0; i != attachment_count; ++i)
            bytes.emplace_back((number * 7 + i * 3) % 20, static_cast<char>(number + i * 100));
        for (std::string const& b : bytes) attachments.push_back(socketless::as_bytes(b));
    }
    content(content const&) = delete;
    content& operator=(content const&) = delete;
};

inline std::string_view event_name_of(std::size_t number) {
    static constexpr std::string_view names[] = {"news", "say \"\xc3\xa9\"", "error", "", "message"};
    return names[number % std::size(names)];
}

struct emitted {
    std::size_t client = 0; // the client that sends it, or answers; unused in an event of the server
    std::size_t nsp = 0;
    std::size_t attachments = 0;
    std::size_t size = 0;
    bool is_up = false;
    bool asks = false;
    bool is_volatile = false;
    bool is_retried = false;
    // Of an answer: the event.
    std::optional<std::size_t> answer_to = std::nullopt;
    // How often it was put on the wire; how often it has arrived.
    std::size_t sent = 0;
    std::size_t received = 0;
    // How often its socket had been disconnected before.
    std::size_t ends = 0;
    // Whether it was answered.
    bool is_answered = false;

    [[nodiscard]] content contents(std::size_t number) const { return {number, attachments, size}; }
};

// Numbers in the order in which they were sent, and how many of them were put on the wire, and have arrived.
struct stream {
    std::vector<std::size_t> sent;
    std::size_t wired = 0;
    std::size_t received = 0;
    // The receiver ignores events from before it was connected: any may be the first to arrive.
    bool begins_anywhere = false;

    [[nodiscard]] bool is_complete() const noexcept { return received == sent.size() || begins_anywhere; }

    // Returns whether it is the next number.
    [[nodiscard]] bool receive(std::size_t number) {
        if (std::exchange(begins_anywhere, false))
            while (received != sent.size() && sent[received] != number) ++received;
        return received != sent.size() && sent[received++] == number;
    }
};

//=== sockets ===//

// The secret and the offset of an earlier connection in a CONNECT.
struct claim {
    std::string pid;
    std::string offset;
};

// A socket of the server, from CONNECT to its end.
struct joining {
    enum class state : std::uint8_t { asked, refused, connected, ending, ended };

    std::size_t client = 0;
    std::size_t attempt = 0;
    std::size_t nsp = 0;
    socket_handle socket = {};
    state at = state::asked;
    support::claim claim = {};
    std::string sid = {};
    std::string pid = {}; // once the wire has shown it
    bool is_recovered = false;
    std::vector<std::string> rooms = {};
    std::uint64_t data = 0;
    stream up = {};
    stream down = {};
    // The last event with retries that came: its place among those of the client's socket.
    std::size_t last_retried = 0;
    // The application never decides whether it may join.
    bool is_ignored = false;
    // It has ended, but `disconnected` was not polled yet: nothing is sent to it any more.
    bool is_lost = false;
    // The application has disconnected it.
    bool was_disconnected = false;
    // Its client has had `connected`; `disconnected`.
    bool joined = false;
    bool left = false;
    // Its client has disconnected it.
    bool client_disconnected = false;
    // It may be restored, from its end on, once.
    std::optional<time_point> persisted = std::nullopt;

    [[nodiscard]] bool is_connected() const noexcept { return at == state::connected && !is_lost; }
    [[nodiscard]] bool was_accepted() const noexcept { return !sid.empty(); }
    [[nodiscard]] bool is_in(std::string_view room) const {
        return room == sid || std::find(rooms.begin(), rooms.end(), room) != rooms.end();
    }
};

// A socket of a client, which outlives its connections.
struct client_socket {
    std::optional<socket_handle> handle = std::nullopt;
    bool wanted = false;
    bool asks_for_auth = false;
    bool is_asked = false; // for its auth, and has not answered
    std::optional<std::size_t> at = std::nullopt;
    std::vector<std::size_t> waiting = {};
    std::vector<std::size_t> retried = {}; // all there ever were
    std::size_t last_tried = 0;            // the place of the last on the wire
    claim knows = {};
    std::size_t ends = 0; // how often it was disconnected
};

//=== recovery ===//

// The audience of a broadcast.
struct audience_names {
    std::vector<std::string> to = {};
    std::vector<std::string> except = {};

    // Whether a socket belongs to it; its own id is one of its rooms.
    [[nodiscard]] bool includes(joining const& j) const {
        auto const is_in = [&j](std::string const& room) { return j.is_in(room); };
        return (to.empty() || std::any_of(to.begin(), to.end(), is_in)) &&
               std::none_of(except.begin(), except.end(), is_in);
    }
};

// The events that must be kept for clients that may come back.
class kept_events {
public:
    explicit kept_events(std::optional<socketio::recovery_options> const& options) : options_(options) {}

    [[nodiscard]] bool is_on() const noexcept { return options_.has_value(); }
    [[nodiscard]] bool is_short() const noexcept { return is_on() && options_->max_packets < 1'000; }

    void keep(std::size_t number, std::size_t nsp, audience_names names, time_point now) {
        expire(now);
        events_.push_back({number, nsp, std::move(names), now});
        while (events_.size() - first_ > options_->max_packets) drop();
    }

    // The offset of an event is known once it has arrived somewhere. False if it contradicts what is known.
    [[nodiscard]] bool note_offset(std::size_t number, std::string const& offset) {
        auto const event =
            std::find_if(events_.rbegin(), events_.rend(), [=](auto const& e) { return e.number == number; });
        if (event == events_.rend()) return false;
        auto const place = static_cast<std::size_t>(events_.rend() - event) - 1;
        return places_.emplace(offset, place).first->second == place;
    }

    [[nodiscard]] bool can_restore(joining const& old, claim const& c, std::size_t nsp, time_point now) {
        expire(now);
        if (!old.persisted || old.nsp != nsp || *old.persisted + options_->max_disconnection_duration <= now)
            return false;
        auto const place = places_.find(c.offset);
        return place != places_.end() && place->second + 1 >= dropped_[nsp];
    }

    [[nodiscard]] std::vector<std::size_t> missed(joining const& old, std::string const& offset) const {
        std::vector<std::size_t> numbers;
        for (std::size_t i = std::max(first_, places_.at(offset) + 1); i < events_.size(); ++i)
            if (events_[i].nsp == old.nsp && events_[i].names.includes(old)) numbers.push_back(events_[i].number);
        return numbers;
    }

private:
    struct kept {
        std::size_t number;
        std::size_t nsp;
        audience_names names;
        time_point at;
    };

    void expire(time_point now) {
        while (first_ != events_.size() && events_[first_].at + options_->max_disconnection_duration <= now) drop();
    }
    void drop() {
        dropped_[events_[first_].nsp] = first_ + 1;
        ++first_;
    }

    std::optional<socketio::recovery_options> options_;
    std::deque<kept> events_;                            // all there ever were
    std::size_t first_ = 0;                              // the first that is still kept
    std::array<std::size_t, namespace_count> dropped_{}; // one behind the last dropped event of each namespace
    std::map<std::string, std::size_t> places_;          // by offset
};

} // namespace support
