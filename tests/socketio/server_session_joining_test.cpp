#include "drivers/socketio_server.hpp"
#include "tools/catch.hpp"

#include <socketless/json/writer.hpp>
#include <socketless/socketio/server_session.hpp>

#include <string>

namespace socketio_server_session_joining_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace support::socketio_server;
using support::lines;

//=== CONNECT ===//

TEST_CASE("revision 5: nothing is connected until the client asks and the application accepts", "[server_session]") {
    driver s;
    CHECK(s.drain().empty());
    CHECK(s.receive("0") == lines{"connecting /"});
    CHECK_FALSE(s.session.is_connected(s.socket()));
    CHECK(s.session.emit(s.socket(), "early") == error{errc::not_connected});
    CHECK(s.accept("/", "AbC-_9") == lines{R"(send 0{"sid":"AbC-_9"})"});
    CHECK(s.session.is_connected(s.socket()));
}

TEST_CASE("revision 4: the namespace / is asked for by the connection itself, and its answer is bare",
          "[server_session]") {
    driver s(v4);
    CHECK(s.drain() == lines{"connecting /"});
    CHECK(s.accept("/", "AbC") == lines{"send 0"});
    CHECK(s.receive("0/a") == lines{"connecting /a"});
    CHECK(s.accept("/a", "DeF", "pid") == lines{"send 0/a,"});
}

TEST_CASE("a CONNECT brings its auth to the application", "[server_session]") {
    driver s;
    CHECK(s.receive(R"(0{"token":"x","n":[1,{}]})") == lines{R"(connecting / {"token":"x","n":[1,{}]})"});
    CHECK(s.receive(R"(0/a,{"token":2})") == lines{R"(connecting /a {"token":2})"});
    CHECK(s.accept("/a") == lines{R"(send 0/a,{"sid":"sid"})"});
    CHECK(s.receive("0/b,") == lines{"connecting /b"});
}

TEST_CASE("the answer to CONNECT tells the secret of recovery if there is one", "[server_session]") {
    driver s;
    s.receive("0/a");
    CHECK(s.accept("/a", "the sid", "the pid") == lines{R"(send 0/a,{"sid":"the sid","pid":"the pid"})"});
}

TEST_CASE("a query in a namespace is cut off in revision 4 and part of the name in revision 5", "[server_session]") {
    driver old(v4);
    old.join();
    CHECK(old.receive("0/a?token=x&y=/,") == lines{"connecting /a?token=x&y=/"});
    CHECK(old.accept("/a") == lines{"send 0/a,"});
    CHECK(old.receive("0/a?other=1,") == lines{"disconnected /: forced server close",
                                               "disconnected /a: forced server close", "closed: forced server close",
                                               "close"});
    driver s;
    CHECK(s.receive("0/a?token=x,") == lines{"connecting /a?token=x"});
    CHECK(s.receive("0/a,") == lines{"connecting /a"});
    CHECK(s.accept("/a?token=x") == lines{R"(send 0/a?token=x,{"sid":"sid"})"});
}

TEST_CASE("namespaces are compared literally", "[server_session]") {
    driver s;
    s.join();
    for (char const* nsp : {"/a", "/A", "/a/", "//a", "/a/../a", "/%61", "/./a", "/a b"})
        CHECK(s.receive("0" + std::string(nsp)) == lines{"connecting " + std::string(nsp)});
    CHECK(s.receive("0/,") == lines{"disconnected /: forced server close", "disconnected /a: forced server close",
                                    "disconnected /A: forced server close", "disconnected /a/: forced server close",
                                    "disconnected //a: forced server close",
                                    "disconnected /a/../a: forced server close",
                                    "disconnected /%61: forced server close", "disconnected /./a: forced server close",
                                    "disconnected /a b: forced server close", "closed: forced server close", "close"});
}

TEST_CASE("what a client did not send is handed on as null", "[server_session]") {
    driver s;
    s.receive("0/a");
    CHECK(s.after([&] { CHECK(s.session.refuse(s.socket("/a"), "no", json::text())); }) ==
          lines{R"(send 4/a,{"message":"no","data":null})"});
    s.join();
    CHECK(s.after([&] { CHECK(s.session.emit(s.socket(), "joined", json::text(), socketio::argument(), 1)); }) ==
          lines{R"(send 2["joined",null,null,1])"});
}

