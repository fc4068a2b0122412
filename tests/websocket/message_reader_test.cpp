#include "tools/catch.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"
#include "tools/websocket.hpp"

#include <socketless/text/utf8.hpp>
#include <socketless/websocket/message_reader.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// The cases follow the chapters of the Autobahn test suite, each for the reader of both roles.
namespace websocket_message_reader_test {

using namespace socketless;
using namespace socketless::websocket;
using namespace std::string_literals;
using namespace std::string_view_literals;
using support::both_roles;
using support::byte_by_byte;
using support::frames;
using support::lines;
using support::name_of;
using support::read_chunks;

namespace {

// What a reader of this role makes of a stream, which must be the same in one piece, byte by byte and in halves.
lines read(frames const& sent, role r, reader_limits const& limits = {}) {
    std::string const& wire = sent.wire();
    lines const whole = read_chunks(r, {wire}, limits);
    CHECK(read_chunks(r, byte_by_byte(wire), limits) == whole);
    CHECK(read_chunks(r, {wire.substr(0, wire.size() / 2), wire.substr(wire.size() / 2)}, limits) == whole);
    return whole;
}

std::string code_body(unsigned code) {
    return {support::byte_of(code >> 8u), support::byte_of(code)};
}

// All kinds of frames, messages whole and in fragments, of each length of header.
std::string all_kinds(role r) {
    frames f(r);
    f.text("Hello").binary("\x00\xff"s).ping("p").pong("").text("");
    f.part(opcode::text, "caf\xc3").ping("within").part(opcode::continuation, "").add(opcode::continuation, "\xa9");
    f.part(opcode::binary, "").pong("q").add(opcode::continuation, "");
    f.binary(std::string(126, 'b')).text(std::string(300, 't'));
    f.part(opcode::binary, std::string(200, '1')).add(opcode::continuation, std::string(130, '2'));
    return f.close(1000, "bye").wire();
}

lines const all_kinds_read{"text Hello",
                           "binary \x00\xff"s,
                           "ping p",
                           "pong ",
                           "text ",
                           "ping within",
                           "text caf\xc3\xa9",
                           "pong q",
                           "binary ",
                           "binary " + std::string(126, 'b'),
                           "text " + std::string(300, 't'),
                           "binary " + std::string(200, '1') + std::string(130, '2'),
                           "close 1000 bye"};

} // namespace

TEST_CASE("websocket reader: messages of each length of header", "[websocket]") {
    for (role const r : both_roles)
        for (std::size_t const size : {0u, 1u, 124u, 125u, 126u, 127u, 128u, 65'535u, 65'536u}) {
            CAPTURE(name_of(r), size);
            std::string const payload(size, '*');
            std::string const wire = frames(r).text(payload).binary(payload).wire();
            bool const is_read = read_chunks(r, {wire}) == lines{"text " + payload, "binary " + payload};
            CHECK(is_read);
        }
}

TEST_CASE("websocket reader: long messages, in chunks of any size", "[websocket]") {
    for (role const r : both_roles)
        for (std::size_t const size : {1'000'000u, (r == role::server ? 16u : 4u) * 1024 * 1024}) {
            std::string const payload = support::random_source(size).bytes(size);
            std::string const wire = frames(r).binary(payload).wire();
            message_reader reader(r, {.max_message = size});
            std::size_t const chunk = size / 7 + 1;
            lines out;
            for (std::size_t at = 0; at < wire.size(); at += chunk)
                REQUIRE(support::read_chunk(reader, std::string_view(wire).substr(at, chunk), out));
            bool const is_read = out == lines{"binary " + payload};
            CHECK(is_read);
        }
}

TEST_CASE("websocket reader: all kinds of frames in one stream", "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        CHECK(read_chunks(r, {all_kinds(r)}) == all_kinds_read);
        CHECK(read_chunks(r, byte_by_byte(all_kinds(r))) == all_kinds_read);
    }
}

