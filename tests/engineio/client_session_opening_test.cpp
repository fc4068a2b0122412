#include "drivers/engineio_client.hpp"
#include "tools/catch.hpp"

#include <socketless/engineio/client_session.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace engineio_client_session_opening_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace support::engineio_client;
using namespace std::chrono_literals;
using support::binary;
using support::lines;
using support::stream_frame;
using support::text;

//=== opening ===//

TEST_CASE("a client opens with the first of its transports", "[client_session]") {
    CHECK(driver(polling_only()).open() == lines{"get 1"});
    CHECK(driver(only({transport::websocket, transport::polling})).open() == lines{"open websocket 1"});
    CHECK(driver(only({transport::webtransport})).open() == lines{"open stream 1"});
}

TEST_CASE("the query has the caller's own parameters, EIO, transport, a timestamp, and the sid once it is known",
          "[client_session]") {
    engineio::client_options options;
    options.path = "/socket.io/";
    options.query = {{"user", "a b"}, {"x", "&="}};
    driver c(options);
    c.open();
    CHECK(c.targets[1].starts_with("/socket.io/?user=a%20b&x=%26%3D&EIO=4&transport=polling&t="));
    c.answer(1, open_packet());
    CHECK(c.targets[2] == "/socket.io/?user=a%20b&x=%26%3D&EIO=4&transport=websocket&sid=abc");
    CHECK(c.targets[3].starts_with("/socket.io/?user=a%20b&x=%26%3D&EIO=4&transport=polling&t="));
    CHECK(c.targets[3].ends_with("&sid=abc"));
    c.send("hi");
    CHECK(c.targets[4].ends_with("&sid=abc"));
    CHECK(c.targets[3] != c.targets[4]); // another timestamp
}

TEST_CASE("a path gets its slashes and is percent-encoded, and what cannot be a path is an error of open",
          "[client_session]") {
    auto const target = [](std::string path) {
        auto options = websocket_only();
        options.path = std::move(path);
        driver c(options);
        CHECK(c.open() == lines{"open websocket 1"});
        return c.targets[1].substr(0, c.targets[1].find('?'));
    };
    CHECK(target("socket.io") == "/socket.io/");
    CHECK(target("/a") == "/a/");
    CHECK(target("") == "/");
    CHECK(target("/") == "/");
    CHECK(target("/a b/\u20ac/100%/%2f/") == "/a%20b/%E2%82%AC/100%25/%2f/");
    CHECK(target("/~x-_.!$&'()*+,;=:@/") == "/~x-_.!$&'()*+,;=:@/");
    for (std::string_view const bad : {"/a?b", "/a#b", "/a\n", "/a\xff"}) {
        auto options = websocket_only();
        options.path = bad;
        driver c(options);
        CHECK(c.session.check_options() == error{errc::invalid_request_target, 2});
        CHECK(c.session.open(c.now) == error{errc::invalid_request_target, 2});
        CHECK(c.drain().empty());
        CHECK(c.session.is_closed());
        CHECK(c.session.open(c.now) == error{errc::invalid_request_target, 2});
    }
}

TEST_CASE("parameters of the caller's that have the protocol's names never reach the wire", "[client_session]") {
    auto options = polling_only();
    options.query = {{"EIO", "3"}, {"transport", "x"}, {"sid", "stolen"}, {"t", "0"}, {"b64", "1"}, {"sid2", "ok"}};
    driver c(options);
    c.open();
    CHECK(c.targets[1].starts_with("/engine.io/?b64=1&sid2=ok&EIO=4&transport=polling&t="));
    CHECK(c.targets[1].find("sid=") == std::string::npos);
}

TEST_CASE("the timestamps of two clients differ by their seeds, those of one in each request", "[client_session]") {
    auto const targets = [](std::uint64_t seed) {
        auto options = polling_only();
        options.timestamp_seed = seed;
        auto c = polling(options);
        c.answer(2, "6");
        return c.targets;
    };
    auto const one = targets(0x123456789abcdef0);
    CHECK(one == targets(0x123456789abcdef0));
    auto const other = targets(0x123456789abcdef1);
    std::set<std::string> all;
    for (auto const* const of : {&one, &other})
        for (auto const& [id, target] : *of) {
            CHECK(all.insert(target).second);
            CHECK(target.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./?&=") ==
                  std::string::npos);
        }
}

