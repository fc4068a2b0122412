#include "drivers/wire_server.hpp"
#include "tools/catch.hpp"

#include <socketless/websocket/connection.hpp>
#include <socketless/websocket/frame.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wire_server_websocket_test {

using namespace socketless;
using namespace std::chrono_literals;
using support::websocket_request;
using support::wire_scene;
using strings = std::vector<std::string>;
using websocket::opcode;

namespace {

constexpr std::string_view target = "/engine.io/?EIO=4&transport=websocket";
constexpr std::string_view switching = "HTTP/1.1 101 Switching Protocols\r\n"
                                       "Upgrade: websocket\r\n"
                                       "Connection: Upgrade\r\n"
                                       "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

// A client's frame.
std::string masked(opcode code, std::string_view payload) {
    std::string frame;
    websocket::write_masked_frame(frame, code, payload, {1, 2, 3, 4}).ignore();
    return frame;
}
std::string text(std::string_view payload) {
    return masked(opcode::text, payload);
}
// A server's frame.
std::string frame_of(opcode code, std::string_view payload) {
    std::string frame;
    websocket::write_frame(frame, code, payload).ignore();
    return frame;
}
std::string close_of(std::uint16_t code, std::string_view reason = {}) {
    return std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)} + std::string(reason);
}

// A session over WebSocket, on connection 1.
void open(wire_scene& s) {
    s.accept(1);
    s.receive(1, websocket_request());
    s.take(1);
    s.pieces.clear();
}

} // namespace

TEST_CASE("wire server: the answer to the request for a WebSocket and the handshake are one write") {
    wire_scene s;
    s.accept(1);
    s.receive(1, websocket_request());
    REQUIRE(s.pieces.size() == 1);
    CHECK(s.take(1) == std::string(switching) + "\r\n" +
                           frame_of(opcode::text, R"(0{"sid":"bIKlYsuAjRDWMr6JyFE-","upgrades":[],)"
                                                  R"("pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})"));
    CHECK(s.events == strings{"opened websocket"});
}

TEST_CASE("wire server: all messages of a turn are one write, in their order") {
    wire_scene s;
    open(s);
    s.receive(1, text("4a") + text("4b") + masked(opcode::binary, "c"));
    CHECK(s.events == strings{"opened websocket", "message a", "message b", "message c"});
    for (std::string_view const m : {"x", "y"}) s.io->send(*s.session, {frame_kind::text, m}).ignore();
    s.io->send(*s.session, {frame_kind::binary, "z"}).ignore();
    s.drain();
    CHECK(s.pieces ==
          strings{frame_of(opcode::text, "4x") + frame_of(opcode::text, "4y") + frame_of(opcode::binary, "z")});
}

