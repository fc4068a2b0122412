#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/http/url.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace http_url_test {

using namespace socketless;
using namespace std::string_view_literals;

static_assert(http::parse_url("https://a.b:8443/c?d#e")->port == 8443);
static_assert(http::parse_url("https://a")->has_usual_port());
static_assert(!http::parse_url("").has_value());

TEST_CASE("http url: a text has a scheme, a host, a port, a path and a query") {
    struct row {
        std::string_view text;
        std::string_view scheme;
        std::string_view host;
        std::uint16_t port;
        std::string_view path = "/";
        std::string_view query = "";
        bool is_secure = false;
        bool has_usual_port = true;
    };
    for (auto const& [text, scheme, host, port, path, query, is_secure, has_usual_port] : {
             row{"http://localhost:3000", "http", "localhost", 3000, "/", "", false, false},
             row{"https://example.com/a/b?c=d&e", "https", "example.com", 443, "/a/b", "c=d&e", true},
             row{"WSS://Example.com", "WSS", "Example.com", 443, "/", "", true},
             row{"ws://127.0.0.1", "ws", "127.0.0.1", 80},
             row{"localhost", "http", "localhost", 80},
             row{"localhost:3000/x", "http", "localhost", 3000, "/x", "", false, false},
             row{"localhost/http://x", "http", "localhost", 80, "/http://x"},
             row{"localhost?u=http://x", "http", "localhost", 80, "/", "u=http://x"},
             row{"http://a?b", "http", "a", 80, "/", "b"},
             row{"http://a/?", "http", "a", 80, "/", ""},
             row{"http://a/b?c?d", "http", "a", 80, "/b", "c?d"},
             row{"http://a#b/c", "http", "a", 80},
             row{"http://a/b#c d", "http", "a", 80, "/b"},
             row{"http://a:", "http", "a", 80},
             row{"http://a:00080", "http", "a", 80},
             row{"https://a:80", "https", "a", 80, "/", "", true, false},
             row{"http://a:65535", "http", "a", 65535, "/", "", false, false},
             row{"http://xn--caf-dma.example", "http", "xn--caf-dma.example", 80},
         }) {
        CAPTURE(text);
        auto const u = http::parse_url(text);
        REQUIRE(u.has_value());
        CHECK(u->scheme == scheme);
        CHECK(u->host == host);
        CHECK(u->port == port);
        CHECK(u->path == path);
        CHECK(u->query == query);
        CHECK(u->is_secure() == is_secure);
        CHECK(u->has_usual_port() == has_usual_port);
        CHECK(u->userinfo.empty());
        CHECK_FALSE(u->is_ipv6);
    }
}

TEST_CASE("http url: an address of IPv6 stands in brackets") {
    auto const u = http::parse_url("http://[2001:db8::1]:3000/x");
    REQUIRE(u.has_value());
    CHECK(u->host == "2001:db8::1");
    CHECK(u->is_ipv6);
    CHECK(u->port == 3000);
    CHECK(http::parse_url("[::1]")->host == "::1");
    CHECK(http::parse_url("https://[::ffff:1.2.3.4]")->port == 443);
    CHECK_FALSE(http::parse_url("https://[fe80::1%25eth0]"));
}

TEST_CASE("http url: a user stands before the last @ of the authority") {
    CHECK(http::parse_url("http://user:pass@host:81/")->userinfo == "user:pass");
    CHECK(http::parse_url("http://user:pass@host:81/")->host == "host");
    CHECK(http::parse_url("http://a@b@c/")->userinfo == "a@b");
    CHECK(http::parse_url("http://a@b@c/")->host == "c");
    CHECK(http::parse_url("http://c/a@b")->host == "c");
    CHECK(http::parse_url("http://c?a@b")->host == "c");
}

TEST_CASE("http url: what is none is an error at its place") {
    struct row {
        std::string_view text;
        std::size_t offset;
    };
    for (auto const& [text, offset] : {
             row{"", 0},
             row{"http://", 7},
             row{"http:///a", 7},
             row{"http://:80", 7},
             row{"http://u@/", 9},
             row{"ftp://a", 0},
             row{"://a", 0},
             row{"/a", 0},
             row{"?a", 0},
             row{"//a", 0},
             row{"http://a b", 8},
             row{"http://a/b c", 10},
             row{"http://a/\r\nX", 9},
             row{"http://a/\x7f", 9},
             row{"http://caf\xc3\xa9", 10},
             row{"http://a\0"sv, 8},
             row{"http://a\\b", 7},
             row{"http://a:b", 9},
             row{"http://a:0", 9},
             row{"http://a:65536", 9},
             row{"http://a:99999999999999999999", 9},
             row{"http://a:+80", 9},
             row{"http://a:80:80", 9},
             row{"http://[::1", 7},
             row{"http://[]", 7},
             row{"http://[::1]x", 7},
             row{"http://[a/b]", 7},
             row{"http://::1", 7},
             row{"http://a[b]", 7},
         }) {
        CAPTURE(text);
        CHECK(http::parse_url(text).error() == error{errc::invalid_url, offset});
    }
}

TEST_CASE("http url: any change of a good one is read within its bounds") {
    bool is_good = true;
    for (auto const text : {"wss://user:pass@[::1]:3000/a/b?c=d#e", "example.com:80/a?b"}) {
        support::for_each_mutation(text, [&is_good](std::string_view s) {
            auto const u = http::parse_url(s);
            is_good = is_good && (u ? !u->host.empty() && u->port != 0 && u->path.starts_with('/')
                                    : u.error().code == errc::invalid_url && u.error().offset <= s.size());
        });
    }
    CHECK(is_good);
}

} // namespace http_url_test
