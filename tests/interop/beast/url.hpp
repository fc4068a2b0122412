// The URL of a server.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace beast_driver {

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

} // namespace beast_driver
