#include "tools/catch.hpp"
#include "tools/data.hpp"
#include "tools/hex.hpp"
#include "tools/mutations.hpp"

#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/packet.hpp>

#include <string>
#include <string_view>

namespace socketio_packet_test {

using namespace socketless;
using namespace socketless::socketio;

namespace {

constexpr errc failure(std::string_view text, revision r = revision::v5, limits const& l = {}) {
    auto const p = decode(text, r, l);
    return p ? errc{} : p.error().code;
}

} // namespace

static_assert(decode("0")->type == packet_type::connect);
static_assert(decode(R"(2/admin,17["update",{"id":1}])")->id == 17);
static_assert(decode(R"(2["update",{"id":1}])")->event_name().equals("update"));
static_assert(decode(R"(52-["a",{"_placeholder":true,"num":1},{"num":0,"_placeholder":true}])")->attachments == 2);
static_assert(decode(R"(51-["a",{"_placeholder":true,"num":1}])") == error{errc::invalid_placeholder, 8});
static_assert(decode(R"(2["connect"])") == error{errc::reserved_event_name, 2});

TEST_CASE("a packet is a type, a namespace, an id and JSON", "[socketio]") {
    auto const p = decode(R"(2/admin,17["update",{"id":1}])");
    REQUIRE(p.has_value());
    CHECK(p->type == packet_type::event);
    CHECK(p->nsp == "/admin");
    CHECK(p->id == 17u);
    CHECK(p->attachments == 0);
    CHECK(p->data.raw() == R"(["update",{"id":1}])");
    CHECK(p->event_name().equals("update"));
}

TEST_CASE("the header can be read without the JSON", "[socketio]") {
    auto const h = decode_header(R"(52-/admin,17["up)");
    REQUIRE(h.has_value());
    CHECK(h->type == packet_type::binary_event);
    CHECK(h->nsp == "/admin");
    CHECK(h->id == 17u);
    CHECK(h->attachments == 2);
    CHECK(h->payload == R"(["up)");
}

TEST_CASE("the seven types are the digits 0 to 6", "[socketio]") {
    constexpr std::string_view texts[] = {"0", "1", R"(2["a"])", "31[]", "4\"a\"", R"(51-["a"])", "61-1[]"};
    constexpr std::string_view names[] = {"connect",       "disconnect",   "event",     "ack",
                                          "connect_error", "binary_event", "binary_ack"};
    for (unsigned i = 0; i != 7; ++i) {
        auto const p = decode(texts[i]);
        REQUIRE(p.has_value());
        CHECK(p->type == static_cast<packet_type>(i));
        CHECK(name(p->type) == names[i]);
    }
    CHECK(decode("") == error{errc::empty_packet, 0});
    for (std::string_view const text : {"7", "9[]", "abc", "-1[\"a\"]", " 2[\"a\"]"})
        CHECK(decode(text) == error{errc::unknown_packet_type, 0});
}

TEST_CASE("a namespace runs from the slash to the comma or the end", "[socketio]") {
    CHECK(decode("0")->nsp == "/");
    CHECK(decode("0/admin,")->nsp == "/admin");
    CHECK(decode("0/admin")->nsp == "/admin");
    CHECK(decode("0/")->nsp == "/");
    CHECK(decode("2/nsp[\"a\"]") == error{errc::invalid_payload, 10}); // the array is part of the name
    CHECK(decode("0/\xff,") == error{errc::invalid_utf8, 2});
}

TEST_CASE("namespaces are compared literally: no path is resolved", "[socketio]") {
    CHECK(decode("0/foo/../admin,")->nsp == "/foo/../admin");
    CHECK(decode("0//evil/admin,")->nsp == "//evil/admin");
}

TEST_CASE("a query in a namespace is part of its name in revision 5, and cut off in revision 4", "[socketio]") {
    CHECK(decode("0/admin?x=1,")->nsp == "/admin?x=1");
    CHECK_FALSE(decode("0/admin?x=1,")->query.has_value());
    CHECK(decode("0/admin?x=1,", revision::v4)->nsp == "/admin");
    CHECK(decode("0/admin?x=1,", revision::v4)->query == "x=1");
    CHECK(decode("0/admin?,", revision::v4)->query == "");
    CHECK_FALSE(decode("0/admin,", revision::v4)->query.has_value());
    CHECK(decode("2/admin?x=1,[\"a\"]", revision::v4)->nsp == "/admin?x=1"); // CONNECT only
}

TEST_CASE("an id is at most 16 digits and 2^53-1", "[socketio]") {
    CHECK(decode(R"(20["a"])")->id == 0u);
    CHECK(decode(R"(2007["a"])")->id == 7u);
    CHECK(decode(R"(29007199254740991["a"])")->id == max_ack_id);
    CHECK(decode(R"(29007199254740992["a"])") == error{errc::invalid_ack_id, 1});
    CHECK(decode(R"(200000000000000001["a"])") == error{errc::invalid_ack_id, 1});
    CHECK(decode(R"(2 ["a"])") == error{errc::invalid_json, 1}); // white space is no id
    CHECK(decode(R"(2+1["a"])") == error{errc::invalid_json, 1});
}

TEST_CASE("CVE-2020-36049: endless digits are refused after 17 of them", "[socketio][hostile]") {
    CHECK(decode("2" + std::string(1'000'000, '1')) == error{errc::invalid_ack_id, 1});
    CHECK(decode("5" + std::string(1'000'000, '1') + "-[\"a\"]") == error{errc::too_many_attachments, 1});
    CHECK(decode("299999999999[\"a\"]")->id == 99'999'999'999u);
}

TEST_CASE("a count of attachments is digits and a dash, from 1 to the limit", "[socketio]") {
    CHECK(decode(R"(510-["a"])")->attachments == 10);
    for (std::string_view const text : {"5", "51", "5[", "5[\"a\"]", "51[\"a\"]", "5x-[\"a\"]", "5+1-[\"a\"]",
                                        "5-1-[\"a\"]", "50x1-[\"a\"]", "5 1-[\"a\"]", "51.0-[\"a\"]", "51e0-[\"a\"]"})
        CHECK(failure(text) == errc::invalid_attachment_count);
    limits l;
    l.max_attachments = 2;
    CHECK(failure(R"(52-["a"])", revision::v5, l) == errc{});
    CHECK(failure(R"(53-["a"])", revision::v5, l) == errc::too_many_attachments);
}

TEST_CASE("CVE-2026-69185: zero attachments are refused", "[socketio][hostile]") {
    CHECK(decode(R"(50-["a"])") == error{errc::invalid_attachment_count, 1});
    CHECK(decode(R"(5-["a"])") == error{errc::invalid_attachment_count, 1});
    CHECK(decode(R"(60-1["a"])") == error{errc::invalid_attachment_count, 1});
}

TEST_CASE("CVE-2026-33151: a huge count of attachments is refused at the header", "[socketio][hostile]") {
    CHECK(decode(R"(5999999-["a"])") == error{errc::too_many_attachments, 1});
    CHECK(decode_header("5999999-") == error{errc::too_many_attachments, 1});
    CHECK(decode_header("511-") == error{errc::too_many_attachments, 1});
}

TEST_CASE("CONNECT has no payload or an object", "[socketio]") {
    CHECK(decode(R"(0{"token":"123"})")->data.raw() == R"({"token":"123"})");
    for (std::string_view const text : {"0null", "0[]", "0\"a\"", "01x"}) CHECK(failure(text) != errc{});
    CHECK(decode("0[]") == error{errc::invalid_payload, 1});
    CHECK(failure("0{}", revision::v4) == errc::invalid_payload);
}

TEST_CASE("DISCONNECT has no payload", "[socketio]") {
    CHECK(decode("1/admin,")->nsp == "/admin");
    CHECK(decode(R"(1["a"])") == error{errc::invalid_payload, 1});
}

TEST_CASE("an event is an array that starts with its name, a string or a number", "[socketio]") {
    CHECK(decode("2[1]")->event_name().raw() == "1");
    CHECK(decode(R"(2[""])").has_value());
    CHECK(decode("2") == error{errc::invalid_payload, 1});
    CHECK(decode(R"(2{"a":1})") == error{errc::invalid_payload, 1});
    CHECK(decode("2[]") == error{errc::invalid_event_name, 1});
    CHECK(decode("2[true]") == error{errc::invalid_event_name, 2});
    CHECK(decode("2[ null]") == error{errc::invalid_event_name, 3});
    CHECK(decode("2[[]]") == error{errc::invalid_event_name, 2});
}

TEST_CASE("CVE-2023-32695: an object is no event name", "[socketio][hostile]") {
    CHECK(decode(R"(2[{"toString":"foo"}])") == error{errc::invalid_event_name, 2});
}

TEST_CASE("CVE-2024-38355: the event error is an event like others", "[socketio][hostile]") {
    CHECK(decode(R"(2["error"])").has_value());
}

TEST_CASE("reserved names are refused, however they are written", "[socketio]") {
    for (std::string_view const name :
         {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}) {
        CHECK(decode("2[\"" + std::string(name) + "\"]") == error{errc::reserved_event_name, 2});
        CHECK(decode("51-[\"" + std::string(name) + "\"]") == error{errc::reserved_event_name, 4});
        CHECK(decode("2[\"" + std::string(name) + "x\"]").has_value());
        CHECK(decode("31[\"" + std::string(name) + "\"]").has_value()); // an ack has no name
    }
    CHECK(decode("2[\"\\u0063onnect\"]") == error{errc::reserved_event_name, 2});
}

TEST_CASE("an acknowledgement is an array and has an id", "[socketio]") {
    CHECK(decode("31[]").has_value());
    CHECK(decode("3[1]") == error{errc::missing_ack_id, 1});
    CHECK(decode("3/admin,[1]") == error{errc::missing_ack_id, 8});
    CHECK(decode("31") == error{errc::invalid_payload, 2});
    CHECK(decode("31{}") == error{errc::invalid_payload, 2});
}

TEST_CASE("CONNECT_ERROR has an object or a string, or nothing", "[socketio]") {
    CHECK(decode(R"(4{"message":"no"})").has_value());
    CHECK(decode(R"(4/admin,"no")").has_value());
    CHECK(decode("4").has_value());
    CHECK(decode("4[]") == error{errc::invalid_payload, 1});
    CHECK(decode("44")->id == 4u); // digits are an id, in packets that have no use for one too
}

TEST_CASE("JSON errors point into the packet", "[socketio]") {
    CHECK(decode(R"(2["a",01])") == error{errc::invalid_json, 7});
    CHECK(decode(R"(2["a"]x)") == error{errc::invalid_json, 6});
    CHECK(decode("2[\"a\xff\"]") == error{errc::invalid_utf8, 4});
}

TEST_CASE("whoever has checked UTF-8 says so, and the packet is the same", "[socketio]") {
    auto const checked = [](std::string_view text) { return decode(text, revision::v5, {}, text_check::done); };
    for (std::string const& s :
         {std::string("gr\u00fc\u00dfe"), std::string(100, 'x') + "\u20ac", std::string(3, '\x7f')}) {
        std::string const text = "2/" + s + ",7[\"" + s + "\",{\"" + s + "\":1}]";
        CHECK(decode(text));
        CHECK((checked(text) == decode(text)));
        CHECK((checked(text + "x") == decode(text + "x"))); // and so are the other errors
    }
    CHECK(decode("2/\xff,[\"a\"]") == error{errc::invalid_utf8, 2});
    CHECK(checked("2/\xff,[\"a\"]").has_value()); // it is taken at its word
}

TEST_CASE("JSON is limited in depth, also in binary packets, and recursion is not used", "[socketio][hostile]") {
    std::string const nested(1'000'000, '[');
    CHECK(decode("2[\"a\"," + nested) == error{errc::depth_exceeded, 6 + 999});
    CHECK(decode("51-[\"a\"," + nested) == error{errc::depth_exceeded, 8 + 999});
    limits l;
    l.max_depth = limits::deepest;
    auto const deep =
        "51-[\"a\"," + std::string(limits::deepest - 1, '[') + std::string(limits::deepest - 1, ']') + "]";
    CHECK(failure(deep, revision::v5, l) == errc{});
}

TEST_CASE("a placeholder is an object with _placeholder true and the num of an attachment", "[socketio]") {
    for (std::string_view const good : {
             R"({"_placeholder":true,"num":0})",
             R"({"num":1,"_placeholder":true})",
             R"({ "_placeholder" : true , "num" : 1 })",
             R"({"x":{"y":[1]},"_placeholder":true,"num":0,"z":"}"})",
             R"({"_place\u0068older":true,"n\u0075m":0})",
             R"({"_placeholder":false,"_placeholder":true,"num":7,"num":0})",
             R"([{"a":[{"_placeholder":true,"num":0}]}])",
             R"({"_placeholder":1,"num":9})",
             R"({"_placeholder":false,"num":9})",
             R"({"_placeholder":"true","num":9})",
             R"({"_placeholder":true,"num":9,"_placeholder":null})",
             R"(["_placeholder",true,"num",9])",
             R"({"num":9})",
             R"("{\"_placeholder\":true}")",
         })
        CHECK(failure("52-[\"a\"," + std::string(good) + "]") == errc{});
}

TEST_CASE("CVE-2022-2421: a num that is not the index of an attachment is refused", "[socketio][hostile]") {
    for (std::string_view const num : {"\"splice\"", "0.5", "-1", "-0", "1e0", "0.0", "2", "9007199254740993", "null",
                                       "true", "[]", "{}", "\"0\"", "99999999999999999999999"}) {
        std::string const placeholder = "{\"_placeholder\":true,\"num\":" + std::string(num) + "}";
        CHECK(decode("52-[\"hello\"," + placeholder + "]") == error{errc::invalid_placeholder, 12});
        CHECK(decode("2[\"hello\"," + placeholder + "]").has_value()); // plain data in a plain packet
    }
    for (std::size_t size = 2; size != 40; ++size) { // no number is too long to be seen as one that is too large
        std::string const num = std::string(size, '9');
        CHECK(failure("51-[\"a\",{\"_placeholder\":true,\"num\":" + num + "}]") == errc::invalid_placeholder);
        CHECK(failure("51-[\"a\",{\"num\":" + num + ",\"_placeholder\":true}]") == errc::invalid_placeholder);
    }
    CHECK(failure(R"(51-["a",{"_placeholder":true}])") == errc::invalid_placeholder);
    CHECK(failure(R"(51-[{"_placeholder":1}])") == errc::invalid_event_name);
}

TEST_CASE("a placeholder within a placeholder is refused", "[socketio]") {
    CHECK(failure(R"(51-["a",{"_placeholder":true,"num":0,"x":[{"_placeholder":true,"num":0}]}])") ==
          errc::invalid_placeholder);
}

TEST_CASE("what else is in a placeholder may hold anything but a placeholder", "[socketio]") {
    for (std::string_view const other :
         {R"([])", R"({})", R"(["]}[{","\"","\\","\\\"]"])", R"({"num":7,"a":{"b":[{}]}})",
          R"([{"_placeholder":true,"_placeholder":0,"num":9}])", R"([[[[]]],"{"])"}) {
        std::string const x = "\"x\":" + std::string(other);
        for (std::string const& good :
             {"{" + x + R"(,"_placeholder":true,"num":1})", R"({"_placeholder":true,)" + x + R"(,"num":1})",
              R"({"_placeholder":true,"num":1,)" + x + "}", R"({"num":9,)" + x + R"(,"num":1,"_placeholder":true})"}) {
            CAPTURE(good);
            std::string const text = "52-[\"a\",\"\\\\\",{\"]\\\\\":[" + good + "]}," + good + "]";
            auto const p = decode(text);
            REQUIRE(p.has_value());
            std::vector<std::string_view> found;
            CHECK(
                socketio::detail::for_each_placeholder(p->data.raw(), 2, [&](socketio::detail::placeholder const& at) {
                    CHECK(at.index == 1);
                    found.push_back(p->data.raw().substr(at.begin, at.end - at.begin));
                }));
            CHECK(found == std::vector<std::string_view>{good, good});
        }
        CHECK(decode("51-[\"a\",{\"_placeholder\":true,\"num\":1," + x + "}]") == error{errc::invalid_placeholder, 8});
    }
    CHECK(decode(R"(51-["a",{"num":0,"x":[{"_placeholder":true,"num":0}],"_placeholder":true}])") ==
          error{errc::invalid_placeholder, 8});
    CHECK(decode(R"(51-["a",{"_placeholder":true,"num":0,"x":[{"_placeholder":true,"num":0}],"_placeholder":0}])")
              .has_value());
}

