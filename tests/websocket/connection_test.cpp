#include "tools/catch.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"
#include "tools/websocket.hpp"

#include <socketless/websocket/connection.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace websocket_connection_test {

using namespace socketless;
using namespace socketless::websocket;
using namespace std::string_literals;
using namespace std::string_view_literals;
using support::both_roles;
using support::frames;
using support::lines;
using support::name_of;
using support::peer_of;

namespace {

mask_key const some_key{'\x12', '\x34', '\x56', '\x78'};

std::string line_of(connection_event const& e) {
    if (e.type == connection_event_type::message)
        return (e.kind == frame_kind::text ? "text " : "binary ") + std::string(e.message().data);
    std::string line = e.how == closure::clean ? "clean " : "unclean ";
    line += std::to_string(static_cast<unsigned>(e.code));
    if (e.error != errc{}) line += " " + std::string(name(e.error));
    return e.reason.empty() ? line : line + " " + std::string(e.reason);
}

// The events of a chunk.
lines receive(connection& c, std::string_view chunk) {
    support::exact_copy const memory(chunk);
    std::span<char> input = memory.span();
    lines out;
    while (auto const event = c.read(input)) out.push_back(line_of(*event));
    CHECK(input.empty());
    return out;
}

lines receive(connection& c, frames const& f) {
    return receive(c, f.wire());
}

std::string output_of(connection& c) {
    std::string out;
    std::uint64_t number = 0;
    c.write_output(out, [&number] {
        ++number;
        return mask_key{'k', 'e', 'y', support::byte_of(number)};
    });
    CHECK_FALSE(c.has_output());
    return out;
}

// The frames that are due, as the peer reads them.
lines said(connection& c, role own) {
    return support::read_chunks(peer_of(own), {output_of(c)});
}

bool can_write(connection const& c) {
    std::string out;
    auto const written = c.write_message(out, {frame_kind::text, "x"}, some_key);
    CHECK(written.has_value() == !out.empty());
    if (!written) CHECK(written.error() == error{errc::not_open});
    CHECK(written.has_value() == c.is_open());
    return written.has_value();
}

} // namespace

TEST_CASE("websocket connection: it is small", "[websocket]") {
    CHECK(sizeof(message_reader) <= 40 + sizeof(std::string));
    CHECK(sizeof(connection) <= sizeof(message_reader) + 16);
}

TEST_CASE("websocket connection: messages go both ways", "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        connection one(r);
        connection other(peer_of(r));
        std::string wire;
        REQUIRE(one.write_message(wire, {frame_kind::text, "caf\u00e9"}, some_key).has_value());
        auto const size = wire.size();
        CHECK(one.write_message(wire, {frame_kind::binary, "\x00\xff"sv}, some_key) == (r == role::client ? 8u : 4u));
        CHECK(wire.size() == size + (r == role::client ? 8 : 4));
        CHECK(receive(other, wire) == lines{"text caf\u00e9", "binary \x00\xff"s});
        CHECK_FALSE(other.has_output());
    }
}

TEST_CASE("websocket connection: a server writes without keys", "[websocket]") {
    connection c(role::server);
    std::string out;
    CHECK(c.write_message(out, {frame_kind::text, "Hello"}) == std::size_t{7});
    CHECK(receive(c, frames(role::server).ping("p")).empty());
    c.write_output(out);
    CHECK(out == "\x81\x05Hello\x8a\x01p");
    std::array<char, 6> small{};
    CHECK(c.write_message(std::span<char>(small), {frame_kind::text, "Hello"}) == error{errc::buffer_too_small, 7});
}

TEST_CASE("websocket connection: a ping is answered with its payload, a pong is ignored", "[websocket]") {
    for (role const r : both_roles)
        for (std::string const& payload : {""s, "p"s, std::string(125, '\xff')}) {
            CAPTURE(name_of(r), payload);
            connection c(r);
            CHECK(receive(c, frames(r).pong(payload).text("a").ping(payload).text("b").pong("x")) ==
                  lines{"text a", "text b"});
            CHECK(c.has_output());
            CHECK(said(c, r) == lines{"pong " + payload});
            CHECK_FALSE(c.has_output());
            CHECK(output_of(c).empty());
        }
}

