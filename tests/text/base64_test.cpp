#include "tools/catch.hpp"
#include "tools/mutations.hpp"
#include "tools/random.hpp"

#include <socketless/text/base64.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace text_base64_test {

using namespace socketless;
using namespace std::string_view_literals;

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// RFC 4648, section 10, and some bytes that are not text.
constexpr std::pair<std::string_view, std::string_view> vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\0"sv, "AA=="},
    {"\0\0\0"sv, "AAAA"},
    {"\xff", "/w=="},
    {"\xfb\xef\xbe", "++++"},
    {"\xff\xff\xff", "////"},
};

std::string encoded(std::string_view data) {
    std::string text(base64::encoded_size(data.size()), '?');
    char const* const end = base64::encode(data, text.data());
    CHECK(end == text.data() + text.size());
    return text;
}

// Decodes into memory of just the size that is promised to be enough.
result<std::string> decoded(std::string_view text) {
    support::exact_copy const out(std::string(base64::max_decoded_size(text.size()), '?'));
    return base64::decode(text, out.span()).transform([&](std::size_t size) {
        return std::string(out.view().substr(0, size));
    });
}

result<std::string> decoded_in_place(std::string_view text) {
    support::exact_copy const memory(text);
    return base64::decode(memory.view(), memory.span()).transform([&](std::size_t size) {
        return std::string(memory.view().substr(0, size));
    });
}

// The grammar: characters of the alphabet, in fours if there is padding, and never one left over.
bool is_base64(std::string_view text) {
    std::size_t const digits = std::min(text.find_first_not_of(alphabet), text.size());
    std::size_t const padding = text.size() - digits;
    if (padding == 0) return digits % 4 != 1;
    return padding <= 2 && text.substr(digits).find_first_not_of('=') == std::string_view::npos && text.size() % 4 == 0;
}

constexpr bool decodes_at_compile_time() {
    std::array<char, 8> memory{};
    return base64::decode("Zm9vYmE=", memory) == 5u && std::string_view(memory.data(), 5) == "fooba";
}

constexpr bool encodes_at_compile_time() {
    std::array<char, 8> memory{};
    return base64::encode("fooba", memory.data()) == memory.data() + 8 &&
           std::string_view(memory.data(), 8) == "Zm9vYmE=";
}

} // namespace

static_assert(decodes_at_compile_time());
static_assert(encodes_at_compile_time());
static_assert(base64::encoded_size(0) == 0 && base64::encoded_size(1) == 4 && base64::encoded_size(3) == 4 &&
              base64::encoded_size(4) == 8);
static_assert(base64::max_decoded_size(0) == 0 && base64::max_decoded_size(2) == 1 &&
              base64::max_decoded_size(3) == 2 && base64::max_decoded_size(4) == 3 && base64::max_decoded_size(8) == 6);

TEST_CASE("the vectors of RFC 4648 are encoded and decoded", "[base64]") {
    for (auto const& [data, text] : vectors) {
        CHECK(encoded(data) == text);
        CHECK(decoded(text) == std::string(data));
        CHECK(decoded_in_place(text) == std::string(data));
    }
}

TEST_CASE("padding may be left out, but not half of it", "[base64]") {
    CHECK(decoded("Zg") == "f");
    CHECK(decoded("Zm8") == "fo");
    CHECK(decoded("Zm9vYg") == "foob");
    CHECK(decoded("Zg=") == error{errc::invalid_base64, 2});
    CHECK(decoded("Zm9vYg=") == error{errc::invalid_base64, 6});
}

TEST_CASE("padding is refused where it does not fill up the last four characters", "[base64]") {
    CHECK(decoded("=") == error{errc::invalid_base64, 0});
    CHECK(decoded("==") == error{errc::invalid_base64, 0});
    CHECK(decoded("====") == error{errc::invalid_base64, 0});
    CHECK(decoded("Z===") == error{errc::invalid_base64, 1});
    CHECK(decoded("Zm8==") == error{errc::invalid_base64, 3});
    CHECK(decoded("Zm9v=") == error{errc::invalid_base64, 4});
    CHECK(decoded("Zm9v==") == error{errc::invalid_base64, 4});
    CHECK(decoded("Zm9v====") == error{errc::invalid_base64, 4});
    CHECK(decoded("Zg==Zg==") == error{errc::invalid_base64, 2});
}

TEST_CASE("one character left over is refused", "[base64]") {
    CHECK(decoded("Z") == error{errc::invalid_base64, 0});
    CHECK(decoded("Zm9vZ") == error{errc::invalid_base64, 4});
}

