#include "drivers/dispatching.hpp"
#include "drivers/stacks.hpp"
#include "tools/catch.hpp"

#include <socketless/socketio/client_session.hpp>
#include <socketless/socketio/dispatcher.hpp>
#include <socketless/socketio/server_session.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace socketio_dispatcher_test {

using namespace socketless;
using namespace socketless::socketio;
using namespace support::dispatching;

TEST_CASE("the handlers of a name are called in the order of their registration", "[socketio]") {
    dispatcher d;
    calls log;
    d.on("a", noting(log, "a 1"));
    d.on("b", noting(log, "b"));
    d.on("a", noting(log, "a 2"));
    d.on("a", noting(log, "a 3"));
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"a 1", "a 2", "a 3"});
}

TEST_CASE("dispatching says whether any handler was called", "[socketio]") {
    dispatcher d;
    CHECK_FALSE(dispatch(d, R"(2["a"])"));
    CHECK_FALSE(dispatch(d, event_type::connected));
    d.on("a", [](event&) {});
    d.on(event_type::connected, [](event&) {});
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(dispatch(d, event_type::connected));
    CHECK_FALSE(dispatch(d, R"(2["b"])"));
    CHECK_FALSE(dispatch(d, event_type::disconnected));
    d.on_any([](event&) {});
    CHECK(dispatch(d, R"(2["b"])"));
}

TEST_CASE("whatever a peer names its events it cannot call the handlers of the library's own", "[socketio]") {
    using enum event_type;
    constexpr std::array types = {connecting, connected, connect_error, ack,         acks_complete, disconnected,
                                  closed,     opened,    upgraded,      open_failed, reconnecting,  reconnect_failed};
    constexpr std::array<std::string_view, 15> names = {
        "connecting",   "connected",        "ack",   "disconnected", "closed", "opened", "upgraded", "open_failed",
        "reconnecting", "reconnect_failed", "event", "error",        "*",      "",       "__proto__"};
    dispatcher d;
    calls log;
    for (auto const type : types) d.on(type, noting(log, "type"));
    for (auto const name : names) CHECK_FALSE(dispatch(d, "2[\"" + std::string(name) + "\"]"));
    CHECK_FALSE(dispatch(d, "2[1]"));
    CHECK(log.empty());
    CHECK(dispatch(d, event_type::reconnecting));
    CHECK(log.size() == 1);
}

TEST_CASE("an event of the library's own does not call the handlers of a peer's", "[socketio]") {
    dispatcher d;
    calls log;
    for (auto const* const name : {"connected", "", "1"}) d.on(name, noting(log, name));
    d.on_any(noting(log, "any"));
    CHECK_FALSE(dispatch(d, event_type::connected));
    CHECK_FALSE(dispatch(d, event_type::closed));
    CHECK(log.empty());
    CHECK(dispatch(d, R"(2["connected"])"));
    CHECK(log == calls{"any", "connected"});
}

TEST_CASE("a name that is a number is found by its digits, as JavaScript does", "[socketio]") {
    dispatcher d;
    calls log;
    d.on("7", noting(log, "7"));
    d.on("-1.5", noting(log, "-1.5"));
    CHECK(dispatch(d, "2[7]"));
    CHECK(dispatch(d, R"(2["7"])"));
    CHECK(dispatch(d, "2[-1.5]"));
    CHECK_FALSE(dispatch(d, "2[70]"));
    CHECK(log == calls{"7", "7", "-1.5"});
}

TEST_CASE("a name that is written with escapes is found by what it says", "[socketio]") {
    dispatcher d;
    calls log;
    d.on("caf\xc3\xa9", noting(log, "1"));
    d.on("tab\there", noting(log, "tab"));
    d.on("caf\xc3\xa9", noting(log, "2"));
    d.on("\\u0063af\xc3\xa9", noting(log, "with a backslash"));
    CHECK(dispatch(d, "2[\"caf\\u00e9\"]"));
    CHECK(dispatch(d, "2[\"\\u0063af\xc3\xa9\"]"));
    CHECK(dispatch(d, R"(2["tab\there"])"));
    CHECK_FALSE(dispatch(d, R"(2["caf\u00e8"])"));
    CHECK_FALSE(dispatch(d, R"(2["\ud800"])")); // half of a pair: nothing can be registered for it
    CHECK(log == calls{"1", "2", "1", "2", "tab"});
}

TEST_CASE("the empty name is a name", "[socketio]") {
    dispatcher d;
    calls log;
    d.on("", noting(log, "empty"));
    CHECK(dispatch(d, R"(2[""])"));
    CHECK_FALSE(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"empty"});
}

