#include "drivers/socketio_server.hpp"
#include "tools/catch.hpp"

#include <socketless/socketio/server_session.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace socketio_server_session_states_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace support::socketio_server;
using namespace std::chrono_literals;
using support::binary;
using support::lines;
using support::operator+;

namespace {

socketio::server_options with_limits(limits const& l) {
    socketio::server_options options;
    options.limits = l;
    return options;
}

} // namespace

//=== the state diagram ===//

namespace {

struct reaction {
    char const* packet;
    bool has_attachment;
    lines none;      // expected where the namespace is not joined,
    lines asked;     // where the application has not answered yet,
    lines connected; // where the client is in,
    lines left;      // and where the server has disconnected it, and the client has not answered that.
};

// The connection ends, with "/" and perhaps "/a" on it.
lines const end_without_a = ended("forced server close");
lines const end_with_a = {"disconnected /: forced server close", "disconnected /a: forced server close",
                          "closed: forced server close", "close"};
lines const nothing;
lines const asks = {"connecting /a"};

std::vector<reaction> reactions(revision r) {
    char const* const error = r == v4 ? R"(4/a,"m")" : R"(4/a,{"message":"m"})";
    return {
        {"0/a", false, asks, end_with_a, end_with_a, asks},
        {"1/a", false, end_without_a, end_with_a, {"disconnected /a: client namespace disconnect"}, nothing},
        {R"(2/a,["e"])", false, end_without_a, end_with_a, {R"(event /a ["e"])"}, nothing},
        {R"(2/a,5["e"])", false, end_without_a, end_with_a, {R"(event /a ["e"] ack 5)"}, nothing},
        {"3/a,1[2]", false, end_without_a, end_with_a, {"ack 1 answered [2]"}, nothing},
        {"3/a,9[]", false, end_without_a, end_with_a, nothing, nothing},
        {error, false, end_without_a, end_with_a, end_with_a, nothing},
        {R"(51-/a,["e",{"_placeholder":true,"num":0}])",
         true,
         end_without_a,
         end_with_a,
         {R"(event /a ["e",{"_placeholder":true,"num":0}] <0102>)"},
         nothing},
        {R"(61-/a,1[{"_placeholder":true,"num":0}])",
         true,
         end_without_a,
         end_with_a,
         {R"(ack 1 answered [{"_placeholder":true,"num":0}] <0102>)"},
         nothing},
    };
}

lines receive(driver& s, reaction const& what) {
    auto const first = s.receive(what.packet);
    return what.has_attachment ? first + s.receive(binary("\x01\x02")) : first;
}

void connect_and_ask(driver& s) {
    s.join();
    s.join("/a");
    s.emit_with_ack("/a", 1, std::nullopt, "question");
}

lines without_its_ack(lines all) {
    std::erase(all, "ack 1 disconnected");
    return all;
}

} // namespace

TEST_CASE("each packet in each state of a namespace", "[server_session]") {
    for (auto const r : {v5, v4}) {
        for (reaction const& what : reactions(r)) {
            CAPTURE(what.packet);
            driver none(r);
            none.join();
            CHECK(receive(none, what) == what.none);

            driver asked(r);
            asked.join();
            asked.receive("0/a");
            CHECK(receive(asked, what) == what.asked);

            driver connected(r);
            connect_and_ask(connected);
            CHECK(without_its_ack(receive(connected, what)) == what.connected);

            driver left(r);
            connect_and_ask(left);
            left.disconnect("/a");
            CHECK(receive(left, what) == what.left);
        }
    }
}

TEST_CASE("each packet in each state of another namespace changes nothing for a socket", "[server_session]") {
    for (reaction const& what : reactions(v5)) {
        CAPTURE(what.packet);
        driver s;
        s.join();
        s.join("/a");
        receive(s, what);
        if (s.session.is_closed()) continue;
        CHECK(s.emit("/", "still") == lines{R"(send 2["still"])"});
    }
}

TEST_CASE("a client that leaves may come back at once", "[server_session]") {
    for (auto const r : {v5, v4}) {
        driver s(r);
        s.join();
        s.join("/a");
        auto const first = s.socket("/a");
        CHECK(s.receive("1/a,") == lines{"disconnected /a: client namespace disconnect"});
        CHECK(s.receive("0/a,") == lines{"connecting /a"});
        CHECK(s.socket("/a") != first);
        CHECK(s.session.emit(first, "x") == error{errc::not_connected});
        s.accept("/a");
        CHECK(s.session.emit(first, "x") == error{errc::not_connected});
        CHECK(s.emit("/a", "x") == lines{R"(send 2/a,["x"])"});
    }
}