TEST_CASE("a session id may be any JSON string, and is percent-encoded in requests", "[client_session]") {
    auto c =
        polling(polling_only(), R"(0{"sid":"a\u0026 \"b","upgrades":[],"pingInterval":25000,"pingTimeout":20000})");
    CHECK(c.session.id() == "a& \"b");
    CHECK(c.session.handshake().sid == "a& \"b");
    CHECK(c.targets[2].ends_with("&sid=a%26%20%22b"));
}

TEST_CASE("the answer that has ended a session can be looked at", "[client_session]") {
    std::string_view const refusal = R"({"code":1,"message":"Session ID unknown"})";
    auto const look = [](driver& c) {
        auto const answer = c.session.failure();
        auto const code = engineio::decode_request_error(answer.body);
        return std::pair(answer.status, code ? static_cast<int>(*code) : -1);
    };
    auto const end = [&](driver& c, auto input) {
        input();
        std::optional<std::pair<int, int>> seen;
        while (auto const e = c.session.poll_event())
            if (e->type == engineio::event_type::closed) seen = look(c);
        return seen;
    };
    std::string body(refusal);
    auto opening = driver(polling_only());
    opening.open();
    CHECK(end(opening, [&] { opening.session.http_response(1, 400, false, body, opening.now); }) == std::pair(400, 1));
    auto open = polling();
    CHECK(open.send("a") == lines{"post 3: 4a"});
    CHECK(end(open, [&] { open.session.http_response(3, 413, false, {}, open.now); }) == std::pair(413, -1));
    driver socket(websocket_only());
    socket.open();
    CHECK(end(socket, [&] { socket.session.channel_refused(1, 400, refusal, socket.now); }) == std::pair(400, 1));
    auto cut = over_websocket();
    CHECK(end(cut, [&] { cut.session.channel_closed(1, cut.now); }) == std::pair(0, -1));
}

TEST_CASE("a client: a message larger than all that may be queued is an error that ends nothing", "[client_session]") {
    auto options = websocket_only();
    options.max_queued = 10;
    auto c = over_websocket(options);
    CHECK(c.session.send(text("0123456789"), c.now) == error{errc::message_too_large, 10});
    CHECK(c.session.send(shared_message(text("0123456789")), c.now) == error{errc::message_too_large, 10});
    CHECK(c.drain().empty());
    CHECK(c.send("012345678") == lines{"send 1: 4012345678"});
}

TEST_CASE("the timestamp can have another name, or be left out", "[client_session]") {
    auto options = polling_only();
    options.timestamp_param = "now";
    driver named(options);
    named.open();
    CHECK(named.targets[1].starts_with("/engine.io/?EIO=4&transport=polling&now="));
    options.timestamp_param = "";
    driver without(options);
    without.open();
    CHECK(without.targets[1] == "/engine.io/?EIO=4&transport=polling");
}

TEST_CASE("v3: the query says so, and asks for base64 where bodies must be text", "[client_session]") {
    auto options = v3({transport::polling, transport::websocket});
    options.force_base64 = true;
    driver c(options);
    c.open();
    CHECK(c.targets[1].starts_with("/engine.io/?EIO=3&transport=polling&t="));
    CHECK(c.targets[1].ends_with("&b64=1"));
    c.answer(1, v3_open_packet());
    CHECK(c.targets[2] == "/engine.io/?EIO=3&transport=websocket&sid=abc");
}

TEST_CASE("the handshake opens the session", "[client_session]") {
    driver c(polling_only());
    c.open();
    CHECK_FALSE(c.session.is_open());
    std::string body = open_packet();
    c.exchanges.clear();
    c.session.http_response(1, 200, false, body, c.now);
    auto const e = c.session.poll_event();
    REQUIRE(e.has_value());
    CHECK(e->type == event_type::opened);
    CHECK(c.session.handshake().sid == "abc");
    CHECK(c.session.handshake().ping_interval == 25s);
    CHECK(c.session.handshake().ping_timeout == 20s);
    CHECK(c.session.handshake().max_payload == 1'000'000u);
    CHECK(c.session.handshake().upgrades == transport_set{transport::websocket});
    CHECK(c.session.is_open());
    CHECK(c.session.id() == "abc");
}