TEST_CASE("websocket reader: every chunking of a stream gives the same events", "[websocket]") {
    support::random_source random(1);
    for (role const r : both_roles) {
        std::string const wire = all_kinds(r);
        bool all_same = true;
        for (std::size_t cut = 0; cut <= wire.size(); ++cut)
            all_same = all_same && read_chunks(r, {wire.substr(0, cut), wire.substr(cut)}) == all_kinds_read;
        CHECK(all_same);
        for (int round = 0; round != 300; ++round) {
            std::vector<std::string> chunks;
            std::size_t const longest = 1 + random.below(120);
            for (std::size_t at = 0; at != wire.size();) {
                auto const size = std::min(random.below(longest + 1), wire.size() - at);
                chunks.push_back(wire.substr(at, size));
                at += size;
            }
            all_same = all_same && read_chunks(r, chunks) == all_kinds_read;
        }
        CHECK(all_same);
    }
}

TEST_CASE("websocket reader: what is left of an input after an event may be given from another place", "[websocket]") {
    for (role const r : both_roles) {
        message_reader reader(r);
        std::string rest = all_kinds(r);
        lines out;
        for (;;) {
            support::exact_copy const memory(rest);
            std::span<char> input = memory.span();
            auto const event = reader.read(input);
            REQUIRE(event.has_value());
            if (!*event) break;
            out.push_back(support::line_of(**event));
            rest.assign(input.begin(), input.end());
        }
        CHECK(out == all_kinds_read);
    }
}

TEST_CASE("websocket reader: a message within one input is borrowed from it", "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        frames f(r);
        f.part(opcode::text, "Hel").part(opcode::continuation, "").part(opcode::continuation, "lo ");
        f.add(opcode::continuation, "world").binary("more");
        std::string wire = f.wire();
        std::span<char> input = wire;
        auto const lies_in_wire = [&](std::span<char> s) { return s.data() > wire.data() && s.data() < &wire.back(); };
        message_reader reader(r);
        auto const first = reader.read(input);
        REQUIRE((first.has_value() && first->has_value()));
        CHECK((*first)->message() == frame{frame_kind::text, "Hello world"});
        CHECK(lies_in_wire((*first)->data));
        auto const second = reader.read(input);
        REQUIRE((second.has_value() && second->has_value()));
        CHECK((*second)->message() == frame{frame_kind::binary, "more"});
        CHECK(lies_in_wire((*second)->data));
        CHECK(input.empty());
    }
}

TEST_CASE("websocket reader: control frames of each size, whole and chopped", "[websocket]") {
    for (role const r : both_roles)
        for (std::size_t const size : {0u, 1u, 124u, 125u}) {
            CAPTURE(name_of(r), size);
            std::string const payload(size, '\xfe');
            CHECK(read(frames(r).ping(payload).pong(payload), r) == lines{"ping " + payload, "pong " + payload});
        }
}

TEST_CASE("websocket reader: control frames that are long or fragmented", "[websocket]") {
    for (role const r : both_roles)
        for (opcode const code : {opcode::ping, opcode::pong, opcode::close}) {
            CAPTURE(name_of(r), static_cast<int>(code));
            CHECK(read(frames(r).add(code, std::string(126, 'x')), r) == lines{"error invalid_control_frame"});
            CHECK(read(frames(r).start(code, 127), r) == lines{"error invalid_control_frame"});
            CHECK(read(frames(r).part(code, ""), r) == lines{"error invalid_control_frame"});
            CHECK(read(frames(r).part(code, "ab"), r) == lines{"error invalid_control_frame"});
        }
}

TEST_CASE("websocket reader: reserved bits are refused in every frame, and what came before is delivered",
          "[websocket]") {
    for (role const r : both_roles)
        for (unsigned const bits : {0x10u, 0x20u, 0x30u, 0x40u, 0x50u, 0x60u, 0x70u})
            for (unsigned const code : {0x0u, 0x1u, 0x2u, 0x8u, 0x9u, 0xau}) {
                CAPTURE(name_of(r), bits, code);
                CHECK(read(frames(r).text("ok").raw(0x80u | bits | code, "x").ping("late"), r) ==
                      lines{"text ok", "error reserved_bits"});
            }
}

