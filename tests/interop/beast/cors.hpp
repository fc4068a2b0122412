// Which pages of other origins may read a server's answers: CORS.
#pragma once

#include <boost/beast/http/field.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace beast_driver {

/// The words are those of the npm package cors, which the reference uses. A browser applies this to HTTP; any page may
/// open WebSockets, whatever stands here.
struct cors_settings {
    /// The pages whose scripts may connect: their origins, "https://example.com", or "*" for all.
    std::vector<std::string> origins = {};
    /// Decides about the other origins, if it is set.
    std::function<bool(std::string_view origin)> allows = {};
    /// Whether cookies and the like go along. "*" then means the origin that asks: browsers refuse the star itself.
    bool credentials = false;
    std::string methods = "GET,POST";
    /// The headers that scripts may send; if this is empty, those that they ask for.
    std::string headers = {};
    /// The headers that scripts may read besides the usual ones.
    std::string exposed_headers = {};
    /// How long a browser may remember the answer to its question.
    std::optional<std::chrono::seconds> max_age = std::chrono::seconds(600);

    /// Whether any page of another origin may connect.
    [[nodiscard]] bool is_on() const { return !origins.empty() || allows; }

    /// The value of Access-Control-Allow-Origin for a page of this origin; nothing if it may not read the answer.
    [[nodiscard]] std::optional<std::string> allowed(std::string_view origin) const {
        bool const is_for_all = std::ranges::find(origins, "*") != origins.end();
        if (is_for_all && !credentials) return "*";
        if (origin.empty()) return std::nullopt;
        bool const is_allowed =
            is_for_all || std::ranges::find(origins, origin) != origins.end() || (allows && allows(origin));
        return is_allowed ? std::optional(std::string(origin)) : std::nullopt;
    }

    /// Adds the headers to an answer. `allowed_origin` comes from allowed().
    template <class Response>
    void add_to(Response& r, std::optional<std::string> const& allowed_origin) const {
        using boost::beast::http::field;
        if (!is_on()) return;
        if (allowed_origin != "*") r.insert(field::vary, "Origin"); // for caches
        if (!allowed_origin) return;
        r.set(field::access_control_allow_origin, *allowed_origin);
        if (credentials) r.set(field::access_control_allow_credentials, "true");
        if (!exposed_headers.empty()) r.set(field::access_control_expose_headers, exposed_headers);
    }

    /// Answers a preflight: what a page may send. `asked` are the headers that it wants to send.
    template <class Response>
    void add_preflight_to(Response& r, std::optional<std::string> const& allowed_origin, std::string_view asked) const {
        using boost::beast::http::field;
        if (headers.empty()) r.insert(field::vary, "Access-Control-Request-Headers");
        if (!allowed_origin) return;
        r.set(field::access_control_allow_methods, methods);
        if (!headers.empty()) asked = headers;
        if (!asked.empty()) r.set(field::access_control_allow_headers, asked);
        if (max_age) r.set(field::access_control_max_age, std::to_string(max_age->count()));
    }
};

} // namespace beast_driver
