// The cookies that a client keeps of one server, so that a balancer before it knows the client again (RFC 6265).
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/output.hpp>
#include <socketless/core/output.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/text/token.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http {

/// Whether requests go over TLS: cookies with the attribute Secure are kept only then.
enum class cookie_channel : std::uint8_t { plain, secure };

/// Takes the values of Set-Cookie from one server and makes the value of Cookie for it:
///
///     http::cookie_jar jar("example.org", http::cookie_channel::secure);
///     jar.store("route=a1; Path=/; HttpOnly", "/socket.io/?EIO=4", now);      // the target of the request
///     std::string cookies;
///     jar.write(cookies, "/socket.io/?EIO=4&sid=x", now).ignore();            // "route=a1"
///
/// All requests go to the server that set the cookies: a cookie whose Domain the server is not in is not kept; HttpOnly
/// and SameSite change nothing. The jar has no wall clock: of Expires it understands a year before 2001, by which
/// servers delete a cookie; any other makes a cookie that lasts as long as the jar. Number and size are bounded: a
/// cookie that would exceed a limit is not kept.
class cookie_jar {
public:
    /// Cookies that a jar keeps.
    static constexpr std::size_t max_cookies = 50;
    /// Bytes of all names, values and paths together.
    static constexpr std::size_t max_size = std::size_t{8} * 1024;

    /// A jar without cookies. The host is the server's, a name or an address, as in `url::host`.
    cookie_jar(std::string_view host, cookie_channel channel) : host_(host), channel_(channel) {}

    /// Takes the value of one Set-Cookie field, from the answer to a request for `target`. A cookie takes the place of
    /// the one that has its name and path. Linear in the value and in the cookies.
    ///
    ///     set-cookie = name "=" value *( ";" attribute [ "=" value ] )
    ///
    /// Source: RFC 6265, 5.2 and 5.3.
    void store(std::string_view set_cookie, std::string_view target, time_point now) {
        auto rest = set_cookie;
        auto value = cut(rest, ';');
        if (value.find('=') == std::string_view::npos) return;
        auto const name = token::trimmed(cut(value, '='));
        if (name.empty()) return;
        value = token::trimmed(value);
        auto const a = read_attributes(rest, default_path(path_of(target)), now);
        bool const is_ours = (channel_ == cookie_channel::secure || !a.is_secure) && is_in(a.domain);
        if (!is_ours || !is_text(name) || !is_text(value) || !is_text(a.path)) return;
        std::erase_if(cookies_,
                      [&](cookie const& c) { return c.is_expired(now) || (c.name == name && c.path == a.path); });
        std::size_t const size = name.size() + value.size() + a.path.size();
        bool const fits = cookies_.size() < max_cookies && size <= max_size - size_of_all();
        if (!fits || (a.expires && *a.expires <= now)) return;
        auto const at = std::ranges::find_if(cookies_, [&](cookie const& c) { return c.path.size() < a.path.size(); });
        cookies_.insert(at, {std::string(name), std::string(value), std::string(a.path), a.expires});
    }

    /// Writes the value of Cookie for a request for `target`: nothing if no cookie goes there, and then the request has
    /// no such field. Longer paths come first. Errors: errc::buffer_too_small.
    /// Source: RFC 6265, 5.4.
    template <output_target Target>
    [[nodiscard]] result<std::size_t> write(Target&& out_target, std::string_view target, time_point now) const {
        return core_detail::write_to(out_target, [&](core_detail::output& out) -> result<void> {
            for (std::string_view separator; cookie const& c : cookies_) {
                if (c.is_expired(now) || !is_within(path_of(target), c.path)) continue;
                out.put(separator);
                out.put(c.name);
                out.put('=');
                out.put(c.value);
                separator = "; ";
            }
            return {};
        });
    }

    /// How many cookies are kept; some of them may have expired.
    [[nodiscard]] std::size_t size() const noexcept { return cookies_.size(); }

private:
    struct cookie {
        std::string name;
        std::string value;
        std::string path;
        std::optional<time_point> expires;

        [[nodiscard]] bool is_expired(time_point now) const noexcept { return expires && *expires <= now; }
    };

    struct attributes {
        std::string_view path;
        std::string_view domain = {};
        std::optional<time_point> expires = {};
        bool is_secure = false;
    };

