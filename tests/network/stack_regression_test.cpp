// Faults that random networks have found in whole stacks, one by one.

#include "drivers/stacks.hpp"
#include "tools/catch.hpp"

#include <socketless/client.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/client_session.hpp>
#include <socketless/socketio/server_session.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace network_stack_regression_test {

namespace {

using namespace support;
using socketless::errc;
using socketless::milliseconds;
using socketless::server_options;
using socketless::socketio::event;
using socketless::socketio::event_type;
using socketless::socketio::socket_handle;

socketless::client_options over_websocket() {
    socketless::client_options o;
    o.transports = {socketless::engineio::transport::websocket};
    return o;
}

// A server and a client of it, and the events of both.
class joined_stacks {
public:
    explicit joined_stacks(server_options server = {}, socketless::client_options client = over_websocket())
        : net(std::move(server)) {
        net.add(std::move(client));
        net.on_server_event = [this](event& e) {
            if (e.type == event_type::connected) socket = e.socket;
            on_server(e);
        };
        net.on_client_event = [this](std::size_t, event& e) {
            heard.push_back(e.type);
            on_client(e);
        };
    }

    socketless::client& client() { return net.client(0); }
    socketless::server& server() { return net.server; }

    // How many events of this type the client had.
    [[nodiscard]] auto count(event_type type) const { return std::count(heard.begin(), heard.end(), type); }

    stacks net;
    std::function<void(event&)> on_server = [](event&) {};
    std::function<void(event&)> on_client = [](event&) {};
    socket_handle socket; // the server's last connected socket
    std::vector<event_type> heard;
};

// A session of a server with a small queue, and a socket of it that is connected.
struct joined_session {
    joined_session() {
        session.message_received({socketless::frame_kind::text, "0"}, {});
        auto const asked = session.poll_event();
        REQUIRE(asked);
        socket = asked->socket;
        REQUIRE(session.accept(socket, "sid"));
    }

    socketless::socketio::server_options options{.max_queued = 100};
    socketless::socketio::message_queue queue;
    socketless::socketio::server_session session{options, queue, socketless::socketio::revision::v5, {}};
    socket_handle socket;
};

std::string const much(500, 'x');
std::string const half(200, 'x');

server_options with_a_small_queue() {
    server_options o;
    o.engine.max_queued = 300;
    return o;
}

} // namespace

TEST_CASE("a socket that is named twice belongs to an audience once", "[network]") {
    joined_stacks both;
    REQUIRE(both.client().connect());
    both.net.settle();
    std::string const sid(both.server().sid(both.socket));
    auto whom = both.server().in("/");
    whom.to(sid).to(sid);
    CHECK(whom.size() == 1);
    auto const receivers = whom.emit("news");
    CHECK((receivers && *receivers == 1));
    CHECK(whom.emit_with_ack(std::nullopt, "question"));
    both.net.settle();
    CHECK(both.count(event_type::event) == 2);
}

TEST_CASE("nothing is sent to a socket that has ended, even before its end is polled", "[network]") {
    server_options recovering;
    recovering.recovery.emplace();
    for (server_options const& options : {server_options(), recovering}) {
        joined_stacks both(options);
        std::vector<std::string> wire;
        REQUIRE(both.client().connect());
        both.net.settle();
        both.net.on_wire = [&](std::size_t, bool to_server, std::string_view data) {
            if (!to_server) wire.emplace_back(data);
        };
        both.server().disconnect(both.socket);
        CHECK_FALSE(both.server().is_connected(both.socket));
        CHECK(both.server().in("/").size() == 0);
        auto const receivers = both.server().in("/").emit("news");
        CHECK((receivers && *receivers == 0));
        auto const emitted = both.server().emit(both.socket, "news");
        CHECK((!emitted && emitted.error().code == errc::not_connected));
        both.net.settle();
        CHECK(wire == std::vector<std::string>{"41"});
    }
}

