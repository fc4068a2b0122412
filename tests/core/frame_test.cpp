#include "tools/catch.hpp"

#include <socketless/core/frame.hpp>

#include <cstddef>
#include <string_view>

namespace core_frame_test {

using namespace socketless;
using namespace std::string_view_literals;

static_assert(frame{} == frame{frame_kind::text, ""});
static_assert(frame{frame_kind::text, "4hi"} == frame{frame_kind::text, "4hi"});
static_assert(frame{frame_kind::text, "4hi"} != frame{frame_kind::binary, "4hi"});
static_assert(frame{frame_kind::text, "4hi"} != frame{frame_kind::text, "4ho"});

TEST_CASE("characters and bytes are two views of the same memory", "[frame]") {
    std::string_view const characters = "a\0\xff"sv;
    byte_view const bytes = as_bytes(characters);
    REQUIRE(bytes.size() == 3);
    CHECK(static_cast<void const*>(bytes.data()) == characters.data());
    CHECK(bytes[0] == std::byte{'a'});
    CHECK(bytes[1] == std::byte{0});
    CHECK(bytes[2] == std::byte{0xff});
    CHECK(as_characters(bytes) == characters);
    CHECK(as_characters(bytes).data() == characters.data());
}

TEST_CASE("an empty view of characters is an empty view of bytes, and the other way round", "[frame]") {
    CHECK(as_bytes({}).empty());
    CHECK(as_characters({}).empty());
}

} // namespace core_frame_test
