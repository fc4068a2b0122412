#include "support/catch.hpp"
#include "support/sessions.hpp"

#include <socketless/engineio/client_session.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace engineio_client_session_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace std::chrono_literals;
using support::binary;
using support::lines;
using support::stream_frame;
using support::text;
using driver = support::client_driver;

namespace {

// What a server says first.
std::string open_packet(std::string_view upgrades = R"("websocket")", std::string_view max_payload = "1000000") {
    return R"(0{"sid":"abc","upgrades":[)" + std::string(upgrades) +
           R"(],"pingInterval":25000,"pingTimeout":20000,"maxPayload":)" + std::string(max_payload) + "}";
}

engineio::client_options only(std::vector<transport> transports) {
    engineio::client_options options;
    options.transports = std::move(transports);
    return options;
}
engineio::client_options polling_only() {
    return only({transport::polling});
}
engineio::client_options websocket_only() {
    return only({transport::websocket});
}

// Open by long-polling, with GET 2 pending.
driver polling(engineio::client_options const& options = polling_only(), std::string_view packet = open_packet()) {
    driver c(options);
    REQUIRE(c.open() == lines{"get 1"});
    REQUIRE(c.answer(1, packet) == lines{"opened polling", "get 2"});
    return c;
}

// Open over WebSocket 1.
driver websocket(engineio::client_options const& options = websocket_only()) {
    driver c(options);
    REQUIRE(c.open() == lines{"open websocket 1"});
    REQUIRE(c.channel_opened(1).empty());
    REQUIRE(c.websocket(1, open_packet("")) == lines{"opened websocket"});
    return c;
}

// Open by long-polling with GET 3 pending, its candidate WebSocket 2 opened and probed.
driver probing(engineio::client_options const& options = {}) {
    driver c(options);
    REQUIRE(c.open() == lines{"get 1"});
    REQUIRE(c.answer(1, open_packet()) == lines{"opened polling", "open websocket 2", "get 3"});
    REQUIRE(c.channel_opened(2) == lines{"send 2: 2probe"});
    return c;
}

engineio::client_options v3(std::vector<transport> transports) {
    auto options = only(std::move(transports));
    options.revision = revision::v3;
    return options;
}

std::string v3_open_packet() {
    std::string const p = R"(0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000})";
    return std::to_string(p.size()) + ":" + p;
}

} // namespace

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
    auto cut = websocket();
    CHECK(end(cut, [&] { cut.session.channel_closed(1, cut.now); }) == std::pair(0, -1));
}