    // The text up to the character, which is taken from the front with it.
    static std::string_view cut(std::string_view& text, char end) noexcept {
        auto const size = std::min(text.find(end), text.size());
        auto const taken = text.substr(0, size);
        text.remove_prefix(std::min(size + 1, text.size()));
        return taken;
    }

    // Whether a field can carry it.
    static bool is_text(std::string_view text) noexcept { return std::ranges::all_of(text, is_value_character); }

    static attributes read_attributes(std::string_view rest, std::string_view path, time_point now) noexcept {
        attributes a{path};
        bool has_max_age = false; // it counts more than Expires
        while (!rest.empty()) {
            auto value = cut(rest, ';');
            auto const name = token::trimmed(cut(value, '='));
            value = token::trimmed(value);
            if (token::equals(name, "secure")) a.is_secure = true;
            if (token::equals(name, "domain") && !value.empty()) a.domain = value.substr(value.front() == '.' ? 1 : 0);
            if (token::equals(name, "path")) a.path = value.starts_with('/') ? value : path;
            if (token::equals(name, "expires") && !has_max_age && is_past(value)) a.expires = now;
            if (!token::equals(name, "max-age")) continue;
            auto const age = read_max_age(value);
            if (!age) continue;
            has_max_age = true;
            a.expires = deadline(now, *age);
        }
        return a;
    }

    // Whether the server is in the domain; an address is only in itself. Source: RFC 6265, 5.1.3.
    [[nodiscard]] bool is_in(std::string_view domain) const noexcept {
        auto const host = std::string_view(host_);
        if (domain.empty() || token::equals(host, domain)) return true;
        bool const is_address = std::ranges::all_of(host.substr(host.rfind('.') + 1), core_detail::is_digit);
        if (is_address || host.size() <= domain.size()) return false;
        auto const end = host.size() - domain.size();
        return host[end - 1] == '.' && token::equals(host.substr(end), domain);
    }

    // Seconds, at most 400 days.
    static std::optional<milliseconds> read_max_age(std::string_view text) noexcept {
        constexpr std::uint64_t longest = std::uint64_t{400} * 24 * 60 * 60;
        bool const is_negative = text.starts_with('-');
        auto const digits = text.substr(is_negative ? 1 : 0);
        if (digits.empty() || !std::ranges::all_of(digits, core_detail::is_digit)) return std::nullopt;
        if (is_negative) return milliseconds(0);
        auto const read = core_detail::read_digits(digits);
        auto const seconds = read.size > core_detail::max_digits ? longest : std::min(read.value, longest);
        return milliseconds(static_cast<milliseconds::rep>(seconds * 1000));
    }

    // Whether a date, such as "Thu, 01 Jan 1970 00:00:00 GMT", has a year before 2001, in four digits or in two.
    static bool is_past(std::string_view date) noexcept {
        for (std::size_t numbers = 0; !date.empty();) {
            auto const size = std::min(date.find_first_of(" ,-"), date.size());
            auto const word = date.substr(0, size);
            date.remove_prefix(std::min(size + 1, date.size()));
            auto const number = core_detail::read_digits(word);
            if (number.size == 0 || number.size != word.size()) continue;
            if (number.size == 4) return number.value < 2001;
            if (++numbers == 2) return number.size == 2 && number.value >= 70; // the first is the day
        }
        return false;
    }

    static std::string_view path_of(std::string_view target) noexcept { return target.substr(0, target.find('?')); }

    // The directory of the request. Source: RFC 6265, 5.1.4.
    static std::string_view default_path(std::string_view path) noexcept {
        auto const slash = path.rfind('/');
        return !path.starts_with('/') || slash == 0 ? "/" : path.substr(0, slash);
    }

    static bool is_within(std::string_view path, std::string_view directory) noexcept {
        if (!path.starts_with(directory)) return false;
        return path.size() == directory.size() || directory.ends_with('/') || path[directory.size()] == '/';
    }

    [[nodiscard]] std::size_t size_of_all() const noexcept {
        std::size_t size = 0;
        for (cookie const& c : cookies_) size += c.name.size() + c.value.size() + c.path.size();
        return size;
    }

    std::string host_;
    cookie_channel channel_;
    std::vector<cookie> cookies_; // the longest paths first, among them the oldest
};

} // namespace socketless::inline v0::http

#include <socketless/core/detail/epilogue.hpp>