TEST_CASE("a socket that the server disconnects is told, and what was on its way is ignored", "[server_session]") {
    for (auto const r : {v5, v4}) {
        driver s(r);
        s.join();
        s.join("/a");
        CHECK(s.disconnect("/a") == lines{"disconnected /a: server namespace disconnect", "send 1/a,"});
        CHECK(s.receive(R"(2/a,["late"])").empty());
        CHECK(s.receive(R"(2/a,3["late"])").empty());
        CHECK(s.receive(R"(51-/a,["late",{"_placeholder":true,"num":0}])").empty());
        CHECK(s.receive(binary("\x01")).empty());
        CHECK(s.receive(R"(2["other"])") == lines{R"(event / ["other"])"});
    }
}

TEST_CASE("a namespace that was left is remembered until the client has heard", "[server_session]") {
    SECTION("by its DISCONNECT, once") {
        driver s;
        s.join();
        s.join("/a");
        s.disconnect("/a");
        CHECK(s.receive("1/a,").empty());
        CHECK(s.receive("1/a,") == ended("forced server close"));
    }
    SECTION("by its CONNECT, which is a question like any other") {
        driver s;
        s.join();
        s.join("/a");
        s.disconnect("/a");
        CHECK(s.receive("0/a,") == lines{"connecting /a"});
        CHECK(s.receive(R"(2/a,["early"])") == lines{"disconnected /: forced server close",
                                                     "disconnected /a: forced server close",
                                                     "closed: forced server close", "close"});
    }
    SECTION("and ends without a word with the connection") {
        driver s;
        s.join();
        s.join("/a");
        s.disconnect("/a");
        CHECK(s.cut() == lines{"disconnected /: transport close", "closed: transport close"});
    }
}

TEST_CASE("a namespace that is left in the middle of a binary packet still takes its attachments", "[server_session]") {
    driver s;
    s.join();
    s.join("/a");
    s.receive(R"(52-/a,["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])");
    s.receive(binary("\x01"));
    s.disconnect("/a");
    CHECK(s.receive(binary("\x02")).empty());
    CHECK(s.receive(R"(2["on"])") == lines{R"(event / ["on"])"});
}

TEST_CASE("disconnecting a socket that is not connected is harmless", "[server_session]") {
    driver s;
    s.join();
    CHECK(s.after([&] { s.session.disconnect({}); }).empty());
    CHECK(s.after([&] { s.session.disconnect({99, 1}); }).empty());
    s.receive("0/a");
    CHECK(s.disconnect("/a").empty()); // it has asked only
    s.accept("/a");
    CHECK(s.after([&] {
        s.session.disconnect(s.socket("/a"));
        s.session.disconnect(s.socket("/a"));
    }) == lines{"disconnected /a: server namespace disconnect", "send 1/a,"});
    CHECK(s.disconnect("/a").empty());
}

//=== the end ===//

TEST_CASE("what cannot be decoded ends the connection, and every socket hears it once", "[server_session]") {
    for (auto const r : {v5, v4}) {
        for (char const* bad : {"",
                                "x",
                                "7",
                                "9[]",
                                "2",
                                "2[]",
                                "2{}",
                                "2[{}]",
                                "2[\"a\"",
                                "2[\"connect\"]",
                                "3[]",
                                "3x[]",
                                "29007199254740992[\"a\"]",
                                "0[]",
                                "0\"a\"",
                                "1{}",
                                "4[]",
                                "2 [\"a\"]",
                                "5[\"a\"]",
                                "5-[\"a\"]",
                                "50-[\"a\"]",
                                "511-[\"a\"]",
                                "2[\"\xff\"]",
                                "0/\xff"}) {
            CAPTURE(bad);
            driver s(r);
            s.join();
            s.join("/a");
            CHECK(s.receive(bad) ==
                  lines{"disconnected /: parse error", "disconnected /a: parse error", "closed: parse error", "close"});
            CHECK(s.receive(R"(2["more"])").empty());
            CHECK(s.cut().empty());
        }
    }
    driver old(v4);
    old.join();
    CHECK(old.receive("0/a,{}") == ended("parse error")); // auth came with revision 5
}

TEST_CASE("attachments come at once behind their header, or the connection ends", "[server_session]") {
    char const* const header = R"(52-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])";
    SECTION("none is due") {
        driver s;
        s.join();
        CHECK(s.receive(binary("\x01")) == ended("parse error"));
    }
    SECTION("one too many") {
        driver s;
        s.join();
        s.receive(header);
        s.receive(binary("\x01"));
        CHECK(s.receive(binary("\x02")).size() == 1);
        CHECK(s.receive(binary("\x03")) == ended("parse error"));
    }
    SECTION("text between them, even of another namespace") {
        for (char const* text : {R"(2["x"])", R"(2/a,["x"])", "0/b", "1/a"}) {
            driver s;
            s.join();
            s.join("/a");
            s.receive(header);
            s.receive(binary("\x01"));
            CHECK(s.receive(text) ==
                  lines{"disconnected /: parse error", "disconnected /a: parse error", "closed: parse error", "close"});
        }
    }
    SECTION("larger together than the limit") {
        limits l;
        l.max_attachments_size = 3;
        driver s(v5, with_limits(l));
        s.join();
        s.receive(header);
        CHECK(s.receive(binary("\x01\x02\x03")).empty());
        CHECK(s.receive(binary("\x04")) == ended("parse error"));
    }
    SECTION("more than the limit") {
        limits l;
        l.max_attachments = 1;
        driver s(v5, with_limits(l));
        s.join();
        CHECK(s.receive(header) == ended("parse error"));
    }
}