TEST_CASE("messages may follow the handshake in the same body", "[client_session]") {
    driver c(polling_only());
    c.open();
    CHECK(c.answer(1, open_packet() + "|4hello|bAQ") ==
          lines{"opened polling", "message hello", "message <01>", "get 2"});
}

TEST_CASE("over a stream the client says 0 first", "[client_session]") {
    driver c(only({transport::webtransport}));
    c.open();
    CHECK(c.channel_opened(1) == lines{"send 1: " + stream_frame("0")});
    auto const hello = stream_frame(open_packet(""));
    CHECK(c.stream(1, hello.substr(0, 20)).empty());
    CHECK(c.stream(1, hello.substr(20) + stream_frame("4a")) == lines{"opened webtransport", "message a"});
    CHECK(c.send(binary("\x01")) == lines{"send 1: <8101>"});
}

TEST_CASE("opening fails with the first transport, unless others may be tried", "[client_session]") {
    driver c;
    c.open();
    CHECK(c.fail(1) == lines{"closed: transport error"});

    engineio::client_options options;
    options.try_all_transports = true;
    driver all(options);
    CHECK(all.open() == lines{"get 1"});
    CHECK(all.fail(1) == lines{"open websocket 2"});
    CHECK(all.cut(2) == lines{"open stream 3"});
    CHECK(all.channel_opened(3) == lines{"send 3: " + stream_frame("0")});
    CHECK(all.cut(3) == lines{"closed: transport error"});
    CHECK(all.channels.empty());
}

TEST_CASE("with try_all_transports any failure to open leads to the next transport", "[client_session]") {
    auto options = only({transport::polling, transport::websocket});
    options.try_all_transports = true;
    using step = lines (*)(driver&);
    step const failures[] = {
        [](driver& c) { return c.fail(1); },
        [](driver& c) { return c.answer(1, R"({"code":0,"message":"Transport unknown"})", 400); },
        [](driver& c) { return c.answer(1, ""); },
        [](driver& c) { return c.answer(1, "x"); },
        [](driver& c) { return c.answer(1, "4hi"); },
        [](driver& c) { return c.answer(1, "1"); },
        [](driver& c) { return c.answer(1, "0{}"); },
    };
    for (auto const failure : failures) {
        driver c(options);
        c.open();
        CHECK(failure(c) == lines{"open websocket 2"});
        c.channel_opened(2);
        CHECK(c.websocket(2, open_packet("")) == lines{"opened websocket"});
    }
    std::ranges::reverse(options.transports);
    driver c(options);
    c.open();
    c.channel_opened(1);
    CHECK(c.websocket(1, "0{}") == lines{"close 1", "get 2"});
    CHECK(c.answer(2, open_packet()).front() == "opened polling");
}

