// Whether two JSON texts mean the same to JavaScript: key order aside, the last of duplicate keys, numbers as doubles.
#pragma once

#include <socketless/json/text.hpp>

#include <optional>
#include <string>

namespace support {

namespace json = socketless::json;

inline bool json_equal(json::text a, json::text b);

inline bool string_equal(json::text a, json::text b) {
    auto const contents = b.get<std::string>();
    return contents ? a.equals(*contents) : a == b; // half a surrogate pair has no contents
}

// Whether each member of `a` that counts has its equal in `b`.
inline bool members_within(json::text a, json::text b) {
    for (json::member const m : a.members()) {
        std::optional<json::text> first;
        std::optional<json::text> second;
        for (json::member const other : a.members())
            if (string_equal(m.key, other.key)) first = other.value;
        for (json::member const other : b.members())
            if (string_equal(m.key, other.key)) second = other.value;
        if (!first || !second || !json_equal(*first, *second)) return false;
    }
    return true;
}

inline bool json_equal(json::text a, json::text b) {
    if (a.kind() != b.kind()) return false;
    switch (a.kind()) {
    case json::kind::number: return a.get<double>() == b.get<double>();
    case json::kind::string: return string_equal(a, b);
    case json::kind::array: {
        auto i = a.elements().begin();
        auto j = b.elements().begin();
        for (; i != std::default_sentinel && j != std::default_sentinel; ++i, ++j)
            if (!json_equal(*i, *j)) return false;
        return i == std::default_sentinel && j == std::default_sentinel;
    }
    case json::kind::object: return members_within(a, b) && members_within(b, a);
    default: return a == b;
    }
}

} // namespace support
