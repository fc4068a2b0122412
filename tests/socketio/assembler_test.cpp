#include "tools/catch.hpp"

#include <socketless/socketio/assembler.hpp>

#include <algorithm>
#include <string>
#include <string_view>

namespace socketio_assembler_test {

using namespace socketless;
using namespace socketless::socketio;

namespace {

constexpr frame text(std::string_view data) {
    return {frame_kind::text, data};
}

constexpr frame binary(std::string_view data) {
    return {frame_kind::binary, data};
}

constexpr std::string_view two_due = R"(52-/admin,3["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])";

} // namespace

TEST_CASE("a plain packet is complete at once", "[socketio]") {
    assembler a;
    auto const m = a.push(text(R"(2["a",1])"));
    REQUIRE(m.has_value());
    REQUIRE(m->has_value());
    CHECK((*m)->packet.event_name().equals("a"));
    CHECK((*m)->attachments.empty());
    CHECK((*m)->arguments().size() == 1);
}

TEST_CASE("text that was checked for UTF-8 is not checked again", "[socketio]") {
    std::string const bad = "2/\xff,[\"a\"]";
    assembler a;
    CHECK(a.push(text(bad)) == error{errc::invalid_utf8, 2});
    CHECK(a.push(text(bad), text_check::done).has_value());

    // Who was taken at his word once is not asked when the packet is made anew, of a copy.
    std::string gone = "51-/\xff,[\"a\",{\"_placeholder\":true,\"num\":0}]";
    CHECK(a.push(text(gone), text_check::done).has_value());
    a.retain();
    std::string const kept = gone;
    gone.assign(gone.size(), '?');
    auto const whole = a.push(binary("x"));
    REQUIRE(whole.has_value());
    REQUIRE(whole->has_value());
    CHECK((*whole)->packet == *decode(kept, revision::v5, {}, text_check::done));
}

TEST_CASE("a binary packet is complete with its last attachment", "[socketio]") {
    assembler a;
    CHECK_FALSE(a.push(text(two_due))->has_value());
    CHECK(a.attachments_due() == 2);
    CHECK_FALSE(a.push(binary("zero"))->has_value());
    CHECK(a.attachments_due() == 1);
    auto const m = a.push(binary(""));
    REQUIRE(m->has_value());
    CHECK(a.attachments_due() == 0);
    CHECK((*m)->packet.nsp == "/admin");
    CHECK((*m)->packet.id == 3u);
    REQUIRE((*m)->attachments.size() == 2);
    CHECK(as_characters((*m)->attachments[0]) == "zero");
    CHECK((*m)->attachments[1].empty());
    CHECK(a.push(text("0"))->has_value()); // ready for the next
}

TEST_CASE("nothing is copied while the input lives", "[socketio]") {
    assembler a;
    std::string const zero = "zero";
    std::string const one = "one";
    REQUIRE(a.push(text(two_due)).has_value());
    REQUIRE(a.push(binary(zero)).has_value());
    auto const m = a.push(binary(one));
    CHECK(as_characters((*m)->attachments[0]).data() == zero.data());
    CHECK((*m)->packet.nsp.data() == two_due.data() + 3);
}

TEST_CASE("what is retained outlives the input", "[socketio]") {
    assembler a;
    for (int round = 0; round != 3; ++round) {
        std::string buffer(two_due);
        REQUIRE(a.push(text(buffer)).has_value());
        a.retain();
        std::fill(buffer.begin(), buffer.end(), '?');
        buffer = "zero";
        REQUIRE(a.push(binary(buffer)).has_value());
        a.retain();
        a.retain(); // harmless
        std::fill(buffer.begin(), buffer.end(), '?');
        auto const m = a.push(binary("one"));
        REQUIRE(m->has_value());
        CHECK((*m)->packet.nsp == "/admin");
        CHECK((*m)->packet.id == 3u);
        CHECK((*m)->packet.event_name().equals("a"));
        CHECK(as_characters((*m)->attachments[0]) == "zero");
        CHECK(as_characters((*m)->attachments[1]) == "one");
        CHECK((*m)->arguments().size() == 2);
    }
}

TEST_CASE("text while attachments are due is an error, whatever its namespace", "[socketio]") {
    assembler a;
    REQUIRE(a.push(text(two_due)).has_value());
    CHECK(a.push(text(R"(2/other,["b"])")).error() == error{errc::unexpected_text, 0});
    CHECK(a.attachments_due() == 0);
    CHECK(a.push(text(R"(2["b"])"))->has_value()); // idle again
}

TEST_CASE("binary with no header due is an error", "[socketio]") {
    assembler a;
    CHECK(a.push(binary("x")).error() == error{errc::unexpected_binary, 0});
    REQUIRE(a.push(text("0"))->has_value());
    CHECK(a.push(binary("x")).error() == error{errc::unexpected_binary, 0});
}

TEST_CASE("the attachments of a packet are limited together", "[socketio]") {
    limits l;
    l.max_attachments_size = 5;
    assembler a(revision::v5, l);
    REQUIRE(a.push(text(two_due)).has_value());
    REQUIRE(a.push(binary("1234")).has_value());
    CHECK(a.push(binary("56")).error() == error{errc::attachments_too_large, 0});
    REQUIRE(a.push(text(two_due)).has_value());
    REQUIRE(a.push(binary("1234")).has_value());
    CHECK(a.push(binary("5"))->has_value());
}

TEST_CASE("a bad header leaves the assembler idle", "[socketio]") {
    assembler a;
    CHECK(a.push(text(R"(50-["a"])")).error() == error{errc::invalid_attachment_count, 1});
    CHECK(a.push(binary("x")).error() == error{errc::unexpected_binary, 0});
}

TEST_CASE("reset forgets the packet under way", "[socketio]") {
    assembler a;
    REQUIRE(a.push(text(two_due)).has_value());
    a.reset();
    CHECK(a.attachments_due() == 0);
    CHECK(a.push(text("0"))->has_value());
}

} // namespace socketio_assembler_test