TEST_CASE("websocket reader: unknown opcodes are refused, with and without a payload", "[websocket]") {
    for (role const r : both_roles)
        for (unsigned const code : {3u, 4u, 5u, 6u, 7u, 11u, 12u, 13u, 14u, 15u}) {
            CAPTURE(name_of(r), code);
            CHECK(read(frames(r).raw(0x80u | code), r) == lines{"error unknown_opcode"});
            CHECK(read(frames(r).text("ok").raw(0x80u | code, "xy").ping(""), r) ==
                  lines{"text ok", "error unknown_opcode"});
            CHECK(read(frames(r).raw(code), r) == lines{"error unknown_opcode"});
        }
}

TEST_CASE("websocket reader: a client's frames are masked and a server's are not", "[websocket]") {
    for (role const r : both_roles)
        for (opcode const code : {opcode::text, opcode::binary, opcode::ping, opcode::pong, opcode::close}) {
            CAPTURE(name_of(r), static_cast<int>(code));
            std::string const foreign = frames(support::peer_of(r)).add(code, "").wire();
            CHECK(read(frames(r).text("ok").bytes(foreign), r) == lines{"text ok", "error invalid_masking"});
        }
}

TEST_CASE("websocket reader: fragments in every order", "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        using enum opcode;
        CHECK(read(frames(r).part(text, "a").add(continuation, "b"), r) == lines{"text ab"});
        CHECK(read(frames(r).part(binary, "a").part(continuation, "b").add(continuation, "c").text("d"), r) ==
              lines{"binary abc", "text d"});
        CHECK(read(frames(r).part(text, "").part(continuation, "").add(continuation, ""), r) == lines{"text "});
        CHECK(read(frames(r).part(text, "").part(continuation, "mid").add(continuation, ""), r) == lines{"text mid"});
        CHECK(read(frames(r).part(text, "a").ping("1").part(continuation, "b").ping("2").add(continuation, "c"), r) ==
              lines{"ping 1", "ping 2", "text abc"});
        CHECK(read(frames(r).part(text, "a").close(1000), r) == lines{"close 1000"});
        // of no message
        CHECK(read(frames(r).add(continuation, "a"), r) == lines{"error unexpected_fragment"});
        CHECK(read(frames(r).part(continuation, "a"), r) == lines{"error unexpected_fragment"});
        CHECK(read(frames(r).part(continuation, "").text("a"), r) == lines{"error unexpected_fragment"});
        CHECK(read(frames(r).text("a").add(continuation, "b"), r) == lines{"text a", "error unexpected_fragment"});
        CHECK(read(frames(r).part(text, "a").add(continuation, "b").add(continuation, "c"), r) ==
              lines{"text ab", "error unexpected_fragment"});
        CHECK(read(frames(r).ping("").add(continuation, ""), r) == lines{"ping ", "error unexpected_fragment"});
        // a message within a message
        CHECK(read(frames(r).part(text, "a").text("b"), r) == lines{"error unexpected_fragment"});
        CHECK(read(frames(r).part(text, "a").part(binary, "b"), r) == lines{"error unexpected_fragment"});
        CHECK(read(frames(r).part(text, "").pong("").binary(""), r) == lines{"pong ", "error unexpected_fragment"});
    }
}

TEST_CASE("websocket reader: the number of fragments is limited, those without bytes included", "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        auto const fragments = [r](std::size_t number) {
            frames f(r);
            f.part(opcode::binary, "");
            for (std::size_t i = 2; i < number; ++i) f.part(opcode::continuation, i % 2 == 0 ? "" : "x");
            return f.add(opcode::continuation, "");
        };
        reader_limits const limits{.max_fragments = 5};
        CHECK(read(fragments(4), r, limits) == lines{"binary x"});
        CHECK(read(fragments(5), r, limits) == lines{"binary x"});
        CHECK(read(fragments(6), r, limits) == lines{"error too_many_fragments"});
        // Each message counts for itself.
        frames three = fragments(5);
        three.bytes(fragments(5).wire()).text("one").bytes(fragments(6).wire());
        CHECK(read(three, r, limits) == lines{"binary x", "binary x", "text one", "error too_many_fragments"});
        CHECK(read(frames(r).text("a").text("b"), r, {.max_fragments = 1}) == lines{"text a", "text b"});
    }
}