TEST_CASE("a client: a message larger than all that may be queued is an error that ends nothing", "[client_session]") {
    auto options = websocket_only();
    options.max_queued = 10;
    auto c = websocket(options);
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
    auto c = websocket();
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

//=== long-polling ===//

TEST_CASE("one GET at a time, the next one as soon as the answer is read", "[client_session]") {
    auto c = polling();
    CHECK(c.answer(2, "4a|4b") == lines{"message a", "message b", "get 3"});
    CHECK(c.answer(3, "6") == lines{"get 4"});
    CHECK(c.exchanges.size() == 1);
}

TEST_CASE("one POST at a time, what is sent meanwhile goes with the next", "[client_session]") {
    auto c = polling();
    CHECK(c.session.writable());
    CHECK(c.send("a") == lines{"post 3: 4a"});
    CHECK_FALSE(c.session.writable());
    CHECK(c.send("b").empty());
    CHECK(c.send(binary("\x01\x02\x03\x04")).empty());
    CHECK(c.answer(3, "ok") == lines{"post 4: 4b|bAQIDBA=="});
    CHECK(c.drains == 0);
    CHECK(c.answer(4, "ok").empty());
    CHECK(c.drains == 1);
    CHECK(c.session.writable());
}

TEST_CASE("a POST has as many whole packets as max_payload allows, counted as encoded", "[client_session]") {
    auto c = polling(polling_only(), open_packet("", "10"));
    CHECK(c.send("x") == lines{"post 3: 4x"});
    for (char const* m : {"four", "fou", "e\xe2\x82\xac", "five5", "much more than the limit", "y"}) c.send(m);
    c.send(binary("\x01\x02\x03"));
    c.send(binary("\x01\x02\x03"));
    c.send(binary("\x01\x02\x03"));
    CHECK(c.answer(3, "ok") == lines{"post 4: 4four|4fou"});     // 5 + 1 + 4 = 10
    CHECK(c.answer(4, "ok") == lines{"post 5: 4e\xe2\x82\xac"}); // 5 bytes + 1 + 6 would be 12
    CHECK(c.answer(5, "ok") == lines{"post 6: 4five5"});
    CHECK(c.answer(6, "ok") == lines{"post 7: 4much more than the limit"}); // alone it is sent anyway
    CHECK(c.answer(7, "ok") == lines{"post 8: 4y|bAQID"});                  // 2 + 1 + 5
    CHECK(c.answer(8, "ok") == lines{"post 9: bAQID"});                     // 5 + 1 + 5 would be 11
    CHECK(c.answer(9, "ok") == lines{"post 10: bAQID"});
    CHECK(c.answer(10, "ok").empty());
}

TEST_CASE("a server that does not say max_payload gets all in one body", "[client_session]") {
    auto c = polling(polling_only(), R"(0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000})");
    c.send("a");
    std::string const big(2'000'000, 'x');
    c.send(big);
    c.send("b");
    CHECK(c.answer(3, "ok") == lines{"post 4: 4" + big + "|4b"});
}

TEST_CASE("any answer but 200 is a transport error", "[client_session]") {
    for (int const status : {0, 204, 301, 400, 404, 413, 500}) {
        auto c = polling();
        CHECK(c.answer(2, "4a", status) == lines{"closed: transport error"});
        auto p = polling();
        p.send("a");
        CHECK(p.answer(3, "ok", status) == lines{"closed: transport error", "abort 2"});
        driver o(polling_only());
        o.open();
        CHECK(o.answer(1, open_packet(), status) == lines{"closed: transport error"});
    }
}

TEST_CASE("a failed exchange is a transport error", "[client_session]") {
    auto c = polling();
    c.send("a");
    CHECK(c.fail(3) == lines{"closed: transport error", "abort 2"});
    auto g = polling();
    g.send("a");
    CHECK(g.fail(2) == lines{"closed: transport error", "abort 3"});
    CHECK(g.fail(99).empty());
}

TEST_CASE("a bad body is a transport error, what came before is delivered", "[client_session]") {
    for (char const* bad : {"4a||4b", "4a|x", "4a|b*", "4a|7|4b", "4a|4\xff"}) {
        auto c = polling();
        CHECK(c.answer(2, bad) == lines{"message a", "closed: transport error"});
    }
    auto c = polling();
    CHECK(c.answer(2, "") == lines{"closed: transport error"});
    auto w = websocket();
    CHECK(w.websocket(1, "x") == lines{"closed: transport error", "close 1"});
}

TEST_CASE("1 from the server is a transport close, what follows it is not read", "[client_session]") {
    auto c = polling();
    CHECK(c.answer(2, "4a|1|4b|x") == lines{"message a", "closed: transport close"});
    auto w = websocket();
    CHECK(w.websocket(1, "1") == lines{"closed: transport close", "close 1"});
}

TEST_CASE("a second handshake is a transport error", "[client_session]") {
    auto c = polling();
    CHECK(c.answer(2, open_packet()) == lines{"closed: transport error"});
    auto w = websocket();
    CHECK(w.websocket(1, open_packet()) == lines{"closed: transport error", "close 1"});
    driver twice(polling_only());
    twice.open();
    CHECK(twice.answer(1, open_packet() + "|" + open_packet()) == lines{"opened polling", "closed: transport error"});
}

TEST_CASE("a WebSocket that is gone is a transport close", "[client_session]") {
    auto c = websocket();
    CHECK(c.cut(1) == lines{"closed: transport close"});
    CHECK(c.cut(1).empty());
    driver o(websocket_only());
    o.open();
    CHECK(o.cut(1) == lines{"closed: transport error"}); // it never opened
}

TEST_CASE("v3: bodies are binary where a message is, unless base64 is forced", "[client_session]") {
    driver c(v3({transport::polling}));
    c.open();
    CHECK(c.answer(1, v3_open_packet() + "2:40") == lines{"opened polling", "message 0", "get 2"});
    CHECK(c.send("\xe2\x82\xac") == lines{"post 3: 2:4\xe2\x82\xac"});
    c.send("a");
    c.send(binary("\x01"));
    CHECK(c.answer(3, "ok") == lines{"post 4: <0002ff34610102ff0401>"});
    CHECK(c.answer_binary(2, std::string_view("\x01\x02\xff\x04\x09", 5)) == lines{"message <09>", "get 5"});

    auto options = v3({transport::polling});
    options.force_base64 = true;
    driver b(options);
    b.open();
    b.answer(1, v3_open_packet());
    CHECK(b.send(binary("\x01")) == lines{"post 3: 6:b4AQ=="});
    CHECK(b.answer(2, "6:b4AQ==") == lines{"message <01>", "get 4"});
}

//=== WebSocket ===//

TEST_CASE("a client sends each message over a WebSocket as a frame", "[client_session]") {
    auto c = websocket();
    CHECK(c.send("hi") == lines{"send 1: 4hi"});
    CHECK(c.send(binary("\x01")) == lines{"send 1: <01>"});
    CHECK(c.drains == 2);
    CHECK(c.websocket(1, "4hello") == lines{"message hello"});
    CHECK(c.websocket(1, binary("\xff")) == lines{"message <ff>"});
    CHECK(c.websocket(1, "bAQID") == lines{"message <010203>"});
    CHECK(c.websocket(1, "5").empty());
    CHECK(c.websocket(1, "6").empty());
}

TEST_CASE("nothing is sent on a channel that is paused, and volatile messages are dropped", "[client_session]") {
    auto c = websocket();
    c.session.pause(1);
    CHECK_FALSE(c.session.writable());
    CHECK(c.send("a").empty());
    CHECK(c.session.send_volatile(text("b"), c.now) == error{errc::would_wait});
    CHECK(c.after([&] { c.session.resume(1); }) == lines{"send 1: 4a"});
    CHECK(c.session.send_volatile(text("c"), c.now).has_value());
    CHECK(c.drain() == lines{"send 1: 4c"});
    auto p = polling();
    p.send("a");
    CHECK(p.session.send_volatile(text("b"), p.now) == error{errc::would_wait});
}

TEST_CASE("a shared message is handed out without a copy", "[client_session]") {
    shared_message const message(text("to all"));
    auto c = websocket();
    CHECK(c.after([&] { REQUIRE(c.session.send(message, c.now).has_value()); }) == lines{"send 1: 4to all"});
    CHECK(c.sent_from == message.wire().data());
}

TEST_CASE("a message is refused before open, after the end, and where its transport cannot carry it",
          "[client_session]") {
    driver c(polling_only());
    CHECK(c.session.send(text("a"), c.now) == error{errc::not_open});
    c.open();
    CHECK(c.session.send(text("a"), c.now) == error{errc::not_open});
    c.answer(1, open_packet());
    CHECK(c.session.send(text("\x1e"), c.now) == error{errc::separator_in_text, 0});
    CHECK(c.session.send(text("a\xff"), c.now) == error{errc::invalid_utf8, 1});
    c.fail(2);
    CHECK(c.session.send(text("a"), c.now) == error{errc::not_open});
}

TEST_CASE("a client: more than max_queued bytes queued close the session", "[client_session]") {
    auto options = websocket_only();
    options.max_queued = 10;
    auto c = websocket(options);
    c.session.pause(1);
    c.send("four");
    c.send("five");
    CHECK(c.session.send(text("x"), c.now) == error{errc::queue_overflow});
    CHECK(c.drain() == lines{"closed: queue overflow", "close 1"});
}

//=== heartbeats ===//

TEST_CASE("v4: the client answers pings", "[client_session]") {
    auto c = websocket();
    CHECK(c.websocket(1, "2") == lines{"send 1: 3"});
    auto p = polling();
    CHECK(p.answer(2, "4a|2") == lines{"message a", "post 3: 3", "get 4"});
}

TEST_CASE("v4: no ping within ping_interval + ping_timeout is a ping timeout", "[client_session]") {
    auto c = websocket();
    CHECK(c.at(44'999).empty());
    c.websocket(1, "2");
    CHECK(c.at(89'998).empty());
    CHECK(c.at(89'999) == lines{"closed: ping timeout", "close 1"});
    auto p = polling();
    CHECK(p.at(45'000) == lines{"closed: ping timeout", "abort 2"});
}

TEST_CASE("v4: pongs and messages do not put off the timeout", "[client_session]") {
    auto c = websocket();
    c.at(40'000);
    c.websocket(1, "3");
    c.websocket(1, "4a");
    c.send("b");
    CHECK(c.at(44'999).empty());
    CHECK(c.at(45'000) == lines{"closed: ping timeout", "close 1"});
}

TEST_CASE("sending checks that the deadline has not passed unnoticed", "[client_session]") {
    auto c = websocket();
    c.now = support::start + 3h; // the laptop slept
    CHECK(c.session.send(text("a"), c.now) == error{errc::not_open});
    CHECK(c.drain() == lines{"closed: ping timeout", "close 1"});
    auto p = polling();
    CHECK(p.session.send(shared_message(text("a")), support::start + 45s) == error{errc::not_open});
    CHECK(p.drain() == lines{"closed: ping timeout", "abort 2"});
}

TEST_CASE("v3: the client pings every ping_interval and expects the pong within ping_timeout", "[client_session]") {
    driver c(v3({transport::websocket}));
    c.open();
    c.channel_opened(1);
    c.websocket(1, R"(0{"sid":"abc","upgrades":[],"pingInterval":25000,"pingTimeout":20000})");
    CHECK(c.at(24'999).empty());
    CHECK(c.at(25'000) == lines{"send 1: 2"});
    c.at(26'000);
    CHECK(c.websocket(1, "3").empty());
    CHECK(c.at(50'999).empty());
    CHECK(c.at(51'000) == lines{"send 1: 2"});
    CHECK(c.at(70'999).empty());
    CHECK(c.at(71'000) == lines{"closed: ping timeout", "close 1"});

    driver p(v3({transport::polling}));
    p.open();
    p.answer(1, v3_open_packet());
    CHECK(p.at(25'000) == lines{"post 3: 1:2"});
    CHECK(p.answer(3, "ok").empty());
    CHECK(p.answer(2, "1:3") == lines{"get 4"});
    CHECK(p.at(50'000) == lines{"post 5: 1:2"});
}

//=== the upgrade ===//

TEST_CASE("the client opens a candidate when the server offers one, and probes it", "[client_session]") {
    driver c;
    c.open();
    CHECK(c.answer(1, open_packet()) == lines{"opened polling", "open websocket 2", "get 3"});
    CHECK(c.channel_opened(2) == lines{"send 2: 2probe"});
    CHECK(c.session.transport() == transport::polling);
}

TEST_CASE("no upgrade unless it is offered, allowed and known", "[client_session]") {
    for (char const* offered : {"", R"("webtransport")", R"("carrier pigeon")"}) {
        driver c(only({transport::polling, transport::websocket}));
        c.open();
        CHECK(c.answer(1, open_packet(offered)) == lines{"opened polling", "get 2"});
    }
    engineio::client_options options;
    options.upgrade = false;
    driver c(options);
    c.open();
    CHECK(c.answer(1, open_packet()) == lines{"opened polling", "get 2"});
    websocket(); // nothing better
}

TEST_CASE("after 3probe the client stops writing, lets the poll in flight return, sends 5, switches and flushes",
          "[client_session]") {
    auto c = probing();
    CHECK(c.websocket(2, "3probe") == lines{"upgrading to websocket"});
    CHECK(c.send("a").empty());
    CHECK_FALSE(c.session.writable());
    CHECK(c.answer(3, "4b|6") == lines{"message b", "send 2: 5", "upgraded to websocket", "send 2: 4a"});
    CHECK(c.session.transport() == transport::websocket);
    CHECK(c.exchanges.empty());
    CHECK(c.websocket(2, "4c") == lines{"message c"});
    CHECK(c.send("d") == lines{"send 2: 4d"});
}

TEST_CASE("a POST in flight finishes before 5", "[client_session]") {
    auto c = probing();
    CHECK(c.send("a") == lines{"post 4: 4a"});
    CHECK(c.send("b").empty());
    c.websocket(2, "3probe");
    CHECK(c.answer(3, "6").empty());
    CHECK(c.answer(4, "ok") == lines{"send 2: 5", "upgraded to websocket", "send 2: 4b"});

    auto other = probing();
    other.send("a");
    other.websocket(2, "3probe");
    CHECK(other.answer(4, "ok").empty());
    CHECK(other.answer(3, "6") == lines{"send 2: 5", "upgraded to websocket"});
}

TEST_CASE("messages go by long-polling until the probe is answered", "[client_session]") {
    auto c = probing();
    CHECK(c.send("a") == lines{"post 4: 4a"});
    CHECK(c.answer(3, "4b") == lines{"message b", "get 5"});
    CHECK(c.answer(4, "ok").empty());
}

TEST_CASE("a pong that is due while the session moves goes over the new transport", "[client_session]") {
    auto c = probing();
    c.websocket(2, "3probe");
    CHECK(c.answer(3, "2") == lines{"send 2: 5", "upgraded to websocket", "send 2: 3"});
}

TEST_CASE("a candidate that fails is forgotten, polling goes on", "[client_session]") {
    SECTION("it does not open") {
        driver c;
        c.open();
        c.answer(1, open_packet());
        CHECK(c.cut(2) == lines{"upgrade failed"});
        CHECK(c.answer(3, "4a") == lines{"message a", "get 4"});
    }
    SECTION("it answers the probe with something else") {
        for (char const* answer : {"3", "3prob", "2probe", "4hi", "5", "6", "1", "0", "", "x"}) {
            auto c = probing();
            CHECK(c.websocket(2, answer) == lines{"upgrade failed", "close 2"});
            CHECK(c.answer(3, "4a") == lines{"message a", "get 4"});
        }
    }
    SECTION("it takes too long") {
        auto c = probing();
        CHECK(c.at(9'999).empty());
        CHECK(c.at(10'000) == lines{"upgrade failed", "close 2"});
        CHECK(c.answer(3, "4a") == lines{"message a", "get 4"});
    }
    SECTION("it is gone while polling pauses for it") {
        auto c = probing();
        c.websocket(2, "3probe");
        c.send("a");
        CHECK(c.cut(2) == lines{"upgrade failed", "post 4: 4a"});
        CHECK(c.answer(3, "6") == lines{"get 5"});
        auto later = probing();
        later.websocket(2, "3probe");
        later.send("a");
        later.answer(3, "6");
        CHECK(later.session.transport() == transport::websocket); // moved: from here its end is the session's
        CHECK(later.cut(2) == lines{"closed: transport close"});
    }
    SECTION("it says more after its answer") {
        auto c = probing();
        c.websocket(2, "3probe");
        CHECK(c.websocket(2, "4early") == lines{"upgrade failed", "close 2"});
    }
    SECTION("polling fails instead: the candidate goes with it") {
        auto c = probing();
        CHECK(c.fail(3) == lines{"closed: transport error", "close 2"});
    }
}

TEST_CASE("an upgrade to a stream says which session it is for", "[client_session]") {
    driver c;
    c.open();
    CHECK(c.answer(1, open_packet(R"("webtransport")")) == lines{"opened polling", "open stream 2", "get 3"});
    CHECK(c.channel_opened(2) ==
          lines{"send 2: " + stream_frame(R"(0{"sid":"abc"})"), "send 2: " + stream_frame("2probe")});
    CHECK(c.stream(2, stream_frame("3probe")) == lines{"upgrading to webtransport"});
    CHECK(c.answer(3, "6") == lines{"send 2: " + stream_frame("5"), "upgraded to webtransport"});
    CHECK(c.stream(2, stream_frame("4a")) == lines{"message a"});
}

//=== closing ===//

TEST_CASE("close over a WebSocket flushes, then closes the channel", "[client_session]") {
    auto c = websocket();
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
    auto c = websocket();
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

//=== hostile peers ===//

TEST_CASE("reference client: a malformed handshake is an error, never a crash", "[client_session][hostile]") {
    for (char const* first : {"0",
                              "0null",
                              "0{\"sid\":1}",
                              "0{\"sid\":\"a\"}",
                              "0{}",
                              "0[]",
                              "0\"x\"",
                              "0{",
                              "44",
                              "42",
                              "430",
                              "1",
                              "2",
                              "3",
                              "5",
                              "6",
                              "",
                              "x",
                              "0{\"sid\":\"a\",\"upgrades\":{},\"pingInterval\":1,\"pingTimeout\":1}",
                              "0{\"sid\":\"a\",\"upgrades\":[],\"pingInterval\":-1,\"pingTimeout\":1}",
                              "0{\"sid\":\"a\",\"upgrades\":[],\"pingInterval\":0,\"pingTimeout\":0}"}) {
        INFO(first);
        driver c(polling_only());
        c.open();
        CHECK(c.answer(1, first) == lines{"closed: transport error"});
        driver w(websocket_only());
        w.open();
        w.channel_opened(1);
        CHECK(w.websocket(1, first) == lines{"closed: transport error", "close 1"});
        CHECK(w.open() == lines{"open websocket 2"}); // it can try again
    }
}

TEST_CASE("reference client: a pingInterval of 99999999999 is clamped and does not time out at once",
          "[client_session][hostile]") {
    driver c(websocket_only());
    c.open();
    c.channel_opened(1);
    CHECK(c.websocket(1, R"(0{"sid":"a","upgrades":[],"pingInterval":99999999999,"pingTimeout":1e300})") ==
          lines{"opened websocket"});
    CHECK(c.session.poll_timeout() == c.now + 2 * longest_ping);
    CHECK(c.at(24LL * 24 * 3600 * 1000).empty());
    CHECK(c.session.is_open());
}

TEST_CASE("CVE-2020-36048: a body of very many packets is read one by one, up to a limit, by a client too",
          "[client_session][hostile]") {
    auto options = polling_only();
    options.limits.max_packets = 1'000;
    auto c = polling(options);
    std::string body;
    for (int i = 0; i != 500'000; ++i) body += i == 0 ? "4" : "|4";
    auto const said = c.answer(2, body);
    CHECK(said.size() == 1'001);
    CHECK(said.back() == "closed: transport error");
}

TEST_CASE("CVE-2026-48802: pings and pongs without end start no work and keep nothing, in a client",
          "[client_session][hostile]") {
    auto c = polling();
    std::string pings = "2";
    for (int i = 0; i != 10'000; ++i) pings += "|2|3";
    CHECK(c.answer(2, pings) == lines{"post 3: 3", "get 4"}); // one pong
    CHECK(c.session.queued() == 0);
}

TEST_CASE("CVE-2022-21676, CVE-2022-41940: a WebSocket that dies at once, in every state of a client",
          "[client_session][hostile]") {
    SECTION("right after the handshake") {
        driver c(websocket_only());
        c.open();
        c.channel_opened(1);
        std::string const packet = open_packet("");
        c.session.websocket_received(1, text(packet), c.now);
        c.channels.erase(1);
        c.session.channel_closed(1, c.now);
        CHECK(c.drain() == lines{"opened websocket", "closed: transport close"});
    }
    SECTION("before it was opened") {
        driver c(websocket_only());
        REQUIRE(c.session.open(c.now));
        c.session.channel_closed(1, c.now);
        CHECK(c.drain() == lines{"closed: transport error"});
    }
    SECTION("when the answer to the probe has come but is not read") {
        auto c = probing();
        c.session.websocket_received(2, text("3probe"), c.now);
        c.channels.erase(2);
        c.session.channel_closed(2, c.now);
        CHECK(c.drain() == lines{"upgrading to websocket", "upgrade failed"});
        CHECK(c.session.is_open());
    }
    SECTION("while closing") {
        auto c = websocket();
        c.session.pause(1);
        c.send("a");
        c.close();
        CHECK(c.cut(1) == lines{"closed: forced close"});
    }
}

TEST_CASE("leaks at close: in every state of a client everything under way is ended, once",
          "[client_session][hostile]") {
    using state = std::pair<char const*, driver (*)()>;
    state const states[] = {
        {"opening",
         [] {
             driver c;
             c.open();
             return c;
         }},
        {"opening a WebSocket",
         [] {
             driver c(websocket_only());
             c.open();
             return c;
         }},
        {"WebSocket without handshake",
         [] {
             driver c(websocket_only());
             c.open();
             c.channel_opened(1);
             return c;
         }},
        {"polling", [] { return polling(); }},
        {"polling, POST under way",
         [] {
             auto c = polling();
             c.send("a");
             c.send("b");
             return c;
         }},
        {"candidate",
         [] {
             driver c;
             c.open();
             c.answer(1, open_packet());
             return c;
         }},
        {"probing", [] { return probing(); }},
        {"pausing",
         [] {
             auto c = probing();
             c.send("a");
             c.websocket(2, "3probe");
             return c;
         }},
        {"upgraded",
         [] {
             auto c = probing();
             c.websocket(2, "3probe");
             c.answer(3, "6");
             return c;
         }},
        {"websocket", [] { return websocket(); }},
        {"websocket, paused",
         [] {
             auto c = websocket();
             c.session.pause(1);
             c.send("a");
             return c;
         }},
        {"stream, half a frame",
         [] {
             driver c(only({transport::webtransport}));
             c.open();
             c.channel_opened(1);
             c.stream(1, "\x7e");
             return c;
         }},
        {"closing",
         [] {
             auto c = polling();
             c.close();
             return c;
         }},
    };
    using end = std::pair<char const*, lines (*)(driver&)>;
    end const ends[] = {
        {"close",
         [](driver& c) {
             auto all = c.close();
             for (auto const& l : c.at(1'000'000)) all.push_back(l);
             return all;
         }},
        {"abort", [](driver& c) { return c.after([&] { c.session.abort(); }); }},
        {"silence", [](driver& c) { return c.at(1'000'000); }},
    };
    for (auto const& [in, make] : states)
        for (auto const& [how, finish] : ends) {
            INFO(in << ", " << how);
            auto c = make();
            auto const said = finish(c);
            CHECK(std::ranges::count_if(said, [](auto const& l) { return l.starts_with("closed: "); }) == 1);
            CHECK(c.exchanges.empty());
            CHECK(c.channels.empty());
            CHECK(c.session.is_closed());
            CHECK(c.session.queued() == 0);
            CHECK_FALSE(c.session.poll_timeout().has_value());
        }
}

TEST_CASE("slow or silent peers: a server that never answers a POST is a ping timeout, or a full queue",
          "[client_session][hostile]") {
    auto options = polling_only();
    options.max_queued = 1'000;
    auto c = polling(options);
    c.send("a");
    int sent = 0;
    while (c.session.send(text("0123456789"), c.now)) ++sent;
    CHECK(sent == 90);
    CHECK(c.drain() == lines{"closed: queue overflow", "abort 2", "abort 3"});
    auto silent = polling();
    silent.send("a");
    CHECK(silent.at(45'000) == lines{"closed: ping timeout", "abort 2", "abort 3"});
}

} // namespace engineio_client_session_test
