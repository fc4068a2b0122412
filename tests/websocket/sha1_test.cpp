#include "tools/catch.hpp"
#include "tools/hex.hpp"

#include <socketless/websocket/detail/sha1.hpp>

#include <array>
#include <string>
#include <string_view>

namespace websocket_sha1_test {

using socketless::websocket::detail::sha1;
using namespace std::string_view_literals;

namespace {

constexpr bool digests_to(std::string_view text, sha1::value const& expected) {
    return sha1().add(text).digest() == expected;
}

std::string hex_of(std::string_view text) {
    auto const digest = sha1().add(text).digest();
    return support::to_hex({digest.data(), digest.size()});
}

constexpr sha1::value bytes(std::string_view text) {
    sha1::value v{};
    for (std::size_t i = 0; i != v.size(); ++i) v[i] = text[i];
    return v;
}

} // namespace

// FIPS 180-4's examples.
static_assert(digests_to("",
                         bytes("\xda\x39\xa3\xee\x5e\x6b\x4b\x0d\x32\x55\xbf\xef\x95\x60\x18\x90\xaf\xd8\x07\x09"sv)));
static_assert(digests_to("abc",
                         bytes("\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d"sv)));

TEST_CASE("sha1: the examples of the standard", "[websocket]") {
    CHECK(hex_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    CHECK(hex_of(std::string(1'000'000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST_CASE("sha1: texts around the size of a block, where the padding needs another one", "[websocket]") {
    CHECK(hex_of(std::string(54, 'a')) == "b05d71c64979cb95fa74a33cdb31a40d258ae02e");
    CHECK(hex_of(std::string(55, 'a')) == "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    CHECK(hex_of(std::string(56, 'a')) == "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    CHECK(hex_of(std::string(57, 'a')) == "f08f24908d682555111be7ff6f004e78283d989a");
    CHECK(hex_of(std::string(63, 'a')) == "03f09f5b158a7a8cdad920bddc29b81c18a551f5");
    CHECK(hex_of(std::string(64, 'a')) == "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    CHECK(hex_of(std::string(65, 'a')) == "11655326c708d70319be2610e8a57d9a5b959d3b");
    CHECK(hex_of(std::string(119, 'a')) == "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56");
    CHECK(hex_of(std::string(120, 'a')) == "f34c1488385346a55709ba056ddd08280dd4c6d6");
    CHECK(hex_of(std::string(128, 'a')) == "ad5b3fdbcb526778c2839d2f151ea753995e26a0");
}

TEST_CASE("sha1: pieces give the digest of the whole", "[websocket]") {
    std::string text;
    for (int i = 0; i != 150; ++i) text += static_cast<char>('0' + i % 70);
    std::string_view const whole = text;
    auto const expected = sha1().add(whole).digest();
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        CAPTURE(cut);
        CHECK(sha1().add(whole.substr(0, cut)).add(whole.substr(cut)).digest() == expected);
    }
}

} // namespace websocket_sha1_test