TEST_CASE("a server that asks for an acknowledgement gets an error or an outcome", "[network]") {
    SECTION("of the transport: an outcome") {
        joined_stacks both(with_a_small_queue());
        REQUIRE(both.client().connect());
        both.net.settle();
        std::vector<std::uint64_t> ended;
        both.on_server = [&](event& e) {
            if (e.type == event_type::ack) ended.push_back(e.id);
        };
        REQUIRE(both.server().emit(both.socket, "news", half));
        auto const id = both.server().emit_with_ack(both.socket, std::nullopt, "question", half);
        REQUIRE(id);
        both.net.settle();
        CHECK(ended == std::vector<std::uint64_t>{*id});
    }
    SECTION("of the session: an error") {
        joined_session joined;
        auto& session = joined.session;
        auto const emitted = session.emit_with_ack(joined.socket, 1, std::nullopt, "question", much);
        CHECK((!emitted && emitted.error().code == errc::message_too_large));
        while (auto const e = session.poll_event()) CHECK(e->type != event_type::ack);
    }
}

TEST_CASE("a socket is gone when it was refused, though its connection could not take the refusal", "[network]") {
    joined_stacks both(with_a_small_queue());
    both.server().declare("/asked", socketless::admission::ask);
    std::optional<socket_handle> asked;
    both.on_server = [&](event& e) {
        if (e.type != event_type::connecting) return;
        asked = e.socket;
        CHECK(both.server().emit(both.socket, "news", half));
        CHECK(both.server().refuse(e.socket, half));
    };
    REQUIRE(both.client().connect());
    both.net.settle();
    REQUIRE(both.client().connect("/asked"));
    both.net.settle();
    REQUIRE(asked);
    CHECK(both.server().nsp(*asked).empty());
}

TEST_CASE("a namespace that is joined while the connection closes waits for the next one", "[network]") {
    joined_stacks both;
    auto const first = both.client().connect();
    REQUIRE(first);
    both.net.settle();
    both.client().disconnect(*first);
    while (both.client().poll_event()) {
    } // the last namespace is left: the connection closes
    REQUIRE(both.client().connect("/", socketless::socketio::ask_for_auth));
    CHECK_FALSE(both.client().poll_event());
    both.heard.clear();
    both.net.settle();
    CHECK(both.heard == std::vector{event_type::closed, event_type::opened, event_type::connecting});
}

TEST_CASE("a client that leaves its last namespace before it has joined it closes the connection", "[network]") {
    joined_stacks both;
    both.server().declare("/asked", socketless::admission::ask); // nobody ever answers
    auto const socket = both.client().connect("/asked");
    REQUIRE(socket);
    both.net.settle();
    both.client().disconnect(*socket);
    both.net.settle();
    CHECK(both.client().is_idle());
}

TEST_CASE("events for a socket do not reach the socket that comes after it", "[network]") {
    joined_stacks both;
    both.server().declare("/other"); // for which the connection stays
    REQUIRE(both.client().connect("/other"));
    auto const socket = both.client().connect();
    REQUIRE(socket);
    both.net.settle();
    REQUIRE(both.server().nsp(both.socket) == "/");
    REQUIRE(both.server().emit(both.socket, "old")); // on its way while the client leaves and joins
    both.client().disconnect(*socket);
    while (both.client().poll_event()) {
    }
    REQUIRE(both.client().connect());
    both.net.settle();
    CHECK(both.count(event_type::connected) == 3);
    CHECK(both.count(event_type::event) == 0);
}

TEST_CASE("a client of revision 4 joins the main namespace at any time", "[network]") {
    server_options server;
    server.engine.allow_v3 = true;
    auto client = over_websocket();
    client.revision = socketless::engineio::revision::v3;
    joined_stacks both(server, client);
    both.server().declare("/other");
    REQUIRE(both.client().connect("/other"));
    both.net.settle();
    both.heard.clear();
    for (int times = 0; times != 2; ++times) { // first the server joins "/" unasked, then the client has left it
        auto const socket = both.client().connect("/");
        REQUIRE(socket);
        both.net.settle();
        CHECK(both.client().is_connected(*socket));
        both.client().disconnect(*socket);
        both.net.settle();
    }
    CHECK(both.count(event_type::connected) == 2);
    auto const socket = both.client().connect("/");
    both.net.settle();
    both.server().disconnect(both.socket); // the server disconnects it
    both.net.settle();
    CHECK_FALSE(both.client().is_connected(*socket));
    REQUIRE(both.client().connect("/"));
    both.net.settle();
    CHECK(both.client().is_connected(*socket));
}

