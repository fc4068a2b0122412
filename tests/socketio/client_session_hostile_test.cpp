#include "drivers/socketio_client.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/socketio/client_session.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace socketio_client_session_hostile_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace support::socketio_client;
using namespace std::chrono_literals;
using support::lines;

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
        // The next connection starts without the unfinished packet.
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

} // namespace socketio_client_session_hostile_test
