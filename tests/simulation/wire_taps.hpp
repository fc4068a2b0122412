// A client and a server of the protocol that tell what they hand to the wire around them, and what it hands to them.
#pragma once

#include "simulation/network_plan.hpp"

#include <socketless/client.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/server.hpp>
#include <socketless/wire/transmit.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace support {

namespace wire = socketless::wire;

class tapped_client : public socketless::client {
public:
    using socketless::client::client;

    std::function<void(engineio::transmit const&)> on_transmit;

    [[nodiscard]] std::optional<engineio::transmit> poll_transmit(std::string& buffer) {
        auto t = socketless::client::poll_transmit(buffer);
        if (t) on_transmit(*t);
        return t;
    }
};

// What comes to a server, and on which connection.
class server_tap {
public:
    virtual void request_at_server(engineio::http_request const& request) = 0;
    virtual void channel_at_server(engineio::channel_id channel, wire::connection_id connection) = 0;
    virtual void message_at_server(engineio::channel_id channel) = 0;

protected:
    ~server_tap() = default;
};

class tapped_server : public socketless::server {
public:
    using socketless::server::server;

    server_tap* tap = nullptr;
    std::function<void(engineio::transmit const&)> on_transmit;

    void http_started(engineio::http_request const& request, time_point now) {
        tap->request_at_server(request);
        socketless::server::http_started(request, now);
    }
    void http_received(engineio::http_request const& request, time_point now) {
        tap->request_at_server(request);
        socketless::server::http_received(request, now);
    }
    void websocket_opened(engineio::websocket_request const& request, time_point now) {
        tap->channel_at_server(request.channel, request.context);
        socketless::server::websocket_opened(request, now);
    }
    void websocket_received(engineio::channel_id channel, socketless::frame message, time_point now,
                            socketless::text_check text) {
        tap->message_at_server(channel);
        socketless::server::websocket_received(channel, message, now, text);
    }
    [[nodiscard]] std::optional<engineio::transmit> poll_transmit(std::string& buffer) {
        auto t = socketless::server::poll_transmit(buffer);
        if (t) on_transmit(*t);
        return t;
    }
};

} // namespace support
