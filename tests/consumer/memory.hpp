// A server and a client of one program, joined by a WebSocket in memory.
#pragma once

#include <socketless/socketless.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <utility>

namespace consumer {

// The same numbers each time: a real program asks its operating system.
inline socketless::random_source numbers_from(unsigned char seed) {
    return [n = seed](std::span<std::byte> bytes) mutable {
        for (std::byte& b : bytes) b = static_cast<std::byte>(n = static_cast<unsigned char>(n * 5 + 3));
    };
}

struct memory {
    struct frame {
        socketless::frame_kind kind;
        std::string data;
    };

    socketless::time_point now{};
    socketless::server server{{}, numbers_from(1), now};
    socketless::client client{options(), numbers_from(2), now};
    std::deque<frame> frames; // those in hand: they must live until their events have been polled
    std::string buffer;

    static socketless::client_options options() {
        socketless::client_options o;
        o.transports = {socketless::engineio::transport::websocket};
        return o;
    }

    // Runs until neither side has more to do.
    template <class OfServer, class OfClient>
    void run(OfServer&& of_server, OfClient&& of_client) {
        using socketless::engineio::transmit_type;
        for (bool is_busy = true; is_busy;) {
            is_busy = false;
            while (auto e = server.poll_event()) of_server(*e);
            while (auto e = client.poll_event()) of_client(*e);
            if (auto const t = client.poll_transmit(buffer)) {
                is_busy = true;
                if (t->type == transmit_type::open_websocket) {
                    server.websocket_opened(1, t->target, now);
                    client.channel_opened(t->id, now);
                    channel = t->id;
                } else if (t->type == transmit_type::send) {
                    auto const& f = frames.emplace_back(frame{t->data.kind, std::string(t->data.data)});
                    server.websocket_received(1, {f.kind, f.data}, now);
                } else if (t->type == transmit_type::close) {
                    server.channel_closed(1, now);
                }
            } else if (auto const u = server.poll_transmit(buffer)) {
                is_busy = true;
                if (u->type == transmit_type::send) {
                    auto const& f = frames.emplace_back(frame{u->data.kind, std::string(u->data.data)});
                    client.websocket_received(channel, {f.kind, f.data}, now);
                } else if (u->type == transmit_type::close) {
                    client.channel_closed(channel, now);
                }
            }
        }
        frames.clear();
    }

private:
    socketless::engineio::channel_id channel{};
};

} // namespace consumer
