#include "cluster/redis_capture.hpp"
#include "tools/catch.hpp"
#include "tools/hex.hpp"
#include "tools/mutations.hpp"

#include <socketless/cluster/detail/redis_channels.hpp>
#include <socketless/cluster/detail/redis_formats.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cluster_redis_formats_test {

using namespace socketless;
using namespace std::string_literals;
using namespace std::string_view_literals;
using cluster::detail::message;
using cluster::detail::message_type;
using cluster::detail::redis_reader;

namespace {

constexpr limits bounds;
redis_reader const reader(bounds, 100, "me");

std::string_view name_of(message_type type) {
    switch (type) {
    case message_type::broadcast: return "broadcast";
    case message_type::sockets_join: return "sockets_join";
    case message_type::sockets_leave: return "sockets_leave";
    case message_type::disconnect_sockets: return "disconnect_sockets";
    case message_type::fetch_sockets: return "fetch_sockets";
    case message_type::fetch_sockets_response: return "fetch_sockets_response";
    case message_type::server_side_emit: return "server_side_emit";
    case message_type::server_side_emit_response: return "server_side_emit_response";
    case message_type::broadcast_client_count: return "broadcast_client_count";
    case message_type::broadcast_ack: return "broadcast_ack";
    default: return "other";
    }
}

bool is_change(message_type type) {
    return type == message_type::sockets_join || type == message_type::sockets_leave ||
           type == message_type::disconnect_sockets;
}

bool always(std::string_view) {
    return true;
}

result<bool> read(std::string_view kind, std::string_view bytes, std::string_view nsp, message& m) {
    if (kind == "broadcast") return reader.read_broadcast(bytes, nsp, m);
    if (kind == "request") return reader.read_request(bytes, nsp, m);
    return reader.read_response(bytes, nsp, m, always);
}

result<void> encode(std::string_view kind, std::string& bytes, message const& m) {
    if (kind == "broadcast") return cluster::detail::encode_redis_broadcast(bytes, m);
    if (kind == "request") return cluster::detail::encode_redis_request(bytes, m);
    return cluster::detail::encode_redis_response(bytes, m);
}

// As the recorded line has it.
std::string shown(message const& m) {
    std::string text;
    CHECK(core_detail::write_to(text, [&m](core_detail::output& out) {
        json::writer w(out);
        w.begin_object().member("type", name_of(m.type)).member("uid", m.uid).member("nsp", m.nsp);
        w.member("requestId", m.request_id).member("rooms", m.rooms).member("except", m.except);
        w.member("volatile", m.is_volatile).key("timeout");
        m.timeout ? w.number(m.timeout->count()) : w.null();
        w.member("others", m.others).member("closes", m.closes).member("count", m.count);
        w.member("text", m.payload().raw()).key("attachments").begin_array();
        for (byte_view const a : m.attachments) w.string(support::to_hex(as_characters(a)));
        w.end_array().end_object();
        return w.status();
    }));
    return text;
}

errc refused_request(std::string_view bytes) {
    message m;
    return reader.read_request(bytes, "/", m).error().code;
}

errc refused_response(std::string_view bytes) {
    message m;
    return reader.read_response(bytes, "/", m, always).error().code;
}

errc refused_broadcast(std::string_view hex) {
    message m;
    auto const bytes = support::from_hex(hex).value();
    return reader.read_broadcast(bytes, "/", m).error().code;
}

std::string msgpack_of(json::text made) {
    std::string bytes;
    CHECK(msgpack::write(bytes, made));
    return bytes;
}
std::string msgpack_of(std::string_view made) {
    return msgpack_of(json::validate(made).value());
}

} // namespace

