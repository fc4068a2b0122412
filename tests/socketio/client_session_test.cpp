// The client's side of Socket.IO by itself: messages in and out are compared byte for byte, events line by line (see
// support/socket_lines.hpp).

#include "support/catch.hpp"
#include "support/mutations.hpp"
#include "support/socket_lines.hpp"

#include <socketless/socketio/client_session.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace socketio_client_session_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace std::chrono_literals;
using support::lines;

namespace {

constexpr std::byte bytes[] = {std::byte{1}, std::byte{2}};

// A session and its clock. What must hold always is checked here: each acknowledgement asked for has one outcome, each
// connection one end, and nothing is sent where there is none.
class driver {
public:
    explicit driver(socketio::client_options options = {}) : session(std::move(options), support::start) {}

    client_session session;
    time_point now = support::start;
    // What the application does in an event.
    std::function<void(event&)> on_event = [](event&) {};
    // The acknowledgements that the server has asked for.
    std::vector<ack_request> requests;

    lines drain() {
        lines all;
        for (;;) {
            if (auto e = session.poll_event()) {
                take(*e, all);
            } else if (auto const t = session.poll_transmit()) {
                all.push_back(support::show(*t));
                CHECK((is_open_ || t->type == transmit_type::close));
            } else {
                return all;
            }
            REQUIRE(all.size() < 10'000);
        }
    }
    template <class Input>
    lines after(Input input) {
        input();
        return drain();
    }

    lines open() {
        is_open_ = true;
        return after([&] { session.opened(now); });
    }
    lines lose(disconnect_reason reason = disconnect_reason::transport_close) {
        auto all = after([&] { session.closed(reason, now); });
        CHECK_FALSE(is_open_);
        return all;
    }
    lines at(milliseconds since_start) {
        now = support::start + since_start;
        return after([&] { session.handle_timeout(now); });
    }
    // When it wants to be woken.
    [[nodiscard]] std::optional<milliseconds> due() const {
        auto const at = session.poll_timeout();
        if (!at) return std::nullopt;
        return std::chrono::duration_cast<milliseconds>(*at - support::start);
    }

    lines receive(frame message) {
        support::exact_copy const copy(message.data);
        session.message_received({message.kind, copy.view()}, now);
        return drain();
    }
    lines receive(std::string_view message) { return receive(support::text(message)); }

    socket_handle connect(std::string_view nsp = "/") {
        auto const socket = session.connect(nsp);
        REQUIRE(socket.has_value());
        return *socket;
    }
    template <class Auth>
    socket_handle connect(std::string_view nsp, Auth const& auth) {
        auto const socket = session.connect(nsp, auth);
        REQUIRE(socket.has_value());
        return *socket;
    }
    lines disconnect(socket_handle socket) {
        return after([&] { session.disconnect(socket); });
    }
    template <class... Args>
    lines emit(socket_handle socket, std::string_view name, Args const&... args) {
        return after([&] { CHECK(session.emit(socket, name, args...).has_value()); });
    }
    template <class... Args>
    std::uint64_t ask(socket_handle socket, std::optional<milliseconds> timeout, std::string_view name,
                      Args const&... args) {
        auto const id = session.emit_with_ack(socket, timeout, name, args...);
        REQUIRE(id.has_value());
        CHECK(awaited_.insert(*id).second);
        return *id;
    }
    [[nodiscard]] std::size_t awaited() const { return awaited_.size(); }

private:
    void take(event& e, lines& all) {
        all.push_back(support::show(e));
        if (e.type == event_type::ack) CHECK(awaited_.erase(e.id) == 1);
        if (e.type == event_type::closed) CHECK(std::exchange(is_open_, false));
        on_event(e);
        if (e.ack) requests.push_back(std::move(e.ack));
    }

    bool is_open_ = false;
    std::set<std::uint64_t> awaited_;
};

constexpr socketio::revision both[] = {socketio::revision::v5, socketio::revision::v4};

socketio::client_options speaking(socketio::revision r) {
    socketio::client_options options;
    options.revision = r;
    return options;
}

socketio::client_options with_retries(std::uint32_t retries, std::optional<milliseconds> timeout = 100ms) {
    socketio::client_options options;
    options.retries = retries;
    options.ack_timeout = timeout;
    return options;
}

// The answer to CONNECT.
std::string answer(socketio::revision r, std::string_view nsp = "/") {
    auto const prefix = nsp == "/" ? std::string("0") : "0" + std::string(nsp) + ",";
    return r == socketio::revision::v5 ? prefix + R"({"sid":"abc"})" : prefix;
}

// Connected to "/".
struct connected_driver : driver {
    explicit connected_driver(socketio::client_options options = {}) : driver(std::move(options)) {
        socket = connect("/");
        open();
        receive(answer(session.options().revision));
        REQUIRE(session.is_connected(socket));
    }

