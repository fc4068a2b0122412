// The whole client: when it opens, closes and connects again, what is told in which order, and what servers that break
// the rules can do to it: nothing. Where the server is a real one the two are joined in memory (support/stacks.hpp);
// elsewhere it is played by hand, frame by frame.

#include "support/catch.hpp"
#include "support/mutations.hpp"
#include "support/socket_lines.hpp"
#include "support/stacks.hpp"

#include <socketless/client.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stack_client_test {

using namespace socketless;
using namespace std::chrono_literals;
using engineio::transport;
using socketio::disconnect_reason;
using socketio::event_type;
using socketio::socket_handle;
using support::lines;

namespace {

// Randomness that is none: each byte is the same. 0x00 is no jitter at all, 0x40 makes waits an eighth shorter, 0x80 a
// quarter longer.
random_source always(unsigned byte) {
    return [byte](std::span<std::byte> bytes) { std::ranges::fill(bytes, static_cast<std::byte>(byte)); };
}

constexpr std::string_view handshake =
    R"(0{"sid":"engine","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})";

client_options over(std::vector<transport> transports) {
    client_options options;
    options.transports = std::move(transports);
    return options;
}
client_options over_websocket() {
    return over({transport::websocket});
}
client_options over_polling() {
    return over({transport::polling});
}

// A client, and a server that is played by hand. What must hold always is checked here: an exchange or a channel ends
// once, a connection that has opened is closed once, and events come in their order.
class driver {
public:
    explicit driver(client_options options = over_websocket(), unsigned random_byte = 0)
        : client(std::move(options), always(random_byte), support::start) {}

    socketless::client client;
    time_point now = support::start;
    std::set<std::uint64_t> exchanges;
    std::set<std::uint64_t> channels;
    std::map<std::uint64_t, std::string> targets;
    // What the application does in an event.
    std::function<void(client::event&)> on_event = [](client::event&) {};

