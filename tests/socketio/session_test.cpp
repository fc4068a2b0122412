#include "drivers/stacks.hpp"
#include "tools/catch.hpp"

#include <socketless/client.hpp>
#include <socketless/engineio/stream.hpp>
#include <socketless/socketio/client_session.hpp>
#include <socketless/socketio/server_session.hpp>
#include <socketless/socketio/session.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace socketio_session_test {

using namespace socketless;
using namespace socketless::socketio;

namespace {

event event_of(event_type type) {
    event e;
    e.type = type;
    return e;
}

event with_packet(std::string_view wire, std::span<byte_view const> attachments = {}) {
    event e = event_of(event_type::event);
    e.packet = {decode(wire).value(), attachments};
    return e;
}

} // namespace

//=== the name of an event ===//

TEST_CASE("the name of an event is what its first element says", "[socketio]") {
    auto const e = with_packet(R"(2["a name",1])");
    CHECK(e.name() == "a name");
    CHECK(e.name() != "a");
    CHECK(e.name().str() == "a name");
    CHECK(e.name().json().raw() == R"("a name")");
}

TEST_CASE("a name that is a number is its digits", "[socketio]") {
    auto const e = with_packet("2[17,1]");
    CHECK(e.name() == "17");
    CHECK(e.name() != "1");
    CHECK(e.name() != "\"17\"");
    CHECK(e.name().str() == "17");
    CHECK(with_packet("2[-1.5e3]").name() == "-1.5e3");
    CHECK(with_packet(R"(2["17"])").name() == "17");
}

TEST_CASE("a name with escapes is compared and copied without them", "[socketio]") {
    auto const e = with_packet(R"(2["caf\u00e9 \"\\\/\n\ud83d\ude00"])");
    CHECK(e.name() == "caf\xc3\xa9 \"\\/\n\xf0\x9f\x98\x80");
    CHECK(e.name() != R"(caf\u00e9 \"\\\/\n\ud83d\ude00)");
    CHECK(e.name().str() == "caf\xc3\xa9 \"\\/\n\xf0\x9f\x98\x80");
}

TEST_CASE("a name with half of a surrogate pair equals nothing and is copied as it is written", "[socketio]") {
    auto const e = with_packet(R"(2["a\ud800"])");
    CHECK(e.name() != "a");
    CHECK(e.name() != R"(a\ud800)");
    CHECK(e.name().str() == R"("a\ud800")");
}

TEST_CASE("only events of a peer have a name and arguments", "[socketio]") {
    event const e = event_of(event_type::connected);
    CHECK(e.name().json().empty());
    CHECK(e.name().str().empty());
    CHECK(e.args().empty());
    CHECK(e.get<int>().error().code == errc::missing_argument);
}

//=== its arguments ===//

TEST_CASE("the arguments of an event are read as C++ values", "[socketio]") {
    std::array<std::byte, 2> const bytes{std::byte{1}, std::byte{2}};
    std::array<byte_view, 1> const attachments{byte_view(bytes)};
    auto const e = with_packet(R"(51-["a",1,"two",{"_placeholder":true,"num":0}])", attachments);
    CHECK(e.args().size() == 3);
    CHECK(e.get<int>() == 1);
    CHECK(e.get<int, std::string>() == std::tuple(1, std::string("two")));
    auto const all = e.get<int, std::string, std::vector<std::byte>, std::optional<bool>>();
    REQUIRE(all.has_value());
    CHECK(std::get<2>(*all) == std::vector<std::byte>(bytes.begin(), bytes.end()));
    CHECK(std::get<3>(*all) == std::nullopt);
}

TEST_CASE("the error of an argument says which one was wrong", "[socketio]") {
    auto const e = with_packet(R"(2["a",1,"two"])");
    CHECK(e.get<int, int>() == error{errc::wrong_kind, 1});
    CHECK(e.get<int, std::string, int>() == error{errc::missing_argument, 2});
}