TEST_CASE("an event that is sent until it is acknowledged is taken, whatever becomes of its first try", "[network]") {
    auto client = over_websocket();
    client.retries = 1;
    client.ack_timeout = milliseconds(100);
    client.max_queued = 300;
    client.reconnection_delay = client.reconnection_delay_max = milliseconds(10);
    joined_stacks both({}, client);
    auto const socket = both.client().connect();
    REQUIRE(socket);
    both.net.settle();
    std::vector<std::uint64_t> ended;
    both.on_client = [&](event& e) {
        if (e.type == event_type::ack) ended.push_back(e.id);
    };
    CHECK(both.client().emit(*socket, "news", much) == socketless::error{errc::message_too_large});
    CHECK(both.client().emit_volatile(*socket, "news", half));
    CHECK(both.client().emit(*socket, "news", half)); // together too much for the queue
    CHECK(both.client().buffered() != 0);
    auto const id = both.client().emit_with_ack(*socket, std::nullopt, "question", half);
    REQUIRE(id);
    both.net.pass(milliseconds(1'000));
    CHECK(ended == std::vector<std::uint64_t>{*id});
    CHECK(both.client().buffered() == 0);
}

TEST_CASE("a namespace is kept as long as somebody may come back to it", "[network]") {
    server_options server;
    server.recovery.emplace();
    server.recovery->max_disconnection_duration = milliseconds(1'000);
    auto client = over_websocket();
    client.reconnection_delay = client.reconnection_delay_max = milliseconds(10);
    joined_stacks both(server, client);
    both.server().declare_matching([](std::string_view name, auto) { return name.starts_with("/dynamic"); });
    both.on_server = [&](event& e) {
        if (e.type == event_type::connected) CHECK(both.server().emit(e.socket, "offset"));
    };
    std::vector<bool> recovered;
    both.on_client = [&](event& e) {
        if (e.type == event_type::connected && e.nsp == "/dynamic") recovered.push_back(e.recovered);
    };
    REQUIRE(both.client().connect("/dynamic"));
    both.net.settle();
    auto const another = both.net.add(over_websocket());
    for (auto const away : {milliseconds(300), milliseconds(900)}) { // together longer than the server keeps it
        both.net.cut(0);
        both.net.pass(away);
        REQUIRE(both.net.client(another).connect("/dynamic " + std::to_string(away.count())));
        both.net.settle();
        both.net.mend(0);
        both.net.pass(milliseconds(20));
    }
    CHECK(recovered == std::vector{false, true, true});
}

TEST_CASE("an event lives on when the connection overflows while it is handled", "[network]") {
    SECTION("in a stream that the transport reads") {
        socketless::engineio::client_options options;
        options.transports = {socketless::engineio::transport::webtransport};
        options.max_queued = 100;
        socketless::engineio::client_session session(options);
        std::string buffer;
        REQUIRE(session.open({}));
        auto const opening = session.poll_transmit(buffer);
        REQUIRE(opening);
        auto const channel = opening->id;
        session.channel_opened(channel, {});
        std::string const handshake =
            R"(0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000})";
        std::string const opened = static_cast<char>(handshake.size()) + handshake;
        session.stream_received(channel, opened, {});
        while (session.poll_event()) {
        }
        session.stream_received(channel, "\0254in two", {});
        CHECK_FALSE(session.poll_event());
        session.stream_received(channel, " chunks, of 20", {});
        auto const e = session.poll_event();
        REQUIRE(e);
        CHECK(e->message.data == "in two chunks, of 20");
        CHECK_FALSE(session.send(socketless::frame{socketless::frame_kind::text, much}, {}));
        CHECK(e->message.data == "in two chunks, of 20");
    }
    SECTION("in a packet that the session puts together") {
        joined_session joined;
        auto& session = joined.session;
        session.message_received({socketless::frame_kind::text, R"(51-["photo",{"_placeholder":true,"num":0}])"}, {});
        CHECK_FALSE(session.poll_event());
        session.message_received({socketless::frame_kind::binary, "bytes"}, {});
        auto const e = session.poll_event();
        REQUIRE(e);
        CHECK(e->name() == "photo");
        CHECK_FALSE(session.emit(joined.socket, "news", much));
        CHECK(e->name() == "photo");
        CHECK(e->args().size() == 1);
    }
}

} // namespace network_stack_regression_test
