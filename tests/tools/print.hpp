// How Catch2 prints the library's results when a check fails. Included by tools/catch.hpp, behind Catch2.
#pragma once

#include <socketless/core/result.hpp>

#include <string>
#include <string_view>

template <>
struct Catch::StringMaker<socketless::errc> {
    static std::string convert(socketless::errc code) { return std::string(name(code)); }
};

template <>
struct Catch::StringMaker<socketless::error> {
    static std::string convert(socketless::error const& e) {
        return "error{" + std::string(name(e.code)) + ", " + std::to_string(e.offset) + "}";
    }
};

template <class T>
struct Catch::StringMaker<socketless::result<T>> {
    static std::string convert(socketless::result<T> const& r) {
        if (!r) return Detail::stringify(r.error());
        if constexpr (std::is_void_v<T>)
            return "success";
        else
            return Detail::stringify(*r);
    }
};
