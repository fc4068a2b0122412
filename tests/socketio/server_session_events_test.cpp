#include "drivers/socketio_server.hpp"
#include "tools/catch.hpp"

#include <socketless/json/writer.hpp>
#include <socketless/socketio/server_session.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace socketio_server_session_events_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace support::socketio_server;
using namespace std::chrono_literals;
using support::binary;
using support::lines;

//=== events ===//

TEST_CASE("an event arrives with its arguments as they were sent", "[server_session]") {
    for (auto const r : {v5, v4}) {
        driver s(r);
        s.join();
        s.join("/a");
        CHECK(s.receive(R"(2["news",1,"two",[3],{"four":null}])") ==
              lines{R"(event / ["news",1,"two",[3],{"four":null}])"});
        CHECK(s.receive(R"(2/a,["news"])") == lines{R"(event /a ["news"])"});
        CHECK(s.receive(R"(2[7,"x"])") == lines{R"(event / [7,"x"])"});
        CHECK(s.receive(R"(2/,["root"])") == lines{R"(event / ["root"])"});
        CHECK(s.receive(R"(2["error"])") == lines{R"(event / ["error"])"});
    }
}

TEST_CASE("a binary event arrives once all of its attachments have", "[server_session]") {
    for (auto const r : {v5, v4}) {
        driver s(r);
        s.join("/");
        CHECK(s.receive(R"(52-["e",{"num":1,"_placeholder":true},[{"_placeholder":true,"num":0,"x":1}]])").empty());
        CHECK(s.receive(binary("\x01\x02")).empty());
        CHECK(s.receive(binary("")) ==
              lines{R"(event / ["e",{"num":1,"_placeholder":true},[{"_placeholder":true,"num":0,"x":1}]] <0102> <>)"});
    }
}

TEST_CASE("a placeholder in a packet without attachments is plain data", "[server_session]") {
    driver s;
    s.join();
    CHECK(s.receive(R"(2["e",{"_placeholder":true,"num":"splice"}])") ==
          lines{R"(event / ["e",{"_placeholder":true,"num":"splice"}])"});
}

TEST_CASE("an event may be the last thing of a namespace that is answered in the handler", "[server_session]") {
    driver s;
    s.join();
    std::string const wire = R"(2["question","text"])";
    s.session.message_received({frame_kind::text, wire}, s.now);
    auto const e = s.session.poll_event();
    REQUIRE(e);
    CHECK(s.session.emit(e->socket, "answer", e->get<std::string>().value_or(""), e->nsp));
    s.session.disconnect(e->socket);
    CHECK(e->name() == "question"); // emitting and disconnecting do not end its life
    CHECK(e->packet.packet.data.raw() == R"(["question","text"])");
    CHECK(s.drain() ==
          lines{"disconnected /: server namespace disconnect", R"(send 2["answer","text","/"])", "send 1"});
}

TEST_CASE("events go out as the reference writes them", "[server_session]") {
    for (auto const r : {v5, v4}) {
        driver s(r);
        s.join();
        s.join("/a");
        CHECK(s.emit("/", "news") == lines{R"(send 2["news"])"});
        CHECK(s.emit("/a", "news", 1, 2.5, true, nullptr, "x\n") ==
              lines{R"(send 2/a,["news",1,2.5,true,null,"x\n"])"});
        CHECK(s.emit("/a", "b", byte_view(one_two), json::object("y", byte_view(one_two).subspan(1))) ==
              lines{R"(send 52-/a,["b",{"_placeholder":true,"num":0},{"y":{"_placeholder":true,"num":1}}])",
                    "send <0102>", "send <02>"});
    }
}

TEST_CASE("an event of declared types goes out by its name", "[server_session]") {
    constexpr typed_event<int, std::string> moved{"moved"};
    driver s;
    s.join();
    CHECK(s.after([&] { CHECK(s.session.emit(s.socket(), moved, 3, "north")); }) ==
          lines{R"(send 2["moved",3,"north"])"});
}

