// Text that is not UTF-8 is refused on each road by which it can come, and text that is passes.

#include "drivers/socketio_server.hpp"
#include "drivers/whole_client.hpp"
#include "drivers/whole_server.hpp"
#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/client.hpp>
#include <socketless/server.hpp>

#include <optional>
#include <string>

namespace stack_invalid_text_test {

using namespace socketless;
using support::exact_copy;
using support::lines;
using support::stream_frame;
using support::operator+;

// In an argument, a name, a namespace; a cut sequence at the end; long enough for kernels, with the fault far behind.
std::string bad_events(int which) {
    switch (which) {
    case 0: return "42[\"x\",\"\xff\"]";
    case 1: return "42[\"\xed\xa0\x80\"]";
    case 2: return "42/\xc0\xaf,[\"x\"]";
    case 3: return "42[\"x\"]\xe2\x82";
    default: return "42[\"x\",\"" + std::string(5'000, 'a') + "\xf5\"]";
    }
}
std::string good_event() {
    return "42[\"x\",\"h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]";
}
lines const good_at_server{"0 event / [\"x\",\"h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"]"};

server_options with_streams() {
    server_options options;
    options.engine.transports = {engineio::transport::polling, engineio::transport::websocket,
                                 engineio::transport::webtransport};
    options.engine.allow_v3 = true;
    return options;
}

TEST_CASE("a server refuses text that is not UTF-8 over a WebSocket of the application", "[whole_server]") {
    auto const bad = bad_events(GENERATE(0, 1, 2, 3, 4));
    support::server_wires w(with_streams());
    bool const v3 = GENERATE(false, true);
    if (v3)
        w.open_v3(1);
    else
        w.connect(1);
    CHECK(w.receive(1, good_event()) == good_at_server);
    std::optional<errc> cause;
    w.on_event = [&](socketio::event const& e) { cause = w.server.connection(e.socket)->cause(); };
    CHECK(w.receive(1, bad) == lines{"0 disconnected /: parse error", "close 1"});
    CHECK(cause == errc::invalid_utf8);
}

TEST_CASE("a server checks text that comes before earlier text was read", "[whole_server]") {
    support::server_wires w;
    w.connect(1);
    auto const late = GENERATE(text_check::due, text_check::done);
    exact_copy const good(good_event());
    exact_copy const bad(bad_events(0));
    w.server.websocket_received(1, {frame_kind::text, good.view()}, w.now, text_check::done);
    w.server.websocket_received(1, {frame_kind::text, good.view()}, w.now, late);
    w.server.websocket_received(1, {frame_kind::text, bad.view()}, w.now);
    CHECK(w.drain() == lines{good_at_server[0], good_at_server[0], "0 disconnected /: parse error", "close 1"});
}

TEST_CASE("a server refuses text that is not UTF-8 in a POST", "[whole_server]") {
    auto const bad = bad_events(GENERATE(0, 1, 2, 3, 4));
    support::server_wires w(with_streams());
    w.open_polling(1);
    w.post(1, 2, "40");
    CHECK(w.post(1, 3, good_event() + "|" + bad + "|" + good_event()) ==
          lines{good_at_server[0], "0 disconnected /: parse error", "answer 3: 200 html ok"});
}

TEST_CASE("a server refuses text that is not UTF-8 in a POST of revision 3", "[whole_server]") {
    support::server_wires w(with_streams());
    w.open_polling(1, "3");
    CHECK(w.post(1, 2, "15:" + good_event()) == good_at_server + lines{"answer 2: 200 html ok"});
    CHECK(w.post(1, 3, "11:" + bad_events(0)) == lines{"0 disconnected /: parse error", "answer 3: 200 html ok"});
}

TEST_CASE("a server refuses text that is not UTF-8 over a stream", "[whole_server]") {
    auto const bad = bad_events(GENERATE(0, 1, 2, 3, 4));
    support::server_wires w(with_streams());
    w.channels.insert(1);
    auto const chunk = [&](std::string const& bytes) {
        exact_copy const copy(bytes);
        return w.after([&] { w.server.stream_received(1, copy.view(), w.now); });
    };
    w.after([&] { w.server.stream_opened(1, w.now); });
    chunk(stream_frame("0"));
    chunk(stream_frame("40"));
    CHECK(chunk(stream_frame(good_event())) == good_at_server);
    CHECK(chunk(stream_frame(bad)) == lines{"0 disconnected /: parse error", "close 1"});
}

TEST_CASE("a client refuses text that is not UTF-8 on each road", "[client]") {
    auto const bad = bad_events(GENERATE(0, 1, 2, 3, 4));
    lines const ends{"disconnected /: transport error", "closed: transport error", "close 1"};
    {
        support::whole_client::connected_driver c;
        CHECK(c.websocket(1, good_event()) == lines{good_at_server[0].substr(2)});
        CHECK(c.websocket(1, bad) == ends);
    }
    {
        support::whole_client::connected_driver c;
        exact_copy const good(good_event());
        exact_copy const last(bad);
        c.client.websocket_received(1, {frame_kind::text, good.view()}, c.now, text_check::done);
        c.client.websocket_received(1, {frame_kind::text, last.view()}, c.now);
        CHECK(c.drain() == lines{good_at_server[0].substr(2)} + ends);
    }
}

TEST_CASE("a Socket.IO session checks text unless it is told that it need not", "[server_socket]") {
    support::socketio_server_driver s;
    s.join();
    auto const bad = bad_events(GENERATE(0, 1, 2, 4)).substr(1);
    auto const good = good_event().substr(1);
    auto const first = GENERATE(text_check::due, text_check::done);
    exact_copy const one(good);
    exact_copy const two(bad);
    s.session.message_received({frame_kind::text, one.view()}, s.now, first);
    s.session.message_received({frame_kind::text, one.view()}, s.now, text_check::done);
    s.session.message_received({frame_kind::text, two.view()}, s.now);
    auto const said = s.drain();
    REQUIRE(said.size() >= 3);
    CHECK(said[0] == good_at_server[0].substr(2));
    CHECK(said[1] == good_at_server[0].substr(2));
    CHECK(said[2] == "disconnected /: parse error");
    CHECK(s.session.cause() == errc::invalid_utf8);
}

} // namespace stack_invalid_text_test
