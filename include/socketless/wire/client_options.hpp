// How a wire::client treats its connections: HTTP, WebSocket, cookies, a proxy, and the fields of its requests.
#pragma once

#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/http/limits.hpp>
#include <socketless/http/url.hpp>
#include <socketless/text/token.hpp>
#include <socketless/wire/headers.hpp>

#include <cstddef>
#include <string>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire {

/// How the connections of a client behave. How long a body and a message may be is `max_payload` of the options of the
/// protocol.
struct client_options {
    /// How long the parts of an answer may be.
    http::limits limits = {};
    /// Fields of all requests, of those by long-polling only, and of those for a WebSocket only: see `is_addable`. They
    /// replace those that the client has by itself: Host, Accept, Content-Type. Cookie goes along with the cookies that
    /// the client keeps; Sec-WebSocket-Protocol offers subprotocols.
    headers_type headers = {};
    headers_type polling_headers = {};
    headers_type websocket_headers = {};
    /// Whether the client keeps the server's cookies and sends them back, for balancers that know their clients by
    /// them.
    bool keeps_cookies = true;
    /// A proxy, through which all connections go: "http://user:password@proxy:3128". None if empty. It is asked for a
    /// tunnel (CONNECT); with "https", the connection to the proxy itself goes over TLS.
    std::string proxy = {};
    /// How long connecting may take, TLS included.
    milliseconds connect_timeout{20'000};
    /// How long the server may take to read a request, or the next part of one, and to answer it: one that sends
    /// something, opens a WebSocket, or asks the proxy for a tunnel. A poll waits as long as the session does.
    milliseconds answer_timeout{60'000};
    /// How long a connection without a request is kept: shorter than servers do (Node: 5 s), so that a request seldom
    /// meets the end of its connection.
    milliseconds idle_timeout{4'000};
    /// How long a WebSocket that closes waits for the server, and for each part that it reads of what was sent before.
    milliseconds closing_timeout{5'000};
    /// A write gathers the messages that are due for a WebSocket until it is this long; the last one may make it
    /// longer.
    std::size_t max_write = std::size_t{64} * 1024;
};

/// Whether the options can be used. Errors: errc::invalid_field for a header that `is_addable` refuses, with its index
/// in its list (the lists are looked at in their order); errc::invalid_url for the proxy.
[[nodiscard]] inline result<void> check(client_options const& options) noexcept {
    for (auto const* const headers : {&options.headers, &options.polling_headers, &options.websocket_headers})
        if (auto const good = check(*headers, is_addable); !good) return good.error();
    if (options.proxy.empty()) return {};
    auto const proxy = http::parse_url(options.proxy);
    if (!proxy) return proxy.error();
    bool const is_http = token::equals(proxy->scheme, "http") || token::equals(proxy->scheme, "https");
    return is_http ? result<void>() : error{errc::invalid_url};
}

} // namespace socketless::inline v0::wire

#include <socketless/core/detail/epilogue.hpp>
