// Messages that have broken other implementations, sent to every place here that they can reach.

#include "drivers/hostile.hpp"
#include "drivers/socketio_server.hpp"
#include "drivers/whole_server.hpp"
#include "tools/catch.hpp"

#include <socketless/socketio/packet.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace socketio_hostile_test {

using namespace socketless;
using support::binary;
using support::hostile;
using support::hostile_input;
using support::hostile_server;
using support::lines;

namespace {

lines const parse_error = {"disconnected /: parse error", "closed: parse error"};
lines const transport_close = {"disconnected /: transport close", "closed: transport close"};
lines const forced_close = {"disconnected /: forced server close", "closed: forced server close"};

constexpr auto v4 = socketio::revision::v4;
constexpr auto v5 = socketio::revision::v5;

lines operator+(lines a, lines const& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

// A whole server has no `closed` event, only those of its sockets.
lines sockets_of(lines all) {
    std::erase_if(all, [](std::string const& line) { return line.starts_with("closed"); });
    return all;
}

// Checks that the input has the same outcome wherever a client can send it.
void check_servers(hostile_input const& input, lines const& expected) {
    CAPTURE(input.name, input.messages.front().data.substr(0, 60));
    for (auto const r : {v5, v4}) CHECK(at_server_session(input, r) == expected);
    hostile_server server;
    for (char const* eio : {"4", "3"}) CHECK(server.over_websocket(input, eio) == sockets_of(expected));
    auto polled = expected;
    if (polled.size() >= 2 && polled[polled.size() - 2] == transport_close[0])
        polled[polled.size() - 2] = "disconnected /: transport error"; // the client gives up the pending GET
    CHECK(server.over_polling(input) == sockets_of(polled));
    CHECK(server.server.connection_count() == 0);
    CHECK(server.server.socket_count() == 0);
}

// The same, wherever a server can send it.
void check_clients(hostile_input const& input, lines const& expected) {
    CAPTURE(input.name, input.messages.front().data.substr(0, 60));
    for (auto const r : {v5, v4}) CHECK(at_client_session(input, r) == expected);
    CHECK(at_client(input) == expected);
}

} // namespace

TEST_CASE("no side takes malformed messages for packets, and none crashes", "[hostile]") {
    for (hostile_input const& input : support::malformed_inputs()) {
        check_servers(input, parse_error);
        check_clients(input, parse_error);
    }
}

TEST_CASE("CVE-2020-36049: digits without end are an error as soon as there are too many", "[hostile]") {
    // One digit more than 2^53-1 has is enough: the decoder does not look further.
    std::string const digits(1'000'000, '7');
    CHECK(socketio::decode("2" + digits) == error{errc::invalid_ack_id, 1});
    CHECK(socketio::decode("2" + digits.substr(0, 17)) == error{errc::invalid_ack_id, 1});
}

TEST_CASE("CVE-2024-38355: an event that is called error is an event", "[hostile]") {
    auto const input = hostile("CVE-2024-38355", R"(2["error"])");
    check_servers(input, lines{R"(event / ["error"])"} + transport_close);
    check_clients(input, lines{R"(event / ["error"])"} + transport_close);
    for (char const* name : {"__proto__", "constructor", "toString", "hasOwnProperty", ""}) {
        auto const other = hostile(name, R"(2[")" + std::string(name) + R"("])");
        check_servers(other, lines{R"(event / [")" + std::string(name) + R"("])"} + transport_close);
    }
}

TEST_CASE("CVE-2026-48804: a binary packet that never becomes whole goes with its connection", "[hostile]") {
    std::string const header = R"(52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])";
    SECTION("cut after one attachment") {
        hostile_input const input{"cut", {{frame_kind::text, header}, {frame_kind::binary, "\1"}}};
        check_servers(input, transport_close);
        check_clients(input, transport_close);
    }
    SECTION("not connected") {
        for (auto const r : {v5, v4}) {
            auto const other = hostile("unconnected", R"(52-/no,["a",{"_placeholder":true,"num":0}])");
            CHECK(at_server_session(other, r) == forced_close);
        }
        support::server_wires w;
        w.open(1);
        CHECK(w.receive(1, "4" + header) == lines{"close 1"});
        CHECK(w.server.connection_count() == 0);
    }
    SECTION("not connected, at a client: what was not joined is nobody's") {
        check_clients(hostile("unconnected", R"(51-/no,["a",{"_placeholder":true,"num":0}])", 1), transport_close);
    }
}

TEST_CASE("a second CONNECT before the application has answered the first ends the connection", "[hostile]") {
    for (auto const r : {v5, v4}) {
        support::socketio_server_driver s(r);
        s.join();
        CHECK(s.receive("0/a") == lines{"connecting /a"});
        CHECK(s.receive("0/a") == lines{"disconnected /: forced server close", "disconnected /a: forced server close",
                                        "closed: forced server close", "close"});
        CHECK(s.receive("0/a").empty());
        CHECK(s.session.accept(s.socket("/a"), "sid") == error{errc::not_connected});
    }
    support::server_wires w;
    w.server.declare("/", admission::ask);
    w.open(1);
    CHECK(w.receive(1, "40") == lines{"0 connecting /"});
    CHECK(w.receive(1, "40") == lines{"0 disconnected /: forced server close", "close 1"});
    CHECK(w.receive(1, "40").empty());
    CHECK(w.server.accept(w.sockets[0]) == error{errc::not_connected});
    CHECK(w.server.socket_count() == 0);
}

TEST_CASE("three CONNECTs in one body are no three sockets either", "[hostile]") {
    support::server_wires w;
    w.server.declare("/", admission::ask);
    w.open_polling(1);
    CHECK(w.post(1, 2, "40|40|40") ==
          lines{"0 connecting /", "0 disconnected /: forced server close", "answer 2: 200 html ok"});
    CHECK(w.get(1, 3) == lines{"answer 3: 200 text 1"});
    CHECK(w.server.connection_count() == 0);
}

TEST_CASE("a namespace is a name, and no path or URL is resolved", "[hostile]") {
    server_options options;
    options.engine.allow_v3 = true;
    support::server_wires w(options);
    w.server.declare("/admin");
    w.open(1);
    w.open_v3(2);
    for (std::string const nsp : {"/foo/../admin", "//evil/admin", "/admin/", "/%61dmin", "/./admin", "/Admin",
                                  "/admin#x", "/admin%2c", "http://x/admin"}) {
        bool const is_name = nsp.front() == '/';
        lines const unknown = {"1: 44" + nsp + R"(,{"message":"Invalid namespace"})"};
        if (is_name) CHECK(w.receive(1, "40" + nsp + ",") == unknown);
        if (is_name) CHECK(w.receive(2, "40" + nsp + ",") == lines{"2: 44" + nsp + R"(,"Invalid namespace")"});
    }
    CHECK(w.receive(1, "40http://x/admin,") == lines{"close 1"});
}

TEST_CASE("numbers that fit are numbers, also those that break other implementations", "[hostile]") {
    check_servers(hostile("socket.io-client-cpp", R"(299999999999["a"])"),
                  lines{R"(event / ["a"] ack 99999999999)"} + transport_close);
    check_clients(hostile("socket.io-client-cpp", R"(299999999999["a"])"),
                  lines{R"(event / ["a"] ack 99999999999)"} + transport_close);
    check_servers(hostile("nobody awaits it", "399999999999[]"), transport_close);
    check_clients(hostile("nobody awaits it", "399999999999[]"), transport_close);
    // 1 is not true: this is not a placeholder but data, and nothing refers to its attachment.
    check_servers(hostile("socket.io-client-cpp", R"(51-["a",{"_placeholder":1}])", 1),
                  lines{R"(event / ["a",{"_placeholder":1}] <010203>)"} + transport_close);
}

TEST_CASE("JSON as deep as the limit is accepted", "[hostile]") {
    std::string const open(limits().max_depth - 1, '[');
    std::string const close(limits().max_depth - 1, ']');
    std::string const event = R"(["a",)" + open + close + "]";
    check_servers(hostile("depth", "2" + event), lines{"event / " + event} + transport_close);
    check_servers(hostile("depth", R"(2["a",[)" + open + close + "]]"), parse_error);
}

TEST_CASE("a frame of a stream that declares 2 to the power of 50 bytes reserves nothing", "[hostile]") {
    server_options options;
    options.engine.transports = {engineio::transport::polling, engineio::transport::webtransport};
    support::server_wires w(options);
    w.channels.insert(1);
    w.after([&] { w.server.stream_opened(1, w.now); });
    w.after([&] {
        w.server.stream_received(1,
                                 std::string_view("\x01"
                                                  "0"),
                                 w.now);
    });
    std::string const connect = "\x02"
                                "40";
    w.after([&] { w.server.stream_received(1, connect, w.now); });
    REQUIRE(w.sockets.size() == 1);
    std::string const header("\x7f\x00\x04\x00\x00\x00\x00\x00\x00", 9);
    CHECK(w.after([&] { w.server.stream_received(1, header, w.now); }) ==
          lines{"0 disconnected /: parse error", "close 1"});
}

TEST_CASE("a client that floods with namespaces gets so many and no more", "[hostile]") {
    support::server_wires w;
    w.server.declare_matching([](std::string_view, json::text) { return true; });
    w.open(1);
    std::size_t refused = 0;
    for (int i = 0; i != 1'000; ++i) {
        auto const said = w.receive(1, "40/" + std::to_string(i) + ",");
        if (said.back().find("Too many namespaces") != std::string::npos) ++refused;
    }
    CHECK(refused == 900);
    CHECK(w.server.socket_count() == 100);
    w.cut(1);
    CHECK(w.server.socket_count() == 0);
}

TEST_CASE("a server that sends events before it answers CONNECT fills no memory", "[hostile]") {
    socketio::client_options options;
    options.max_early = 10'000;
    socketio::client_session session(options);
    CHECK(session.connect());
    session.opened(support::start);
    std::string const wire = R"(2["early",")" + std::string(1'000, 'x') + R"("])";
    lines all;
    for (int i = 0; i != 100; ++i) {
        session.message_received({frame_kind::text, wire}, support::start);
        while (auto const e = session.poll_event()) all.push_back(support::show(*e));
        while (session.poll_transmit()) {
        }
    }
    CHECK(all == lines{"closed: queue overflow"});
}

TEST_CASE("an application that emits to a server that never answers fills no memory", "[hostile]") {
    socketio::client_options options;
    options.max_buffered = 10'000;
    options.max_pending_acks = 5;
    socketio::client_session session(options);
    auto const socket = session.connect();
    REQUIRE(socket);
    session.opened(support::start);
    errc last{};
    for (int i = 0; i != 100; ++i)
        if (auto const e = session.emit(*socket, "e", std::string(1'000, 'x')); !e) last = e.error().code;
    CHECK(last == errc::buffer_full);
    CHECK(session.buffered() <= 10'000);
    CHECK(session.emit_with_ack(*socket, std::nullopt, "e", std::string(10'000, 'x')).error().code ==
          errc::buffer_full);
}

TEST_CASE("an application that emits to a client that never polls ends its connection at the limit", "[hostile]") {
    server_options options;
    options.engine.max_queued = 10'000;
    support::server_wires w(options);
    w.open_polling(1);
    w.post(1, 2, "40");
    w.get(1, 3);
    lines all;
    for (int i = 0; i != 100; ++i) {
        auto const more = w.after([&] { w.server.in("/").emit("e", std::string(1'000, 'x')).ignore(); });
        all.insert(all.end(), more.begin(), more.end());
    }
    CHECK(all == lines{"0 disconnected /: queue overflow"});
    w.get(1, 4);
    CHECK(w.server.connection_count() == 0);
}

TEST_CASE("a client that is silent after the handshake is closed", "[hostile]") {
    support::server_wires w;
    w.open(1);
    CHECK(w.at(44'999).empty());
    CHECK(w.at(45'000) == lines{"close 1"});
}

TEST_CASE("acknowledgements that were never asked for are ignored, however many", "[hostile]") {
    support::server_wires w;
    w.connect(1);
    for (int i = 0; i != 1'000; ++i) CHECK(w.receive(1, "43" + std::to_string(i) + "[]").empty());
    CHECK(w.server.connection_count() == 1);
}

TEST_CASE("2026-11 audit: what a peer leaves empty is null where it is handed on", "[hostile]") {
    server_options options;
    options.engine.allow_v3 = true;
    for (char const* const query : {"EIO=4&transport=websocket", "EIO=3&transport=websocket"}) {
        support::server_wires w(options);
        auto const before = w.connect(9);
        w.server.declare("/", admission::ask);
        w.on_event = [&](socketio::event& e) {
            if (e.type != socketio::event_type::connecting) return;
            CHECK(e.data.empty());
            CHECK(w.server.in("/").emit("asks", e.data, std::vector{e.data}, json::object("auth", e.data)));
            CHECK(w.server.emit_with_ack(before, std::nullopt, "asks", e.data));
            CHECK(w.server.refuse(e.socket, "no", e.data));
        };
        auto all = w.open(1, query);
        if (all.empty()) all = w.receive(1, "40");
        CHECK(std::count(all.begin(), all.end(), R"(9: 42["asks",null,[null],{"auth":null}])") == 1);
        CHECK(std::count(all.begin(), all.end(), R"(9: 421["asks",null])") == 1);
        CHECK(w.server.is_connected(before));
    }
    // At a client: an event without arguments, a refusal without data.
    socketio::client_session session;
    auto const socket = session.connect();
    REQUIRE(socket.has_value());
    session.opened(support::start);
    while (session.poll_transmit()) {
    }
    for (char const* const packet : {R"(0{"sid":"sid"})", R"(27["asks"])"}) {
        session.message_received({frame_kind::text, packet}, support::start);
        while (auto e = session.poll_event()) {
            if (e->type != socketio::event_type::event) continue;
            CHECK(session.emit(*socket, "handed on", e->data, e->message));
            CHECK(session.acknowledge(e->ack, e->data));
        }
    }
    lines sent;
    while (auto const t = session.poll_transmit()) sent.emplace_back(t->message.data);
    CHECK(sent == lines{R"(2["handed on",null,null])", "37[null]"});
}

TEST_CASE("a session id with half a surrogate pair, which no request can carry, is refused", "[hostile]") {
    std::string const rest = R"(,"upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000})";
    for (char const* const sid : {R"("\ud800")", R"("\udc00")", R"("a\ud800b")", R"("\ud800\ud800")"}) {
        CAPTURE(sid);
        std::string const handshake = "0{\"sid\":" + std::string(sid) + rest;
        for (auto const t : {engineio::transport::websocket, engineio::transport::polling}) {
            socketless::client client({.transports = {t}, .reconnection = false}, support::counting_random(),
                                      support::start);
            CHECK(client.connect());
            std::string buffer;
            std::size_t failed = 0;
            std::size_t requests = 0;
            for (bool is_answered = false;;) {
                if (auto const e = client.poll_event()) {
                    CHECK(e->type != socketio::event_type::connected);
                    CHECK(e->type != socketio::event_type::opened);
                    failed += e->type == socketio::event_type::open_failed;
                } else if (auto const sent = client.poll_transmit(buffer)) {
                    requests += sent->type != engineio::transmit_type::close;
                    if (std::exchange(is_answered, true)) continue;
                    std::uint64_t const id = sent->id;
                    std::string body = handshake;
                    if (t == engineio::transport::polling) {
                        client.http_response(id, 200, false, body, support::start);
                    } else {
                        client.channel_opened(id, support::start);
                        client.websocket_received(id, {frame_kind::text, body}, support::start);
                    }
                    while (auto const told = client.poll_event())
                        failed += told->type == socketio::event_type::open_failed;
                } else {
                    break;
                }
            }
            CHECK(failed == 1);
            CHECK(requests == 1); // no request carries the invalid id
            CHECK(client.is_idle());
        }
    }
}

} // namespace socketio_hostile_test
