// JSON read through the library's view and written through its writer, value by value, binary values included.
#pragma once

#include "tools/hex.hpp"

#include <socketless/json/writer.hpp>
#include <socketless/socketio/arguments.hpp>

#include <deque>
#include <string>

namespace support {

namespace json = socketless::json;

// The binary values that {"$binary":"hex"} stood for: an attachment borrows them, so they may not move.
using binary_values = std::deque<std::string>;

// Writes `source` as JavaScript would after reading it: numbers as doubles, strings unescaped and escaped again.
// `special(writer, value)` may write a value in another way and return true. Recursive: for texts of limited depth.
template <class Special>
void rewrite(json::writer& out, json::text source, Special const& special) {
    if (special(out, source)) return;
    switch (source.kind()) {
    case json::kind::none:
    case json::kind::null:
    case json::kind::boolean: out.raw(source); break;
    case json::kind::number:
        // A number too large for a double is Infinity to JavaScript, which writes null.
        if (auto const number = source.get<double>())
            out.number(*number);
        else
            out.null();
        break;
    case json::kind::string:
        // Half a surrogate pair has no UTF-8: it keeps its escape.
        if (auto const contents = source.get<std::string>())
            out.string(*contents);
        else
            out.raw(source);
        break;
    case json::kind::array:
        out.begin_array();
        for (json::text const element : source.elements()) rewrite(out, element, special);
        out.end_array();
        break;
    case json::kind::object:
        out.begin_object();
        for (json::member const m : source.members()) {
            if (auto const key = m.key.get<std::string>())
                out.key(*key);
            else
                out.raw_key(m.key);
            rewrite(out, m.value, special);
        }
        out.end_object();
        break;
    }
}

// A packet's data with {"$binary":"hex"} in the place of each attachment: the form of the test vectors.
struct shown {
    socketless::socketio::argument data;

    friend void write_json(json::writer& out, shown const& s) {
        rewrite(out, s.data.json(), [&](json::writer& w, json::text value) {
            auto const bytes = s.data.binary(value);
            if (bytes) w.value(json::object("$binary", to_hex(socketless::as_characters(*bytes))));
            return bytes.has_value();
        });
    }
};

// The other way: JSON whose {"$binary":"hex"} are binary values, kept in `storage`.
struct revived {
    json::text data;
    binary_values* storage;

    friend void write_json(json::writer& out, revived const& r) {
        rewrite(out, r.data, [&](json::writer& w, json::text value) {
            auto const hex = value.find("$binary");
            auto const bytes = hex ? from_hex(hex->get<std::string>().value_or("?")) : std::nullopt;
            if (bytes) w.binary(socketless::as_bytes(r.storage->emplace_back(*bytes)));
            return bytes.has_value();
        });
    }
};

} // namespace support