TEST_CASE("websocket reader: 100,000 empty fragments end by their count", "[websocket]") {
    for (role const r : both_roles) {
        message_reader reader(r);
        std::string const one = frames(r).part(opcode::continuation, "").wire();
        lines out;
        REQUIRE(support::read_chunk(reader, frames(r).part(opcode::text, "").wire(), out));
        std::size_t number = 1;
        while (number != 100'000 && support::read_chunk(reader, one, out)) ++number;
        CHECK(number == reader_limits().max_fragments);
        CHECK(out == lines{"error too_many_fragments"});
    }
}

TEST_CASE("websocket reader: a message over the limit is refused by its length alone", "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        reader_limits const limits{.max_message = 200};
        std::string const most(200, 'x');
        CHECK(read(frames(r).binary(most).ping(""), r, limits) == lines{"binary " + most, "ping "});
        CHECK(read(frames(r).start(opcode::binary, 126, "\x00\xc9"s), r, limits) == lines{"error payload_too_large"});
        CHECK(read(frames(r).start(opcode::text, 126, "\xff\xff"), r, limits) == lines{"error payload_too_large"});
        CHECK(read(frames(r).start(opcode::text, 127, "\x40\0\0\0\0\0\0\0"s), r) == lines{"error payload_too_large"});
        CHECK(read(frames(r).start(opcode::text, 127, "\x7f\xff\xff\xff\xff\xff\xff\xff"), r) ==
              lines{"error payload_too_large"});
        CHECK(read(frames(r).start(opcode::text, 127, "\x7f\xff\xff\xff\xff\xff\xff\xff"), r,
                   {.max_message = static_cast<std::size_t>(-1)}) == lines{"error payload_too_large"});
        // All fragments together.
        std::string const half(100, 'x');
        CHECK(read(frames(r).part(opcode::binary, half).ping(half).add(opcode::continuation, half), r, limits) ==
              lines{"ping " + half, "binary " + most});
        CHECK(read(frames(r).part(opcode::binary, half).part(opcode::continuation, half).raw(0x80, "x"), r, limits) ==
              lines{"error payload_too_large"});
        CHECK(read(frames(r).part(opcode::binary, half).ping("p").part(opcode::continuation, half).raw(0x80, "x"), r,
                   limits) == lines{"ping p", "error payload_too_large"});
        CHECK(read(frames(r).text("").text("x"), r, {.max_message = 0}) == lines{"text ", "error payload_too_large"});
    }
}

TEST_CASE("websocket reader: a length has its shortest form, and less than 64 bits", "[websocket]") {
    for (role const r : both_roles)
        for (std::string const& length :
             {"\x00\x00"s, "\x00\x7d"s, "\0\0\0\0\0\0\0\0"s, "\0\0\0\0\0\0\0\x7e"s, "\0\0\0\0\0\0\xff\xff"s,
              "\x80\0\0\0\0\0\0\0"s, "\xff\xff\xff\xff\xff\xff\xff\xff"s}) {
            CAPTURE(name_of(r), length);
            CHECK(read(frames(r).start(opcode::binary, length.size() == 2 ? 126 : 127, length), r) ==
                  lines{"error invalid_length"});
        }
}

TEST_CASE("websocket reader: an error comes as soon as its byte, and again with every call", "[websocket]") {
    message_reader reader(role::client);
    std::string start = "\xc1\x00"s;
    for (int i = 0; i != 3; ++i) {
        std::span<char> input = start;
        CHECK(reader.read(input).error() == error{errc::reserved_bits});
        CHECK(input.empty());
    }
    std::string good = "\x81\x00"s;
    std::span<char> input = good;
    CHECK(reader.read(input).error() == error{errc::reserved_bits});
}

