// Random JSON texts, written in all the ways that the grammar has: white space, escapes, exponents, duplicate names.
#pragma once

#include "tools/random.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace support {

inline std::string random_json_string(random_source& random) {
    constexpr std::string_view parts_of_strings[] = {
        "a", "b", "\u00e9", "\U0001f600", R"(\n)", R"(\")",     R"(\\)",
        " ", "}", ",",      R"(\/)",      "]",     R"(\u0000)", R"(\ud83d\ude00)"};
    std::string s = "\"";
    for (std::size_t n = random.below(5); n != 0; --n) s += random.pick(parts_of_strings);
    return s + '"';
}

inline std::string random_json_number(random_source& random) {
    constexpr std::string_view edges[] = {"0",
                                          "-0",
                                          "-0.0",
                                          "1.0",
                                          "1e2",
                                          "1E-2",
                                          "9007199254740993",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "-9223372036854775808",
                                          "-9223372036854775809",
                                          "18446744073709551615",
                                          "18446744073709551616",
                                          "1.7976931348623157e308",
                                          "5e-324"};
    if (random.one_in(2)) return std::string(random.pick(edges));
    std::string const digits = std::to_string(random() >> random.below(64));
    std::string const sign = random.one_in(2) ? "-" : "";
    std::string const fraction = random.one_in(3) ? "." + random.text(1 + random.below(8), "0123456789") : "";
    std::string const exponent = random.one_in(4) ? "e-" + std::to_string(random.below(30)) : "";
    return sign + digits + fraction + exponent;
}

// At most `depth` arrays and objects are open at once.
inline std::string random_json(random_source& random, int depth) {
    auto const space = [&random] { return random.text(random.one_in(8) ? random.below(3) : 0, " \t\r\n"); };
    switch (random.below(depth == 0 ? 4 : 7)) {
    case 0: return random.one_in(3) ? "null" : random.one_in(2) ? "true" : "false";
    case 1:
    case 2: return random_json_number(random);
    case 3: return random_json_string(random);
    default: break;
    }
    bool const object = random.one_in(2);
    std::string s = object ? "{" : "[";
    for (std::size_t n = random.below(5), i = 0; i != n; ++i) {
        if (i != 0) s += ',';
        if (object) s += space() + random_json_string(random) + space() + ':';
        s += space() + random_json(random, depth - 1) + space();
    }
    return s + space() + (object ? '}' : ']');
}

} // namespace support