    lines drain() {
        lines all;
        std::string buffer;
        for (;;) {
            if (auto e = client.poll_event()) {
                take(*e, all);
            } else if (auto const t = client.poll_transmit(buffer)) {
                take(*t);
                all.push_back(support::show(*t));
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

    socket_handle connect(std::string_view nsp = "/") {
        auto const socket = client.connect(nsp);
        REQUIRE(socket.has_value());
        return *socket;
    }
    lines disconnect(socket_handle socket) {
        return after([&] { client.disconnect(socket); });
    }
    template <class... Args>
    lines emit(socket_handle socket, std::string_view name, Args const&... args) {
        return after([&] { CHECK(client.emit(socket, name, args...).has_value()); });
    }

    // The network and the server.
    lines websocket(std::uint64_t channel, frame message) {
        support::exact_copy const copy(message.data);
        return after([&] { client.websocket_received(channel, {message.kind, copy.view()}, now); });
    }
    lines websocket(std::uint64_t channel, std::string_view message) {
        return websocket(channel, support::text(message));
    }
    lines channel_opened(std::uint64_t channel) {
        return after([&] { client.channel_opened(channel, now); });
    }
    lines cut(std::uint64_t channel) {
        channels.erase(channel);
        return after([&] { client.channel_closed(channel, now); });
    }
    lines answer(std::uint64_t exchange, std::string_view body, int status = 200) {
        exchanges.erase(exchange);
        support::exact_copy const copy(support::with_separators(body));
        return after([&] { client.http_response(exchange, status, false, copy.span(), now); });
    }
    lines fail(std::uint64_t exchange) {
        exchanges.erase(exchange);
        return after([&] { client.http_failed(exchange, now); });
    }

    // When the client wants to be woken, from now.
    [[nodiscard]] std::optional<milliseconds> due() const {
        auto const at = client.poll_timeout();
        if (!at) return std::nullopt;
        return std::chrono::duration_cast<milliseconds>(*at - now);
    }
    // Lets time pass; the client is called when it wants to be.
    lines pass(milliseconds how_long) {
        auto const until = now + how_long;
        lines all;
        for (auto at = client.poll_timeout(); at && *at <= until; at = client.poll_timeout()) {
            now = std::max(now, *at);
            auto const more = after([&] { client.handle_timeout(now); });
            all.insert(all.end(), more.begin(), more.end());
            REQUIRE(all.size() < 10'000);
        }
        now = until;
        auto const more = after([&] { client.handle_timeout(now); });
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    // Opens WebSocket `channel`, which the client has asked for.
    lines handshaken(std::uint64_t channel) {
        CHECK(channel_opened(channel).empty());
        return websocket(channel, handshake);
    }

private:
    void take(client::event& e, lines& all) {
        using enum event_type;
        all.push_back(support::show(e));
        if (e.type == opened) CHECK_FALSE(std::exchange(is_open_, true));
        if (e.type == connected || e.type == event) CHECK(is_open_);
        if (e.type == closed) is_open_ = false;
        if (e.type == open_failed || e.type == reconnecting) CHECK_FALSE(is_open_);
        on_event(e);
    }
    void take(engineio::transmit const& t) {
        using enum engineio::transmit_type;
        switch (t.type) {
        case get:
        case post:
            REQUIRE(exchanges.insert(t.id).second);
            targets[t.id] = t.target;
            break;
        case open_websocket:
        case open_stream:
            REQUIRE(channels.insert(t.id).second);
            targets[t.id] = t.target;
            break;
        case send: REQUIRE(channels.contains(t.id)); break;
        case close: REQUIRE(channels.erase(t.id) == 1); break;
        case abort: REQUIRE(exchanges.erase(t.id) == 1); break;
        default: FAIL("a client does not answer exchanges");
        }
    }

    bool is_open_ = false;
};

// Connected to "/" over WebSocket 1.
struct connected_driver : driver {
    explicit connected_driver(client_options options = over_websocket(), unsigned random_byte = 0)
        : driver(std::move(options), random_byte) {
        socket = connect();
        REQUIRE(drain() == lines{"open websocket 1"});
        REQUIRE(handshaken(1) == lines{"opened", "send 1: 40"});
        REQUIRE(websocket(1, R"(40{"sid":"abc"})") == lines{"connected / abc"});
    }

    socket_handle socket;
};

} // namespace

//=== opening and closing ===//

TEST_CASE("joining a namespace opens the connection, and the last one that is left closes it", "[client]") {
    driver c;
    CHECK(c.drain().empty());
    CHECK(c.client.is_idle());
    auto const root = c.connect();
    auto const admin = c.connect("/admin");
    CHECK(c.drain() == lines{"open websocket 1"});
    CHECK_FALSE(c.client.is_idle());
    CHECK_FALSE(c.client.is_open());
    CHECK(c.handshaken(1) == lines{"opened", "send 1: 40", "send 1: 40/admin,"});
    CHECK(c.client.is_open());
    CHECK(c.websocket(1, R"(40{"sid":"abc"})") == lines{"connected / abc"});
    CHECK(c.websocket(1, R"(40/admin,{"sid":"def"})") == lines{"connected /admin def"});
    CHECK(c.client.sid(admin) == "def");
    CHECK(c.client.nsp(admin) == "/admin");
    CHECK(c.disconnect(root) == lines{"disconnected /: io client disconnect", "send 1: 41"});
    CHECK(c.client.is_open());
    CHECK(c.disconnect(admin) ==
          lines{"disconnected /admin: io client disconnect", "send 1: 41/admin,", "close 1", "closed: forced close"});
    CHECK(c.client.is_idle());
    CHECK(c.due() == std::nullopt);
}

TEST_CASE("without auto_connect the connection is opened by open", "[client]") {
    auto options = over_websocket();
    options.auto_connect = false;
    driver c(options);
    auto const socket = c.connect();
    CHECK(c.drain().empty());
    CHECK(c.client.is_idle());
    CHECK(c.client.open());
    CHECK(c.client.open()); // once
    CHECK(c.drain() == lines{"open websocket 1"});
    CHECK(c.client.open());
    CHECK(c.handshaken(1) == lines{"opened", "send 1: 40"});
    CHECK(c.client.open());
    CHECK(c.drain().empty());
    c.client.close();
    c.drain();
    CHECK(c.client.is_idle());
    c.disconnect(socket);
    c.connect();
    CHECK(c.drain().empty());
    CHECK(c.client.is_idle());
}

TEST_CASE("open needs no namespace: one that is joined later uses the connection", "[client]") {
    driver c;
    CHECK(c.client.open());
    CHECK(c.drain() == lines{"open websocket 1"});
    CHECK(c.handshaken(1) == lines{"opened"});
    CHECK(c.pass(10s).empty());
    c.connect("/later");
    CHECK(c.drain() == lines{"send 1: 40/later,"});
}

TEST_CASE("close leaves all namespaces, sends what is queued and closes: no other attempt is made", "[client]") {
    connected_driver c;
    c.connect("/waiting");
    c.drain();
    CHECK(c.client.emit(c.socket, "last").has_value());
    c.client.close();
    CHECK(c.drain() == lines{"disconnected /: io client disconnect", R"(send 1: 42["last"])", "send 1: 41", "close 1",
                             "closed: forced close"});
    CHECK(c.client.is_idle());
    CHECK(c.pass(60s).empty());
    c.client.close();
    CHECK(c.drain().empty());
}

TEST_CASE("the last namespace that is left before the server has answered closes the connection", "[client]") {
    driver c;
    auto const socket = c.connect();
    c.drain();
    c.handshaken(1);
    CHECK(c.disconnect(socket) == lines{"close 1", "closed: forced close"});
    CHECK(c.client.is_idle());
}

TEST_CASE("close while opening gives up: while waiting no attempt follows", "[client]") {
    driver c;
    c.connect();
    c.drain();
    c.client.close();
    CHECK(c.drain() == lines{"closed: forced close", "close 1"});
    CHECK(c.client.is_idle());
    c.connect();
    CHECK(c.drain() == lines{"open websocket 2"});
    CHECK(c.cut(2) == lines{"open_failed: transport error"});
    CHECK(c.due() == 1s);
    c.client.close();
    CHECK(c.drain().empty());
    CHECK(c.client.is_idle());
    CHECK(c.due() == std::nullopt);
}

TEST_CASE("a client that is closed can be used again", "[client]") {
    connected_driver c;
    for (std::uint64_t channel = 2; channel != 5; ++channel) {
        c.client.close();
        CHECK(c.drain().back() == "closed: forced close");
        c.connect();
        CHECK(c.drain() == lines{"open websocket " + std::to_string(channel)});
        CHECK(c.handshaken(channel) == lines{"opened", "send " + std::to_string(channel) + ": 40"});
        CHECK(c.websocket(channel, R"(40{"sid":"abc"})") == lines{"connected / abc"});
    }
}

TEST_CASE("a server that refuses the only namespace, or disconnects it, finds the connection closed, for good",
          "[client]") {
    driver c;
    c.connect("/admin");
    c.drain();
    c.handshaken(1);
    CHECK(c.websocket(1, R"(44/admin,{"message":"not authorized","data":{"code":401}})") ==
          lines{R"(connect_error /admin "not authorized" {"code":401})", "close 1", "closed: forced close"});
    CHECK(c.pass(60s).empty());
    CHECK(c.client.is_idle());

    connected_driver d;
    CHECK(d.websocket(1, "41") == lines{"disconnected /: io server disconnect", "close 1", "closed: forced close"});
    CHECK(d.pass(60s).empty());
    CHECK(d.client.is_idle());
}

TEST_CASE("a server that disconnects one of two namespaces is left with the other", "[client]") {
    connected_driver c;
    c.connect("/admin");
    c.drain();
    c.websocket(1, R"(40/admin,{"sid":"def"})");
    CHECK(c.websocket(1, "41/admin,") == lines{"disconnected /admin: io server disconnect"});
    CHECK(c.client.is_open());
    c.cut(1);
    CHECK(c.pass(1s) == lines{"reconnecting 1", "open websocket 2"});
    CHECK(c.handshaken(2) == lines{"opened after 1", "send 2: 40"}); // only what is wanted
}

//=== connecting again ===//

TEST_CASE("the client connects again after every end that nobody has asked for", "[client]") {
    struct loss {
        std::string_view reason;
        lines (*happen)(connected_driver&);
        bool is_closed; // by the client
    };
    loss const losses[] = {
        {"transport close", [](connected_driver& c) { return c.cut(1); }, false},
        {"transport close", [](connected_driver& c) { return c.websocket(1, "1"); }, true},
        {"transport error", [](connected_driver& c) { return c.websocket(1, "x"); }, true},
        {"transport error", [](connected_driver& c) { return c.websocket(1, handshake); }, true},
        {"ping timeout", [](connected_driver& c) { return c.pass(45s); }, true},
        {"parse error", [](connected_driver& c) { return c.websocket(1, "42[]"); }, true},
        {"parse error", [](connected_driver& c) { return c.websocket(1, support::binary("x")); }, true},
    };
    for (auto const& [reason, happen, is_closed] : losses) {
        INFO(reason);
        connected_driver c;
        std::string const why(reason);
        lines expected{"disconnected /: " + why, "closed: " + why};
        auto told = happen(c);
        if (is_closed) CHECK(std::erase(told, "close 1") == 1);
        CHECK(told == expected);
        CHECK_FALSE(c.client.is_idle());
        CHECK(c.due() == 1s);
        CHECK(c.pass(999ms).empty());
        CHECK(c.pass(1ms) == lines{"reconnecting 1", "open websocket 2"});
        CHECK(c.handshaken(2) == lines{"opened after 1", "send 2: 40"});
        CHECK(c.websocket(2, R"(40{"sid":"def"})") == lines{"connected / def"});
        // The next loss has a reason of its own.
        CHECK(c.cut(2) == lines{"disconnected /: transport close", "closed: transport close"});
        CHECK(c.due() == 1s);
    }
}

TEST_CASE("over long-polling too: a failed exchange, another status, a bad body, a close packet", "[client]") {
    struct loss {
        std::string_view reason;
        lines (*happen)(driver&);
    };
    loss const losses[] = {
        {"transport error", [](driver& c) { return c.fail(4); }},
        {"transport error", [](driver& c) { return c.answer(4, "{}", 400); }},
        {"transport error", [](driver& c) { return c.answer(4, ""); }},
        {"transport error", [](driver& c) { return c.answer(4, "x"); }},
        {"transport close", [](driver& c) { return c.answer(4, "1"); }},
        {"parse error", [](driver& c) { return c.answer(4, "42[]"); }},
    };
    for (auto const& [reason, happen] : losses) {
        INFO(reason);
        driver c(over_polling());
        c.connect();
        CHECK(c.drain() == lines{"get 1"});
        CHECK(c.answer(1, handshake) == lines{"opened", "post 2: 40", "get 3"});
        CHECK(c.answer(2, "ok").empty());
        CHECK(c.answer(3, R"(40{"sid":"abc"})") == lines{"connected / abc", "get 4"});
        std::string const why(reason);
        CHECK(happen(c) == lines{"disconnected /: " + why, "closed: " + why});
        CHECK(c.exchanges.empty());
        CHECK(c.pass(1s) == lines{"reconnecting 1", "get 5"});
    }
}

TEST_CASE("the client tries again after every failure to open", "[client]") {
    struct failure {
        std::string_view reason;
        lines (*happen)(driver&);
    };
    failure const failures[] = {
        {"transport error", [](driver& c) { return c.cut(1); }},
        {"transport error", [](driver& c) { return c.channel_opened(1), c.cut(1); }},
        {"transport error", [](driver& c) { return c.channel_opened(1), c.websocket(1, "0"); }},
        {"transport error", [](driver& c) { return c.channel_opened(1), c.websocket(1, "40"); }},
        {"open timeout", [](driver& c) { return c.pass(20s); }},
        {"open timeout", [](driver& c) { return c.channel_opened(1), c.pass(20s); }},
    };
    for (auto const& [reason, happen] : failures) {
        INFO(reason);
        driver c;
        auto const socket = c.connect();
        c.drain();
        c.emit(socket, "waits");
        auto told = happen(c);
        std::erase(told, "close 1");
        CHECK(told == lines{"open_failed: " + std::string(reason)});
        CHECK(c.channels.empty());
        CHECK(c.pass(1s) == lines{"reconnecting 1", "open websocket 2"});
        CHECK(c.handshaken(2) == lines{"opened after 1", "send 2: 40"});
        CHECK(c.websocket(2, R"(40{"sid":"abc"})") == lines{"connected / abc", R"(send 2: 42["waits"])"});
    }
}

TEST_CASE("each wait is twice as long as the one before, up to the longest, made longer or shorter by chance",
          "[client]") {
    auto const waits = [](client_options const& options, unsigned random_byte) {
        connected_driver c(options, random_byte);
        c.cut(1);
        std::vector<std::int64_t> all;
        for (std::uint64_t attempt = 1; attempt != 6; ++attempt) {
            auto const wait = c.due().value_or(0ms);
            all.push_back(wait.count());
            CHECK(c.pass(wait - 1ms).empty());
            auto const channel = std::to_string(attempt + 1);
            CHECK(c.pass(1ms) == lines{"reconnecting " + std::to_string(attempt), "open websocket " + channel});
            CHECK(c.cut(attempt + 1) == lines{"open_failed: transport error"});
        }
        return all;
    };
    using list = std::vector<std::int64_t>;
    CHECK(waits(over_websocket(), 0x00) == list{1000, 2000, 4000, 5000, 5000});
    CHECK(waits(over_websocket(), 0x40) == list{875, 1750, 3499, 5000, 5000});
    CHECK(waits(over_websocket(), 0x80) == list{1250, 2501, 5000, 5000, 5000});
    auto options = over_websocket();
    options.reconnection_delay = 100ms;
    options.reconnection_delay_max = 700ms;
    options.randomization_factor = 0;
    CHECK(waits(options, 0x80) == list{100, 200, 400, 700, 700});
}

TEST_CASE("once the connection is open the waits begin anew", "[client]") {
    connected_driver c;
    c.cut(1);
    c.pass(1s);
    c.cut(2);
    CHECK(c.due() == 2s);
    c.pass(2s);
    CHECK(c.handshaken(3) == lines{"opened after 2", "send 3: 40"});
    c.cut(3);
    CHECK(c.due() == 1s);
}

TEST_CASE("attempts can have a limit: then there is no other, until open", "[client]") {
    auto options = over_websocket();
    options.reconnection_attempts = 2;
    driver c(options);
    c.connect();
    c.drain();
    CHECK(c.cut(1) == lines{"open_failed: transport error"});
    CHECK(c.pass(1s) == lines{"reconnecting 1", "open websocket 2"});
    CHECK(c.cut(2) == lines{"open_failed: transport error"});
    CHECK(c.pass(2s) == lines{"reconnecting 2", "open websocket 3"});
    CHECK(c.cut(3) == lines{"open_failed: transport error", "reconnect_failed"});
    CHECK(c.client.is_idle());
    CHECK(c.pass(1h).empty());
    CHECK(c.client.open());
    CHECK(c.drain() == lines{"open websocket 4"});
    CHECK(c.cut(4) == lines{"open_failed: transport error"});
    CHECK(c.due() == 1s); // counted anew
    c.pass(1s);
    CHECK(c.handshaken(5) == lines{"opened after 1", "send 5: 40"});

    options.reconnection_attempts = 0;
    connected_driver none(options);
    CHECK(none.cut(1) == lines{"disconnected /: transport close", "closed: transport close", "reconnect_failed"});
    CHECK(none.client.is_idle());
}

TEST_CASE("without reconnection the client stays where it is, until open", "[client]") {
    auto options = over_websocket();
    options.reconnection = false;
    connected_driver c(options);
    CHECK(c.cut(1) == lines{"disconnected /: transport close", "closed: transport close"});
    CHECK(c.client.is_idle());
    CHECK(c.pass(1h).empty());
    CHECK(c.client.open());
    CHECK(c.drain() == lines{"open websocket 2"});
    CHECK(c.handshaken(2) == lines{"opened", "send 2: 40"});
}

TEST_CASE("a client that was left by its last socket while it waited makes no other attempt", "[client]") {
    connected_driver c;
    c.cut(1);
    CHECK(c.disconnect(c.socket).empty());
    CHECK(c.client.is_idle());
    CHECK(c.pass(60s).empty());
}

TEST_CASE("joining another namespace while the client waits changes nothing: the attempt that is waited for will do",
          "[client]") {
    connected_driver c;
    c.cut(1);
    c.pass(300ms);
    c.connect("/other");
    CHECK(c.drain().empty());
    CHECK(c.due() == 700ms);
    CHECK(c.pass(700ms) == lines{"reconnecting 1", "open websocket 2"});
    CHECK(c.handshaken(2) == lines{"opened after 1", "send 2: 40", "send 2: 40/other,"});
}

TEST_CASE("open while the client waits opens at once", "[client]") {
    connected_driver c;
    c.cut(1);
    c.pass(300ms);
    CHECK(c.client.open());
    CHECK(c.drain() == lines{"open websocket 2"});
    CHECK(c.cut(2) == lines{"open_failed: transport error"});
    CHECK(c.due() == 2s); // the next wait, all the same
}

TEST_CASE("joining while the connection closes opens another once it has closed", "[client]") {
    driver c(over_polling());
    auto const socket = c.connect();
    c.drain();
    c.answer(1, handshake);
    c.answer(2, "ok");
    c.answer(3, R"(40{"sid":"abc"})");
    CHECK(c.disconnect(socket) == lines{"disconnected /: io client disconnect", "post 5: 41|1"});
    c.connect();
    CHECK(c.drain().empty());
    CHECK(c.answer(4, "6").empty());
    CHECK(c.answer(5, "ok") == lines{"closed: forced close", "get 6"});
    CHECK(c.answer(6, handshake) == lines{"opened", "post 7: 40", "get 8"});
}

TEST_CASE("joining again in the handler of disconnected: on the same connection while it is open", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::disconnected) c.connect();
    };
    CHECK(c.websocket(1, "41") == lines{"disconnected /: io server disconnect", "send 1: 40"});
    CHECK(c.websocket(1, R"(40{"sid":"def"})") == lines{"connected / def"});
}

TEST_CASE("joining again in the handler of disconnected: on the next connection where this one closes", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::disconnected) c.connect();
    };
    CHECK(c.disconnect(c.socket) == lines{"disconnected /: io client disconnect", "send 1: 41", "close 1",
                                          "closed: forced close", "open websocket 2"});
    CHECK(c.handshaken(2) == lines{"opened", "send 2: 40"});
}