TEST_CASE("websocket reader: text is UTF-8, wherever it is cut", "[websocket]") {
    constexpr std::string_view text = "caf\u00e9 \u20ac \U0001f600 \U0010ffff \u0800 \ud7ff \ue000 \uffff";
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        CHECK(read(frames(r).text(text), r) == lines{"text " + std::string(text)});
        bool all_read = true;
        for (std::size_t first = 0; first <= text.size(); ++first)
            for (std::size_t second = first; second <= text.size(); ++second) {
                frames f(r);
                f.part(opcode::text, text.substr(0, first));
                f.part(opcode::continuation, text.substr(first, second - first));
                f.add(opcode::continuation, text.substr(second));
                all_read = all_read && read_chunks(r, {f.wire()}) == lines{"text " + std::string(text)};
            }
        CHECK(all_read);
    }
}

TEST_CASE("websocket reader: text that is not UTF-8 is refused; binary may be anything", "[websocket]") {
    for (role const r : both_roles)
        for (std::string const& bad :
             {"\x80"s, "\xbf"s, "\xc0\x80"s, "\xc1\xbf"s, "\xc3("s, "\xe0\x80\x80"s, "\xe2\x82"s, "\xe2\x82("s,
              "\xed\xa0\x80"s, "\xed\xbf\xbf"s, "\xed\xa1\x8c\xed\xbe\xb4"s, "\xf0\x80\x80\x80"s, "\xf0\x9f\x98"s,
              "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xf8\x88\x80\x80\x80"s, "\xfe"s, "\xff"s,
              "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80"
              "edited"s}) {
            CAPTURE(name_of(r), bad);
            CHECK(read(frames(r).text(bad), r) == lines{"error invalid_utf8"});
            CHECK(read(frames(r).text("ok").text("good " + bad + " good").text("late"), r) ==
                  lines{"text ok", "error invalid_utf8"});
            CHECK(read(frames(r).part(opcode::text, bad).add(opcode::continuation, ""), r) ==
                  lines{"error invalid_utf8"});
            CHECK(read(frames(r).binary(bad), r) == lines{"binary " + bad});
        }
}

TEST_CASE("websocket reader: each text begins afresh", "[websocket]") {
    for (role const r : both_roles) {
        CHECK(read(frames(r).text("\xe2\x82").text("\xac"), r) == lines{"error invalid_utf8"});
        CHECK(read(frames(r).part(opcode::binary, "\xe2\x82").add(opcode::continuation, "").text("\xc3\xa9"), r) ==
              lines{"binary \xe2\x82", "text \xc3\xa9"});
    }
}

TEST_CASE("websocket reader: text is refused at the first byte with which it cannot become UTF-8", "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        std::string const wire = frames(r).part(opcode::text, "ab \xe2\x82").ping("p").wire();
        std::string const next =
            frames(r).add(opcode::continuation, std::string("\xac \xf4\x90 ") + std::string(100, 'x')).wire();
        message_reader reader(r);
        lines out;
        REQUIRE(support::read_chunk(reader, wire, out));
        std::size_t const bad = next.size() - 102; // the byte \x90: the frame goes on behind it
        REQUIRE(support::read_chunk(reader, std::string_view(next).substr(0, bad), out));
        CHECK_FALSE(support::read_chunk(reader, std::string_view(next).substr(bad, 1), out));
        CHECK(out == lines{"ping p", "error invalid_utf8"});
    }
}