TEST_CASE("a typed event reads the arguments that it declares", "[socketio]") {
    auto const e = with_packet(R"(2["a",1,"two"])");
    CHECK(e.get(typed_event<>{"a"}).has_value());
    CHECK(e.get(typed_event<double>{"a"}) == 1.0);
    CHECK(e.get(typed_event<int, std::string>{"a"}) == std::tuple(1, std::string("two")));
    CHECK(e.get(typed_event<bool>{"a"}) == error{errc::wrong_kind, 0});
}

TEST_CASE("the event of an acknowledgement has all of its array for arguments", "[socketio]") {
    event e = event_of(event_type::ack);
    e.id = 7;
    e.packet.packet = decode("37[1,2]").value();
    CHECK(e.args().size() == 2);
    CHECK(e.get<int, int>() == std::tuple(1, 2));
}

//=== acknowledgements ===//

TEST_CASE("a request for an acknowledgement can only be moved, and leaves nothing behind", "[socketio]") {
    static_assert(!std::is_copy_constructible_v<ack_request> && !std::is_copy_assignable_v<ack_request>);
    static_assert(std::is_nothrow_move_constructible_v<ack_request> && std::is_nothrow_move_assignable_v<ack_request>);
    static_assert(!std::is_convertible_v<ack_request, bool>); // explicit: not to be taken for a number

    ack_request first({3, 4}, 17, 2);
    CHECK(static_cast<bool>(first));
    ack_request second = std::move(first);
    CHECK_FALSE(static_cast<bool>(first)); // NOLINT: tests the state after the move
    CHECK(static_cast<bool>(second));
    CHECK(second.socket() == socket_handle{3, 4});
    CHECK(second.id() == 17);
    CHECK(second.connection() == 2);

    ack_request third;
    CHECK_FALSE(static_cast<bool>(third));
    third = std::move(second);
    CHECK_FALSE(static_cast<bool>(second)); // NOLINT
    CHECK(third.id() == 17);
    third.clear();
    CHECK_FALSE(static_cast<bool>(third));
}

TEST_CASE("an event that is moved takes its request for an acknowledgement along", "[socketio]") {
    event e = event_of(event_type::event);
    e.ack = ack_request({1, 1}, 5);
    event const other = std::move(e);
    CHECK(static_cast<bool>(other.ack));
    CHECK_FALSE(static_cast<bool>(e.ack)); // NOLINT
}

//=== reasons ===//

TEST_CASE("the reasons of a disconnect have the reference's words", "[socketio]") {
    using enum disconnect_reason;
    constexpr std::pair<disconnect_reason, std::string_view> words[] = {
        {transport_error, "transport error"},
        {transport_close, "transport close"},
        {forced_close, "forced close"},
        {ping_timeout, "ping timeout"},
        {parse_error, "parse error"},
        {queue_overflow, "queue overflow"}, // ours: the reference has no limit
        {open_timeout, "open timeout"},     // ours: there it is the error "timeout"
        {client_namespace_disconnect, "client namespace disconnect"},
        {server_namespace_disconnect, "server namespace disconnect"},
        {server_shutting_down, "server shutting down"},
        {forced_server_close, "forced server close"},
        {io_server_disconnect, "io server disconnect"},
        {io_client_disconnect, "io client disconnect"},
    };
    for (auto const& [reason, word] : words) CHECK(name(reason) == word);
}

TEST_CASE(
    "a lost connection can be recovered from, the wish of one side to leave, a parse error and a full queue cannot",
    "[socketio]") {
    using enum disconnect_reason;
    for (auto const reason : {transport_error, transport_close, forced_close, ping_timeout, open_timeout,
                              server_shutting_down, forced_server_close}) {
        INFO(name(reason));
        CHECK(is_recoverable(reason));
    }
    for (auto const reason : {parse_error, queue_overflow, client_namespace_disconnect, server_namespace_disconnect,
                              io_server_disconnect, io_client_disconnect}) {
        INFO(name(reason));
        CHECK_FALSE(is_recoverable(reason));
    }
}

//=== how long an event lives ===//