TEST_CASE("what the reference publishes is read, and encoded again to the same bytes") {
    std::size_t again = 0;
    auto const count = support::for_each_redis_line([&again](support::redis_line const& line) {
        INFO(line.text("name"));
        auto const kind = line.text("kind");
        auto const means = line.member("means");
        auto const nsp = means.find("nsp")->get<std::string>().value();
        message m;
        auto const is_for_us = read(kind, line.bytes(), nsp, m);
        if (line.text("name") == "confirmation of one socket") {
            CHECK(is_for_us.error().code == errc::invalid_payload); // nobody here asks for it
            std::string bytes;
            CHECK(cluster::detail::encode_redis_confirmation(bytes, "r1"));
            CHECK(bytes == line.bytes());
            return;
        }
        REQUIRE(is_for_us);
        CHECK(*is_for_us);
        CHECK(shown(m) == means.raw());
        if (!line.is_again()) return;
        std::string bytes;
        REQUIRE(encode(kind, bytes, m));
        CHECK(support::to_hex(bytes) == line.text("message_hex"));
        ++again;
    });
    CHECK(count == 78);
    CHECK(again > 50);
}

TEST_CASE("every prefix and every changed byte of a message is read or refused") {
    support::for_each_redis_line([](support::redis_line const& line) {
        if (line.bytes().size() > 300) return;
        INFO(line.text("name"));
        auto const kind = line.text("kind");
        auto const nsp = line.member("means").find("nsp")->get<std::string>().value();
        message m;
        message second;
        std::size_t changed = 0;
        support::for_each_mutation(line.bytes(), [&](std::string_view bytes) {
            auto const is_for_us = read(kind, bytes, nsp, m);
            if (!is_for_us || !*is_for_us) return;
            if (kind == "request" && is_change(m.type)) m.request_id.clear(); // of older adapters
            std::string once;
            std::string twice;
            bool const is_same = !encode(kind, once, m) || (read(kind, once, nsp, second).value_or(false) &&
                                                            encode(kind, twice, second) && once == twice);
            if (!is_same) ++changed;
        });
        CHECK(changed == 0);
    });
}

TEST_CASE("a length that promises too much is refused, and nothing is reserved for it") {
    CHECK(refused_broadcast("93a178ddffffffff") == errc::invalid_msgpack);
    CHECK(refused_broadcast("ddffffffff") == errc::invalid_msgpack);
    CHECK(refused_broadcast("93dbffffffff") == errc::invalid_msgpack);
    CHECK(refused_broadcast("93a178dfffffffff80") == errc::invalid_msgpack);
    CHECK(refused_request("\xdf\xff\xff\xff\xff") == errc::invalid_msgpack);
    message m;
    auto const many = msgpack_of(R"(["x",{"type":2,"data":["x"]},{"rooms":[],"except":[]}])");
    CHECK(reader.read_broadcast(many, "/", m));
    CHECK(m.rooms.capacity() <= 100);
}

