#include "tools/catch.hpp"

#include <socketless/socketio/arguments.hpp>
#include <socketless/socketio/encode.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace socketio_encode_test {

using namespace socketless;
using namespace socketless::socketio;

namespace app {

// A user's own type, with a picture in it.
struct post {
    std::string author;
    std::vector<std::byte> picture;
};

void write_json(json::writer& out, post const& p) {
    out.begin_object().member("author", p.author).member("picture", p.picture).end_object();
}

} // namespace app

namespace {

constexpr std::array<std::byte, 3> bytes = {std::byte{1}, std::byte{2}, std::byte{3}};

template <class... Args>
std::string event_text(address const& to, std::string_view name, Args const&... args) {
    std::string text;
    auto const size = encode_event(text, to, name, args...);
    REQUIRE(size == text.size());
    return text;
}

constexpr bool encodes_at_compile_time() {
    std::array<char, 64> buffer{};
    auto const size = encode_event(std::span<char>(buffer), {.nsp = "/admin", .id = 17}, "update", 1, true, "a\n");
    return std::string_view(buffer.data(), *size) == R"(2/admin,17["update",1,true,"a\n"])";
}

} // namespace

static_assert(encodes_at_compile_time());

TEST_CASE("a name is bounded by its array, and no null pointer", "[socketio]") {
    char const full[2] = {'a', 'b'};
    char const* const null = nullptr;
    std::string text;
    attachment_list attachments;
    CHECK(encode_event(text, attachments, {}, full, full).has_value());
    CHECK(text == R"(2["ab","ab"])");
    CHECK(encode_event(text, attachments, {}, null, 1) == error{errc::null_string});
    CHECK(encode_event(text, {}, "a", null) == error{errc::null_string});
    CHECK(encode_ack(text, {.id = 1}, null) == error{errc::null_string});
    CHECK(text == R"(2["ab","ab"])");
}