    socket_handle socket;
};

} // namespace

//=== joining ===//

TEST_CASE("a socket asks to be connected when a connection opens, and is when the server says so", "[client_socket]") {
    driver c;
    auto const root = c.connect();
    auto const admin = c.connect("/admin");
    CHECK(c.drain().empty());
    CHECK(c.open() == lines{"send 0", "send 0/admin,"});
    CHECK_FALSE(c.session.is_connected(root));
    CHECK(c.receive(R"(0{"sid":"abc"})") == lines{"connected / abc"});
    CHECK(c.session.is_connected(root));
    CHECK_FALSE(c.session.is_connected(admin));
    CHECK(c.receive(R"(0/admin,{"sid":"def"})") == lines{"connected /admin def"});
    CHECK(c.session.sid(root) == "abc");
    CHECK(c.session.sid(admin) == "def");
    CHECK(c.session.nsp(admin) == "/admin");
    CHECK(c.session.size() == 2);
}

TEST_CASE("on a connection that is open a socket asks at once", "[client_socket]") {
    driver c;
    CHECK(c.open().empty());
    c.connect("/later");
    CHECK(c.drain() == lines{"send 0/later,"});
}

TEST_CASE("revision 4: the root is joined unasked, other namespaces with the query behind their name",
          "[client_socket]") {
    driver c(speaking(socketio::revision::v4));
    auto const root = c.connect("/");
    auto const admin = c.connect("/admin?token=1&x=é");
    auto const plain = c.connect("/plain");
    CHECK(c.open() == lines{"send 0/admin?token=1&x=é,", "send 0/plain,"});
    CHECK(c.receive("0") == lines{"connected /"});
    CHECK(c.receive("0/admin?token=1,") == lines{"connected /admin"});
    CHECK(c.receive("0/plain") == lines{"connected /plain"});
    CHECK(c.session.is_connected(root));
    CHECK(c.session.nsp(admin) == "/admin");
    CHECK(c.emit(admin, "x") == lines{R"(send 2/admin,["x"])"});
    CHECK(c.session.connect("/admin?token=2") == error{errc::already_connected});
    CHECK(c.disconnect(plain) == lines{"disconnected /plain: io client disconnect", "send 1/plain,"});
}

TEST_CASE("revision 4: a client that was refused at the root asks for it when it tries again", "[client_socket]") {
    driver c(speaking(socketio::revision::v4));
    auto const socket = c.connect("/");
    CHECK(c.open().empty());
    CHECK(c.receive(R"(4"no")") == lines{R"(connect_error / "no")"});
    c.connect("/");
    CHECK(c.drain() == lines{"send 0"});
    CHECK(c.receive("0") == lines{"connected /"});
    CHECK(c.receive(R"(4"an error of the application's")").empty());
    c.disconnect(socket);
    c.connect("/");
    CHECK(c.drain().back() == "send 0");
}

TEST_CASE("revision 4: a root that is refused while nobody waits for it is asked for later", "[client_socket]") {
    for (bool const was_wanted : {true, false}) {
        driver c(speaking(socketio::revision::v4));
        auto const socket = c.connect(was_wanted ? "/" : "/admin");
        c.open();
        if (was_wanted) c.disconnect(socket);
        c.receive(R"(4"no")");
        c.connect("/");
        CHECK(c.drain() == lines{"send 0"});
        CHECK(c.receive("0") == lines{"connected /"});
    }
}

TEST_CASE("revision 4: the namespace of an event lives as long as it, whatever query its handler connects with",
          "[client_socket]") {
    client_session session(speaking(socketio::revision::v4));
    std::string const nsp = "/a-namespace-with-a-name-that-is-no-short-one";
    auto const handle = session.connect(nsp + "?x=1");
    REQUIRE(handle.has_value());
    session.opened(support::start);
    std::string const answered = "0" + nsp;
    session.message_received({frame_kind::text, answered}, support::start);
    auto const e = session.poll_event();
    REQUIRE(e.has_value());
    for (std::string const& query : {std::string(), "?y=" + std::string(1'000, 'y'), std::string("?")}) {
        session.disconnect(*handle);
        CHECK(session.connect(std::string(e->nsp) + query) == *handle);
        CHECK(e->nsp == nsp);
        CHECK(session.nsp(*handle) == nsp);
    }
    CHECK(session.connect(e->nsp) == error{errc::already_connected});
}

TEST_CASE("a server that speaks another revision says so by its answer, and the client tells", "[client_socket]") {
    for (auto const& [r, nsp, answer] :
         {std::tuple(socketio::revision::v5, "/", "0"), std::tuple(socketio::revision::v5, "/a", "0/a"),
          std::tuple(socketio::revision::v5, "/a", "0/a,{}"),
          std::tuple(socketio::revision::v4, "/a", R"(0/a,{"sid":"x"})"),
          std::tuple(socketio::revision::v4, "/", R"(0{"sid":"x"})"),
          std::tuple(socketio::revision::v4, "/a?x=1", R"(0/a?x=1,{"sid":"x"})")}) {
        CAPTURE(nsp, answer);
        client_session session(speaking(r));
        auto const handle = session.connect(nsp);
        REQUIRE(handle.has_value());
        session.opened(support::start);
        session.message_received({frame_kind::text, answer}, support::start);
        auto const e = session.poll_event();
        REQUIRE(e.has_value());
        CHECK(e->type == event_type::connect_error);
        CHECK(e->socket == *handle);
        CHECK(e->reason == disconnect_reason::unsupported_revision);
        CHECK(e->message.get<std::string>().value_or("").find(
                  r == socketio::revision::v5 ? "speaks revision 4" : "speaks revision 5") != std::string::npos);
        CHECK_FALSE(session.poll_event().has_value());
        CHECK_FALSE(session.is_active());
    }
    client_session refused;
    REQUIRE(refused.connect().has_value());
    refused.opened(support::start);
    refused.message_received({frame_kind::text, R"(4{"message":"no"})"}, support::start);
    auto const e = refused.poll_event();
    REQUIRE(e.has_value());
    CHECK(e->reason != disconnect_reason::unsupported_revision);
}

TEST_CASE("revision 5: a query is part of the namespace's name", "[client_socket]") {
    driver c;
    c.connect("/admin");
    c.connect("/admin?token=1");
    CHECK(c.open() == lines{"send 0/admin,", "send 0/admin?token=1,"});
    CHECK(c.receive(R"(0/admin?token=1,{"sid":"abc"})") == lines{"connected /admin?token=1 abc"});
}

TEST_CASE("auth goes with each CONNECT: revision 4 has none", "[client_socket]") {
    driver c;
    c.connect("/", json::object("token", "123", "n", 1));
    CHECK(c.open() == lines{R"(send 0{"token":"123","n":1})"});
    c.receive(answer(socketio::revision::v5));
    c.lose();
    CHECK(c.open() == lines{R"(send 0{"token":"123","n":1})"});

    driver old(speaking(socketio::revision::v4));
    old.connect("/admin", json::object("token", "123"));
    CHECK(old.open() == lines{"send 0/admin,"});
}

TEST_CASE("a socket that is connected again without auth uses that of the last time", "[client_socket]") {
    connected_driver c;
    c.disconnect(c.socket);
    c.connect("/", json::object("token", 1));
    CHECK(c.drain() == lines{R"(send 0{"token":1})"});
    c.receive(answer(socketio::revision::v5));
    c.disconnect(c.socket);
    c.connect("/");
    CHECK(c.drain() == lines{R"(send 0{"token":1})"});
}

TEST_CASE("auth is no deeper than a server with the same limits reads", "[client_socket]") {
    socketio::client_options options;
    options.limits.max_depth = 2;
    driver c(options);
    CHECK(c.session.connect("/", json::object("x", json::text::trusted("[[]]"))) == error{errc::depth_exceeded});
    CHECK(c.session.connect("/", json::object("x", std::vector<std::vector<int>>(1))) == error{errc::depth_exceeded});
    CHECK(c.session.connect("/", json::object("x", json::text::trusted("[]"))).has_value());
    CHECK(c.open() == lines{R"(send 0{"x":[]})"});
}

TEST_CASE("auth is an object", "[client_socket]") {
    driver c;
    CHECK(c.session.connect("/", 1) == error{errc::invalid_payload});
    CHECK(c.session.connect("/", "text") == error{errc::invalid_payload});
    CHECK(c.session.connect("/", std::vector<int>{1}) == error{errc::invalid_payload});
    CHECK(c.session.connect("/", json::object("x", "\xff")) == error{errc::invalid_utf8});
    CHECK(c.session.connect("/", json::object("x", bytes)) == error{errc::unexpected_binary});
    CHECK_FALSE(c.session.is_active());
    CHECK(c.open().empty());
}

TEST_CASE("auth of nothing, or of null as in JavaScript, is no auth", "[client_socket]") {
    driver c;
    CHECK(c.session.connect("/", json::text()).has_value());
    CHECK(c.session.connect("/a", nullptr).has_value());
    CHECK(c.session.connect("/b", std::optional<std::vector<int>>()).has_value());
    auto const asked = c.connect("/c", ask_for_auth);
    CHECK(c.open() == lines{"connecting /c", "send 0", "send 0/a,", "send 0/b,"});
    CHECK(c.session.authenticate(asked, json::text()).has_value());
    CHECK(c.drain() == lines{"send 0/c,"});
}

TEST_CASE("auth that was given is taken back by auth of nothing", "[client_socket]") {
    connected_driver c;
    c.disconnect(c.socket);
    c.connect("/", json::object("token", 1));
    CHECK(c.drain() == lines{R"(send 0{"token":1})"});
    c.receive(answer(socketio::revision::v5));
    c.disconnect(c.socket);
    c.connect("/", json::text());
    CHECK(c.drain() == lines{"send 0"});
}

TEST_CASE("a null pointer is no name and no argument of an event", "[client_socket]") {
    connected_driver c;
    char const* const null = nullptr;
    char const full[2] = {'a', 'b'};
    CHECK(c.session.emit(c.socket, null) == error{errc::null_string});
    CHECK(c.session.emit(c.socket, "a", null) == error{errc::null_string});
    CHECK(c.session.emit_with_ack(c.socket, std::nullopt, null, 1) == error{errc::null_string});
    CHECK(c.session.emit(c.socket, full, full).has_value());
    CHECK(c.drain() == lines{R"(send 2["ab","ab"])"});
}

TEST_CASE("auth is asked for afresh each time a namespace is joined", "[client_socket]") {
    driver c;
    int asked = 0;
    c.on_event = [&](event& e) {
        if (e.type != event_type::connecting) return;
        CHECK(c.session.authenticate(e.socket, json::object("asked", ++asked)).has_value());
    };
    auto const socket = c.connect("/", ask_for_auth);
    CHECK(c.open() == lines{"connecting /", R"(send 0{"asked":1})"});
    c.receive(answer(socketio::revision::v5));
    c.lose();
    CHECK(c.open() == lines{"connecting /", R"(send 0{"asked":2})"});
    CHECK(c.receive(R"(4{"message":"expired"})") == lines{R"(connect_error / "expired")"});
    c.connect("/");
    CHECK(c.drain() == lines{"connecting /", R"(send 0{"asked":3})"});
    c.receive(answer(socketio::revision::v5));
    c.disconnect(socket);
    c.connect("/", json::object("asked", "no more"));
    CHECK(c.drain() == lines{R"(send 0{"asked":"no more"})"});
}

TEST_CASE("auth may be given later, and only where it is asked for", "[client_socket]") {
    driver c;
    auto const socket = c.connect("/", ask_for_auth);
    CHECK(c.session.authenticate(socket, json::object()) == error{errc::already_connected});
    CHECK(c.open() == lines{"connecting /"});
    CHECK(c.session.authenticate(socket, 5) == error{errc::invalid_payload});
    CHECK(c.drain().empty());
    CHECK(c.session.authenticate(socket, json::object("x", 1)).has_value());
    CHECK(c.session.authenticate(socket, json::object("x", 2)) == error{errc::already_connected});
    CHECK(c.session.authenticate({7, 1}, json::object("x", 2)) == error{errc::already_connected});
    CHECK(c.drain() == lines{R"(send 0{"x":1})"});
}

TEST_CASE("a question for auth that nobody has answered ends with the connection, and is asked again",
          "[client_socket]") {
    driver c;
    auto const socket = c.connect("/", ask_for_auth);
    CHECK(c.open() == lines{"connecting /"});
    CHECK(c.lose() == lines{"closed: transport close"});
    CHECK(c.session.authenticate(socket, json::object()) == error{errc::already_connected});
    CHECK(c.open() == lines{"connecting /"});
    c.disconnect(socket);
    CHECK(c.session.authenticate(socket, json::object()) == error{errc::already_connected});
    CHECK(c.drain().empty());
}

TEST_CASE("auth is asked for once where a socket was left and joined before the question was told", "[client_socket]") {
    driver c;
    c.open();
    auto const socket = c.connect("/", ask_for_auth);
    c.session.disconnect(socket);
    c.connect("/");
    CHECK(c.drain() == lines{"connecting /"});
    c.session.disconnect(socket);
    CHECK(c.drain().empty());
}

TEST_CASE("only namespaces can be joined, and each once", "[client_socket]") {
    for (auto const r : both) {
        driver c(speaking(r));
        CHECK(c.session.connect("") == error{errc::invalid_namespace});
        CHECK(c.session.connect("admin") == error{errc::invalid_namespace});
        CHECK(c.session.connect("/a,b") == error{errc::invalid_namespace, 2});
        CHECK(c.session.connect("/a\x1e") == error{errc::invalid_namespace, 2}); // long-polling cannot carry it
        CHECK(c.session.connect("/\xff") == error{errc::invalid_utf8, 1});
        c.connect("/x");
        CHECK(c.session.connect("/x") == error{errc::already_connected});
        c.open();
        CHECK(c.session.connect("/x") == error{errc::already_connected});
        c.receive(answer(r, "/x"));
        CHECK(c.session.connect("/x") == error{errc::already_connected});
        CHECK(c.session.connect("/x", json::object("a", 1)) == error{errc::already_connected});
        CHECK(c.drain().empty());
        CHECK(c.session.size() == 1);
    }
}

TEST_CASE("a handle that names no socket does no harm", "[client_socket]") {
    driver c;
    c.connect("/");
    for (socket_handle const nobody : {socket_handle{}, socket_handle{0, 2}, socket_handle{1, 1}}) {
        CHECK(c.session.emit(nobody, "x") == error{errc::not_connected});
        CHECK(c.session.emit_volatile(nobody, "x") == error{errc::not_connected});
        CHECK(c.session.emit_with_ack(nobody, 1s, "x") == error{errc::not_connected});
        c.session.disconnect(nobody);
        CHECK_FALSE(c.session.is_connected(nobody));
        CHECK(c.session.sid(nobody).empty());
        CHECK(c.session.nsp(nobody).empty());
    }
    CHECK(c.session.is_active());
    CHECK(c.due() == std::nullopt);
}

//=== events ===//

TEST_CASE("events go both ways, with attachments behind their header", "[client_socket]") {
    for (auto const r : both) {
        connected_driver c(speaking(r));
        CHECK(c.emit(c.socket, "hello", 1, "é", nullptr) == lines{R"(send 2["hello",1,"é",null])"});
        CHECK(c.emit(c.socket, "file", bytes, json::object("again", bytes)) ==
              lines{R"(send 52-["file",{"_placeholder":true,"num":0},{"again":{"_placeholder":true,"num":1}}])",
                    "send <0102>", "send <0102>"});
        CHECK(c.receive(R"(2["news",{"a":[]},"x"])") == lines{R"(event / ["news",{"a":[]},"x"])"});
        CHECK(c.receive(R"(51-["file",{"_placeholder":true,"num":0}])").empty());
        CHECK(c.receive(support::binary("\x05")) == lines{R"(event / ["file",{"_placeholder":true,"num":0}] <05>)"});
        CHECK(c.receive("2[7,8]") == lines{"event / [7,8]"});
    }
}

TEST_CASE("an event has its name, its arguments and its attachments", "[client_socket]") {
    connected_driver c;
    bool seen = false;
    c.on_event = [&](event& e) {
        seen = true;
        CHECK(e.type == event_type::event);
        CHECK(e.socket == c.socket);
        CHECK(e.name() == "file");
        CHECK_FALSE(e.ack);
        auto const args = e.get<std::string, byte_view>();
        REQUIRE(args.has_value());
        CHECK(std::get<0>(*args) == "x.png");
        CHECK(as_characters(std::get<1>(*args)) == "\x01\x02");
    };
    c.receive(R"(51-["file","x.png",{"_placeholder":true,"num":0}])");
    c.receive(support::binary("\x01\x02"));
    CHECK(seen);
}

TEST_CASE("an emit is refused for a reserved name and for what is no UTF-8, and nothing is sent", "[client_socket]") {
    connected_driver c;
    auto const check = [&] {
        for (std::string_view const reserved :
             {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}) {
            CHECK(c.session.emit(c.socket, reserved) == error{errc::reserved_event_name});
            CHECK(c.session.emit_with_ack(c.socket, 1s, reserved) == error{errc::reserved_event_name});
        }
        CHECK(c.session.emit(c.socket, "\xff") == error{errc::invalid_utf8});
        CHECK(c.session.emit(c.socket, "x", "\xff") == error{errc::invalid_utf8});
        CHECK(c.session.emit_with_ack(c.socket, 1s, "x", "\xff") == error{errc::invalid_utf8});
        CHECK(c.due() == std::nullopt);
        CHECK(c.session.buffered() == 0);
    };
    check();
    CHECK(c.drain().empty());
    c.lose();
    check();
    CHECK(c.open() == lines{"send 0"});
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc"});
}

TEST_CASE("an event that declares the types of its arguments is emitted and read by them", "[client_socket]") {
    constexpr typed_event<int, std::string> moved{"moved"};
    connected_driver c;
    CHECK(c.session.emit(c.socket, moved, 3, "north").has_value());
    CHECK(c.drain() == lines{R"(send 2["moved",3,"north"])"});
    c.on_event = [&](event& e) {
        auto const args = e.get(moved);
        REQUIRE(args.has_value());
        CHECK(std::get<0>(*args) == 4);
        CHECK(std::get<1>(*args) == "south");
    };
    CHECK(c.receive(R"(2["moved",4,"south"])").size() == 1);
}

TEST_CASE("events that come before the answer to CONNECT are told after it, in order", "[client_socket]") {
    for (auto const r : both) {
        driver c(speaking(r));
        auto const socket = c.connect();
        c.open();
        CHECK(c.receive(R"(2["one",1])").empty());
        CHECK(c.receive(R"(51-["two",{"_placeholder":true,"num":0}])").empty());
        CHECK(c.receive(support::binary("\x05")).empty());
        CHECK(c.receive(R"(27["three"])").empty());
        lines const told = c.receive(answer(r));
        CHECK(lines(told.begin() + 1, told.end()) == lines{R"(event / ["one",1])",
                                                           R"(event / ["two",{"_placeholder":true,"num":0}] <05>)",
                                                           R"(event / ["three"] ack 7)"});
        CHECK(told.front().starts_with("connected /"));
        CHECK(c.receive(R"(2["four"])") == lines{R"(event / ["four"])"});
        REQUIRE(c.requests.size() == 1);
        CHECK(c.session.acknowledge(c.requests[0], "yes").has_value());
        CHECK(c.drain() == lines{R"(send 37["yes"])"});
        CHECK(c.session.is_connected(socket));
    }
}

TEST_CASE("early events of two namespaces are told each after its own answer", "[client_socket]") {
    driver c;
    c.connect("/a");
    c.connect("/b");
    c.open();
    CHECK(c.receive(R"(2/b,["b1"])").empty());
    CHECK(c.receive(R"(2/a,["a1"])").empty());
    CHECK(c.receive(R"(0/a,{"sid":"x"})") == lines{"connected /a x", R"(event /a ["a1"])"});
    CHECK(c.receive(R"(2/b,["b2"])").empty());
    CHECK(c.receive(R"(0/b,{"sid":"y"})") == lines{"connected /b y", R"(event /b ["b1"])", R"(event /b ["b2"])"});
}

TEST_CASE("more early events than the limit end the connection", "[client_socket]") {
    socketio::client_options options;
    options.max_early = 4'000;
    driver c(options);
    c.connect("/");
    c.connect("/b");
    c.open();
    std::string const kilobyte(1'000, 'x');
    CHECK(c.receive("2[\"a\",\"" + kilobyte + "\"]").empty());
    CHECK(c.receive("2/b,[\"a\",\"" + kilobyte + "\"]").empty());
    CHECK(c.receive("2[\"a\",\"" + kilobyte + "\"]").empty());
    CHECK(c.receive("2/b,[\"a\",\"" + kilobyte + "\"]") == lines{"closed: queue overflow", "close"});
    // They are forgotten then, and count no more.
    for (int i = 0; i != 3; ++i) {
        CHECK(c.open() == lines{"send 0", "send 0/b,"});
        CHECK(c.receive("2[\"a\",\"" + kilobyte + "\"]").empty());
        CHECK(c.receive("2/b,[\"a\",\"" + kilobyte + "\"]").empty());
        if (i == 1) c.receive(R"(0{"sid":"abc"})"); // told
        if (i == 2) c.receive(R"(4{"message":"no"})");
        c.lose();
    }
}

TEST_CASE("early events are forgotten where the socket is refused, left, or its connection lost", "[client_socket]") {
    driver c;
    auto const socket = c.connect();
    auto const connects_without_events = [&] {
        CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc"});
        c.disconnect(socket);
        c.connect();
        c.drain();
    };
    c.open();
    c.receive(R"(2["early"])");
    c.lose();
    c.open();
    connects_without_events();

    c.receive(R"(2["early"])");
    c.receive(R"(4{"message":"no"})");
    c.connect();
    c.drain();
    connects_without_events();

    c.receive(R"(2["early"])");
    c.disconnect(socket);
    c.connect();
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"send 1", "send 0"});
    connects_without_events();
}

//=== what is emitted before ===//

TEST_CASE("what is emitted before the socket is connected is sent then, in order", "[client_socket]") {
    for (auto const r : both) {
        driver c(speaking(r));
        auto const socket = c.connect();
        CHECK(c.emit(socket, "one", 1).empty());
        CHECK(c.session.buffered() > 0);
        c.open();
        CHECK(c.emit(socket, "two", bytes).empty());
        CHECK(c.ask(socket, std::nullopt, "three") == 1);
        CHECK(c.receive("2[\"x\"]").empty());
        auto told = c.receive(answer(r));
        CHECK(lines(told.begin() + 1, told.end()) == lines{R"(event / ["x"])", R"(send 2["one",1])",
                                                           R"(send 51-["two",{"_placeholder":true,"num":0}])",
                                                           "send <0102>", R"(send 21["three"])"});
        CHECK(c.session.buffered() == 0);
        CHECK(c.emit(socket, "four") == lines{R"(send 2["four"])"});
    }
}

TEST_CASE("each socket has a buffer of its own", "[client_socket]") {
    driver c;
    auto const a = c.connect("/a");
    auto const b = c.connect("/b");
    c.emit(a, "to a");
    c.emit(b, "to b");
    c.open();
    CHECK(c.receive(R"(0/b,{"sid":"x"})") == lines{"connected /b x", R"(send 2/b,["to b"])"});
    CHECK(c.receive(R"(0/a,{"sid":"x"})") == lines{"connected /a x", R"(send 2/a,["to a"])"});
}

TEST_CASE("what is emitted in the handler of connected follows what waited", "[client_socket]") {
    driver c;
    auto const socket = c.connect();
    c.emit(socket, "before");
    c.on_event = [&](event& e) {
        if (e.type == event_type::connected) CHECK(c.session.emit(socket, "in it").has_value());
    };
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)) ==
          lines{"connected / abc", R"(send 2["before"])", R"(send 2["in it"])"});
}

TEST_CASE("the buffer has a limit for all sockets together, and room again when it has gone", "[client_socket]") {
    socketio::client_options options;
    options.max_buffered = 2'500;
    driver c(options);
    auto const a = c.connect("/a");
    auto const b = c.connect("/b");
    std::string const kilobyte(1'000, 'x');
    CHECK(c.session.emit(a, "x", kilobyte).has_value());
    CHECK(c.session.emit(b, "x", kilobyte).has_value());
    CHECK(c.session.emit(a, "x", kilobyte) == error{errc::buffer_full});
    CHECK(c.session.emit_with_ack(b, 1s, "x", kilobyte) == error{errc::buffer_full});
    CHECK(c.due() == std::nullopt);
    CHECK(c.session.buffered() <= options.max_buffered);
    c.open();
    CHECK(c.receive(R"(0/b,{"sid":"x"})").size() == 2);
    CHECK(c.session.emit(a, "x", kilobyte).has_value());
    CHECK(c.session.emit(a, "x", kilobyte) == error{errc::buffer_full});
    CHECK(c.session.emit(b, "x", kilobyte).has_value()); // connected: nothing to keep
}

TEST_CASE("volatile events are dropped unless they can go at once", "[client_socket]") {
    driver c;
    auto const socket = c.connect();
    CHECK(c.session.emit_volatile(socket, "x") == error{errc::would_wait});
    c.open();
    CHECK(c.session.emit_volatile(socket, "x") == error{errc::would_wait});
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc"});
    CHECK(c.session.emit_volatile(socket, "x", bytes).has_value());
    CHECK(c.session.emit_volatile(socket, "y") == error{errc::would_wait}); // another is on its way
    CHECK(c.drain() == lines{R"(send 51-["x",{"_placeholder":true,"num":0}])", "send <0102>"});
    CHECK(c.session.emit_volatile(socket, "disconnect") == error{errc::reserved_event_name});
    c.lose();
    CHECK(c.session.emit_volatile(socket, "x") == error{errc::would_wait});
    CHECK(c.session.buffered() == 0);
}

TEST_CASE("with more to be sent than the limit the connection ends, and the emit says so", "[client_socket]") {
    socketio::client_options options;
    options.max_queued = 1'000;
    std::string const half(600, 'x');
    connected_driver c(options);
    c.ask(c.socket, 1s, "first");
    CHECK(c.session.emit(c.socket, "x", half).has_value());
    CHECK(c.session.emit(c.socket, "x", half) == error{errc::queue_overflow});
    CHECK(c.drain() ==
          lines{"ack 1 disconnected", "disconnected /: queue overflow", "closed: queue overflow", "close"});
    CHECK(c.session.is_active());
    CHECK(c.lose().empty());
    CHECK(c.open() == lines{"send 0"});

    connected_driver asking(options);
    CHECK(asking.session.emit(asking.socket, "x", half).has_value());
    CHECK(asking.session.emit_with_ack(asking.socket, 1s, "x", half) == error{errc::queue_overflow});
    CHECK(asking.drain() == lines{"disconnected /: queue overflow", "closed: queue overflow", "close"});
}

TEST_CASE("what is too large alone is refused, and ends nothing, at a client", "[client_socket]") {
    for (std::uint32_t const retries : {0u, 1u}) {
        auto options = with_retries(retries);
        options.max_queued = 1'000;
        std::string const large(2'000, 'x');
        connected_driver c(options);
        CHECK(c.session.emit(c.socket, "x", large) == error{errc::message_too_large});
        CHECK(c.session.emit_volatile(c.socket, "x", large) == error{errc::message_too_large});
        CHECK(c.session.emit(c.socket, "x", as_bytes(large)) == error{errc::message_too_large});
        CHECK(c.session.emit_with_ack(c.socket, 1s, "x", large) == error{errc::message_too_large});
        CHECK(c.session.connect("/a", json::object("token", large)) == error{errc::message_too_large});
        CHECK_FALSE(c.session.poll_timeout().has_value());
        CHECK(c.session.buffered() == 0);
        CHECK(c.drain().empty());
        c.lose();
        CHECK(c.session.emit(c.socket, "x", large) == error{errc::message_too_large}); // it would never go
        CHECK(c.session.buffered() == 0);
    }
}

TEST_CASE("what the server would refuse is not sent to it", "[client_socket]") {
    for (std::uint32_t const retries : {0u, 1u}) {
        auto const one = as_bytes(std::string_view("1"));
        std::vector<byte_view> const eleven(11, one);
        connected_driver c(with_retries(retries));
        CHECK(c.session.emit(c.socket, "x", eleven) == error{errc::too_many_attachments});
        CHECK(c.session.emit_volatile(c.socket, "x", eleven) == error{errc::too_many_attachments});
        CHECK(c.session.emit_with_ack(c.socket, 1s, "x", eleven) == error{errc::too_many_attachments});
        auto const e = c.session.poll_event();
        CHECK_FALSE(e.has_value());
        c.lose();
        CHECK(c.session.emit(c.socket, "x", eleven) == error{errc::too_many_attachments});
        CHECK(c.session.buffered() == 0);
    }
    connected_driver c;
    c.session.message_received({frame_kind::text, R"(27["q"])"}, support::start);
    auto e = c.session.poll_event();
    REQUIRE(e.has_value());
    CHECK(c.session.acknowledge(e->ack, std::vector<byte_view>(11)) == error{errc::too_many_attachments});
    CHECK(c.session.acknowledge(e->ack, std::vector<byte_view>(10)).has_value());
}

TEST_CASE("what waited can overflow the queue too: then the socket is connected, and the connection ends",
          "[client_socket]") {
    socketio::client_options options;
    options.max_queued = 1'000;
    driver c(options);
    auto const socket = c.connect();
    c.emit(socket, "x", std::string(900, 'x'));
    c.emit(socket, "x", std::string(900, 'x'));
    c.open();
    c.receive(R"(2["early"])");
    CHECK(c.receive(answer(socketio::revision::v5)) ==
          lines{"connected / abc", "disconnected /: queue overflow", "closed: queue overflow", "close"});
    CHECK(c.session.buffered() == 0);
}

TEST_CASE("an event that is handled when the connection overflows is still there to be read", "[client_socket]") {
    socketio::client_options options;
    options.max_queued = 1'000;
    connected_driver c(options);
    std::string read;
    c.on_event = [&](event& e) {
        if (e.type != event_type::event) return;
        CHECK(c.session.emit(c.socket, "x", std::string(900, 'x')).has_value());
        CHECK(c.session.emit(c.socket, "x", std::string(900, 'x')) == error{errc::queue_overflow});
        read = as_characters(e.get<byte_view>().value_or(byte_view()));
    };
    std::string const large(1'000, 'y');
    c.receive(R"(51-["file",{"_placeholder":true,"num":0}])");
    c.receive(support::binary(large));
    CHECK(read == large);
}

//=== acknowledgements ===//

TEST_CASE("an event is acknowledged once, by its id", "[client_socket]") {
    for (auto const r : both) {
        connected_driver c(speaking(r));
        CHECK(c.receive(R"(217["ask","x"])") == lines{R"(event / ["ask","x"] ack 17)"});
        CHECK(c.receive(R"(20["ask"])") == lines{R"(event / ["ask"] ack 0)"});
        REQUIRE(c.requests.size() == 2);
        CHECK(c.session.acknowledge(c.requests[1]).has_value());
        CHECK(c.session.acknowledge(c.requests[0], "\xff") == error{errc::invalid_utf8}); // may be tried again
        CHECK(c.session.acknowledge(c.requests[0], "yes", bytes).has_value());
        CHECK(c.drain() == lines{"send 30[]", R"(send 61-17["yes",{"_placeholder":true,"num":0}])", "send <0102>"});
        CHECK(c.session.acknowledge(c.requests[0], "again") == error{errc::already_acknowledged});
        ack_request none;
        CHECK(c.session.acknowledge(none) == error{errc::already_acknowledged});
        CHECK(c.drain().empty());
    }
}

TEST_CASE("an acknowledgement is not sent on another connection than the event came by", "[client_socket]") {
    connected_driver c;
    c.receive(R"(217["ask"])");
    REQUIRE(c.requests.size() == 1);
    c.lose();
    CHECK(c.session.acknowledge(c.requests[0]) == error{errc::not_connected});
    c.open();
    CHECK(c.session.acknowledge(c.requests[0]) == error{errc::not_connected});
    c.receive(answer(socketio::revision::v5));
    CHECK(c.session.acknowledge(c.requests[0]) == error{errc::not_connected});
    CHECK(c.drain().empty());
}

TEST_CASE("an acknowledgement is not sent once the socket has been left and joined again", "[client_socket]") {
    connected_driver c;
    c.receive(R"(217["ask"])");
    REQUIRE(c.requests.size() == 1);
    c.disconnect(c.socket);
    CHECK(c.session.acknowledge(c.requests[0]) == error{errc::not_connected});
    c.connect("/");
    c.drain();
    c.receive(answer(socketio::revision::v5));
    CHECK(c.session.acknowledge(c.requests[0]) == error{errc::not_connected});
    CHECK(c.drain().empty());
}

TEST_CASE("an acknowledgement that is asked for is answered", "[client_socket]") {
    for (auto const r : both) {
        connected_driver c(speaking(r));
        CHECK(c.ask(c.socket, std::nullopt, "a") == 1);
        CHECK(c.ask(c.socket, 1s, "b", bytes) == 2);
        CHECK(c.drain() == lines{R"(send 21["a"])", R"(send 51-2["b",{"_placeholder":true,"num":0}])", "send <0102>"});
        CHECK(c.due() == 1s);
        CHECK(c.receive(R"(61-2["x",{"_placeholder":true,"num":0}])").empty());
        CHECK(c.receive(support::binary("\x07")) ==
              lines{R"(ack 2 answered ["x",{"_placeholder":true,"num":0}] <07>)"});
        CHECK(c.due() == std::nullopt);
        CHECK(c.receive("31[]") == lines{"ack 1 answered []"});
        CHECK(c.receive("31[]").empty()); // once
        CHECK(c.receive("399[1]").empty());
        CHECK(c.receive("39007199254740991[1]").empty());
    }
}

TEST_CASE("an answer counts only from the namespace that was asked", "[client_socket]") {
    connected_driver c;
    auto const other = c.connect("/other");
    c.drain();
    c.receive(R"(0/other,{"sid":"x"})");
    c.ask(c.socket, std::nullopt, "a");
    c.drain();
    CHECK(c.receive("3/other,1[]").empty());
    CHECK(c.receive("3/unknown,1[]").empty());
    CHECK(c.receive("31[]") == lines{"ack 1 answered []"});
    CHECK(c.session.is_connected(other));
}

TEST_CASE("an acknowledgement times out: after the call's own time, or that of the options, or never",
          "[client_socket]") {
    socketio::client_options options;
    options.ack_timeout = 5s;
    connected_driver c(options);
    c.ask(c.socket, 2s, "a");
    c.ask(c.socket, std::nullopt, "b");
    c.drain();
    CHECK(c.due() == 2s);
    CHECK(c.at(1'999ms).empty());
    CHECK(c.at(2'000ms) == lines{"ack 1 timed out"});
    CHECK(c.receive("31[]").empty()); // too late
    CHECK(c.due() == 5s);
    CHECK(c.at(60s) == lines{"ack 2 timed out"});
    CHECK(c.due() == std::nullopt);

    connected_driver patient;
    patient.ask(patient.socket, std::nullopt, "c");
    CHECK(patient.due() == std::nullopt);
}

TEST_CASE("an acknowledgement ends with its socket: when that is left, disconnected, or its connection lost",
          "[client_socket]") {
    connected_driver c;
    auto const other = c.connect("/other");
    c.drain();
    c.receive(R"(0/other,{"sid":"x"})");
    auto const asks = [&] {
        auto const id = c.ask(c.socket, 1s, "a");
        c.drain();
        return std::to_string(id);
    };
    c.ask(other, std::nullopt, "kept");
    auto const kept = c.awaited();
    auto id = asks();
    CHECK(c.disconnect(c.socket) ==
          lines{"ack " + id + " disconnected", "disconnected /: io client disconnect", "send 1"});
    c.connect("/");
    c.drain();
    c.receive(answer(socketio::revision::v5));

    id = asks();
    CHECK(c.receive("1") == lines{"ack " + id + " disconnected", "disconnected /: io server disconnect"});
    c.connect("/");
    c.drain();
    c.receive(answer(socketio::revision::v5));
    CHECK(c.awaited() == kept);

    id = asks();
    CHECK(c.lose() == lines{"ack " + id + " disconnected", "disconnected /: transport close", "ack 1 disconnected",
                            "disconnected /other: transport close", "closed: transport close"});
    CHECK(c.due() == std::nullopt);
}

TEST_CASE("an acknowledgement is kept while its event waits to be sent, and counts from the emit", "[client_socket]") {
    driver c;
    auto const socket = c.connect();
    c.ask(socket, 10s, "a");
    CHECK(c.at(1s).empty());
    c.open();
    CHECK(c.lose() == lines{"closed: transport close"}); // never connected: the event waits on
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc", R"(send 21["a"])"});
    CHECK(c.due() == 10s);
    CHECK(c.receive(R"(31["late"])") == lines{R"(ack 1 answered ["late"])"});
}

TEST_CASE("an event whose acknowledgement has timed out before it could go is not sent", "[client_socket]") {
    driver c;
    auto const socket = c.connect();
    c.emit(socket, "before");
    auto const size = c.session.buffered();
    c.ask(socket, 1s, "too late");
    c.emit(socket, "after");
    CHECK(c.session.buffered() > 2 * size);
    CHECK(c.at(1s) == lines{"ack 1 timed out"});
    CHECK(c.session.buffered() < 3 * size);
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)) ==
          lines{"connected / abc", R"(send 2["before"])", R"(send 2["after"])"});
    CHECK(c.session.buffered() == 0);
}

TEST_CASE("events emitted while a socket ends wait for the next time, and so do their acknowledgements",
          "[client_socket]") {
    connected_driver c;
    c.ask(c.socket, std::nullopt, "lost");
    c.drain();
    c.on_event = [&](event& e) {
        if (e.type == event_type::ack && e.id == 1) c.ask(c.socket, std::nullopt, "in ack");
        if (e.type == event_type::disconnected) c.ask(c.socket, std::nullopt, "in disconnected");
    };
    CHECK(c.lose() == lines{"ack 1 disconnected", "disconnected /: transport close", "closed: transport close"});
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)) ==
          lines{"connected / abc", R"(send 22["in ack"])", R"(send 23["in disconnected"])"});
    CHECK(c.receive("33[]") == lines{"ack 3 answered []"});
    CHECK(c.receive("32[]") == lines{"ack 2 answered []"});
}

TEST_CASE("the number of acknowledgements that are awaited has a limit", "[client_socket]") {
    socketio::client_options options;
    options.max_pending_acks = 2;
    connected_driver c(options);
    c.ask(c.socket, 1s, "a");
    c.ask(c.socket, 2s, "b");
    CHECK(c.session.emit_with_ack(c.socket, 1s, "c") == error{errc::too_many_acks});
    c.drain();
    CHECK(c.receive("31[]") == lines{"ack 1 answered []"});
    CHECK(c.ask(c.socket, 1s, "c") != 0);
    c.lose();
    c.ask(c.socket, 1s, "d");
    c.ask(c.socket, 1s, "e");
    CHECK(c.session.emit_with_ack(c.socket, 1s, "f") == error{errc::too_many_acks});
}

//=== retries ===//

TEST_CASE("with retries events go one at a time, each when the one before has been acknowledged", "[client_socket]") {
    for (auto const r : both) {
        auto options = with_retries(3);
        options.revision = r;
        connected_driver c(options);
        CHECK(c.emit(c.socket, "one") == lines{R"(send 21["one"])"});
        CHECK(c.emit(c.socket, "two", bytes).empty());
        auto const id = c.ask(c.socket, std::nullopt, "three");
        CHECK(id == 2);
        CHECK(c.drain().empty());
        CHECK(c.session.buffered() > 0);
        CHECK(c.receive("31[]") == lines{R"(send 51-3["two",{"_placeholder":true,"num":0}])", "send <0102>"});
        CHECK(c.receive("31[]").empty());
        CHECK(c.receive("33[]") == lines{R"(send 24["three"])"});
        // Its outcome comes with the id that the caller was given.
        CHECK(c.receive(R"(34["done"])") == lines{R"(ack 2 answered ["done"])"});
        CHECK(c.session.buffered() == 0);
        CHECK(c.due() == std::nullopt);
    }
}

TEST_CASE("an event that is not acknowledged in time is sent again with another id, retries + 1 times in all",
          "[client_socket]") {
    connected_driver c(with_retries(2));
    auto const id = c.ask(c.socket, std::nullopt, "x", bytes);
    CHECK(id == 1);
    auto const next = c.ask(c.socket, 50ms, "y");
    CHECK(next == 3);
    CHECK(c.drain() == lines{R"(send 51-2["x",{"_placeholder":true,"num":0}])", "send <0102>"});
    CHECK(c.at(99ms).empty());
    CHECK(c.at(100ms) == lines{R"(send 51-4["x",{"_placeholder":true,"num":0}])", "send <0102>"});
    CHECK(c.receive("32[]").empty()); // too late: that try is over
    CHECK(c.at(200ms) == lines{R"(send 51-5["x",{"_placeholder":true,"num":0}])", "send <0102>"});
    CHECK(c.at(300ms) == lines{"ack 1 timed out", R"(send 26["y"])"});
    CHECK(c.due() == 350ms); // its own time
    CHECK(c.receive("36[1]") == lines{"ack 3 answered [1]"});
}

TEST_CASE("an event nobody asks about is given up like the others, and the next one goes", "[client_socket]") {
    connected_driver c(with_retries(1));
    CHECK(c.emit(c.socket, "x") == lines{R"(send 21["x"])"});
    c.emit(c.socket, "y");
    CHECK(c.at(100ms) == lines{R"(send 22["x"])"});
    CHECK(c.at(200ms) == lines{R"(send 23["y"])"});
    CHECK(c.receive("33[]").empty());
    CHECK(c.session.buffered() == 0);
}

TEST_CASE("a lost connection ends a try: the next one goes on the next connection", "[client_socket]") {
    connected_driver c(with_retries(1, std::nullopt));
    c.ask(c.socket, std::nullopt, "x");
    CHECK(c.emit(c.socket, "y") == lines{R"(send 22["x"])"});
    CHECK(c.lose() == lines{"disconnected /: transport close", "closed: transport close"});
    CHECK(c.open() == lines{"send 0"});
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc", R"(send 23["x"])"});
    CHECK(c.lose() ==
          lines{"ack 1 disconnected", "disconnected /: transport close", "closed: transport close"}); // its last try
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc", R"(send 24["y"])"});
}

TEST_CASE("with retries events wait for the socket to connect, within the limit", "[client_socket]") {
    auto options = with_retries(1);
    options.max_buffered = 1'500;
    driver c(options);
    auto const socket = c.connect();
    CHECK(c.emit(socket, "x", std::string(1'000, 'x')).empty());
    CHECK(c.session.emit(socket, "y", std::string(1'000, 'x')) == error{errc::buffer_full});
    CHECK(c.due() == std::nullopt); // a try that has not begun takes no time
    c.open();
    CHECK(c.at(1h).empty());
    CHECK(c.receive(answer(socketio::revision::v5)).size() == 2);
    CHECK(c.session.emit(socket, "y", std::string(1'000, 'x')) == error{errc::buffer_full}); // not acknowledged yet
    c.receive("31[]");
    CHECK(c.session.emit(socket, "y", std::string(1'000, 'x')).has_value());
}

TEST_CASE("with retries an event that ends the connection is kept like any other, and tried again", "[client_socket]") {
    auto options = with_retries(1);
    options.max_queued = 1'000;
    connected_driver c(options);
    CHECK(c.session.emit_volatile(c.socket, "y", std::string(900, 'x')).has_value());
    c.ask(c.socket, std::nullopt, "x", std::string(900, 'x'));
    CHECK(c.drain() == lines{"disconnected /: queue overflow", "closed: queue overflow", "close"});
    c.open();
    CHECK(c.receive(answer(socketio::revision::v5)).size() == 2);
    CHECK(c.receive("33[]") == lines{"ack 1 answered []"});
    CHECK(c.session.buffered() == 0);
}

TEST_CASE("with retries volatile events go past those that wait", "[client_socket]") {
    connected_driver c(with_retries(1));
    c.emit(c.socket, "x");
    c.emit(c.socket, "y");
    CHECK(c.session.emit_volatile(c.socket, "now").has_value());
    CHECK(c.drain() == lines{R"(send 2["now"])"});
}

TEST_CASE("with retries each socket has its own event under way", "[client_socket]") {
    connected_driver c(with_retries(1));
    auto const other = c.connect("/other");
    c.drain();
    c.receive(R"(0/other,{"sid":"x"})");
    CHECK(c.emit(c.socket, "x") == lines{R"(send 21["x"])"});
    CHECK(c.emit(other, "y") == lines{R"(send 2/other,2["y"])"});
    CHECK(c.receive("3/other,2[]").empty());
    CHECK(c.emit(other, "z") == lines{R"(send 2/other,3["z"])"});
}

//=== recovery ===//

TEST_CASE("the pid and the last offset are sent when a socket connects again: it is recovered if the pid is the same",
          "[client_socket]") {
    driver c;
    c.connect("/", json::object("token", 1));
    CHECK(c.open() == lines{R"(send 0{"token":1})"});
    CHECK(c.receive(R"(0{"sid":"abc","pid":"secret"})") == lines{"connected / abc"});
    c.lose();
    CHECK(c.open() == lines{R"(send 0{"pid":"secret","token":1})"});
    c.receive(R"(0{"sid":"abc","pid":"secret"})");
    c.receive(R"(2["news","one","offset 1"])");
    c.receive(R"(2["news",{"no":"offset"}])");
    c.receive(R"(2["bare name"])");
    c.lose();
    CHECK(c.open() == lines{R"(send 0{"pid":"secret","offset":"offset 1","token":1})"});
    // What was missed may come before the answer, as from the reference, or after it.
    CHECK(c.receive(R"(2["news","two","offset 2"])").empty());
    CHECK(c.receive(R"(0{"sid":"abc","pid":"secret"})") ==
          lines{"connected / abc recovered", R"(event / ["news","two","offset 2"])"});
    CHECK(c.receive(R"(2["news","three","offset\"3"])").size() == 1);
    c.lose();
    CHECK(c.open() == lines{R"(send 0{"pid":"secret","offset":"offset\"3","token":1})"});
    CHECK(c.receive(R"(0{"sid":"def","pid":"other"})") == lines{"connected / def"});
    c.lose();
    CHECK(c.open() == lines{R"(send 0{"pid":"other","token":1})"}); // the offset was the other's
}

TEST_CASE("the last argument of an event that asks for an acknowledgement is no offset", "[client_socket]") {
    driver c;
    c.connect("/");
    c.open();
    c.receive(R"(0{"sid":"abc","pid":"secret"})");
    c.receive(R"(2["news","one","offset 1"])");
    c.receive(R"(20["question","ready?"])");
    c.lose();
    CHECK(c.open() == lines{R"(send 0{"pid":"secret","offset":"offset 1"})"});
}

TEST_CASE("a server without recovery is sent neither pid nor offset", "[client_socket]") {
    connected_driver c;
    c.receive(R"(2["news","one"])");
    c.lose();
    CHECK(c.open() == lines{"send 0"});
    // One that recovers no more is not asked for it again.
    c.receive(R"(0{"sid":"abc","pid":"secret"})");
    c.receive(R"(2["news","one"])");
    c.lose();
    CHECK(c.open() == lines{R"(send 0{"pid":"secret","offset":"one"})"});
    CHECK(c.receive(R"(0{"sid":"def"})") == lines{"connected / def"});
    c.lose();
    CHECK(c.open() == lines{"send 0"});
}

TEST_CASE("with recovery off a server that offers it is sent neither pid nor offset", "[client_socket]") {
    driver c(socketio::client_options{.recovery = false});
    c.connect("/");
    c.open();
    c.receive(R"(0{"sid":"abc","pid":"secret"})");
    c.receive(R"(2["news","one","offset 1"])");
    c.lose();
    CHECK(c.open() == lines{"send 0"});
    CHECK(c.receive(R"(0{"sid":"def","pid":"other"})") == lines{"connected / def"});
}

TEST_CASE("each socket has a pid of its own", "[client_socket]") {
    driver c;
    c.connect("/a");
    c.connect("/b");
    c.open();
    c.receive(R"(0/a,{"sid":"1","pid":"p"})");
    c.receive(R"(0/b,{"sid":"2","pid":"q"})");
    c.receive(R"(2/b,["x","o"])");
    c.lose();
    CHECK(c.open() == lines{R"(send 0/a,{"pid":"p"})", R"(send 0/b,{"pid":"q","offset":"o"})"});
}

//=== the states of a socket ===//

TEST_CASE("no connection: a socket is wanted or not, and nothing is told", "[client_socket]") {
    driver c;
    auto const socket = c.connect();
    CHECK(c.session.is_active());
    CHECK(c.disconnect(socket).empty());
    CHECK_FALSE(c.session.is_active());
    CHECK(c.disconnect(socket).empty());
    CHECK(c.open().empty());
    CHECK(c.connect() == socket);
    CHECK(c.drain() == lines{"send 0"});
}

TEST_CASE("connecting: a socket that is left then sends DISCONNECT as soon as it is connected, and nothing is told",
          "[client_socket]") {
    for (auto const r : both) {
        driver c(speaking(r));
        auto const socket = c.connect("/x");
        CHECK(c.open() == lines{"send 0/x,"});
        CHECK(c.disconnect(socket).empty());
        CHECK_FALSE(c.session.is_active());
        CHECK(c.receive(R"(2/x,["early"])").empty());
        CHECK(c.receive(answer(r, "/x")) == lines{"send 1/x,"});
        CHECK_FALSE(c.session.is_active());
        CHECK(c.receive(R"(2/x,["late"])").empty());
    }
}

TEST_CASE("leaving: a refusal ends it too, and so does the end of the connection", "[client_socket]") {
    driver c;
    auto const socket = c.connect("/x");
    c.open();
    c.disconnect(socket);
    CHECK(c.receive(R"(4/x,{"message":"no"})").empty());
    CHECK_FALSE(c.session.is_active());
    c.connect("/x");
    CHECK(c.drain() == lines{"send 0/x,"});
    c.disconnect(socket);
    CHECK(c.disconnect(socket).empty());
    CHECK(c.lose() == lines{"closed: transport close"});
    CHECK_FALSE(c.session.is_active());
    CHECK(c.open().empty());
}

TEST_CASE("leaving: a socket that is wanted again joins anew once it has left", "[client_socket]") {
    driver c;
    auto const socket = c.connect("/x");
    c.open();
    c.disconnect(socket);
    c.connect("/x", json::object("again", true));
    CHECK(c.drain().empty());
    CHECK(c.session.connect("/x") == error{errc::already_connected});
    c.emit(socket, "waits");
    CHECK(c.receive(R"(0/x,{"sid":"1"})") == lines{"send 1/x,", R"(send 0/x,{"again":true})"});
    CHECK(c.receive(R"(0/x,{"sid":"2"})") == lines{"connected /x 2", R"(send 2/x,["waits"])"});

    c.disconnect(socket);
    c.connect("/x");
    c.drain();
    c.disconnect(socket);
    c.connect("/x");
    CHECK(c.receive(R"(4/x,{"message":"no"})") == lines{R"(send 0/x,{"again":true})"}); // the first was refused
    CHECK(c.receive(R"(0/x,{"sid":"3"})") == lines{"connected /x 3"});
}

TEST_CASE("leaving: a socket that is wanted again when the connection is lost joins on the next", "[client_socket]") {
    driver c;
    auto const socket = c.connect("/x");
    c.open();
    c.disconnect(socket);
    c.connect("/x");
    CHECK(c.lose() == lines{"closed: transport close"});
    CHECK(c.open() == lines{"send 0/x,"});
}

TEST_CASE("connected: disconnect says so to the server, and what comes on its way is ignored", "[client_socket]") {
    for (auto const r : both) {
        connected_driver c(speaking(r));
        c.session.disconnect(c.socket);
        CHECK_FALSE(c.session.is_connected(c.socket));
        CHECK(c.drain() == lines{"disconnected /: io client disconnect", "send 1"});
        CHECK(c.disconnect(c.socket).empty());
        CHECK(c.receive(R"(2["late"])").empty());
        CHECK(c.receive(R"(27["late"])").empty());
        CHECK(c.receive("1").empty());
        CHECK(c.receive(answer(r)).empty());
        CHECK_FALSE(c.session.is_active());
        CHECK(c.lose() == lines{"closed: transport close"});
        CHECK(c.open().empty());
    }
}

TEST_CASE("connected: the server's DISCONNECT ends it for good, unless it is joined again", "[client_socket]") {
    for (auto const r : both) {
        connected_driver c(speaking(r));
        CHECK(c.receive("1") == lines{"disconnected /: io server disconnect"});
        CHECK_FALSE(c.session.is_active());
        CHECK(c.emit(c.socket, "waits").empty());
        c.connect("/");
        CHECK(c.drain() == lines{"send 0"}); // in revision 4 too: it comes unasked only once
        CHECK(c.receive(answer(r)).back() == R"(send 2["waits"])");
    }
}

TEST_CASE("ending: a socket can be joined again while its end is told", "[client_socket]") {
    connected_driver c;
    c.on_event = [&](event& e) {
        if (e.type == event_type::disconnected && !c.session.is_active()) c.connect("/");
    };
    CHECK(c.disconnect(c.socket) == lines{"disconnected /: io client disconnect", "send 1", "send 0"});
    c.receive(answer(socketio::revision::v5));
    CHECK(c.receive("1") == lines{"disconnected /: io server disconnect", "send 0"});
    c.receive(answer(socketio::revision::v5));

    // Before it is told, too.
    c.session.disconnect(c.socket);
    c.connect("/");
    CHECK(c.drain() == lines{"disconnected /: io client disconnect", "send 1", "send 0"});
    c.receive(answer(socketio::revision::v5));
    c.session.disconnect(c.socket);
    c.connect("/");
    c.session.disconnect(c.socket);
    c.on_event = [](event&) {};
    CHECK(c.drain() == lines{"disconnected /: io client disconnect", "send 1"});
}

TEST_CASE("a socket that is lost connects again when a connection opens, and what is emitted meanwhile goes then",
          "[client_socket]") {
    for (auto const r : both) {
        connected_driver c(speaking(r));
        c.emit(c.socket, "a");
        CHECK(c.lose(disconnect_reason::ping_timeout) == lines{"disconnected /: ping timeout", "closed: ping timeout"});
        CHECK(c.session.reason() == disconnect_reason::ping_timeout);
        CHECK(c.session.is_active());
        CHECK(c.session.sid(c.socket).empty());
        CHECK(c.emit(c.socket, "b").empty());
        c.open();
        CHECK(c.receive(answer(r)).back() == R"(send 2["b"])");
    }
}

TEST_CASE("what had not been handed over when the connection was lost is not sent on the next", "[client_socket]") {
    connected_driver c;
    CHECK(c.session.emit(c.socket, "a").has_value());
    c.session.closed(disconnect_reason::transport_error, c.now);
    CHECK(c.drain() == lines{"disconnected /: transport error", "closed: transport error"});
    CHECK(c.open() == lines{"send 0"});
}

TEST_CASE("the server refuses: with an object, a string, or nothing", "[client_socket]") {
    driver c;
    auto const refused = [&](std::string_view payload) {
        auto const socket = c.connect("/x");
        c.drain();
        auto const told = c.receive("4/x," + std::string(payload));
        CHECK_FALSE(c.session.is_active());
        CHECK_FALSE(c.session.is_connected(socket));
        CHECK(c.receive(R"(0/x,{"sid":"abc"})").empty()); // too late
        return told;
    };
    c.open();
    CHECK(refused(R"({"message":"not authorized","data":{"code":401}})") ==
          lines{R"(connect_error /x "not authorized" {"code":401})"});
    CHECK(refused(R"({"message":"no"})") == lines{R"(connect_error /x "no")"});
    CHECK(refused(R"({"data":1})") == lines{"connect_error /x 1"});
    CHECK(refused("{}") == lines{"connect_error /x"});
    CHECK(refused(R"("Invalid namespace")") == lines{R"(connect_error /x "Invalid namespace")"});
    CHECK(refused("") == lines{"connect_error /x"});
    CHECK(c.lose() == lines{"closed: transport close"});
    CHECK(c.open().empty());

    driver old(speaking(socketio::revision::v4));
    old.connect("/");
    old.open();
    CHECK(old.receive(R"(4"not authorized")") == lines{R"(connect_error / "not authorized")"});
    // Its server sends the data of the error instead, if it has any.
    old.connect("/");
    CHECK(old.drain() == lines{"send 0"}); // it does not come unasked any more
    CHECK(old.receive(R"(4{"code":401})") == lines{R"(connect_error / {"code":401})"});
    CHECK_FALSE(old.session.is_active());
}

TEST_CASE("a refused socket keeps what waits for it, and may try again in the handler", "[client_socket]") {
    driver c;
    auto const socket = c.connect("/", json::object("token", "old"));
    c.emit(socket, "waits");
    c.on_event = [&](event& e) {
        if (e.type == event_type::connect_error) c.connect("/", json::object("token", "new"));
    };
    c.open();
    CHECK(c.receive(R"(4{"message":"expired"})") == lines{R"(connect_error / "expired")", R"(send 0{"token":"new"})"});
    CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc", R"(send 2["waits"])"});
}

TEST_CASE("two namespaces live and end independently of each other", "[client_socket]") {
    connected_driver c;
    auto const admin = c.connect("/admin");
    c.drain();
    c.receive(R"(0/admin,{"sid":"x"})");
    c.disconnect(c.socket);
    CHECK(c.session.is_active());
    CHECK(c.emit(admin, "x") == lines{R"(send 2/admin,["x"])"});
    CHECK(c.receive(R"(2/admin,["y"])") == lines{R"(event /admin ["y"])"});
    CHECK(c.receive("1/admin,") == lines{"disconnected /admin: io server disconnect"});
    CHECK_FALSE(c.session.is_active());
}

TEST_CASE("a lost connection is told to each socket, then once for itself", "[client_socket]") {
    connected_driver c;
    c.connect("/a");
    c.connect("/b");
    c.drain();
    c.receive(R"(0/b,{"sid":"x"})"); // "/a" is still connecting
    CHECK(c.lose(disconnect_reason::transport_error) ==
          lines{"disconnected /: transport error", "disconnected /b: transport error", "closed: transport error"});
    CHECK(c.lose().empty());
    CHECK(c.open() == lines{"send 0", "send 0/a,", "send 0/b,"});
}

//=== peers that break the rules ===//

TEST_CASE("an answer to CONNECT without a sid is an error: the server speaks another revision", "[client_socket]") {
    for (std::string_view const answered :
         {"0", "0{}", R"(0{"sid":1})", R"(0{"sid":null})", R"(0{"sid":""})", R"(0{"sid":"\ud800"})"}) {
        INFO(answered);
        driver c;
        auto const socket = c.connect("/");
        c.open();
        c.receive(R"(2["early"])");
        CHECK(c.receive(answered) ==
              lines{R"(connect_error / "the server speaks revision 4 of Socket.IO, this client revision 5")"});
        CHECK_FALSE(c.session.is_active());
        CHECK_FALSE(c.session.is_connected(socket));
    }
}

TEST_CASE("what cannot be decoded ends the connection: every socket hears it once", "[client_socket]") {
    for (auto const r : both) {
        for (std::string_view const bad : {"",
                                           "0null",
                                           "0[]",
                                           "0\"x\"",
                                           "2",
                                           "2{}",
                                           "2[]",
                                           "2[null]",
                                           "2[{\"toString\":\"foo\"}]",
                                           "2[\"connect\"]",
                                           "30",
                                           "3[]",
                                           "30{}",
                                           "1{}",
                                           "4[]",
                                           "7",
                                           "x",
                                           "2[\"a\"",
                                           "2[\"a\"]x",
                                           "50-[\"a\"]",
                                           "5-[\"a\"]",
                                           "511-[\"a\"]",
                                           "5999999-[\"a\"]",
                                           "2 [\"a\"]",
                                           "299999999999999999[\"a\"]",
                                           "2[\"\xff\"]",
                                           "51-[\"a\",{\"_placeholder\":true,\"num\":1}]",
                                           "51-[\"a\",{\"_placeholder\":true,\"num\":\"splice\"}]"}) {
            INFO(bad);
            connected_driver c(speaking(r));
            auto const other = c.connect("/other");
            c.drain();
            c.receive(answer(r, "/other"));
            c.ask(other, 1s, "x");
            c.drain();
            CHECK(c.receive(bad) == lines{"disconnected /: parse error", "ack 1 disconnected",
                                          "disconnected /other: parse error", "closed: parse error", "close"});
            CHECK(c.receive(R"(2["late"])").empty());
            CHECK(c.lose(disconnect_reason::forced_close).empty());
            CHECK(c.session.reason() == disconnect_reason::parse_error);
            CHECK(c.session.is_active()); // on the next connection
        }
    }
}

TEST_CASE("revision 4: an answer to CONNECT has no payload", "[client_socket]") {
    connected_driver c(speaking(socketio::revision::v4));
    c.connect("/x");
    c.drain();
    CHECK(c.receive(R"(0/x,{"id":"abc"})").back() == "close"); // with a sid it is one of revision 5
}

TEST_CASE("attachments come contiguously behind their header, and only there", "[client_socket]") {
    std::string_view const header = R"(52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])";
    {
        connected_driver c;
        CHECK(c.receive(support::binary("\x01")).back() == "close"); // no header
    }
    for (std::string_view const between : {R"(2["b"])", R"(2/other,["b"])", "1", R"(51-["b"])", ""}) {
        connected_driver c;
        c.receive(header);
        c.receive(support::binary("\x01"));
        CHECK(c.receive(between) == lines{"disconnected /: parse error", "closed: parse error", "close"});
        // Nothing of it is left for the next connection.
        c.lose();
        c.open();
        CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc"});
        CHECK(c.receive(R"(2["b"])") == lines{R"(event / ["b"])"});
    }
    {
        connected_driver c; // the connection is lost in the middle
        c.receive(header);
        c.lose();
        c.open();
        CHECK(c.receive(answer(socketio::revision::v5)) == lines{"connected / abc"});
        CHECK(c.receive(support::binary("\x01")).back() == "close");
    }
}

TEST_CASE("attachments have a limit together", "[client_socket]") {
    socketio::client_options options;
    options.limits.max_attachments_size = 3;
    connected_driver c(options);
    c.receive(R"(52-["a"])");
    CHECK(c.receive(support::binary("\x01\x02")).empty());
    CHECK(c.receive(support::binary("\x01\x02")).back() == "close");
}

TEST_CASE("packets for nobody are ignored", "[client_socket]") {
    connected_driver c;
    auto const waiting = c.connect("/waiting");
    auto const left = c.connect("/left");
    c.disconnect(left);
    for (std::string_view const message : {R"(0/unknown,{"sid":"x"})", R"(1/unknown,)", R"(2/unknown,["x"])",
                                           R"(2/unknown,5["x"])", "3/unknown,1[]", R"(4/unknown,{"message":"x"})"}) {
        INFO(message);
        CHECK(c.receive(message).empty());
    }
    CHECK(c.receive(R"(51-/unknown,["x"])").empty());
    CHECK(c.receive(support::binary("\x01")).empty());
    // For a socket that is not connected yet, DISCONNECT and acknowledgements mean nothing.
    CHECK(c.receive("1/waiting,").empty());
    CHECK(c.receive("3/waiting,1[]").empty());
    CHECK(c.receive(R"(0/waiting,{"sid":"x"})") == lines{"connected /waiting x"});
    CHECK(c.session.is_connected(waiting));
}

TEST_CASE("for a socket that is connected, another CONNECT and a CONNECT_ERROR are ignored", "[client_socket]") {
    for (auto const r : both) {
        connected_driver c(speaking(r));
        std::string const sid(c.session.sid(c.socket));
        CHECK(c.receive(r == socketio::revision::v5 ? R"(0{"sid":"other"})" : "0").empty());
        CHECK(c.receive(R"(4"no")").empty());
        CHECK(c.receive("4").empty());
        CHECK(c.session.sid(c.socket) == sid);
        CHECK(c.emit(c.socket, "x") == lines{R"(send 2["x"])"});
    }
}

TEST_CASE("packets of any kind before anything is joined, after all has ended and without a connection are ignored",
          "[client_socket]") {
    for (std::string_view const message :
         {R"(0{"sid":"x"})", "1", R"(2["x"])", R"(25["x"])", "31[]", R"(4{"message":"no"})", "4"}) {
        driver c;
        CHECK(c.receive(message).empty());
        c.open();
        CHECK(c.receive(message).empty());
        auto const socket = c.connect("/");
        c.drain();
        c.receive(answer(socketio::revision::v5));
        c.disconnect(socket);
        CHECK(c.receive(message).empty());
        c.lose();
        CHECK(c.receive(message).empty());
        CHECK_FALSE(c.session.is_active());
    }
}

TEST_CASE("an event called like one of the library's own is an event like any other", "[client_socket]") {
    connected_driver c;
    for (std::string_view const name : {"error", "connected", "disconnected", "closed", "ack", "open", "reconnect"}) {
        auto const message = R"(2[")" + std::string(name) + R"("])";
        CHECK(c.receive(message) == lines{"event / " + message.substr(1)});
    }
}

TEST_CASE("every prefix and every one-byte change of good messages is taken or refused, in every state",
          "[client_socket]") {
    for (auto const r : both) {
        for (std::string_view const good :
             {R"(0/x,{"sid":"abc","pid":"p"})", R"(2/x,["a",{"b":1},"o"])", R"(2/x,12["a"])", "3/x,1[true]", "1/x,",
              R"(4/x,{"message":"m","data":1})", R"(52-/x,["a",{"_placeholder":true,"num":1}])",
              R"(61-/x,1[{"_placeholder":true,"num":0}])"}) {
            auto const feed = [&](std::string_view message) {
                for (bool const is_connected : {false, true}) {
                    driver c(speaking(r));
                    auto const socket = c.connect("/x");
                    c.open();
                    if (is_connected) c.receive(answer(r, "/x"));
                    c.ask(socket, 1s, "q");
                    c.drain();
                    c.receive(message);
                    c.receive(support::binary("\x01"));
                    c.receive(support::binary("\x02"));
                    c.at(1s);
                    c.lose();
                    CHECK(c.awaited() == 0);
                }
            };
            support::for_each_prefix(good, feed);
            support::for_each_removed_byte(good, feed);
            if (r == socketio::revision::v5) support::for_each_changed_byte(good, feed);
        }
    }
}

} // namespace socketio_client_session_test
