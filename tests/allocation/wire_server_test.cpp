// What the connections of a wire server cost in memory: nothing for a message, little while they are idle, and never
// more than their limits. Linked with allocation_test.cpp, which counts.

#include "drivers/wire_server.hpp"
#include "tools/catch.hpp"
#include "tools/chance.hpp"
#include "tools/memory.hpp"

#include <socketless/server.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/wire/server.hpp>

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

namespace allocation_wire_server_test {

using namespace socketless;
using namespace std::chrono_literals;
using namespace std::string_literals;
using support::memory_in_use;
using support::wire_scene;

namespace {

std::string masked(websocket::opcode code, std::string_view payload) {
    std::string frame;
    websocket::write_masked_frame(frame, code, payload, {1, 2, 3, 4}).ignore();
    return frame;
}

// A Socket.IO server that sends each event back.
struct echo {
    time_point now{1h};
    wire::server<> io{{}, {}, support::counting_random(), now};
    std::string buffer = {};
    std::size_t writes = 0;

    void receive(wire::connection_id id, std::string bytes) {
        io.received(id, bytes, now);
        drain();
    }
    void drain() {
        for (;;) {
            while (auto e = io.poll_event())
                if (e->type == socketio::event_type::event)
                    io->emit(e->socket, "back", socketio::spread(e->args())).ignore();
            auto const t = io.poll_transmit(buffer);
            if (!t) return;
            ++writes;
        }
    }
    void connect(wire::connection_id id) {
        io.accepted(id, "127.0.0.1", now);
        receive(id, support::websocket_request("/socket.io/?EIO=4&transport=websocket"));
        receive(id, masked(websocket::opcode::text, "40"));
    }
};

} // namespace

TEST_CASE("wire server memory: a message there and back allocates nothing", "[allocation]") {
    echo server;
    server.connect(1);
    auto const message =
        masked(websocket::opcode::text, R"(42["message",{"id":1234567,"text":"the quick brown fox"}])");
    auto const turn = [&] { // twenty messages are one write
        std::string all;
        for (int i = 0; i != 20; ++i) all += message;
        return all;
    }();
    for (int i = 0; i != 3; ++i) server.receive(1, turn);
    server.writes = 0;
    std::string input = turn;
    std::size_t const before = support::allocation_count();
    for (int i = 0; i != 100; ++i) {
        std::copy(turn.begin(), turn.end(), input.begin());
        server.io.received(1, input, server.now);
        server.drain();
    }
    CHECK(support::allocation_count() == before);
    CHECK(server.writes == 100);
}

TEST_CASE("wire server memory: a poll and a post over a connection that is kept cost little, and leave nothing",
          "[allocation]") {
    wire_scene s;
    s.accept(1);
    s.receive(1, "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    auto const target = "/engine.io/?EIO=4&transport=polling&sid=" + std::string(s.io->find(*s.session)->id());
    auto const post =
        "POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n4" + std::string(99'999, 'x');
    auto const round = [&] {
        s.receive_in_pieces(1, post, 5'000);
        s.take(1);
        s.events.clear();
        s.pieces.clear();
    };
    for (int i = 0; i != 3; ++i) round();
    std::size_t const before = memory_in_use();
    for (int i = 0; i != 10; ++i) round();
    CHECK(memory_in_use() <= before);
}

TEST_CASE("wire server memory: an idle connection takes little", "[allocation]") {
    echo server;
    constexpr std::size_t count = 2'000;
    for (wire::connection_id id = 0; id != 100; ++id) server.connect(id);
    std::size_t const before = memory_in_use();
    for (wire::connection_id id = 100; id != 100 + count; ++id) server.connect(id);
    auto const each = (memory_in_use() - before) / count;
    INFO(each << " bytes");
    CHECK(each <= 1'500);
}

TEST_CASE("wire server memory: ten thousand clients that say little or nothing are ended, others do not notice",
          "[allocation]") {
    std::size_t const before = memory_in_use();
    {
        wire_scene s({}, {.max_payload = 1'000'000});
        s.accept(1);
        s.receive(1, support::websocket_request());
        std::size_t const begin = memory_in_use();
        constexpr wire::connection_id count = 10'000;
        constexpr std::string_view lines[] = {"", "G",
                                              "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nX: ",
                                              "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"};
        for (wire::connection_id id = 2; id != 2 + count; ++id) {
            s.accept(id);
            s.receive(id, lines[id % std::size(lines)]);
        }
        CHECK((memory_in_use() - begin) / count <= 3'000);
        for (int minute = 0; minute != 3; ++minute) { // a byte of each
            for (wire::connection_id id = 2; id != 2 + count; ++id)
                if (!s.closed.contains(id)) s.receive(id, "x");
            for (int i = 0; i != 3; ++i) {
                s.wait(20s);
                s.receive(1, masked(websocket::opcode::text, "3") + masked(websocket::opcode::text, "4hello"));
                CHECK(s.events.back() == "message hello");
            }
        }
        CHECK(s.closed.size() == count);
        CHECK(s.io.connection_count() == 1);
        CHECK(s.io->connection_count() == 1);
    }
    CHECK(memory_in_use() <= before + 1'000);
}

TEST_CASE("wire server memory: whatever a client sends without end, a connection stays within its limits",
          "[allocation]") {
    struct attack {
        std::string_view name;
        std::string begin;
        std::function<std::string(int)> more;
    };
    auto const same = [](std::string text) { return [text = std::move(text)](int) { return text; }; };
    auto const get = std::string("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    auto fragment = masked(websocket::opcode::text, "4" + std::string(1'000, 'f'));
    fragment[0] = '\x01';
    auto continuation = masked(websocket::opcode::continuation, std::string(1'000, 'f'));
    continuation[0] = '\0';
    auto empty = masked(websocket::opcode::continuation, "");
    empty[0] = '\0';
    attack const attacks[] = {
        {"a line", "GET /", same(std::string(1'000, 'x'))},
        {"fields", "GET / HTTP/1.1\r\n", same("X: y\r\n")},
        {"empty lines", "", same("\r\n")},
        {"requests", "", same(get + get + get)},
        {"a body", "POST /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
         same("3e8\r\n" + std::string(1'000, 'x') + "\r\n")},
        {"an extension", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;",
         same(std::string(1'000, 'x'))},
        {"fragments", support::websocket_request() + fragment, same(continuation)},
        {"empty fragments", support::websocket_request() + fragment, same(empty)},
        {"pings", support::websocket_request(),
         [](int i) { return masked(websocket::opcode::ping, std::to_string(i)); }},
    };
    for (attack const& a : attacks)
        for (bool const is_paused : {false, true}) {
            CAPTURE(a.name, is_paused);
            wire_scene s({}, {.max_payload = 100'000});
            s.accept(1);
            s.receive(1, a.begin);
            if (is_paused) s.io.pause(1);
            std::size_t const before = memory_in_use();
            std::size_t most = 0;
            for (int i = 0; i != 3'000; ++i) {
                s.receive(1, a.more(i));
                s.take(1);
                s.pieces.clear();
                most = std::max(most, memory_in_use() - std::min(before, memory_in_use()));
            }
            CHECK(most <= 250'000); // twice a message or what came early, and a little
            s.io.closed(1, s.now);
            s.drain();
            s.events.clear();
            CHECK(s.io.connection_count() == 0);
        }
}

TEST_CASE("wire server memory: a large message leaves none behind", "[allocation]") {
    wire_scene s({}, {.max_payload = 10'000'000, .max_queued = 20'000'000});
    s.accept(1);
    s.receive(1, support::websocket_request());
    s.take(1);
    std::size_t const before = memory_in_use();
    s.receive(1, masked(websocket::opcode::text, "4" + std::string(5'000'000, 'x')));
    s.events = {};
    s.io->send(*s.session, {frame_kind::text, std::string(5'000'000, 'y')}).ignore();
    s.drain();
    CHECK(s.take(1).size() > 5'000'000);
    s.wait(26s); // the next ping
    s.take(1);
    s.pieces = {};
    std::string().swap(s.buffer);
    CHECK(memory_in_use() <= before + 10'000);
}

TEST_CASE("wire server memory: the answer to a body over the limit does not take the limit", "[allocation]") {
    wire_scene s({}, {.max_payload = 1'000'000});
    s.accept(1);
    s.receive(1, "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n");
    s.receive(1, "POST /engine.io/?EIO=4&transport=polling&sid=" + std::string(s.io->find(*s.session)->id()) +
                     " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n4\r\n");
    s.take(1);
    std::string bytes = "ffffff\r\nx";
    std::size_t const before = memory_in_use();
    s.io.received(1, bytes, s.now);
    CHECK_FALSE(s.io.poll_event());
    auto const t = s.io.poll_transmit(s.buffer);
    REQUIRE(t);
    CHECK(t->data.starts_with("HTTP/1.1 413"));
    CHECK(memory_in_use() <= before + 10'000);
    CHECK(s.io->connection_count() == 1);
}

#if defined(__cpp_exceptions)

namespace {

using support::fate;
using support::guarded;
using wire::connection_id;
using wire::transmit_type;

void risk(support::chance c) {
    if (fate.take(c)) throw support::thrown();
}

wire::server_options risky_options() {
    wire::server_options o;
    o.cors.allows = [](std::string_view) { return risk(support::chance::predicate), true; };
    o.headers = {{"X-Served-By", "socketless"}};
    o.cookie.name = "io";
    o.choose_subprotocol = [](std::span<std::string_view const> offered) {
        risk(support::chance::predicate);
        return std::string(offered.back());
    };
    o.other_paths = wire::other_paths::application;
    o.request_timeout = 10s;
    return o;
}

constexpr std::size_t many = 1'000'000;

// A server and its network. While `is_careful` is off, the nth allocation or callback throws.
struct risky_server {
    time_point now{1h};
    wire::server<engineio::server> io{{.allow_request =
                                           [](engineio::handshake_request const&) {
                                               risk(support::chance::allowing);
                                               return true;
                                           }},
                                      risky_options(),
                                      [source = support::counting_random()](std::span<std::byte> bytes) mutable {
                                          risk(support::chance::random);
                                          source(bytes);
                                      },
                                      now};
    std::map<connection_id, std::string> sent = {};
    std::set<connection_id> gone = {}; // not known any more
    std::vector<engineio::session_handle> sessions = {};
    std::set<std::string> paths = {}; // of the application's requests
    std::string sid = {};             // of the last session
    std::size_t notices = 0;          // that were sent to the first session
    bool is_careful = true;

    template <class F>
    bool call(F f) {
        return guarded(!is_careful, f);
    }
    // What the caller cannot leave out; only one call throws.
    template <class F>
    void insist(F f) {
        if (!call(f)) call(f);
    }
    void accept(connection_id id) {
        if (!call([&] { io.accepted(id, "10.0.0.1", now); })) gone.insert(id);
        drain();
    }
    void receive(connection_id id, std::string bytes) { receive_in_pieces(id, std::move(bytes), many); }
    void receive_in_pieces(connection_id id, std::string bytes, std::size_t size) {
        if (!sessions.empty())
            insist([&] {
                if (io->send(sessions.front(), {frame_kind::text, "a notice of some length"})) ++notices;
            });
        auto rest = std::span(bytes);
        while (!rest.empty() && !gone.contains(id)) {
            auto const piece = rest.first(std::min(size, rest.size()));
            rest = rest.subspan(piece.size());
            call([&] { io.received(id, piece, now); });
        }
        drain();
    }
    void drain() {
        for (;;) {
            std::optional<engineio::server_event> e;
            if (!call([&] { e = io.poll_event(); })) continue;
            if (e) {
                take(*e);
                continue;
            }
            std::optional<wire::request> r;
            if (!call([&] { r = io.poll_request(); })) continue;
            if (r) {
                paths.emplace(r->path());
                insist([&] { io.respond(r->exchange, {.body = "page"}, now).ignore(); });
                continue;
            }
            std::optional<wire::transmit> t;
            std::string buffer; // a new one each time: to fill it may fail
            if (!call([&] { t = io.poll_transmit(buffer); })) continue;
            if (!t) return;
            if (t->type == transmit_type::close) gone.insert(t->connection);
            if (t->type == transmit_type::send) sent[t->connection] += t->data;
        }
    }
    void take(engineio::server_event const& e) {
        if (e.event.type == engineio::event_type::opened) {
            sessions.push_back(e.session);
            sid = io->find(e.session)->id();
        }
        if (e.event.type != engineio::event_type::message) return;
        auto const text = std::string(e.event.message.data);
        insist([&] { io->send(e.session, {frame_kind::text, text}).ignore(); });
    }
    void wait(milliseconds time) {
        auto const until = now + time;
        while (auto const at = io.poll_timeout()) {
            if (*at > until) break;
            now = std::max(now, *at);
            call([&] { io.handle_timeout(now); });
            drain();
        }
        now = until;
    }
};

// One client does all that a client can do, on several connections; another has a WebSocket, and gets a notice for
// each step.
void live(risky_server& s) {
    auto const request = [](std::string_view line, std::string_view rest = "\r\n") {
        return std::string(line).append(" HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n").append(rest);
    };
    auto const by_polling = "/engine.io/?EIO=4&transport=polling"s;
    s.accept(2);
    s.receive(2, request("GET " + by_polling));
    s.accept(3);
    s.receive(3, request("POST " + by_polling + "&sid=" + s.sid, "Content-Length: 5\r\n\r\n4"));
    s.receive(3, "text");
    s.receive(2, request("GET " + by_polling + "&sid=" + s.sid));
    s.receive(2, request("GET " + by_polling + "&sid=" + s.sid));
    s.io.pause(2);
    s.insist([&] { s.io->send(s.sessions.back(), {frame_kind::text, "while it writes"}).ignore(); });
    s.drain();
    s.io.resume(2);
    s.receive(3, request("OPTIONS " + by_polling, "Access-Control-Request-Headers: x\r\n\r\n"));
    s.accept(4);
    s.receive(4, request("GET /page") + request("GET /page") + request("GET /page"));
    s.receive_in_pieces(4, request("GET /page"), 1);
    s.receive(4, request("PUT /page", "Transfer-Encoding: chunked\r\n\r\n3\r\n"));
    s.receive(4, "abc\r\n0\r\n\r\n");
    s.accept(5);
    s.receive(5, support::websocket_request("/engine.io/?EIO=4&transport=websocket&sid=" + s.sid));
    s.receive(5, masked(websocket::opcode::text, "2probe") + masked(websocket::opcode::text, "5"));
    s.receive(5, masked(websocket::opcode::ping, "?").substr(0, 3));
    s.receive(5, masked(websocket::opcode::ping, "?").substr(3));
    s.io.pause(5);
    s.receive(5, masked(websocket::opcode::text, "4more"));
    s.io.resume(5);
    s.receive(5, masked(websocket::opcode::close, "\3\350"));
    s.receive(4, "GET / HTTP/9\r\n\r\n");
    s.receive(3, "GET /is-never-whole");
    s.wait(30s);
}

// Of which client a connection is.
int client_of(connection_id id) {
    return id == 2 || id == 3 || id == 5 ? 2 : static_cast<int>(id);
}

} // namespace

TEST_CASE("wire server: whatever throws, the connection that it was for ends, and no other notices", "[allocation]") {
    using support::chance;
    auto const kind = GENERATE(chance::allocation, chance::predicate, chance::allowing, chance::random);
    std::set<connection_id> expected;
    for (std::size_t left = 100'000; left != 1'000; left = left == 100'000 ? 0 : left + 1) {
        CAPTURE(kind, left);
        std::size_t const before = memory_in_use();
        bool has_thrown = false;
        {
            risky_server s;
            s.accept(1);
            s.receive(1, support::websocket_request());
            fate = {kind, left};
            s.is_careful = false;
            live(s);
            has_thrown = fate.has_thrown;
            s.is_careful = true;
            if (left == 100'000) {
                expected = s.gone;
                CHECK_FALSE(s.gone.contains(1));
            }
            std::set<int> concerned;
            for (connection_id id = 1; id != 6; ++id)
                if (s.gone.contains(id) != expected.contains(id)) concerned.insert(client_of(id));
            if (concerned.size() > 1) CHECK(concerned.size() <= 1);
            std::size_t notices = 0;
            for (std::size_t at = 0; (at = s.sent[1].find("4a notice", at)) != std::string::npos; ++at) ++notices;
            if (s.paths != std::set<std::string>{"/page"}) CHECK(s.paths.empty());
            if (!s.gone.contains(1) && notices != s.notices) CHECK(notices == s.notices);
            s.io.close();
            s.drain();
            s.wait(200s);
            if (!s.io.is_done()) CHECK(s.io.is_done());
        }
        bool const is_free = memory_in_use() == before;
        if (left == 100'000) continue; // `expected` is new
        if (!is_free) CHECK(is_free);
        if (!has_thrown) return;
    }
    FAIL("the scene has more places where something may throw");
}

#endif

} // namespace allocation_wire_server_test
