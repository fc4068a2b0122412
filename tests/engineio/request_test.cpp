#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/engineio/request.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace engineio_request_test {

using namespace socketless;
using namespace socketless::engineio;

namespace {

std::string written(request_fields const& fields) {
    std::string target;
    REQUIRE(write_request_target(target, fields).has_value());
    return target;
}

} // namespace

static_assert(parse_request_target("/engine.io/?EIO=4&transport=polling")->transport == transport::polling);
static_assert(std::forward_iterator<query_view::iterator>);

TEST_CASE("the first request of a client says its revision and transport", "[engineio]") {
    auto const t = parse_request_target("/socket.io/?EIO=4&transport=polling&t=ttry4rp6");
    REQUIRE(t.has_value());
    CHECK(t->path == "/socket.io/");
    CHECK(t->revision == revision::v4);
    CHECK(t->transport == transport::polling);
    CHECK_FALSE(t->sid.has_value());
    CHECK_FALSE(t->base64);
}

TEST_CASE("later requests name their session", "[engineio]") {
    auto const t = parse_request_target("/engine.io/?EIO=3&transport=websocket&b64=1&sid=uCYkQNj8vG3zHIZWAAAB");
    REQUIRE(t.has_value());
    CHECK(t->revision == revision::v3);
    CHECK(t->transport == transport::websocket);
    CHECK(t->sid == "uCYkQNj8vG3zHIZWAAAB");
    CHECK(t->base64);
}

TEST_CASE("a target with an unknown transport is read, without a transport", "[engineio]") {
    for (std::string_view const name : {"__proto__", "constructor", "toString", "", "polling2"}) {
        auto const t = parse_request_target("/engine.io/?EIO=4&transport=" + std::string(name));
        REQUIRE(t.has_value());
        CHECK_FALSE(t->transport.has_value());
    }
}

TEST_CASE("any EIO but 4 means revision 3, which had no EIO at first", "[engineio]") {
    for (std::string_view const eio : {"", "2", "3", "5", "04", "4.0", "x", "+4", "%344", "%3", "%"}) {
        auto const t = parse_request_target("/engine.io/?transport=polling&EIO=" + std::string(eio));
        REQUIRE(t.has_value());
        CHECK(t->revision == revision::v3);
    }
    CHECK(parse_request_target("/")->revision == revision::v3);
    CHECK(parse_request_target("/?eio=4")->revision == revision::v3);
}

TEST_CASE("names and values of the protocol's own parameters are read decoded", "[engineio]") {
    auto const t = parse_request_target("/engine.io/?%45IO=%34&trans%70ort=poll%69ng&s%69d=%41b&b%364=1");
    REQUIRE(t.has_value());
    CHECK(t->revision == revision::v4);
    CHECK(t->transport == transport::polling);
    CHECK(t->sid == "%41b");
    CHECK(t->base64);
}

TEST_CASE("of a parameter that is given twice the last counts", "[engineio]") {
    auto const t = parse_request_target("/?EIO=3&transport=polling&sid=a&b64=1&EIO=4&transport=websocket&s%69d=b&b64=");
    REQUIRE(t.has_value());
    CHECK(t->revision == revision::v4);
    CHECK(t->transport == transport::websocket);
    CHECK(t->sid == "b");
    CHECK_FALSE(t->base64);
    CHECK(parse_request_target("/?EIO=4&EIO")->revision == revision::v3);
    CHECK_FALSE(parse_request_target("/?transport=polling&transport=x")->transport.has_value());
}

TEST_CASE("an empty sid counts as no sid", "[engineio]") {
    for (char const* target : {"/?sid=", "/?sid", "/?sid=a&sid=", "/?x=1&sid=&y=2"})
        CHECK_FALSE(parse_request_target(target)->sid.has_value());
}

TEST_CASE("a query finds the last of its parameters by the decoded name", "[engineio]") {
    query_view const query("token=a%20b&t%6Fken=c+d%zz&empty=&flag&%=1");
    CHECK(query.find("token") == "c+d%zz");
    CHECK(query.get("token") == "c d%zz");
    CHECK(query.get("empty") == "");
    CHECK(query.get("flag") == "");
    CHECK_FALSE(query.get("tok").has_value());
    CHECK_FALSE(query.find("").has_value());
}

TEST_CASE("what cannot be a target is refused", "[engineio]") {
    CHECK(parse_request_target("").error() == error{errc::invalid_request_target, 0});
    CHECK(parse_request_target("engine.io/").error() == error{errc::invalid_request_target, 0});
    CHECK(parse_request_target("http://a/").error() == error{errc::invalid_request_target, 0});
    CHECK(parse_request_target("/a b").error() == error{errc::invalid_request_target, 2});
    CHECK(parse_request_target("/a\r\nX: y").error() == error{errc::invalid_request_target, 2});
    CHECK(parse_request_target("/?a#b").error() == error{errc::invalid_request_target, 3});
}