TEST_CASE("a broadcast is for another namespace, or from this node itself") {
    message m;
    auto const to = [&m](std::string_view nsp, std::string_view json) {
        return reader.read_broadcast(msgpack_of(json), nsp, m).value();
    };
    CHECK(to("/", R"(["x",{"type":2,"data":["e"]},{}])"));
    CHECK(m.nsp == "/");
    CHECK_FALSE(to("/a", R"(["x",{"type":2,"data":["e"]},{}])"));
    CHECK(to("/a", R"(["x",{"type":2,"data":["e"],"nsp":"/a"},{}])"));
    CHECK_FALSE(to("/", R"(["x",{"type":2,"data":["e"],"nsp":"/#a"},{}])"));
    CHECK_FALSE(to("/", R"(["x",{"type":2,"data":["e"],"nsp":null},{}])"));
    CHECK_FALSE(to("/", R"(["me",{"type":2,"data":["e"]},{}])"));
}

TEST_CASE("a broadcast that is none is refused") {
    message m;
    auto const refused = [&m](std::string_view json) {
        return reader.read_broadcast(msgpack_of(json), "/", m).error().code;
    };
    CHECK(refused_broadcast("") == errc::invalid_msgpack);
    CHECK(refused("[]") == errc::invalid_payload);
    CHECK(refused("{}") == errc::invalid_payload);
    CHECK(refused("1") == errc::invalid_payload);
    CHECK(refused(R"(["x"])") == errc::invalid_payload);
    CHECK(refused(R"(["x",1,{}])") == errc::invalid_payload);
    CHECK(refused(R"([1,{"type":2,"data":["e"]},{}])") == errc::invalid_payload);
    CHECK(refused(R"(["x",{"type":2,"data":["e"]}])") == errc::invalid_payload);
    CHECK(refused(R"(["x",{"type":2,"data":["e"]},null])") == errc::invalid_payload);
    CHECK(refused(R"(["x",{"type":2},{}])") == errc::invalid_payload);
    CHECK(refused(R"(["x",{"type":2,"data":{}},{}])") == errc::invalid_payload);
    CHECK(refused(R"(["x",{"type":2,"data":[]},{}])") == errc::invalid_event_name);
    CHECK(refused(R"(["x",{"type":2,"data":[{"toString":"x"}]},{}])") == errc::invalid_event_name);
    CHECK(refused(R"(["x",{"type":2,"data":["connect"]},{}])") == errc::reserved_event_name);
    for (auto const* const type : {"0", "1", "3", "4", "6", "7", "258", "-1", "2.5", "\"2\"", "null"}) {
        INFO(type);
        CHECK(refused(R"(["x",{"type":)"s + type + R"(,"data":["e"]},{}])") == errc::unknown_packet_type);
    }
    CHECK(refused(R"(["x",{"data":["e"]},{}])") == errc::unknown_packet_type);
}

TEST_CASE("rooms that cannot be read make no broadcast to all") {
    message m;
    auto const read = [&m](std::string_view options) {
        return reader.read_broadcast(msgpack_of(R"(["x",{"type":2,"data":["e"]},)" + std::string(options) + "]"), "/",
                                     m);
    };
    for (auto const* const rooms : {"\"a\"", "1", "{}", "[[]]", "[null]", "[1.5]", "[true]", "false"}) {
        INFO(rooms);
        CHECK(read(R"({"rooms":)"s + rooms + "}").error().code == errc::out_of_range);
        CHECK(read(R"({"except":)"s + rooms + "}").error().code == errc::out_of_range);
    }
    CHECK(read(R"({"rooms":null})"));
    CHECK(read(R"({"rooms":[1,-2,"x"]})"));
    CHECK(m.rooms == std::vector<std::string>{"1", "-2", "x"});
    std::string many = "[";
    for (int i = 0; i != 101; ++i) many += (i == 0 ? "" : ",") + std::to_string(i);
    CHECK(read(R"({"rooms":)" + many + "]}").error().code == errc::out_of_range);
}

TEST_CASE("a broadcast with too many or too large attachments, or too deep, is refused") {
    message m;
    std::string data = "\x93\xa1x\x82\xa4type\x02\xa4"
                       "data\xdc"s;
    data += std::string("\0\x0c", 2) + "\xa1"
                                       "e";
    for (int i = 0; i != 11; ++i) data += "\xc4\x01x";
    data += "\x80";
    CHECK(reader.read_broadcast(data, "/", m).error().code == errc::too_many_attachments);
    limits const shallow{.max_depth = 3};
    redis_reader const strict(shallow, 1, "me");
    CHECK(strict.read_broadcast(msgpack_of(R"(["x",{"type":2,"data":["e",[[1]]]},{}])"), "/", m));
    CHECK(strict.read_broadcast(msgpack_of(R"(["x",{"type":2,"data":["e",[[[]]]]},{}])"), "/", m).error().code ==
          errc::depth_exceeded);
    std::string const deep = "\x93\xa1x" + std::string(100'000, '\x91');
    CHECK_FALSE(reader.read_broadcast(deep, "/", m));
    std::string const json = R"({"type":6,"data":)" + std::string(100'000, '[');
    CHECK(refused_request(json) == errc::depth_exceeded);
}

TEST_CASE("what looks like a placeholder beside binary values is refused, as a receiver would mistake it") {
    message m;
    std::string const placeholder = "\x82\xac_placeholder\xc3\xa3num\x00"s;
    std::string const packet = "\x93\xa1x\x82\xa4type\x02\xa4"
                               "data\x93\xa1"
                               "e\xc4\x01z"s +
                               placeholder + "\x80";
    CHECK(reader.read_broadcast(packet, "/", m).error().code == errc::invalid_placeholder);
    std::string const ack = "\x83\xa4type\x09\xa9requestId\xa1r\xa6packet\x92\xc4\x01z"s + placeholder;
    CHECK(reader.read_response(ack, "/", m, always).error().code == errc::invalid_placeholder);
}

TEST_CASE("a request is JSON or MessagePack, whatever its type") {
    message m;
    for (auto const json : {R"({"uid":"x","type":2,"opts":{"rooms":["a"],"except":[]},"rooms":["b"]})"sv,
                            R"({"uid":"x","requestId":"r","type":6,"data":["e",1]})"sv,
                            R"({"uid":"x","requestId":"r","type":7,"packet":{"type":2,"data":["e"]},"opts":{}})"sv}) {
        REQUIRE(reader.read_request(json, "/", m));
        auto const expected = shown(m);
        REQUIRE(reader.read_request(msgpack_of(json), "/", m));
        CHECK(shown(m) == expected);
    }
}

TEST_CASE("a request of this node itself is passed over, and one that is none is refused") {
    message m;
    CHECK_FALSE(reader.read_request(R"({"uid":"me","type":6,"data":["x"]})", "/", m).value());
    CHECK(reader.read_request(R"({"type":6,"data":["x"]})", "/", m).value());
    CHECK(refused_request("") == errc::invalid_msgpack);
    CHECK(refused_request("{") == errc::invalid_json);
    CHECK(refused_request("{\"a\":\"\xff\"}") == errc::invalid_utf8);
    CHECK(refused_request(R"({"type":6,"data":["x"]}x)") == errc::invalid_json);
    CHECK(refused_request("\x90") == errc::invalid_payload);
    CHECK(refused_request("{}") == errc::unknown_packet_type);
    CHECK(refused_request(R"({"type":0,"requestId":"r","rooms":[]})") == errc::unknown_packet_type);
    CHECK(refused_request(R"({"type":1,"requestId":"r"})") == errc::unknown_packet_type);
    CHECK(refused_request(R"({"type":8})") == errc::unknown_packet_type);
    CHECK(refused_request(R"({"type":258,"opts":{},"rooms":[]})") == errc::unknown_packet_type);
    CHECK(refused_request(R"({"type":"2","opts":{},"rooms":[]})") == errc::unknown_packet_type);
    CHECK(refused_request(R"({"type":6,"data":["x"],"uid":")" + std::string(257, 'x') + "\"}") == errc::out_of_range);
    CHECK(refused_request(R"({"type":6,"data":["x"],"requestId":")" + std::string(257, 'x') + "\"}") ==
          errc::out_of_range);
    CHECK(refused_request(R"({"type":2,"opts":{}})") == errc::out_of_range);
    CHECK(refused_request(R"({"type":2,"opts":{},"rooms":"x"})") == errc::out_of_range);
    CHECK(refused_request(R"({"type":3})") == errc::invalid_payload);
    CHECK(refused_request(R"({"type":3,"sid":"s"})") == errc::invalid_payload);
    CHECK(refused_request(R"({"type":4})") == errc::invalid_payload);
    CHECK(refused_request(R"({"type":5,"requestId":"r"})") == errc::invalid_payload);
    CHECK(refused_request(R"({"type":5,"opts":{}})") == errc::invalid_payload);
    CHECK(refused_request(R"({"type":6})") == errc::invalid_payload);
    CHECK(refused_request(R"({"type":6,"data":[]})") == errc::invalid_event_name);
    CHECK(refused_request(R"({"type":6,"data":"x"})") == errc::invalid_event_name);
    CHECK(refused_request(R"({"type":6,"data":[{}]})") == errc::invalid_event_name);
    CHECK(refused_request(R"({"type":7,"packet":{"type":2,"data":["e"]},"opts":{}})") == errc::invalid_payload);
    CHECK(refused_request(R"({"type":7,"requestId":"r","packet":[],"opts":{}})") == errc::invalid_payload);
}

TEST_CASE("an answer that nobody waits for is not read further") {
    message m;
    auto const json = R"({"type":8,"requestId":"r1","clientCount":"none"})"sv;
    auto const awaits = [](std::string_view id) { return id == "r2"; };
    CHECK_FALSE(reader.read_response(json, "/", m, awaits).value());
    CHECK_FALSE(reader.read_response("{}", "/", m, always).value());
    CHECK_FALSE(reader.read_response(R"({"requestId":1})", "/", m, always).value());
    CHECK(refused_response(json) == errc::invalid_payload);
}

TEST_CASE("an answer that is none is refused") {
    CHECK(refused_response("") == errc::invalid_msgpack);
    CHECK(refused_response("[]") == errc::invalid_msgpack);
    CHECK(refused_response(R"({"requestId":"r"})") == errc::invalid_payload);
    CHECK(refused_response(R"({"requestId":"r","rooms":[]})") == errc::invalid_payload);
    CHECK(refused_response(R"({"requestId":"r","sockets":{}})") == errc::invalid_payload);
    CHECK(refused_response(R"({"requestId":"r","type":8})") == errc::invalid_payload);
    CHECK(refused_response(R"({"requestId":"r","type":8,"clientCount":-1})") == errc::invalid_payload);
    CHECK(refused_response(R"({"requestId":"r","type":8,"clientCount":1.5})") == errc::invalid_payload);
}

TEST_CASE("undefined, as older versions of notepack.io write it, is no answer") {
    message m;
    auto const ack = "\x83\xa4type\x09\xa9requestId\xa1r\xa6packet\xd4\0\0"s;
    CHECK(reader.read_response(ack, "/", m, always).value());
    CHECK(m.payload().empty());
}

TEST_CASE("binary values in JSON are written as JSON.stringify writes a Buffer") {
    message m;
    m.type = message_type::server_side_emit;
    m.uid = "x";
    std::string const bytes = "\x01\xff";
    REQUIRE(cluster::detail::make_value(m, bounds, [&bytes](json::writer& out) {
        out.begin_array().string("e").binary(as_bytes(bytes)).begin_object().key("a").binary({}).end_object();
        out.number(1).end_array();
    }));
    std::string written;
    REQUIRE(cluster::detail::encode_redis_request(written, m));
    CHECK(written == R"({"uid":"x","type":6,"data":["e",{"type":"Buffer","data":[1,255]},)"
                     R"({"a":{"type":"Buffer","data":[]}},1]})");
}

TEST_CASE("names that are not UTF-8 are not published") {
    message m;
    m.type = message_type::sockets_join;
    m.rooms = {"\xff"};
    std::string written = "kept";
    CHECK(cluster::detail::encode_redis_request(written, m).error().code == errc::invalid_utf8);
    CHECK(written == "kept");
}

TEST_CASE("a pattern matches nothing but the names of one namespace") {
    using namespace cluster::detail;
    CHECK(channel_of("socket.io", of_broadcasts, "/") == "socket.io#/#");
    CHECK(channel_of("socket.io", of_requests, "/a") == "socket.io-request#/a#");
    CHECK(channel_of("socket.io", of_responses, "/", "me") == "socket.io-response#/#me#");
    CHECK(broadcast_channel("p", "/", {"a", "b"}) == "p#/#");
    CHECK(broadcast_channel("p", "/", {"a"}) == "p#/#a#");
    CHECK(escape_glob("p#/a*b?[c]^\\#") == "p#/a\\*b\\?\\[c\\]\\^\\\\#");
    for (auto const* const name : {"", "p#/#", "*", "\\", "\\\\*", "[a-z]?"})
        CHECK(unescape_glob(escape_glob(name)) == name);
}

} // namespace cluster_redis_formats_test
