#include "tools/catch.hpp"
#include "tools/counting_container.hpp"

#include <socketless/core/detail/output.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace core_output_test {

using namespace socketless;
using socketless::core_detail::output;
using socketless::core_detail::write_to;
using support::counting_container;

namespace {

// Puts `s` in pieces of 0 to 6 characters, a single one as a char.
constexpr void put_in_pieces(output& out, std::string_view s) {
    for (std::size_t piece = 0; !s.empty(); ++piece) {
        std::size_t const size = std::min(piece % 7, s.size());
        if (size == 1)
            out.put(s.front());
        else
            out.put(s.substr(0, size));
        s.remove_prefix(size);
    }
}

std::string numbered_text(std::size_t size) {
    std::string s;
    while (s.size() < size) s += std::to_string(s.size()) + ' ';
    s.resize(size);
    return s;
}

constexpr bool writes_at_compile_time() {
    std::array<char, 8> memory{};
    auto const written = write_to(std::span<char>(memory), [](output& out) -> result<void> {
        put_in_pieces(out, "constant");
        return {};
    });
    return written == 8u && std::string_view(memory.data(), 8) == "constant";
}

// libstdc++ 12 has no std::string for the compiler.
class constant_container {
public:
    constexpr char* data() { return memory_.data(); }
    [[nodiscard]] constexpr std::size_t size() const { return size_; }
    [[nodiscard]] constexpr std::size_t capacity() const { return memory_.size(); }
    constexpr void resize(std::size_t size) { size_ = size; }

private:
    std::array<char, 1500> memory_{};
    std::size_t size_ = 0;
};

constexpr bool inserts_at_compile_time() {
    char memory[8] = {};
    output out(memory, 8);
    out.put("bcd");
    out.insert(0, "a");
    out.insert(4, "e");
    out.insert(1, "--");
    out.replace(1, '+');
    out.replace(7, '!'); // nothing is there yet
    return out.kept() == "a+-bcde";
}

} // namespace

static_assert(character_container<std::string>);
static_assert(character_container<std::vector<char>>);
static_assert(character_container<counting_container>);
static_assert(!character_container<std::vector<unsigned char>>);
static_assert(!character_container<std::u8string>);
static_assert(!character_container<std::string_view>);
static_assert(!character_container<std::array<char, 4>>);
static_assert(!character_container<std::string const>);

static_assert(output_target<std::string&> && output_target<std::vector<char>&>);
static_assert(output_target<std::span<char>> && output_target<std::span<char> const&>);
static_assert(!output_target<std::span<char const>> && !output_target<std::span<std::byte>>);
static_assert(!output_target<char*> && !output_target<char (&)[4]>);

constexpr bool appends_at_compile_time() {
    for (std::size_t const size : {std::size_t{5}, std::size_t{700}}) {
        constant_container target;
        auto const written = write_to(target, [size](output& out) -> result<void> {
            for (std::size_t i = 0; i != size; ++i) out.put("ab"[i % 2]);
            return {};
        });
        if (written != size || target.size() != size || target.data()[size - 1] != "ab"[(size - 1) % 2]) return false;
    }
    return true;
}

static_assert(writes_at_compile_time());
static_assert(appends_at_compile_time());
static_assert(inserts_at_compile_time());

TEST_CASE("an output keeps what fits and counts the rest", "[output]") {
    std::string const text = numbered_text(40);
    for (std::size_t capacity = 0; capacity <= 50; ++capacity) {
        std::vector<char> memory(capacity);
        output out(memory.data(), capacity);
        put_in_pieces(out, text);
        CHECK(out.size() == text.size());
        CHECK(out.overflowed() == (capacity < text.size()));
        CHECK(text.starts_with(out.kept()));
        if (!out.overflowed()) CHECK(out.kept() == text);
    }
}

TEST_CASE("behind the first piece that did not fit nothing is kept", "[output]") {
    char memory[4] = {};
    output out(memory, 4);
    out.put("abc");
    out.put("de");
    out.put('f');
    out.put("");
    CHECK(out.overflowed());
    CHECK(out.kept() == "abc");
    CHECK(out.size() == 6);
}

