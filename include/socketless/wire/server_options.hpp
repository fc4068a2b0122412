// How a wire::server treats its connections: HTTP, WebSocket and the fields of its answers.
#pragma once

#include <socketless/core/callback.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/http/limits.hpp>
#include <socketless/text/token.hpp>
#include <socketless/wire/cors.hpp>
#include <socketless/wire/headers.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire {

/// To which requests a browser adds a cookie that come from pages of other sites.
enum class same_site : std::uint8_t { lax, strict, none };

/// The word of the attribute SameSite.
[[nodiscard]] constexpr std::string_view name(same_site s) noexcept {
    constexpr std::string_view names[] = {"Lax", "Strict", "None"};
    return names[static_cast<std::size_t>(s)];
}

/// The cookie with the id of the session in the answer to a handshake by long-polling, for balancers that send all
/// requests of one client to one server. Off unless it has a name.
struct cookie_options {
    /// A token.
    std::string name = {};
    /// The paths to which the browser sends it. Without semicolons.
    std::string path = "/";
    /// Whether scripts cannot read it.
    bool http_only = true;
    /// Whether it goes over TLS only.
    bool secure = false;
    /// See `same_site`.
    wire::same_site same_site = wire::same_site::lax;
};

/// Who answers the requests for paths that are not the protocol's.
enum class other_paths : std::uint8_t {
    /// The wire, with 404.
    not_found,
    /// The application: `poll_request` and `respond`.
    application,
};

/// How the connections of a server behave. How long a body and a message may be is `max_payload` of the Engine.IO
/// options.
struct server_options {
    /// How long the parts of a request may be. (`max_body` counts for other paths only.)
    http::limits limits = {};
    /// Which pages of other origins may connect by long-polling.
    cors_options cors = {};
    /// A cookie for balancers.
    cookie_options cookie = {};
    /// Fields that every answer carries, also that which opens a WebSocket: see `is_addable_to_answer`.
    headers_type headers = {};
    /// Chooses among the subprotocols that the client of a WebSocket offers, in its order; an empty string, or one that
    /// is not offered, chooses none. By default the first one, as the reference does.
    callback<std::string(std::span<std::string_view const> offered)> choose_subprotocol = {};
    /// Who answers the requests for paths that are not the protocol's.
    wire::other_paths other_paths = wire::other_paths::not_found;
    /// How long a client may take for a request, for reading an answer, and between two requests.
    milliseconds request_timeout{60'000};
    /// How long a connection that ends waits for its client, so that the client gets what was sent.
    milliseconds closing_timeout{5'000};
    /// A write gathers what is due for a connection until it is this long; the last message may make it longer.
    std::size_t max_write = std::size_t{64} * 1024;
};

/// Whether the options can be used. Errors: errc::invalid_field with the index of a header that
/// `is_addable_to_answer` refuses; with the number of headers for a cookie, or a text of `cors`, that no answer could
/// carry.
[[nodiscard]] inline result<void> check(server_options const& options) noexcept {
    if (auto const good = check(options.headers, is_addable_to_answer); !good) return good.error();
    auto const& cookie = options.cookie;
    bool is_good = cookie.name.empty() || (token::is_valid(cookie.name) && cookie.path.find(';') == std::string::npos);
    for (auto const* const value :
         {&cookie.path, &options.cors.methods, &options.cors.headers, &options.cors.exposed_headers})
        is_good = is_good && http::is_valid({"X", *value});
    if (!is_good) return error{errc::invalid_field, options.headers.size()};
    return {};
}

} // namespace socketless::inline v0::wire

#include <socketless/core/detail/epilogue.hpp>