TEST_CASE("websocket connection: the last of many pings is answered", "[websocket]") {
    for (role const r : both_roles) {
        connection c(r);
        frames flood(r);
        for (int i = 0; i != 1'000; ++i) flood.ping("ping " + std::to_string(i));
        CHECK(receive(c, flood).empty());
        CHECK(said(c, r) == lines{"pong ping 999"});
        // Also if the last one is empty.
        CHECK(receive(c, frames(r).ping("one").ping("")).empty());
        CHECK(said(c, r) == lines{"pong "});
        CHECK(receive(c, frames(r).ping("")).empty());
        CHECK(said(c, r) == lines{"pong "});
    }
}

TEST_CASE("websocket connection: the peer's close frame is answered once, with its code", "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        connection c(r);
        CHECK(receive(c, frames(r).text("a").close(1001, "bye").text("b").close(1000).ping("")) ==
              lines{"text a", "clean 1001 bye"});
        CHECK_FALSE(c.is_done());
        CHECK_FALSE(can_write(c));
        CHECK(c.close() == error{errc::not_open});
        CHECK(said(c, r) == lines{"close 1001"});
        CHECK(c.is_done());
        CHECK(receive(c, frames(r).close(1000)).empty());
        CHECK(output_of(c).empty());
        CHECK_FALSE(c.lost().has_value());
        CHECK(c.is_done());
    }
}

TEST_CASE("websocket connection: a close frame without a code is answered with 1000", "[websocket]") {
    for (role const r : both_roles) {
        connection c(r);
        CHECK(receive(c, frames(r).close("")) == lines{"clean 1005"});
        CHECK(said(c, r) == lines{"close 1000"});
        CHECK(c.is_done());
    }
}

TEST_CASE("websocket connection: each close code is answered as it should be", "[websocket]") {
    for (role const r : both_roles) {
        bool all_good = true;
        for (unsigned code = 0; code <= 5'000; ++code) {
            connection c(r);
            bool const is_good = may_be_sent(static_cast<std::uint16_t>(code));
            std::string wire = frames(r).close(code).wire();
            std::span<char> input = wire;
            auto const event = c.read(input);
            all_good = all_good && event && (event->how == closure::clean) == is_good;
            std::string const expected = "close " + (is_good ? std::to_string(code) : "1002");
            lines const answer = said(c, r);
            all_good = all_good && answer.size() == 1 && answer[0].starts_with(expected) && c.is_done();
        }
        CHECK(all_good);
    }
}

TEST_CASE("websocket connection: a pong that is due goes out before the close frame", "[websocket]") {
    for (role const r : both_roles) {
        connection c(r);
        CHECK(receive(c, frames(r).ping("p").close(1000)) == lines{"clean 1000"});
        CHECK(said(c, r) == lines{"pong p", "close 1000"});
    }
}

TEST_CASE("websocket connection: after close, messages are read until the peer closes, and none is written",
          "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        connection c(r);
        REQUIRE(can_write(c));
        CHECK(c.close(close_code::going_away, "restart"));
        CHECK_FALSE(can_write(c));
        CHECK(c.close() == error{errc::not_open});
        CHECK(said(c, r) == lines{"close 1001 restart"});
        CHECK_FALSE(c.is_done());
        CHECK(receive(c, frames(r).text("late").ping("unanswered").pong("").binary("too")) ==
              lines{"text late", "binary too"});
        CHECK_FALSE(c.has_output());
        CHECK(receive(c, frames(r).close(1001).text("after")) == lines{"clean 1001"});
        CHECK(output_of(c).empty());
        CHECK(c.is_done());
    }
}