TEST_CASE("a refusal tells why, in an object or in revision 4 in a string", "[server_session]") {
    auto const details = json::object("code", 7);
    driver s;
    s.receive("0");
    CHECK(s.after([&] { CHECK(s.session.refuse(s.socket(), "not \"you\"")); }) ==
          lines{R"(send 4{"message":"not \"you\""})"});
    s.receive("0/a");
    CHECK(s.after([&] { CHECK(s.session.refuse(s.socket("/a"), "no", details)); }) ==
          lines{R"(send 4/a,{"message":"no","data":{"code":7}})"});
    driver old(v4);
    old.drain();
    CHECK(old.after([&] { CHECK(old.session.refuse(old.socket(), "no")); }) == lines{R"(send 4"no")"});
    old.receive("0/a");
    CHECK(old.after([&] { CHECK(old.session.refuse(old.socket("/a"), "no", details)); }) == lines{R"(send 4/a,"no")"});
}

TEST_CASE("a client that was refused may ask again", "[server_session]") {
    for (auto const r : {v5, v4}) {
        driver s(r);
        s.join();
        for (int i = 0; i != 3; ++i) {
            CHECK(s.receive("0/a") == lines{"connecting /a"});
            auto const socket = s.socket("/a");
            CHECK(s.session.refuse(socket, "later"));
            CHECK(s.session.refuse(socket, "later") == error{errc::not_connected});
            CHECK(s.session.accept(socket, "sid") == error{errc::not_connected});
            s.drain();
        }
    }
}

TEST_CASE("a refusal that cannot be written leaves the question open", "[server_session]") {
    driver s;
    s.receive("0");
    CHECK(s.session.refuse(s.socket(), "\xff") == error{errc::invalid_utf8});
    CHECK(s.session.accept(s.socket(), "\xff") == error{errc::invalid_utf8});
    CHECK(s.accept() == lines{R"(send 0{"sid":"sid"})"});
}

TEST_CASE("an answer comes at any time, in any order, but once", "[server_session]") {
    driver s;
    for (char const* nsp : {"0/a", "0/b", "0/c"}) s.receive(nsp);
    CHECK(s.accept("/c") == lines{R"(send 0/c,{"sid":"sid"})"});
    CHECK(s.session.accept(s.socket("/c"), "again") == error{errc::not_connected});
    CHECK(s.session.refuse(s.socket("/c"), "again") == error{errc::not_connected});
    s.at(10'000);
    CHECK(s.accept("/a") == lines{R"(send 0/a,{"sid":"sid"})"});
    CHECK(s.after([&] { CHECK(s.session.refuse(s.socket("/b"), "no")); }) == lines{R"(send 4/b,{"message":"no"})"});
}

TEST_CASE("an answer after the client has gone is refused", "[server_session]") {
    driver s;
    s.receive("0/a");
    CHECK(s.cut() == lines{"disconnected /a: transport close", "closed: transport close"});
    CHECK(s.session.accept(s.socket("/a"), "sid") == error{errc::not_connected});
    CHECK(s.session.refuse(s.socket("/a"), "no") == error{errc::not_connected});
    CHECK(s.drain().empty());
}

//=== handles and tags ===//

TEST_CASE("a handle names its socket and no other", "[server_session]") {
    driver s;
    s.join();
    s.join("/a");
    CHECK(s.session.nsp(s.socket("/a")) == "/a");
    auto const old = s.socket("/a");
    s.receive("1/a");
    s.receive("0/b");
    CHECK(s.socket("/b").index == old.index);
    CHECK(s.session.nsp(old).empty());
    CHECK(s.session.nsp({}).empty());
    CHECK(s.session.nsp({99, 1}).empty());
    CHECK_FALSE(s.session.is_connected(old));
    CHECK(s.session.accept(old, "sid") == error{errc::not_connected});
    CHECK(s.session.refuse(old, "no") == error{errc::not_connected});
}

TEST_CASE("a tag stays with its socket", "[server_session]") {
    driver s;
    s.join();
    s.join("/a");
    s.session.set_tag(s.socket(), 7);
    s.session.set_tag(s.socket("/a"), 8);
    s.receive("1");
    CHECK(s.session.tag(s.socket()) == 7); // still there while the application handles its end
    CHECK(s.session.tag(s.socket("/a")) == 8);
}

TEST_CASE("one queue serves many sessions when each is drained before another is called", "[server_session]") {
    socketio::server_options const options;
    message_queue queue;
    server_session a(options, queue, v4, support::start);
    server_session b(options, queue, v4, support::start);
    auto const drain = [](server_session& s) {
        lines all;
        while (auto const e = s.poll_event())
            if (e->type == event_type::connecting) CHECK(s.accept(e->socket, "sid"));
        while (auto const t = s.poll_transmit()) all.push_back(support::show(*t));
        return all;
    };
    CHECK(drain(a) == lines{"send 0"});
    CHECK(drain(b) == lines{"send 0"});
    CHECK(a.emit({0, 1}, "a"));
    CHECK(drain(a) == lines{R"(send 2["a"])"});
    CHECK(b.emit({0, 1}, "b"));
    CHECK(drain(b) == lines{R"(send 2["b"])"});
}

} // namespace socketio_server_session_joining_test
