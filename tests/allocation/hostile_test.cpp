// Hostile input leaves no memory behind. Linked with allocation_test.cpp, which counts.

#include "drivers/hostile.hpp"
#include "tools/catch.hpp"
#include "tools/memory.hpp"

#include <socketless/json/writer.hpp>
#include <socketless/server.hpp>
#include <socketless/socketio/client_session.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/server_session.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace allocation_hostile_test {

using namespace socketless;
using namespace std::chrono_literals;
using support::hostile;
using support::hostile_input;
using support::hostile_server;
using support::memory_in_use;

namespace {

// Good and bad messages of a peer that then goes.
std::vector<hostile_input> all_inputs() {
    auto all = support::malformed_inputs();
    std::string const header = R"(52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])";
    all.push_back({"cut before its attachments", {{frame_kind::text, header}}});
    all.push_back(
        {"cut after one attachment", {{frame_kind::text, header}, {frame_kind::binary, std::string(1'000'000, 'x')}}});
    all.push_back(
        {"text in between", {{frame_kind::text, header}, {frame_kind::binary, "\1"}, {frame_kind::text, "2[\"a\"]"}}});
    all.push_back(hostile("whole", header, 2));
    all.push_back(hostile("unconnected", R"(51-/no,["a",{"_placeholder":true,"num":0}])", 1));
    all.push_back(hostile("large", R"(2["a",")" + std::string(1'000'000, 'x') + "\"]"));
    all.push_back(hostile("an unknown namespace", "0/" + std::string(100'000, 'x') + ","));
    all.push_back(hostile("leaves", "1"));
    return all;
}

// Bytes that `f` leaves in use; those that stay in use after its first run do not count.
template <class F>
std::ptrdiff_t leaked_by(F const& f) {
    f();
    std::size_t const before = memory_in_use();
    for (int i = 0; i != 3; ++i) f();
    return static_cast<std::ptrdiff_t>(memory_in_use() - before);
}

} // namespace

TEST_CASE("a session frees all that hostile input made it keep", "[allocation][hostile]") {
    for (hostile_input const& input : all_inputs()) {
        CAPTURE(input.name);
        for (auto const r : {socketio::revision::v5, socketio::revision::v4}) {
            CHECK(leaked_by([&] { static_cast<void>(at_server_session(input, r)); }) == 0);
            CHECK(leaked_by([&] { static_cast<void>(at_client_session(input, r)); }) == 0);
        }
        CHECK(leaked_by([&] { static_cast<void>(at_client(input)); }) == 0);
    }
}

TEST_CASE("a server is as large after a hostile client as before it", "[allocation][hostile]") {
    for (hostile_input const& input : all_inputs()) {
        CAPTURE(input.name);
        hostile_server server;
        auto const good = hostile("good", R"(2["a"])");
        static_cast<void>(server.over_websocket(good));
        static_cast<void>(server.over_polling(good));
        std::size_t const before = memory_in_use();
        static_cast<void>(server.over_websocket(input));
        static_cast<void>(server.over_polling(input));
        CHECK(memory_in_use() <= before + 4'096); // buffers that are used again
        CHECK(leaked_by([&] {
                  static_cast<void>(server.over_websocket(input));
                  static_cast<void>(server.over_polling(input));
                  static_cast<void>(server.over_websocket(input, "3"));
              }) == 0);
    }
}

namespace {

// The state of a connection, and how it ends in that state.
enum class connection_state : std::uint8_t { fresh, asked, connected, left, refused, owing, half_packet, queued };
enum class ending : std::uint8_t { lost, closed_here, malformed, destroyed };

void bring_into(socketio::server_session& session, connection_state wanted, std::string const& large) {
    socketio::socket_handle const socket{0, 1};
    auto const receive = [&](std::string_view text) {
        session.message_received({frame_kind::text, text}, support::start);
        while (session.poll_event()) {
        }
    };
    if (wanted == connection_state::fresh) return;
    receive("0/" + large);
    if (wanted == connection_state::asked) return;
    if (wanted == connection_state::refused) return session.refuse(socket, large).ignore();
    CHECK(session.accept(socket, "sid"));
    while (session.poll_transmit()) {
    }
    if (wanted == connection_state::left) session.disconnect(socket);
    if (wanted == connection_state::owing)
        for (std::uint64_t id = 1; id != 1'000; ++id) CHECK(session.expect_ack(socket, id, 1s));
    if (wanted == connection_state::half_packet) {
        receive("52-/" + large + R"(,["a",{"_placeholder":true,"num":0}])");
        session.message_received({frame_kind::binary, large}, support::start);
        while (session.poll_event()) {
        }
    }
    if (wanted == connection_state::queued) CHECK(session.emit(socket, "e", large));
}

} // namespace

TEST_CASE("a connection frees what it held in each state in which it can end", "[allocation][hostile]") {
    using enum connection_state;
    std::string const large(100'000, 'x');
    socketio::server_options const options;
    for (auto const state : {fresh, asked, connected, left, refused, owing, half_packet, queued}) {
        for (auto const end : {ending::lost, ending::closed_here, ending::malformed, ending::destroyed}) {
            CAPTURE(static_cast<int>(state), static_cast<int>(end));
            auto const live_and_die = [&] {
                socketio::message_queue queue;
                std::optional<socketio::server_session> session;
                session.emplace(options, queue, socketio::revision::v5, support::start);
                bring_into(*session, state, large);
                if (end == ending::lost)
                    session->connection_closed(socketio::disconnect_reason::transport_close, support::start);
                if (end == ending::closed_here) session->close(socketio::disconnect_reason::server_shutting_down);
                if (end == ending::malformed) session->message_received({frame_kind::text, "nonsense"}, support::start);
                if (end != ending::destroyed) {
                    std::size_t ends = 0;
                    while (auto const e = session->poll_event()) ends += e->type == socketio::event_type::closed;
                    while (session->poll_transmit()) {
                    }
                    CHECK(ends == 1);
                }
                session.reset();
            };
            CHECK(leaked_by(live_and_die) == 0);
        }
    }
}

TEST_CASE("a packet that is under way is freed when its connection ends, not with the session",
          "[allocation][hostile]") {
    socketio::server_options const options;
    socketio::message_queue queue;
    socketio::server_session session(options, queue, socketio::revision::v5, support::start);
    auto const receive = [&](frame f) {
        session.message_received(f, support::start);
        while (session.poll_event()) {
        }
    };
    receive({frame_kind::text, "0"});
    CHECK(session.accept({0, 1}, "sid"));
    while (session.poll_transmit()) {
    }
    std::string const large(1'000'000, 'x');
    std::size_t const before = memory_in_use();
    receive({frame_kind::text, R"(52-["a",{"_placeholder":true,"num":0}])"});
    receive({frame_kind::binary, large});
    CHECK(memory_in_use() >= before + large.size());
    session.connection_closed(socketio::disconnect_reason::transport_close, support::start);
    while (session.poll_event()) {
    }
    CHECK(memory_in_use() <= before);
}

TEST_CASE("the name of a namespace is forgotten when its client is refused or leaves", "[allocation][hostile]") {
    std::string const nsp = "/" + std::string(900'000, 'x');
    std::string const joins = "0" + nsp;
    std::string const leaves = "1" + nsp;
    socketio::server_options const options;
    socketio::message_queue queue;
    socketio::server_session session(options, queue, socketio::revision::v5, support::start);
    std::size_t before = 0;
    for (int how = 0; how != 4; ++how) {
        CAPTURE(how);
        session.message_received({frame_kind::text, joins}, support::start);
        auto const e = session.poll_event();
        REQUIRE(e.has_value());
        if (how < 2) {
            CHECK(session.refuse(e->socket, "no"));
            CHECK((e->nsp == nsp)); // valid until the application has handled it
        } else {
            CHECK(session.accept(e->socket, "sid"));
            if (how == 3) session.disconnect(e->socket);
            session.message_received({frame_kind::text, leaves}, support::start);
        }
        while (session.poll_event()) {
        }
        while (session.poll_transmit()) {
        }
        queue.clear();
        if (how == 0) before = memory_in_use();
        CHECK(memory_in_use() <= before);
    }
    CHECK(before < memory_in_use() + 10'000);
}

TEST_CASE("a large packet is forgotten when it has been handled, not with the next one", "[allocation][hostile]") {
    socketio::server_options const options;
    socketio::message_queue queue;
    socketio::server_session server(options, queue, socketio::revision::v5, support::start);
    socketio::client_session client;
    CHECK(client.connect());
    client.opened(support::start);
    std::string const large(1'000'000, 'x');
    std::string const header = R"(51-["a",{"_placeholder":true,"num":0}])";
    auto const drain = [&](auto& session) {
        while (session.poll_event()) {
        }
        while (session.poll_transmit()) {
        }
    };
    auto const receive = [&](auto& session, frame f) {
        session.message_received(f, support::start);
        drain(session);
    };
    receive(server, {frame_kind::text, "0"});
    CHECK(server.accept({0, 1}, "sid"));
    drain(server);
    drain(client);
    auto const packet = [&](auto& session) {
        receive(session, {frame_kind::text, "51-[\"" + large + R"(",{"_placeholder":true,"num":0}])"});
        receive(session, {frame_kind::binary, large});
    };
    std::size_t before = memory_in_use();
    packet(server);
    CHECK(memory_in_use() <= before + 10'000);
    before = memory_in_use();
    receive(client, {frame_kind::text, "2[\"" + std::string(500'000, 'x') + "\"]"}); // before the answer to CONNECT
    CHECK(memory_in_use() > before + 500'000);
    receive(client, {frame_kind::text, R"(0{"sid":"sid"})"});
    CHECK(memory_in_use() <= before + 10'000);
    packet(client);
    CHECK(memory_in_use() <= before + 10'000);
}

TEST_CASE("a whole server keeps nothing of a large namespace that it refused", "[allocation][hostile]") {
    hostile_server server;
    server.server.declare("/ask", admission::ask);
    auto const input = hostile("an unknown namespace", "0/" + std::string(900'000, 'x') + ",");
    std::uint64_t const channel = 1'000'000;
    auto const drain = [&] {
        std::string buffer;
        while (server.server.poll_event() || server.server.poll_transmit(buffer)) {
        }
    };
    server.server.websocket_opened(channel, "/socket.io/?transport=websocket&EIO=4", server.now);
    drain();
    std::size_t const before = memory_in_use();
    {
        std::string const message = "4" + input.messages.front().data;
        server.server.websocket_received(channel, {frame_kind::text, message}, server.now);
        drain();
    }
    CHECK(server.server.connection_count() == 1);
    server.now += 26s; // the server sends a ping, and frees buffers
    server.server.handle_timeout(server.now);
    drain();
    server.server.handle_timeout(server.now);
    CHECK(memory_in_use() <= before + 10'000);
}

TEST_CASE("a count of attachments reserves nothing", "[allocation][hostile]") {
    limits generous;
    generous.max_attachments = 1'000'000'000;
    socketio::server_options options;
    options.limits = generous;
    socketio::message_queue queue;
    socketio::server_session session(options, queue, socketio::revision::v5, support::start);
    auto const receive = [&](frame f) {
        session.message_received(f, support::start);
        while (session.poll_event()) {
        }
    };
    receive({frame_kind::text, "0"});
    CHECK(session.accept({0, 1}, "sid"));
    while (session.poll_transmit()) {
    }
    std::size_t const before = memory_in_use();
    receive({frame_kind::text, R"(5999999999-["a"])"});
    receive({frame_kind::binary, "\1"});
    CHECK_FALSE(session.is_closed());
    CHECK(memory_in_use() <= before + 10'000);
}

TEST_CASE("what a server has sent is gone from memory at its next timer", "[allocation][hostile]") {
    hostile_server server;
    static_cast<void>(server.over_websocket(hostile("good", R"(2["a"])")));
    std::size_t const before = memory_in_use();
    CHECK(server.server.in("/").emit("e", std::string(1'000'000, 'x')) == std::size_t{0});
    CHECK(memory_in_use() > before + 1'000'000);
    server.server.handle_timeout(server.now);
    CHECK(memory_in_use() <= before);
}

TEST_CASE("a server that recovers keeps as much of lost clients as it may, and lets it go in time",
          "[allocation][hostile]") {
    server_options options;
    options.recovery.emplace();
    options.recovery->max_sessions = 10;
    options.recovery->max_packets = 10;
    options.recovery->max_bytes = 10'000;
    hostile_server server(options);
    auto const good = hostile("good", R"(2["a"])");
    auto const flood = [&] {
        for (int i = 0; i != 100; ++i) static_cast<void>(server.over_websocket(good));
        for (int i = 0; i != 100; ++i)
            server.server.in("/").emit("e", std::string(static_cast<std::size_t>(i) * 20, 'x')).ignore();
    };
    flood();
    std::size_t const before = memory_in_use();
    flood();
    CHECK(memory_in_use() <= before + 4'096);
    server.now += 120s;
    server.server.handle_timeout(server.now);
    CHECK(memory_in_use() + 5'000 <= before);
}

} // namespace allocation_hostile_test