TEST_CASE("the path is literal", "[engineio]") {
    CHECK(parse_request_target("/engine.io/../admin?EIO=4")->path == "/engine.io/../admin");
    CHECK(parse_request_target("//evil/?EIO=4")->path == "//evil/");
}

TEST_CASE("a query is its parameters in order, empty ones left out", "[engineio]") {
    std::vector<query_parameter> const expected = {{"a", "1"}, {"b", ""}, {"", "c"}, {"d", "e=f"}};
    query_view const query("a=1&&b&=c&d=e=f&");
    CHECK(std::ranges::equal(query, expected));
    CHECK(std::ranges::distance(query_view("")) == 0);
    CHECK(std::ranges::distance(query_view("&&")) == 0);
}

TEST_CASE("a target is written as the reference client writes it", "[engineio]") {
    CHECK(written({}) == "/engine.io/?EIO=4&transport=polling");
    CHECK(written({.path = "/socket.io/", .timestamp = {"t", "ttry92yo"}, .sid = "lCh_fT2VvrYp2vq8AAAC"}) ==
          "/socket.io/?EIO=4&transport=polling&t=ttry92yo&sid=lCh_fT2VvrYp2vq8AAAC");
    CHECK(written({.path = "/socket.io/",
                   .revision = revision::v3,
                   .timestamp = {"t", "Q83HrCq"},
                   .base64 = true,
                   .sid = "uCYkQNj8vG3zHIZWAAAB"}) ==
          "/socket.io/?EIO=3&transport=polling&t=Q83HrCq&b64=1&sid=uCYkQNj8vG3zHIZWAAAB");
}

TEST_CASE("the caller's own parameters come first, percent-encoded", "[engineio]") {
    std::array<query_parameter, 2> const query = {{{"token", "a b&c=\xc3\xa9"}, {"EIO ", ""}}};
    auto const target = written({.query = query, .transport = transport::websocket});
    CHECK(target == "/engine.io/?token=a%20b%26c%3D%C3%A9&EIO%20=&EIO=4&transport=websocket");
    auto const parsed = parse_request_target(target);
    REQUIRE(parsed.has_value());
    std::array<char, 32> buffer{};
    CHECK(percent::decode((*parsed->query.begin()).value, buffer) == "a b&c=\xc3\xa9");
}

TEST_CASE("an invalid path is refused", "[engineio]") {
    std::string target = "kept";
    for (std::string_view const path : {"", "engine.io", "/a?b", "/a b", "/a#b"})
        CHECK(write_request_target(target, {.path = path}).error().code == errc::invalid_request_target);
    CHECK(target == "kept");
}

TEST_CASE("refusals have the reference's codes, statuses and words", "[engineio]") {
    CHECK(body(request_error::unknown_transport) == R"({"code":0,"message":"Transport unknown"})");
    CHECK(body(request_error::unknown_sid) == R"({"code":1,"message":"Session ID unknown"})");
    CHECK(body(request_error::bad_handshake_method) == R"({"code":2,"message":"Bad handshake method"})");
    CHECK(body(request_error::bad_request) == R"({"code":3,"message":"Bad request"})");
    CHECK(body(request_error::forbidden) == R"({"code":4,"message":"Forbidden"})");
    CHECK(body(request_error::unsupported_protocol_version) ==
          R"({"code":5,"message":"Unsupported protocol version"})");
    for (unsigned code = 0; code != 6; ++code) {
        auto const e = static_cast<request_error>(code);
        CHECK(decode_request_error(body(e)) == e);
        CHECK(status(e) == (e == request_error::forbidden ? 403 : 400));
    }
}

TEST_CASE("other answers are not read as refusals", "[engineio]") {
    for (std::string_view const answer :
         {"{}", "[]", R"({"code":6})", R"({"code":-1})", R"({"code":"0"})", R"({"code":1.5})"})
        CHECK(decode_request_error(answer) == error{errc::invalid_payload, 0});
    CHECK(decode_request_error("<html>").error().code == errc::invalid_json);
}

TEST_CASE("every prefix and every one-byte change of a target is read or refused", "[engineio]") {
    support::for_each_mutation(std::string("/socket.io/?EIO=4&transport=polling&t=a%20b&sid=lCh_fT2V"),
                               [](std::string_view target) {
                                   auto const t = parse_request_target(target);
                                   if (!t) {
                                       CHECK(t.error().offset <= target.size());
                                       return;
                                   }
                                   std::array<char, 64> buffer{};
                                   for (query_parameter const p : t->query) {
                                       auto const value = percent::decode(p.value, buffer);
                                       if (value) CHECK(percent::equals(p.value, *value));
                                   }
                               });
}

} // namespace engineio_request_test
