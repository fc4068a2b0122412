// The arguments of events as siocat reads and shows them: JSON, in which {"$binary":"hex"} stands for bytes.
#pragma once

#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/arguments.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace siocat {

using namespace socketless;

/// Thrown for input that makes no sense; says why.
struct bad_input : std::runtime_error {
    using runtime_error::runtime_error;
};

/// A value as the user types it.
inline json::text read_value(std::string_view word) {
    auto const json = json::validate(word);
    if (!json) throw bad_input("not JSON: " + std::string(word) + " (text is \"quoted\")");
    return *json;
}

inline constexpr std::string_view binary_key = "$binary";

/// The digits of {"$binary":"digits"}; nothing for other values.
inline std::optional<std::string_view> binary_digits(json::text value) {
    auto const members = value.members();
    if (members.empty()) return std::nullopt;
    auto const [key, digits] = *members.begin();
    if (!key.equals(binary_key) || ++members.begin() != members.end()) return std::nullopt;
    if (auto const text = digits.borrow_string()) return *text;
    return std::nullopt;
}

inline std::vector<std::byte> from_hex(std::string_view digits) {
    std::vector<std::byte> bytes(digits.size() / 2);
    char const* p = digits.data();
    bool is_good = digits.size() % 2 == 0;
    for (std::byte& b : bytes) {
        unsigned value = 0;
        is_good = is_good && std::from_chars(p, p + 2, value, 16).ptr == p + 2;
        b = static_cast<std::byte>(value);
        p += 2;
    }
    if (!is_good) throw bad_input("\"$binary\" wants two hexadecimal digits for each byte");
    return bytes;
}

inline std::string to_hex(byte_view bytes) {
    std::string digits;
    digits.reserve(bytes.size() * 2);
    for (std::byte const b : bytes) {
        digits += "0123456789abcdef"[std::to_integer<unsigned>(b) >> 4u];
        digits += "0123456789abcdef"[std::to_integer<unsigned>(b) & 15u];
    }
    return digits;
}

/// Writes `value` token by token, without the white space between them, with which a line could begin. Leaves out each
/// value that `replace(value)` has written itself, returning true.
template <class Replace>
void write_tokens(json::writer& out, json::text value, Replace const& replace) {
    if (replace(value)) return;
    if (value.is(json::kind::array)) {
        out.begin_array();
        for (json::text const element : value.elements()) write_tokens(out, element, replace);
        out.end_array();
    } else if (value.is(json::kind::object)) {
        out.begin_object();
        for (json::member const member : value.members()) write_tokens(out.raw_key(member.key), member.value, replace);
        out.end_object();
    } else {
        out.raw(value);
    }
}

/// JSON of a peer; null if it is empty.
struct shown_json {
    json::text value;

    friend void write_json(json::writer& out, shown_json const& shown) {
        if (shown.value.empty()) return static_cast<void>(out.null());
        write_tokens(out, shown.value, [](json::text) { return false; });
    }
};

/// The arguments that the user gives to an event, borrowed from a JSON array. Written into a packet, each is a value of
/// its own.
class given_arguments {
public:
    given_arguments() = default;
    explicit given_arguments(json::text array) : array_(array) {
        if (!array.is(json::kind::array)) throw bad_input("\"args\" is not an array");
        read(array);
    }

    friend void write_json(json::writer& out, given_arguments const& given) {
        auto next = given.binaries_.begin();
        for (json::text const argument : given.array_.elements())
            write_tokens(out, argument, [&](json::text value) {
                bool const is_binary = binary_digits(value).has_value();
                if (is_binary) out.value(*next++);
                return is_binary;
            });
    }

private:
    using binaries = std::vector<std::vector<std::byte>>;

    // Takes the binary values out, in their order.
    void read(json::text value) {
        if (auto const digits = binary_digits(value)) return binaries_.push_back(from_hex(*digits));
        for (json::text const element : value.elements()) read(element);
        for (json::member const member : value.members()) read(member.value);
    }

    json::text array_ = json::text::trusted("[]");
    binaries binaries_;
};

/// The arguments of a peer, shown one by one or as an array.
class shown_argument {
public:
    /// With a limit, only the first bytes of a binary value are shown, and their number.
    shown_argument(socketio::argument argument, std::optional<std::size_t> limit)
        : argument_(argument), limit_(limit) {}

    friend void write_json(json::writer& out, shown_argument const& a) {
        write_tokens(out, a.argument_.json(), [&](json::text value) {
            auto const bytes = a.argument_.binary(value);
            if (bytes) out.begin_object().member(binary_key, a.shown(*bytes)).end_object();
            return bytes.has_value();
        });
    }

private:
    [[nodiscard]] std::string shown(byte_view bytes) const {
        if (!limit_ || bytes.size() <= *limit_) return to_hex(bytes);
        return to_hex(bytes.first(*limit_)) + "... (" + std::to_string(bytes.size()) + " bytes)";
    }

    socketio::argument argument_;
    std::optional<std::size_t> limit_;
};

struct shown_arguments {
    socketio::arguments arguments;

    friend void write_json(json::writer& out, shown_arguments const& shown) {
        out.begin_array();
        for (socketio::argument const a : shown.arguments) out.value(shown_argument(a, std::nullopt));
        out.end_array();
    }
};

} // namespace siocat
