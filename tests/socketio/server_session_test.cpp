#include "support/catch.hpp"
#include "support/socketio_server.hpp"

#include <socketless/json/writer.hpp>
#include <socketless/socketio/server_session.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace socketio_server_session_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace std::chrono_literals;
using support::binary;
using support::lines;
using driver = support::socketio_server_driver;

namespace {

constexpr auto v4 = revision::v4;
constexpr auto v5 = revision::v5;

constexpr std::byte one_two[] = {std::byte{1}, std::byte{2}};

socketio::server_options with_limits(limits const& l) {
    socketio::server_options options;
    options.limits = l;
    return options;
}

// The end of a connection whose only socket is that of "/".
lines ended(std::string_view reason) {
    return {"disconnected /: " + std::string(reason), "closed: " + std::string(reason), "close"};
}

lines operator+(lines a, lines const& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

} // namespace

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

//=== the state diagram ===//

namespace {

struct reaction {
    char const* packet;
    bool has_attachment;
    lines none;      // expected where the namespace is not joined,
    lines asked;     // where the application has not answered yet,
    lines connected; // where the client is in,
    lines left;      // and where the server has disconnected it and the client has not said that it heard.
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

TEST_CASE("what has been left is remembered until the client has heard", "[server_session]") {
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

TEST_CASE("disconnecting what is not connected is harmless", "[server_session]") {
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
    CHECK_FALSE(s.requests[0]); // NOLINT: what it is then is what is tested
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

//=== limits ===//

TEST_CASE("a connection may be in so many namespaces at once", "[server_session]") {
    socketio::server_options options;
    options.max_sockets = 2;
    for (auto const r : {v5, v4}) {
        driver s(r, options);
        s.join();
        CHECK(s.receive("0/a") == lines{"connecting /a"});
        CHECK(s.receive("0/b") ==
              lines{r == v5 ? R"(send 4/b,{"message":"Too many namespaces"})" : R"(send 4/b,"Too many namespaces")"});
        s.accept("/a");
        s.receive("1/a");
        CHECK(s.receive("0/b") == lines{"connecting /b"});
    }
}

TEST_CASE("what has been left gives way to another namespace", "[server_session]") {
    socketio::server_options options;
    options.max_sockets = 2;
    driver s(v5, options);
    s.join();
    s.join("/a");
    s.disconnect("/a");
    CHECK(s.receive("0/b") == lines{"connecting /b"});
    s.accept("/b");
    CHECK(s.receive("0/c") == lines{R"(send 4/c,{"message":"Too many namespaces"})"});
    CHECK(s.receive(R"(2/b,["x"])") == lines{R"(event /b ["x"])"});
    CHECK(s.receive(R"(2/a,["late"])") == lines{"disconnected /: forced server close",
                                                "disconnected /b: forced server close", "closed: forced server close",
                                                "close"});
}

TEST_CASE("a connection may owe so many acknowledgements", "[server_session]") {
    socketio::server_options options;
    options.max_pending_acks = 2;
    driver s(v5, options);
    s.join();
    s.emit_with_ack("/", 1, std::nullopt, "q");
    s.emit_with_ack("/", 2, 1s, "q");
    CHECK(s.session.emit_with_ack(s.socket(), 3, std::nullopt, "q") == error{errc::too_many_acks});
    CHECK(s.session.expect_ack(s.socket(), 3, std::nullopt) == error{errc::too_many_acks});
    CHECK(s.drain().empty());
    s.receive("31[]");
    CHECK(s.emit_with_ack("/", 4, std::nullopt, "q") == lines{R"(send 24["q"])"});
    s.at(1'000);
    CHECK(s.emit_with_ack("/", 5, std::nullopt, "q") == lines{R"(send 25["q"])"});
}

TEST_CASE("a connection for which too much waits ends, and what waited is lost", "[server_session]") {
    socketio::server_options options;
    options.max_queued = 40;
    std::string const large(30, 'x');
    driver s(v5, options);
    s.join();
    CHECK(s.emit("/", "e", large) == lines{"send 2[\"e\",\"" + large + "\"]"}); // exactly 40 bytes
    CHECK(s.after([&] {
        CHECK(s.session.emit(s.socket(), "e"));
        CHECK(s.session.emit(s.socket(), "e", large) == error{errc::queue_overflow});
        CHECK(s.session.emit(s.socket(), "e") == error{errc::not_connected});
    }) == ended("queue overflow"));
}

TEST_CASE("an acknowledgement that is asked for in vain is not awaited", "[server_session]") {
    socketio::server_options options;
    options.max_queued = 40;
    driver s(v5, options);
    s.join();
    CHECK(s.after([&] {
        CHECK(s.session.emit_with_ack(s.socket(), 1, 1s, "e", std::string(40, 'x')) == error{errc::message_too_large});
    }) == lines{});
    CHECK(s.after([&] {
        CHECK(s.session.emit(s.socket(), "e"));
        CHECK(s.session.emit_with_ack(s.socket(), 1, 1s, "e", std::string(26, 'x')) == error{errc::queue_overflow});
    }) == ended("queue overflow"));
}

TEST_CASE("what is too large alone is refused, and ends nothing", "[server_session]") {
    socketio::server_options options;
    options.max_queued = 40;
    std::string const large(40, 'x');
    SECTION("an acceptance") {
        driver s(v5, options);
        s.receive("0");
        CHECK(s.after([&] { CHECK(s.session.accept(s.socket(), large) == error{errc::message_too_large}); }).empty());
        CHECK(s.after([&] { CHECK(s.session.accept(s.socket(), "sid").has_value()); }).size() == 1);
    }
    SECTION("a refusal, which may be tried again") {
        driver s(v5, options);
        s.receive("0");
        CHECK(s.after([&] { CHECK(s.session.refuse(s.socket(), large) == error{errc::message_too_large}); }).empty());
        CHECK(s.after([&] { CHECK(s.session.refuse(s.socket(), "no").has_value()); }) ==
              lines{R"(send 4{"message":"no"})"});
    }
    SECTION("an acknowledgement, which may be tried again") {
        driver s(v5, options);
        s.join();
        s.receive(R"(21["q"])");
        REQUIRE(s.requests.size() == 1);
        CHECK(s.after([&] {
                   CHECK(s.session.acknowledge(s.requests[0], large) == error{errc::message_too_large});
               }).empty());
        CHECK(s.after([&] { CHECK(s.session.acknowledge(s.requests[0], "short").has_value()); }) ==
              lines{R"(send 31["short"])"});
    }
    SECTION("an event, its attachments counted") {
        driver s(v5, options);
        s.join();
        CHECK(s.after([&] {
                   CHECK(s.session.emit(s.socket(), "e", std::string(32, 'x')) == error{errc::message_too_large});
                   CHECK(s.session.emit(s.socket(), "e", as_bytes(large)) == error{errc::message_too_large});
               }).empty());
        CHECK(s.emit("/", "e", std::string(30, 'x')).size() == 1);
    }
}

TEST_CASE("what the client would refuse is not sent to it", "[server_session]") {
    socketio::server_options options;
    options.limits.max_attachments = 2;
    options.limits.max_attachments_size = 5;
    options.limits.max_depth = 3;
    driver s(v5, options);
    s.join();
    s.receive(R"(21["q"])");
    REQUIRE(s.requests.size() == 1);
    auto const one = as_bytes(std::string_view("1"));
    auto const three = as_bytes(std::string_view("123"));
    std::vector<std::vector<std::vector<int>>> const deep(1, {{}});
    CHECK(s.after([&] {
               CHECK(s.session.emit(s.socket(), "e", one, one, one) == error{errc::too_many_attachments});
               CHECK(s.session.emit(s.socket(), "e", std::vector{three, three}) == error{errc::attachments_too_large});
               CHECK(s.session.emit(s.socket(), "e", deep) == error{errc::depth_exceeded});
               CHECK(s.session.emit_with_ack(s.socket(), 1, 1s, "e", one, one, one) ==
                     error{errc::too_many_attachments});
               CHECK(s.session.acknowledge(s.requests[0], one, one, one) == error{errc::too_many_attachments});
               CHECK(s.session.acknowledge(s.requests[0], deep) == error{errc::depth_exceeded});
           }).empty());
    CHECK(s.session.poll_timeout() == std::nullopt); // nothing is awaited
    CHECK(s.emit("/", "e", one, one).size() == 3);
    CHECK(s.emit("/", "e", deep.front()).size() == 1);
    CHECK(s.after([&] { CHECK(s.session.acknowledge(s.requests[0], one, one).has_value()); }).size() == 3);
}

TEST_CASE("the data of a refusal is no deeper than its client reads", "[server_session]") {
    socketio::server_options options;
    options.limits.max_depth = 3;
    driver s(v5, options);
    s.receive("0/a");
    CHECK(s.after([&] {
        auto const socket = s.socket("/a");
        CHECK(s.session.refuse(socket, "no", json::text::trusted("[[[]]]")) == error{errc::depth_exceeded});
        CHECK(s.session.refuse(socket, "no", std::vector<std::vector<std::vector<int>>>(1, {{}})) ==
              error{errc::depth_exceeded});
        CHECK(s.session.refuse(socket, "no", json::text::trusted("[[]]")).has_value());
    }) == lines{R"(send 4/a,{"message":"no","data":[[]]})"});
}

TEST_CASE("nothing joined within connect_timeout: the connection is closed", "[server_session]") {
    SECTION("nothing asked") {
        driver s;
        CHECK(s.session.poll_timeout() == support::start + 45s);
        CHECK(s.at(44'999).empty());
        CHECK(s.at(45'000) == lines{"closed: forced server close", "close"});
    }
    SECTION("asked and not answered") {
        driver s(v4);
        CHECK(s.drain() == lines{"connecting /"});
        CHECK(s.at(45'000) == ended("forced server close"));
        CHECK(s.session.accept(s.socket(), "sid") == error{errc::not_connected});
    }
    SECTION("asked and refused") {
        driver s;
        s.receive("0");
        CHECK(s.session.refuse(s.socket(), "no"));
        s.drain();
        CHECK(s.at(45'000) == lines{"closed: forced server close", "close"});
    }
    SECTION("but who has joined once may stay without any") {
        driver s;
        s.join();
        s.receive("1");
        CHECK_FALSE(s.session.poll_timeout());
        CHECK(s.at(1'000'000).empty());
        CHECK(s.receive("0") == lines{"connecting /"});
    }
    SECTION("as the options say") {
        socketio::server_options options;
        options.connect_timeout = 10ms;
        driver s(v5, options);
        CHECK(s.at(10) == lines{"closed: forced server close", "close"});
    }
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

// A connection with two sockets and one that asks to be; what came of `close`. After it there is nothing more.
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
    CHECK(s.session.tag(s.socket()) == 7); // while its end is told
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

} // namespace socketio_server_session_test
