// Headers that a user of a client adds to its requests.
#pragma once

#include "tokens.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/fields.hpp>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace beast_driver {

/// A name and its value.
using header = std::pair<std::string, std::string>;

/// Whether a user may add it: the name is a token, the value stays within its line, and it is not a header of framing
/// or of the connection, which the driver sets itself.
inline bool is_addable(header const& h) {
    constexpr std::string_view reserved[] = {
        "connection", "content-length", "sec-websocket-accept",  "sec-websocket-extensions", "sec-websocket-key",
        "expect",     "keep-alive",     "sec-websocket-version", "transfer-encoding",        "upgrade"};
    auto const is_plain = [](char c) { return static_cast<unsigned char>(c) >= ' ' ? c != '\x7f' : c == '\t'; };
    auto const is_name = [&h](std::string_view name) { return boost::beast::iequals(h.first, name); };
    return is_token(h.first) && std::ranges::all_of(h.second, is_plain) && std::ranges::none_of(reserved, is_name);
}

/// Reads "Name: value". Nothing if the text has another form, or the header may not be added.
inline std::optional<header> parse_header(std::string_view text) {
    auto const colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    header h{text.substr(0, colon), trimmed(text.substr(colon + 1))};
    return is_addable(h) ? std::optional(std::move(h)) : std::nullopt;
}

/// Adds them to a request. They replace those of the driver with the same names; `cookies` are those that the driver
/// keeps, which go along with the user's.
template <class Fields>
void add_headers(Fields& request, std::vector<header> const& headers, std::string cookies) {
    for (auto const& [name, value] : headers) request.erase(name);
    for (auto const& [name, value] : headers) {
        if (!boost::beast::iequals(name, "cookie")) {
            request.insert(name, value);
        } else if (!value.empty()) {
            cookies = cookies.empty() ? value : value + "; " + cookies;
        }
    }
    if (!cookies.empty()) request.set(boost::beast::http::field::cookie, cookies);
}

/// Throws std::invalid_argument if a header may not be added.
inline void check_headers(std::vector<header> const& headers) {
    for (header const& h : headers)
        if (!is_addable(h)) throw std::invalid_argument("this header cannot be added: " + h.first);
}

} // namespace beast_driver
