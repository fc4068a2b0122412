// A whole client and a real server, joined in memory (see drivers/stacks.hpp).

#include "drivers/socket_lines.hpp"
#include "drivers/stacks.hpp"
#include "drivers/whole_client.hpp"
#include "tools/catch.hpp"

#include <socketless/client.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stack_client_with_server_test {

using namespace socketless;
using namespace support::whole_client;
using namespace std::chrono_literals;
using engineio::transport;
using socketio::event_type;
using socketio::socket_handle;
using support::lines;

namespace {

// A server and one client, whose events are written down.
struct pair : support::stacks {
    explicit pair(client_options options = {}, server_options of_server = {}) : support::stacks(std::move(of_server)) {
        add(std::move(options));
        on_client_event = [this](std::size_t, event& e) {
            told.push_back(support::show(e));
            handle_client(e);
        };
        on_server_event = [this](event& e) { handle_server(e); };
    }

    std::function<void(event&)> handle_client = [](event&) {};
    std::function<void(event&)> handle_server = [](event&) {};
    lines told;

    socketless::client& own() { return client(0); }
    [[nodiscard]] std::size_t count(std::string_view start) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(told, [start](std::string const& line) { return line.starts_with(start); }));
    }
};

} // namespace

TEST_CASE("events come in order: disconnected, closed, reconnecting, opened, connected", "[client]") {
    pair p(over_websocket());
    REQUIRE(p.own().connect().has_value());
    p.settle();
    p.cut(0);
    p.mend(0);
    p.pass(10s);
    lines without_sid;
    for (auto const& line : p.told) without_sid.push_back(line.starts_with("connected") ? "connected" : line);
    CHECK(without_sid == lines{"opened", "connected", "disconnected /: transport close", "closed: transport close",
                               "reconnecting 1", "opened after 1", "connected"});
}

TEST_CASE("everything emitted around reconnections arrives in order, on every transport", "[client]") {
    std::vector<transport> const choices[] = {
        {transport::websocket}, {transport::polling}, {transport::polling, transport::websocket}};
    for (auto const& transports : choices) {
        pair p(over(transports));
        auto const socket = *p.own().connect();
        std::vector<int> received;
        p.handle_server = [&](client::event& e) {
            if (e.type == event_type::event) received.push_back(e.get<int>().value_or(-1));
        };
        int sent = 0;
        for (int round = 0; round != 5; ++round) {
            for (int i = 0; i != 3; ++i) {
                CHECK(p.own().emit(socket, "n", sent++).has_value());
                p.pass(7ms);
            }
            p.cut(0);
            CHECK(p.own().emit(socket, "n", sent++).has_value());
            p.pass(1s); // fails
            CHECK(p.own().emit(socket, "n", sent++).has_value());
            p.mend(0);
            p.pass(10s);
            CHECK(p.own().is_connected(socket));
        }
        std::vector<int> all;
        for (int i = 0; i != sent; ++i) all.push_back(i);
        CHECK(received == all);
        CHECK(p.count("disconnected /: transport") == 5);
        CHECK(p.server.socket_count() == 1);
    }
}

TEST_CASE("traffic flows both ways while the connection is upgraded, and nothing is lost or told twice", "[client]") {
    pair p;
    auto const socket = *p.own().connect();
    // Each number that arrives is answered with the next one, three of them on their way at any time.
    constexpr int last = 60;
    std::vector<int> all;
    for (int n = 0; n != last; ++n) all.push_back(n);
    int next_of_client = 0;
    int next_of_server = 0;
    std::vector<int> at_server;
    std::vector<int> at_client;
    std::size_t at_client_before = 0;
    p.handle_server = [&](client::event& e) {
        if (e.type != event_type::event) return;
        at_server.push_back(e.get<int>().value_or(-1));
        CHECK(p.server.emit(e.socket, "n", next_of_server++).has_value());
    };
    p.handle_client = [&](client::event& e) {
        // The candidate, WebSocket 2, sends nothing until a third of the messages have come.
        if (e.type == event_type::opened) p.own().pause(2);
        if (at_client.size() == last / 3) p.own().resume(2);
        if (e.type == event_type::upgraded) at_client_before = at_client.size();
        if (e.type != event_type::event) return;
        at_client.push_back(e.get<int>().value_or(-1));
        if (next_of_client != last) CHECK(p.own().emit(socket, "n", next_of_client++).has_value());
    };
    while (next_of_client != 3) CHECK(p.own().emit(socket, "n", next_of_client++).has_value());
    p.pass(1s);
    CHECK(p.count("upgraded") == 1);
    CHECK(p.own().transport() == transport::websocket);
    CHECK(at_client_before > last / 3); // in the middle of the traffic
    CHECK(at_client_before < last);
    CHECK(at_server == all);
    CHECK(at_client == all);
}

