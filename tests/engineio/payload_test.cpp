#include "tools/catch.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"

#include <socketless/engineio/payload.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace engineio_payload_test {

using namespace socketless;
using namespace socketless::engineio;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

struct owned_packet {
    packet_type type;
    frame_kind kind;
    std::string data;

    friend bool operator==(owned_packet const&, owned_packet const&) = default;
};

struct outcome {
    std::vector<owned_packet> packets;
    std::optional<error> failure;

    friend bool operator==(outcome const&, outcome const&) = default;
};

outcome drain(payload_reader reader) {
    outcome out;
    while (auto const p = reader.next()) {
        if (!*p) {
            out.failure = p->error();
            CHECK_FALSE(reader.next().has_value());
            break;
        }
        out.packets.push_back({(*p)->type, (*p)->kind, std::string((*p)->data)});
    }
    CHECK_FALSE(reader.next().has_value());
    return out;
}

outcome read(std::string body, payload_format format = payload_format::v4, limits const& l = {}) {
    std::string buffer(base64::max_decoded_size(body.size()), '\0');
    auto beside = drain(payload_reader(body, buffer, format, l));
    auto in_place = drain(payload_reader(body, format, l));
    CHECK(beside == in_place);
    return in_place;
}

std::string write(std::vector<owned_packet> const& packets, payload_format format) {
    std::string body;
    payload_writer writer(body, 1'000'000, format);
    for (owned_packet const& p : packets) REQUIRE(writer.push({p.type, p.kind, p.data}) == true);
    return body;
}

owned_packet message(std::string data) {
    return {packet_type::message, frame_kind::text, std::move(data)};
}

owned_packet binary_message(std::string data) {
    return {packet_type::message, frame_kind::binary, std::move(data)};
}

constexpr payload_format all_formats[] = {payload_format::v4, payload_format::v3_text, payload_format::v3_binary};

} // namespace

static_assert([] {
    payload_reader reader("4a\x1e"
                          "2"sv,
                          {});
    bool const first = reader.next()->value().data == "a";
    bool const second = reader.next()->value().type == packet_type::ping;
    return first && second && !reader.next();
}());

TEST_CASE("a v4 body is packets between record separators", "[engineio]") {
    CHECK(read("4hello\x1e"
               "2\x1e"
               "4world") ==
          outcome{{message("hello"), {packet_type::ping, frame_kind::text, ""}, message("world")}, {}});
    CHECK(write({message("a"), binary_message("\x01\x02")}, payload_format::v4) == "4a\x1e"
                                                                                   "bAQI=");
}

TEST_CASE("an empty packet is an error after the packets before it", "[engineio]") {
    CHECK(read("") == outcome{{}, error{errc::empty_packet, 0}});
    CHECK(read("\x1e"
               "4a") == outcome{{}, error{errc::empty_packet, 0}});
    CHECK(read("4a\x1e") == outcome{{message("a")}, error{errc::empty_packet, 3}});
    CHECK(read("4a\x1e\x1e"
               "4b") == outcome{{message("a")}, error{errc::empty_packet, 3}});
}

TEST_CASE("the offset of an error counts from the start of the body", "[engineio]") {
    CHECK(read("4a\x1e"
               "9") == outcome{{message("a")}, error{errc::unknown_packet_type, 3}});
    CHECK(read("4a\x1e"
               "b!!!!") == outcome{{message("a")}, error{errc::invalid_base64, 4}});
    CHECK(read("4a\x1e"
               "4\xff") == outcome{{message("a")}, error{errc::invalid_utf8, 4}});
    CHECK(read("2:4a7:", payload_format::v3_text) == outcome{{message("a")}, error{errc::truncated_packet, 6}});
}

TEST_CASE("a v3 text body counts UTF-16 code units", "[engineio]") {
    CHECK(read("2:4\xe2\x82\xac", payload_format::v3_text) == outcome{{message("\xe2\x82\xac")}, {}});
    CHECK(read("3:4\xf0\x9f\x98\x80", payload_format::v3_text) == outcome{{message("\xf0\x9f\x98\x80")}, {}});
    CHECK(write({message("\xf0\x9f\x98\x80")}, payload_format::v3_text) == "3:4\xf0\x9f\x98\x80");
    CHECK(write({binary_message("\x01\x02\x03\x04")}, payload_format::v3_text) == "10:b4AQIDBA==");
}