TEST_CASE("websocket reader: each close code is taken or refused", "[websocket]") {
    for (role const r : both_roles) {
        bool all_good = true;
        for (unsigned code = 0; code <= 5'000; ++code) {
            lines const expected{may_be_sent(static_cast<std::uint16_t>(code)) ? "close " + std::to_string(code)
                                                                               : "error invalid_close_code"};
            all_good = all_good && read_chunks(r, {frames(r).close(code).wire()}) == expected;
        }
        CHECK(all_good);
        for (unsigned const code : {5'001u, 32'768u, 65'535u})
            CHECK(read(frames(r).close(code), r) == lines{"error invalid_close_code"});
    }
}

TEST_CASE("websocket reader: bodies of close frames", "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        std::string const longest(123, '*');
        CHECK(read(frames(r).close(""), r) == lines{"close"});
        CHECK(read(frames(r).close("\x03"), r) == lines{"error invalid_close_code"});
        CHECK(read(frames(r).close(code_body(1000)), r) == lines{"close 1000"});
        CHECK(read(frames(r).close(4999, "caf\xc3\xa9"), r) == lines{"close 4999 caf\xc3\xa9"});
        CHECK(read(frames(r).close(1000, longest), r) == lines{"close 1000 " + longest});
        CHECK(read(frames(r).close(1000, longest + '*'), r) == lines{"error invalid_control_frame"});
        CHECK(read(frames(r).close(1000, "caf\xc3"), r) == lines{"error invalid_utf8"});
        CHECK(read(frames(r).close(1000, "\xed\xa0\x80"), r) == lines{"error invalid_utf8"});
        CHECK(read(frames(r).close(1005, "\xff"), r) == lines{"error invalid_close_code"});
    }
}

TEST_CASE("websocket reader: nothing follows a close frame", "[websocket]") {
    for (role const r : both_roles) {
        CAPTURE(name_of(r));
        CHECK(read(frames(r).text("a").close(1001).text("b").ping("").close(1000), r) == lines{"text a", "close 1001"});
        CHECK(read(frames(r).close("").raw(0xff, "garbage"), r) == lines{"close"});
    }
}

TEST_CASE("websocket reader: once stopped it reads nothing more", "[websocket]") {
    for (role const r : both_roles) {
        message_reader reader(r);
        lines out;
        CHECK(support::read_chunk(reader, frames(r).part(opcode::text, "half").wire(), out));
        reader.stop();
        CHECK(support::read_chunk(reader, frames(r).add(opcode::continuation, "").raw(0xff).wire(), out));
        CHECK(out.empty());
    }
}

TEST_CASE("websocket reader: each error has its close code", "[websocket]") {
    using enum errc;
    for (errc const code : {reserved_bits, unknown_opcode, invalid_masking, invalid_control_frame, unexpected_fragment,
                            invalid_close_code, invalid_length})
        CHECK(close_code_of(code) == close_code::protocol_error);
    CHECK(close_code_of(invalid_utf8) == close_code::invalid_payload_data);
    CHECK(close_code_of(payload_too_large) == close_code::message_too_big);
    CHECK(close_code_of(too_many_fragments) == close_code::message_too_big);
}

TEST_CASE("websocket reader: every prefix of a stream gives a prefix of its events", "[websocket]") {
    for (role const r : both_roles) {
        bool all_good = true;
        support::for_each_prefix(all_kinds(r), [&](std::string_view prefix) {
            lines const some = read_chunks(r, {std::string(prefix)});
            all_good = all_good && some.size() <= all_kinds_read.size() &&
                       std::equal(some.begin(), some.end(), all_kinds_read.begin());
        });
        CHECK(all_good);
    }
}

TEST_CASE("websocket reader: every changed byte of a stream is read or refused, in pieces as in one", "[websocket]") {
    for (role const r : both_roles) {
        frames f(r);
        f.text("H\xc3\xa9").part(opcode::binary, "a").ping("p").add(opcode::continuation, "b").close(1000, "x");
        bool all_good = true;
        support::for_each_changed_byte(f.wire(), [&](std::string_view changed) {
            lines const whole = read_chunks(r, {std::string(changed)});
            lines const pieces = read_chunks(r, byte_by_byte(changed));
            all_good = all_good && whole == pieces;
        });
        CHECK(all_good);
    }
}

} // namespace websocket_message_reader_test
