#include "drivers/wire_client.hpp"
#include "tools/catch.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wire_client_request_test {

using namespace socketless;
using namespace std::chrono_literals;
using namespace support::wire_client;
using strings = std::vector<std::string>;
using headers = wire::headers_type;

namespace {

std::string first_request(engineio::client_options options, wire::client_options wire, std::string_view url) {
    session_scene s(std::move(options), std::move(wire), url);
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    return s.take(0);
}
std::string first_request(wire::client_options wire) {
    return first_request(by_polling(), std::move(wire), "http://a/");
}

// Opens a session by long-polling, with this field in the answer.
void open(session_scene& s, std::string_view field) {
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.take(0);
    s.receive(0, "HTTP/1.1 103 Early Hints\r\nSet-Cookie: early=1\r\n\r\n");
    s.receive(0, answer(upgrading_handshake, field));
}

} // namespace

TEST_CASE("wire client: the URL says where to connect, and what Host is") {
    struct {
        std::string_view url, to, host;
    } const cases[] = {
        {"example.org", "example.org:80", "example.org"},
        {"http://example.org:80/", "example.org:80", "example.org"},
        {"ws://example.org:3000", "example.org:3000", "example.org:3000"},
        {"https://example.org/", "example.org:443 tls", "example.org"},
        {"WSS://Example.org:80/", "Example.org:80 tls", "Example.org:80"},
        {"http://[::1]/", "::1:80", "[::1]"},
        {"http://[fe80::1]:3000/", "fe80::1:3000", "[fe80::1]:3000"},
    };
    for (auto const& c : cases) {
        CAPTURE(c.url);
        session_scene s(by_polling(), {}, c.url);
        REQUIRE(s.io->open(s.now).has_value());
        s.drain();
        CHECK(s.peer(0).to == c.to);
        CHECK(field_of(s.take(0), "Host") == c.host);
    }
}

TEST_CASE("wire client: parameters of the URL go along, unless the options have them") {
    auto options = by_polling();
    options.query = {{"a", "own"}};
    CHECK(first_line(first_request(options, {}, "http://h/chat?a=1&b=x%20y%26z&b=2&c&EIO=3#f")) ==
          "GET /engine.io/?a=own&b=x%20y%26z&b=2&c=&EIO=4&transport=polling HTTP/1.1");
}

TEST_CASE("wire client: headers go with all requests, with those by long-polling, with those for a WebSocket") {
    wire::client_options wire;
    wire.headers = {{"User-Agent", "test"}, {"X-All", "1"}};
    wire.polling_headers = {{"X-Polling", "2"}};
    wire.websocket_headers = {{"Origin", "http://page"}};
    CHECK(first_request(wire) == "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n"
                                 "Host: a\r\n"
                                 "Accept: */*\r\n"
                                 "User-Agent: test\r\n"
                                 "X-All: 1\r\n"
                                 "X-Polling: 2\r\n"
                                 "\r\n");
    CHECK(first_request(by_websocket(), wire, "http://a/") == "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                                                              "Host: a\r\n"
                                                              "Upgrade: websocket\r\n"
                                                              "Connection: Upgrade\r\n"
                                                              "Sec-WebSocket-Version: 13\r\n"
                                                              "Sec-WebSocket-Key: CAkKCwwNDg8QERITFBUWFw==\r\n"
                                                              "User-Agent: test\r\n"
                                                              "X-All: 1\r\n"
                                                              "Origin: http://page\r\n"
                                                              "\r\n");
}

TEST_CASE("wire client: headers take the place of the client's own") {
    wire::client_options wire;
    wire.headers = {{"host", "virtual"}, {"ACCEPT", "text/plain"}};
    CHECK(first_request(wire) == "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n"
                                 "host: virtual\r\n"
                                 "ACCEPT: text/plain\r\n"
                                 "\r\n");
}