TEST_CASE("websocket connection: both sides close at once", "[websocket]") {
    for (role const r : both_roles) {
        connection c(r);
        CHECK(c.close(static_cast<close_code>(4000)));
        CHECK(receive(c, frames(r).close(1001)) == lines{"clean 1001"});
        CHECK_FALSE(c.is_done()); // our close frame is still due
        CHECK(said(c, r) == lines{"close 4000"});
        CHECK(c.is_done());
    }
}

TEST_CASE("websocket connection: close takes a code that may be sent and a short reason of text", "[websocket]") {
    connection c(role::server);
    for (unsigned const code : {0u, 999u, 1004u, 1005u, 1006u, 1015u, 2999u, 5000u})
        CHECK(c.close(static_cast<close_code>(code)) == error{errc::invalid_close_code});
    CHECK(c.close(close_code::normal_closure, std::string(124, 'x')) == error{errc::message_too_large});
    CHECK(c.close(close_code::normal_closure, "caf\xc3") == error{errc::invalid_utf8, 3});
    CHECK(c.is_open());
    CHECK_FALSE(c.has_output());
    CHECK(c.close(close_code::normal_closure, std::string(123, 'x')));
    CHECK(said(c, role::server) == lines{"close 1000 " + std::string(123, 'x')});
}

TEST_CASE("websocket connection: the peer's errors are answered with their code, and end the connection",
          "[websocket]") {
    for (role const r : both_roles) {
        struct bad {
            frames sent;
            std::string event;
            std::string answer;
        };
        bad const table[] = {
            {frames(r).raw(0xc1, "x"), "unclean 1002 reserved_bits", "close 1002 "},
            {frames(r).raw(0x83, "x"), "unclean 1002 unknown_opcode", "close 1002 "},
            {frames(r).bytes(frames(peer_of(r)).text("x").wire()), "unclean 1002 invalid_masking", "close 1002 "},
            {frames(r).part(opcode::ping, "x"), "unclean 1002 invalid_control_frame", "close 1002 "},
            {frames(r).add(opcode::continuation, "x"), "unclean 1002 unexpected_fragment", "close 1002 "},
            {frames(r).close("x"), "unclean 1002 invalid_close_code", "close 1002 "},
            {frames(r).close(1005), "unclean 1002 invalid_close_code", "close 1002 "},
            {frames(r).start(opcode::text, 127, "\xff\0\0\0\0\0\0\0"s), "unclean 1002 invalid_length", "close 1002 "},
            {frames(r).text("\xff"), "unclean 1007 invalid_utf8", "close 1007"},
            {frames(r).close(1000, "\xff"), "unclean 1007 invalid_utf8", "close 1007"},
            {frames(r).start(opcode::text, 127, "\x40\0\0\0\0\0\0\0"s), "unclean 1009 payload_too_large", "close 1009"},
            {frames(r).part(opcode::text, "").part(opcode::continuation, "").part(opcode::continuation, ""),
             "unclean 1009 too_many_fragments", "close 1009"},
        };
        for (bad const& b : table) {
            CAPTURE(name_of(r), b.event);
            connection c(r, {.max_fragments = 2});
            CHECK(receive(c, frames(r).text("a").bytes(b.sent.wire()).text("b")) == lines{"text a", b.event});
            CHECK_FALSE(can_write(c));
            CHECK_FALSE(c.is_done());
            lines const answer = said(c, r);
            REQUIRE(answer.size() == 1);
            CHECK(answer[0].starts_with(b.answer));
            CHECK(c.is_done());
            CHECK(receive(c, frames(r).close(1000)).empty());
            CHECK_FALSE(c.lost().has_value());
        }
    }
}

TEST_CASE("websocket connection: an error after our close frame ends it without a second one", "[websocket]") {
    for (role const r : both_roles) {
        connection c(r);
        CHECK(c.close());
        CHECK(said(c, r) == lines{"close 1000"});
        CHECK(receive(c, frames(r).text("\xff")) == lines{"unclean 1007 invalid_utf8"});
        CHECK_FALSE(c.has_output());
        CHECK(c.is_done());
    }
}

