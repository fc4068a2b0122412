// bench/compare's contestants for long runs of bytes: base64, UTF-8, the search for separators. Built twice: with
// SOCKETLESS_NO_SIMD it is the scalar code alone. memcpy and memchr of the same bytes are the limit.

#include "contestant.hpp"
#include "corpus.hpp"

#ifdef HAS_SIMDUTF
#include <simdutf.h>
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <string_view>

namespace {

using namespace bench;

// The peers run in one of both programs.
#ifdef SOCKETLESS_NO_SIMD
constexpr bool is_scalar = true;
#else
constexpr bool is_scalar = false;
#endif

std::string random_bytes(std::size_t size) {
    std::mt19937 random(1);
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    return bytes;
}

// Words of all lengths that UTF-8 has for a character, in random order.
std::string mixed_text(std::size_t size) {
    static constexpr std::string_view words[] = {"hello world ", "Bj\u00f6rk ", "\u041c\u0430\u0440\u0438\u044f ",
                                                 "\u5f20\u4f1f ", "\U0001f44d "};
    std::mt19937 random(1);
    std::string text;
    while (text.size() < size) text += words[random() % std::size(words)];
    return text;
}

std::string base64_of(std::string_view bytes) {
    std::string text(base64::encoded_size(bytes.size()), '\0');
    base64::encode(bytes, text.data());
    return text;
}

// How base64 is written without much thought: a table, and a loop over groups. Precondition: whole groups.
struct table_loop {
    static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<std::uint8_t, 256> values{};

    table_loop() {
        values.fill(0xff);
        for (std::size_t i = 0; i != digits.size(); ++i)
            values[static_cast<unsigned char>(digits[i])] = static_cast<std::uint8_t>(i);
    }

    static void encode(std::string_view bytes, char* out) {
        auto const at = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(bytes[i])}; };
        for (std::size_t i = 0; i != bytes.size(); i += 3) {
            std::uint32_t const group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
            for (int shift = 18; shift >= 0; shift -= 6) *out++ = digits[group >> shift & 63];
        }
    }

    bool decode(std::string_view text, char* out) const {
        for (std::size_t i = 0; i != text.size(); i += 4) {
            std::uint32_t group = 0;
            for (std::size_t k = 0; k != 4; ++k) {
                std::uint8_t const value = values[static_cast<unsigned char>(text[i + k])];
                if (value == 0xff) return false;
                group = group << 6 | value;
            }
            for (int shift = 16; shift >= 0; shift -= 8) *out++ = static_cast<char>(group >> shift & 255);
        }
        return true;
    }
};

// `items` of each case are bytes: of base64 the bytes that it stands for, in both directions.
class bytes_cases {
public:
    void add_base64(std::size_t size, std::string const& label) {
        std::string const bytes = random_bytes(size);
        std::string const text = base64_of(bytes);
        auto const add = [&](contestant& c, std::string const& direction, std::string const& in, std::size_t room,
                             auto work) {
            c.add("base64 " + direction + " " + label, size, [in, out = std::string(room, '\0'), work]() mutable {
                bool const good = work(in, out);
                keep(out.data());
                return good;
            });
        };
        add(library_, "encode", bytes, text.size(), [](std::string const& in, std::string& out) {
            base64::encode(in, out.data());
            return true;
        });
        add(library_, "decode", text, size, [](std::string const& in, std::string& out) {
            return base64::decode(in, std::span<char>(out)).has_value();
        });
#if defined(HAS_SIMDUTF) && SIMDUTF_VERSION_MAJOR >= 5
        add(simdutf_, "encode", bytes, text.size(), [](std::string const& in, std::string& out) {
            return simdutf::binary_to_base64(in.data(), in.size(), out.data()) != 0;
        });
        add(simdutf_, "decode", text, size + 2, [](std::string const& in, std::string& out) {
            return simdutf::base64_to_binary(in.data(), in.size(), out.data()).error == simdutf::SUCCESS;
        });
#endif
        if (is_scalar) return;
        add(loop_, "encode", bytes, text.size(), [](std::string const& in, std::string& out) {
            table_loop::encode(in, out.data());
            return true;
        });
        add(loop_, "decode", text, size,
            [table = table_loop()](std::string const& in, std::string& out) { return table.decode(in, out.data()); });
        for (std::string const direction : {"encode", "decode"})
            add(limit_, direction, bytes, size, [](std::string const& in, std::string& out) {
                std::memcpy(out.data(), in.data(), in.size());
                return true;
            });
    }

    void add_utf8(std::string const& text, std::string const& label) {
        std::string const name = "UTF-8 " + label;
        library_.add(name, text.size(), [text] {
            keep(text.data());
            return utf8::validate(text).has_value();
        });
#ifdef HAS_SIMDUTF
        simdutf_.add(name, text.size(), [text] {
            keep(text.data());
            return simdutf::validate_utf8(text.data(), text.size());
        });
#endif
        if (is_scalar) return;
        limit_.add(name, text.size(), [text] {
            keep(text.data());
            return std::memchr(text.data(), engineio::packet_separator, text.size()) == nullptr;
        });
    }

    // The packets of a body.
    void add_separators(body const& b) {
        std::string const name = "separators " + b.name;
        library_.add(name, b.bytes.size(), [&b] {
            std::size_t position = 0;
            while (position < b.bytes.size()) {
                auto const part = engineio::detail::find_part(b.bytes, position, engineio::payload_format::v4);
                keep(part);
                if (!part) return false;
                position = part->next;
            }
            return true;
        });
        if (is_scalar) return;
        limit_.add(name, b.bytes.size(), [&b] {
            std::string_view rest = b.bytes;
            while (auto const* const p =
                       static_cast<char const*>(std::memchr(rest.data(), engineio::packet_separator, rest.size()))) {
                keep(p);
                rest.remove_prefix(static_cast<std::size_t>(p + 1 - rest.data()));
            }
            return true;
        });
    }

private:
    contestant library_{is_scalar ? "socketless, scalar" : "socketless"};
    contestant loop_{"table loop"};
    contestant limit_{"memcpy, memchr"};
#ifdef HAS_SIMDUTF
    contestant simdutf_{"simdutf"};
#endif
};

} // namespace

int main() {
    bytes_cases cases;
    corpus const c;
    cases.add_base64(3 * 1'365, "4 KB");
    cases.add_base64(3 * 21'845, "64 KB");
    cases.add_utf8(std::string(4'096, 'x'), "ASCII 4 KB");
    cases.add_utf8(std::string(65'536, 'x'), "ASCII 64 KB");
    cases.add_utf8(mixed_text(65'536), "mixed 64 KB");
    cases.add_utf8(c.packets[3].frame, "P4");
    for (body const& b : c.bodies) cases.add_separators(b);
    return contestant::serve();
}
