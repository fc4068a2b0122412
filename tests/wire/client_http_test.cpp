#include "drivers/wire_client.hpp"
#include "tools/catch.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wire_client_http_test {

using namespace socketless;
using namespace std::chrono_literals;
using namespace support::wire_client;
using strings = std::vector<std::string>;

namespace {

constexpr std::string_view poll_line = "GET /engine.io/?EIO=4&transport=polling&sid=abc HTTP/1.1";
constexpr std::string_view post_line = "POST /engine.io/?EIO=4&transport=polling&sid=abc HTTP/1.1";

// A session by long-polling: connection 0 has the poll.
void open(session_scene& s) {
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.take(0);
    s.receive(0, answer(engine_handshake));
    REQUIRE(s.take_events() == strings{"opened polling"});
}
// The same, and the poll has been sent.
void open_and_poll(session_scene& s) {
    open(s);
    REQUIRE(first_line(s.take(0)) == poll_line);
}
void send(session_scene& s, std::string_view text) {
    CHECK(s.io->send({frame_kind::text, text}, s.now).has_value());
    s.drain();
}

} // namespace

TEST_CASE("wire client: a session by long-polling begins with a connection and a GET") {
    session_scene s(by_polling());
    s.connects = false;
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    REQUIRE(s.peers.size() == 1);
    CHECK(s.peer(0).to == "example.org:80");
    CHECK(s.take(0).empty());
    s.connected(0);
    CHECK(s.take(0) == "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n"
                       "Host: example.org\r\n"
                       "Accept: */*\r\n"
                       "\r\n");
    s.receive(0, answer(engine_handshake));
    CHECK(s.take_events() == strings{"opened polling"});
    CHECK(first_line(s.take(0)) == poll_line);
    s.receive(0, answer("4hello\x1e"
                        "4world"));
    CHECK(s.take_events() == strings{"message hello", "message world"});
}

TEST_CASE("wire client: one GET waits and one POST sends, over two connections that are kept") {
    session_scene s(by_polling());
    open_and_poll(s);
    send(s, "one");
    REQUIRE(s.peers.size() == 2);
    CHECK(s.take(1) == std::string(post_line) + "\r\n"
                                                "Host: example.org\r\n"
                                                "Accept: */*\r\n"
                                                "Content-Type: text/plain; charset=UTF-8\r\n"
                                                "Content-Length: 4\r\n"
                                                "\r\n"
                                                "4one");
    send(s, "two");
    send(s, "three");
    CHECK(s.take(1).empty()); // one POST at a time
    s.receive(1, answer("ok"));
    CHECK(body_of(s.take(1)) == "4two\x1e"
                                "4three");
    s.receive(1, answer("ok"));
    for (int i = 0; i != 10; ++i) {
        s.receive(0, answer("4x"));
        CHECK(first_line(s.take(0)) == poll_line);
        send(s, "y");
        CHECK(body_of(s.take(1)) == "4y");
        s.receive(1, answer("ok"));
    }
    CHECK(s.peers.size() == 2);
    CHECK(s.io.connection_count() == 2);
}