TEST_CASE("a v3 length cannot cut a surrogate pair", "[engineio]") {
    CHECK(read("2:4\xf0\x9f\x98\x80", payload_format::v3_text) == outcome{{}, error{errc::invalid_length, 3}});
}

TEST_CASE("0: in a v3 text body is skipped", "[engineio]") {
    CHECK(read("0:", payload_format::v3_text) == outcome{});
    CHECK(read("0:0:1:20:", payload_format::v3_text) == outcome{{{packet_type::ping, frame_kind::text, ""}}, {}});
}

TEST_CASE("invalid lengths of v3 are errors", "[engineio]") {
    constexpr auto text = payload_format::v3_text;
    CHECK(read("", text).failure == error{errc::empty_packet, 0});
    CHECK(read(":4a", text).failure == error{errc::invalid_length, 0});
    CHECK(read("x:4a", text).failure == error{errc::invalid_length, 0});
    CHECK(read("4hello", text).failure == error{errc::invalid_length, 1});
    CHECK(read("12", text).failure == error{errc::truncated_packet, 2});
    CHECK(read("9:4hello", text).failure == error{errc::truncated_packet, 8});
    CHECK(read("-1:4a", text).failure == error{errc::invalid_length, 0});
    CHECK(read(std::string(1000, '9').append(":4"), text).failure == error{errc::invalid_length, 0});
    CHECK(read("9999999999999999:4", text).failure == error{errc::truncated_packet, 18});
}

TEST_CASE("a v3 binary body says of each packet what it is and how long", "[engineio]") {
    constexpr auto binary = payload_format::v3_binary;
    CHECK(read("\0\x01\xff"
               "2\x01\x03\xff\x04\x8f\x1b"s,
               binary) == outcome{{{packet_type::ping, frame_kind::text, ""}, binary_message("\x8f\x1b")}, {}});
    CHECK(read(write({message(std::string(1234, 'x'))}, binary), binary) ==
          outcome{{message(std::string(1234, 'x'))}, {}});
    CHECK(write({message("\xe2\x82\xac")}, binary) == "\0\x04\xff"
                                                      "4\xe2\x82\xac"sv); // bytes, not UTF-16
}

TEST_CASE("v3 binary bodies that broke other parsers are errors", "[engineio]") {
    constexpr auto binary = payload_format::v3_binary;
    CHECK(read("\x01\x05\xff\x04\x01\x02", binary).failure == error{errc::truncated_packet, 6});
    CHECK(read("\x01\xd0\xff", binary).failure == error{errc::invalid_length, 1});
    CHECK(read("\x01", binary).failure == error{errc::truncated_packet, 1});
    CHECK(read("\x01\xff", binary).failure == error{errc::invalid_length, 1});
    CHECK(read("\x02\x01\xff\x04", binary).failure == error{errc::unknown_packet_type, 0});
    CHECK(read("\x01\x01\xff\x02", binary).failure == error{errc::unknown_packet_type, 3});
    CHECK(read("\0\0\xff"s, binary).failure == error{errc::empty_packet, 3});
    CHECK(read("\x01" + std::string(1000, '\x09') + "\xff", binary).failure == error{errc::invalid_length, 17});
}

