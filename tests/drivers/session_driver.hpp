// Drives any Engine.IO session or server by hand: a clock, and the loop that drains it into lines (see lines.hpp).
#pragma once

#include "drivers/lines.hpp"
#include "drivers/under_way.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/core/time.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/engineio/session.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace support {

// The clock and the loop that drive any session. They check what holds for all of them: each exchange is answered, or
// each channel closed, once; nothing follows the end.
template <class Session>
class driver : public under_way {
public:
    template <class... Arguments>
    explicit driver(Arguments&&... arguments) : session(std::forward<Arguments>(arguments)...) {}

    Session session;
    socketless::time_point now = start;
    int drains = 0;
    // The sessions of a server, in the order in which they opened.
    std::vector<engineio::session_handle> handles;
    // The address of the bytes of the last send.
    char const* sent_from = nullptr;

    // The events and transmits of the session, until both run dry.
    lines drain() {
        lines all;
        std::string buffer;
        for (;;) {
            if (auto const e = session.poll_event()) {
                take(*e, all);
            } else if (auto const t = session.poll_transmit(buffer)) {
                take(*t);
                all.push_back(show(*t));
            } else {
                return all;
            }
        }
    }

    // The lines that `input` leads to.
    template <class Input>
    lines after(Input input) {
        input();
        return drain();
    }

    // Inputs on a channel, in memory that is gone once they have been read; the end of the channel.
    lines websocket(std::uint64_t channel, frame message) {
        exact_copy const copy(message.data);
        return after([&] { session.websocket_received(channel, {message.kind, copy.view()}, now); });
    }
    lines websocket(std::uint64_t channel, std::string_view message) { return websocket(channel, text(message)); }
    lines stream(std::uint64_t channel, std::string_view chunk) {
        exact_copy const copy(chunk);
        return after([&] { session.stream_received(channel, copy.view(), now); });
    }
    lines cut(std::uint64_t channel) {
        channels.erase(channel);
        return after([&] { session.channel_closed(channel, now); });
    }

    // Lets time pass until `ms` milliseconds after the start; calls the session when its timer is due.
    lines at(std::int64_t ms) {
        auto const until = start + std::chrono::milliseconds(ms);
        lines all;
        int calls = 0;
        for (auto due = session.poll_timeout(); due && *due <= until; due = session.poll_timeout()) {
            REQUIRE(++calls < 10'000);
            now = std::max(now, *due);
            session.handle_timeout(now);
            append(all, drain());
        }
        now = until;
        session.handle_timeout(now); // one too many does no harm
        append(all, drain());
        return all;
    }

protected:
    static void append(lines& all, lines const& more) { all.insert(all.end(), more.begin(), more.end()); }

private:
    void take(engineio::event const& e, lines& all) {
        REQUIRE_FALSE(closed_);
        // A client may open again.
        closed_ = e.type == engineio::event_type::closed && !requires {
            session.open(now);
        };
        if (e.type == engineio::event_type::drained)
            ++drains;
        else
            all.push_back(show(e));
    }
    void take(engineio::server_event const& e, lines& all) {
        auto& closed = ended_[{e.session.index, e.session.generation}];
        REQUIRE_FALSE(closed);
        closed = e.event.type == engineio::event_type::closed;
        if (e.event.type == engineio::event_type::opened) handles.push_back(e.session);
        if (e.event.type == engineio::event_type::drained)
            ++drains;
        else
            all.push_back(std::to_string(e.session.index) + " " + show(e.event));
    }

    void take(engineio::transmit const& t) {
        note(t);
        if (t.type == engineio::transmit_type::send) sent_from = t.data.data.data();
    }

    bool closed_ = false;
    std::map<std::pair<std::uint32_t, std::uint32_t>, bool> ended_;
};

} // namespace support