TEST_CASE("open in the handler of disconnected opens another connection once this one has closed", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::disconnected) CHECK(c.client.open());
    };
    CHECK(c.disconnect(c.socket) == lines{"disconnected /: io client disconnect", "send 1: 41", "close 1",
                                          "closed: forced close", "open websocket 2"});
}

TEST_CASE("joining again in the handler of a lost connection's disconnected is not needed, and refused", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::disconnected) CHECK(c.client.connect("/") == error{errc::already_connected});
    };
    CHECK(c.cut(1) == lines{"disconnected /: transport close", "closed: transport close"});
    CHECK(c.due() == 1s);
}

TEST_CASE("leaving in the handler of a lost connection's disconnected: no other attempt is made", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::disconnected) c.client.disconnect(e.socket);
    };
    CHECK(c.cut(1) == lines{"disconnected /: transport close", "closed: transport close"});
    CHECK(c.client.is_idle());
}

TEST_CASE("joining with other auth in the handler of connect_error keeps the connection", "[client]") {
    driver c;
    REQUIRE(c.client.connect("/", json::object("token", "old")).has_value());
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::connect_error) CHECK(c.client.connect("/", json::object("token", "new")).has_value());
    };
    c.drain();
    CHECK(c.handshaken(1) == lines{"opened", R"(send 1: 40{"token":"old"})"});
    CHECK(c.websocket(1, R"(44{"message":"expired"})") ==
          lines{R"(connect_error / "expired")", R"(send 1: 40{"token":"new"})"});
    CHECK(c.websocket(1, R"(40{"sid":"abc"})") == lines{"connected / abc"});
}

