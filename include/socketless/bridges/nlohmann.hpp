// nlohmann::json in packets: written and read like any other type. Include it only if you use that library.
//
//     socketio::encode_event(text, attachments, {}, "update", nlohmann::json{{"id", 1}});
//     if (auto const value = argument.get<nlohmann::json>()) ...
//     if (auto const args = arguments.get<int, nlohmann::json>()) ...
//
// Every specialization of nlohmann::basic_json that stores strings of char will do, nlohmann::ordered_json too.
// Include this header before the first use of such a type in a call of the library.
#pragma once

#include <socketless/bridges/detail/tree_reader.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/arguments.hpp>

#include <nlohmann/json.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json {

namespace detail {

// nlohmann::basic_json, whatever its parameters, whose number differs between versions of that library. Only the exact
// type: such a value converts from and to nearly everything.
template <class T>
concept nlohmann_json = std::same_as<typename T::value_t, nlohmann::json::value_t> &&
    std::same_as<typename T::array_t::value_type, T> && std::same_as<typename T::string_t::value_type, char>;

template <class Container>
constexpr std::string_view nlohmann_string(Container const& string) noexcept {
    return {string.data(), string.size()};
}

// `depth` is the number of arrays and objects around the value.
template <nlohmann_json Json>
void write_nlohmann(writer& out, Json const& value, std::uint32_t depth) {
    using type = nlohmann::json::value_t;
    if (value.is_structured() && depth == limits::deepest_tree) {
        out.fail(errc::depth_exceeded);
        return;
    }
    switch (value.type()) {
    case type::null:
    case type::discarded: out.null(); break;
    case type::boolean: out.boolean(value.template get_ref<typename Json::boolean_t const&>()); break;
    case type::number_integer: out.number(value.template get_ref<typename Json::number_integer_t const&>()); break;
    case type::number_unsigned: out.number(value.template get_ref<typename Json::number_unsigned_t const&>()); break;
    case type::number_float:
        out.number(static_cast<double>(value.template get_ref<typename Json::number_float_t const&>()));
        break;
    case type::string: out.string(nlohmann_string(value.template get_ref<typename Json::string_t const&>())); break;
    case type::binary: {
        auto const& bytes = value.get_binary();
        out.binary(std::as_bytes(std::span(bytes.data(), bytes.size())));
        break;
    }
    case type::array:
        out.begin_array();
        for (auto const& element : value) write_nlohmann(out, element, depth + 1);
        out.end_array();
        break;
    case type::object:
        out.begin_object();
        for (auto const& [name, member] : value.template get_ref<typename Json::object_t const&>()) {
            out.key(nlohmann_string(name));
            write_nlohmann(out, member, depth + 1);
        }
        out.end_object();
        break;
    }
}

} // namespace detail

/// Writes a value of nlohmann's: members in the order of its container; numbers and strings as the writer does; a
/// binary value as an attachment, without its subtype; a discarded value as null. The bytes of attachments are borrowed
/// from `value`, which lives until the packet is sent: do not pass a temporary that holds binary values.
/// Errors: errc::invalid_utf8 in any string or name; errc::unexpected_binary where no attachments may be;
/// errc::depth_exceeded with more than limits::deepest_tree arrays and objects open at once.
/// Linear; recurses limits::deepest_tree times at most.
template <detail::nlohmann_json Json>
void write_json(writer& out, Json const& value) {
    detail::write_nlohmann(out, value, 0);
}

} // namespace socketless::inline v0::json

namespace socketless::inline v0::socketio {

namespace detail {

// How `tree_reader` builds a value of nlohmann's.
template <json::detail::nlohmann_json Json>
struct nlohmann_tree {
    using value = Json;

    static void null(Json& to) { to = nullptr; }
    static void boolean(Json& to, bool b) { to = static_cast<typename Json::boolean_t>(b); }
    static void string(Json& to, std::string_view s) { to = typename Json::string_t(s.data(), s.size()); }

    static result<void> number(Json& to, json::text n) {
        if (is_written_as_integer(n)) {
            if (n.raw().front() == '-') {
                if (store<typename Json::number_integer_t>(to, n)) return {};
            } else if (store<typename Json::number_unsigned_t>(to, n)) {
                return {};
            }
        }
        return store<typename Json::number_float_t>(to, n);
    }

    static result<void> binary(Json& to, byte_view bytes) {
        using container = typename Json::binary_t::container_type;
        auto const* const first = reinterpret_cast<typename container::value_type const*>(bytes.data());
        to = Json::binary(container(first, first + bytes.size()));
        return {};
    }

    static void array(Json& to) { to = Json::array(); }
    static void object(Json& to) { to = Json::object(); }
    static Json& element(Json& array) { return array.emplace_back(nullptr); }
    static Json& member(Json& object, std::string_view name) {
        return object[typename Json::object_t::key_type(name.data(), name.size())];
    }

private:
    template <class Number>
    static result<void> store(Json& to, json::text n) {
        auto const value = n.get<Number>();
        if (!value) return value.error();
        to = *value;
        return {};
    }
};

} // namespace detail

/// Reads an argument as a value of nlohmann's, as nlohmann::json::parse would, with the binary values in it, which are
/// copied and have no subtype. A number without fraction and exponent that its integer types can hold is an integer,
/// any other the nearest double; of several members with one name the last is kept. Half a surrogate pair ("\ud800"),
/// which JavaScript's strings may hold and the parser refuses, is U+FFFD: the rest of the value stays readable.
/// Errors, the offset counted in `from.json()`: errc::wrong_kind for no JSON at all, errc::out_of_range for a number
/// beyond the largest double, errc::depth_exceeded with more than limits::deepest_tree arrays and objects open at once,
/// which `decode` with its default limits never lets through. Nothing but an allocator throws.
/// Linear, but for the names of nlohmann::ordered_json: that looks each up among all before it.
template <json::detail::nlohmann_json Json>
[[nodiscard]] result<void> read_json(argument const& from, Json& to) {
    return detail::tree_reader<detail::nlohmann_tree<Json>>(from).read(to);
}

} // namespace socketless::inline v0::socketio

namespace socketless::inline v0::json {

/// Reads JSON as a value of nlohmann's, without binary values: placeholders are the objects that they are written as.
template <detail::nlohmann_json Json>
[[nodiscard]] result<void> read_json(text from, Json& to) {
    return socketio::read_json(socketio::argument(from, {}), to);
}

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
