// Which pages of other origins may read a server's answers: CORS.
#pragma once

#include <socketless/core/callback.hpp>
#include <socketless/core/time.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire {

/// The pages that may connect; by default those of no other origin. The words are those of the npm package cors, which
/// the reference uses. Browsers apply this to HTTP; any page may open WebSockets, whatever stands here: `allow_request`
/// can look at their Origin.
struct cors_options {
    /// The pages whose scripts may connect: their origins, "https://example.com", or "*" for all.
    std::vector<std::string> origins = {};
    /// Decides about other origins, if it is set.
    callback<bool(std::string_view origin)> allows = {};
    /// Whether cookies and the like go along. "*" then means the origin that asks: browsers refuse the star itself.
    bool credentials = false;
    /// The methods that scripts may use.
    std::string methods = "GET,POST";
    /// The fields that scripts may send; if this is empty, those that they ask for.
    std::string headers = {};
    /// The fields that scripts may read besides the usual ones.
    std::string exposed_headers = {};
    /// How long a browser may remember the answer to its question. In whole seconds.
    std::optional<milliseconds> max_age = milliseconds(600'000);

    /// Whether any page of another origin may connect.
    [[nodiscard]] bool is_on() const noexcept { return !origins.empty() || allows; }

    /// The value of Access-Control-Allow-Origin for a page of this origin, borrowed; empty if it may not read the
    /// answer. Linear in the origins.
    [[nodiscard]] std::string_view allowed(std::string_view origin) const {
        bool const is_for_all = std::ranges::find(origins, "*") != origins.end();
        if (is_for_all && !credentials) return "*";
        if (origin.empty()) return {};
        bool const is_allowed =
            is_for_all || std::ranges::find(origins, origin) != origins.end() || (allows && allows(origin));
        return is_allowed ? origin : std::string_view();
    }
};

} // namespace socketless::inline v0::wire

#include <socketless/core/detail/epilogue.hpp>