//=== typed events ===//

TEST_CASE("the handler of a typed event takes its arguments", "[socketio]") {
    dispatcher d;
    std::string seen;
    d.on(moved, [&](int steps, std::string_view direction) { seen = std::to_string(steps) + std::string(direction); });
    CHECK(dispatch(d, R"(2["moved",3,"north"])"));
    CHECK(seen == "3north");
}

TEST_CASE("the handler of a typed event may take the event before its arguments, or the event alone", "[socketio]") {
    dispatcher d;
    std::string seen;
    d.on(moved, [&](event& e, int steps, std::string_view) { seen = e.name().str() + std::to_string(steps); });
    d.on(moved, [&](event& e) { seen += e.args().size() == 2 ? "!" : "?"; });
    CHECK(dispatch(d, R"(2["moved",3,"north"])"));
    CHECK(seen == "moved3!");
}

TEST_CASE("the handlers of a typed event and those of its name alone are one list", "[socketio]") {
    dispatcher d;
    calls log;
    d.on("moved", noting(log, "by name"));
    d.on(moved, [&](int, std::string_view) { log.emplace_back("typed"); });
    CHECK(dispatch(d, R"(2["moved",3,"north"])"));
    CHECK(log == calls{"by name", "typed"});
    CHECK(d.off(moved));
    CHECK_FALSE(dispatch(d, R"(2["moved",3,"north"])"));
}

TEST_CASE("events of no, one and optional arguments are called with those", "[socketio]") {
    dispatcher d;
    calls log;
    d.on(typed_event<>{"none"}, [&] { log.emplace_back("none"); });
    d.on(typed_event<>{"none"}, [&](event&) { log.emplace_back("none, event"); });
    d.on(typed_event<std::string>{"one"}, [&](std::string s) { log.push_back(std::move(s)); });
    d.on(typed_event<int, std::optional<int>>{"maybe"},
         [&](int a, std::optional<int> b) { log.push_back(std::to_string(a + b.value_or(100))); });
    CHECK(dispatch(d, R"(2["none"])"));
    CHECK(dispatch(d, R"(2["none","and more"])")); // which JavaScript's handlers ignore as well
    CHECK(dispatch(d, R"(2["one","a\nb"])"));
    CHECK(dispatch(d, R"(2["maybe",1])"));
    CHECK(dispatch(d, R"(2["maybe",1,null])"));
    CHECK(dispatch(d, R"(2["maybe",1,2])"));
    CHECK(log == calls{"none", "none, event", "none", "none, event", "a\nb", "101", "101", "3"});
}

TEST_CASE("a handler that takes anything is given the arguments", "[socketio]") {
    dispatcher d;
    std::size_t count = 0;
    d.on(moved, [&](auto const&... args) { count = sizeof...(args); });
    CHECK(dispatch(d, R"(2["moved",3,"north"])"));
    CHECK(count == 2);
}

TEST_CASE("a handler of a typed event is called for a string with escapes, which it may take as a view", "[socketio]") {
    dispatcher d;
    std::string seen;
    d.on(moved, [&](int, std::string_view direction) { seen = direction; });
    CHECK(dispatch(d, R"(2["moved",3,"\u006eorth \"\n"])"));
    CHECK(seen == "north \"\n");
}

TEST_CASE("handlers that can only be moved, that change or that return something are handlers", "[socketio]") {
    dispatcher d;
    auto const sum = std::make_shared<int>(0);
    d.on("a", [sum, own = std::make_unique<int>(1)](event&) { return *sum += *own; });
    d.on("a", [sum, n = 10](event const&) mutable { *sum += n++; });
    d.on(moved, [sum, own = std::make_unique<int>(100)](int n, auto const&) { return *sum += n * *own; });
    struct {
        int* sum;
        void operator()(event&) const { *sum += 1000; }
    } const object{sum.get()};
    d.on(event_type::connected, object);
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(dispatch(d, R"(2["a"])"));
    CHECK(*sum == 1 + 10 + 1 + 11);
    CHECK(dispatch(d, R"(2["moved",3,"north"])"));
    CHECK(dispatch(d, event_type::connected));
    CHECK(*sum == 23 + 300 + 1000);
}