TEST_CASE("bytes can be taken and filled by the caller", "[output]") {
    char memory[4] = {};
    output out(memory, 4);
    char* const first = out.take(3);
    REQUIRE(first == memory);
    std::fill_n(first, 3, 'x');
    CHECK(out.take(0) == memory + 3);
    CHECK(out.take(2) == nullptr);
    CHECK(out.take(1) == nullptr); // the window closed
    CHECK(out.kept() == "xxx");
    CHECK(out.size() == 6);
}

TEST_CASE("an insertion that does not fit is only counted", "[output]") {
    char memory[4] = {};
    output out(memory, 4);
    out.put("ad");
    out.insert(1, "bc");
    CHECK(out.kept() == "abcd");
    out.insert(0, "z");
    CHECK(out.overflowed());
    CHECK(out.kept() == "abcd");
    CHECK(out.size() == 5);
    out.insert(0, "y");
    CHECK(out.size() == 6);
}

TEST_CASE("a container is appended to in one pass, and grows only if it has no room", "[output]") {
    for (std::size_t const size : {0u, 1u, 15u, 127u, 128u, 129u, 511u, 512u, 513u, 1024u, 5000u, 70'000u}) {
        for (std::size_t const room : {0u, 1u, 14u, 15u, 16u, 511u, 512u, 513u, 5000u, 100'000u}) {
            CAPTURE(size, room);
            std::string const text = numbered_text(size);
            counting_container target("before", 6 + room);
            int passes = 0;
            auto const written = write_to(target, [&](output& out) -> result<void> {
                ++passes;
                put_in_pieces(out, text);
                return {};
            });
            CHECK(written == size);
            CHECK(target.view() == "before" + text);
            CHECK(passes == 1);
            CHECK(target.growths() <= 10); // twice as large each time
            CHECK((target.growths() == 0) == (size <= room));
            if (size <= 128) CHECK(target.growths() <= 1);
        }
    }
}

TEST_CASE("a large piece, bytes that are taken, and what is inserted make room for themselves", "[output]") {
    for (std::size_t const size : {100u, 500u, 512u, 513u, 10'000u}) {
        for (std::size_t const room : {0u, 600u, 100'000u}) {
            CAPTURE(size, room);
            std::string const text = numbered_text(size);
            counting_container target("before", 6 + room);
            auto const written = write_to(target, [&](output& out) -> result<void> {
                out.put('<');
                out.put(text);
                std::copy_n(text.data(), size, out.take(size));
                if (!out.has_room(size))
                    out.insert(out.size(), std::string(size, '?')), out.advance(out.position() - size);
                REQUIRE(out.has_room(size));
                out.advance(std::copy_n(text.data(), size / 2, out.position()));
                out.insert(1, text);
                out.put('>');
                CHECK(out.size() == 2 + 3 * size + size / 2);
                CHECK(out.kept(1).starts_with(text));
                CHECK_FALSE(out.overflowed());
                return {};
            });
            CHECK(written == 2 + 3 * size + size / 2);
            CHECK(target.view() == "before<" + text + text + text + text.substr(0, size / 2) + ">");
        }
    }
}

TEST_CASE("the containers of the standard library are appended to", "[output]") {
    std::string const text = numbered_text(700);
    auto const put = [&](output& out) -> result<void> {
        out.put(text);
        return {};
    };
    std::string s = "a";
    CHECK(write_to(s, put) == 700u);
    CHECK(write_to(s, put) == 700u);
    CHECK(write_to(s, [](output& out) { return out.put("z"), result<void>(); }) == 1u);
    CHECK(s == "a" + text + text + "z");
    std::vector<char> v = {'a'};
    CHECK(write_to(v, put) == 700u);
    CHECK(std::string(v.begin(), v.end()) == "a" + text);
}

TEST_CASE("a container that much is appended to seldom grows", "[output]") {
    std::string const text = numbered_text(700);
    std::vector<char> target;
    int growths = 0;
    for (int i = 0; i != 1'000; ++i) {
        std::size_t const capacity = target.capacity();
        CHECK(write_to(target, [&](output& out) { return put_in_pieces(out, text), result<void>(); }) == 700u);
        growths += target.capacity() != capacity ? 1 : 0;
    }
    CHECK(growths <= 20); // twice as large each time
}

TEST_CASE("large and small pieces stand in the order in which they were put", "[output]") {
    for (std::size_t const room : {std::size_t{0}, std::size_t{600}, std::size_t{100'000}}) {
        for (std::size_t const first : {0u, 3u, 127u, 128u, 500u, 512u, 513u, 3'000u}) {
            for (std::size_t const second : {1u, 128u, 5'000u}) {
                CAPTURE(room, first, second);
                std::string const text = numbered_text(5'000);
                std::string expected = "before";
                std::string target = expected;
                target.reserve(6 + room);
                auto const put = [&](output& out) {
                    for (std::size_t const size : {first, std::size_t{5}, second, second, std::size_t{1}, first}) {
                        out.put(std::string_view(text).substr(0, size));
                        expected.append(text, 0, size);
                    }
                };
                CHECK(write_to(target, [&](output& out) -> result<void> {
                          put(out);
                          return error{errc::invalid_utf8};
                      }) == error{errc::invalid_utf8});
                CHECK(target == "before");
                expected = "before";
                auto const written = write_to(target, [&](output& out) { return put(out), result<void>(); });
                CHECK(written == expected.size() - 6);
                CHECK(target == expected);
            }
        }
    }
}

TEST_CASE("a piece of a few bytes is put whether there is room for the longest or not", "[output]") {
    for (std::size_t capacity = 0; capacity != 8; ++capacity) {
        char memory[8] = {};
        output out(memory, capacity);
        out.put('<');
        out.put_piece<5>([](char* p) { return std::copy_n("abc", 3, p); });
        CHECK(out.size() == 4);
        CHECK(out.overflowed() == (capacity < 4));
        if (capacity >= 4) CHECK(out.kept() == "<abc");
    }
}

TEST_CASE("an error leaves a container as it was", "[output]") {
    for (std::size_t const size : {0u, 10u, 600u, 5000u}) {
        for (std::size_t const room : {0u, 10u, 600u}) {
            counting_container target("before", 6 + room);
            auto const written = write_to(target, [&](output& out) -> result<void> {
                put_in_pieces(out, numbered_text(size));
                return error{errc::invalid_utf8, 3};
            });
            CHECK(written == error{errc::invalid_utf8, 3});
            CHECK(target.view() == "before");
        }
    }
}

TEST_CASE("an output tells whether it has room, and may be put less where it has not", "[output]") {
    char memory[4] = {};
    output out(memory, 4);
    CHECK_FALSE(out.has_room(5));
    CHECK_FALSE(out.overflowed());
    out.put("abc");
    CHECK_FALSE(out.has_room(2));
    CHECK(out.has_room(1));
    CHECK(out.position() == memory + 3);
    out.put('d');
    CHECK(out.kept() == "abcd");
}

TEST_CASE("a span is filled from its start, or the error says how large it should be", "[output]") {
    std::string const text = numbered_text(30);
    for (std::size_t size = 0; size <= 40; ++size) {
        std::vector<char> memory(size);
        auto const written = write_to(std::span<char>(memory), [&](output& out) -> result<void> {
            put_in_pieces(out, text);
            return {};
        });
        if (size < text.size()) {
            CHECK(written == error{errc::buffer_too_small, text.size()});
        } else {
            CHECK(written == text.size());
            CHECK(std::string_view(memory.data(), text.size()) == text);
            CHECK(std::all_of(memory.begin() + 30, memory.end(), [](char c) { return c == '\0'; }));
        }
    }
}

TEST_CASE("what is wrong with the value matters more than the size of the span", "[output]") {
    char memory[2] = {};
    auto const written = write_to(std::span<char>(memory), [](output& out) -> result<void> {
        out.put("abc");
        return error{errc::invalid_utf8, 1};
    });
    CHECK(written == error{errc::invalid_utf8, 1});
}

} // namespace core_output_test
