#include "drivers/wire_client.hpp"
#include "tools/catch.hpp"

#include <chrono>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace wire_client_websocket_test {

using namespace socketless;
using namespace std::chrono_literals;
using namespace support::wire_client;
using strings = std::vector<std::string>;
using websocket::opcode;

namespace {

// A session over a WebSocket: connection 0.
void open(session_scene& s) {
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.receive(0, agree(s.take(0)));
    s.receive(0, server_frame(engine_handshake));
    REQUIRE(s.take_events() == strings{"opened websocket"});
}
void send(session_scene& s, std::string_view text) {
    CHECK(s.io->send({frame_kind::text, text}, s.now).has_value());
}
std::string close_frame(std::string_view payload) {
    return server_frame(payload, opcode::close);
}

} // namespace

TEST_CASE("wire client: a session over a WebSocket alone") {
    session_scene s(by_websocket());
    open(s);
    send(s, "hello");
    s.io->send({frame_kind::binary, "\x01\x02"}, s.now).ignore();
    s.drain();
    CHECK(s.frames(0) == strings{"text 4hello", "binary \x01\x02"});
    s.receive(0, server_frame("4a") + server_frame("b", opcode::binary) + server_frame("2"));
    CHECK(s.take_events() == strings{"message a", "message b"});
    CHECK(s.frames(0) == strings{"text 3"});
    CHECK(s.peers.size() == 1);
}

TEST_CASE("wire client: a session moves from long-polling to a WebSocket") {
    session_scene s(by_both());
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.take(0);
    s.receive(0, answer(upgrading_handshake));
    CHECK(s.take_events() == strings{"opened polling"});
    REQUIRE(s.peers.size() == 2); // 0 polls on
    s.receive(1, agree(s.take(1)));
    CHECK(s.frames(1) == strings{"text 2probe"});
    send(s, "early");
    s.drain();
    REQUIRE(s.peers.size() == 3);
    CHECK(body_of(s.take(2)) == "4early");
    s.receive(2, answer("ok"));
    s.receive(1, server_frame("3probe"));
    send(s, "hello");
    s.drain();
    CHECK(s.frames(1).empty());
    s.receive(0, answer("4last\x1e"
                        "6"));
    CHECK(s.take_events() == strings{"message last", "upgraded"});
    CHECK(s.frames(1) == strings{"text 5", "text 4hello"});
    // Nobody needs the others any more.
    CHECK(s.peer(0).is_closed);
    CHECK(s.peer(2).is_closed);
    CHECK(s.io.connection_count() == 1);
}

TEST_CASE("wire client: however the bytes of a WebSocket are cut, the events are the same") {
    for (std::size_t size = 1; size != 80; ++size) {
        CAPTURE(size);
        session_scene s(by_websocket());
        REQUIRE(s.io->open(s.now).has_value());
        s.drain();
        std::string bytes = agree(s.take(0)) + server_frame(engine_handshake) + server_frame("4hello");
        bytes += "\x01\x03"
                 "4wo"; // a message in two fragments with a ping between them
        bytes += server_frame("?", opcode::ping);
        bytes += std::string("\x80\x03rld", 5) + server_frame(std::string(200, 'x'), opcode::binary);
        s.receive_in_pieces(0, bytes, size);
        bool const is_good = s.take_events() == strings{"opened websocket", "message hello", "message world",
                                                        "message " + std::string(200, 'x')};
        CHECK(is_good);
        CHECK(s.frames(0) == strings{"pong ?"});
    }
}

