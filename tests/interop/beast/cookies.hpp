// The cookies of one server, as RFC 6265 has a client keep them: a balancer knows its clients by them.
#pragma once

#include "tokens.hpp"

#include <boost/beast/core/string.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace beast_driver {

/// Reads Set-Cookie and gives Cookie. All requests go to one server, so a cookie's domain only decides whether it is
/// kept. The size of all cookies is bounded; a cookie that does not fit is not kept.
class cookie_jar {
public:
    using time_point = std::chrono::system_clock::time_point;

    static constexpr std::size_t max_cookies = 50;
    static constexpr std::size_t max_size = std::size_t{8} * 1024; // of all names and values

    /// `host` is the server's, as the URL has it.
    cookie_jar(std::string host, bool is_secure) : host_(std::move(host)), is_secure_(is_secure) {}

    /// Takes the value of one Set-Cookie header in the answer to a request for `target`.
    void take(std::string_view set_cookie, std::string_view target, time_point now) {
        auto const pair = trimmed(cut(set_cookie, ';'));
        auto const equals = pair.find('=');
        if (equals == std::string_view::npos) return;
        cookie c{.name = std::string(trimmed(pair.substr(0, equals))),
                 .value = std::string(trimmed(pair.substr(equals + 1))),
                 .path = std::string(default_path(path_of(target))),
                 .expires = std::nullopt};
        if (c.name.empty() || has_control(pair) || !read_attributes(c, set_cookie, now)) return;
        std::erase_if(cookies_, [&](cookie const& old) { return old.name == c.name && old.path == c.path; });
        forget_expired(now);
        auto const size = c.name.size() + c.value.size() + c.path.size();
        if (is_expired(c, now) || cookies_.size() == max_cookies || size > max_size - size_of_all()) return;
        cookies_.push_back(std::move(c));
    }

    /// The value of the Cookie header of a request for `target`; empty if there is no cookie to send.
    [[nodiscard]] std::string header(std::string_view target, time_point now) {
        forget_expired(now);
        std::string list;
        for (cookie const& c : cookies_) {
            if (!is_within(path_of(target), c.path)) continue;
            if (!list.empty()) list += "; ";
            list += c.name + '=' + c.value;
        }
        return list;
    }

private:
    struct cookie {
        std::string name;
        std::string value;
        std::string path;
        std::optional<time_point> expires;
    };

    // Reads the attributes behind the value. Returns false if the cookie is not for this server.
    bool read_attributes(cookie& c, std::string_view rest, time_point now) const {
        bool has_max_age = false;
        while (!rest.empty()) {
            auto value = cut(rest, ';');
            auto const name = trimmed(cut(value, '='));
            value = trimmed(value);
            if (is(name, "secure") && !is_secure_) return false;
            if (is(name, "domain") && !is_ours(value)) return false;
            if (is(name, "path") && value.starts_with('/') && !has_control(value)) c.path = value;
            if (is(name, "max-age")) {
                if (auto const at = read_max_age(value, now)) {
                    c.expires = at;
                    has_max_age = true;
                }
            } else if (is(name, "expires") && !has_max_age) { // Max-Age counts more
                if (auto const at = read_date(value)) c.expires = at;
            }
        }
        return true;
    }

    // The server's own name, or a domain above it.
    [[nodiscard]] bool is_ours(std::string_view domain) const {
        if (domain.starts_with('.')) domain.remove_prefix(1);
        if (domain.empty() || is(domain, host_)) return true;
        return host_.size() > domain.size() && host_[host_.size() - domain.size() - 1] == '.' &&
               is(std::string_view(host_).substr(host_.size() - domain.size()), domain) &&
               domain.find('.') != std::string_view::npos && !is_address();
    }
    [[nodiscard]] bool is_address() const { return host_.find_first_not_of("0123456789.:") == std::string::npos; }

    static std::optional<time_point> read_max_age(std::string_view text, time_point now) {
        constexpr std::int64_t longest = std::int64_t{400} * 24 * 60 * 60;
        if (text.empty() || text.substr(text.front() == '-').find_first_not_of("0123456789") != std::string_view::npos)
            return std::nullopt;
        std::int64_t seconds = 0;
        auto const read = std::from_chars(text.data(), text.data() + text.size(), seconds);
        if (read.ec == std::errc::result_out_of_range) seconds = text.front() == '-' ? 0 : longest;
        if (seconds <= 0) return time_point::min();
        return now + std::chrono::seconds(std::min(seconds, longest));
    }

    // A date of HTTP, "Wed, 21 Oct 2015 07:28:00 GMT", or with hyphens in it.
    static std::optional<time_point> read_date(std::string_view text) {
        constexpr std::array<std::string_view, 12> months{"jan", "feb", "mar", "apr", "may", "jun",
                                                          "jul", "aug", "sep", "oct", "nov", "dec"};
        std::vector<unsigned> numbers; // day, year, hour, minute, second
        auto month = months.end();
        while (!text.empty()) {
            auto const end = std::min(text.find_first_of(" ,-:"), text.size());
            auto const word = text.substr(0, end);
            text.remove_prefix(std::min(end + 1, text.size()));
            unsigned number = 0;
            auto const read = std::from_chars(word.data(), word.data() + word.size(), number);
            if (read.ec == std::errc() && read.ptr == word.data() + word.size()) numbers.push_back(number);
            if (month == months.end()) month = std::ranges::find_if(months, [&](auto m) { return is(word, m); });
        }
        if (numbers.size() != 5 || month == months.end()) return std::nullopt;
        auto const [day, year] = std::pair(numbers[0], numbers[1] + (numbers[1] < 70    ? 2000
                                                                     : numbers[1] < 100 ? 1900
                                                                                        : 0));
        std::chrono::year_month_day const date(std::chrono::year(static_cast<int>(std::min(year, 9999u))),
                                               std::chrono::month(static_cast<unsigned>(month - months.begin() + 1)),
                                               std::chrono::day(day));
        if (!date.ok() || numbers[2] > 23 || numbers[3] > 59 || numbers[4] > 60) return std::nullopt;
        auto const latest = std::chrono::floor<std::chrono::days>(time_point::max());
        auto const at = std::chrono::sys_days(date);
        if (at >= latest) return time_point::max();
        return at + std::chrono::hours(numbers[2]) + std::chrono::minutes(numbers[3]) +
               std::chrono::seconds(numbers[4]);
    }

    static std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

    // The directory of the request.
    static std::string_view default_path(std::string_view path) {
        auto const slash = path.rfind('/');
        return slash == std::string_view::npos || slash == 0 ? "/" : path.substr(0, slash);
    }

    static bool is_within(std::string_view path, std::string_view directory) {
        if (!path.starts_with(directory)) return false;
        return path.size() == directory.size() || directory.ends_with('/') || path[directory.size()] == '/';
    }

    void forget_expired(time_point now) {
        std::erase_if(cookies_, [now](cookie const& c) { return is_expired(c, now); });
    }
    static bool is_expired(cookie const& c, time_point now) { return c.expires && *c.expires <= now; }

    [[nodiscard]] std::size_t size_of_all() const {
        std::size_t size = 0;
        for (cookie const& c : cookies_) size += c.name.size() + c.value.size() + c.path.size();
        return size;
    }

    static bool has_control(std::string_view text) {
        return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
    }
    static bool is(std::string_view a, std::string_view b) { return boost::beast::iequals(a, b); }

    std::string host_;
    bool is_secure_;
    std::vector<cookie> cookies_; // the oldest first
};

} // namespace beast_driver