TEST_CASE("wire client: each request leaves as one piece, head and body") {
    session_scene s(by_polling());
    open_and_poll(s);
    send(s, std::string(300'000, 'x'));
    REQUIRE(s.peer(1).pieces.size() == 1);
    CHECK(body_of(s.peer(1).pieces[0]).size() == 300'001);
}

TEST_CASE("wire client: however the bytes of answers are cut, the events are the same") {
    std::string const bodies[] = {answer(engine_handshake, "Content-Type: text/plain\r\n"),
                                  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "3;x=y\r\n4he\r\n3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n",
                                  answer("4\xe2\x82\xac"
                                         "\x1e"
                                         "bAQID")};
    for (std::size_t size = 1; size != 60; ++size) {
        CAPTURE(size);
        session_scene s(by_polling());
        REQUIRE(s.io->open(s.now).has_value());
        s.drain();
        for (auto const& b : bodies) s.receive_in_pieces(0, b, size);
        bool const is_good = s.take_events() ==
                             strings{"opened polling", "message hello", "message \xe2\x82\xac", "message \x01\x02\x03"};
        CHECK(is_good);
        CHECK(s.peers.size() == 1);
    }
}

TEST_CASE("wire client: an answer that ends with its connection is whole, and the next poll takes another connection") {
    session_scene s(by_polling());
    open_and_poll(s);
    s.receive(0, "HTTP/1.1 200 OK\r\n\r\n4hel");
    s.receive(0, "lo");
    CHECK(s.take_events().empty());
    s.end(0);
    CHECK(s.take_events() == strings{"message hello"});
    CHECK(s.peer(0).is_closed);
    REQUIRE(s.peers.size() == 2);
    CHECK(first_line(s.take(1)) == poll_line);
}

TEST_CASE("wire client: an answer of which the end is missing is a failure") {
    for (std::string_view const cut : {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n4hello",
                                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n4hello\r\n",
                                       "HTTP/1.1 2", "HTTP/1.1 100 Continue\r\n\r\n"}) {
        CAPTURE(cut);
        session_scene s(by_polling());
        open_and_poll(s);
        s.receive(0, cut);
        s.end(0);
        CHECK(s.take_events() == strings{"closed transport error"});
        CHECK(s.io.failure() == errc::truncated_message);
        CHECK(s.io->is_done());
    }
    session_scene s(by_polling()); // a reset may have cut it
    open_and_poll(s);
    s.receive(0, "HTTP/1.1 200 OK\r\n\r\n4hello");
    s.cut(0);
    CHECK(s.take_events() == strings{"closed transport error"});
}

TEST_CASE("wire client: a connection that the server wants to close is not used again") {
    for (std::string_view const head : {"HTTP/1.1 200 OK\r\nConnection: close\r\n", "HTTP/1.0 200 OK\r\n"}) {
        CAPTURE(head);
        session_scene s(by_polling());
        open_and_poll(s);
        s.receive(0, std::string(head) + "Content-Length: 2\r\n\r\n4a");
        CHECK(s.take_events() == strings{"message a"});
        CHECK(s.peer(0).is_closed);
        REQUIRE(s.peers.size() == 2);
        CHECK(first_line(s.take(1)) == poll_line);
    }
    session_scene s(by_polling());
    open_and_poll(s);
    s.receive(0, "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n4a");
    CHECK(first_line(s.take(0)) == poll_line);
}

TEST_CASE("wire client: bytes behind an answer end the connection, but not the session") {
    session_scene s(by_polling());
    open_and_poll(s);
    s.receive(0, answer("4a") + answer("4b"));
    CHECK(s.take_events() == strings{"message a"});
    CHECK(s.peer(0).is_closed);
    CHECK(first_line(s.take(1)) == poll_line);
}

TEST_CASE("wire client: a GET that meets the end of a kept connection is sent again once") {
    for (bool const is_reset : {false, true}) {
        CAPTURE(is_reset);
        session_scene s(by_polling());
        open_and_poll(s);
        s.end(0);
        REQUIRE(s.peers.size() == 2);
        CHECK(s.peer(0).is_closed);
        CHECK(first_line(s.take(1)) == poll_line);
        CHECK(s.take_events().empty());
        is_reset ? s.cut(1) : s.end(1);
        CHECK(s.peers.size() == 2);
        CHECK(s.take_events() == strings{"closed transport error"});
        CHECK(s.io->is_done());
    }
}

TEST_CASE("wire client: a GET whose connection is reset has failed: messages may be lost with its answer") {
    session_scene s(by_polling());
    open_and_poll(s);
    s.cut(0);
    CHECK(s.peers.size() == 1);
    CHECK(s.take_events() == strings{"closed transport error"});
}

TEST_CASE("wire client: a POST that meets the end of a kept connection has failed") {
    session_scene s(by_polling());
    open_and_poll(s);
    send(s, "one");
    s.receive(1, answer("ok"));
    send(s, "two");
    s.end(1);
    CHECK(s.take_events() == strings{"closed transport error"});
    CHECK(s.peers.size() == 2);
}

TEST_CASE("wire client: a POST that has not left goes over a new connection when its own has ended") {
    session_scene s(by_polling());
    open_and_poll(s);
    send(s, "one");
    s.receive(1, answer("ok"));
    s.pause(1); // it is idle, but its write is not over
    s.resume(1);
    s.take(1);
    REQUIRE(s.io->send({frame_kind::text, "two"}, s.now).has_value());
    s.io.ended(s.peer(1).id, s.now); // comes before the request is polled
    s.drain();
    REQUIRE(s.peers.size() == 3);
    CHECK(body_of(s.take(2)) == "4two");
    CHECK(s.take_events().empty());
}

TEST_CASE("wire client: a connection on which the server speaks unasked is not used again") {
    session_scene s(by_polling());
    open_and_poll(s);
    send(s, "one");
    s.receive(1, answer("ok"));
    s.receive(1, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
    CHECK(s.peer(1).is_closed);
    CHECK(s.take_events().empty());
    send(s, "two");
    CHECK(body_of(s.take(2)) == "4two");
}

TEST_CASE("wire client: idle connections are closed after a while, polls wait as long as it takes") {
    session_scene s(by_polling());
    open_and_poll(s);
    send(s, "one");
    s.receive(1, answer("ok"));
    s.wait(3'999ms);
    CHECK_FALSE(s.peer(1).is_closed);
    s.wait(2ms);
    CHECK(s.peer(1).is_closed);
    s.wait(30s);
    CHECK_FALSE(s.peer(0).is_closed);
    CHECK(s.take_events().empty());
    CHECK(s.io.connection_count() == 1);
}

TEST_CASE("wire client: when the session has ended, its connections are closed") {
    session_scene s(by_polling());
    open_and_poll(s);
    send(s, "one");
    s.receive(1, answer("ok"));
    s.receive(0, answer("1"));
    CHECK(s.take_events() == strings{"closed transport close"});
    CHECK(s.peer(0).is_closed);
    CHECK(s.peer(1).is_closed);
    CHECK(s.io.connection_count() == 0);
    CHECK_FALSE(s.io.poll_timeout());
}

TEST_CASE("wire client: it is done when the protocol is idle and all connections are closed") {
    session_scene s(by_polling());
    CHECK(s.io.is_done());
    open_and_poll(s);
    CHECK_FALSE(s.io.is_done());
    s.io->close(s.now);
    s.drain();
    CHECK_FALSE(s.io.is_done()); // the answers have yet to come
    s.receive(0, answer("6"));
    s.receive(1, answer("ok"));
    CHECK(s.io.is_done());

    client_scene whole({.transports = {engineio::transport::polling}});
    CHECK(whole.io.is_done());
    REQUIRE(whole.io->connect("/").has_value());
    CHECK_FALSE(whole.io.is_done());
    whole.drain();
    whole.cut(0);
    CHECK(whole.io.connection_count() == 0);
    CHECK_FALSE(whole.io.is_done()); // it will connect again
    whole.io->close();
    whole.drain();
    CHECK(whole.io.is_done());
}

TEST_CASE("wire client: the connection of a request that is given up is closed") {
    session_scene s(by_polling());
    open_and_poll(s);
    s.io->abort();
    s.drain();
    CHECK(s.take_events() == strings{"closed forced close"});
    CHECK(s.peer(0).is_closed);
    CHECK(s.io.connection_count() == 0);
}

TEST_CASE("wire client: a connection that nobody has heard of is given up in silence") {
    session_scene s(by_polling());
    REQUIRE(s.io->open(s.now).has_value());
    s.io->abort();
    s.drain();
    CHECK(s.peers.empty());
    CHECK(s.io.connection_count() == 0);
}

TEST_CASE("wire client: closing in good order sends what is queued, and the close") {
    session_scene s(by_polling());
    open_and_poll(s);
    REQUIRE(s.io->send({frame_kind::text, "last"}, s.now).has_value());
    s.io->close(s.now);
    s.drain();
    CHECK(body_of(s.take(1)) == "4last\x1e"
                                "1");
    s.receive(0, answer("6"));
    s.receive(1, answer("ok"));
    CHECK(s.take_events() == strings{"closed forced close"});
    CHECK(s.io.connection_count() == 0);
}

TEST_CASE("wire client: another status than 200 ends the session, and the application hears it") {
    for (std::string_view const status :
         {"400 Bad Request", "301 Moved Permanently", "503 Service Unavailable", "204 No Content"}) {
        CAPTURE(status);
        session_scene s(by_polling());
        REQUIRE(s.io->open(s.now).has_value());
        s.drain();
        bool const has_body = status != "204 No Content";
        s.receive(0, "HTTP/1.1 " + std::string(status) + "\r\nLocation: http://other.example/\r\n" +
                         (has_body ? "Content-Length: 2\r\n\r\n{}" : "\r\n"));
        CHECK(s.take_events() == strings{"closed transport error"});
        CHECK(s.io->failure().status == std::stoi(std::string(status)));
        CHECK(s.peers.size() == 1);
        CHECK(s.io.connection_count() == 0);
    }
}

TEST_CASE("wire client: the body of a refusal reaches the application of a whole client") {
    client_options options;
    options.reconnection = false;
    options.transports = {engineio::transport::polling};
    client_scene s(options);
    REQUIRE(s.io->connect("/").has_value());
    std::string buffer;
    s.drain();
    s.give(0, answer(R"({"code":4,"message":"Forbidden"})", {}, "403 Forbidden"));
    bool has_failed = false;
    while (auto const e = s.io.poll_event()) {
        has_failed =
            e->type == socketio::event_type::open_failed && e->status == 403 && e->message.raw() == R"("Forbidden")";
        if (has_failed) break;
    }
    CHECK(has_failed);
}

TEST_CASE("wire client: bodies of bytes are known by their content type") {
    auto options = by_polling();
    options.revision = engineio::revision::v3;
    session_scene s(options);
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.receive(0, answer(std::to_string(engine_handshake.size()) + ":" + std::string(engine_handshake)));
    CHECK(s.take_events() == strings{"opened polling"});
    s.receive(0, answer(std::string("\x01\x04\xff\x04"
                                    "abc",
                                    7),
                        "content-type: Application/Octet-Stream\r\n"));
    CHECK(s.take_events() == strings{"message abc"});
}

TEST_CASE("wire client: limits of heads, bodies and fields") {
    auto const failure_of = [](std::string_view bytes, wire::client_options wire = {}) {
        auto options = by_polling();
        options.max_payload = 1'000;
        session_scene s(options, std::move(wire));
        REQUIRE(s.io->open(s.now).has_value());
        s.drain();
        s.receive_in_pieces(0, bytes, 1'000);
        CHECK(s.io.connection_count() == 0);
        CHECK(s.io->is_done());
        CHECK(s.take_events() == strings{"closed transport error"});
        return s.io.failure();
    };
    CHECK(failure_of("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n") == errc::payload_too_large);
    CHECK(failure_of("HTTP/1.1 200 OK\r\n\r\n" + std::string(1'001, 'x')) == errc::payload_too_large);
    CHECK(failure_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n") ==
          errc::payload_too_large);
    CHECK(failure_of("HTTP/1.1 200 OK\r\nX: " + std::string(17'000, 'x')) == errc::head_too_large);
    std::string many;
    for (int i = 0; i != 101; ++i) many += "X: y\r\n";
    CHECK(failure_of("HTTP/1.1 200 OK\r\n" + many + "\r\n") == errc::too_many_fields);
    CHECK(failure_of("SSH-2.0-OpenSSH_9.2\r\n\r\n") != errc{});
    wire::client_options small;
    small.limits.max_body = 10;
    CHECK(failure_of("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", small) == errc::payload_too_large);
}

TEST_CASE("wire client: deadlines for connecting and for the answer to a POST") {
    wire::client_options wire;
    wire.answer_timeout = 10s;
    auto const fails_in = [](session_scene& s, milliseconds time) {
        s.wait(time - 1ms);
        CHECK(s.take_events().empty());
        s.wait(2ms);
        CHECK(s.take_events() == strings{"closed transport error"});
    };
    SECTION("connecting") {
        auto options = by_polling();
        options.open_timeout = 60s;
        session_scene s(options);
        s.connects = false;
        REQUIRE(s.io->open(s.now).has_value());
        s.drain();
        fails_in(s, 20s);
        CHECK(s.peer(0).is_closed);
    }
    SECTION("a request that the server reads slowly has more time with each part") {
        session_scene s(by_polling(), wire);
        open_and_poll(s);
        send(s, "one");
        for (int i = 0; i != 3; ++i) { // less than the heartbeat
            s.wait(9s);
            s.pause(1);
        }
        fails_in(s, 10s);
    }
    SECTION("an answer, also to a request that the server does not read") {
        session_scene s(by_polling(), wire);
        open_and_poll(s);
        send(s, "one");
        s.wait(9s);
        s.pause(1);
        s.wait(9s);
        s.resume(1);
        fails_in(s, 10s);
        CHECK(s.io.connection_count() == 0);
    }
}

TEST_CASE("wire client: a connection that could not be made is a failed request") {
    session_scene s(by_polling());
    s.connects = false;
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.cut(0);
    CHECK(s.take_events() == strings{"closed transport error"});
    CHECK(s.io->failure().status == 0);
    CHECK(s.io.connection_count() == 0);
}

TEST_CASE("wire client: nothing is sent on a connection while it is paused") {
    session_scene s(by_polling());
    open_and_poll(s);
    send(s, "one");
    s.receive(1, answer("ok"));
    s.take(1);
    s.pause(1); // while nothing is sent
    send(s, "two");
    CHECK(s.take(1).empty());
    CHECK(body_of(s.take(2)) == "4two");
    s.resume(1);
    s.receive(2, answer("ok", "Connection: close\r\n"));
    send(s, "three");
    CHECK(body_of(s.take(1)) == "4three");
}

TEST_CASE("wire client: an answer that comes before the request has left is taken, and its connection closed") {
    session_scene s(by_polling());
    open_and_poll(s);
    send(s, std::string(100'000, 'x'));
    s.pause(1);
    s.receive(1, answer("ok"));
    CHECK(s.peer(1).is_closed);
    CHECK(s.take_events().empty());
    send(s, "two");
    CHECK(body_of(s.take(2)) == "4two");
}

TEST_CASE("wire client: several inputs may come before events are polled") {
    session_scene s(by_polling());
    open_and_poll(s);
    send(s, "one");
    s.give(0, answer("4a"));
    s.give(1, answer("ok"));
    s.io.ended(s.peer(1).id, s.now);
    s.drain();
    CHECK(s.take_events() == strings{"message a"});
    CHECK(s.peer(1).is_closed);
    CHECK(first_line(s.take(0)) == poll_line);
}

TEST_CASE("wire client: what an input means is told before anything is transmitted") {
    session_scene s(by_polling());
    s.connects = false;
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.give(0, "who are you?"); // before the connection is made
    auto const e = s.io.poll_event();
    REQUIRE(e);
    CHECK(e->type == engineio::event_type::closed);
}

TEST_CASE("wire client: an answer to a request that has not left is none") {
    session_scene s(by_polling());
    s.connects = false;
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.pause(0);
    s.connected(0);
    CHECK(s.take(0).empty());
    s.receive(0, answer(engine_handshake));
    CHECK(s.take_events() == strings{"closed transport error"});
    s.resume(0);
    CHECK(s.io.connection_count() == 0);
}

TEST_CASE("wire client: a poll waits as long as it takes, even if its write took a while") {
    wire::client_options wire;
    wire.answer_timeout = 5s;
    session_scene s(by_polling(), wire);
    open_and_poll(s);
    s.pause(0);
    s.wait(4s);
    s.resume(0);
    s.wait(20s);
    CHECK(s.take_events().empty());
    CHECK_FALSE(s.peer(0).is_closed);
}

TEST_CASE("wire client: nothing is transmitted for a connection that is gone") {
    session_scene s(by_polling());
    s.connects = false;
    REQUIRE(s.io->open(s.now).has_value());
    s.drain();
    s.io.connected(s.peer(0).id, s.now);
    REQUIRE_FALSE(s.io.poll_event()); // its request is due now
    s.io.closed(s.peer(0).id, s.now);
    std::string buffer;
    CHECK_FALSE(s.io.poll_transmit(buffer));
    s.peer(0).is_closed = true;
    s.drain();
    CHECK(s.take_events() == strings{"closed transport error"});
}

TEST_CASE("wire client: inputs for connections that are not there change nothing") {
    session_scene s(by_polling());
    open_and_poll(s);
    char byte = 'x';
    for (wire::connection_id const id : {wire::connection_id{0}, s.peer(0).id + 1, ~wire::connection_id{0}}) {
        s.io.connected(id, s.now);
        s.io.received(id, {&byte, 1}, s.now);
        s.io.ended(id, s.now);
        s.io.closed(id, s.now);
        s.io.pause(id);
        s.io.resume(id);
    }
    s.drain();
    CHECK(s.take_events().empty());
    s.connected(0); // once more
    CHECK(s.take(0).empty());
    s.receive(0, answer("4a"));
    CHECK(s.take_events() == strings{"message a"});
}

} // namespace wire_client_http_test