TEST_CASE("arguments of other types call the handler of mismatches instead", "[socketio]") {
    dispatcher d;
    std::vector<error> errors;
    bool called = false;
    d.on(moved, [&](int, std::string_view) { called = true; });
    CHECK_FALSE(dispatch(d, R"(2["moved","north",3])")); // without a handler of mismatches, too
    d.on_mismatch([&](event& e, error wrong) {
        CHECK(e.name() == "moved");
        errors.push_back(wrong);
    });
    CHECK_FALSE(dispatch(d, R"(2["moved","north",3])"));
    CHECK_FALSE(dispatch(d, R"(2["moved",3])"));
    CHECK_FALSE(dispatch(d, R"(2["moved",3.5,"north"])"));
    CHECK_FALSE(called);
    CHECK(errors ==
          std::vector{error{errc::wrong_kind, 0}, error{errc::missing_argument, 1}, error{errc::not_an_integer, 0}});
}

TEST_CASE("arguments that fit only one of two handlers call it, and the handler of mismatches for the other",
          "[socketio]") {
    dispatcher d;
    calls log;
    d.on(typed_event<int>{"a"}, [&](int) { log.emplace_back("int"); });
    d.on(typed_event<std::string>{"a"}, [&](std::string const&) { log.emplace_back("string"); });
    d.on(typed_event<bool>{"a"}, [&](event&) { log.emplace_back("event"); });
    d.on_mismatch([&](event&, error) { log.emplace_back("mismatch"); });
    CHECK(dispatch(d, R"(2["a",1])"));
    CHECK(log == calls{"int", "mismatch", "event"});
}

TEST_CASE("the handler of mismatches may replace itself", "[socketio]") {
    dispatcher d;
    calls log;
    d.on(typed_event<int>{"a"}, [](int) {});
    d.on_mismatch([&, first = std::string("the first, longer than a string holds within itself")](event&, error) {
        d.on_mismatch([&](event&, error) { log.emplace_back("second"); });
        log.push_back(first);
    });
    CHECK_FALSE(dispatch(d, R"(2["a"])"));
    CHECK_FALSE(dispatch(d, R"(2["a"])"));
    CHECK(log == calls{"the first, longer than a string holds within itself", "second"});
}

//=== acknowledgements ===//

namespace {

event ack(std::uint64_t id, socket_handle socket = {1, 1}, event_type type = event_type::ack) {
    event e;
    e.type = type;
    e.socket = socket;
    e.id = id;
    return e;
}

} // namespace

TEST_CASE("an acknowledgement has a handler of its own, which is called once and gone", "[socketio]") {
    dispatcher d;
    calls log;
    auto const token = std::make_shared<int>();
    CHECK(d.on_ack({1, 1}, result<std::uint64_t>(7), [&log, token](event& e) {
               log.push_back("answer " + std::to_string(e.id));
           }).has_value());
    d.on_ack({1, 1}, 8, noting(log, "8"));
    d.on_ack({2, 1}, 8, noting(log, "8 of another"));
    CHECK(d.on_ack({1, 1}, result<std::uint64_t>(errc::not_connected), noting(log, "never")) ==
          error{errc::not_connected});
    d.on(event_type::ack, noting(log, "any"));
    auto const removed = d.on_ack({1, 1}, 9, noting(log, "removed"));
    CHECK(d.off(removed));
    CHECK_FALSE(d.off(removed));
    CHECK(token.use_count() == 2);
    for (auto e : {1, 2}) {
        auto seven = ack(7);
        CHECK(d.dispatch(seven));
        CHECK(token.use_count() == 1); // gone with the call
        static_cast<void>(e);
    }
    auto nine = ack(9);
    auto stale = ack(8, {1, 2});
    auto complete = ack(8, {1, 1}, event_type::acks_complete);
    auto eight = ack(8);
    CHECK(d.dispatch(nine));
    CHECK(d.dispatch(stale));
    CHECK_FALSE(d.dispatch(complete));
    CHECK(d.dispatch(eight));
    CHECK(log == calls{"any", "answer 7", "any", "any", "any", "any", "8"});
}

TEST_CASE("the acknowledgements of a broadcast have one handler until the last of them", "[socketio]") {
    dispatcher d;
    calls log;
    CHECK(d.on_acks(result<std::uint64_t>(7), noting(log, "all")).has_value());
    CHECK(d.on_acks(result<std::uint64_t>(errc::invalid_utf8), noting(log, "none")) == error{errc::invalid_utf8});
    d.on_ack({2, 1}, 7, noting(log, "one"));
    for (std::uint32_t const n : {1u, 2u, 3u}) {
        auto e = ack(7, {n, 1});
        CHECK(d.dispatch(e));
    }
    auto complete = ack(7, {}, event_type::acks_complete);
    CHECK(d.dispatch(complete));
    CHECK_FALSE(d.dispatch(complete));
    CHECK(log == calls{"all", "one", "all", "all", "all"});
}

