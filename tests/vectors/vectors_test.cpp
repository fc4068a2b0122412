// Every row of tests/data/vectors, both ways, through the functions of tests/tools/transcode.

#include "tools/catch.hpp"
#include "tools/data.hpp"
#include "tools/json_equal.hpp"
#include "tools/transcode.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vectors_vectors_test {

namespace {

namespace json = socketless::json;

json::text parse(std::string const& line) {
    auto const valid = json::validate(line, socketless::limits::deepest);
    REQUIRE(valid.has_value());
    return *valid;
}

std::string joined(json::text items) {
    std::string line;
    for (json::text const item : items.elements())
        line += (line.empty() ? "" : " ") + item.get<std::string>().value_or("");
    return line;
}

// Returns how often it replaced.
std::size_t replace_first(std::string& text, std::string_view what, std::string_view with) {
    auto const at = text.find(what);
    if (at == std::string::npos) return 0;
    text.replace(at, what.size(), with);
    return 1;
}

bool flag(json::text row, std::string_view name) {
    auto const value = row.find(name);
    return value && value->raw() == "true";
}

std::vector<std::string> rows_of(std::string const& file) {
    auto rows = support::data_lines("vectors/" + file);
    REQUIRE(rows.size() > 40);
    return rows;
}

void every_row_decodes(std::vector<std::string> const& rows, std::string const& codec) {
    for (std::string const& line : rows) {
        json::text const row = parse(line);
        INFO(line);
        auto const answer = support::decode_line(codec, joined(*row.find("in")));
        REQUIRE(answer.has_value());
        INFO(*answer);
        json::text const got = parse(*answer);
        json::text const expected = row.find("out").value_or(json::text::trusted("[]"));
        CHECK(support::json_equal(*got.find("out"), expected));
        CHECK(got.find("error").has_value() == flag(row, "error"));
        CHECK(flag(got, "incomplete") == flag(row, "incomplete"));
    }
}

void every_row_decodes(std::string const& file, std::string const& codec) {
    every_row_decodes(rows_of(file), codec);
}

// `codec_of(row)` names the codec of a row.
template <class CodecOf>
void every_row_encodes(std::string const& file, std::string_view packets, CodecOf codec_of) {
    for (std::string const& line : rows_of(file)) {
        json::text const row = parse(line);
        INFO(line);
        auto const answer = support::encode_line(codec_of(row), row.find(packets)->raw());
        REQUIRE(answer.has_value());
        if (flag(row, "error"))
            CHECK(parse(*answer).find("error").has_value());
        else
            CHECK(*answer == joined(*row.find("out")));
    }
}

auto always(std::string_view codec) {
    return [codec](json::text) { return codec; };
}

} // namespace

TEST_CASE("every v4 frame of the reference decodes", "[vectors]") {
    every_row_decodes("engineio-v4-frame.jsonl", "engineio-v4-frame");
}

TEST_CASE("every v3 frame of the reference decodes", "[vectors]") {
    every_row_decodes("engineio-v3-frame.jsonl", "engineio-v3-frame");
}

TEST_CASE("every v4 payload of the reference decodes", "[vectors]") {
    every_row_decodes("engineio-v4-payload.jsonl", "engineio-v4-payload");
}

TEST_CASE("every v3 payload of the reference decodes, in both forms", "[vectors]") {
    every_row_decodes("engineio-v3-payload.jsonl", "engineio-v3-payload");
}

TEST_CASE("every stream of the reference decodes", "[vectors]") {
    every_row_decodes("engineio-stream.jsonl", "engineio-stream");
}

TEST_CASE("every packet of Socket.IO revision 5 decodes", "[vectors]") {
    every_row_decodes("socketio-v5-packet.jsonl", "socketio-v5");
}

TEST_CASE("every packet of Socket.IO revision 4 decodes", "[vectors]") {
    every_row_decodes("socketio-v4-packet.jsonl", "socketio-v4");
}

TEST_CASE("every packet of the MessagePack parser decodes", "[vectors]") {
    auto rows = rows_of("socketio-msgpack.jsonl");
    // The reference's encoder has cut these numbers to 64 bits: its decoder does not find them in the messages either.
    std::size_t cut = 0;
    for (std::string& line : rows) {
        cut += replace_first(line, "1e+21", "3875820019684212736");
        cut += replace_first(line, "1.7976931348623157e+308", "0");
    }
    CHECK(cut == 4);
    every_row_decodes(rows, "socketio-msgpack");
}

TEST_CASE("packets of the MessagePack parser encode to messages that decode to them", "[vectors]") {
    std::size_t encoded = 0;
    for (std::string const& line : rows_of("socketio-msgpack.jsonl")) {
        json::text const row = parse(line);
        INFO(line);
        json::text const packets = row.find("out").value_or(json::text());
        for (json::text const packet : packets.elements()) {
            auto const message = support::encode_line("socketio-msgpack", packet.raw());
            REQUIRE(message.has_value());
            auto const answer = support::decode_line("socketio-msgpack", *message);
            REQUIRE(answer.has_value());
            INFO(*answer);
            CHECK(support::json_equal(*parse(*answer).find("out"), packets));
            ++encoded;
        }
    }
    CHECK(encoded > 100);
}

TEST_CASE("v4 payloads encode to the bytes of the reference", "[vectors]") {
    every_row_encodes("engineio-v4-payload-encode.jsonl", "packets", always("engineio-v4-payload"));
}

TEST_CASE("v3 payloads encode to the bytes of the reference, in both forms", "[vectors]") {
    every_row_encodes("engineio-v3-payload-encode.jsonl", "packets", [](json::text row) {
        return flag(row, "supports_binary") ? "engineio-v3-payload-binary" : "engineio-v3-payload-text";
    });
}

TEST_CASE("packets of Socket.IO revision 5 encode to the bytes of the reference", "[vectors]") {
    every_row_encodes("socketio-v5-packet-encode.jsonl", "packet", always("socketio-v5"));
}

TEST_CASE("packets of Socket.IO revision 4 encode to the bytes of the reference", "[vectors]") {
    every_row_encodes("socketio-v4-packet-encode.jsonl", "packet", always("socketio-v4"));
}

} // namespace vectors_vectors_test