namespace {

// Two files. The session keeps all but the last message itself, so that these inputs may go.
constexpr std::string_view two_files[] = {R"(52-["files",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])",
                                          "first", "second"};

// Receives two_files and returns the event.
template <class Session>
event receive_two_files(Session& session) {
    for (std::size_t i = 0; i != 3; ++i) {
        session.message_received({i == 0 ? frame_kind::text : frame_kind::binary, two_files[i]}, time_point{});
        if (auto e = session.poll_event()) return std::move(*e);
    }
    FAIL_CHECK("there is no event");
    return {};
}

bool reads_two_files(event const& e) {
    auto const files = e.get<byte_view, byte_view>();
    return e.name() == "files" && files && as_characters(std::get<0>(*files)) == "first" &&
           as_characters(std::get<1>(*files)) == "second";
}

} // namespace

TEST_CASE("an event can be read though what was emitted or closed has ended its connection, on a server",
          "[socketio]") {
    socketio::server_options const options{.max_queued = 1'000};
    for (bool const overflows : {true, false}) {
        message_queue queue;
        server_session session(options, queue, revision::v5, time_point{});
        session.message_received({frame_kind::text, "0"}, time_point{});
        auto const asked = session.poll_event();
        REQUIRE(asked.has_value());
        CHECK(session.accept(asked->socket, "sid").has_value());
        auto const e = receive_two_files(session);
        if (overflows) {
            CHECK(session.emit(e.socket, "reply", std::string(900, 'x')).has_value());
            CHECK(session.emit(e.socket, "reply", std::string(900, 'x')) == error{errc::queue_overflow});
        } else {
            session.close(disconnect_reason::server_namespace_disconnect);
        }
        CHECK(session.is_closed());
        CHECK(reads_two_files(e));
    }
}

TEST_CASE("an event can be read though what was emitted has ended its connection, on a client", "[socketio]") {
    client_session session({.max_queued = 1'000});
    CHECK(session.connect().has_value());
    session.opened(time_point{});
    session.message_received({frame_kind::text, R"(0{"sid":"s"})"}, time_point{});
    CHECK(session.poll_event().has_value());
    auto const e = receive_two_files(session);
    CHECK(session.emit(e.socket, "reply", std::string(900, 'x')).has_value());
    CHECK(session.emit(e.socket, "reply", std::string(900, 'x')) == error{errc::queue_overflow});
    CHECK(reads_two_files(e));
}

TEST_CASE("an event that came by a stream can be read though what was emitted has ended its connection", "[socketio]") {
    auto const on_stream = [](std::string_view packet) {
        return std::string(engineio::stream_header(frame_kind::text, packet.size()).view()) + std::string(packet);
    };
    time_point const now{};
    client c(
        {.transports = {engineio::transport::webtransport}, .max_queued = 1'000}, [](std::span<std::byte>) {}, now);
    REQUIRE(c.connect().has_value());
    std::string buffer;
    auto const t = c.poll_transmit(buffer);
    REQUIRE(t.has_value());
    c.channel_opened(t->id, now);

    std::string const opening =
        on_stream(R"(0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})") +
        on_stream(R"(40{"sid":"s"})");
    std::string const event_frame = on_stream(R"(42["greeting","hello"])");
    c.stream_received(t->id, opening, now);
    while (c.poll_event()) {
    }
    // In two chunks: the stream puts the frame together in its own memory.
    for (auto const& chunk : {event_frame.substr(0, 9), event_frame.substr(9)}) {
        c.stream_received(t->id, chunk, now);
        auto const e = c.poll_event();
        if (!e) continue;
        CHECK(c.emit(e->socket, "reply", std::string(900, 'x')).has_value());
        CHECK(c.emit(e->socket, "reply", std::string(900, 'x')) == error{errc::queue_overflow});
        CHECK(e->name() == "greeting");
        CHECK(e->get<std::string>() == "hello");
        return;
    }
    FAIL_CHECK("there is no event");
}

TEST_CASE("an event can be read though other namespaces have been declared", "[socketio]") {
    support::stacks stacks;
    std::size_t connected = 0;
    stacks.on_server_event = [&](event& e) {
        if (e.type != event_type::connected) return;
        ++connected;
        for (int i = 0; i != 100; ++i) stacks.server.declare("/" + std::to_string(i));
        CHECK(e.nsp == "/");
    };
    CHECK(stacks.client(stacks.add()).connect().has_value());
    stacks.settle();
    CHECK(connected == 1);
}

} // namespace socketio_session_test
