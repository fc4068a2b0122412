// What WebSocket connections cost in memory: nothing while they are idle, and never more than their limits. Linked with
// allocation_test.cpp, which counts.

#include "tools/catch.hpp"
#include "tools/chance.hpp"
#include "tools/memory.hpp"
#include "tools/websocket.hpp"

#include <socketless/websocket/connection.hpp>
#include <socketless/websocket/handshake.hpp>
#include <socketless/websocket/message_reader.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace allocation_websocket_test {

using namespace socketless;
using namespace socketless::websocket;
using namespace std::string_literals;
using support::both_roles;
using support::frames;
using support::memory_in_use;
using support::name_of;

namespace {

// What reading a chunk costs: the events, the allocations, and the most memory that was in use at an event or at the
// end, beyond what was at the start.
struct cost {
    std::size_t events = 0;
    std::size_t allocations = 0;
    std::size_t peak = 0;
};

cost read(connection& c, std::span<char> input) {
    std::size_t const before = memory_in_use();
    std::size_t const count = support::allocation_count();
    cost result;
    for (;;) {
        auto const event = c.read(input);
        result.allocations = support::allocation_count() - count;
        result.peak = std::max(result.peak, memory_in_use() - before);
        if (!event) return result;
        ++result.events;
    }
}

constexpr mask_key no_key{};

} // namespace