TEST_CASE("wire server: a write gathers messages until it is long enough") {
    wire_scene s({.max_write = 100});
    open(s);
    for (int i = 0; i != 10; ++i) s.io->send(*s.session, {frame_kind::text, std::string(40, 'x')}).ignore();
    s.io->send(*s.session, {frame_kind::text, std::string(1'000, 'y')}).ignore();
    s.drain();
    REQUIRE(s.pieces.size() == 4);
    for (int i = 0; i != 3; ++i) CHECK(s.pieces[static_cast<std::size_t>(i)].size() == 3 * 43);
    CHECK(s.take(1).size() == 10 * 43 + 4 + 1'001);
}

TEST_CASE("wire server: however the bytes of messages are cut, events are the same") {
    auto const bytes =
        websocket_request() + text("4hello") + masked(opcode::ping, "?") + text("4" + std::string(300, 'w'));
    for (std::size_t size = 1; size != 60; ++size) {
        CAPTURE(size);
        wire_scene s;
        s.accept(1);
        s.receive_in_pieces(1, bytes, size);
        CHECK(s.events == strings{"opened websocket", "message hello", "message " + std::string(300, 'w')});
        CHECK(s.take(1).find(frame_of(opcode::pong, "?")) != std::string::npos);
    }
}

TEST_CASE("wire server: a message in fragments is one message") {
    wire_scene s;
    open(s);
    auto first = text("4he");
    first[0] = '\x01';
    auto last = masked(opcode::continuation, "llo");
    s.receive(1, first + masked(opcode::ping, "") + last);
    CHECK(s.events.back() == "message hello");
}

TEST_CASE("wire server: frames that break the rules are answered with their close code, which arrives") {
    struct row {
        std::string frame;
        std::uint16_t code;
    };
    row const rows[] = {
        {frame_of(opcode::text, "4a"), 1002},
        {masked(static_cast<opcode>(3), ""), 1002},
        {masked(opcode::continuation, "a"), 1002},
        {std::string("\x89\xfe\x00\x7e"
                     "\1\2\3\4",
                     8) +
             std::string(126, 'p'),
         1002},
        {masked(opcode::close, "1"), 1002},
        {masked(opcode::close, close_of(1005)), 1002},
        {text("4\xff"), 1007},
        {text("4" + std::string(1'000'000, 'x')).substr(0, 20), 1009},
        {std::string("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff", 10), 1009},
        {std::string("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10), 1002},
    };
    for (row const& r : rows) {
        CAPTURE(r.code, r.frame.substr(0, 10));
        wire_scene s;
        open(s);
        auto const answer = s.exchange(1, r.frame);
        REQUIRE(answer.size() >= 4);
        CHECK(answer[0] == '\x88');
        CHECK(answer.substr(2, 2) == close_of(r.code));
        CHECK(s.events.back() == "closed transport close");
        CHECK(s.ended.contains(1));
        s.receive(1, text("4late"));
        CHECK(s.events.back() == "closed transport close");
        s.wait(5'001ms);
        CHECK(s.closed.contains(1));
    }
}

TEST_CASE("wire server: a client's close frame is answered, then the server ends the connection") {
    wire_scene s;
    open(s);
    CHECK(s.exchange(1, masked(opcode::close, close_of(4000, "bye"))) == frame_of(opcode::close, close_of(4000)));
    CHECK(s.events.back() == "closed transport close");
    CHECK(s.ended.contains(1));
    s.io.ended(1, s.now);
    s.drain();
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: a client that ends its side behind its last frame gets the close frame that answers it") {
    for (auto const& [frame, code] : {std::pair(masked(opcode::close, close_of(4001)), 4001),
                                      std::pair(masked(static_cast<opcode>(3), ""), 1002)}) {
        CAPTURE(code);
        wire_scene s;
        open(s);
        s.give(1, frame);
        s.io.ended(1, s.now);
        s.drain();
        auto const answer = s.take(1);
        REQUIRE(answer.size() >= 4);
        CHECK(answer[0] == '\x88');
        CHECK(answer.substr(2, 2) == close_of(static_cast<std::uint16_t>(code)));
        CHECK(s.events.back() == "closed transport close");
        CHECK(s.closed.contains(1));
    }
}

TEST_CASE("wire server: a session that the application closes gets what is queued and a close frame") {
    wire_scene s;
    open(s);
    s.io->send(*s.session, {frame_kind::text, "last"}).ignore();
    s.io->close(*s.session);
    s.drain();
    CHECK(s.take(1) == frame_of(opcode::text, "4last") + frame_of(opcode::close, close_of(1000)));
    CHECK(s.ended.empty()); // the client answers first
    s.receive(1, text("4late") + masked(opcode::close, close_of(1000)));
    CHECK(s.events == strings{"opened websocket", "closed forced close"});
    CHECK(s.ended.contains(1));

    open(s);
    s.closed.clear();
    s.io->close(*s.session);
    s.drain();
    s.wait(5'001ms); // a client that does not answer
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: requests for a WebSocket that break the rules are refused, and the connection lives on") {
    struct row {
        std::string request;
        std::string_view status;
    };
    auto const replaced = [](std::string_view from, std::string_view to) {
        auto request = websocket_request();
        request.replace(request.find(from), from.size(), to);
        return request;
    };
    row const rows[] = {
        {replaced("Version: 13", "Version: 8"), "426 Upgrade Required"},
        {replaced("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), "400 Bad Request"},
        {replaced("keep-alive, Upgrade", "keep-alive"), "400 Bad Request"},
        {websocket_request("/engine.io/?EIO=4&transport=polling"), "400 Bad Request"},
        {websocket_request("/engine.io/?EIO=4&transport=websocket&sid=unknown"), "400 Bad Request"},
        {websocket_request("/engine.io/?EIO=3&transport=websocket"), "400 Bad Request"},
        {websocket_request("/other"), "404 Not Found"},
        {websocket_request(target, "Sec-WebSocket-Protocol: a, a\r\n"), "400 Bad Request"},
    };
    for (row const& r : rows) {
        CAPTURE(r.request);
        wire_scene s;
        s.accept(1);
        auto const answer = s.exchange(1, r.request);
        CHECK(answer.starts_with("HTTP/1.1 " + std::string(r.status)));
        CHECK(
            (r.status != "426 Upgrade Required" || answer.find("Sec-WebSocket-Version: 13\r\n") != std::string::npos));
        CHECK(s.ended.empty());
        CHECK(s.exchange(1, websocket_request()).starts_with(switching));
    }
}

TEST_CASE("wire server: the first subprotocol that is offered is chosen, or the application chooses") {
    wire_scene s;
    s.accept(1);
    CHECK(s.exchange(1, websocket_request(target, "Sec-WebSocket-Protocol: b, a\r\n")).find("Protocol: b\r\n") !=
          std::string::npos);
    wire_scene own(
        {.choose_subprotocol = [](std::span<std::string_view const> offered) { return std::string(offered.back()); }});
    own.accept(1);
    CHECK(own.exchange(1, websocket_request(target, "Sec-WebSocket-Protocol: b\r\nSec-WebSocket-Protocol: a\r\n"))
              .find("Protocol: a\r\n") != std::string::npos);
    wire_scene foreign({.choose_subprotocol = [](std::span<std::string_view const>) { return std::string("c"); }});
    foreign.accept(1);
    CHECK(foreign.exchange(1, websocket_request(target, "Sec-WebSocket-Protocol: b\r\n"))
              .find("Sec-WebSocket-Protocol") == std::string::npos);
}

TEST_CASE("wire server: a session by long-polling moves to a WebSocket") {
    wire_scene s;
    s.accept(1);
    s.receive(1, "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    auto const query = "&sid=" + std::string(s.io->find(*s.session)->id());
    s.receive(1, "GET /engine.io/?EIO=4&transport=polling" + query + " HTTP/1.1\r\nHost: a\r\n\r\n");
    s.take(1);
    s.accept(2);
    CHECK(s.exchange(2, websocket_request(std::string(target) + query)) == std::string(switching) + "\r\n");
    CHECK(s.exchange(2, text("2probe")) == frame_of(opcode::text, "3probe"));
    CHECK(s.take(1).ends_with("\r\n\r\n6"));
    s.receive(2, text("5") + text("4moved"));
    CHECK(s.events == strings{"opened polling", "upgraded", "message moved"});
    s.io->send(*s.session, {frame_kind::text, "here"}).ignore();
    s.drain();
    CHECK(s.take(2) == frame_of(opcode::text, "4here"));
}

TEST_CASE("wire server: nothing is sent on a WebSocket while a write is under way, and pongs do not pile up") {
    wire_scene s;
    open(s);
    s.io.pause(1);
    s.io->send(*s.session, {frame_kind::text, "one"}).ignore();
    for (int i = 0; i != 1'000; ++i) s.receive(1, masked(opcode::ping, std::to_string(i)));
    CHECK(s.take(1).empty());
    s.io.resume(1);
    s.drain();
    auto const all = s.take(1);
    CHECK(all.size() == frame_of(opcode::text, "4one").size() + frame_of(opcode::pong, "999").size());
    CHECK(all.find(frame_of(opcode::pong, "999")) != std::string::npos);
}

TEST_CASE("wire server: a WebSocket whose client goes without a word, in every state, is gone") {
    wire_scene s;
    open(s);
    s.io.ended(1, s.now);
    s.drain();
    CHECK(s.events.back() == "closed transport close");
    CHECK(s.closed.contains(1));
    open(s);
    s.receive(1, text("4half").substr(0, 4));
    s.io.closed(1, s.now);
    s.drain();
    CHECK(s.events.back() == "closed transport close");
    open(s);
    s.io->close(*s.session);
    s.io.closed(1, s.now);
    s.drain();
    CHECK(s.events.back() == "closed forced close");
    CHECK(s.io.connection_count() == 0);
    CHECK(s.io->connection_count() == 0);
}

TEST_CASE("wire server: a client that does not answer pings is closed, also if it does not read") {
    wire_scene s;
    open(s);
    s.wait(25s);
    CHECK(s.take(1) == frame_of(opcode::text, "2"));
    s.io.pause(1);
    s.wait(20s);
    CHECK(s.events.back() == "closed ping timeout");
    s.wait(5s);
    CHECK(s.closed.contains(1));
    CHECK(s.io.connection_count() == 0);
}

TEST_CASE("wire server: a client that breaks the rules and does not read is closed all the same") {
    wire_scene s;
    open(s);
    s.io.pause(1);
    s.receive(1, "no frame");
    CHECK(s.events.back() == "closed transport close");
    CHECK(s.closed.empty());
    s.wait(5'001ms);
    CHECK(s.closed.contains(1));
}

TEST_CASE("wire server: a broadcast's frame is the same bytes for all receivers") {
    wire_scene s;
    std::vector<engineio::session_handle> all;
    for (wire::connection_id id = 1; id != 4; ++id) {
        s.accept(id);
        s.receive(id, websocket_request());
        all.push_back(*s.session);
        s.take(id);
    }
    engineio::shared_message const news({frame_kind::text, "news"});
    engineio::shared_message const picture({frame_kind::binary, "picture"});
    for (auto const session : all) {
        s.io->send(session, news).ignore();
        s.io->send(session, picture).ignore();
    }
    s.io->send(all[1], {frame_kind::text, "own"}).ignore();
    s.io->send(all[2], news).ignore();
    s.drain();
    auto const both = frame_of(opcode::text, "4news") + frame_of(opcode::binary, "picture");
    CHECK(s.take(1) == both);
    CHECK(s.take(2) == both + frame_of(opcode::text, "4own"));
    CHECK(s.take(3) == both + frame_of(opcode::text, "4news"));

    for (auto const session : all) s.io->send(session, news).ignore();
    std::vector<char const*> places;
    while (s.io.poll_event()) {
    }
    while (auto const t = s.io.poll_transmit(s.buffer)) {
        CHECK(t->data == frame_of(opcode::text, "4news"));
        places.push_back(t->data.data());
    }
    CHECK(places == std::vector<char const*>(3, places.at(0))); // nothing is copied
}

TEST_CASE("wire server: a session that has ended is unknown, also while its last answer is due") {
    wire_scene s;
    s.accept(1);
    s.receive(1, "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    auto const session = "&sid=" + std::string(s.io->find(*s.session)->id());
    s.receive(1, "GET /engine.io/?EIO=4&transport=polling" + session + " HTTP/1.1\r\nHost: a\r\n\r\n");
    s.accept(2);
    s.io.ended(1, s.now); // nobody can read the answer to the poll: the session ends
    s.drain();
    s.receive(2, websocket_request(std::string(target) + session));
    CHECK(s.events.back() == "closed transport error");
    CHECK(s.take(2).starts_with("HTTP/1.1 400 Bad Request"));
}

} // namespace wire_server_websocket_test
