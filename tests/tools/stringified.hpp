// What JSON.stringify makes of a string.
#pragma once

#include "tools/hex.hpp"

#include <string>
#include <string_view>

namespace support {

// From the letter of ECMAScript's QuoteJSONString.
inline std::string stringified(std::string_view s) {
    std::string json = "\"";
    for (char const c : s) {
        switch (c) {
        case '\b': json += "\\b"; break;
        case '\t': json += "\\t"; break;
        case '\n': json += "\\n"; break;
        case '\f': json += "\\f"; break;
        case '\r': json += "\\r"; break;
        case '"': json += "\\\""; break;
        case '\\': json += "\\\\"; break;
        default:
            if (static_cast<unsigned char>(c) < 0x20)
                json += "\\u00" + to_hex({&c, 1});
            else
                json += c;
        }
    }
    return json + '"';
}

} // namespace support
