// Which MessagePack each C++ type is read from that is no container of others.
#pragma once

#include <socketless/core/result.hpp>
#include <socketless/json/detail/read_value.hpp>
#include <socketless/json/detail/readable.hpp>
#include <socketless/json/kind.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/msgpack/detail/format.hpp>
#include <socketless/msgpack/detail/number.hpp>
#include <socketless/msgpack/kind.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::msgpack {

class value;

} // namespace socketless::inline v0::msgpack

namespace socketless::inline v0::json::detail {

// A Value is a msgpack::value, which is complete where these are called.
template <>
struct format_of<msgpack::value> {
    // JavaScript's undefined is null where it is a value of JSON.
    template <class Value>
    static constexpr kind kind_of(Value const& from) noexcept {
        switch (from.kind()) {
        case msgpack::kind::null: return kind::null;
        case msgpack::kind::boolean: return kind::boolean;
        case msgpack::kind::integer:
        case msgpack::kind::floating: return kind::number;
        case msgpack::kind::string: return kind::string;
        case msgpack::kind::array: return kind::array;
        case msgpack::kind::map: return kind::object;
        case msgpack::kind::extension: {
            std::string_view const raw = from.raw();
            auto const head = msgpack::detail::read_head(raw.data(), raw.data() + raw.size());
            return msgpack::detail::is_undefined(raw, head) ? kind::null : kind::none;
        }
        case msgpack::kind::none:
        case msgpack::kind::binary: break;
        }
        return kind::none;
    }

    template <class T, class Value>
    static constexpr result<T> read_scalar(Value const& from) {
        if constexpr (std::is_same_v<T, Value>) {
            return from;
        } else if constexpr (std::is_same_v<T, bool>) {
            if (!from.is(msgpack::kind::boolean)) return error{errc::wrong_kind};
            return msgpack::detail::format_of(from.raw()) == msgpack::detail::format::boolean_true;
        } else if constexpr (std::is_integral_v<T> && !character<T> && sizeof(T) <= sizeof(std::uint64_t)) {
            if (from.is(msgpack::kind::integer))
                return msgpack::detail::narrowed<T>(msgpack::detail::read_any_integer(from.raw()));
            if (!from.is(msgpack::kind::floating)) return error{errc::wrong_kind};
            auto const integer = msgpack::detail::as_integer(msgpack::detail::read_double(from.raw()));
            if (!integer) return integer.error();
            return msgpack::detail::narrowed<T>(*integer);
        } else if constexpr (std::is_floating_point_v<T>) {
            if (from.is(msgpack::kind::floating))
                return msgpack::detail::narrowed<T>(msgpack::detail::read_double(from.raw()));
            if (!from.is(msgpack::kind::integer)) return error{errc::wrong_kind};
            auto const integer = msgpack::detail::read_any_integer(from.raw());
            return integer.is_negative ? static_cast<T>(integer.as_signed()) : static_cast<T>(integer.bits);
        } else if constexpr (std::is_same_v<T, std::u8string> || owned_string<T>) {
            auto const contents = from.borrow_string();
            if (!contents) return contents.error();
            return T(contents->begin(), contents->end());
        } else {
            static_assert(!is_view_of_text<T>, "a string is not read as a std::string_view: read a std::string, or "
                                               "borrow with msgpack::value::borrow_string()");
            static_assert(!character<T>, "a character may be text or a number: read a std::string or an int");
            static_assert(!std::is_integral_v<T> || sizeof(T) <= sizeof(std::uint64_t),
                          "integers of more than 64 bits are not read");
            static_assert(is_view_of_text<T> || std::is_integral_v<T>,
                          "no reading of MessagePack is known for this type: make it default-constructible "
                          "and give it a result<void> read_json(Source const&, T&) for every Source");
            return error{errc::wrong_kind};
        }
    }

    // Offsets in the JSON say nothing about the MessagePack.
    template <class T, class Value>
    static result<T> read_as_json(Value const& from) {
        std::string converted;
        if (auto const done = json::write(converted, from); !done) return error{done.error().code};
        auto value = text::trusted(converted).template get<T>();
        if (!value) return error{value.error().code};
        return value;
    }
};

} // namespace socketless::inline v0::json::detail

#include <socketless/core/detail/epilogue.hpp>
