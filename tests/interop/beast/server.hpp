// A server on Boost.Beast: HTTP and WebSocket on one port, with or without TLS, around an engineio::server or a
// socketless::server. One thread runs it all. server.cpp has the network, compiled once for all programs.
#pragma once

#include "server_settings.hpp"

#include <socketless/core/frame.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/session.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace beast_driver {

namespace engineio = socketless::engineio;

/// What the network asks and tells an engineio::server or a socketless::server: their functions, of the same names
/// unless a comment says otherwise.
class server_protocol {
public:
    using time_point = socketless::time_point;

    server_protocol() = default;
    server_protocol(server_protocol const&) = delete; // the network refers to it
    server_protocol& operator=(server_protocol const&) = delete;

    [[nodiscard]] virtual bool takes(std::string_view target) const = 0;
    virtual void http_started(engineio::http_request const& request, time_point now) = 0;
    virtual void http_received(engineio::http_request const& request, time_point now) = 0;
    virtual void http_aborted(engineio::exchange_id exchange, time_point now) = 0;
    [[nodiscard]] virtual std::optional<engineio::refusal> websocket_refusal(std::string_view target) = 0;
    virtual void websocket_opened(engineio::websocket_request const& request, time_point now) = 0;
    virtual void websocket_received(engineio::channel_id channel, socketless::frame message, time_point now) = 0;
    virtual void channel_closed(engineio::channel_id channel, time_point now) = 0;
    virtual void pause(engineio::channel_id channel) = 0;
    virtual void resume(engineio::channel_id channel) = 0;
    virtual void handle_timeout(time_point now) = 0;
    /// close() of the server.
    virtual void close_sessions() = 0;
    [[nodiscard]] virtual std::size_t connection_count() const = 0;
    /// Hands the events that wait to the application.
    virtual void handle_events() = 0;
    [[nodiscard]] virtual std::optional<engineio::transmit> poll_transmit(std::string& buffer) = 0;
    [[nodiscard]] virtual std::optional<time_point> poll_timeout() const = 0;

protected:
    ~server_protocol() = default;
};

/// The network, as `server` below shows it to programs.
class server_network {
public:
    virtual ~server_network() = default;

    virtual std::uint16_t listen(std::uint16_t port) = 0;
    virtual void close_on_signal() = 0;
    virtual void close() = 0;
    virtual void drive() = 0;
};

std::unique_ptr<server_network> make_network(asio::io_context& context, server_protocol& io, server_settings settings);

/// `Application` has `void handle(event&)` for the events of `Server`.
template <class Server, class Application>
class server final : private server_protocol {
public:
    server(asio::io_context& context, Server& io, Application& application, server_settings settings)
        : io_(io), application_(application), network_(make_network(context, *this, std::move(settings))) {}

    /// Listens on all addresses of the machine. Returns the port, which 0 leaves to the system. Throws if that fails.
    std::uint16_t listen(std::uint16_t port) { return network_->listen(port); }

    /// Closes in good order at the first signal to end, at once at the second.
    void close_on_signal() { network_->close_on_signal(); }

    /// Closes all sessions, once what is queued has gone, and then listens no more: a client that is between two polls
    /// comes back to hear of it.
    void close() { network_->close(); }

    /// The loop: events go to the application, transmits to the network. It runs by itself after each input; an
    /// application that acts by itself, on a timer say, calls it afterwards.
    void drive() { network_->drive(); }

private:
    bool takes(std::string_view target) const override { return io_.takes(target); }
    void http_started(engineio::http_request const& r, time_point now) override { io_.http_started(r, now); }
    void http_received(engineio::http_request const& r, time_point now) override { io_.http_received(r, now); }
    void http_aborted(engineio::exchange_id id, time_point now) override { io_.http_aborted(id, now); }
    std::optional<engineio::refusal> websocket_refusal(std::string_view target) override {
        return io_.websocket_refusal(target);
    }
    void websocket_opened(engineio::websocket_request const& r, time_point now) override {
        io_.websocket_opened(r, now);
    }
    void websocket_received(engineio::channel_id id, socketless::frame message, time_point now) override {
        io_.websocket_received(id, message, now);
    }
    void channel_closed(engineio::channel_id id, time_point now) override { io_.channel_closed(id, now); }
    void pause(engineio::channel_id id) override { io_.pause(id); }
    void resume(engineio::channel_id id) override { io_.resume(id); }
    void handle_timeout(time_point now) override { io_.handle_timeout(now); }
    void close_sessions() override { io_.close(); }
    std::size_t connection_count() const override { return io_.connection_count(); }
    void handle_events() override {
        while (auto e = io_.poll_event()) application_.handle(*e);
    }
    std::optional<engineio::transmit> poll_transmit(std::string& buffer) override { return io_.poll_transmit(buffer); }
    std::optional<time_point> poll_timeout() const override { return io_.poll_timeout(); }

    Server& io_;
    Application& application_;
    std::unique_ptr<server_network> network_;
};

} // namespace beast_driver
