// What a wire client allocates: nothing for a message, and little while it waits; and what happens when an allocation
// fails. Linked with allocation_test.cpp, which counts.

#include "drivers/wire_client.hpp"
#include "tools/catch.hpp"
#include "tools/chance.hpp"
#include "tools/memory.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#if defined(__cpp_exceptions)

namespace allocation_wire_client_test {

using namespace socketless;
using namespace std::chrono_literals;
using namespace support::wire_client;
using support::fate;
using support::guarded;
using support::memory_in_use;
using wire::transmit_type;
using session_client = wire::client<engineio::client_session>;

namespace {

constexpr std::size_t many = 1'000'000'000;

// The calls of operator new while `f` runs.
template <class F>
std::size_t allocations_in(F const& f) {
    fate = {support::chance::allocation, many};
    guarded(true, f);
    return many - fate.left;
}

void fill(std::span<std::byte> bytes) {
    if (fate.take(support::chance::random)) throw support::thrown();
    for (std::byte& b : bytes) b = std::byte{7};
}

// A client and its network, with the least memory of its own. While `is_careful` is off, allocations may fail.
struct machine {
    explicit machine(engineio::client_options options, wire::client_options wire = {})
        : io(*http::parse_url("http://a"), std::move(options), std::move(wire), fill, now) {
        buffer.reserve(100'000);
        sent.reserve(100'000);
    }

    time_point now{std::chrono::hours(1)};
    session_client io;
    std::string buffer = {};
    std::string sent = {};
    std::vector<wire::connection_id> connections = {};
    std::set<wire::connection_id> open = {};
    std::size_t messages = 0;
    std::string last = std::string(100, ' '); // message
    bool is_careful = true;

    template <class F>
    bool call(F f) {
        return guarded(!is_careful, f);
    }
    void receive(std::size_t number, std::string_view bytes) {
        std::string copy(bytes);
        if (number >= connections.size()) return;
        call([&] { io.received(connections[number], copy, now); });
        drain();
    }
    void drain() {
        for (;;) {
            std::optional<engineio::event> e;
            if (!call([&] { e = io.poll_event(); })) continue;
            if (e) {
                if (e->type != engineio::event_type::message) continue;
                ++messages;
                last.assign(e->message.data.substr(0, last.capacity()));
                continue;
            }
            std::optional<wire::transmit> t;
            if (!call([&] { t = io.poll_transmit(buffer); })) continue;
            if (t)
                perform(*t);
            else if (io.poll_timeout().value_or(time_point::max()) > now)
                return;
            else
                call([&] { io.handle_timeout(now); });
        }
    }
    void perform(wire::transmit const& t) {
        if (t.type == transmit_type::connect) {
            connections.push_back(t.connection);
            open.insert(t.connection);
            bool const is_told = call([&] { io.connected(t.connection, now); });
            if (!is_told) io.connected(t.connection, now);
        } else if (t.type == transmit_type::close) {
            open.erase(t.connection);
        } else {
            sent.append(t.data);
        }
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

std::string accepted() {
    auto const key = websocket::make_key(fill);
    return agree("\r\nSec-WebSocket-Key: " + std::string(key.data(), key.size()) + "\r\n");
}

// A session that opens by long-polling, sends, moves to a WebSocket and closes.
void live(machine& m) {
    m.call([&] { m.io->open(m.now).ignore(); });
    m.drain();
    m.receive(0, answer(upgrading_handshake, "Set-Cookie: a=b\r\n").substr(0, 50));
    m.receive(0, answer(upgrading_handshake, "Set-Cookie: a=b\r\n").substr(50));
    m.call([&] { m.io->send({frame_kind::text, "hello"}, m.now).ignore(); });
    m.drain();
    m.receive(2, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n");
    m.receive(1, accepted());
    m.receive(1, server_frame("3probe"));
    m.receive(0, answer("4one\x1e"
                        "6"));
    if (!m.connections.empty() && m.open.contains(m.connections[0])) { // a kept connection meets its end
        m.call([&] { m.io.ended(m.connections[0], m.now); });
        m.drain();
    }
    m.call([&] { m.io->send({frame_kind::text, "more"}, m.now).ignore(); });
    m.receive(1, server_frame("4two").substr(0, 3));
    m.receive(1, server_frame("4two").substr(3) + server_frame("?", websocket::opcode::ping));
    m.call([&] { m.io->close(m.now); });
    m.drain();
}

} // namespace

TEST_CASE("wire client: messages of a WebSocket come and go without an allocation", "[allocation]") {
    machine m(by_websocket());
    m.io->open(m.now).ignore();
    m.drain();
    m.receive(0, accepted() + server_frame(engine_handshake));
    std::string const frame = server_frame("4" + std::string(200, 'x'));
    std::string const ping = server_frame("?", websocket::opcode::ping);
    std::string input(1'000, '\0');
    auto const exchange = [&] {
        for (int i = 0; i != 10; ++i) {
            auto begin = input.begin();
            for (auto const* bytes : {&frame, &frame, &ping}) {
                auto const end = std::copy(bytes->begin(), bytes->end(), begin);
                m.io.received(m.connections[0], {begin, end}, m.now);
                begin = end;
            }
            for (int n = 0; n != 3; ++n) m.io->send({frame_kind::text, "hello"}, m.now).ignore();
            m.drain();
            m.sent.clear();
        }
    };
    exchange(); // the first round takes the memory that is used again
    std::size_t const before = m.messages;
    CHECK(allocations_in(exchange) <= 10); // a pong's payload
    CHECK(m.messages == before + 20);
}

TEST_CASE("wire client: what waits between two messages is small", "[allocation]") {
    std::size_t const before = memory_in_use();
    {
        machine m(by_websocket());
        m.io->open(m.now).ignore();
        m.drain();
        m.receive(0, accepted() + server_frame(engine_handshake));
        m.receive(0, server_frame("4" + std::string(90'000, 'x')).substr(0, 80'000));
        std::size_t const full = memory_in_use();
        m.receive(0, server_frame("4" + std::string(90'000, 'x')).substr(80'000));
        CHECK(m.messages == 1);
        CHECK(memory_in_use() < full - 70'000);
        machine p(by_polling());
        p.io->open(p.now).ignore();
        p.drain();
        p.receive(0, answer(engine_handshake));
        std::size_t const idle = memory_in_use();
        for (std::size_t size = 1'000; size != 11'000; size += 1'000) {
            p.receive(0, answer("4" + std::string(size, 'x')).substr(0, size / 2));
            p.receive(0, answer("4" + std::string(size, 'x')).substr(size / 2));
            CHECK(memory_in_use() <= idle + 1'000);
        }
        CHECK(p.messages == 10);
    }
    CHECK(memory_in_use() == before);
}

TEST_CASE("wire client: a client with two connections takes the memory of two", "[allocation]") {
    std::size_t const before = memory_in_use();
    machine m(by_both());
    std::size_t const idle = memory_in_use();
    CHECK(idle - before < m.buffer.capacity() + m.sent.capacity() + 500);
    m.io->open(m.now).ignore();
    m.drain();
    m.receive(0, answer(upgrading_handshake));
    m.receive(1, accepted());
    CHECK(m.io.connection_count() == 2);
    CHECK(memory_in_use() - idle < 3'000);
}

TEST_CASE("wire client: the memory for an answer is that of what has come, not of what it says", "[allocation]") {
    machine m(by_polling());
    m.io->open(m.now).ignore();
    m.drain();
    std::size_t const before = memory_in_use();
    m.receive(0, "HTTP/1.1 200 OK\r\nContent-Length: 90000000\r\n\r\n4x");
    CHECK(memory_in_use() < before + 5'000);
}

TEST_CASE("wire client: when an allocation or the random source fails, everything ends all the same", "[allocation]") {
    auto const kind = GENERATE(support::chance::allocation, support::chance::random);
    for (std::size_t left = 0; left != 400; ++left) {
        CAPTURE(kind, left);
        std::size_t const before = memory_in_use();
        bool has_thrown = false;
        std::size_t messages = 0;
        {
            machine m(by_both());
            fate = {kind, left};
            m.is_careful = false;
            live(m);
            has_thrown = fate.has_thrown;
            messages = m.messages;
            m.is_careful = true;
            m.io->abort();
            m.drain();
            m.wait(120s);
            bool const is_over = m.io->is_closed() && m.io.connection_count() == 0 && m.open.empty();
            if (!is_over) CHECK(is_over);
        }
        bool const is_free = memory_in_use() == before;
        if (!is_free) CHECK(is_free);
        if (!has_thrown) {
            CHECK(messages == 2);
            return;
        }
    }
    FAIL("the scene has more places where memory is taken");
}

TEST_CASE("wire client: after a failed allocation the session hears of the end, and opens again", "[allocation]") {
    for (std::size_t left = 0; left != 60; ++left) {
        CAPTURE(left);
        machine m(by_polling());
        REQUIRE(m.io->open(m.now).has_value());
        fate = {support::chance::allocation, left};
        m.is_careful = false;
        m.drain();
        m.receive(0, answer(engine_handshake));
        m.receive(0, answer("4x"));
        m.is_careful = true;
        bool const is_good = m.messages == 1 || m.io->is_closed();
        m.wait(120s);
        if (!is_good || !m.io->is_closed()) CHECK((is_good && m.io->is_closed()));
        m.messages = 0;
        m.connections.clear();
        REQUIRE(m.io->open(m.now).has_value());
        m.drain();
        m.receive(0, answer(engine_handshake));
        m.receive(0, answer("4x"));
        if (m.messages != 1) CHECK(m.messages == 1);
    }
}

TEST_CASE("wire client: bytes that cannot be taken leave no gap, their connection ends", "[allocation]") {
    std::string const text = "0123456789abcdefghijklmnopqrstuvwxyz";
    for (std::size_t left = 0; left != 100; ++left) {
        CAPTURE(left);
        machine m(by_polling());
        m.io->open(m.now).ignore();
        m.drain();
        m.receive(0, answer(engine_handshake));
        std::string bytes = answer("4" + text); // a poll was sent on the same connection
        fate = {support::chance::allocation, left};
        m.is_careful = false;
        for (char& c : bytes) m.call([&] { m.io.received(m.connections[0], {&c, 1}, m.now); });
        m.drain();
        m.is_careful = true;
        bool const is_good = m.messages == 0 ? fate.has_thrown && m.io->is_closed() : m.last == text;
        if (!is_good) CHECK(is_good);
        if (!fate.has_thrown) return;
    }
    FAIL("the scene has more places where memory is taken");
}

namespace {

// A session that cannot hear of a failure the first times.
struct deaf_session : engineio::client_session {
    using client_session::client_session;

    void http_failed(engineio::exchange_id id, time_point now) {
        if (times != 0) {
            --times;
            throw support::thrown();
        }
        client_session::http_failed(id, now);
    }

    static inline int times = 0;
};

} // namespace

TEST_CASE("wire client: the session hears of a failure, however often that throws", "[allocation]") {
    for (int const times : {0, 1, 2, 3, 10}) {
        CAPTURE(times);
        fate = {support::chance::random, many};
        time_point const now{1h};
        wire::client<deaf_session> io(*http::parse_url("http://a"), by_polling(), {}, fill, now);
        io->open(now).ignore();
        std::string buffer;
        std::optional<wire::connection_id> connection;
        auto const drain = [&] {
            for (bool is_dry = false; !is_dry;)
                guarded(true, [&] {
                    while (io.poll_event()) continue;
                    auto const t = io.poll_transmit(buffer);
                    is_dry = !t;
                    if (t && t->type == transmit_type::connect) connection = t->connection;
                });
        };
        drain();
        REQUIRE(connection);
        io.connected(*connection, now);
        drain();
        deaf_session::times = times;
        io.closed(*connection, now);
        drain();
        while (io.poll_timeout() && *io.poll_timeout() <= now) {
            io.handle_timeout(now);
            drain();
        }
        CHECK(deaf_session::times == 0);
        CHECK(io->is_closed());
        CHECK(io.connection_count() == 0);
    }
}

} // namespace allocation_wire_client_test

#endif