TEST_CASE("auth that is asked for afresh is asked for once the connection is open", "[client]") {
    driver c;
    REQUIRE(c.client.connect("/", socketio::ask_for_auth).has_value());
    int asked = 0;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::connecting)
            CHECK(c.client.authenticate(e.socket, json::object("asked", ++asked)).has_value());
    };
    c.drain();
    CHECK(c.handshaken(1) == lines{"opened", "connecting /", R"(send 1: 40{"asked":1})"});
    c.websocket(1, R"(40{"sid":"abc"})");
    c.cut(1);
    c.pass(1s);
    CHECK(c.handshaken(2) == lines{"opened after 1", "connecting /", R"(send 2: 40{"asked":2})"});
}

TEST_CASE("in closed and in open_failed the client can be told what to do next", "[client]") {
    connected_driver c;
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::closed || e.type == event_type::open_failed) CHECK(c.client.open()); // do not wait
    };
    CHECK(c.cut(1) == lines{"disconnected /: transport close", "closed: transport close", "open websocket 2"});
    CHECK(c.cut(2) == lines{"open_failed: transport error", "open websocket 3"});
    c.on_event = [&](client::event& e) {
        if (e.type == event_type::open_failed) c.client.close();
    };
    CHECK(c.cut(3) == lines{"open_failed: transport error"});
    CHECK(c.client.is_idle());
}