TEST_CASE("a handler of an acknowledgement asks again", "[socketio]") {
    support::stacks stacks;
    dispatcher d;
    int answers = 0;
    std::function<void(event&)> ask = [&](event& e) {
        if (e.type == event_type::ack) ++answers;
        if (answers == 3) return;
        CHECK(d.on_ack(e.socket, stacks.client(0).emit_with_ack(e.socket, std::nullopt, "q"), ask).has_value());
    };
    d.on(event_type::connected, [&](event& e) { ask(e); });
    stacks.on_client_event = [&](std::size_t, event& e) { d.dispatch(e); };
    stacks.on_server_event = [&](event& e) {
        if (e.ack) CHECK(stacks.server.acknowledge(e.ack).has_value());
    };
    CHECK(stacks.client(stacks.add()).connect().has_value());
    stacks.settle();
    CHECK(answers == 3);
}

//=== with sessions ===//

TEST_CASE("one dispatcher serves a whole server, another a whole client", "[socketio]") {
    calls log;
    support::stacks stacks;
    dispatcher on_server;
    dispatcher on_client;
    constexpr typed_event<std::string> hello{"hello"};
    on_server.on(event_type::connected, [&](event& e) {
        log.emplace_back("connected");
        CHECK(stacks.server.emit(e.socket, hello, "client").has_value());
    });
    on_server.on("question", [&](event& e) { CHECK(stacks.server.acknowledge(e.ack, 42).has_value()); });
    on_server.on(event_type::disconnected, noting(log, "disconnected"));
    on_client.on(hello, [&](event& e, std::string const& whom) {
        log.push_back("hello " + whom);
        CHECK(stacks.client(0).emit_with_ack(e.socket, std::nullopt, "question").has_value());
    });
    on_client.on(event_type::ack, [&](event& e) {
        log.push_back("answer " + std::to_string(e.get<int>().value_or(0)));
        stacks.client(0).disconnect(e.socket);
    });
    stacks.on_server_event = [&](event& e) { on_server.dispatch(e); };
    stacks.on_client_event = [&](std::size_t, event& e) { on_client.dispatch(e); };
    CHECK(stacks.client(stacks.add()).connect().has_value());
    stacks.settle();
    CHECK(log == calls{"connected", "hello client", "answer 42", "disconnected"});
}

TEST_CASE("a dispatcher for each namespace does what io.of does", "[socketio]") {
    calls log;
    support::stacks stacks;
    stacks.server.declare("/admin");
    dispatcher main;
    dispatcher admin;
    main.on("a", noting(log, "main"));
    admin.on("a", noting(log, "admin"));
    stacks.on_server_event = [&](event& e) { (e.nsp == "/admin" ? admin : main).dispatch(e); };
    auto& client = stacks.client(stacks.add());
    for (auto const* const nsp : {"/", "/admin"}) {
        auto const socket = client.connect(nsp);
        REQUIRE(socket.has_value());
        CHECK(client.emit(*socket, "a").has_value());
        stacks.settle();
    }
    CHECK(log == calls{"main", "admin"});
}

TEST_CASE("a dispatcher serves the sessions below", "[socketio]") {
    time_point const now{};
    calls log;
    dispatcher d;
    d.on(event_type::connected, noting(log, "connected"));
    d.on(event_type::connecting, noting(log, "connecting"));
    d.on(moved, [&](int steps, std::string_view) { log.push_back(std::to_string(steps)); });

    client_session client;
    CHECK(client.connect().has_value());
    client.opened(now);
    for (auto const* const text : {R"(0{"sid":"s"})", R"(2["moved",3,"north"])"}) {
        client.message_received({frame_kind::text, text}, now);
        while (auto e = client.poll_event()) d.dispatch(*e);
    }
    CHECK(log == calls{"connected", "3"});

    socketio::server_options const options;
    message_queue queue;
    server_session server(options, queue, revision::v5, now);
    d.on(event_type::connecting, [&](event& e) { CHECK(server.accept(e.socket, "sid").has_value()); });
    for (auto const* const text : {"0", R"(2["moved",4,"south"])"}) {
        server.message_received({frame_kind::text, text}, now);
        while (auto e = server.poll_event()) d.dispatch(*e);
    }
    CHECK(log == calls{"connected", "3", "connecting", "4"});
}

} // namespace socketio_dispatcher_test
