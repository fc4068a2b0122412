// Any text: validation, the view and the writer agree with each other. The input is the text.

#include "input.hpp"
#include "tools/rewrite.hpp"

#include <socketless/socketless.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace socketless;
using fuzz::check;

// Calls all functions of `value`.
void ask(json::text value, std::string_view whole) {
    check(fuzz::is_within(value.raw(), whole));
    value.get<bool>().ignore();
    value.get<std::int8_t>().ignore();
    value.get<std::uint64_t>().ignore();
    value.get<double>().ignore();
    value.get<std::optional<std::int64_t>>().ignore();
    value.get<std::string>().ignore();
    (void)value.equals("_placeholder");
    (void)value.find("num");
    auto const borrowed = value.borrow_string();
    check(!borrowed || fuzz::is_within(*borrowed, whole));
}

// The view of invalid JSON stays within its text. Quadratic in the depth, so it walks only a part.
void walk_invalid(json::text value, std::string_view whole, unsigned depth) {
    ask(value, whole);
    if (depth == 0) return;
    for (auto const element : value.elements()) walk_invalid(element, whole, depth - 1);
    for (auto const m : value.members()) {
        ask(m.key, whole);
        walk_invalid(m.value, whole, depth - 1);
    }
}

void check_string(json::text value) {
    std::string buffer(value.raw().size(), '\0');
    auto const unescaped = value.unescape(buffer);
    auto const contents = value.get<std::string>();
    check(contents.has_value() == unescaped.has_value());
    if (!contents) {
        check(contents.error().code == errc::lone_surrogate && unescaped.error() == contents.error());
        return;
    }
    check(*contents == *unescaped && value.equals(*contents) && !value.equals(*contents + 'x'));
    check(value.borrow_string().has_value() != value.has_escapes());
    check(utf8::validate(*contents).has_value());

    std::string written;
    check(json::write(written, *contents).has_value());
    auto const again = json::validate(written);
    check(again && again->get<std::string>() == contents && written.size() <= 6 * contents->size() + 2);
}

void check_number(json::text value) {
    auto const number = value.get<double>();
    if (!number) {
        check(number.error().code == errc::out_of_range);
    } else {
        std::string written;
        check(json::write(written, *number).has_value());
        auto const again = json::validate(written);
        check(again && again->get<double>() == number && std::isfinite(*number));
    }
    if (auto const integer = value.get<std::int64_t>()) {
        // Converted, it is the double that is read from the same digits.
        check(number && static_cast<double>(*integer) == *number);
        std::string written;
        check(json::write(written, *integer).has_value());
        check(json::text::trusted(written).get<std::int64_t>() == integer);
    }
}

// Of members with the same name, `find` returns the last. Quadratic, so only the first few are looked for.
void check_find(json::text object) {
    int few = 5;
    for (auto const wanted : object.members()) {
        if (few-- == 0) return;
        auto const name = wanted.key.get<std::string>();
        if (!name) continue;
        json::text last;
        for (auto const m : object.members())
            if (m.key.equals(*name)) last = m.value;
        check(object.find(*name) == last && last.raw().data() >= wanted.value.raw().data());
    }
}

// Checks one value and what is in it; returns how many arrays and objects are open at once.
std::uint32_t check_value(json::text value, std::string_view whole) {
    ask(value, whole);
    std::uint32_t depth = 0;
    switch (value.kind()) {
    case json::kind::none: check(false); break;
    case json::kind::null:
    case json::kind::boolean: check(value.get<std::optional<bool>>().has_value()); break;
    case json::kind::number: check_number(value); break;
    case json::kind::string: check_string(value); break;
    case json::kind::array:
        for (auto const element : value.elements()) depth = std::max(depth, check_value(element, whole));
        return depth + 1;
    case json::kind::object:
        for (auto const m : value.members()) {
            check_string(m.key);
            depth = std::max(depth, check_value(m.value, whole));
        }
        check_find(value);
        return depth + 1;
    }
    check(value.elements().empty() && value.members().empty());
    return 0;
}

// A value, written anew as the view reads it.
struct rewritten {
    json::text value;

    friend void write_json(json::writer& out, rewritten const& r) {
        support::rewrite(out, r.value, [](json::writer&, json::text) { return false; });
    }
};

std::string rewrite(json::text value) {
    std::string text;
    check(json::write(text, rewritten{value}).has_value());
    return text;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const input = fuzz::input(data, size).rest();
    auto const valid = json::validate(input, limits::deepest);
    auto const plain = json::detail::validator(input, limits::deepest).run();
    check(valid.has_value() == plain.has_value() && (valid || valid.error() == plain.error()));
    if (!valid) {
        fuzz::check_offset(valid.error(), input);
        walk_invalid(json::text::trusted(input), input, 12);
        return 0;
    }
    auto const depth = check_value(*valid, input);
    check(depth <= limits::deepest && json::validate(input, depth) == *valid);
    if (depth != 0) check(json::validate(input, depth - 1).error().code == errc::depth_exceeded);
    check(json::validate(valid->raw(), limits::deepest) == *valid);

    auto const text = rewrite(*valid);
    auto const again = json::validate(text, limits::deepest);
    check(again && again->raw() == text && rewrite(*again) == text);
    return 0;
}