TEST_CASE("websocket connection: a stream that ends without a close frame is 1006, once", "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        enum class before { nothing, half_a_message, a_ping, our_close };
        for (before const b : {before::nothing, before::half_a_message, before::a_ping, before::our_close}) {
            connection c(r);
            if (b == before::half_a_message) CHECK(receive(c, frames(r).part(opcode::text, "half")).empty());
            if (b == before::a_ping) CHECK(receive(c, frames(r).ping("p")).empty());
            if (b == before::our_close) CHECK(c.close());
            auto const event = c.lost();
            REQUIRE(event.has_value());
            CHECK(line_of(*event) == "unclean 1006");
            CHECK(c.is_done());
            CHECK_FALSE(c.has_output());
            CHECK(output_of(c).empty());
            CHECK_FALSE(can_write(c));
            CHECK_FALSE(c.lost().has_value());
            CHECK(receive(c, frames(r).text("late").close(1000)).empty());
        }
    }
}

TEST_CASE("websocket connection: a client masks every frame with another key", "[websocket]") {
    connection c(role::client);
    CHECK(receive(c, frames(role::client).ping("p").close(1000)) == lines{"clean 1000"});
    std::string const out = output_of(c);
    REQUIRE(out.size() == 2 + 4 + 1 + 2 + 4 + 2);
    CHECK(out.substr(2, 4) == "key\x01");
    CHECK(out.substr(9, 4) == "key\x02");
}

TEST_CASE("websocket connection: what one role writes the other reads, cut anywhere", "[websocket]") {
    support::random_source random(1);
    bool all_same = true;
    for (int round = 0; round != 200; ++round) {
        role const r = random.pick(both_roles);
        connection one(r);
        connection other(peer_of(r));
        std::string wire;
        lines sent;
        for (std::size_t n = random.below(8); n != 0; --n) {
            std::size_t const size = random.one_in(3) ? random.below(70'000) : random.below(130);
            bool const is_text = random.one_in(2);
            std::string const data = is_text ? random.text(size, "abc\x01{}\x7f") : random.bytes(size);
            mask_key const key{random.byte(), random.byte(), random.byte(), random.byte()};
            frame const f{is_text ? frame_kind::text : frame_kind::binary, data};
            all_same = all_same && one.write_message(wire, f, key).has_value();
            sent.push_back((is_text ? "text " : "binary ") + data);
        }
        all_same = all_same && one.close(close_code::going_away, "done");
        wire += output_of(one);
        sent.emplace_back("clean 1001 done");

        lines received;
        std::size_t const longest = 1 + random.below(100'000);
        for (std::size_t at = 0; at != wire.size();) {
            auto const size = std::min(random.below(longest) + 1, wire.size() - at);
            for (std::string& line : receive(other, std::string_view(wire).substr(at, size)))
                received.push_back(std::move(line));
            at += size;
        }
        all_same = all_same && received == sent;
        all_same = all_same && receive(one, output_of(other)) == lines{"clean 1001"};
        all_same = all_same && one.is_done() && other.is_done();
    }
    CHECK(all_same);
}

TEST_CASE("websocket connection: whatever a peer sends, it ends once and with a good close frame", "[websocket]") {
    for (role const r : both_roles) {
        frames f(r);
        f.ping("p").text("H\xc3\xa9").part(opcode::binary, "a").add(opcode::continuation, "b").close(1000, "x");
        bool all_good = true;
        support::for_each_mutation(f.wire(), [&](std::string_view sent) {
            connection c(r);
            std::size_t ends = 0;
            std::string copy(sent);
            std::span<char> input = copy;
            while (auto const event = c.read(input)) ends += event->type == connection_event_type::closed ? 1u : 0u;
            bool const has_ended = ends != 0;
            lines const answer = said(c, r);
            bool const has_closed = !answer.empty() && answer.back().starts_with("close ");
            ends += c.lost() ? 1u : 0u;
            all_good = all_good && ends == 1 && has_closed == has_ended && c.is_done();
        });
        CHECK(all_good);
    }
}

} // namespace websocket_connection_test
