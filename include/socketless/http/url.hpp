// The URLs of servers: where to connect, and what to ask for there.
#pragma once

#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/http/detail/authority.hpp>
#include <socketless/http/request.hpp>
#include <socketless/text/token.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http {

/// The parts of a URL, borrowed.
///
///     url = scheme "://" [ userinfo "@" ] host [ ":" port ] [ path ] [ "?" query ] [ "#" fragment ]
struct url {
    /// "http", "https", "ws" or "wss", in any case; "http" if the text has none.
    std::string_view scheme = "http";
    /// The user and the password, "user:password", percent-encoded; empty if there are none.
    std::string_view userinfo = {};
    /// The name or the address to connect to, without the brackets of IPv6.
    std::string_view host = {};
    /// The port; 80, or 443 if `is_secure`, if the text has none.
    std::uint16_t port = 80;
    /// Whether the host stood in brackets: it is an address of IPv6.
    bool is_ipv6 = false;
    /// The path, "/" if there is none.
    std::string_view path = "/";
    /// What stands behind the "?".
    std::string_view query = {};

    /// Whether TLS is wanted: https and wss.
    [[nodiscard]] constexpr bool is_secure() const noexcept {
        return token::equals(scheme, "https") || token::equals(scheme, "wss");
    }
    /// Whether the port is the usual one of the scheme, which Host leaves out.
    [[nodiscard]] constexpr bool has_usual_port() const noexcept { return port == (is_secure() ? 443 : 80); }
};

/// Reads a URL of a server. The text may begin with the host: "localhost:3000". The fragment is left out.
/// Errors: errc::invalid_url at the scheme, the host, the port or the first character that cannot be there.
/// Linear. Source: RFC 3986, 3.
[[nodiscard]] constexpr result<url> parse_url(std::string_view text) noexcept {
    url u;
    std::string_view rest = text.substr(0, text.find('#'));
    auto const at = [text](std::string_view where) {
        return error{errc::invalid_url, static_cast<std::size_t>(where.data() - text.data())};
    };
    for (std::size_t i = 0; i != rest.size(); ++i)
        if (!detail::is_target_character(rest[i])) return error{errc::invalid_url, i};
    if (auto const colon = rest.find("://"); colon != std::string_view::npos && colon < rest.find_first_of("/?")) {
        u.scheme = rest.substr(0, colon);
        bool const is_known = token::equals(u.scheme, "http") || token::equals(u.scheme, "ws") || u.is_secure();
        if (!is_known) return at(rest);
        rest.remove_prefix(colon + 3);
    }
    std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
    rest.remove_prefix(authority.size());
    if (auto const sign = authority.rfind('@'); sign != std::string_view::npos) {
        u.userinfo = authority.substr(0, sign);
        authority.remove_prefix(sign + 1);
    }
    auto const parts = detail::read_authority(authority);
    if (!parts || parts->host.empty()) return at(authority);
    u.host = parts->host;
    u.is_ipv6 = parts->is_address;
    u.port = u.is_secure() ? 443 : 80;
    if (!parts->port.empty()) u.port = detail::read_port(parts->port).value_or(0);
    if (u.port == 0) return at(authority.substr(authority.size() - parts->port.size()));
    auto const question = std::min(rest.find('?'), rest.size());
    if (question != 0) u.path = rest.substr(0, question);
    u.query = rest.substr(std::min(question + 1, rest.size()));
    return u;
}

} // namespace socketless::inline v0::http

#include <socketless/core/detail/epilogue.hpp>
