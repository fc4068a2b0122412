#include "drivers/socketio_client.hpp"
#include "tools/catch.hpp"

#include <socketless/socketio/client_session.hpp>

#include <string>
#include <string_view>

namespace socketio_client_session_states_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace support::socketio_client;
using support::lines;

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

    // The same before `disconnected` is polled.
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

} // namespace socketio_client_session_states_test
