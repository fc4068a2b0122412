// A TCP connection that a client makes, with TLS if the URL says so: one type for both, so that the code above it is
// compiled once.
#pragma once

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace beast_driver {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

/// A server, as a URL names it.
struct origin {
    bool is_secure = false;
    std::string host; // an IPv6 address without its brackets
    std::string port;

    /// The value of the Host header: without the port if it is the scheme's own.
    [[nodiscard]] std::string authority() const {
        auto const name = host.find(':') == std::string::npos ? host : '[' + host + ']';
        return port == (is_secure ? "443" : "80") ? name : name + ':' + port;
    }
};

/// The parts of a URL that a client needs.
struct url {
    beast_driver::origin origin;
    std::string path; // and query; may be empty
};

/// Reads http://host:port/path, and the same with https, ws or wss. Without a scheme it is http. Nothing for other
/// texts.
inline std::optional<url> parse_url(std::string_view text) {
    std::string_view scheme = "http";
    if (auto const end = text.find("://"); end != std::string_view::npos) {
        scheme = text.substr(0, end);
        text.remove_prefix(end + 3);
    }
    bool const is_secure = scheme == "https" || scheme == "wss";
    if (!is_secure && scheme != "http" && scheme != "ws") return std::nullopt;

    auto const authority = text.substr(0, text.find_first_of("/?#"));
    auto path = text.substr(authority.size());
    path = path.substr(0, path.find('#'));
    bool const is_v6 = authority.starts_with('[');
    auto const host_end = is_v6 ? authority.find(']') : authority.find(':');
    auto const host = authority.substr(is_v6 ? 1 : 0, host_end - (is_v6 ? 1 : 0));
    auto port = host_end == std::string_view::npos ? std::string_view() : authority.substr(host_end + (is_v6 ? 1 : 0));
    if (host.empty() || (is_v6 && host_end == std::string_view::npos)) return std::nullopt;
    if (!port.empty() && !port.starts_with(':')) return std::nullopt;
    if (!port.empty()) port.remove_prefix(1);
    if (port.find_first_not_of("0123456789") != std::string_view::npos || port.size() > 5) return std::nullopt;
    if (port.empty()) port = is_secure ? "443" : "80";
    return url{{is_secure, std::string(host), std::string(port)}, std::string(path)};
}

/// A connection to an origin. Reads and writes as Asio's streams do, once `async_connect` has succeeded.
class stream {
public:
    using next_layer_type = beast::tcp_stream;
    using executor_type = beast::tcp_stream::executor_type;

    /// `tls` says how a server is verified, if the origin is secure.
    stream(asio::io_context& context, origin to, asio::ssl::context& tls)
        : origin_(std::move(to)), resolver_(context), tcp_(context) {
        if (origin_.is_secure) tls_.emplace(tcp_, tls);
    }
    stream(stream const&) = delete; // TLS refers to TCP
    stream& operator=(stream const&) = delete;

    [[nodiscard]] executor_type get_executor() noexcept { return tcp_.get_executor(); }
    [[nodiscard]] next_layer_type& next_layer() noexcept { return tcp_; }
    [[nodiscard]] next_layer_type const& next_layer() const noexcept { return tcp_; }

    /// Looks the host up, connects and agrees on TLS. `done(error_code)` is called once, and kept until then.
    void async_connect(std::function<void(error_code)> done) {
        resolver_.async_resolve(origin_.host, origin_.port,
                                [this, done = std::move(done)](error_code ec, tcp::resolver::results_type found) {
                                    if (is_closed_) ec = asio::error::operation_aborted;
                                    if (ec) return done(ec);
                                    tcp_.async_connect(found, [this, done](error_code failed, tcp::endpoint const&) {
                                        if (failed) return done(failed);
                                        error_code ignored;
                                        tcp_.socket().set_option(tcp::no_delay(true), ignored);
                                        if (!tls_) return done({});
                                        secure(done);
                                    });
                                });
    }

    /// Ends whatever is under way: its handlers get the error "aborted".
    void close() {
        is_closed_ = true;
        resolver_.cancel();
        tcp_.close();
    }

    template <class Buffers, class Handler>
    auto async_read_some(Buffers const& buffers, Handler&& handler) {
        if (tls_) return tls_->async_read_some(buffers, std::forward<Handler>(handler));
        return tcp_.async_read_some(buffers, std::forward<Handler>(handler));
    }
    template <class Buffers, class Handler>
    auto async_write_some(Buffers const& buffers, Handler&& handler) {
        if (tls_) return tls_->async_write_some(buffers, std::forward<Handler>(handler));
        return tcp_.async_write_some(buffers, std::forward<Handler>(handler));
    }

    // How Beast ends a connection below a WebSocket.
    friend void teardown(beast::role_type role, stream& s, error_code& ec) {
        using beast::websocket::teardown;
        if (s.tls_) return teardown(role, *s.tls_, ec);
        teardown(role, s.tcp_, ec);
    }
    template <class Handler>
    friend void async_teardown(beast::role_type role, stream& s, Handler&& handler) {
        using beast::websocket::async_teardown;
        if (s.tls_) return async_teardown(role, *s.tls_, std::forward<Handler>(handler));
        async_teardown(role, s.tcp_, std::forward<Handler>(handler));
    }

private:
    // The host's name goes along, for servers that have several certificates, and is what the certificate must be for.
    void secure(std::function<void(error_code)> const& done) {
        error_code not_an_address;
        asio::ip::make_address(origin_.host, not_an_address);
        if (not_an_address) SSL_set_tlsext_host_name(tls_->native_handle(), origin_.host.c_str());
        tls_->set_verify_callback(asio::ssl::host_name_verification(origin_.host));
        tls_->async_handshake(asio::ssl::stream_base::client, done);
    }

    origin origin_;
    tcp::resolver resolver_;
    beast::tcp_stream tcp_;
    std::optional<asio::ssl::stream<beast::tcp_stream&>> tls_;
    bool is_closed_ = false;
};

} // namespace beast_driver
