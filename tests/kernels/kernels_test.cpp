// Each kernel does what its loop over bytes does, at every length, alignment and end of memory.

#include "tools/catch.hpp"
#include "tools/guarded_page.hpp"
#include "tools/hex.hpp"
#include "tools/kernels.hpp"
#include "tools/random.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kernels_kernels_test {

using namespace std::string_view_literals;
using support::kernel_set;

namespace {

constexpr std::size_t longest = 300;

// Those that this machine has.
std::vector<kernel_set> const& kernels_here() {
    static std::vector<kernel_set> const here = [] {
        auto all = support::all_kernels();
        for (auto const& k : all)
            if (!k.is_here) WARN("not tested, as this machine does not have it: " << k.name);
        std::erase_if(all, [](kernel_set const& k) { return !k.is_here; });
        return all;
    }();
    return here;
}

constexpr std::string_view kinds[] = {
    "plain text, no more"sv,
    "a \u00e9\u00df\u0436 b"sv,
    "\u20ac\ud7ff\ue000\uffff\u0800"sv,
    "\U0001f600\U00010000\U0010ffff"sv,
    "x\u00e9y\u20acz\U0001f600"sv,
};

// `size` bytes of one kind, in which a character may be cut at both ends.
std::string text_of(std::string_view kind, std::size_t size, support::random_source& random) {
    std::string text;
    for (std::size_t skipped = random.below(kind.size()); text.size() < size + skipped;) text += kind;
    return text.substr(text.size() - size);
}

// Whole characters, and some ASCII behind them.
std::string valid_text(std::size_t size, support::random_source& random) {
    constexpr std::string_view characters[] = {"a",
                                               "~",
                                               "\u0080",
                                               "\u07ff",
                                               "\u0800",
                                               "\ud7ff",
                                               "\ue000",
                                               "\uffff",
                                               "\U00010000",
                                               "\U0010ffff",
                                               "0123456789abcdef0123456789abcdef"};
    std::string text;
    while (text.size() < size) {
        auto const next = random.pick(characters);
        text += text.size() + next.size() <= size ? next : "z"sv;
    }
    return text;
}

// At the end of a page, at the start of one, and at every alignment.
template <class F>
void for_each_place(std::string_view text, F f) {
    static support::guarded_page const page;
    auto const at = [&](std::span<char> place) {
        std::ranges::copy(text, place.begin());
        f(place);
    };
    at(page.at_end(text.size()));
    for (std::size_t gap = 0; gap != 64; ++gap) at(page.at_start(text.size(), gap));
}

template <class F>
void at_page_end(std::string_view text, F f) {
    static support::guarded_page const page;
    auto const place = page.at_end(text.size());
    std::ranges::copy(text, place.begin());
    f(std::string_view(place.data(), place.size()));
}

std::span<char> out_of(std::size_t size) {
    static support::guarded_page const page;
    return page.at_end(size);
}

} // namespace

TEST_CASE("kernels: each judges, finds and masks texts of every length at every place", "[kernels]") {
    support::random_source random(1);
    for (auto const& k : kernels_here()) {
        CAPTURE(k.name);
        for (std::size_t size = 0; size <= longest; ++size) {
            bool all_good = true;
            std::string const text = random.one_in(3)   ? random.bytes(size)
                                     : random.one_in(2) ? valid_text(size, random)
                                                        : text_of(random.pick(kinds), size, random);
            auto const key = static_cast<std::uint32_t>(random());
            for_each_place(text, [&](std::span<char> place) {
                std::string_view const s(place.data(), size);
                all_good = all_good && support::judges_utf8(k, s) && support::finds_special(k, s) &&
                           support::masks(k, place.data(), size, key);
            });
            if (!all_good) FAIL_CHECK(support::to_hex(text));
        }
    }
}

TEST_CASE("kernels: a special byte is found, wherever it is", "[kernels]") {
    for (auto const& k : kernels_here()) {
        CAPTURE(k.name);
        bool all_good = true;
        for (std::size_t size = 1; size <= longest; ++size) {
            std::string text(size, 'x');
            for (std::size_t i = 0; i != size; ++i) {
                text[i] = "\"\\\x1f\0\n"[i % 5];
                // What is behind the first one does not matter, nor what is nearly special.
                if (i + 7 < size) text[i + 7] = '"';
                if (i != 0) text[i - 1] = "\x20\x21\x23\x5b\x5d\x7f\x80\xa2\xdc\xff"[i % 10];
                at_page_end(text, [&](std::string_view s) { all_good = all_good && support::finds_special(k, s); });
                if (i + 7 < size) text[i + 7] = 'x';
                text[i] = 'x';
            }
        }
        CHECK(all_good);
    }
}

