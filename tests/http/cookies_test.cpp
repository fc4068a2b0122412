#include "tools/catch.hpp"

#include <socketless/core/time.hpp>
#include <socketless/http/cookies.hpp>

#include <array>
#include <chrono>
#include <span>
#include <string>
#include <string_view>

namespace http_cookies_test {

using namespace socketless;
using namespace socketless::http;
using namespace std::chrono_literals;

namespace {

constexpr time_point now{1'000s};

std::string sent(cookie_jar const& jar, std::string_view target, time_point at = now) {
    std::string value;
    auto const written = jar.write(value, target, at);
    CHECK(written == value.size());
    return value;
}

// What one Set-Cookie, in the answer to a request for /a/b?c, makes of a request for `target`.
std::string after(std::string_view set_cookie, std::string_view target = "/a/x", time_point at = now) {
    cookie_jar jar("example.org", cookie_channel::plain);
    jar.store(set_cookie, "/a/b?c/d", now);
    return sent(jar, target, at);
}

} // namespace

TEST_CASE("cookies: name and value are sent back as they came", "[http]") {
    CHECK(after("a=b") == "a=b");
    CHECK(after(" a = \"b c\" ; HttpOnly; SameSite=None") == "a=\"b c\"");
    CHECK(after("a=b=c") == "a=b=c");
    CHECK(after("a=") == "a=");
    CHECK(after("") == "");
    CHECK(after("a") == "");
    CHECK(after("a; b=c") == "");
    CHECK(after("=b") == "");
    CHECK(after("a=b\r\nx: y") == "");
    CHECK(after("a=b; Path=/\x01") == "");
}

TEST_CASE("cookies: a path says which requests get it, the request's directory if there is none", "[http]") {
    CHECK(after("a=b", "/a") == "a=b");
    CHECK(after("a=b", "/ab") == "");
    CHECK(after("a=b", "/") == "");
    CHECK(after("a=b; path=/", "/?x") == "a=b");
    CHECK(after("a=b; Path=/x/", "/x/y") == "a=b");
    CHECK(after("a=b; Path=/x/", "/x") == "");
    CHECK(after("a=b; Path=x", "/a/") == "a=b");
}

TEST_CASE("cookies: Max-Age and a year that is long past end one", "[http]") {
    CHECK(after("a=b; Max-Age=10", "/a", now + 9'999ms) == "a=b");
    CHECK(after("a=b; Max-Age=10", "/a", now + 10s) == "");
    CHECK(after("a=b; Max-Age=0") == "");
    CHECK(after("a=b; Max-Age=-1") == "");
    CHECK(after("a=b; Max-Age=x") == "a=b");
    CHECK(after("a=b; Max-Age=99999999999999999999", "/a", now + 399 * 24h) == "a=b");
    CHECK(after("a=b; Max-Age=99999999999999999999", "/a", now + 400 * 24h) == "");
    CHECK(after("a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT") == "");
    CHECK(after("a=b; Expires=Thu, 01-Jan-70 00:00:00 GMT") == "");
    CHECK(after("a=b; Expires=Wed, 21 Oct 2099 07:28:00 GMT") == "a=b");
    CHECK(after("a=b; Expires=Wed, 21-Oct-33 07:28:00 GMT") == "a=b");
    CHECK(after("a=b; Expires=never") == "a=b");
    CHECK(after("a=b; Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:00 GMT") == "a=b");
    CHECK(after("a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=5") == "a=b");
}

TEST_CASE("cookies: one that is Secure comes and goes over TLS only", "[http]") {
    CHECK(after("a=b; Secure") == "");
    cookie_jar jar("example.org", cookie_channel::secure);
    jar.store("a=b; secure", "/", now);
    CHECK(sent(jar, "/") == "a=b");
}

TEST_CASE("cookies: one for a domain that the server is not in is not kept", "[http]") {
    auto const is_kept = [](std::string_view host, std::string_view domain) {
        cookie_jar jar(host, cookie_channel::plain);
        jar.store("a=b; Domain=" + std::string(domain), "/", now);
        return jar.size() == 1;
    };
    for (auto const domain : {"example.org", "Example.ORG", ".example.org", " example.org ", "org", ""})
        CHECK(is_kept("example.org", domain));
    CHECK(is_kept("www.example.org", "example.org"));
    CHECK(is_kept("node.cluster1", "cluster1"));
    for (auto const domain : {"www.example.org", "example.com", "ample.org", "..example.org", "example.org."})
        CHECK_FALSE(is_kept("example.org", domain));
    CHECK(is_kept("127.0.0.1", "127.0.0.1")); // an address is no part of another one
    CHECK_FALSE(is_kept("127.0.0.1", "0.0.1"));
    CHECK_FALSE(is_kept("127.0.0.1", "1"));
    CHECK(is_kept("::ffff:127.0.0.1", "::ffff:127.0.0.1"));
    CHECK_FALSE(is_kept("::ffff:127.0.0.1", "0.1"));
    CHECK(after("a=b; Domain=example.com; Domain=example.org") == "a=b"); // the last one counts
    CHECK(after("a=b; Domain=example.com; Domain") == "");
}

TEST_CASE("cookies: a new one takes the place of the old, and a deletion removes it", "[http]") {
    cookie_jar jar("example.org", cookie_channel::plain);
    jar.store("a=1; Path=/", "/", now);
    jar.store("b=2; Path=/x", "/", now);
    jar.store("a=3; Path=/", "/", now);
    CHECK(sent(jar, "/x") == "b=2; a=3"); // the longer path first
    jar.store("a=; Path=/; Max-Age=0", "/", now);
    CHECK(sent(jar, "/x") == "b=2");
    std::array<char, 2> buffer{};
    CHECK(jar.write(std::span<char>(buffer), "/x", now) == error{errc::buffer_too_small, 3});
}

TEST_CASE("cookies: their number and size are bounded", "[http]") {
    cookie_jar jar("example.org", cookie_channel::plain);
    for (std::size_t i = 0; i != 2 * cookie_jar::max_cookies; ++i)
        jar.store("c" + std::to_string(i) + "=x; Max-Age=10", "/", now);
    CHECK(jar.size() == cookie_jar::max_cookies);
    jar.store("late=x", "/", now + 10s); // the others have expired
    CHECK(sent(jar, "/", now + 10s) == "late=x");

    cookie_jar large("example.org", cookie_channel::plain);
    large.store("a=" + std::string(cookie_jar::max_size - 2, 'x'), "/", now);
    CHECK(large.size() == 1);
    large.store("b=", "/", now);
    CHECK(large.size() == 1);
    large.store("a=" + std::string(cookie_jar::max_size - 1, 'x'), "/", now);
    CHECK(large.size() == 0);
}

} // namespace http_cookies_test