//=== what is emitted meanwhile ===//

TEST_CASE("what is emitted while there is no connection is sent on the next, in order: volatile events are dropped",
          "[client]") {
    connected_driver c;
    std::vector<std::uint64_t> asked;
    c.cut(1);
    CHECK(c.emit(c.socket, "one").empty());
    CHECK(c.client.emit_volatile(c.socket, "dropped") == error{errc::would_wait});
    auto const id = c.client.emit_with_ack(c.socket, 10s, "two");
    CHECK(id == 1u);
    CHECK(c.client.buffered() > 0);
    c.pass(1s);
    CHECK(c.emit(c.socket, "three").empty());
    CHECK(c.handshaken(2) == lines{"opened after 1", "send 2: 40"});
    CHECK(c.emit(c.socket, "four").empty());
    CHECK(c.websocket(2, R"(40{"sid":"def"})") == lines{"connected / def", R"(send 2: 42["one"])",
                                                        R"(send 2: 421["two"])", R"(send 2: 42["three"])",
                                                        R"(send 2: 42["four"])"});
    CHECK(c.client.buffered() == 0);
    CHECK(c.websocket(2, "431[]") == lines{"ack 1 answered []"});
}

TEST_CASE("an acknowledgement that is awaited ends with the connection, before the socket's end is told", "[client]") {
    connected_driver c;
    CHECK(c.client.emit_with_ack(c.socket, 60s, "ask") == 1u);
    c.drain();
    CHECK(c.cut(1) == lines{"ack 1 disconnected", "disconnected /: transport close", "closed: transport close"});
}

TEST_CASE("timeouts count from the last time the client was told of, from the start on", "[client]") {
    driver c;
    auto const socket = c.connect();
    CHECK(c.client.emit_with_ack(socket, 5s, "ask") == 1u);
    CHECK(c.drain() == lines{"open websocket 1"});
    CHECK(c.due() == 5s);
    CHECK(c.pass(5s) == lines{"ack 1 timed out"});
}

