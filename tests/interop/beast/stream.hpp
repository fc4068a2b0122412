// A TCP connection, with TLS or without it, that a client makes or a server accepts: one type for all, so that the code
// above it is compiled once for each role.
#pragma once

#include "url.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace beast_driver {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

/// Reads and writes as Asio's streams do, once `async_connect` or `async_handshake` has succeeded. It may be moved
/// while no operation is under way.
class stream {
public:
    using next_layer_type = tcp::socket;
    using executor_type = tcp::socket::executor_type;

    /// A socket that is connected, or that `async_connect` will connect. Without `tls` it is not encrypted.
    stream(tcp::socket socket, asio::ssl::context* tls)
        : socket_(tls == nullptr ? either(std::move(socket)) : std::make_unique<secure>(std::move(socket), *tls)) {}

    [[nodiscard]] executor_type get_executor() { return next_layer().get_executor(); }
    [[nodiscard]] next_layer_type& next_layer() { return is_secure() ? tls().next_layer() : std::get<plain>(socket_); }

    /// Looks the host up, connects and agrees on TLS. `done(error_code)` is called once, and kept until then.
    void async_connect(origin const& to, std::function<void(error_code)> done) {
        resolver_ = std::make_unique<tcp::resolver>(get_executor());
        resolver_->async_resolve(
            to.host, to.port,
            [this, host = to.host, done = std::move(done)](error_code ec, tcp::resolver::results_type found) {
                if (is_closed_) ec = asio::error::operation_aborted;
                if (ec) return done(ec);
                asio::async_connect(next_layer(), found, [this, host, done](error_code failed, tcp::endpoint const&) {
                    if (failed) return done(failed);
                    error_code ignored;
                    next_layer().set_option(tcp::no_delay(true), ignored);
                    verify(host);
                    async_handshake(asio::ssl::stream_base::client, done);
                });
            });
    }

    /// Agrees on TLS, if there is TLS; otherwise calls `done` at once.
    void async_handshake(asio::ssl::stream_base::handshake_type as, std::function<void(error_code)> done) {
        if (!is_secure()) return done({});
        tls().async_handshake(as, std::move(done));
    }

    /// Ends whatever is under way: its handlers get the error "aborted".
    void close() {
        is_closed_ = true;
        if (resolver_) resolver_->cancel();
        error_code ignored;
        next_layer().close(ignored);
    }

    template <class Buffers, class Handler>
    void async_read_some(Buffers const& buffers, Handler&& handler) {
        visit([&](auto& s) { s.async_read_some(buffers, std::forward<Handler>(handler)); });
    }
    template <class Buffers, class Handler>
    void async_write_some(Buffers const& buffers, Handler&& handler) {
        visit([&](auto& s) { s.async_write_some(buffers, std::forward<Handler>(handler)); });
    }

    // How Beast ends a connection below a WebSocket.
    template <class Handler>
    friend void async_teardown(beast::role_type role, stream& s, Handler&& handler) {
        using beast::websocket::async_teardown;
        s.visit([&](auto& socket) { async_teardown(role, socket, std::forward<Handler>(handler)); });
    }

private:
    using plain = tcp::socket;
    using secure = asio::ssl::stream<tcp::socket>;
    using either = std::variant<plain, std::unique_ptr<secure>>; // `secure` is five times as large

    [[nodiscard]] bool is_secure() const noexcept { return socket_.index() != 0; }
    [[nodiscard]] secure& tls() { return *std::get<std::unique_ptr<secure>>(socket_); }
    template <class F>
    void visit(F f) {
        if (is_secure())
            f(tls());
        else
            f(std::get<plain>(socket_));
    }

    // The host's name goes along, for servers that have several certificates, and is what the certificate must be for.
    void verify(std::string const& host) {
        if (!is_secure()) return;
        error_code not_an_address;
        asio::ip::make_address(host, not_an_address);
        if (not_an_address) SSL_set_tlsext_host_name(tls().native_handle(), host.c_str());
        tls().set_verify_callback(asio::ssl::host_name_verification(host));
    }

    either socket_;
    std::unique_ptr<tcp::resolver> resolver_; // of a connection that a client makes
    bool is_closed_ = false;
};

} // namespace beast_driver