TEST_CASE("the first character that does not belong is named, even if the length is wrong too", "[base64]") {
    CHECK(decoded("Z!9vZ") == error{errc::invalid_base64, 1});
    CHECK(decoded("!=") == error{errc::invalid_base64, 0});
    CHECK(decoded("Zm9!Yg=") == error{errc::invalid_base64, 3});
}

TEST_CASE("neither white space nor the alphabet for URLs is base64 here", "[base64]") {
    CHECK(decoded("Zm9v\nYmFy") == error{errc::invalid_base64, 4});
    CHECK(decoded("Zm9v ") == error{errc::invalid_base64, 4});
    CHECK(decoded("Zm9-") == error{errc::invalid_base64, 3});
    CHECK(decoded("_m9v") == error{errc::invalid_base64, 0});
    CHECK(decoded("Zm\0v"sv) == error{errc::invalid_base64, 2});
    CHECK(decoded("Zm\xc3\xa9") == error{errc::invalid_base64, 2});
}

TEST_CASE("bits left over in the last character are ignored", "[base64]") {
    for (char const last : "ghijklmnopqrstuv"sv) CHECK(decoded(std::string("Z") + last) == "f");
    for (char const last : "89+/"sv) CHECK(decoded(std::string("Zm") + last + '=') == "fo");
}

TEST_CASE("what was encoded decodes to the same bytes, beside and in place, with padding and without", "[base64]") {
    support::random_source random(2);
    for (std::size_t size = 0; size <= 300; ++size) {
        std::string const data = random.bytes(size);
        std::string const text = encoded(data);
        std::string const unpadded = text.substr(0, std::min(text.find('='), text.size()));
        bool const same = decoded(text) == data && decoded_in_place(text) == data && decoded(unpadded) == data &&
                          decoded_in_place(unpadded) == data;
        if (!same) FAIL_CHECK(text);
        if (text.find_first_not_of(alphabet) != unpadded.size() && text.size() != unpadded.size()) FAIL_CHECK(text);
    }
}

TEST_CASE("every character of the alphabet stands for its six bits", "[base64]") {
    for (std::size_t i = 0; i != alphabet.size(); ++i) {
        std::string const text = std::string("AAA") + alphabet[i];
        CHECK(decoded(text) == std::string{'\0', '\0', static_cast<char>(i)});
    }
}

TEST_CASE("a text with any change is accepted exactly if it is base64, and refused where it stops being that",
          "[base64]") {
    auto const check = [](std::string_view text) {
        auto const beside = decoded(text);
        if (beside.has_value() != is_base64(text) || beside != decoded_in_place(text)) FAIL_CHECK(text);
        if (beside) return;
        error const e = beside.error();
        bool const digits_before = text.substr(0, e.offset).find_first_not_of(alphabet) == std::string_view::npos;
        if (e.code != errc::invalid_base64 || e.offset >= text.size() || !digits_before) FAIL_CHECK(text);
    };
    for (std::string_view const good : {"Zm9vYmFyCg=="sv, "++++////AAA="sv, "AAAA////Cg0K"sv, "Zm9vYmFyCg"sv, "Zg"sv}) {
        support::for_each_mutation(good, check);
        support::for_each_removed_byte(good, check);
        support::for_each_added_byte(good, "A=/ "sv, check);
    }
}

TEST_CASE("random texts of few characters are accepted exactly if they are base64", "[base64]") {
    support::random_source random(3);
    for (int i = 0; i != 20'000; ++i) {
        std::string const text = random.text(random.below(13), "AAAAAAAAb9+/==-");
        if (decoded(text).has_value() != is_base64(text)) FAIL_CHECK(text);
    }
}

TEST_CASE("a buffer that is too small is not written to, and the size needed is told", "[base64]") {
    for (std::string_view const text : {"Zm9vYmFy"sv, "Zm9vYmE="sv, "Zm9vYg=="sv, "Zm9vYg"sv}) {
        std::size_t const needed = decoded(text)->size();
        for (std::size_t size = 0; size <= needed + 1; ++size) {
            std::vector<char> memory(size, '?');
            auto const written = base64::decode(text, memory);
            if (size < needed) {
                CHECK(written == error{errc::buffer_too_small, needed});
                CHECK(std::count(memory.begin(), memory.end(), '?') == static_cast<std::ptrdiff_t>(size));
            } else {
                CHECK(written == needed);
            }
        }
    }
}

} // namespace text_base64_test
