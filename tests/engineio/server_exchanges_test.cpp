#include "drivers/engineio_server.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/server.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace engineio_server_exchanges_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_server;
using support::lines;

//=== bodies ===//

TEST_CASE("a body over max_payload is answered with 413, and the session lives on", "[server]") {
    engineio::server_options options;
    options.max_payload = 10;
    driver s(options);
    open_polling(s, 1);
    CHECK(s.get(2, s.query("polling")).empty());
    CHECK(s.post(3, s.query("polling"), "4123456789") == lines{"0 message 123456789", "answer 3: 200 html ok"});
    CHECK(s.post(4, s.query("polling"), "41234567890") == lines{"answer 4: 413"});
    CHECK(s.post(5, s.query("polling"),
                 "4\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
                 "1") == lines{"answer 5: 413"}); // bytes, not characters
    CHECK(s.send("still here") == lines{"answer 2: 200 text 4still here"});
}

TEST_CASE("CVE-2026-59725: a v4 POST of application/octet-stream is answered 400, once, and closes the session",
          "[server][hostile]") {
    driver s;
    open_polling(s, 1);
    s.get(2, s.query("polling"));
    CHECK(s.request(3, http_method::post, s.query("polling"), "4a", true) ==
          lines{"0 closed: transport error", refused(3, 3), "answer 2: 200 text 1"});
    CHECK(s.exchanges.empty());
    CHECK(s.session.connection_count() == 0);
}

TEST_CASE("v3: a POST of application/octet-stream is a binary body", "[server]") {
    driver s(with_v3());
    open_polling(s, 1, "EIO=3&transport=polling");
    CHECK(s.request(2, http_method::post, s.query("polling", 0, "3"),
                    std::string_view("\0\x02\xff"
                                     "4a",
                                     5),
                    true) == lines{"0 message a", "answer 2: 200 html ok"});
    CHECK(s.post(3, s.query("polling", 0, "3"), "2:4b") == lines{"0 message b", "answer 3: 200 html ok"});
}

TEST_CASE("b64 in the target of an upgrade asks for base64 on that channel alone", "[server]") {
    for (char const* eio : {"3", "4"}) {
        driver s(with_v3());
        open_polling(s, 1, "transport=polling&EIO=" + std::string(eio));
        s.open_websocket(7, s.query("websocket", 0, eio) + "&b64=1");
        s.websocket(7, "2probe");
        s.websocket(7, "5");
        auto const b = support::binary("\x01");
        auto const sent = s.after([&] { REQUIRE(s.session.send(s.handles[0], b).has_value()); });
        CHECK(sent == lines{*eio == '3' ? "send 7: b4AQ==" : "send 7: bAQ=="});
        open_polling(s, 2, "transport=polling&b64=1&EIO=" + std::string(eio));
        s.open_websocket(8, s.query("websocket", 1, eio));
        s.websocket(8, "2probe");
        s.websocket(8, "5");
        auto const own = s.after([&] { REQUIRE(s.session.send(s.handles[1], b).has_value()); });
        CHECK(own.front().find("AQ==") == std::string::npos);
    }
}

TEST_CASE("v3: b64 in the handshake asks for bodies of text", "[server]") {
    driver s(with_v3());
    open_polling(s, 1, "EIO=3&transport=polling&b64=1");
    CHECK(s.after([&] { REQUIRE(s.session.send(s.handles[0], support::binary("\x01")).has_value()); }).empty());
    CHECK(s.get(2, s.query("polling", 0, "3")) == lines{"answer 2: 200 text 6:b4AQ=="});
}

TEST_CASE("a client of revision 3 that asks for base64 gets it over a WebSocket too", "[server]") {
    engineio::server_options options;
    options.allow_v3 = true;
    engineio::server s(options, [](std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{1}); });
    std::string buffer;
    s.websocket_opened(7, "/engine.io/?EIO=3&transport=websocket&b64=1", {});
    auto const opened = s.poll_event();
    REQUIRE(opened.has_value());
    REQUIRE(s.send(opened->session, {frame_kind::binary, "\x01\x02\x03\x04"}).has_value());
    std::vector<std::string> sent;
    while (s.poll_event()) {
    }
    while (auto const t = s.poll_transmit(buffer)) {
        CHECK(t->data.kind == frame_kind::text);
        sent.emplace_back(t->data.data);
    }
    REQUIRE(sent.size() == 2);
    CHECK(sent[1] == "b4AQIDBA==");
}