TEST_CASE("wire client: all messages of a turn leave as one piece, up to max_write") {
    wire::client_options wire;
    wire.max_write = 1'000;
    session_scene s(by_websocket(), wire);
    open(s);
    s.peer(0).pieces.clear();
    for (int i = 0; i != 50; ++i) send(s, "hi");
    s.give(0, server_frame("?", opcode::ping));
    s.drain();
    CHECK(s.peer(0).pieces.size() == 1);
    CHECK(s.frames(0).size() == 51);
    s.peer(0).pieces.clear();
    for (int i = 0; i != 30; ++i) send(s, std::string(100, 'x'));
    s.drain();
    CHECK(s.peer(0).pieces.size() == 3);
    for (auto const& p : s.peer(0).pieces) CHECK(p.size() <= 1'070);
    CHECK(s.frames(0).size() == 30);
}

TEST_CASE("wire client: each frame has a mask of its own") {
    session_scene s(by_websocket());
    open(s);
    for (int i = 0; i != 100; ++i) send(s, "");
    s.take(0);
    s.drain();
    auto const bytes = s.take(0);
    REQUIRE(bytes.size() == 100u * 7); // header, key, "4"
    std::set<std::string> keys;
    for (std::size_t i = 0; i != 60; ++i)
        keys.insert(bytes.substr(i * 7 + 2, 4)); // the test's source begins again later
    CHECK(keys.size() == 60);
}

TEST_CASE("wire client: a paused WebSocket sends nothing until it is resumed") {
    session_scene s(by_websocket());
    open(s);
    s.pause(0);
    send(s, "one");
    send(s, "two");
    s.receive(0, server_frame("?", opcode::ping));
    s.wait(10s);
    CHECK(s.take(0).empty());
    CHECK(s.io->queued() != 0);
    s.resume(0);
    auto const frames = s.frames(0);
    CHECK(frames.size() == 3);
    // One that is paused while it opens.
    session_scene t(by_websocket());
    REQUIRE(t.io->open(t.now).has_value());
    t.drain();
    t.pause(0);
    t.receive(0, agree(t.take(0)) + server_frame(engine_handshake));
    send(t, "x");
    t.drain();
    CHECK(t.take(0).empty());
    t.resume(0);
    CHECK(t.frames(0) == strings{"text 4x"});
}

//=== how it ends ===//

TEST_CASE("wire client: a WebSocket that the server closes is answered, and waits for the server to end it") {
    session_scene s(by_websocket());
    open(s);
    s.receive(0, close_frame("\x03\xe9"
                             "bye"));
    CHECK(s.take_events() == strings{"closed transport close"});
    CHECK(s.frames(0) == strings{"close 1001"});
    CHECK_FALSE(s.peer(0).is_closed);
    s.end(0);
    CHECK(s.peer(0).is_closed);
    CHECK(s.io.connection_count() == 0);
}

TEST_CASE("wire client: a close frame is answered even if the end of the stream has come with it") {
    session_scene s(by_websocket());
    open(s);
    s.give(0, close_frame("\x03\xe8"));
    s.end(0);
    CHECK(s.frames(0) == strings{"close 1000"});
    CHECK(s.peer(0).is_closed);
}

TEST_CASE("wire client: a WebSocket that the session closes says so, and is closed when the server has answered") {
    session_scene s(by_websocket());
    open(s);
    send(s, "last");
    s.io->close(s.now);
    s.drain();
    CHECK(s.take_events() == strings{"closed forced close"});
    CHECK(s.peer(0).pieces.back().size() == s.take(0).size()); // one piece
    s.receive(0, server_frame("4late"));                       // nobody wants it
    CHECK(s.take_events().empty());
    CHECK_FALSE(s.peer(0).is_closed);
    s.receive(0, close_frame("\x03\xe8"));
    CHECK_FALSE(s.peer(0).is_closed);
    s.end(0);
    CHECK(s.peer(0).is_closed);
    CHECK(s.io.connection_count() == 0);
}

TEST_CASE("wire client: a server that does not end a closed WebSocket is left after a while") {
    for (bool const has_answered : {false, true}) {
        for (bool const is_paused : {false, true}) {
            CAPTURE(has_answered, is_paused);
            session_scene s(by_websocket());
            open(s);
            if (is_paused) s.pause(0);
            s.io->abort();
            s.drain();
            CHECK(s.take_events() == strings{"closed forced close"});
            if (has_answered) s.receive(0, close_frame("\x03\xe8"));
            s.wait(4'999ms);
            CHECK_FALSE(s.peer(0).is_closed);
            s.wait(2ms);
            CHECK(s.peer(0).is_closed);
            CHECK_FALSE(s.io.poll_timeout());
        }
    }
}

TEST_CASE("wire client: a server that reads slowly gets all that was sent before the goodbye") {
    session_scene s(by_websocket());
    open(s);
    send(s, "much");
    s.pause(0);
    s.io->close(s.now);
    s.drain();
    for (int i = 0; i != 5; ++i) { // a part has gone
        s.wait(4s);
        s.pause(0);
    }
    s.wait(4s);
    s.resume(0);
    s.wait(4'999ms);
    CHECK_FALSE(s.peer(0).is_closed);
    s.wait(2ms);
    CHECK(s.peer(0).is_closed);
    CHECK_FALSE(s.io.poll_timeout());
}

TEST_CASE("wire client: a WebSocket that ends without a close frame is lost") {
    for (bool const is_reset : {false, true}) {
        session_scene s(by_websocket());
        open(s);
        is_reset ? s.cut(0) : s.end(0);
        CHECK(s.take_events() == strings{"closed transport close"});
        CHECK(s.peer(0).is_closed);
        CHECK(s.io.connection_count() == 0);
    }
}

TEST_CASE("wire client: frames that break the rules are answered with their code") {
    struct {
        std::string bytes;
        std::string_view answer;
        errc error;
    } const cases[] = {
        {"\xc1\x01x", "close 1002", errc::reserved_bits},
        {"\x83\x01x", "close 1002", errc::unknown_opcode},
        {std::string("\x81\x81\0\0\0\0x", 7), "close 1002", errc::invalid_masking},
        {"\x81\x02\xff\xff", "close 1007", errc::invalid_utf8},
        {std::string("\x82\x7f\0\0\0\1\0\0\0\0", 10), "close 1009", errc::payload_too_large},
        {"\x88\x01x", "close 1002", errc::invalid_close_code},
    };
    for (auto const& c : cases) {
        CAPTURE(c.answer, c.error);
        session_scene s(by_websocket());
        open(s);
        s.receive(0, c.bytes);
        CHECK(s.take_events() == strings{"closed transport close"});
        CHECK(s.frames(0) == strings{std::string(c.answer)});
        CHECK(s.io.failure() == c.error);
        s.wait(5'001ms);
        CHECK(s.peer(0).is_closed);
    }
}

TEST_CASE("wire client: of a flood of pings the last one is answered") {
    session_scene s(by_websocket());
    open(s);
    std::string pings;
    for (int i = 0; i != 10'000; ++i) pings += server_frame(std::to_string(i), opcode::ping);
    s.receive(0, pings);
    CHECK(s.frames(0) == strings{"pong 9999"});
}

//=== the handshake ===//

TEST_CASE("wire client: a WebSocket that is refused has a status and a body") {
    session_scene s(by_websocket());
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.receive_in_pieces(0, answer(R"({"code":3,"message":"Bad request"})", {}, "400 Bad Request"), 7);
    CHECK(s.take_events() == strings{"closed transport error"});
    CHECK(s.io->failure().status == 400);
    CHECK(s.peer(0).is_closed);
}

TEST_CASE("wire client: a handshake that is wrong opens nothing") {
    struct {
        std::string_view from, to;
        errc error;
    } const cases[] = {
        {"Upgrade: websocket\r\n", "", errc::not_a_websocket_handshake},
        {"Connection: Upgrade\r\n", "Connection: keep-alive\r\n", errc::not_a_websocket_handshake},
        {"Accept: ", "Accept: x", errc::invalid_websocket_key},
        {"Connection", "Sec-WebSocket-Extensions: permessage-deflate\r\nConnection", errc::unoffered_extension},
        {"Connection", "Sec-WebSocket-Protocol: other\r\nConnection", errc::unoffered_subprotocol},
    };
    for (auto const& c : cases) {
        CAPTURE(c.to);
        wire::client_options wire;
        wire.headers = {{"Sec-WebSocket-Protocol", "one, two"}};
        session_scene s(by_websocket(), wire);
        REQUIRE(s.io->open(s.now).has_value());
        s.drain();
        auto reply = agree(s.take(0));
        reply.replace(reply.find(c.from), c.from.size(), c.to);
        s.receive(0, reply + server_frame(engine_handshake));
        CHECK(s.take_events() == strings{"closed transport error"});
        CHECK(s.io.failure() == c.error);
        CHECK(s.peer(0).is_closed);
        CHECK(s.io->is_done());
    }
}

TEST_CASE("wire client: a subprotocol is offered by a header") {
    wire::client_options wire;
    wire.websocket_headers = {{"Sec-WebSocket-Protocol", "one, two"}};
    session_scene s(by_websocket(), wire);
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    auto const request = s.take(0);
    CHECK(field_of(request, "Sec-WebSocket-Protocol") == "one, two");
    s.receive(0, agree(request, "Sec-WebSocket-Protocol: two\r\n") + server_frame(engine_handshake));
    CHECK(s.take_events() == strings{"opened websocket"});
}

TEST_CASE("wire client: a handshake that is not answered in time has failed") {
    wire::client_options wire;
    wire.answer_timeout = 5s;
    session_scene s(by_websocket(), wire);
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.receive(0, "HTTP/1.1 101 Switch");
    s.wait(5'001ms);
    CHECK(s.take_events() == strings{"closed transport error"});
    CHECK(s.peer(0).is_closed);
}

TEST_CASE("wire client: a GET that is answered by 101 has failed") {
    session_scene s(by_polling());
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.receive(0, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nPRI");
    CHECK(s.take_events() == strings{"closed transport error"});
    CHECK(s.peer(0).is_closed);
}

TEST_CASE("wire client: a candidate that fails leaves the session where it is") {
    session_scene s(by_both());
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.take(0);
    s.receive(0, answer(upgrading_handshake));
    s.receive(1, answer("", {}, "502 Bad Gateway"));
    CHECK(s.peer(1).is_closed);
    s.receive(0, answer("4still here"));
    CHECK(s.take_events() == strings{"opened polling", "message still here"});
}

TEST_CASE("wire client: a whole client connects, loses its connection and connects again") {
    client_options options;
    options.transports = {engineio::transport::websocket};
    client_scene s(options);
    REQUIRE(s.io->connect("/").has_value());
    s.drain();
    s.receive(0, agree(s.take(0)) + server_frame(engine_handshake) + server_frame(R"(40{"sid":"x"})") +
                     server_frame(R"(42["hello"])"));
    CHECK(s.take_events() == strings{"opened", "connected /", R"(event ["hello"])"});
    CHECK(s.frames(0) == strings{"text 40"});
    s.cut(0);
    CHECK(s.take_events() == strings{"closed transport close"});
    s.wait(2s);
    REQUIRE(s.peers.size() == 2);
    s.receive(1, agree(s.take(1)) + server_frame(engine_handshake) + server_frame(R"(40{"sid":"y"})"));
    CHECK(s.take_events() == strings{"reconnecting", "opened", "connected /"});
    s.io->close();
    s.drain();
    CHECK(s.frames(1) == strings{"text 40", "text 41", "close 1000"});
    s.end(1);
    CHECK(s.io.connection_count() == 0);
    CHECK(s.io->is_idle());
}

} // namespace wire_client_websocket_test
