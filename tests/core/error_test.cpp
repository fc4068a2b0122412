#include "tools/catch.hpp"

#include <socketless/core/error.hpp>

#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace core_error_test {

using namespace socketless;

namespace {

// Every enumerator: they are numbered from 1 without a gap.
std::vector<errc> all_codes() {
    std::vector<errc> codes;
    for (int i = 1; name(static_cast<errc>(i)) != "unknown"; ++i) codes.push_back(static_cast<errc>(i));
    return codes;
}

} // namespace

static_assert(name(errc::invalid_json) == "invalid_json");
static_assert(message(errc::invalid_json) == "text is not JSON");
static_assert(name(errc::missing_argument) == "missing_argument");
static_assert(name(errc{}) == "unknown");
static_assert(message(static_cast<errc>(255)) == "unknown error");

static_assert(error{} == error{errc{}, 0});
static_assert(error{errc::invalid_json, 3} == error{errc::invalid_json, 3});
static_assert(error{errc::invalid_json, 3} != error{errc::invalid_json, 4});
static_assert(error{errc::invalid_json, 3} != error{errc::invalid_utf8, 3});

static_assert(std::is_error_code_enum_v<errc>);
static_assert(!std::is_error_condition_enum_v<errc>);

TEST_CASE("every code has a name and a message of its own", "[error]") {
    std::set<std::string_view> names;
    std::set<std::string_view> messages;
    for (errc const code : all_codes()) {
        CAPTURE(name(code));
        CHECK(names.insert(name(code)).second);
        CHECK(messages.insert(message(code)).second);
        CHECK(name(code).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos);
        CHECK_FALSE(message(code).empty());
        CHECK(message(code).find_first_of("\r\n") == std::string_view::npos);
    }
    CHECK(names.count("invalid_utf8") == 1);
    CHECK(names.count("missing_argument") == 1);
}

TEST_CASE("a code converts to std::error_code and compares with one", "[error]") {
    std::error_code const ec = errc::invalid_json;
    CHECK(ec);
    CHECK(ec == errc::invalid_json);
    CHECK(ec != errc::invalid_utf8);
    CHECK(ec.value() == static_cast<int>(errc::invalid_json));
    CHECK(ec != std::error_code(ec.value(), std::generic_category()));
    CHECK(ec == make_error_code(errc::invalid_json));
}

TEST_CASE("no code means success to std::error_code", "[error]") {
    CHECK_FALSE(std::error_code(errc{}));
    for (errc const code : all_codes()) CHECK(std::error_code(code));
}

TEST_CASE("the category is called socketless and says what message says", "[error]") {
    std::error_code const ec = errc::depth_exceeded;
    CHECK(&ec.category() == &error_category());
    CHECK(std::string_view(error_category().name()) == "socketless");
    for (errc const code : all_codes()) CHECK(std::error_code(code).message() == message(code));
    CHECK(error_category().message(0) == "unknown error");
    CHECK(error_category().message(255) == "unknown error");
}

} // namespace core_error_test