//=== exchanges out of turn ===//

TEST_CASE("a second GET is answered with 400, the pending one with 1", "[server]") {
    driver s;
    open_polling(s, 1);
    s.get(2, s.query("polling"));
    CHECK(s.get(3, s.query("polling")) == lines{"0 closed: transport error", refused(3, 3), "answer 2: 200 text 1"});
    CHECK(s.session.connection_count() == 0);
    CHECK(s.get(4, std::string(polling_v4) + "&sid=x") == lines{refused(4, 1)});
}

TEST_CASE("an aborted GET closes the session, an aborted exchange of nobody does nothing", "[server]") {
    driver s;
    open_polling(s, 1);
    s.get(2, s.query("polling"));
    CHECK(s.abort(1).empty());
    CHECK(s.abort(2) == lines{"0 closed: transport error"});
    CHECK(s.abort(2).empty());
    CHECK(s.exchanges.empty());
}

TEST_CASE("a POST behind the one that closed the session is refused, and nothing is left", "[server]") {
    engineio::server s({}, [](std::span<std::byte> bytes) { std::ranges::fill(bytes, std::byte{1}); });
    std::string buffer;
    s.http_received({.exchange = 1, .target = "/engine.io/?EIO=4&transport=polling"}, {});
    while (s.poll_event()) {
    }
    auto const opened = s.poll_transmit(buffer);
    REQUIRE(opened.has_value());
    auto const begin = buffer.find("sid") + 6;
    auto const target = "/engine.io/?EIO=4&transport=polling&sid=" + buffer.substr(begin, 20);
    while (s.poll_transmit(buffer)) {
    }

    std::string first = "1";
    std::string second = "4late";
    s.http_received({.exchange = 2, .method = http_method::post, .target = target, .body = first}, {});
    while (s.poll_event()) {
    }
    auto const ok = s.poll_transmit(buffer);
    REQUIRE(ok.has_value());
    CHECK(ok->status == 200);
    // The I/O layer writes the answer and reads the pipelined request behind, before the next poll.
    s.http_received({.exchange = 3, .method = http_method::post, .target = target, .body = second}, {});
    while (s.poll_event()) {
    }
    auto const refused = s.poll_transmit(buffer);
    REQUIRE(refused.has_value());
    CHECK(refused->id == 3);
    CHECK(refused->status == 400);
    while (s.poll_transmit(buffer) || s.poll_event()) {
    }
    CHECK(s.connection_count() == 0);
}

//=== a POST whose body is on its way ===//

TEST_CASE("a POST that is announced before its body is there is taken like any other", "[server]") {
    driver s;
    open_polling(s, 1);
    for (std::uint64_t exchange = 2; exchange != 5; ++exchange) {
        CHECK(s.begin_post(exchange, s.query("polling")).empty());
        CHECK(s.post(exchange, s.query("polling"), "4a") ==
              lines{"0 message a", "answer " + std::to_string(exchange) + ": 200 html ok"});
        CHECK(s.abort(exchange).empty()); // it has been answered
    }
    CHECK(s.post(5, s.query("polling"), "4b") == lines{"0 message b", "answer 5: 200 html ok"});
    CHECK(s.session.connection_count() == 1);
}

TEST_CASE("a second POST that begins while the first is read closes the session, and both are answered with 400",
          "[server][hostile]") {
    driver s;
    open_polling(s, 1);
    auto const query = s.query("polling");
    s.get(2, query);
    s.begin_post(3, query);
    CHECK(s.begin_post(4, query) == lines{"0 closed: transport error", "answer 2: 200 text 1"});
    CHECK(s.session.connection_count() == 0);
    CHECK(s.post(4, query, "4a") == lines{refused(4, 1)});
    CHECK(s.post(3, query, "4b") == lines{refused(3, 1)});
    CHECK(s.exchanges.empty());
}

TEST_CASE("a second POST of any length that comes while the first is read does so too", "[server][hostile]") {
    engineio::server_options options;
    options.max_payload = 10;
    for (std::string_view const body : {"4a", "41234567890"}) {
        driver s(options);
        open_polling(s, 1);
        auto const query = s.query("polling");
        s.begin_post(2, query);
        CHECK(s.post(3, query, body) == lines{"0 closed: transport error", refused(3, 3)});
        CHECK(s.session.connection_count() == 0);
        CHECK(s.post(2, query, "4b") == lines{refused(2, 1)});
        CHECK(s.exchanges.empty());
    }
}