TEST_CASE("placeholders are found at every depth that is allowed", "[socketio][hostile]") {
    limits l;
    l.max_depth = limits::deepest;
    for (std::size_t const depth : {63u, 64u, 65u, 127u, 128u, 1'000u, limits::deepest - 2}) {
        std::string opening;
        std::string closing;
        for (std::size_t i = 0; i != depth; ++i) {
            opening += i % 2 == 0 ? R"({"_placeholder":true,"a":)" : "[";
            closing.insert(0, i % 2 == 0 ? R"(,"_placeholder":0})" : "]");
        }
        std::string const inner = R"({"_placeholder":true,"num":0})";
        CHECK(decode("51-[\"a\"," + opening + inner + closing + "]", revision::v5, l).has_value());
        std::string const bad = R"({"_placeholder":true,"num":1})";
        CHECK(decode("51-[\"a\"," + opening + bad + closing + "]", revision::v5, l) ==
              error{errc::invalid_placeholder, 8 + opening.size()});
    }
}

TEST_CASE("placeholders with much in them are read in linear time", "[socketio][hostile]") {
    std::string text = "51-[\"a\"";
    for (int i = 0; i != 20'000; ++i) text += R"(,{"_placeholder":true,"num":0,"x":[{}]})";
    CHECK(decode(text + "]").has_value());
}

TEST_CASE("every prefix and every one-byte change of 1,000 good packets decodes or errs", "[socketio]") {
    std::size_t good = 0;
    std::size_t decoded = 0;
    auto const check = [&decoded](std::string_view changed) {
        auto const p = decode(changed);
        if (!p) {
            if (p.error().offset > changed.size()) FAIL(changed);
            return;
        }
        if (++decoded % 8 != 0) return; // what decodes encodes again; all of it would take long
        std::string again;
        auto const size = encode(again, *p);
        if (!decode_header(changed) || !size || decode(again) != p) FAIL(changed);
    };
    for (std::string_view const file : {"socketio-v5-packet-encode", "socketio-v5-packet"}) {
        for (std::string const& line : support::data_lines("vectors/" + std::string(file) + ".jsonl")) {
            auto const row = json::validate(line, limits::deepest);
            REQUIRE(row.has_value());
            auto const frames = row->find(file.ends_with("encode") ? "out" : "in");
            auto const item = (*frames->elements().begin()).get<std::string>();
            auto const text = support::from_hex(item->substr(2));
            if (good == 1'000 || text->size() > 300 || !decode(*text)) continue;
            ++good;
            support::for_each_mutation(*text, check);
        }
    }
    CHECK(good == 1'000);
}

} // namespace socketio_packet_test
