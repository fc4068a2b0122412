// wire::server: a whole server from the bytes of its connections: HTTP/1.1 and WebSocket around the protocol.
#pragma once

#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/server.hpp>
#include <socketless/wire/detail/server_core.hpp>
#include <socketless/wire/detail/server_protocol.hpp>
#include <socketless/wire/request.hpp>
#include <socketless/wire/server_options.hpp>
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

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire {

/// A whole server, driven with the bytes of its connections and the time: a `socketless::server`, or an
/// `engineio::server`, with HTTP/1.1 and WebSocket around it. You accept connections of TCP, or of TLS over it, and
/// move their bytes; the rest is done here: long-polling and WebSockets on one port, keep-alive, pipelining, CORS,
/// cookies, limits and deadlines, closing so that the last answer arrives.
///
///     wire::server<socketless::server> io({}, {}, system_random(), now);
///     ...
///     for (;;) {
///         if (auto e = io.poll_event()) { ...; continue; }               // for the application
///         if (auto t = io.poll_transmit(buffer)) { ...; continue; }      // for the network
///         wait for input, or until io.poll_timeout();
///     }
///
/// Any number of inputs may come before the polls. Bytes that are given in may be changed in place, and must stay valid
/// until `poll_event` has returned nothing. What is due for a connection leaves as one piece (`max_write`). The work
/// for an input or a transmit does not depend on how many connections there are.
///
/// If an allocation or a callback throws, in an input or in a poll, the connection that this was for ends; others never
/// notice, and you may go on. A connection that `accepted` throws for is not known: close it.
/// Sources: RFC 9110, RFC 9112 and RFC 6455.
template <class Protocol = socketless::server>
class server final : private detail::server_protocol {
public:
    /// What `poll_event` returns.
    using event = typename std::invoke_result_t<decltype(&Protocol::poll_event), Protocol&>::value_type;
    /// The options of the protocol.
    using protocol_options = std::remove_cvref_t<std::invoke_result_t<decltype(&Protocol::options), Protocol const&>>;

    /// `random` makes the ids: see `random_source`.
    server(protocol_options options, server_options wire, random_source random, time_point now)
        : protocol_(make(std::move(options), std::move(random), now)), core_(*this, std::move(wire), now) {}

    /// Whether the options can be used: see `check`. If not, each connection is closed at once.
    [[nodiscard]] result<void> check_options() const noexcept { return check(core_.options()); }

    /// The server that this one carries: it emits, joins, broadcasts. The wire makes its inputs and polls it.
    [[nodiscard]] Protocol& protocol() noexcept { return protocol_; }
    [[nodiscard]] Protocol const& protocol() const noexcept { return protocol_; }
    /// The same: `io->emit(socket, "hello")`.
    [[nodiscard]] Protocol* operator->() noexcept { return &protocol_; }
    [[nodiscard]] Protocol const* operator->() const noexcept { return &protocol_; }

    //=== what happened ===//

    /// A connection has come. `address` is its client's, in words of your own: it is handed on with requests. With TLS,
    /// say it before the handshake: then `request_timeout` bounds that too. The name must not be in use.
    void accepted(connection_id connection, std::string_view address, time_point now) {
        core_.accepted(connection, address, now);
    }
    /// Bytes of a connection, of any number. Harmless if there is no such connection; so are the calls below.
    void received(connection_id connection, std::span<char> bytes, time_point now) {
        core_.received(connection, bytes, now);
    }
    /// The client has ended its side (end of file). `poll_transmit` says when to close the connection.
    void ended(connection_id connection, time_point now) { core_.ended(connection, now); }
    /// The connection is gone: reset, or closed by you. Its name is free.
    void closed(connection_id connection, time_point now) { core_.closed(connection, now); }
    /// A write is under way: `poll_transmit` has nothing more for the connection until `resume`. Say it again when a
    /// part has been written, so that a slow client has more time. Leaves the views of the last transmit valid; so does
    /// `resume`.
    void pause(connection_id connection) { core_.pause(connection); }
    void resume(connection_id connection) { core_.resume(connection); }
    /// Time has passed. Call it when `poll_timeout` is due, and before you act on a timer of your own. A spurious call
    /// is harmless.
    void handle_timeout(time_point now) { core_.handle_timeout(now); }

    //=== what the application wants ===//

    /// The next request for another path, if the option `other_paths` asks for them. Answer it by `respond`, now or
    /// later; the connection waits.
    [[nodiscard]] std::optional<request> poll_request() { return core_.poll_request(); }
    /// Answers a request, once. Errors: errc::not_open if its client has gone, or it is answered already; those of
    /// `check` if no message could carry the answer: then another may be given.
    result<void> respond(std::uint64_t exchange, response const& answer, time_point now) {
        return core_.respond(exchange, answer, now);
    }
    /// Closes in good order: the sessions once what is queued has gone, then the connections. New sessions are refused
    /// (503). Keep listening until `is_done`: clients between two polls come back to hear of it.
    void close() { core_.close(); }

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
    /// When to call `handle_timeout`, if ever; a call at that time may find nothing to do. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept { return core_.poll_timeout(); }

    //=== what there is ===//

    /// How many connections there are, idle ones too.
    [[nodiscard]] std::size_t connection_count() const noexcept { return core_.connection_count(); }
    /// Whether `close` has done its work: neither a session nor a connection is left.
    [[nodiscard]] bool is_done() const noexcept { return core_.is_done(); }

private:
    static Protocol make(protocol_options options, random_source random, time_point now) {
        if constexpr (std::constructible_from<Protocol, protocol_options, random_source, time_point>)
            return Protocol(std::move(options), std::move(random), now);
        else
            return Protocol(std::move(options), std::move(random));
    }

    [[nodiscard]] engineio::server_options const& engine_options() const noexcept override {
        if constexpr (requires { protocol_.options().engine; })
            return protocol_.options().engine;
        else
            return protocol_.options();
    }
    [[nodiscard]] bool takes(std::string_view target) const noexcept override { return protocol_.takes(target); }
    void http_started(engineio::http_request const& r, time_point now) override { protocol_.http_started(r, now); }
    void http_received(engineio::http_request const& r, time_point now) override { protocol_.http_received(r, now); }
    void http_aborted(engineio::exchange_id id, time_point now) override { protocol_.http_aborted(id, now); }
    [[nodiscard]] std::optional<engineio::refusal>
    websocket_refusal(engineio::websocket_request const& request) override {
        return protocol_.websocket_refusal(request);
    }
    void websocket_opened(engineio::websocket_request const& request, time_point now) override {
        protocol_.websocket_opened(request, now);
    }
    void websocket_received(engineio::channel_id id, frame message, time_point now) override {
        protocol_.websocket_received(id, message, now, text_check::done); // the reader of frames has checked it
    }
    void channel_closed(engineio::channel_id id, time_point now) override { protocol_.channel_closed(id, now); }
    void pause_channel(engineio::channel_id id) override { protocol_.pause(id); }
    void resume_channel(engineio::channel_id id) override { protocol_.resume(id); }
    void pass_time(time_point now) override { protocol_.handle_timeout(now); }
    void close_sessions() override { protocol_.close(); }
    [[nodiscard]] std::size_t session_count() const noexcept override { return protocol_.connection_count(); }
    [[nodiscard]] std::optional<engineio::transmit> next_transmit(std::string& buffer) override {
        return protocol_.poll_transmit(buffer);
    }
    [[nodiscard]] std::optional<time_point> next_timeout() const noexcept override { return protocol_.poll_timeout(); }

    Protocol protocol_;
    detail::server_core core_;
};

} // namespace socketless::inline v0::wire

#include <socketless/core/detail/epilogue.hpp>

#ifndef SOCKETLESS_SEPARATE_COMPILATION
#include <socketless/impl/wire_server.hpp>
#endif
