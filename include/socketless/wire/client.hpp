// wire::client: a whole client from the bytes of its connections: HTTP/1.1 and WebSocket around the protocol.
#pragma once

#include <socketless/client.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/http/url.hpp>
#include <socketless/wire/client_options.hpp>
#include <socketless/wire/detail/client_core.hpp>
#include <socketless/wire/detail/client_protocol.hpp>
#include <socketless/wire/transmit.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire {

/// A whole client, driven with the bytes of its connections and the time: a `socketless::client`, or an
/// `engineio::client_session`, with HTTP/1.1 and WebSocket around it. You connect, by TCP or by TLS over it, and move
/// bytes; the rest is done here: long-polling over connections that are kept, WebSockets, cookies, a proxy, limits and
/// deadlines.
///
///     auto const url = http::parse_url("https://example.org/chat?token=abc");
///     wire::client<socketless::client> io(*url, {}, {}, system_random(), now);
///     auto const socket = io->connect(url->path);
///     ...
///     for (;;) {
///         if (auto e = io.poll_event()) { ...; continue; }               // for the application
///         if (auto t = io.poll_transmit(buffer)) { ...; continue; }      // for the network
///         wait for input, or until io.poll_timeout();
///     }
///
/// Any number of inputs may come before the polls. Bytes that are given in may be changed in place, and must stay valid
/// until `poll_event` has returned nothing. What is due for a connection leaves as one piece (`max_write`).
///
/// Beside a WebSocket, or two while the session moves, there are at most two connections: one waits for what the server
/// has to say, one sends. They are kept for later requests. A GET that meets the end of a kept connection before a byte
/// of an answer has come is sent again, once, on a new one. Any other request on a connection that ends has failed; so
/// has a GET if the connection is reset, since the messages of its answer may be lost, and one that is answered with
/// another status than 200: redirects are not followed.
///
/// If an allocation or the random source throws, one connection ends; the session hears of it.
/// Sources: RFC 9110, RFC 9112 and RFC 6455.
template <class Protocol = socketless::client>
class client final : private detail::client_protocol {
public:
    /// What `poll_event` returns.
    using event = typename std::invoke_result_t<decltype(&Protocol::poll_event), Protocol&>::value_type;
    /// The options of the protocol.
    using protocol_options = std::remove_cvref_t<std::invoke_result_t<decltype(&Protocol::options), Protocol const&>>;

    /// The client of a server. Of the URL it takes the host, the port, whether to use TLS, and the parameters of the
    /// query: those that the options do not have. The path is yours: a namespace, as in Socket.IO. The views of the URL
    /// may end. WebTransport is not among its transports. `random` makes masks and keys, and what the protocol wants.
    client(http::url const& url, protocol_options options, client_options wire, random_source random, time_point now)
        : random_(std::move(random)), protocol_(make(options, url, now)),
          core_(*this, url, std::move(wire), random_, now) {}

    /// Whether the options can be used: see `check`. If not, no connection can be made: each attempt fails.
    [[nodiscard]] result<void> check_options() const noexcept { return check(core_.options()); }

    /// The client that this one carries: it connects, emits. The wire makes its inputs and polls it.
    [[nodiscard]] Protocol& protocol() noexcept { return protocol_; }
    [[nodiscard]] Protocol const& protocol() const noexcept { return protocol_; }
    /// The same: `io->emit(socket, "hello")`.
    [[nodiscard]] Protocol* operator->() noexcept { return &protocol_; }
    [[nodiscard]] Protocol const* operator->() const noexcept { return &protocol_; }

    //=== what happened ===//

    /// The connection is made, or TLS has begun on it: what the last transmit for it has asked for is done. Harmless if
    /// there is no such connection; so are the calls below.
    void connected(connection_id connection, time_point now) { core_.connected(connection, now); }
    /// Bytes of a connection, of any number.
    void received(connection_id connection, std::span<char> bytes, time_point now) {
        core_.received(connection, bytes, now);
    }
    /// The server has ended its side (end of file): an answer without a length is whole then. `poll_transmit` says when
    /// to close the connection.
    void ended(connection_id connection, time_point now) { core_.ended(connection, now); }
    /// The connection could not be made, or is gone: reset, say, so that what has come may not be all. Its name is
    /// free.
    void closed(connection_id connection, time_point now) { core_.closed(connection, now); }
    /// A write is under way: `poll_transmit` has nothing more for the connection until `resume`. Say it again when a
    /// part has been written, so that a slow server has more time. Leaves the views of the last transmit valid; so does
    /// `resume`.
    void pause(connection_id connection) { core_.pause(connection); }
    void resume(connection_id connection) { core_.resume(connection); }
    /// Time has passed. Call it when `poll_timeout` is due, and before you act on a timer of your own. A spurious call
    /// is harmless.
    void handle_timeout(time_point now) { core_.handle_timeout(now); }