TEST_CASE("kernels: each byte is special or not, as it is alone", "[kernels]") {
    for (auto const& k : kernels_here()) {
        CAPTURE(k.name);
        for (unsigned c = 0; c != 256; ++c) {
            std::string text(100, 'x');
            text[c % 100] = static_cast<char>(static_cast<unsigned char>(c));
            CHECK(support::finds_special(k, text));
        }
    }
}

TEST_CASE("kernels: a text with one byte changed is judged by the definition of UTF-8, wherever that is", "[kernels]") {
    support::random_source random(2);
    for (auto const& k : kernels_here()) {
        CAPTURE(k.name);
        bool all_good = true;
        for (std::size_t size : {67u, 96u, 97u, 128u, 131u, 160u, 195u, 255u}) {
            for (int round = 0; round != 2; ++round) {
                std::string text = round == 0 ? std::string(size, 'x') : valid_text(size, random);
                for (std::size_t i = 0; i != size; ++i) {
                    char const before = text[i];
                    for (char const c : "a\x80\x8f\x90\x9f\xa0\xbf\xc1\xc2\xdf\xe0\xed\xef\xf0\xf4\xf5\xff"sv) {
                        text[i] = c;
                        at_page_end(text,
                                    [&](std::string_view s) { all_good = all_good && support::judges_utf8(k, s); });
                    }
                    text[i] = before;
                }
            }
        }
        CHECK(all_good);
    }
}

TEST_CASE("kernels: every sequence of up to four bytes is judged, in blocks and across their borders", "[kernels]") {
    constexpr std::string_view telling = "a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef"
                                         "\xf0\xf1\xf3\xf4\xf5\xf8\xff";
    for (auto const& k : kernels_here()) {
        CAPTURE(k.name);
        std::string text(140, 'x');
        bool all_good = true;
        for (char const a : telling)
            for (char const b : telling)
                for (char const c : "a\x80\xbf\xc2\xff"sv)
                    for (char const d : "a\x80\xff"sv) {
                        for (std::size_t at : {0u, 62u, 134u, 136u}) {
                            char const sequence[] = {a, b, c, d};
                            std::ranges::copy(sequence, text.begin() + static_cast<std::ptrdiff_t>(at));
                            all_good = all_good && support::judges_utf8(k, text);
                            std::fill_n(text.begin() + static_cast<std::ptrdiff_t>(at), 4, 'x');
                        }
                    }
        CHECK(all_good);
    }
}

TEST_CASE("kernels: bytes of every length are encoded as base64 and decoded, beside and in place", "[kernels]") {
    support::random_source random(3);
    for (auto const& k : kernels_here()) {
        CAPTURE(k.name);
        bool all_good = true;
        for (std::size_t size = 0; size <= longest; ++size) {
            std::string const data = random.bytes(size);
            std::string const text = support::base64_of(data);
            for_each_place(data, [&](std::span<char> place) {
                std::string_view const s(place.data(), size);
                all_good = all_good && support::encodes_base64(k, s, text, out_of(text.size()).data());
            });
            // With part of a group behind the whole ones.
            std::string const digits = text + std::string("AB+").substr(0, size % 4);
            for_each_place(digits, [&](std::span<char> place) {
                std::string_view const s(place.data(), digits.size());
                all_good = all_good && support::decodes_base64(k, s, out_of(s.size() / 4 * 3).data()) &&
                           support::decodes_base64(k, s, place.data());
            });
        }
        CHECK(all_good);
    }
}

TEST_CASE("kernels: a character that is not base64 ends what is decoded, wherever it is", "[kernels]") {
    support::random_source random(4);
    for (auto const& k : kernels_here()) {
        CAPTURE(k.name);
        bool all_good = true;
        for (std::size_t size = 4; size <= longest; size += random.below(12)) {
            std::string const good = random.text(size, socketless::kernels::base64_alphabet);
            for (std::size_t i = 0; i != size; ++i) {
                std::string text = good;
                text[i] = "=-_. \n\0\x7f\x80\xff"sv[i % 10];
                at_page_end(text, [&](std::string_view s) {
                    all_good = all_good && support::decodes_base64(k, s, out_of(s.size() / 4 * 3).data());
                });
            }
        }
        CHECK(all_good);
    }
}

TEST_CASE("kernels: each byte is base64 or not, as it is alone", "[kernels]") {
    for (auto const& k : kernels_here()) {
        CAPTURE(k.name);
        for (unsigned c = 0; c != 256; ++c) {
            std::string text(200, 'x');
            text[150] = static_cast<char>(static_cast<unsigned char>(c));
            CHECK(support::decodes_base64(k, text, out_of(150).data()));
            // It goes up to the group before, if it goes anywhere.
            std::size_t const done = k.decode_base64(text.data(), text.size(), out_of(150).data());
            bool const is_digit = support::digits_prefix(text) == text.size();
            CHECK((done == 0 || (is_digit ? done > 150 : done > 150 - 64)));
        }
    }
}

} // namespace kernels_kernels_test