TEST_CASE("volatile events go only where the transport can take them at once", "[client]") {
    connected_driver c;
    CHECK(c.client.emit_volatile(c.socket, "a").has_value());
    CHECK(c.client.emit_volatile(c.socket, "b") == error{errc::would_wait});
    CHECK(c.drain() == lines{R"(send 1: 42["a"])"});
    c.client.pause(1); // a write is under way
    CHECK(c.client.emit_volatile(c.socket, "c") == error{errc::would_wait});
    CHECK(c.emit(c.socket, "d").empty());
    c.client.resume(1);
    CHECK(c.drain() == lines{R"(send 1: 42["d"])"});
}

TEST_CASE("what is emitted between the end of a connection and the telling of it waits for the next", "[client]") {
    connected_driver c;
    c.channels.clear();
    c.client.channel_closed(1, c.now);
    CHECK(c.client.emit(c.socket, "one").has_value());
    auto const id = c.client.emit_with_ack(c.socket, 60s, "two");
    CHECK(id == 1u);
    CHECK(c.client.emit_volatile(c.socket, "dropped") == error{errc::would_wait});
    CHECK(c.drain() == lines{"disconnected /: transport close", "closed: transport close"});
    c.pass(1s);
    c.handshaken(2);
    CHECK(c.websocket(2, R"(40{"sid":"def"})") ==
          lines{"connected / def", R"(send 2: 42["one"])", R"(send 2: 421["two"])"});
}

TEST_CASE("a laptop that slept: what is emitted when it wakes up is not lost but waits", "[client]") {
    // The pings of an hour did not come. The application's own timer fires first.
    {
        connected_driver c;
        c.now += 1h;
        c.client.handle_timeout(c.now);
        CHECK(c.client.emit(c.socket, "awake").has_value());
        CHECK(c.drain() == lines{"disconnected /: ping timeout", "closed: ping timeout", "close 1"});
        CHECK(c.due() == 1s);
        c.pass(1s);
        c.handshaken(2);
        CHECK(c.websocket(2, R"(40{"sid":"def"})") == lines{"connected / def", R"(send 2: 42["awake"])"});
    }
    // Or the network has something to say first: what was on its way when the lid was closed.
    {
        connected_driver c;
        c.on_event = [&](client::event& e) {
            if (e.type == event_type::event) CHECK(c.client.emit(c.socket, "awake").has_value());
        };
        c.now += 1h;
        CHECK(c.websocket(1, R"(42["old news"])") ==
              lines{R"(event / ["old news"])", "disconnected /: ping timeout", "closed: ping timeout", "close 1"});
        c.pass(1s);
        c.handshaken(2);
        CHECK(c.websocket(2, R"(40{"sid":"def"})") == lines{"connected / def", R"(send 2: 42["awake"])"});
    }
    // A ping that is handled before the deadline is looked at keeps the connection.
    {
        connected_driver c;
        c.now += 1h;
        CHECK(c.websocket(1, "2") == lines{"send 1: 3"});
        CHECK(c.emit(c.socket, "awake") == lines{R"(send 1: 42["awake"])"});
    }
}

TEST_CASE("an acknowledgement is not given on a connection that has ended", "[client]") {
    connected_driver c;
    socketio::ack_request request;
    c.on_event = [&](client::event& e) {
        if (e.ack) request = std::move(e.ack);
    };
    c.websocket(1, R"(425["ask"])");
    c.channels.clear();
    c.client.channel_closed(1, c.now);
    CHECK(c.client.acknowledge(request, 1) == error{errc::not_connected});
    c.drain();
    CHECK(c.client.acknowledge(request, 1) == error{errc::not_connected});
}