TEST_CASE("an event that cannot be sent leaves no trace", "[server_session]") {
    driver s;
    s.join();
    for (char const* reserved :
         {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
        CHECK(s.session.emit(s.socket(), reserved, byte_view(one_two)).error().code == errc::reserved_event_name);
    CHECK(s.session.emit(s.socket(), "x", "\xff").error().code == errc::invalid_utf8);
    CHECK(s.session.emit_with_ack(s.socket(), 1, 1s, "x", "\xff").error().code == errc::invalid_utf8);
    CHECK(s.session.emit_with_ack(s.socket(), max_ack_id + 1, 1s, "x").error().code == errc::invalid_ack_id);
    CHECK(s.drain().empty());
    CHECK_FALSE(s.session.poll_timeout());
}

TEST_CASE("what is emitted goes in order, whole packets behind each other", "[server_session]") {
    driver s;
    s.join();
    s.join("/a");
    CHECK(s.after([&] {
        CHECK(s.session.emit(s.socket(), "1", byte_view(one_two)));
        CHECK(s.session.emit(s.socket("/a"), "2"));
        s.session.disconnect(s.socket("/a"));
        CHECK(s.session.emit(s.socket(), "3"));
    }) == lines{"disconnected /a: server namespace disconnect", R"(send 51-["1",{"_placeholder":true,"num":0}])",
                "send <0102>", R"(send 2/a,["2"])", "send 1/a,", R"(send 2["3"])"});
}

//=== acknowledgements that the client asks for ===//

TEST_CASE("an event that asks is acknowledged by its id, once", "[server_session]") {
    for (auto const r : {v5, v4}) {
        driver s(r);
        s.join();
        s.join("/a");
        CHECK(s.receive(R"(2/a,9007199254740991["q"])") == lines{R"(event /a ["q"] ack 9007199254740991)"});
        REQUIRE(s.requests.size() == 1);
        auto& request = s.requests[0];
        CHECK(s.after([&] { CHECK(s.session.acknowledge(request, "yes", 1)); }) ==
              lines{R"(send 3/a,9007199254740991["yes",1])"});
        CHECK_FALSE(request);
        CHECK(s.session.acknowledge(request) == error{errc::already_acknowledged});
        CHECK(s.drain().empty());
    }
}

TEST_CASE("an acknowledgement may be empty, or carry attachments", "[server_session]") {
    driver s;
    s.join();
    s.receive(R"(20["q"])");
    s.receive(R"(21["q"])");
    REQUIRE(s.requests.size() == 2);
    CHECK(s.after([&] { CHECK(s.session.acknowledge(s.requests[1], byte_view(one_two))); }) ==
          lines{R"(send 61-1[{"_placeholder":true,"num":0}])", "send <0102>"});
    CHECK(s.after([&] { CHECK(s.session.acknowledge(s.requests[0])); }) == lines{"send 30[]"});
}

TEST_CASE("an event without an id asks for nothing", "[server_session]") {
    driver s;
    s.join();
    s.receive(R"(2["e"])");
    CHECK(s.requests.empty());
    ack_request none;
    CHECK(s.session.acknowledge(none) == error{errc::already_acknowledged});
}

TEST_CASE("the right to acknowledge moves with its value and can be tried again after an error", "[server_session]") {
    driver s;
    s.join();
    s.receive(R"(27["q"])");
    REQUIRE(s.requests.size() == 1);
    ack_request request = std::move(s.requests[0]);
    CHECK_FALSE(s.requests[0]); // NOLINT: tests the state after the move
    CHECK(s.session.acknowledge(request, "\xff").error().code == errc::invalid_utf8);
    CHECK(request);
    CHECK(s.after([&] { CHECK(s.session.acknowledge(request)); }) == lines{"send 37[]"});
}

TEST_CASE("the right to acknowledge ends with the socket", "[server_session]") {
    driver s;
    s.join();
    s.join("/a");
    s.receive(R"(2/a,1["q"])");
    REQUIRE(s.requests.size() == 1);
    s.receive("1/a");
    CHECK(s.session.acknowledge(s.requests[0]) == error{errc::not_connected});
    s.receive("0/a");
    s.accept("/a");
    CHECK(s.session.acknowledge(s.requests[0]) == error{errc::not_connected});
    s.cut();
    CHECK(s.session.acknowledge(s.requests[0]) == error{errc::not_connected});
    CHECK(s.drain().empty());
}

TEST_CASE("two events with the same id are acknowledged each: ids are the client's affair", "[server_session]") {
    driver s;
    s.join();
    s.receive(R"(21["q"])");
    s.receive(R"(21["q"])");
    REQUIRE(s.requests.size() == 2);
    CHECK(s.after([&] { CHECK(s.session.acknowledge(s.requests[0], 1)); }) == lines{"send 31[1]"});
    CHECK(s.after([&] { CHECK(s.session.acknowledge(s.requests[1], 2)); }) == lines{"send 31[2]"});
}

//=== acknowledgements that the client owes ===//

TEST_CASE("an acknowledgement is told once with its arguments", "[server_session]") {
    for (auto const r : {v5, v4}) {
        driver s(r);
        s.join();
        s.join("/a");
        CHECK(s.emit_with_ack("/", 3, std::nullopt, "q", 1) == lines{R"(send 23["q",1])"});
        CHECK(s.emit_with_ack("/a", 4, 1s, "q", byte_view(one_two)) ==
              lines{R"(send 51-/a,4["q",{"_placeholder":true,"num":0}])", "send <0102>"});
        CHECK(s.receive(R"(3/a,4["a",{"x":1}])") == lines{R"(ack 4 answered ["a",{"x":1}])"});
        CHECK(s.receive("33[]") == lines{"ack 3 answered []"});
        CHECK(s.receive("33[]").empty());
        CHECK(s.receive("3/a,4[]").empty());
        CHECK(s.at(1'000'000).empty());
    }
}

TEST_CASE("an acknowledgement of another namespace, or of an id that was not given, is ignored", "[server_session]") {
    driver s;
    s.join();
    s.join("/a");
    s.emit_with_ack("/", 5, std::nullopt, "q");
    for (char const* packet : {"3/a,5[]", "30[]", "34[]", "36[]", "39007199254740991[]"})
        CHECK(s.receive(packet).empty());
    CHECK(s.receive("35[1]") == lines{"ack 5 answered [1]"});
}

TEST_CASE("an acknowledgement times out at its time, and what comes later is ignored", "[server_session]") {
    driver s;
    s.join();
    s.join("/a");
    s.emit_with_ack("/", 1, 300ms, "q");
    s.emit_with_ack("/a", 2, 100ms, "q");
    s.emit_with_ack("/", 3, std::nullopt, "q");
    CHECK(s.session.poll_timeout() == support::start + 100ms);
    CHECK(s.at(99).empty());
    CHECK(s.at(100) == lines{"ack 2 timed out"});
    CHECK(s.receive("3/a,2[]").empty());
    CHECK(s.at(300) == lines{"ack 1 timed out"});
    CHECK_FALSE(s.session.poll_timeout());
    CHECK(s.receive("33[]") == lines{"ack 3 answered []"});
}

TEST_CASE("a timeout counts from the last time that the session was told", "[server_session]") {
    driver s;
    s.join();
    s.at(1'000);
    s.emit_with_ack("/", 1, 100ms, "q");
    CHECK(s.session.poll_timeout() == support::start + 1'100ms);
}

TEST_CASE("acknowledgements end before their socket, and sockets before the connection", "[server_session]") {
    driver s;
    s.join();
    s.join("/a");
    s.emit_with_ack("/a", 1, 1s, "q");
    s.emit_with_ack("/", 2, std::nullopt, "q");
    s.emit_with_ack("/a", 3, std::nullopt, "q");
    SECTION("when the connection is lost") {
        CHECK(s.cut() == lines{"ack 2 disconnected", "disconnected /: transport close", "ack 1 disconnected",
                               "ack 3 disconnected", "disconnected /a: transport close", "closed: transport close"});
    }
    SECTION("when the client leaves one of them") {
        CHECK(s.receive("1/a,") ==
              lines{"ack 1 disconnected", "ack 3 disconnected", "disconnected /a: client namespace disconnect"});
        CHECK(s.receive("32[]") == lines{"ack 2 answered []"});
    }
    SECTION("when the server disconnects one of them") {
        CHECK(s.disconnect("/a") == lines{"ack 1 disconnected", "ack 3 disconnected",
                                          "disconnected /a: server namespace disconnect", "send 1/a,"});
    }
    SECTION("when the client breaks the rules") {
        CHECK(s.receive("nonsense") == lines{"ack 2 disconnected", "disconnected /: parse error", "ack 1 disconnected",
                                             "ack 3 disconnected", "disconnected /a: parse error",
                                             "closed: parse error", "close"});
    }
    SECTION("and a deadline that has passed by then is a timeout") {
        s.now += 1s;
        CHECK(s.cut() == lines{"ack 1 timed out", "ack 2 disconnected", "disconnected /: transport close",
                               "ack 3 disconnected", "disconnected /a: transport close", "closed: transport close"});
    }
}

TEST_CASE("an acknowledgement of an event that the caller sends by itself ends as any other", "[server_session]") {
    driver s;
    s.join();
    CHECK(s.session.expect_ack({}, 1, std::nullopt) == error{errc::not_connected});
    auto const answered = [&] {
        std::string const wire = "31[true]";
        s.session.message_received({frame_kind::text, wire}, s.now);
        auto const e = s.session.poll_event();
        return e && e->type == event_type::ack && e->id == 1 && e->get<bool>() == true;
    };
    CHECK(s.session.expect_ack(s.socket(), 1, std::nullopt));
    CHECK(answered());
}

} // namespace socketio_server_session_events_test