TEST_CASE("wire client: headers that frame a message or open a WebSocket are refused, and such as break a line") {
    for (auto const& h : headers{{"Connection", "x"},
                                 {"content-length", "5"},
                                 {"Expect", "100-continue"},
                                 {"Keep-Alive", "x"},
                                 {"sec-websocket-accept", "x"},
                                 {"Sec-WebSocket-Extensions", "permessage-deflate"},
                                 {"Sec-WebSocket-Key", "x"},
                                 {"Sec-WebSocket-Version", "8"},
                                 {"Transfer-Encoding", "chunked"},
                                 {"UPGRADE", "h2c"},
                                 {"", "x"},
                                 {"a b", "x"},
                                 {"X:", "x"},
                                 {"X", "a\r\nY: b"},
                                 {"X", std::string("\0", 1)}}) {
        CAPTURE(h.first, h.second);
        CHECK_FALSE(wire::is_addable({h.first, h.second}));
        for (auto const list : {&wire::client_options::headers, &wire::client_options::polling_headers,
                                &wire::client_options::websocket_headers}) {
            wire::client_options wire;
            wire.*list = {{"X", "fine"}, h};
            CHECK(check(wire) == error{errc::invalid_field, 1});
            session_scene s(by_both(), wire);
            CHECK(s.io.check_options() == error{errc::invalid_field, 1});
            REQUIRE(s.io->open(s.now).has_value()); // if nobody asks
            s.drain();
            CHECK(s.take_events() == strings{"closed transport error"});
            CHECK(s.peers.empty());
        }
    }
    CHECK(wire::is_addable({"X-Connection", "a\tb \xc3\xa4"}));
    CHECK(wire::is_addable({"Sec-WebSocket-Protocol", "chat"}));
}

TEST_CASE("wire client: cookies of the handshake go with each request, and with the user's own") {
    wire::client_options wire;
    wire.headers = {{"Cookie", "mine=1"}};
    session_scene s(by_both(), wire);
    open(s, "Set-Cookie: route=a1; Path=/; HttpOnly\r\nset-cookie: other=x\r\nSet-Cookie: far=x; Path=/elsewhere\r\n"
            "Set-Cookie: tls=x; Secure\r\n");
    std::string requests[] = {s.take(0), s.take(1)};
    REQUIRE(s.io->send({frame_kind::text, "x"}, s.now).has_value());
    s.drain();
    CHECK(first_line(requests[1]) == "GET /engine.io/?EIO=4&transport=websocket&sid=abc HTTP/1.1");
    CHECK(field_of(requests[0], "Cookie") == "mine=1; other=x; route=a1");
    CHECK(field_of(requests[1], "Cookie") == "mine=1; other=x; route=a1");
    CHECK(field_of(s.take(2), "Cookie") == "mine=1; other=x; route=a1");
}

TEST_CASE("wire client: cookies of a WebSocket's handshake, and of refusals, are kept too") {
    auto options = by_websocket();
    session_scene s(options);
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    CHECK(field_of(s.take(0), "Cookie") == "(none)");
    s.receive(0, answer("", "Set-Cookie: a=1\r\n", "503 Service Unavailable"));
    REQUIRE(s.take_events() == strings{"closed transport error"});
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    auto const request = s.take(1);
    CHECK(field_of(request, "Cookie") == "a=1");
    s.receive(1, agree(request, "Set-Cookie: a=2\r\n"));
    s.cut(1);
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    CHECK(field_of(s.take(2), "Cookie") == "a=2");
}

TEST_CASE("wire client: without keeps_cookies none are kept") {
    wire::client_options wire;
    wire.keeps_cookies = false;
    session_scene s(by_polling(), wire);
    open(s, "Set-Cookie: route=a1\r\n");
    CHECK(field_of(s.take(0), "Cookie") == "(none)");
}

//=== the proxy ===//

TEST_CASE("wire client: a proxy is asked for a tunnel, and the request goes through it") {
    wire::client_options wire;
    wire.proxy = "http://user:p%40ss@proxy:3128";
    session_scene s(by_polling(), wire, "http://example.org/");
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    CHECK(s.peer(0).to == "proxy:3128");
    CHECK(s.take(0) == "CONNECT example.org:80 HTTP/1.1\r\n"
                       "Host: example.org:80\r\n"
                       "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n"
                       "\r\n");
    s.receive(0, "HTTP/1.1 100 Continue\r\n\r\n");
    s.receive(0, "HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\nSet-Cookie: proxy=1\r\n\r\n");
    auto const request = s.take(0);
    CHECK(first_line(request) == "GET /engine.io/?EIO=4&transport=polling HTTP/1.1");
    CHECK(field_of(request, "Host") == "example.org");
    CHECK(field_of(request, "Proxy-Authorization") == "(none)");
    CHECK(s.peer(0).tls.empty());
    s.receive(0, answer(engine_handshake));
    CHECK(s.take_events() == strings{"opened polling"});
    auto const next = s.take(0);
    CHECK(first_line(next) == "GET /engine.io/?EIO=4&transport=polling&sid=abc HTTP/1.1");
    CHECK(field_of(next, "Cookie") == "(none)"); // the proxy's is not the server's
}