TEST_CASE("what a receiver's limits refuse is not encoded where they are given", "[socketio]") {
    limits l;
    l.max_attachments = 2;
    l.max_attachments_size = 4;
    l.max_depth = 2;
    std::string text = "kept";
    attachment_list attachments;
    auto const one = as_bytes(std::string_view("1"));
    auto const three = as_bytes(std::string_view("123"));
    CHECK(encode_event(text, attachments, l, {}, "e", one, one, one) == error{errc::too_many_attachments});
    CHECK(encode_event(text, attachments, l, {}, "e", three, three) == error{errc::attachments_too_large});
    CHECK(encode_ack(text, attachments, l, {.id = 1}, one, one, one) == error{errc::too_many_attachments});
    CHECK(encode_array(text, attachments, l, packet_type::event, {}, std::tuple("e", one, one, one)) ==
          error{errc::too_many_attachments});
    CHECK(encode_event(text, attachments, l, {}, "e", json::object("a", json::object())) ==
          error{errc::depth_exceeded});
    CHECK(text == "kept");
    CHECK(attachments.empty());
    CHECK(encode_event(text, attachments, l, {}, "e", one, three).has_value());
    CHECK(encode_ack(text, attachments, l, {.id = 1}, one).has_value());
    CHECK(encode_event(text, attachments, l, {}, "e", json::object("a", 1), json::object()).has_value());
    CHECK(encode_event(text, attachments, {}, "e", std::vector<byte_view>(1'000, one)).has_value()); // no limits given
}

namespace {

// JSON with this many levels.
std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

// It writes JSON by its parts.
struct in_parts {
    std::string json;

    friend void write_json(json::writer& out, in_parts const& p) {
        out.begin_object().key("parts").begin_raw();
        for (std::size_t i = 0; i < p.json.size(); i += 7) out.raw_part(std::string_view(p.json).substr(i, 7));
        out.end_raw().end_object();
    }
};

} // namespace

TEST_CASE("JSON that is already made counts with its own depth, wherever it is put", "[socketio]") {
    for (std::uint32_t const max : {3u, 63u, 1'000u, limits::deepest}) {
        CAPTURE(max);
        limits l;
        l.max_depth = max;
        attachment_list attachments;
        // Writes within `levels` containers, the arguments' own included: this succeeds exactly if the result can be
        // decoded.
        auto const check = [&](std::size_t levels, auto const& put) {
            for (std::size_t const depth : {max - levels, max - levels + 1}) {
                std::string const made = nested(depth);
                std::string text;
                auto const done = put(text, json::text::trusted(made));
                if (depth + levels > max) {
                    CHECK(done == error{errc::depth_exceeded});
                    CHECK(text.empty());
                } else {
                    CHECK(done.has_value());
                    CHECK(decode(text, revision::v5, l).has_value());
                }
            }
        };
        check(1, [&](std::string& text, json::text made) { return encode_event(text, attachments, l, {}, "e", made); });
        check(1, [&](std::string& text, json::text made) {
            return encode_ack(text, attachments, l, {.id = 1}, 1, made, 2);
        });
        check(2, [&](std::string& text, json::text made) {
            return encode_event(text, attachments, l, {}, "e", 1, std::vector<json::text>(3, made));
        });
        check(3, [&](std::string& text, json::text made) {
            return encode_event(text, attachments, l, {}, "e", json::object("a", std::tuple(1, std::optional(made))));
        });
        check(2, [&](std::string& text, json::text made) {
            return encode_array(text, attachments, l, packet_type::event, {}, std::tuple("e", std::vector{made}));
        });
        check(2, [&](std::string& text, json::text made) {
            return encode_event(text, attachments, l, {}, "e", in_parts{std::string(made.raw())});
        });
        check(1, [&](std::string& text, json::text made) {
            return encode_connect_error(text, l, "/", json::object("message", "m", "data", made));
        });
        // A packet with attachments is written anew, part by part.
        check(1, [&](std::string& text, json::text made) {
            std::string raw(made.raw());
            raw.insert(raw.size() / 2, "1");
            packet p;
            std::string const array = "[\"e\"," + raw + R"(,{"_placeholder":true,"num":0}])";
            p.data = json::text::trusted(array);
            std::vector const one{as_bytes(std::string_view("1"))};
            auto const args = arguments(p, one);
            return encode_event(text, attachments, l, {}, "e", *args.begin(), *std::next(args.begin()));
        });
    }
}

TEST_CASE("many brackets beside each other are not deep", "[socketio]") {
    limits l;
    l.max_depth = 5;
    attachment_list attachments;
    std::string const in_string = "\"" + std::string(1'000, '[') + R"(\"{{{\\")";
    std::string wide = "[";
    for (int i = 0; i != 1'000; ++i) wide += R"([{"[":[]}],)";
    wide += "1]";
    for (std::string const& made : {in_string, "[" + in_string + "," + in_string + "]", wide}) {
        std::string text;
        CHECK(encode_event(text, attachments, l, {}, "e", json::text::trusted(made)).has_value());
    }
    l.max_depth = 4;
    std::string text;
    CHECK(encode_event(text, attachments, l, {}, "e", json::text::trusted(wide)) == error{errc::depth_exceeded});
    // Behind many characters that are no brackets, and at any place of a block.
    for (std::size_t before = 900; before != 1'100; ++before) {
        std::string const late = "[\"" + std::string(before, 'x') + "\"," + nested(4) + "]";
        CHECK(encode_event(text, attachments, l, {}, "e", json::text::trusted(late)) == error{errc::depth_exceeded});
    }
    CHECK(text.empty());
}

TEST_CASE("an event is its name and its arguments", "[socketio]") {
    CHECK(event_text({}, "foo") == R"(2["foo"])");
    CHECK(event_text({.nsp = "/admin"}, "bar", 1) == R"(2/admin,["bar",1])");
    CHECK(event_text({.id = 12}, "foo", "x") == R"(212["foo","x"])");
    CHECK(event_text({.nsp = "/admin", .id = 0}, "foo", nullptr) == R"(2/admin,0["foo",null])");
    CHECK(event_text({.id = max_ack_id}, "a") == R"(29007199254740991["a"])");
}

TEST_CASE("arguments are ordinary C++ values", "[socketio]") {
    std::map<std::string, int> const scores = {{"ada", 1}, {"tim", 2}};
    std::vector<std::string> const tags = {"a", "b"};
    CHECK(event_text({}, "e", true, -2.5, std::optional<int>{}, scores, tags, std::tuple(1, "x"),
                     json::text::trusted(R"({"made":1})"), json::object("id", 7)) ==
          R"(2["e",true,-2.5,null,{"ada":1,"tim":2},["a","b"],[1,"x"],{"made":1},{"id":7}])");
}

TEST_CASE("binary arguments become placeholders, numbered depth-first, and attachments", "[socketio]") {
    std::string text;
    attachment_list attachments;
    app::post const p{"ada", {std::byte{9}}};
    std::vector<std::array<std::byte, 3>> const list = {bytes, bytes};
    REQUIRE(encode_event(text, attachments, {.nsp = "/admin", .id = 3}, "e", bytes, p, list).has_value());
    CHECK(text == R"(54-/admin,3["e",{"_placeholder":true,"num":0},)"
                  R"({"author":"ada","picture":{"_placeholder":true,"num":1}},)"
                  R"([{"_placeholder":true,"num":2},{"_placeholder":true,"num":3}]])");
    REQUIRE(attachments.size() == 4);
    CHECK(attachments[1].data() == p.picture.data()); // borrowed
    CHECK(attachments[3].data() == list[1].data());
}

TEST_CASE("without attachments a packet stays plain, and the list is cleared", "[socketio]") {
    std::string text;
    attachment_list attachments = {byte_view(bytes)};
    REQUIRE(encode_event(text, attachments, {}, "e", 1).has_value());
    CHECK(text == R"(2["e",1])");
    CHECK(attachments.empty());
}

TEST_CASE("binary where there may be none is refused", "[socketio]") {
    std::string text = "kept";
    CHECK(encode_event(text, {}, "e", bytes) == error{errc::unexpected_binary});
    CHECK(encode_connect(text, "/", json::object("b", bytes)) == error{errc::unexpected_binary});
    CHECK(text == "kept");
}

TEST_CASE("an acknowledgement answers an id", "[socketio]") {
    std::string text;
    REQUIRE(encode_ack(text, {.nsp = "/admin", .id = 13}, "bar").has_value());
    CHECK(text == R"(3/admin,13["bar"])");
    text.clear();
    REQUIRE(encode_ack(text, {.id = 1}).has_value());
    CHECK(text == "31[]");
    attachment_list attachments;
    text.clear();
    REQUIRE(encode_ack(text, attachments, {.id = 15}, "bar", bytes).has_value());
    CHECK(text == R"(61-15["bar",{"_placeholder":true,"num":0}])");
    CHECK(encode_ack(text, attachments, {}, 1) == error{errc::missing_ack_id});
}

TEST_CASE("CONNECT, CONNECT_ERROR and DISCONNECT", "[socketio]") {
    std::string text;
    REQUIRE(encode_connect(text).has_value());
    text += ' ';
    REQUIRE(encode_connect(text, "/admin", json::object("token", "123")).has_value());
    text += ' ';
    REQUIRE(encode_connect(text, "/admin?token=123").has_value());
    text += ' ';
    REQUIRE(encode_connect_error(text, "/", json::object("message", "no")).has_value());
    text += ' ';
    REQUIRE(encode_connect_error(text, "/admin", "no").has_value());
    text += ' ';
    REQUIRE(encode_disconnect(text, "/admin").has_value());
    CHECK(text == R"(0 0/admin,{"token":"123"} 0/admin?token=123, 4{"message":"no"} 4/admin,"no" 1/admin,)");
}

TEST_CASE("payloads that a packet cannot have are refused", "[socketio]") {
    std::string text = "kept";
    CHECK(encode_connect(text, "/", 1) == error{errc::invalid_payload});
    CHECK(encode_connect(text, "/", std::vector<int>(1000)) == error{errc::invalid_payload}); // also where it grows
    CHECK(encode_connect_error(text, "/", std::tuple(1)) == error{errc::invalid_payload});
    attachment_list attachments;
    CHECK(encode_array(text, attachments, packet_type::event, {}, 1) == error{errc::invalid_payload});
    CHECK(encode_array(text, attachments, packet_type::event, {}, std::tuple(bytes)) ==
          error{errc::invalid_event_name});
    CHECK(encode_array(text, attachments, packet_type::ack, {.id = 1}, json::object()) == error{errc::invalid_payload});
    CHECK(text == "kept");
    CHECK(attachments.empty());
}

TEST_CASE("reserved event names are refused", "[socketio]") {
    std::string text;
    for (std::string_view const name :
         {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"})
        CHECK(encode_event(text, {}, name) == error{errc::reserved_event_name});
    CHECK(event_text({}, "error") == R"(2["error"])");
}

TEST_CASE("invalid namespaces are refused", "[socketio]") {
    std::string text;
    CHECK(encode_event(text, {.nsp = ""}, "a") == error{errc::invalid_namespace, 0});
    CHECK(encode_event(text, {.nsp = "admin"}, "a") == error{errc::invalid_namespace, 0});
    CHECK(encode_event(text, {.nsp = "/a,b"}, "a") == error{errc::invalid_namespace, 2});
    CHECK(encode_event(text, {.nsp = "/\xff"}, "a") == error{errc::invalid_utf8, 1});
    CHECK(encode_disconnect(text, "admin") == error{errc::invalid_namespace, 0});
    CHECK(encode_connect(text, "/a,", json::object()) == error{errc::invalid_namespace, 2});
    CHECK(encode_event(text, {.id = max_ack_id + 1}, "a") == error{errc::invalid_ack_id});
    CHECK(text.empty());
}

TEST_CASE("text that is not UTF-8 is refused, and nothing is left behind", "[socketio]") {
    std::string text = "kept";
    attachment_list attachments;
    CHECK(encode_event(text, attachments, {}, "\xff") == error{errc::invalid_utf8});
    CHECK(encode_event(text, attachments, {}, "a", bytes, "\xc3") == error{errc::invalid_utf8});
    CHECK(encode_event(text, attachments, {}, "a", std::string(1000, 'x') + "\xc3") == error{errc::invalid_utf8});
    CHECK(encode_event(text, attachments, {}, "a", std::map<std::string, int>{{"\xff", 1}}) ==
          error{errc::invalid_utf8});
    CHECK(text == "kept");
    CHECK(attachments.empty());
}

TEST_CASE("encoding into an empty span tells how much a packet takes", "[socketio]") {
    attachment_list attachments;
    auto const measured = encode_event(std::span<char>(), attachments, {.nsp = "/admin"}, "e", bytes, 1.5);
    std::string text;
    REQUIRE(encode_event(text, attachments, {.nsp = "/admin"}, "e", bytes, 1.5).has_value());
    CHECK(measured == error{errc::buffer_too_small, text.size()});

    std::vector<char> buffer(text.size());
    for (std::size_t size = 0; size != text.size(); ++size) {
        auto const r =
            encode_event(std::span<char>(buffer.data(), size), attachments, {.nsp = "/admin"}, "e", bytes, 1.5);
        CHECK(r == error{errc::buffer_too_small, text.size()});
        CHECK(attachments.empty());
    }
    CHECK(encode_event(std::span<char>(buffer), attachments, {.nsp = "/admin"}, "e", bytes, 1.5) == text.size());
    CHECK(std::string_view(buffer.data(), buffer.size()) == text);
    CHECK(attachments.size() == 1);
}

TEST_CASE("a large packet is the same whatever room the container has", "[socketio]") {
    std::vector<std::string> const lines(500, "line \"quoted\" \xe2\x82\xac");
    attachment_list attachments;
    std::string fresh;
    REQUIRE(encode_event(fresh, attachments, {}, "e", bytes, lines).has_value());
    std::string roomy = "head";
    roomy.reserve(100'000);
    REQUIRE(encode_event(roomy, attachments, {}, "e", bytes, lines).has_value());
    CHECK(roomy == "head" + fresh);
    CHECK(attachments.size() == 1);
    std::vector<char> characters;
    REQUIRE(encode_event(characters, attachments, {}, "e", bytes, lines).has_value());
    CHECK(std::string_view(characters.data(), characters.size()) == fresh);
}

TEST_CASE("a packet that was decoded encodes to the same text", "[socketio]") {
    for (std::string_view const wire :
         {R"(0)", R"(0/admin,)", R"(0/admin,{"sid":"x"})", R"(1/admin,)", R"(2/admin,17["update",{"id":1.0}])",
          R"(31[])", R"(4{"message":"x"})", R"(52-/a,3["a",{"_placeholder":true,"num":1}])",
          R"(61-3[{"_placeholder":true,"num":0}])"}) {
        std::string text;
        REQUIRE(encode(text, *decode(wire)) == wire.size());
        CHECK(text == wire);
    }
    std::string text;
    REQUIRE(encode(text, *decode("0/admin?x=1,", revision::v4)).has_value());
    CHECK(text == "0/admin?x=1,");
}

TEST_CASE("a packet made by hand is checked like one that is decoded", "[socketio]") {
    std::string text;
    packet p;
    CHECK(encode(text, p) == error{errc::invalid_payload});
    p.data = json::text::trusted(R"(["connect"])");
    CHECK(encode(text, p).error().code == errc::reserved_event_name);
    p.data = json::text::trusted(R"(["a"])");
    p.attachments = 1;
    CHECK(encode(text, p).error().code == errc::invalid_attachment_count);
    p.type = packet_type::binary_event;
    CHECK(encode(text, p) == 8u);
    p.data = json::text::trusted(R"(["a",{"_placeholder":true,"num":1}])");
    CHECK(encode(text, p).error().code == errc::invalid_placeholder);
    p.type = packet_type::binary_ack;
    CHECK(encode(text, p).error().code == errc::missing_ack_id);
    p.nsp = "x";
    CHECK(encode(text, p).error().code == errc::invalid_namespace);
    CHECK(text == R"(51-["a"])");
}

TEST_CASE("a packet made by hand is no deeper than one that is decoded, wherever its placeholders are", "[socketio]") {
    std::string const deep = std::string(5000, '[') + std::string(5000, ']');
    for (std::string const& name : {std::string("\"e\""), std::string("\"e\\n\"")}) {
        std::string const data = "[" + name + "," + deep + ",{\"_placeholder\":true,\"num\":0}]";
        packet p;
        p.type = packet_type::binary_event;
        p.attachments = 1;
        p.data = json::text::trusted(data);
        std::string text;
        CHECK(encode(text, p).error().code == errc::depth_exceeded);
        limits bounds;
        bounds.max_depth = limits::deepest;
        CHECK(decode("51-" + data, revision::v5, bounds).error().code == errc::depth_exceeded);
    }
}

TEST_CASE("a query is part of CONNECT only, and has no comma", "[socketio]") {
    std::string text;
    packet p = *decode("0/a?x,", revision::v4);
    p.query = "x,y";
    CHECK(encode(text, p) == error{errc::invalid_namespace});
    p.query = "\xff";
    CHECK(encode(text, p).error().code == errc::invalid_utf8);
    p.type = packet_type::disconnect;
    p.query = "x";
    CHECK(encode(text, p) == error{errc::invalid_namespace});
    CHECK(text.empty());
}

} // namespace socketio_encode_test
