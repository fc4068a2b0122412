// The tokens of HTTP (RFC 9110, 5.6.2): names of headers, methods, subprotocols.
#pragma once

#include <algorithm>
#include <string_view>

namespace beast_driver {

inline bool is_token(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        constexpr std::string_view signs = "!#$%&'*+-.^_`|~";
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               signs.find(c) != std::string_view::npos;
    });
}

/// Without the white space around it.
inline std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    return text.substr(0, text.find_last_not_of(" \t") + 1);
}

/// The part before `separator`, or all; removes it, with the separator.
inline std::string_view cut(std::string_view& text, char separator) {
    auto const piece = text.substr(0, text.find(separator));
    text.remove_prefix(std::min(piece.size() + 1, text.size()));
    return piece;
}

} // namespace beast_driver
