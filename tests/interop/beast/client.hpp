// A client on Boost.Beast: HTTP and WebSocket, with or without TLS, around a socketless::client or an
// engineio::client_session. One thread runs it all. client.cpp has the network, compiled once for all programs.
#pragma once

#include "extra_headers.hpp"
#include "url.hpp"

#include <socketless/core/frame.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/session.hpp>

#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace beast_driver {

namespace asio = boost::asio;
namespace engineio = socketless::engineio;

struct client_settings {
    /// The server.
    beast_driver::origin origin;
    /// The certificates by which servers are verified, in PEM; those of the system if this is empty.
    std::string ca_file = {};
    /// Whether a server's certificate and name are verified.
    bool verify_server = true;
    /// Bytes that the body of an answer and a message of a WebSocket may have.
    std::size_t max_payload = 100'000'000;
    /// Added to all requests, also those that open a WebSocket. See is_addable.
    std::vector<header> headers = {};
    /// Whether the client keeps the server's cookies and sends them back, for balancers that know their clients by
    /// them.
    bool keeps_cookies = true;
};

/// What the network tells and asks a socketless::client or an engineio::client_session: their functions, of the same
/// names unless a comment says otherwise.
class client_protocol {
public:
    using time_point = socketless::time_point;

    client_protocol() = default;
    client_protocol(client_protocol const&) = delete; // the network refers to it
    client_protocol& operator=(client_protocol const&) = delete;

    virtual void http_response(engineio::exchange_id exchange, int status, bool is_binary, std::span<char> body,
                               time_point now) = 0;
    virtual void http_failed(engineio::exchange_id exchange, time_point now) = 0;
    virtual void channel_opened(engineio::channel_id channel, time_point now) = 0;
    virtual void websocket_received(engineio::channel_id channel, socketless::frame message, time_point now) = 0;
    virtual void channel_closed(engineio::channel_id channel, time_point now) = 0;
    virtual void channel_refused(engineio::channel_id channel, int status, std::string_view body, time_point now) = 0;
    virtual void pause(engineio::channel_id channel) = 0;
    virtual void resume(engineio::channel_id channel) = 0;
    virtual void handle_timeout(time_point now) = 0;
    /// Hands the events that wait to the application.
    virtual void handle_events() = 0;
    [[nodiscard]] virtual std::optional<engineio::transmit> poll_transmit(std::string& buffer) = 0;
    [[nodiscard]] virtual std::optional<time_point> poll_timeout() const = 0;
    /// Tells the application that both polls have run dry.
    virtual void rest() = 0;

protected:
    ~client_protocol() = default;
};

/// The network, as `client` below shows it to programs.
class client_network {
public:
    virtual ~client_network() = default;

    virtual void drive() = 0;
    [[nodiscard]] virtual std::string const& failure() const noexcept = 0;
};

std::unique_ptr<client_network> make_network(asio::io_context& context, client_protocol& io, client_settings settings);

/// `Application` has `void handle(event&)` for the events of `Client`, and optionally `void rest()`, called when both
/// polls have run dry.
template <class Client, class Application>
class client final : private client_protocol {
public:
    /// Throws if the certificates cannot be read, or a header cannot be added.
    client(asio::io_context& context, Client& io, Application& application, client_settings settings)
        : io_(io), application_(application), network_(make_network(context, *this, std::move(settings))) {}

    /// The loop: events go to the application, transmits to the network. It runs by itself after each input; an
    /// application that acts by itself, on a timer say, calls it afterwards.
    void drive() { network_->drive(); }

    /// The last failure of the network, in the words of the system: it says more than an event's "transport error".
    [[nodiscard]] std::string const& failure() const noexcept { return network_->failure(); }

private:
    void http_response(engineio::exchange_id id, int status, bool is_binary, std::span<char> body,
                       time_point now) override {
        io_.http_response(id, status, is_binary, body, now);
    }
    void http_failed(engineio::exchange_id id, time_point now) override { io_.http_failed(id, now); }
    void channel_opened(engineio::channel_id id, time_point now) override { io_.channel_opened(id, now); }
    void websocket_received(engineio::channel_id id, socketless::frame message, time_point now) override {
        io_.websocket_received(id, message, now);
    }
    void channel_closed(engineio::channel_id id, time_point now) override { io_.channel_closed(id, now); }
    void channel_refused(engineio::channel_id id, int status, std::string_view body, time_point now) override {
        io_.channel_refused(id, status, body, now);
    }
    void pause(engineio::channel_id id) override { io_.pause(id); }
    void resume(engineio::channel_id id) override { io_.resume(id); }
    void handle_timeout(time_point now) override { io_.handle_timeout(now); }
    void handle_events() override {
        while (auto e = io_.poll_event()) application_.handle(*e);
    }
    std::optional<engineio::transmit> poll_transmit(std::string& buffer) override { return io_.poll_transmit(buffer); }
    std::optional<time_point> poll_timeout() const override { return io_.poll_timeout(); }
    void rest() override {
        if constexpr (requires { application_.rest(); }) application_.rest();
    }

    Client& io_;
    Application& application_;
    std::unique_ptr<client_network> network_;
};

} // namespace beast_driver
