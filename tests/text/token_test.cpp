#include "tools/catch.hpp"

#include <socketless/text/token.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace text_token_test {

using namespace socketless;
using namespace std::string_view_literals;

namespace {

std::vector<std::string_view> elements(std::string_view text) {
    token::list const list(text);
    std::vector<std::string_view> all;
    for (auto const e : list) all.push_back(e);
    return all;
}

} // namespace

TEST_CASE("token: the characters are those of RFC 9110") {
    for (int i = 0; i != 256; ++i) {
        auto const c = static_cast<char>(static_cast<unsigned char>(i));
        bool const is_delimiter = "\"(),/:;<=>?@[\\]{}"sv.find(c) != std::string_view::npos;
        CAPTURE(i);
        CHECK(token::is_character(c) == (i > ' ' && i < 0x7f && !is_delimiter));
    }
    STATIC_REQUIRE(token::is_valid("x-Real.IP"));
    STATIC_REQUIRE(!token::is_valid(""));
    STATIC_REQUIRE(!token::is_valid("a b"));
    STATIC_REQUIRE(!token::is_valid("caf\xc3\xa9"));
}

TEST_CASE("token: letters of ASCII are equal in any case, other characters only to themselves") {
    STATIC_REQUIRE(token::equals("Upgrade", "uPGRADE"));
    STATIC_REQUIRE(token::equals("", ""));
    STATIC_REQUIRE(!token::equals("upgrade", "upgrad"));
    STATIC_REQUIRE(!token::equals("@", "`"));
    STATIC_REQUIRE(!token::equals("[", "{"));
    STATIC_REQUIRE(!token::equals("\xc3\x89", "\xc3\xa9"));
}

TEST_CASE("token: spaces and tabs around a text are cut, others are not") {
    CHECK(token::trimmed(" \ta b\t ") == "a b");
    CHECK(token::trimmed(" \t ").empty());
    CHECK(token::trimmed("\r\na\v") == "\r\na\v");
}

TEST_CASE("token: a list has its elements in order, and no empty ones") {
    using strings = std::vector<std::string_view>;
    CHECK(elements("").empty());
    CHECK(elements(" , ,\t,").empty());
    CHECK(elements("a") == strings{"a"});
    CHECK(elements(" keep-alive ,Upgrade,, x y ,") == strings{"keep-alive", "Upgrade", "x y"});
    CHECK(elements("a,a") == strings{"a", "a"});
    STATIC_REQUIRE(token::list("keep-alive, Upgrade").contains("upgrade"));
    STATIC_REQUIRE(!token::list("keep-alive, Upgrade").contains("up"));
    STATIC_REQUIRE(!token::list("").contains(""));
}

TEST_CASE("token: a list with an empty element is told from others") {
    for (std::string_view const good : {"a", "a,b", " a , b c\t"}) CHECK_FALSE(token::list(good).has_empty_element());
    for (std::string_view const bad : {"", " ", ",", "a,", ",a", "a,,b", "a, ,b"})
        CHECK(token::list(bad).has_empty_element());
}

TEST_CASE("token: a list is a range that the standard algorithms walk") {
    token::list const list("a, b, a");
    STATIC_REQUIRE(std::forward_iterator<token::list::iterator>);
    CHECK(std::ranges::count(list, "a"sv) == 2);
    auto i = list.begin();
    CHECK(*i++ == "a");
    CHECK(*i == "b");
    CHECK(i == ++list.begin());
    CHECK(i != list.begin());
}

} // namespace text_token_test
