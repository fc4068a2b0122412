#include "tools/catch.hpp"

#include <socketless/engineio/packet.hpp>
#include <socketless/text/utf8.hpp>

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace engineio_packet_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace std::string_view_literals;

namespace {

constexpr frame text(std::string_view data) {
    return {frame_kind::text, data};
}

constexpr frame binary(std::string_view data) {
    return {frame_kind::binary, data};
}

constexpr packet text_packet(packet_type type, std::string_view data) {
    return {type, frame_kind::text, data};
}

// Encoding at compile time, into a buffer that the comparison looks at.
constexpr bool encodes_to(packet const& p, std::string_view expected, revision r = revision::v4) {
    std::array<char, 64> buffer{};
    auto const size = encode(std::span<char>(buffer), p, r);
    return size && std::string_view(buffer.data(), *size) == expected;
}

} // namespace

static_assert(decode(text("4hello")) == text_packet(packet_type::message, "hello"));
static_assert(decode(text("2probe")) == text_packet(packet_type::ping, "probe"));
static_assert(decode(text("6")) == text_packet(packet_type::noop, ""));
static_assert(decode(text("7")) == error{errc::unknown_packet_type, 0});
static_assert(decode(binary("\x01\x02")) == packet{packet_type::message, frame_kind::binary, "\x01\x02"});
static_assert(decode(binary("\x04\x01"), revision::v3) == packet{packet_type::message, frame_kind::binary, "\x01"});
static_assert(encodes_to(text_packet(packet_type::open, "{}"), "0{}"));
static_assert(encodes_to({packet_type::message, frame_kind::binary, "\x01"}, "\x01"));
static_assert(encodes_to({packet_type::message, frame_kind::binary, "\x01"}, "\x04\x01", revision::v3));

TEST_CASE("each of the seven types is one digit before the data", "[engineio]") {
    constexpr std::string_view names[] = {"open", "close", "ping", "pong", "message", "upgrade", "noop"};
    for (unsigned i = 0; i != 7; ++i) {
        auto const type = static_cast<packet_type>(i);
        CHECK(name(type) == names[i]);
        std::string const wire = std::to_string(i) + "data";
        for (revision const r : {revision::v3, revision::v4}) {
            CHECK(decode(text(wire), r) == text_packet(type, "data"));
            std::string encoded;
            CHECK(encode(encoded, text_packet(type, "data"), r) == wire.size());
            CHECK(encoded == wire);
        }
    }
}

TEST_CASE("no other first character is a type", "[engineio]") {
    for (unsigned c = 0; c != 128; ++c) {
        if ((c >= '0' && c <= '6') || c == 'b') continue;
        std::string const wire(1, static_cast<char>(c));
        for (revision const r : {revision::v3, revision::v4})
            CHECK(decode(text(wire), r) == error{errc::unknown_packet_type, 0});
    }
}

TEST_CASE("an empty text frame is no packet, an empty binary frame is one in v4 only", "[engineio]") {
    CHECK(decode(text("")) == error{errc::empty_packet, 0});
    CHECK(decode(text(""), revision::v3) == error{errc::empty_packet, 0});
    CHECK(decode(binary("")) == packet{packet_type::message, frame_kind::binary, ""});
    CHECK(decode(binary(""), revision::v3) == error{errc::empty_packet, 0});
}

TEST_CASE("text is checked to be UTF-8", "[engineio]") {
    CHECK(decode(text("4\xe2\x82\xac")).has_value());
    CHECK(decode(text("4ab\xe2\x82")) == error{errc::invalid_utf8, 3});
    std::string out = "kept";
    CHECK(encode(out, text_packet(packet_type::message, "\xff")) == error{errc::invalid_utf8, 0});
    CHECK(out == "kept");
}

TEST_CASE("base64 in a text frame is a binary message", "[engineio]") {
    std::array<char, 16> buffer{};
    CHECK(decode(text("bAQIDBA=="), revision::v4, buffer) ==
          packet{packet_type::message, frame_kind::binary, "\x01\x02\x03\x04"});
    CHECK(decode(text("b4AQIDBA=="), revision::v3, buffer) ==
          packet{packet_type::message, frame_kind::binary, "\x01\x02\x03\x04"});
    CHECK(decode(text("b"), revision::v4, buffer) == packet{packet_type::message, frame_kind::binary, ""});
}