TEST_CASE("wire client: TLS begins in the tunnel, with the server's name") {
    wire::client_options wire;
    wire.proxy = "proxy:8080";
    session_scene s(by_websocket(), wire, "https://[::1]/");
    s.connects = false;
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    CHECK(s.peer(0).to == "proxy:8080");
    s.connected(0);
    CHECK(s.take(0) == "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n");
    s.receive_in_pieces(0, "HTTP/1.0 200 OK\r\nVia: x\r\n\r\n", 1);
    CHECK(s.peer(0).tls == "::1");
    CHECK(s.take(0).empty());
    s.connected(0);
    auto const request = s.take(0);
    CHECK(field_of(request, "Host") == "[::1]");
    s.receive(0, agree(request) + server_frame(engine_handshake));
    CHECK(s.take_events() == strings{"opened websocket"});
}

TEST_CASE("wire client: nothing is sent through the tunnel before TLS was asked for and has begun") {
    wire::client_options wire;
    wire.proxy = "proxy:8080";
    session_scene s(by_polling(), wire, "https://a/");
    s.connects = false;
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.connected(0);
    s.take(0);
    s.give(0, "HTTP/1.1 200 OK\r\n\r\n");
    s.io.connected(s.peer(0).id, s.now); // once too often
    s.drain();
    CHECK(s.peer(0).tls == "a");
    CHECK(s.take(0).empty());
    s.connected(0);
    CHECK(first_line(s.take(0)) == "GET /engine.io/?EIO=4&transport=polling HTTP/1.1");
}

TEST_CASE("wire client: a proxy may be reached by TLS itself") {
    wire::client_options wire;
    wire.proxy = "https://proxy";
    session_scene s(by_polling(), wire);
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    CHECK(s.peer(0).to == "proxy:443 tls");
}

TEST_CASE("wire client: a proxy that refuses is a failed request with its status") {
    wire::client_options wire;
    wire.proxy = "proxy:3128";
    for (auto const& options : {by_polling(), by_websocket()}) {
        session_scene s(options, wire);
        REQUIRE(s.io->open(s.now).has_value());
        s.drain();
        s.receive(0, answer("no", "Proxy-Authenticate: Basic\r\n", "407 Proxy Authentication Required"));
        CHECK(s.take_events() == strings{"closed transport error"});
        CHECK(s.io->failure().status == 407);
        CHECK(s.io.connection_count() == 0);
        CHECK(s.io->is_done());
    }
}

TEST_CASE("wire client: a proxy that is silent, goes away or speaks too soon is a failed request") {
    wire::client_options wire;
    wire.proxy = "proxy:3128";
    wire.answer_timeout = 10s;
    enum { silent, ended, cut, early, talkative, no_tls };
    for (int const what : {silent, ended, cut, early, talkative, no_tls}) {
        CAPTURE(what);
        session_scene s(by_polling(), wire, "https://a/");
        s.connects = false;
        REQUIRE(s.io->open(s.now).has_value());
        s.drain();
        if (what == early) s.receive(0, "HTTP/1.1 200 OK\r\n\r\n");
        if (what != early) s.connected(0);
        if (what == silent) s.wait(10'001ms);
        if (what == ended) s.end(0);
        if (what == cut) s.cut(0);
        if (what == talkative) s.receive(0, "HTTP/1.1 200 OK\r\n\r\nSSH-2.0");
        if (what == no_tls) {
            s.receive(0, "HTTP/1.1 200 OK\r\n\r\n");
            CHECK(s.peer(0).tls == "a");
            s.cut(0);
        }
        CHECK(s.take_events() == strings{"closed transport error"});
        CHECK(s.io.connection_count() == 0);
        CHECK(s.io->is_done());
    }
}

TEST_CASE("wire client: a proxy that is no URL of HTTP is refused") {
    for (std::string_view const proxy : {"ftp://proxy", "wss://proxy", "http://", "http://a b", "http://proxy:0"}) {
        CAPTURE(proxy);
        wire::client_options wire;
        wire.proxy = proxy;
        REQUIRE_FALSE(check(wire).has_value());
        CHECK(check(wire).error().code == errc::invalid_url);
        session_scene s(by_polling(), wire);
        REQUIRE(s.io->open(s.now).has_value());
        s.drain();
        CHECK(s.take_events() == strings{"closed transport error"});
        CHECK(s.peers.empty());
    }
}

} // namespace wire_client_request_test
