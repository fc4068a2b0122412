#include "drivers/socketio_client.hpp"
#include "tools/catch.hpp"

#include <socketless/socketio/client_session.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace socketio_client_session_joining_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace support::socketio_client;
using namespace std::chrono_literals;
using support::lines;

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
    // Missed events may come before the answer, as from the reference, or after it.
    CHECK(c.receive(R"(2["news","two","offset 2"])").empty());
    CHECK(c.receive(R"(0{"sid":"abc","pid":"secret"})") ==
          lines{"connected / abc recovered", R"(event / ["news","two","offset 2"])"});
    CHECK(c.receive(R"(2["news","three","offset\"3"])").size() == 1);
    c.lose();
    CHECK(c.open() == lines{R"(send 0{"pid":"secret","offset":"offset\"3","token":1})"});
    CHECK(c.receive(R"(0{"sid":"def","pid":"other"})") == lines{"connected / def"});
    c.lose();
    CHECK(c.open() == lines{R"(send 0{"pid":"other","token":1})"}); // the offset belonged to the other pid
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
    // A server that no longer recovers is not asked to again.
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

} // namespace socketio_client_session_joining_test
