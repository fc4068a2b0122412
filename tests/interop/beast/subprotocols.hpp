// The subprotocols that a WebSocket's client offers (RFC 6455, 1.9).
#pragma once

#include "tokens.hpp"

#include <boost/beast/http/field.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace beast_driver {

/// Chooses one of those that are offered, the best first; an empty string chooses no subprotocol.
using subprotocol_choice = std::function<std::string(std::vector<std::string> const& offered)>;

/// As the reference does.
inline std::string first_subprotocol(std::vector<std::string> const& offered) {
    return offered.front();
}

/// The subprotocols that a request offers. Nothing if it breaks the rules: they are tokens, each of them once.
template <class Request>
std::optional<std::vector<std::string>> offered_subprotocols(Request const& r) {
    std::vector<std::string> offered;
    auto const [begin, end] = r.equal_range(boost::beast::http::field::sec_websocket_protocol);
    for (auto i = begin; i != end; ++i) {
        std::string_view rest = i->value();
        do {
            std::string name(trimmed(cut(rest, ',')));
            if (!is_token(name) || std::ranges::find(offered, name) != offered.end()) return std::nullopt;
            offered.push_back(std::move(name));
        } while (!rest.empty());
    }
    return offered;
}

} // namespace beast_driver