TEST_CASE("websocket memory: messages that lie in the input cost nothing, in fragments or not", "[allocation]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        frames f(r);
        f.text(std::string(100'000, 'x')).binary("").pong("pong");
        f.part(opcode::text, std::string(300, 'a')).part(opcode::continuation, std::string(70'000, 'b'));
        f.part(opcode::continuation, "").add(opcode::continuation, std::string(126, 'c'));
        std::string wire = f.wire();
        connection c(r);
        cost const all = read(c, wire);
        CHECK(all.events == 3);
        CHECK(all.allocations == 0);
    }
}

TEST_CASE("websocket memory: a connection that waits for the next message owns nothing", "[allocation]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        std::size_t const before = memory_in_use();
        std::size_t size = 0;
        {
            frames f(r);
            f.text(std::string(100'000, 'x')).ping("p").part(opcode::binary, "a").ping(std::string(125, 'q'));
            f.add(opcode::continuation, std::string(50'000, 'b'));
            std::string wire = f.wire();
            connection c(r);
            std::size_t const idle = memory_in_use();
            for (std::size_t at = 0; at < wire.size(); at += 999)
                size += read(c, std::span(wire).subspan(at, std::min<std::size_t>(999, wire.size() - at))).events;
            CHECK(memory_in_use() > idle); // the pong that is due
            std::string out;
            c.write_output(out, [] { return no_key; });
            std::string().swap(out);
            CHECK(memory_in_use() == idle);
        }
        CHECK(size == 2);
        CHECK(memory_in_use() == before);
    }
}

TEST_CASE("websocket memory: a header that is cut is kept without an allocation", "[allocation]") {
    for (role const r : both_roles) {
        std::string wire = frames(r).binary(std::string(65'536, 'x')).wire();
        std::size_t const header = wire.size() - 65'536;
        connection c(r);
        for (std::size_t i = 0; i != header; ++i) CHECK(read(c, std::span(wire).subspan(i, 1)).allocations == 0);
        CHECK(read(c, std::span(wire).subspan(header)).allocations == 0);
    }
}

TEST_CASE("websocket memory: the length in a header reserves nothing", "[allocation]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        // Refused at once, and within a limit that allows it.
        for (std::size_t const limit : {std::size_t{1'000'000}, std::size_t{1} << 62u}) {
            std::string wire = frames(r).start(opcode::binary, 127, "\x10\0\0\0\0\0\0\0"s).wire() + "keys and ten more";
            connection c(r, {.max_message = limit});
            CHECK(read(c, wire).peak < 1'000);
        }
    }
}

TEST_CASE("websocket memory: an unfinished message costs twice its bytes at most, and never more than the limit",
          "[allocation]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        constexpr std::size_t limit = 100'000;
        frames f(r);
        f.part(opcode::binary, "");
        for (int i = 0; i != 99; ++i) f.part(opcode::continuation, std::string(1'000, 'x')).ping(std::string(125, 'p'));
        std::string wire = f.wire();
        connection c(r, {.max_message = limit});
        std::size_t const before = memory_in_use();
        std::size_t peak = 0;
        bool is_bounded = true;
        for (std::size_t at = 0; at < wire.size(); at += 100) {
            read(c, std::span(wire).subspan(at, std::min<std::size_t>(100, wire.size() - at)));
            std::size_t const used = memory_in_use() - before;
            peak = std::max(peak, used);
            is_bounded = is_bounded && used <= 2 * (at + 100) + 1'000;
        }
        CHECK(is_bounded);
        CHECK(peak > 90'000);
        CHECK(peak < limit + 1'000);
    }
}

TEST_CASE("websocket memory: a message of known size takes no more than that", "[allocation]") {
    for (role const r : both_roles) {
        constexpr std::size_t size = 70'000;
        std::string wire = frames(r).binary(std::string(size, 'x')).wire();
        connection c(r);
        std::size_t const before = memory_in_use();
        std::size_t peak = 0;
        for (std::size_t at = 0; at + 1'000 < wire.size(); at += 1'000) {
            read(c, std::span(wire).subspan(at, 1'000));
            peak = std::max(peak, memory_in_use() - before);
        }
        CHECK(peak >= size);
        CHECK(peak < size + 100);
    }
}

TEST_CASE("websocket memory: empty fragments without end cost nothing", "[allocation]") {
    for (role const r : both_roles) {
        std::string first = frames(r).part(opcode::text, "").wire();
        std::string const again = frames(r).part(opcode::continuation, "").wire();
        connection c(r);
        std::size_t allocations = read(c, first).allocations;
        std::size_t events = 0;
        std::array<char, 16> memory{};
        for (int i = 0; i != 100'000 && events == 0; ++i) {
            std::copy(again.begin(), again.end(), memory.begin());
            cost const one = read(c, std::span(memory).first(again.size()));
            events += one.events;
            if (events == 0) allocations += one.allocations;
        }
        CHECK(allocations == 0);
        CHECK(events == 1);
    }
}

TEST_CASE("websocket memory: a flood of pings keeps one pong", "[allocation]") {
    for (role const r : both_roles) {
        std::string flood;
        for (int i = 0; i != 10'000; ++i) flood += frames(r).ping(std::string(125, 'p')).wire();
        connection c(r);
        CHECK(read(c, flood).peak <= 300);
    }
}

TEST_CASE("websocket memory: errors, close frames and the end of the stream free what was kept", "[allocation]") {
    for (role const r : both_roles)
        for (std::string const& end : {frames(r).raw(0xff).wire(), frames(r).text("x").wire(),
                                       frames(r).close(1000, "a reason that is longer than short").wire(), ""s}) {
            CAPTURE(name_of(r), end);
            std::string wire = frames(r).part(opcode::binary, std::string(50'000, 'x')).ping("p").wire();
            std::string last = end;
            connection c(r);
            std::size_t const before = memory_in_use();
            read(c, wire);
            CHECK(memory_in_use() - before >= 50'000);
            // Cut, so that the close frame is kept too.
            for (char& byte : last) read(c, {&byte, 1});
            if (last.empty()) CHECK(c.lost().has_value());
            CHECK(memory_in_use() - before <= 300);
            static_cast<void>(c.lost());
            CHECK(memory_in_use() == before);
        }
}

TEST_CASE("websocket memory: reading and writing the handshake costs nothing", "[allocation]") {
    struct field {
        std::string_view name;
        std::string_view value;
    };
    constexpr std::array request{
        field{"Upgrade", "websocket"},
        field{"Connection", "keep-alive, Upgrade"},
        field{"Sec-WebSocket-Version", "13"},
        field{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
        field{"Sec-WebSocket-Protocol", "a-subprotocol-with-a-long-name, another"},
        field{"Sec-WebSocket-Protocol", "and-a-third-one"},
    };
    std::size_t const before = support::allocation_count();
    auto const offer = read_request("GET", 1, request);
    std::size_t characters = 0;
    if (offer)
        write_response_fields(
            accept_of(offer->key), offer->subprotocols.first(),
            [&](std::string_view name, std::string_view value) { characters += name.size() + value.size(); });
    CHECK(support::allocation_count() == before);
    CHECK(characters > 100);
}

#if defined(__cpp_exceptions)

TEST_CASE("websocket memory: a message for which there is no memory is too large", "[allocation][throwing]") {
    for (role const r : both_roles)
        for (std::size_t chance = 0;; ++chance) {
            CAPTURE(name_of(r), chance);
            std::size_t const before = memory_in_use();
            bool has_thrown = false;
            {
                std::string wire = frames(r).binary(std::string(5'000, 'x')).ping("ping").text("end").wire();
                connection c(r);
                std::array<std::size_t, 2> sizes{};
                std::size_t messages = 0;
                std::optional<errc> end;
                support::fate = {support::chance::allocation, chance, false, false};
                for (char& byte : wire) {
                    std::span<char> input(&byte, 1);
                    has_thrown |= !support::guarded(true, [&] {
                        while (auto const event = c.read(input)) {
                            if (event->type == connection_event_type::message)
                                sizes.at(messages++) = event->data.size();
                            else
                                end = event->error;
                        }
                    });
                }
                // A pong may be lost, but no message with a hole is delivered.
                if (end)
                    CHECK((messages == 0 && *end == errc::payload_too_large));
                else
                    CHECK((messages == 2 && sizes[0] == 5'000 && sizes[1] == 3));
                CHECK((has_thrown || !end));
            }
            support::fate = {};
            CHECK(memory_in_use() == before);
            if (!has_thrown) {
                CHECK(chance > 5);
                break;
            }
        }
}

#endif

} // namespace allocation_websocket_test