    //=== what it means, what to do, when to come back ===//

    /// The next event of the protocol.
    [[nodiscard]] std::optional<event> poll_event() {
        for (;;) {
            if (auto e = protocol_.poll_event()) return e;
            if (!core_.take_input()) return std::nullopt;
        }
    }
    /// The next thing to do, for any connection. Its views are valid until the next call that is not const, other than
    /// `pause` and `resume`, or until `buffer` is used again. Go back to `poll_event` after it.
    [[nodiscard]] std::optional<transmit> poll_transmit(std::string& buffer) { return core_.poll_transmit(buffer); }
    /// When to call `handle_timeout`, if ever; a call at that time may find nothing to do.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept { return core_.poll_timeout(); }

    //=== what there is ===//

    /// Whether nothing is left to wait for, once both polls have returned nothing: the protocol is idle, or closed, and
    /// has no connections. To connect ends that.
    [[nodiscard]] bool is_done() const noexcept { return is_quiet() && core_.connection_count() == 0; }
    /// How many connections there are, idle and closing ones too.
    [[nodiscard]] std::size_t connection_count() const noexcept { return core_.connection_count(); }
    /// Why a connection has failed last, if the server or the proxy broke the rules of HTTP or WebSocket, or a limit:
    /// for logs. errc{} if that has not happened.
    [[nodiscard]] errc failure() const noexcept { return core_.failure(); }

private:
    // Takes the options, with what the URL adds, and without what needs another network.
    Protocol make(protocol_options& options, http::url const& url, time_point now) {
        detail::add_query(options.query, url.query);
        std::erase(options.transports, engineio::transport::webtransport);
        auto const fill = [this](std::span<std::byte> bytes) { random_(bytes); };
        if constexpr (std::constructible_from<Protocol, protocol_options, random_source, time_point>) {
            return Protocol(std::move(options), fill, now);
        } else {
            if (options.timestamp_seed == 0)
                fill(std::as_writable_bytes(std::span<std::uint64_t, 1>(&options.timestamp_seed, 1)));
            return Protocol(std::move(options));
        }
    }

    // Whether no session is open, and none is going to be.
    [[nodiscard]] bool is_quiet() const noexcept {
        if constexpr (requires { protocol_.is_idle(); })
            return protocol_.is_idle();
        else
            return protocol_.is_closed();
    }

    [[nodiscard]] std::size_t max_payload() const noexcept override { return protocol_.options().max_payload; }
    [[nodiscard]] bool is_polling() const noexcept override {
        return protocol_.transport() == engineio::transport::polling && !is_quiet();
    }
    void http_response(engineio::exchange_id id, int status, bool is_binary, std::span<char> body,
                       time_point now) override {
        protocol_.http_response(id, status, is_binary, body, now);
    }
    void http_failed(engineio::exchange_id id, time_point now) override { protocol_.http_failed(id, now); }
    void channel_opened(engineio::channel_id id, time_point now) override { protocol_.channel_opened(id, now); }
    void websocket_received(engineio::channel_id id, frame message, time_point now) override {
        protocol_.websocket_received(id, message, now, text_check::done); // the reader of frames has checked it
    }
    void channel_closed(engineio::channel_id id, time_point now) override { protocol_.channel_closed(id, now); }
    void channel_refused(engineio::channel_id id, int status, std::string_view body, time_point now) override {
        protocol_.channel_refused(id, status, body, now);
    }
    void pause_channel(engineio::channel_id id) override { protocol_.pause(id); }
    void resume_channel(engineio::channel_id id) override { protocol_.resume(id); }
    void pass_time(time_point now) override { protocol_.handle_timeout(now); }
    [[nodiscard]] std::optional<engineio::transmit> next_transmit(std::string& buffer) override {
        return protocol_.poll_transmit(buffer);
    }
    [[nodiscard]] std::optional<time_point> next_timeout() const noexcept override { return protocol_.poll_timeout(); }

    random_source random_;
    Protocol protocol_;
    detail::client_core core_;
};

} // namespace socketless::inline v0::wire

#include <socketless/core/detail/epilogue.hpp>

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#include <socketless/impl/wire_client.hpp>
#endif