TEST_CASE("opening may take open_timeout", "[client_session]") {
    driver c;
    c.open();
    CHECK(c.at(19'999).empty());
    CHECK(c.at(20'000) == lines{"closed: open timeout", "abort 1"});
    driver w(websocket_only());
    w.open();
    w.channel_opened(1);
    CHECK(w.at(20'000) == lines{"closed: open timeout", "close 1"});
}

TEST_CASE("a client without transports cannot open", "[client_session]") {
    CHECK(driver(only({})).open() == lines{"closed: transport error"});
    CHECK(driver(v3({transport::webtransport})).open() == lines{"closed: transport error"});
}

TEST_CASE("a client can open again after its end, with new names for exchanges", "[client_session]") {
    auto c = polling();
    CHECK(c.fail(2) == lines{"closed: transport error"});
    CHECK(c.session.is_closed());
    CHECK(c.open() == lines{"get 3"});
    CHECK(c.targets[3].find("sid") == std::string::npos);
    CHECK(c.answer(3, open_packet()) == lines{"opened polling", "get 4"});
    CHECK(c.answer(2, "4late").empty()); // of the earlier connection
}

TEST_CASE("opening again at once still ends what the earlier connection had begun", "[client_session]") {
    auto c = over_websocket();
    c.session.abort();
    CHECK(c.session.poll_event().has_value());
    REQUIRE(c.session.open(c.now));
    CHECK(c.drain() == lines{"close 1", "open websocket 2"});
}

TEST_CASE("remember_upgrade: opening again starts with WebSocket if that worked the last time", "[client_session]") {
    engineio::client_options options;
    options.remember_upgrade = true;
    auto c = probing(options);
    c.websocket(2, "3probe");
    CHECK(c.answer(3, "6") == lines{"send 2: 5", "upgraded to websocket"});
    CHECK(c.cut(2) == lines{"closed: transport close"});
    CHECK(c.open() == lines{"open websocket 4"});
    CHECK(c.cut(4) == lines{"closed: transport error"});
    CHECK(c.open() == lines{"get 5"}); // this time it did not

    auto forgetful = probing();
    forgetful.websocket(2, "3probe");
    forgetful.answer(3, "6");
    forgetful.cut(2);
    CHECK(forgetful.open() == lines{"get 4"});
}

//=== closing ===//

TEST_CASE("close over a WebSocket flushes, then closes the channel", "[client_session]") {
    auto c = over_websocket();
    c.session.pause(1);
    c.send("a");
    CHECK(c.close().empty());
    CHECK(c.session.send(text("late"), c.now) == error{errc::not_open});
    CHECK(c.after([&] { c.session.resume(1); }) == lines{"send 1: 4a", "close 1", "closed: forced close"});
}

TEST_CASE("close by polling sends what is queued and 1, and ends with the answer", "[client_session]") {
    auto c = polling();
    CHECK(c.send("a") == lines{"post 3: 4a"});
    c.send("b");
    CHECK(c.close().empty());
    CHECK(c.answer(3, "ok") == lines{"post 4: 4b|1"});
    CHECK(c.answer(2, "6").empty()); // no other GET
    CHECK(c.answer(4, "ok") == lines{"closed: forced close"});
    CHECK(c.exchanges.empty());

    auto failing = polling();
    CHECK(failing.close() == lines{"post 3: 1"});
    CHECK(failing.fail(3) == lines{"closed: forced close", "abort 2"});
}

TEST_CASE("a client that closes by polling: with more than one body queued, 1 goes with the last", "[client_session]") {
    auto c = polling(polling_only(), open_packet("", "6"));
    c.send("x");
    c.send("first");
    c.send("other");
    c.close();
    CHECK(c.answer(3, "ok") == lines{"post 4: 4first"});
    CHECK(c.answer(4, "ok") == lines{"post 5: 4other"});
    CHECK(c.answer(5, "ok") == lines{"post 6: 1"});
}

TEST_CASE("close waits for an upgrade under way", "[client_session]") {
    SECTION("that succeeds") {
        auto c = probing();
        c.send("a");
        CHECK(c.close().empty());
        CHECK(c.answer(4, "ok").empty());
        CHECK(c.websocket(2, "3probe") == lines{"upgrading to websocket"});
        CHECK(c.answer(3, "6") == lines{"send 2: 5", "upgraded to websocket", "close 2", "closed: forced close"});
    }
    SECTION("that fails") {
        auto c = probing();
        CHECK(c.close().empty());
        CHECK(c.cut(2) == lines{"upgrade failed", "post 4: 1"});
        CHECK(c.answer(4, "ok") == lines{"closed: forced close", "abort 3"});
    }
}

TEST_CASE("close takes 30 s at most", "[client_session]") {
    auto c = over_websocket();
    c.session.pause(1);
    c.send("never sent");
    c.close();
    CHECK(c.at(29'999).empty());
    CHECK(c.at(30'000) == lines{"closed: forced close", "close 1"});
    auto p = polling();
    CHECK(p.close() == lines{"post 3: 1"});
    CHECK(p.at(29'999).empty());
    CHECK(p.at(30'000) == lines{"closed: forced close", "abort 2", "abort 3"});
}

TEST_CASE("close while opening ends at once", "[client_session]") {
    driver c;
    CHECK(c.close().empty()); // nothing to close
    c.open();
    CHECK(c.close() == lines{"closed: forced close", "abort 1"});
    driver w(websocket_only());
    w.open();
    CHECK(w.close() == lines{"closed: forced close", "close 1"});
}

TEST_CASE("abort ends at once, what is queued is lost", "[client_session]") {
    auto c = probing();
    c.send("a");
    CHECK(c.after([&] { c.session.abort(); }) == lines{"closed: forced close", "close 2", "abort 3", "abort 4"});
    CHECK_FALSE(c.session.poll_timeout().has_value());
    CHECK(c.session.queued() == 0);
}

} // namespace engineio_client_session_opening_test
