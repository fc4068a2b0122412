#include "tools/catch.hpp"
#include "tools/mutations.hpp"

#include <socketless/http/fields.hpp>

#include <cstddef>
#include <iterator>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

namespace http_fields_test {

using namespace socketless;
using namespace std::string_view_literals;

namespace {

constexpr http::field_view some("Host: a\r\nX-Empty:\r\nList: a, b\r\nlist:\t C \t\r\nName: x:y\r\n");

static_assert(std::forward_iterator<http::field_view::iterator>);
static_assert(std::ranges::forward_range<http::field_view>);
static_assert(some.find("HOST") == "a");
static_assert(some.count("List") == 2);
static_assert(some.has_token("list", "c"));
static_assert(http::is_valid({"X-Y", "a\tb"}));
static_assert(!http::is_valid({"X-Y", "0123456789\n"}));

} // namespace

TEST_CASE("http fields: a section is a range of names and values, without the white space around these") {
    std::vector<http::field> all;
    for (auto const& f : some) all.push_back(f);
    CHECK(all ==
          std::vector<http::field>{{"Host", "a"}, {"X-Empty", ""}, {"List", "a, b"}, {"list", "C"}, {"Name", "x:y"}});
    CHECK(http::field_view().begin() == http::field_view().end());
    CHECK(http::field_view().raw().empty());
    auto at = some.begin();
    auto const first = at++;
    CHECK((*first).name == "Host");
    CHECK((*at).name == "X-Empty");
    CHECK(first != at);
    CHECK(some.begin() == first);
    CHECK(some.raw().starts_with("Host: a\r\nX-Empty:"));
}

TEST_CASE("http fields: names and elements of lists are found in any case") {
    CHECK(some.find("X-EMPTY") == "");
    CHECK(some.find("name") == "x:y");
    CHECK_FALSE(some.find("Hos"));
    CHECK_FALSE(some.find("Host "));
    CHECK(some.find("LIST") == "a, b");
    CHECK(some.count("nothing") == 0);
    CHECK(some.has_token("List", "B"));
    CHECK_FALSE(some.has_token("List", "a, b"));
    CHECK_FALSE(some.has_token("List", ""));
    CHECK_FALSE(some.has_token("Name", "x"));
}

TEST_CASE("http fields: a value has no control character but the tab, at any place, in texts of any length") {
    bool is_right = true;
    for (int i = 0; i != 256; ++i) {
        auto const c = static_cast<char>(static_cast<unsigned char>(i));
        bool const is_good = c == '\t' || (i >= 0x20 && i != 0x7f);
        is_right = is_right && http::is_value_character(c) == is_good;
        for (auto const filler : {'a', '\t', '\xff', ' ', '\x80', '~'}) {
            for (std::size_t size = 1; size <= 18; ++size) {
                for (std::size_t at = 0; at != size; ++at) {
                    support::exact_copy const text(std::string(size, filler));
                    text.span()[at] = c;
                    is_right = is_right && http::is_valid({"Name", text.view()}) == is_good;
                }
            }
        }
    }
    CHECK(is_right);
    CHECK(http::is_valid({"Name", ""}));
}

TEST_CASE("http fields: a name is a token") {
    for (auto const name : {""sv, " a"sv, "a "sv, "a:"sv, "a b"sv, "a\r"sv, "a\0"sv, "\xc3\xa9"sv, "a\tb"sv, "(a)"sv}) {
        CAPTURE(name);
        CHECK_FALSE(http::is_valid({name, "x"}));
    }
    CHECK(http::is_valid({"!#$%&'*+-.^_`|~0aZ", "x"}));
}

} // namespace http_fields_test