TEST_CASE("base64 needs room, and its errors point into the frame", "[engineio]") {
    CHECK(decode(text("bAQIDBA==")) == error{errc::buffer_too_small, 4});
    std::array<char, 16> buffer{};
    CHECK(decode(text("bAQ!DBA=="), revision::v4, buffer) == error{errc::invalid_base64, 3});
    CHECK(decode(text("b4AQ!DBA=="), revision::v3, buffer) == error{errc::invalid_base64, 4});
    CHECK(decode(text("b"), revision::v3, buffer) == error{errc::empty_packet, 1});
    CHECK(decode(text("b2AQID"), revision::v3, buffer) == error{errc::unknown_packet_type, 1});
}

TEST_CASE("base64 decodes in place", "[engineio]") {
    std::string wire = "bAQIDBA==";
    CHECK(decode(text(wire), revision::v4, wire) ==
          packet{packet_type::message, frame_kind::binary, "\x01\x02\x03\x04"});
}

TEST_CASE("text that is no UTF-8 is told as such in base64 too, in place or not", "[engineio]") {
    std::string const good = "b" + std::string(198, '/') + "==";
    bool all_same = true;
    for (std::string_view const bad : {"\xff", "!", "\xc3\xa9", "!\xe2\x82", "\xe2\x82\xac!\xff"}) {
        for (std::size_t at = 1; at + bad.size() <= good.size() - 2; ++at) {
            std::string wire = good;
            wire.replace(at, bad.size(), bad);
            auto const first = wire.find_first_not_of("b/");
            auto const valid = utf8::validate(wire);
            error const expected = valid ? error{errc::invalid_base64, first} : valid.error();
            std::string buffer(wire.size(), '\0');
            all_same = all_same && decode(text(wire), revision::v4, buffer) == expected;
            all_same = all_same && decode(text(wire), revision::v4, wire) == expected;
        }
    }
    CHECK(all_same);
    CHECK(decode(text("bQUJDRA\xff")) == error{errc::invalid_utf8, 7}); // no buffer
}

TEST_CASE("in v3 a binary frame starts with the byte of a message", "[engineio]") {
    CHECK(decode(binary("\x04"), revision::v3) == packet{packet_type::message, frame_kind::binary, ""});
    for (unsigned c = 0; c != 256; ++c) {
        if (c == 4) continue;
        std::string const wire{static_cast<char>(static_cast<unsigned char>(c)), 'x'};
        CHECK(decode(binary(wire), revision::v3) == error{errc::unknown_packet_type, 0});
    }
}

TEST_CASE("where only text can go binary is written as base64", "[engineio]") {
    packet const p{packet_type::message, frame_kind::binary, "\x01\x02\x03\x04"};
    std::string v4;
    CHECK(encode_as_text(v4, p) == 9u);
    CHECK(v4 == "bAQIDBA==");
    std::string v3;
    CHECK(encode_as_text(v3, p, revision::v3) == 10u);
    CHECK(v3 == "b4AQIDBA==");
    std::string plain;
    CHECK(encode_as_text(plain, text_packet(packet_type::ping, "probe")) == 6u);
    CHECK(plain == "2probe");
}

TEST_CASE("only a message can be binary", "[engineio]") {
    std::string out;
    CHECK(encode(out, {packet_type::ping, frame_kind::binary, "x"}) == error{errc::unknown_packet_type, 0});
    CHECK(encode_as_text(out, {packet_type::ping, frame_kind::binary, "x"}) == error{errc::unknown_packet_type, 0});
    CHECK(out.empty());
}

TEST_CASE("a buffer that is too small is an error with the size needed", "[engineio]") {
    std::array<char, 5> buffer{};
    CHECK(encode(std::span<char>(buffer), text_packet(packet_type::message, "hello")) ==
          error{errc::buffer_too_small, 6});
    CHECK(encode(std::span<char>(buffer), text_packet(packet_type::message, "hell")) == 5u);
}

} // namespace engineio_packet_test
