#include "drivers/socketio_server.hpp"
#include "tools/catch.hpp"

#include <socketless/json/writer.hpp>
#include <socketless/socketio/server_session.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace socketio_server_session_limits_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace support::socketio_server;
using namespace std::chrono_literals;
using support::lines;

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

TEST_CASE("a namespace that was left makes room for another", "[server_session]") {
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

TEST_CASE("an event that alone is too large is refused, and ends nothing", "[server_session]") {
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

} // namespace socketio_server_session_limits_test