TEST_CASE("a client that comes back in time is recovered, and told what it missed", "[client]") {
    server_options options;
    options.recovery.emplace();
    pair p(over_websocket(), options);
    auto const socket = *p.own().connect();
    std::optional<socket_handle> remote;
    p.handle_server = [&](client::event& e) {
        if (e.type == event_type::connected) remote = e.socket;
    };
    p.settle();
    std::string const sid(p.own().sid(socket));
    REQUIRE(remote.has_value());
    CHECK(p.server.emit(*remote, "news", 1).has_value());
    p.settle();
    p.cut(0);
    CHECK(p.server.in("/").emit("news", 2).has_value());
    p.mend(0);
    p.pass(2s);
    CHECK(p.own().sid(socket) == sid);
    CHECK(p.count("connected / " + sid + " recovered") == 1);
    CHECK(p.count(R"(event / ["news",1,)") == 1);
    CHECK(p.count(R"(event / ["news",2,)") == 1);
    // Not after it has left.
    p.own().disconnect(socket);
    p.settle();
    REQUIRE(p.own().connect().has_value());
    p.settle();
    CHECK(p.own().sid(socket) != sid);
    CHECK(p.count("connected / " + sid + " recovered") == 1);
}

TEST_CASE("the heartbeat keeps an idle connection open for a day, over each transport and in both revisions",
          "[client]") {
    for (auto const revision : {engineio::revision::v4, engineio::revision::v3}) {
        for (auto const t : {transport::polling, transport::websocket}) {
            server_options options;
            options.engine.allow_v3 = true;
            auto own = over({t});
            own.revision = revision;
            pair p(own, options);
            auto const socket = *p.own().connect();
            p.pass(24h);
            CHECK(p.own().is_connected(socket));
            CHECK(p.told.size() == 2);
        }
    }
}

TEST_CASE("open_failed says what the server has answered", "[client]") {
    auto options = over_polling();
    options.reconnection = false;
    socketless::client client(options, always(0), support::start);
    CHECK(client.connect().has_value());
    std::string buffer;
    auto const get = client.poll_transmit(buffer);
    REQUIRE(get.has_value());
    std::string body = R"({"code":4,"message":"Forbidden"})";
    client.http_response(get->id, 403, false, body, support::start);
    auto const e = client.poll_event();
    REQUIRE(e.has_value());
    CHECK(e->type == event_type::open_failed);
    CHECK(e->status == 403);
    CHECK(e->message.get<std::string>() == "Forbidden");
    CHECK(engineio::decode_request_error(e->data.raw()) == engineio::request_error::forbidden);
    CHECK(e->data.find("code")->get<int>() == 4);
}

TEST_CASE("open_failed says why a WebSocket was refused, if the reason is known", "[client]") {
    for (bool const is_known : {true, false}) {
        auto options = over_websocket();
        options.reconnection = false;
        socketless::client client(options, always(0), support::start);
        CHECK(client.connect().has_value());
        std::string buffer;
        auto const open = client.poll_transmit(buffer);
        REQUIRE(open.has_value());
        if (is_known)
            client.channel_refused(open->id, 502, "<html>", support::start);
        else
            client.channel_closed(open->id, support::start);
        auto const e = client.poll_event();
        REQUIRE(e.has_value());
        CHECK(e->type == event_type::open_failed);
        CHECK(e->status == (is_known ? 502 : 0));
        CHECK(e->message.empty());
        CHECK(e->data.empty());
    }
}

TEST_CASE("an invalid path is an error of connect and of open", "[client]") {
    for (char const* const path : {"/a?b", "/a#b"}) {
        auto options = over_websocket();
        options.path = path;
        socketless::client client(options, always(0), support::start);
        CHECK(client.connect().error() == error{errc::invalid_request_target, 2});
        CHECK(client.connect("/", json::object("token", 1)).error() == error{errc::invalid_request_target, 2});
        CHECK(client.open() == error{errc::invalid_request_target, 2});
        CHECK(client.is_idle());
        CHECK_FALSE(client.poll_event().has_value());
        std::string buffer;
        CHECK_FALSE(client.poll_transmit(buffer).has_value());
        CHECK_FALSE(client.poll_timeout().has_value());
    }
}

TEST_CASE("requests of two clients differ", "[client]") {
    auto const first_target = [](unsigned random_byte) {
        socketless::client client(over_polling(), always(random_byte), support::start);
        CHECK(client.connect().has_value());
        std::string buffer;
        return std::string(client.poll_transmit(buffer)->target);
    };
    CHECK(first_target(1) == first_target(1));
    CHECK(first_target(1) != first_target(2));
}

} // namespace stack_client_with_server_test
