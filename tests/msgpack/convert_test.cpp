#include "tools/catch.hpp"
#include "tools/data.hpp"
#include "tools/hex.hpp"
#include "tools/json_equal.hpp"
#include "tools/rewrite.hpp"

#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/detail/date.hpp>
#include <socketless/msgpack/validate.hpp>
#include <socketless/msgpack/writer.hpp>
#include <socketless/socketio/arguments.hpp>

#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

namespace msgpack_convert_test {

using namespace socketless;
using namespace std::string_view_literals;

namespace {

std::string bytes(std::string_view hex) {
    return support::from_hex(hex).value();
}

// As JSON, with {"$binary":"hex"} in the place of each attachment.
std::string converted(std::string_view hex) {
    std::string const message = bytes(hex);
    auto const v = msgpack::validate(message, limits::deepest);
    REQUIRE(v);
    attachment_list attachments;
    std::string text;
    REQUIRE(core_detail::write_to(text, [&](core_detail::output& out) {
        json::writer w(out, &attachments);
        w.value(*v);
        return w.status();
    }));
    auto const valid = json::validate(text, limits::deepest);
    REQUIRE(valid);
    std::string shown;
    REQUIRE(json::write(shown, support::shown{{*valid, attachments}}));
    return shown;
}

error failed(std::string_view hex) {
    std::string const message = bytes(hex);
    std::string text = "kept";
    auto const written = json::write(text, msgpack::validate(message).value());
    CHECK(text == "kept");
    return written.error();
}

} // namespace

static_assert(msgpack::detail::date_text(0).view() == "1970-01-01T00:00:00.000Z");
static_assert(msgpack::detail::date_text(1732795085123).view() == "2024-11-28T11:58:05.123Z");
static_assert(msgpack::detail::date_text(951782399999).view() == "2000-02-28T23:59:59.999Z");
static_assert(msgpack::detail::date_text(951868799999).view() == "2000-02-29T23:59:59.999Z");
static_assert(msgpack::detail::date_text(-1).view() == "1969-12-31T23:59:59.999Z");
static_assert(msgpack::detail::date_text(-0.9).view() == "1970-01-01T00:00:00.000Z");
static_assert(msgpack::detail::date_text(-62167219200000).view() == "0000-01-01T00:00:00.000Z");
static_assert(msgpack::detail::date_text(-62167219200001).view() == "-000001-12-31T23:59:59.999Z");
static_assert(msgpack::detail::date_text(253402300799999).view() == "9999-12-31T23:59:59.999Z");
static_assert(msgpack::detail::date_text(253402300800000).view() == "+010000-01-01T00:00:00.000Z");
static_assert(msgpack::detail::date_text(8.64e15).view() == "+275760-09-13T00:00:00.000Z");
static_assert(msgpack::detail::date_text(-8.64e15).view() == "-271821-04-20T00:00:00.000Z");
static_assert(msgpack::detail::date_text(8.64e15 + 1).view().empty());

TEST_CASE("values become the JSON that means the same", "[msgpack]") {
    CHECK(converted("c0") == "null");
    CHECK(converted("93c2c3c0") == "[false,true,null]");
    CHECK(converted("9600ffccffd180000acb3ff8000000000000") == "[0,-1,255,-32768,10,1.5]");
    CHECK(converted("a3c3a922") == "\"\u00e9\\\"\"");
    CHECK(converted("ca3fc00000") == "1.5");
    CHECK(converted("93cb7ff8000000000000ca7f800000cb8000000000000000") == "[null,null,0]");
    CHECK(converted("82a1619190a16281a16380") == R"({"a":[[]],"b":{"c":{}}})");
    CHECK(converted("92c403010203c400") == R"([{"$binary":"010203"},{"$binary":""}])");
}

TEST_CASE("integers keep all their digits", "[msgpack]") {
    std::string text;
    REQUIRE(json::write(text, msgpack::value::trusted("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"sv)));
    CHECK(text == "18446744073709551615");
}

TEST_CASE("keys are strings, or integers in decimal", "[msgpack]") {
    CHECK(converted("8401c0ffc0cfffffffffffffffffc0a16bc0") ==
          R"({"1":null,"-1":null,"18446744073709551615":null,"k":null})");
    CHECK(failed("81c0c0") == error{errc::wrong_kind, 0});
    CHECK(failed("81cb3ff8000000000000c0") == error{errc::wrong_kind, 0});
    CHECK(failed("9181a1618190c0") == error{errc::wrong_kind, 0});
    CHECK(failed("81d40000c0") == error{errc::wrong_kind, 0});
    std::string text;
    REQUIRE(json::write(text, msgpack::value::trusted("\x82\xa1k\x01\xa1k\x02"sv)));
    CHECK(text == R"({"k":1,"k":2})"); // of which readers keep the last
}

TEST_CASE("extensions become what JSON.stringify makes of what notepack.io decodes", "[msgpack]") {
    CHECK(converted("d40000") == "null");
    CHECK(converted("92d40000d400ff") == "[null,null]");
    CHECK(converted("83a161d40000a16201a163d40000") == R"({"b":1})");
    CHECK(converted("91c7020041ff") == R"([{"$binary":"41ff"}])");
    CHECK(converted("c800020041ff") == R"({"$binary":"41ff"})");
    CHECK(converted("c9000000020041ff") == R"({"$binary":"41ff"})");
    CHECK(converted("d42a07") == R"([42,{"$binary":"07"}])");
    CHECK(converted("d5000102") == R"([0,{"$binary":"0102"}])");
    CHECK(converted("d8ff000102030405060708090a0b0c0d0e0f") ==
          R"([-1,{"$binary":"000102030405060708090a0b0c0d0e0f"}])");
    CHECK(converted("c70005") == R"([5,{"$binary":""}])");
    CHECK(converted("c704ff00000001") == R"([-1,{"$binary":"00000001"}])"); // no timestamp is written so

    CHECK(converted("d6ff00000000") == R"("1970-01-01T00:00:00.000Z")");
    CHECK(converted("d6ffffffffff") == R"("2106-02-07T06:28:15.000Z")");
    CHECK(converted("d7ff1d4f1c0067485b4d") == R"("2024-11-28T12:00:13.122Z")");
    CHECK(converted("d7000000000000000001") == R"("1970-01-01T00:00:00.001Z")");
    CHECK(converted("d700ffffffffffffffff") == R"("1969-12-31T23:59:59.999Z")");
    CHECK(converted("d7007fffffffffffffff") == "null"); // JavaScript's Invalid Date
    CHECK(converted("c70cff00000000ffffffffffffffff") == R"("1969-12-31T23:59:59.000Z")");
    CHECK(converted("c70cff1dcd650000000000000000ff") == R"("1970-01-01T00:04:15.500Z")");
    CHECK(converted("c70cff000000007fffffffffffffff") == "null");
}

TEST_CASE("binary values fail where there may be no attachments", "[msgpack]") {
    CHECK(failed("91c40101") == error{errc::unexpected_binary, 0});
    CHECK(failed("d42a07") == error{errc::unexpected_binary, 0});
}

TEST_CASE("a value is a part of what is written, and can be deep", "[msgpack]") {
    std::string text;
    REQUIRE(json::write(text, json::object("a", msgpack::value::trusted("\x92\x01\x02"sv), "b", msgpack::value())));
    CHECK(text == R"({"a":[1,2],"b":null})");

    std::string const nested = std::string(4'095, '\x91') + '\x80';
    std::string deep;
    REQUIRE(json::write(deep, msgpack::validate(nested, limits::deepest).value()));
    CHECK(deep == std::string(4'095, '[') + "{}" + std::string(4'095, ']'));
    std::string again;
    REQUIRE(msgpack::write(again, json::validate(deep, limits::deepest).value()));
    CHECK(again == nested);

    std::string const too_deep = std::string(5'000, '\x91') + '\x80';
    CHECK(json::write(deep, msgpack::value::trusted(too_deep)) == error{errc::depth_exceeded, 0});
}

TEST_CASE("MessagePack that is written from MessagePack is as short as it can be", "[msgpack]") {
    std::string out;
    REQUIRE(msgpack::write(out, msgpack::value::trusted("\xdc\0\3\xd1\0\1\xc5\0\1x\xda\0\1y"sv)));
    CHECK(support::to_hex(out) == "9301c40178a179");
}

TEST_CASE("JSON with attachments becomes MessagePack with binary values, and comes back", "[msgpack]") {
    std::string const original = bytes("82a161c4020102a16292c4010901");
    attachment_list attachments;
    std::string text;
    REQUIRE(core_detail::write_to(text, [&](core_detail::output& out) {
        json::writer w(out, &attachments);
        w.value(msgpack::value::trusted(original));
        return w.status();
    }));
    CHECK(attachments.size() == 2);
    std::string again;
    REQUIRE(msgpack::write(again, socketio::argument(json::text::trusted(text), attachments)));
    CHECK(again == original);
}

TEST_CASE("a value is written as it is, where the writer is asked to", "[msgpack]") {
    // Of these, JSON knows none.
    for (auto const* const hex : {"d6ff00000001", "d40507", "8105c3", "c7010007", "82a161d40000a16201", "81c001",
                                  "ca3f800000", "cd0001", "dc000101", ""}) {
        std::string const message = bytes(hex);
        auto const value = msgpack::value::trusted(message);
        std::string within;
        REQUIRE(msgpack::write_with(within, [&](msgpack::writer& out) {
            out.begin_array().raw(value).begin_object().key("a").raw(value).end_object().end_array();
        }));
        std::string const expected = message.empty() ? bytes("c0") : message;
        CHECK(within == bytes("92") + expected + bytes("81a161") + expected);
    }
}

TEST_CASE("packets of the reference's parser become the JSON that it decodes", "[msgpack]") {
    auto const lines = support::data_lines("vectors/socketio-msgpack.jsonl");
    REQUIRE(lines.size() > 100);
    std::size_t compared = 0;
    for (auto const& line : lines) {
        CAPTURE(line);
        auto const vector = json::validate(line);
        REQUIRE(vector);
        auto const in = vector->find("in");
        REQUIRE(in);
        auto const frame = (*in->elements().begin()).get<std::string>().value();
        REQUIRE(frame.starts_with("b:"));
        auto const hex = frame.substr(2);
        auto const message = bytes(hex);
        auto const out = vector->find("out");
        REQUIRE(msgpack::validate(message));
        REQUIRE(out);
        // notepack.io writes the integers beyond 2^64 modulo that.
        if (out->raw().find("1e+21") != std::string_view::npos || out->raw().find("e+308") != std::string_view::npos)
            continue;
        // Names in the place of the types.
        constexpr std::string_view names[] = {"connect", "disconnect", "event", "ack", "connect_error"};
        auto const text = converted(hex);
        auto const packet = json::validate(text).value();
        auto const expected = *out->elements().begin();
        auto const type = packet.find("type")->get<std::size_t>().value();
        REQUIRE(type < std::size(names));
        CHECK(expected.find("type")->equals(names[type]));
        CHECK(support::json_equal(packet.find("nsp").value(), expected.find("nsp").value()));
        for (auto const* const name : {"id", "data"}) {
            auto const value = packet.find(name);
            auto const other = expected.find(name);
            REQUIRE(value.has_value() == other.has_value());
            if (value) CHECK(support::json_equal(*value, *other));
        }
        ++compared;
    }
    CHECK(compared > 140);
}

} // namespace msgpack_convert_test