TEST_CASE("an event that came over a stream can be read on when the connection overflows in its handler", "[client]") {
    // Over a stream, where the message lies in the client's own buffer.
    auto options = over({transport::webtransport});
    options.max_queued = 10'000;
    driver c(options);
    auto const socket = c.connect();
    CHECK(c.drain() == lines{"open stream 1"});
    c.channel_opened(1);
    auto const chunk = [&](std::string const& bytes) {
        support::exact_copy const copy(bytes);
        return c.after([&] { c.client.stream_received(1, copy.view(), c.now); });
    };
    chunk(support::stream_frame(handshake));
    chunk(support::stream_frame(R"(40{"sid":"abc"})"));
    std::string const large(3'000, 'y');
    std::string read;
    c.on_event = [&](client::event& e) {
        if (e.type != event_type::event) return;
        CHECK(c.client.emit(socket, "x", std::string(9'000, 'x')).has_value());
        CHECK(c.client.emit(socket, "x", std::string(9'000, 'x')) == error{errc::queue_overflow});
        read = e.get<std::string>().value_or("");
    };
    auto const whole = support::stream_frame("42[\"a\",\"" + large + "\"]");
    chunk(whole.substr(0, 1'000));
    CHECK(chunk(whole.substr(1'000)).size() == 4);
    CHECK(read == large);
}

//=== options ===//

TEST_CASE("the options are those of the transport and of the sockets", "[client]") {
    auto options = over_polling();
    options.path = "/my/";
    options.query = {{"token", "a b"}};
    options.timestamp_param = "now";
    options.timeout = 3s;
    driver c(options);
    c.connect();
    c.drain();
    CHECK(c.targets[1].starts_with("/my/?token=a%20b&EIO=4&transport=polling&now="));
    CHECK(c.due() == 3s);
    CHECK(c.client.options().path == "/my/");

    client_options const defaults;
    CHECK(defaults.path == "/socket.io/");
    driver d(defaults);
    d.connect();
    CHECK(d.drain() == lines{"get 1"});
    CHECK(d.due() == 20s);
}

TEST_CASE("EIO=3 goes with revision 4: the root is joined unasked, the client pings", "[client]") {
    auto options = over_polling();
    options.revision = engineio::revision::v3;
    options.force_base64 = true;
    driver c(options);
    auto const socket = c.connect();
    c.connect("/admin?token=1");
    c.drain();
    CHECK(c.targets[1].find("EIO=3&transport=polling") != std::string::npos);
    CHECK(c.targets[1].ends_with("&b64=1"));
    std::string const open = R"(0{"sid":"engine","upgrades":[],"pingInterval":25000,"pingTimeout":20000})";
    CHECK(c.answer(1, std::to_string(open.size()) + ":" + open + "2:40") ==
          lines{"opened", "connected /", "post 2: 17:40/admin?token=1,", "get 3"});
    CHECK(c.answer(2, "ok").empty());
    constexpr std::byte bytes[] = {std::byte{1}};
    CHECK(c.emit(socket, "x", bytes) == lines{R"(post 4: 39:451-["x",{"_placeholder":true,"num":0}]6:b4AQ==)"});
    CHECK(c.answer(4, "ok").empty());
    CHECK(c.pass(25s) == lines{"post 5: 1:2"});
}

TEST_CASE("transports can be tried one after the other, and the upgrade be remembered", "[client]") {
    auto options = over({transport::polling, transport::websocket});
    options.try_all_transports = true;
    driver c(options);
    c.connect();
    CHECK(c.drain() == lines{"get 1"});
    CHECK(c.fail(1) == lines{"open websocket 2"});
    CHECK(c.handshaken(2) == lines{"opened", "send 2: 40"});
    CHECK(c.client.transport() == transport::websocket);

    options.try_all_transports = false;
    options.remember_upgrade = true;
    driver d(options);
    d.connect();
    CHECK(d.drain() == lines{"get 1"});
    CHECK(d.answer(1, R"(0{"sid":"engine","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000})") ==
          lines{"opened", "open websocket 2", "post 3: 40", "get 4"});
    d.answer(3, "ok");
    CHECK(d.channel_opened(2) == lines{"send 2: 2probe"});
    CHECK(d.websocket(2, "3probe").empty());
    CHECK(d.answer(4, "6") == lines{"send 2: 5", "upgraded"});
    CHECK(d.cut(2) == lines{"closed: transport close"});
    CHECK(d.pass(1s) == lines{"reconnecting 1", "open websocket 5"});
}

TEST_CASE("upgrade can be turned off", "[client]") {
    client_options options;
    options.upgrade = false;
    driver c(options);
    c.connect();
    c.drain();
    CHECK(c.answer(1, R"(0{"sid":"engine","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000})") ==
          lines{"opened", "post 2: 40", "get 3"});
}

TEST_CASE("acknowledgements time out after ack_timeout, and events are sent again with retries", "[client]") {
    auto options = over_websocket();
    options.ack_timeout = 2s;
    connected_driver c(options);
    CHECK(c.client.emit_with_ack(c.socket, std::nullopt, "a") == 1u);
    CHECK(c.drain() == lines{R"(send 1: 421["a"])"});
    CHECK(c.pass(2s) == lines{"ack 1 timed out"});

    options.retries = 1;
    connected_driver again(options);
    CHECK(again.emit(again.socket, "a") == lines{R"(send 1: 421["a"])"});
    CHECK(again.emit(again.socket, "b").empty());
    CHECK(again.pass(2s) == lines{R"(send 1: 422["a"])"});
    CHECK(again.websocket(1, "432[]") == lines{R"(send 1: 423["b"])"});
}

TEST_CASE("what waits has limits: for sockets to connect, and for the transport", "[client]") {
    auto options = over_websocket();
    options.max_buffered = 2'000;
    options.max_queued = 3'000;
    std::string const kilobyte(1'000, 'x');
    connected_driver c(options);
    c.client.pause(1);
    CHECK(c.client.emit(c.socket, "a", kilobyte).has_value());
    CHECK(c.client.emit(c.socket, "a", kilobyte).has_value());
    CHECK(c.client.queued() > 2'000);
    CHECK(c.client.emit(c.socket, "a", std::string(3'000, 'x')) == error{errc::message_too_large});
    CHECK(c.client.emit(c.socket, "a", as_bytes(std::string_view(kilobyte)), std::vector<byte_view>(10)) ==
          error{errc::too_many_attachments});
    CHECK(c.client.emit(c.socket, "a", kilobyte) == error{errc::queue_overflow});
    CHECK(c.drain() == lines{"disconnected /: queue overflow", "closed: queue overflow", "close 1"});
    CHECK(c.client.emit(c.socket, "a", kilobyte).has_value());
    CHECK(c.client.emit(c.socket, "a", kilobyte) == error{errc::buffer_full});
    CHECK(c.pass(1s) == lines{"reconnecting 1", "open websocket 2"});
}

TEST_CASE("the limits of decoding are those of the options", "[client]") {
    auto options = over_websocket();
    options.limits.max_attachments = 1;
    connected_driver c(options);
    CHECK(c.websocket(1, R"(452-["a"])") == lines{"disconnected /: parse error", "closed: parse error", "close 1"});
}

//=== servers that break the rules ===//

TEST_CASE("reference client: crashes on malformed servers: a handshake that is none is an error event",
          "[client][hostile]") {
    for (std::string_view const bad :
         {"0", "0null", R"(0{"sid":"a"})", "0[]", "0{}", "", "1", "2", "3", "44", "42", "430", "40", "6", "x",
          R"(0{"sid":"","upgrades":[],"pingInterval":1,"pingTimeout":1})",
          R"(0{"sid":"a","upgrades":{},"pingInterval":1,"pingTimeout":1})",
          R"(0{"sid":"a","upgrades":[],"pingInterval":-1,"pingTimeout":1})",
          R"(0{"sid":"a","upgrades":[],"pingInterval":"1","pingTimeout":1})"}) {
        INFO(bad);
        driver w;
        w.connect();
        w.drain();
        w.channel_opened(1);
        CHECK(w.websocket(1, bad) == lines{"open_failed: transport error", "close 1"});
        CHECK(w.due() == 1s);
        driver p(over_polling());
        p.connect();
        p.drain();
        CHECK(p.answer(1, bad) == lines{"open_failed: transport error"});
        CHECK(p.due() == 1s);
    }
}

TEST_CASE("reference client: crashes on malformed servers: packets that are none are an error event",
          "[client][hostile]") {
    struct row {
        std::string_view packet;
        lines told;
    };
    lines const parse_error{"disconnected /: parse error", "closed: parse error", "close 1"};
    lines const transport_error{"disconnected /: transport error", "closed: transport error", "close 1"};
    row const rows[] = {
        {"40null", parse_error},
        {"42", parse_error},
        {"42[]", parse_error},
        {"430", parse_error},
        {"43[]", parse_error},
        {"4", parse_error},
        {"47", parse_error},
        {"450-[\"a\"]", parse_error},
        {handshake, transport_error},
        {"0", transport_error},
        {"0null", transport_error},
        {"x", transport_error},
        {"", transport_error},
        // Harmless where the socket is connected.
        {"40", {}},
        {R"(40{"sid":1})", {}},
        {"44", {}},
        {"43999[]", {}},
        {"3", {}},
        {"5", {}},
        {"6", {}},
    };
    for (auto const& [packet, told] : rows) {
        INFO(packet);
        connected_driver c;
        CHECK(c.websocket(1, packet) == told);
        CHECK(c.client.is_open() == told.empty());
        if (!told.empty()) CHECK(c.pass(1s) == lines{"reconnecting 1", "open websocket 2"});
    }
}

TEST_CASE("reference client: crashes on malformed servers: an answer to CONNECT that is none is an error event",
          "[client][hostile]") {
    std::string const other = R"(connect_error / "the server speaks revision 4 of Socket.IO, this client revision 5")";
    for (std::string_view const bad : {"40", "40{}", R"(40{"sid":1})", "44"}) {
        INFO(bad);
        driver c;
        c.connect();
        c.drain();
        c.handshaken(1);
        CHECK(c.websocket(1, bad) == lines{bad == "44" ? "connect_error /" : other, "close 1", "closed: forced close"});
        CHECK(c.client.is_idle());
    }
    for (std::string_view const bad : {"40null", "40[]", "42", "430"}) {
        INFO(bad);
        driver c;
        c.connect();
        c.drain();
        c.handshaken(1);
        CHECK(c.websocket(1, bad) == lines{"closed: parse error", "close 1"});
        CHECK(c.due() == 1s);
    }
}

TEST_CASE("reference client: crashes on malformed servers: a pingInterval beyond all timers does not time out at once",
          "[client][hostile]") {
    for (std::string_view const interval : {"99999999999", "1e300", "1e999", "9007199254740993"}) {
        INFO(interval);
        driver c;
        c.connect();
        c.drain();
        c.channel_opened(1);
        CHECK(c.websocket(1, R"(0{"sid":"a","upgrades":[],"pingInterval":)" + std::string(interval) +
                                 R"(,"pingTimeout":20000})") == lines{"opened", "send 1: 40"});
        CHECK(c.pass(240h).empty());
        CHECK(c.client.is_open());
    }
}

TEST_CASE("every prefix and every one-byte change of what a server says is taken or refused", "[client][hostile]") {
    std::string_view const said[] = {handshake,
                                     R"(40{"sid":"abc","pid":"p"})",
                                     R"(42["news",{"a":1},"o"])",
                                     "431[1]",
                                     R"(451-["a",{"_placeholder":true,"num":0}])",
                                     "2",
                                     "41"};
    for (std::size_t wrong = 0; wrong != std::size(said); ++wrong) {
        auto const feed = [&](std::string_view message) {
            driver c;
            auto const socket = c.connect();
            CHECK(c.client.emit_with_ack(socket, 60s, "ask") == 1u);
            c.drain();
            c.channel_opened(1);
            for (std::size_t i = 0; i != std::size(said); ++i) {
                c.websocket(1, i == wrong ? message : said[i]);
                if (i == 4) c.websocket(1, support::binary("\x01"));
            }
            c.client.close();
            c.drain();
            CHECK(c.client.is_idle());
        };
        support::for_each_prefix(said[wrong], feed);
        support::for_each_changed_byte(said[wrong], feed);
    }
}

//=== with a real server ===//

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
        // The candidate, WebSocket 2, cannot say anything until a third of it is over.
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
    CHECK(at_client_before > last / 3); // in the midst of it
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

TEST_CASE("open_failed says why a WebSocket was refused, and nothing where nobody knows", "[client]") {
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

TEST_CASE("a path that cannot be one is an error of connect and of open", "[client]") {
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

} // namespace stack_client_test
