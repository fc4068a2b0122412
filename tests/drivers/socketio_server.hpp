// A socketio::server_session driven by hand: each input returns what came of it, drained into lines (see
// socket_lines.hpp). Checks on the way what holds for every session.
#pragma once

#include "drivers/socket_lines.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/server_session.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace support {

// Options and a queue that stay where they are when what refers to them moves.
struct held_socketio {
    std::unique_ptr<socketio::server_options> options;
    std::unique_ptr<socketio::message_queue> queue;
};

class socketio_server_driver : private held_socketio {
public:
    explicit socketio_server_driver(socketio::revision r = socketio::revision::v5,
                                    socketio::server_options const& o = {})
        : held_socketio{std::make_unique<socketio::server_options>(o), std::make_unique<socketio::message_queue>()},
          session(*options, *queue, r, start) {}

    socketio::server_session session;
    socketless::time_point now = start;
    // The sockets by their namespaces: the last that asked to join each.
    std::map<std::string, socketio::socket_handle, std::less<>> sockets;
    // The acknowledgements that were asked for.
    std::vector<socketio::ack_request> requests;

    //=== what happens ===//

    // A message that is gone when the events have been taken.
    lines receive(frame message) {
        exact_copy const copy(message.data);
        return after([&] { session.message_received({message.kind, copy.view()}, now); });
    }
    lines receive(std::string_view message) { return receive(text(message)); }

    lines cut(socketio::disconnect_reason reason = socketio::disconnect_reason::transport_close) {
        return after([&] { session.connection_closed(reason, now); });
    }

    // Lets time pass until `ms` milliseconds after the start; calls the session when its timer is due.
    lines at(std::int64_t ms) {
        auto const until = start + std::chrono::milliseconds(ms);
        lines all;
        for (auto due = session.poll_timeout(); due && *due <= until; due = session.poll_timeout()) {
            REQUIRE(*due > now); // or this would never end
            now = *due;
            auto const more = after([&] { session.handle_timeout(now); });
            all.insert(all.end(), more.begin(), more.end());
        }
        now = until;
        auto const more = after([&] { session.handle_timeout(now); }); // one too many does no harm
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    //=== what the application does ===//

    template <class Call>
    lines after(Call call) {
        call();
        return drain();
    }

    [[nodiscard]] socketio::socket_handle socket(std::string_view nsp = "/") const {
        auto const found = sockets.find(nsp);
        REQUIRE(found != sockets.end());
        return found->second;
    }

    // Joins the namespace and is let in; the lines of that are dropped.
    void join(std::string_view nsp = "/") {
        if (session.revision() == socketio::revision::v4 && nsp == "/")
            drain();
        else
            receive("0" + std::string(nsp));
        REQUIRE(session.accept(socket(nsp), "sid").has_value());
        drain();
    }

    lines accept(std::string_view nsp = "/", std::string_view sid = "sid", std::string_view pid = {}) {
        return after([&] { CHECK(session.accept(socket(nsp), sid, pid).has_value()); });
    }
    lines disconnect(std::string_view nsp = "/") {
        return after([&] { session.disconnect(socket(nsp)); });
    }
    template <class... Args>
    lines emit(std::string_view nsp, std::string_view name, Args const&... args) {
        return after([&] { CHECK(session.emit(socket(nsp), name, args...).has_value()); });
    }
    template <class... Args>
    lines emit_with_ack(std::string_view nsp, std::uint64_t id, std::optional<socketless::milliseconds> timeout,
                        std::string_view name, Args const&... args) {
        return after([&] {
            CHECK(session.emit_with_ack(socket(nsp), id, timeout, name, args...).has_value());
            awaited_.insert({id, socket(nsp).index});
        });
    }

    // The events and transmits of the session, until both run dry.
    lines drain() {
        lines all;
        while (auto e = session.poll_event()) {
            all.push_back(show(*e));
            note(*e);
        }
        while (auto const t = session.poll_transmit()) all.push_back(show(*t));
        CHECK_FALSE(session.poll_event());
        CHECK(queue->empty());
        return all;
    }

private:
    // A namespace is asked for once before it ends once; all acknowledgements of a socket end before it does, each
    // once; `closed` is the last word.
    void note(socketio::event& e) {
        using enum socketio::event_type;
        CHECK_FALSE(closed_);
        switch (e.type) {
        case connecting:
            sockets.insert_or_assign(std::string(e.nsp), e.socket);
            CHECK(session.nsp(e.socket) == e.nsp);
            break;
        case event:
            CHECK(session.is_connected(e.socket));
            if (e.ack) requests.push_back(std::move(e.ack));
            break;
        case ack: CHECK(awaited_.erase({e.id, e.socket.index}) == 1); break;
        case disconnected:
            CHECK(ended_.insert({e.socket.index, e.socket.generation}).second);
            CHECK_FALSE(session.is_connected(e.socket));
            CHECK(session.nsp(e.socket).empty());
            for (auto const& [id, index] : awaited_) CHECK(index != e.socket.index);
            break;
        case closed:
            closed_ = true;
            CHECK(session.is_closed());
            CHECK_FALSE(session.poll_timeout());
            break;
        default: FAIL_CHECK("an event that a session does not tell");
        }
    }

    bool closed_ = false;
    std::set<std::pair<std::uint64_t, std::uint32_t>> awaited_; // acknowledgements, by id and socket
    std::set<std::pair<std::uint32_t, std::uint32_t>> ended_;
};

namespace socketio_server {

using driver = socketio_server_driver;

inline constexpr auto v4 = socketio::revision::v4;
inline constexpr auto v5 = socketio::revision::v5;

inline constexpr std::byte one_two[] = {std::byte{1}, std::byte{2}};

// The end of a connection whose only socket is that of "/".
inline lines ended(std::string_view reason) {
    return {"disconnected /: " + std::string(reason), "closed: " + std::string(reason), "close"};
}

} // namespace socketio_server

} // namespace support