TEST_CASE("POSTs of two sessions may be read at once", "[server]") {
    driver s;
    open_polling(s, 1);
    open_polling(s, 2);
    CHECK(s.begin_post(3, s.query("polling", 0)).empty());
    CHECK(s.begin_post(4, s.query("polling", 1)).empty());
    CHECK(s.post(4, s.query("polling", 1), "4b") == lines{"1 message b", "answer 4: 200 html ok"});
    CHECK(s.post(3, s.query("polling", 0), "4a") == lines{"0 message a", "answer 3: 200 html ok"});
}

TEST_CASE("a POST that is given up half-way closes the session", "[server]") {
    driver s;
    open_polling(s, 1);
    s.get(2, s.query("polling"));
    s.begin_post(3, s.query("polling"));
    CHECK(s.abort(3) == lines{"0 closed: transport error", "answer 2: 200 text 1"});
    CHECK(s.abort(3).empty());
    CHECK(s.session.connection_count() == 0);
}

TEST_CASE("an announced POST over max_payload is answered with 413, and the session lives on", "[server]") {
    engineio::server_options options;
    options.max_payload = 10;
    driver s(options);
    open_polling(s, 1);
    s.begin_post(2, s.query("polling"));
    CHECK(s.post(2, s.query("polling"), "41234567890") == lines{"answer 2: 413"});
    CHECK(s.abort(2).empty());
    CHECK(s.begin_post(3, s.query("polling")).empty());
    CHECK(s.post(3, s.query("polling"), "4a") == lines{"0 message a", "answer 3: 200 html ok"});
}

TEST_CASE("the head of a request that is no POST of a session changes nothing", "[server]") {
    driver s;
    open_polling(s, 1);
    auto const unknown = std::string(polling_v4) + "&sid=x";
    CHECK(s.begin_post(2, unknown).empty());
    CHECK(s.post(2, unknown, "4a") == lines{refused(2, 1)});
    CHECK(s.begin_post(3, unknown).empty());
    CHECK(s.abort(3).empty());
    CHECK(s.begin_post(4, polling_v4).empty());
    CHECK(s.post(4, polling_v4, "4a") == lines{refused(4, 2)});
    CHECK(s.begin_post(5, s.query("websocket")).empty());
    CHECK(s.begin(6, http_method::other, s.query("polling")).empty());
    CHECK(s.begin(7, http_method::get, s.query("polling")).empty());
    CHECK(s.abort(7).empty());
    CHECK(s.begin(8, http_method::get, s.query("polling")).empty());
    CHECK(s.get(8, s.query("polling")).empty());
    CHECK(s.post(9, s.query("polling"), "4a") == lines{"0 message a", "answer 9: 200 html ok"});
    CHECK(s.send("b") == lines{"answer 8: 200 text 4b"});
}

TEST_CASE("a session that closes forgets the POST that is on its way, which then concerns no other", "[server]") {
    driver s;
    open_polling(s, 1);
    for (bool const is_given_up : {false, true}) {
        auto const nth = s.handles.size() - 1;
        auto const old = s.query("polling", nth);
        s.begin_post(2, old);
        s.after([&] { s.session.abort(s.handles[nth]); });
        REQUIRE(s.session.connection_count() == 0);
        open_polling(s, 3); // in the place of the one that has closed
        REQUIRE(s.handles[nth + 1].index == s.handles[nth].index);
        CHECK(s.begin_post(4, s.query("polling", nth + 1)).empty());
        CHECK((is_given_up ? s.abort(2) : s.post(2, old, "4a")) == (is_given_up ? lines{} : lines{refused(2, 1)}));
        CHECK(s.post(4, s.query("polling", nth + 1), "4b") == lines{"0 message b", "answer 4: 200 html ok"});
    }
    CHECK(s.exchanges.empty());
}

TEST_CASE("a session that has moved to a WebSocket loses nothing with a POST that is given up", "[server]") {
    driver s;
    open_polling(s, 1);
    auto const query = s.query("polling");
    s.begin_post(2, query);
    s.open_websocket(7, s.query("websocket"));
    s.websocket(7, "2probe");
    CHECK(s.websocket(7, "5") == lines{"0 upgraded to websocket"});
    CHECK(s.abort(2).empty());
    CHECK(s.begin_post(3, query).empty());
    CHECK(s.post(3, query, "4a") == lines{refused(3, 3)});
    CHECK(s.websocket(7, "4hi") == lines{"0 message hi"});
}

} // namespace engineio_server_exchanges_test
