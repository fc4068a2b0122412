// Any bytes: validation, the view, the conversion to JSON and the writer agree with each other. The input is the bytes.

#include "input.hpp"

#include <socketless/socketless.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace socketless;
using fuzz::check;
using msgpack::kind;
using msgpack::value;

// Calls all functions of `v`.
void ask(value v, std::string_view whole) {
    check(fuzz::is_within(v.raw(), whole));
    v.get<bool>().ignore();
    v.get<std::int8_t>().ignore();
    v.get<std::uint64_t>().ignore();
    v.get<float>().ignore();
    v.get<std::optional<std::int64_t>>().ignore();
    v.get<std::vector<std::byte>>().ignore();
    (void)v.equals("type");
    (void)v.find("data");
    auto const borrowed = v.borrow_string();
    check(!borrowed || fuzz::is_within(*borrowed, whole));
    auto const binary = v.binary();
    check(!binary || fuzz::is_within(as_characters(*binary), whole));
    auto const extension = v.extension();
    check(!extension || fuzz::is_within(as_characters(extension->data), whole));
}

// The view of invalid MessagePack stays within its bytes. It walks only a part, as it may be quadratic in the depth.
void walk_invalid(value v, std::string_view whole, unsigned depth, unsigned& most) {
    ask(v, whole);
    if (depth == 0) return;
    for (auto const element : v.elements())
        if (most != 0) walk_invalid(element, whole, depth - 1, --most);
    for (auto const m : v.members()) {
        if (most == 0) return;
        ask(m.key, whole);
        walk_invalid(m.value, whole, depth - 1, --most);
    }
}

void check_number(value v) {
    auto const number = v.get<double>();
    check(number.has_value());
    if (auto const integer = v.get<std::int64_t>()) check(static_cast<double>(*integer) == *number);
    std::string written;
    check(msgpack::write(written, *number).has_value());
    auto const again = msgpack::validate(written);
    bool const is_nan = *number != *number;
    check(again && (is_nan || again->get<double>() == number));
}

// Checks one value and what is in it; returns how many arrays and maps are open at once. Parts follow each other
// without gaps.
std::uint32_t check_value(value v, std::string_view whole) {
    ask(v, whole);
    std::uint32_t depth = 0;
    std::size_t parts = 0;
    char const* end = nullptr;
    auto const follow = [&](value part) {
        check(end == nullptr || end == part.raw().data());
        end = part.raw().data() + part.raw().size();
        depth = std::max(depth, check_value(part, whole));
    };
    for (auto const element : v.elements()) follow(element), ++parts;
    for (auto const m : v.members()) follow(m.key), follow(m.value), ++parts;
    if (v.is(kind::array) || v.is(kind::map)) {
        check(parts == v.size());
        check(end == nullptr || end == v.raw().data() + v.raw().size());
        return depth + 1;
    }
    check(parts == 0 && !v.is(kind::none));
    if (v.is(kind::string)) check(utf8::validate(v.get<std::string>().value()).has_value());
    if (v.is(kind::integer) || v.is(kind::floating)) check_number(v);
    return 0;
}

// The value as JSON, and that as MessagePack again: after one round nothing changes any more.
void check_conversion(value v) {
    attachment_list attachments;
    std::string text;
    auto const converted = core_detail::write_to(text, [&](core_detail::output& out) {
        json::writer w(out, &attachments);
        w.value(v);
        return w.status();
    });
    if (!converted) return check(converted.error().code == errc::wrong_kind);
    auto const json = json::validate(text, limits::deepest);
    if (!json) return check(json.error().code == errc::depth_exceeded); // an extension became an array
    std::string bytes;
    check(msgpack::write(bytes, *json).has_value());
    auto const again = msgpack::validate(bytes, limits::deepest);
    check(again.has_value());
    std::string same_text;
    check(json::write(same_text, *again).has_value());
    std::string same_bytes;
    check(msgpack::write(same_bytes, json::text::trusted(same_text)).has_value());
    check(same_bytes == bytes);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    std::string_view const input = fuzz::input(data, size).rest();
    auto const valid = msgpack::validate(input, limits::deepest);
    if (!valid) {
        fuzz::check_offset(valid.error(), input);
        unsigned most = 1'000;
        walk_invalid(value::trusted(input), input, 12, most);
        std::string text;
        json::write(text, value::trusted(input)).ignore();
        return 0;
    }
    check(valid->raw() == input);
    auto const depth = check_value(*valid, input);
    check(depth <= limits::deepest);
    if (depth <= 170) check(msgpack::validate(input, depth).has_value());
    if (depth != 0) check(msgpack::validate(input, depth - 1).error().code == errc::depth_exceeded);
    check_conversion(*valid);
    return 0;
}
