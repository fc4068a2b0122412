#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/websocket/frame.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace websocket_frame_test {

using namespace socketless;
using namespace socketless::websocket;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

constexpr mask_key example_key{'\x37', '\xfa', '\x21', '\x3d'};

std::string written(opcode code, std::string_view payload) {
    std::string wire;
    auto const size = write_frame(wire, code, payload);
    REQUIRE(size == wire.size());
    return wire;
}

std::string written(opcode code, std::string_view payload, mask_key key) {
    std::string wire;
    auto const size = write_masked_frame(wire, code, payload, key);
    REQUIRE(size == wire.size());
    return wire;
}

constexpr bool masks_at_compile_time() {
    std::array<char, 19> bytes{};
    for (std::size_t i = 0; i != bytes.size(); ++i) bytes[i] = static_cast<char>(i);
    auto const plain = bytes;
    mask(bytes, example_key, 3);
    bool const is_changed = bytes[0] == example_key[3] && bytes[1] == (1 ^ example_key[0]);
    mask(bytes, example_key, 3);
    return is_changed && bytes == plain;
}

} // namespace

static_assert(frame_header(opcode::text, 5).view() == "\x81\x05");
static_assert(frame_header(opcode::continuation, 126, fragment::not_last).view() == "\x00\x7e\x00\x7e"sv);
static_assert(frame_header(opcode::close, 2, example_key).view() == "\x88\x82\x37\xfa\x21\x3d");
static_assert(masks_at_compile_time());
static_assert(is_control(opcode::close) && is_control(opcode::ping) && is_control(opcode::pong));
static_assert(!is_control(opcode::continuation) && !is_control(opcode::text) && !is_control(opcode::binary));

TEST_CASE("websocket frame: the examples of RFC 6455, 5.7", "[websocket]") {
    CHECK(written(opcode::text, "Hello") == "\x81\x05Hello");
    CHECK(written(opcode::text, "Hello", example_key) == "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    CHECK(frame_header(opcode::text, 3, fragment::not_last).view() == "\x01\x03");
    CHECK(frame_header(opcode::continuation, 2).view() == "\x80\x02");
    CHECK(written(opcode::ping, "Hello") == "\x89\x05Hello");
    CHECK(written(opcode::pong, "Hello", example_key) == "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    CHECK(frame_header(opcode::binary, 256).view() == "\x82\x7e\x01\x00"sv);
    CHECK(frame_header(opcode::binary, 65536).view() == "\x82\x7f\0\0\0\0\0\x01\0\0"sv);
}

TEST_CASE("websocket frame: a length takes the shortest form", "[websocket]") {
    CHECK(frame_header(opcode::binary, 0).view() == "\x82\x00"sv);
    CHECK(frame_header(opcode::binary, 125).view() == "\x82\x7d");
    CHECK(frame_header(opcode::binary, 126).view() == "\x82\x7e\x00\x7e"sv);
    CHECK(frame_header(opcode::binary, 65535).view() == "\x82\x7e\xff\xff");
    CHECK(frame_header(opcode::binary, 65536, example_key).view() == "\x82\xff\0\0\0\0\0\x01\0\0\x37\xfa\x21\x3d"sv);
    CHECK(frame_header(opcode::binary, 0x7fffffffffffffff).view() == "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff");
    CHECK(frame_header(opcode::binary, 65536, example_key).view().size() == frame_header::longest);
}

TEST_CASE("websocket frame: masking is what the standard says, for every size, place and offset", "[websocket]") {
    support::random_source random(1);
    mask_key const key{'\x01', '\x82', '\x13', '\xf4'};
    std::string const plain = random.bytes(130);
    bool all_good = true;
    for (std::size_t place = 0; place != 9; ++place)
        for (std::size_t size = 0; size + place <= plain.size(); ++size) {
            std::size_t const offset = (size + place * 3) % 7;
            std::string bytes = plain;
            mask(std::span(bytes).subspan(place, size), key, offset);
            for (std::size_t i = 0; i != bytes.size(); ++i) {
                bool const is_masked = i >= place && i < place + size;
                char const expected =
                    is_masked ? static_cast<char>(plain[i] ^ key[(i - place + offset) % 4]) : plain[i];
                all_good = all_good && bytes[i] == expected;
            }
        }
    CHECK(all_good);
}

TEST_CASE("websocket frame: masking piece by piece is masking the whole", "[websocket]") {
    support::random_source random(2);
    std::string const plain = random.bytes(200);
    std::string whole = plain;
    mask(whole, example_key);
    for (int round = 0; round != 50; ++round) {
        std::string pieces = plain;
        for (std::size_t at = 0; at != pieces.size();) {
            auto const size = std::min(random.below(50), pieces.size() - at);
            mask(std::span(pieces).subspan(at, size), example_key, at);
            at += size;
        }
        REQUIRE(pieces == whole);
    }
}

TEST_CASE("websocket frame: a frame is written into any container, and into a span", "[websocket]") {
    std::string text = "before ";
    CHECK(write_frame(text, opcode::text, "Hello") == std::size_t{7});
    CHECK(text == "before \x81\x05Hello");
    std::vector<char> bytes;
    CHECK(write_masked_frame(bytes, opcode::text, "Hello", example_key) == std::size_t{11});
    CHECK(std::string(bytes.begin(), bytes.end()) == written(opcode::text, "Hello", example_key));

    std::array<char, 11> memory{};
    CHECK(write_masked_frame(std::span<char>(memory), opcode::text, "Hello", example_key) == std::size_t{11});
    CHECK(std::string(memory.begin(), memory.end()) == written(opcode::text, "Hello", example_key));
    for (std::size_t room = 0; room != 11; ++room) {
        std::span<char> const small(memory.data(), room);
        CHECK(write_masked_frame(small, opcode::text, "Hello", example_key) == error{errc::buffer_too_small, 11});
        if (room < 7) CHECK(write_frame(small, opcode::text, "Hello") == error{errc::buffer_too_small, 7});
    }
}

TEST_CASE("websocket frame: what is written reads as header and payload, whatever its size", "[websocket]") {
    for (std::size_t const size : {0u, 1u, 125u, 126u, 127u, 511u, 512u, 65535u, 65536u, 70000u}) {
        CAPTURE(size);
        std::string const payload(size, 'x');
        CHECK(written(opcode::binary, payload) == std::string(frame_header(opcode::binary, size).view()) + payload);
        std::string masked = payload;
        mask(masked, example_key);
        std::string const header(frame_header(opcode::binary, size, example_key).view());
        CHECK(written(opcode::binary, payload, example_key) == header + masked);
    }
}

TEST_CASE("websocket frame: the codes that a close frame may have", "[websocket]") {
    std::vector<std::uint16_t> first_and_last;
    for (unsigned code = 0; code != 65'536; ++code) {
        auto const c = static_cast<std::uint16_t>(code);
        bool const before = code != 0 && may_be_sent(static_cast<std::uint16_t>(code - 1));
        if (may_be_sent(c) != before) first_and_last.push_back(c);
    }
    // Each pair is the first code that may be sent, and the first one behind it that may not.
    CHECK(first_and_last == std::vector<std::uint16_t>{1000, 1004, 1007, 1015, 3000, 5000});
    STATIC_REQUIRE(may_be_sent(close_code::going_away));
    STATIC_REQUIRE(!may_be_sent(close_code::no_status_received));
    STATIC_REQUIRE(!may_be_sent(close_code::abnormal_closure));
    STATIC_REQUIRE(!may_be_sent(close_code::tls_handshake));
}

} // namespace websocket_frame_test