TEST_CASE("the packets of one body are limited, and none is queued", "[engineio]") {
    limits few;
    few.max_packets = 2;
    CHECK(read("4a\x1e"
               "4b",
               payload_format::v4, few)
              .failure == std::nullopt);
    CHECK(read("4a\x1e"
               "4b\x1e"
               "4c",
               payload_format::v4, few) == outcome{{message("a"), message("b")}, error{errc::too_many_packets, 6}});

    std::string flood;
    for (int i = 0; i != 500'000; ++i) flood += "4\x1e";
    few.max_packets = 65'536;
    auto const read_some = drain(payload_reader(flood, payload_format::v4, few));
    CHECK(read_some.packets.size() == few.max_packets);
    CHECK(read_some.failure->code == errc::too_many_packets);
    flood.pop_back();
    auto const read_all = drain(payload_reader(flood)); // by default only the size of a body is limited
    CHECK(read_all.packets.size() == 500'000);
    CHECK_FALSE(read_all.failure.has_value());
}

TEST_CASE("a buffer beside the body that is too small is an error with the size needed", "[engineio]") {
    payload_reader reader("bAQIDBA=="sv, {});
    CHECK(*reader.next() == error{errc::buffer_too_small, 4});
}

TEST_CASE("a body is filled up to max_payload, everything counted", "[engineio]") {
    for (payload_format const format : all_formats) {
        for (std::size_t max = 0; max != 60; ++max) {
            std::string body;
            payload_writer writer(body, max, format);
            std::vector<owned_packet> taken;
            for (owned_packet const& p :
                 {message("hello"), binary_message("\x01\x02\x03\x04"), message("\xe2\x82\xac")}) {
                auto more = taken;
                more.push_back(p);
                auto const size = write(more, format).size();
                bool const fits = taken.empty() || size <= max; // the first goes whatever its size
                REQUIRE(writer.push({p.type, p.kind, p.data}) == fits);
                if (!fits) break;
                taken = std::move(more);
            }
            CHECK(body == write(taken, format));
        }
    }
}

TEST_CASE("a packet that cannot be written leaves the body as it is", "[engineio]") {
    std::string body;
    payload_writer writer(body, 100);
    REQUIRE(writer.push({packet_type::message, frame_kind::text, "a"}) == true);
    CHECK(writer.push({packet_type::message, frame_kind::text, "\xff"}) == error{errc::invalid_utf8, 0});
    CHECK(writer.push({packet_type::ping, frame_kind::binary, "a"}) == error{errc::unknown_packet_type, 0});
    CHECK(writer.push({packet_type::message, frame_kind::text,
                       "a\x1e"
                       "b"}) == error{errc::separator_in_text, 1});
    CHECK(body == "4a");
}

TEST_CASE("a writer goes on behind what the container holds", "[engineio]") {
    std::string body = "head|";
    payload_writer writer(body, 100);
    REQUIRE(writer.push({packet_type::message, frame_kind::text, "a"}) == true);
    REQUIRE(writer.push({packet_type::message, frame_kind::text, "b"}) == true);
    CHECK(body == "head|4a\x1e"
                  "4b");
}

TEST_CASE("what is written is read back, whatever the packets", "[engineio]") {
    support::random_source random(1);
    for (int round = 0; round != 1000; ++round) {
        std::vector<owned_packet> packets;
        for (auto n = 1 + random.below(6); n != 0; --n) {
            auto const kind = random.below(3) == 0 ? frame_kind::binary : frame_kind::text;
            auto const type =
                kind == frame_kind::binary ? packet_type::message : static_cast<packet_type>(random.below(7));
            static constexpr std::string_view alphabet[] = {
                "a", "\"", "\\", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", ":", "0"};
            std::string data;
            for (auto size = random.below(20); size != 0; --size)
                data += kind == frame_kind::binary ? std::string(1, static_cast<char>(random.below(256)))
                                                   : std::string(alphabet[random.below(std::size(alphabet))]);
            packets.push_back({type, kind, std::move(data)});
        }
        for (payload_format const format : all_formats)
            REQUIRE(read(write(packets, format), format) == outcome{packets, {}});
    }
}

TEST_CASE("every prefix and every one-byte change of a good body is read or refused", "[engineio]") {
    std::vector<owned_packet> const packets = {message("hello"),
                                               binary_message("\x01\x02\x03\x04"),
                                               message("\xf0\x9f\x98\x80"),
                                               {packet_type::ping, frame_kind::text, ""}};
    for (payload_format const format : all_formats) {
        support::for_each_mutation(write(packets, format), [format](std::string_view body) {
            auto const read_back = read(std::string(body), format);
            if (read_back.failure) CHECK(read_back.failure->offset <= body.size());
        });
    }
}

} // namespace engineio_payload_test