TEST_CASE("a binary packet for a namespace that is not connected is not waited for", "[server_session]") {
    for (auto const r : {v5, v4}) {
        driver s(r);
        s.join();
        s.receive("0/asked");
        auto const end = lines{"disconnected /: forced server close", "disconnected /asked: forced server close",
                               "closed: forced server close", "close"};
        CHECK(s.receive(R"(61-/asked,1[{"_placeholder":true,"num":0}])") == end);
    }
    driver s;
    CHECK(s.receive(R"(51-["e",{"_placeholder":true,"num":0}])") == lines{"closed: forced server close", "close"});
}

TEST_CASE("a connection that is lost ends for the reason that it had", "[server_session]") {
    using enum disconnect_reason;
    for (auto const reason :
         {transport_error, transport_close, forced_close, ping_timeout, parse_error, queue_overflow, open_timeout}) {
        driver s;
        s.join();
        s.receive("0/a");
        std::string const text(name(reason));
        CHECK(s.cut(reason) == lines{"disconnected /: " + text, "disconnected /a: " + text, "closed: " + text});
        CHECK(s.cut(transport_error).empty());
        CHECK_FALSE(s.session.poll_timeout());
    }
}

TEST_CASE("nothing is sent on a connection that is lost", "[server_session]") {
    driver s;
    s.join();
    CHECK(s.session.emit(s.socket(), "e", byte_view(one_two)));
    CHECK(s.cut() == lines{"disconnected /: transport close", "closed: transport close"});
    CHECK(s.session.emit(s.socket(), "e") == error{errc::not_connected});
    CHECK(s.session.emit_with_ack(s.socket(), 1, 1s, "e") == error{errc::not_connected});
    CHECK(s.session.expect_ack(s.socket(), 1, 1s) == error{errc::not_connected});
    CHECK(s.drain().empty());
}

namespace {

// Closes a connection with two sockets and one that asks to join; returns the lines. A second close does nothing.
lines closed(revision r, disconnect_reason reason) {
    driver s(r);
    s.join();
    s.join("/a");
    s.receive("0/asked");
    CHECK(s.session.emit(s.socket(), "bye"));
    auto const all = s.after([&] { s.session.close(reason); });
    CHECK(s.after([&] { s.session.close(disconnect_reason::server_shutting_down); }).empty());
    CHECK(s.receive("0/b").empty());
    CHECK(s.cut().empty());
    return all;
}

} // namespace

TEST_CASE("the server closes the connection, with or without a word to each namespace", "[server_session]") {
    for (auto const r : {v5, v4}) {
        CHECK(closed(r, disconnect_reason::server_namespace_disconnect) ==
              lines{"disconnected /: server namespace disconnect", "disconnected /a: server namespace disconnect",
                    "disconnected /asked: server namespace disconnect", "closed: server namespace disconnect",
                    R"(send 2["bye"])", "send 1", "send 1/a,", "close"});
        CHECK(closed(r, disconnect_reason::server_shutting_down) ==
              lines{"disconnected /: server shutting down", "disconnected /a: server shutting down",
                    "disconnected /asked: server shutting down", "closed: server shutting down", R"(send 2["bye"])",
                    "close"});
    }
}

TEST_CASE("a socket that was disconnected before the connection closes has its own reason", "[server_session]") {
    driver s;
    s.join();
    s.join("/a");
    s.session.disconnect(s.socket("/a"));
    s.session.close(disconnect_reason::forced_server_close);
    CHECK(s.drain() == lines{"disconnected /: forced server close", "disconnected /a: server namespace disconnect",
                             "closed: forced server close", "send 1/a,", "close"});
}

TEST_CASE("revision 4: a connection that ends before it was looked at was in no namespace", "[server_session]") {
    driver s(v4);
    CHECK(s.cut() == lines{"closed: transport close"});
    driver closed(v4);
    CHECK(closed.after([&] { closed.session.close(disconnect_reason::server_shutting_down); }) ==
          lines{"closed: server shutting down", "close"});
}

} // namespace socketio_server_session_states_test
