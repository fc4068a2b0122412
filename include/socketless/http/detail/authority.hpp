// The authority of URLs, of Host, and of targets: where a server is (RFC 3986, 3.2).
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/text/percent.hpp>
#include <socketless/text/token.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http::detail {

//     authority = host [ ":" port ];  host = "[" address "]" / name
//
// Borrowed.
struct authority {
    std::string_view host = {}; // without brackets
    std::string_view port = {}; // what stands behind the colon
    bool is_address = false;    // whether the host stood in brackets
};

inline constexpr token::detail::character_set
    host_characters("-._~%!$&'()*+,;=0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

constexpr bool is_host_character(char c) noexcept {
    return host_characters.contains(c);
}

constexpr bool is_name(std::string_view text) noexcept {
    using percent::detail::hex_value;
    if (!std::ranges::all_of(text, is_host_character)) return false;
    for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1))
        if (text.size() - at < 3 || hex_value(text[at + 1]) < 0 || hex_value(text[at + 2]) < 0) return false;
    return true;
}

// Only the characters of an address of IPv6 are checked: whoever connects to it finds out the rest.
constexpr bool is_address(std::string_view text) noexcept {
    auto const is_good = [](char c) { return c == ':' || c == '.' || percent::detail::hex_value(c) >= 0; };
    return text.find(':') != std::string_view::npos && std::ranges::all_of(text, is_good);
}

// Nothing if it is no host, or if something else than a port is behind it. The host may be empty.
constexpr std::optional<authority> read_authority(std::string_view text) noexcept {
    authority a{.is_address = text.starts_with('[')};
    auto const end = a.is_address ? text.find(']') : std::min(text.find(':'), text.size());
    if (end == std::string_view::npos) return std::nullopt;
    a.host = a.is_address ? text.substr(1, end - 1) : text.substr(0, end);
    if (a.is_address ? !is_address(a.host) : !is_name(a.host)) return std::nullopt;
    auto const rest = text.substr(end + (a.is_address ? 1 : 0));
    if (!rest.empty() && rest.front() != ':') return std::nullopt;
    a.port = rest.substr(std::min<std::size_t>(1, rest.size()));
    return a;
}

// The port, or nothing if it is none.
constexpr std::optional<std::uint16_t> read_port(std::string_view text) noexcept {
    auto const port = core_detail::read_digits(text);
    if (text.empty() || port.size != text.size() || port.size > core_detail::max_digits || port.value > 0xffff)
        return std::nullopt;
    return static_cast<std::uint16_t>(port.value);
}

// Whether the text is a host that is not empty, and maybe a port.
constexpr bool is_authority(std::string_view text) noexcept {
    auto const a = read_authority(text);
    return a && !a->host.empty() && (a->port.empty() || read_port(a->port));
}

} // namespace socketless::inline v0::http::detail

#include <socketless/core/detail/epilogue.hpp>
