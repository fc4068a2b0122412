#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/engineio/stream.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engineio_stream_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace std::string_literals;

namespace {

struct owned_frame {
    frame_kind kind;
    std::string data;

    friend bool operator==(owned_frame const&, owned_frame const&) = default;
};

struct outcome {
    std::vector<owned_frame> frames;
    std::optional<error> failure;
    bool incomplete = false;

    friend bool operator==(outcome const&, outcome const&) = default;
};

outcome read(std::vector<std::string> const& chunks, std::size_t max_payload = 1'000'000) {
    outcome out;
    stream_reader reader(max_payload);
    for (std::string chunk : chunks) {
        reader.push(chunk);
        while (auto const f = reader.next()) {
            if (*f)
                out.frames.push_back({(*f)->kind, std::string((*f)->data)});
            else
                out.failure = f->error();
        }
        std::fill(chunk.begin(), chunk.end(), '?'); // nothing borrows from it any more
    }
    out.incomplete = reader.incomplete();
    return out;
}

std::string framed(packet_type type, frame_kind kind, std::string const& data) {
    std::string wire;
    REQUIRE(encode_for_stream(wire, {type, kind, data}).has_value());
    return wire;
}

std::string text_message(std::string const& data) {
    return framed(packet_type::message, frame_kind::text, data);
}

std::string binary_message(std::string const& data) {
    return framed(packet_type::message, frame_kind::binary, data);
}

} // namespace

static_assert(stream_header(frame_kind::text, 6).view() == "\x06");
static_assert(stream_header(frame_kind::binary, 6).view() == "\x86");

TEST_CASE("a header takes 1, 3 or 9 bytes", "[engineio]") {
    CHECK(stream_header(frame_kind::text, 125).view() == "\x7d");
    CHECK(stream_header(frame_kind::text, 126).view() == "\x7e\x00\x7e"s);
    CHECK(stream_header(frame_kind::text, 65535).view() == "\x7e\xff\xff");
    CHECK(stream_header(frame_kind::binary, 65536).view() == "\xff\0\0\0\0\0\x01\0\0"s);
}

TEST_CASE("a frame is a header and a packet as WebSocket has it", "[engineio]") {
    CHECK(text_message("hello") == "\x06"
                                   "4hello");
    CHECK(binary_message("\x01\x02") == "\x82\x01\x02");
    CHECK(
        read({"\x06"
              "4hello\x82\x01\x02\x01"
              "2"}) ==
        outcome{{{frame_kind::text, "4hello"}, {frame_kind::binary, "\x01\x02"}, {frame_kind::text, "2"}}, {}, false});
}

TEST_CASE("a stream cannot carry a binary message without bytes", "[engineio]") {
    std::string wire;
    CHECK(encode_for_stream(wire, {packet_type::message, frame_kind::binary, ""}) == error{errc::empty_packet, 0});
    CHECK(wire.empty());
}

TEST_CASE("a length of zero or over the limit is an error at its frame", "[engineio]") {
    CHECK(read({"\x01"
                "2\x00"s}) == outcome{{{frame_kind::text, "2"}}, error{errc::empty_packet, 2}, false});
    CHECK(read({"\x7e\x00\x00"s}).failure == error{errc::empty_packet, 0});
    CHECK(read({text_message(std::string(99, 'x'))}, 100).failure == std::nullopt);
    CHECK(read({text_message(std::string(100, 'x'))}, 100).failure == error{errc::payload_too_large, 0});
    CHECK(read({"\x7f\x00\x04\x00\x00\x00\x00\x00\x00"s}).failure == error{errc::payload_too_large, 0});
    CHECK(read({"\x7f\xff\xff\xff\xff\xff\xff\xff\xff"}, static_cast<std::size_t>(-1)).failure ==
          error{errc::payload_too_large, 0});
}

TEST_CASE("nothing follows an error", "[engineio]") {
    stream_reader reader(100);
    std::string const bad = "\x00\x01"
                            "2"s;
    reader.push(bad);
    CHECK(*reader.next() == error{errc::empty_packet, 0});
    CHECK_FALSE(reader.next().has_value());
    reader.push("\x01"
                "2");
    CHECK_FALSE(reader.next().has_value());
    CHECK_FALSE(reader.incomplete());
}

TEST_CASE("a header longer than it need be is read", "[engineio]") {
    CHECK(read({"\x7e\x00\x01"
                "2"s})
              .frames == std::vector<owned_frame>{{frame_kind::text, "2"}});
    CHECK(read({"\x7f\0\0\0\0\0\0\0\x01"
                "2"s})
              .frames == std::vector<owned_frame>{{frame_kind::text, "2"}});
}

TEST_CASE("a stream that ends within a frame is incomplete", "[engineio]") {
    std::string const wire = text_message(std::string(200, 'x'));
    for (std::size_t size = 0; size != wire.size(); ++size)
        CHECK(read({wire.substr(0, size)}) == outcome{{}, {}, size != 0});
}

TEST_CASE("every chunking of a stream gives the same packets", "[engineio]") {
    std::string const wire = text_message("hello") + binary_message(std::string(200, '\x07')) + text_message("") +
                             framed(packet_type::ping, frame_kind::text, "probe") + text_message(std::string(300, 'y'));
    outcome const whole = read({wire});
    REQUIRE(whole.frames.size() == 5);
    // Every way to cut it in three.
    for (std::size_t first = 0; first <= wire.size(); first += 1)
        for (std::size_t second = first; second <= wire.size(); second += 1 + second / 20)
            if (read({wire.substr(0, first), wire.substr(first, second - first), wire.substr(second)}) != whole)
                FAIL("cut at " << first << " and " << second);
    // Byte by byte, and random chunks.
    std::vector<std::string> bytes;
    for (char const c : wire) bytes.emplace_back(1, c);
    CHECK(read(bytes) == whole);
    support::random_source random(2);
    for (int round = 0; round != 300; ++round) {
        std::vector<std::string> chunks;
        for (std::size_t at = 0; at != wire.size();) {
            auto const size = std::min<std::size_t>(random.below(80), wire.size() - at);
            chunks.push_back(wire.substr(at, size));
            at += size;
        }
        REQUIRE(read(chunks) == whole);
    }
}

} // namespace engineio_stream_test
