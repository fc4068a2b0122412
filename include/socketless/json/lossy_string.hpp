// json::lossy_string: a string that can be read whatever a peer has put into it.
#pragma once

#include <string>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::json {

/// A std::string into which any JSON string can be read. JavaScript's strings may hold half a surrogate pair
/// ("\ud800"), which UTF-8 cannot: std::string refuses it (errc::lone_surrogate), and here U+FFFD takes its place, as
/// with String.prototype.toWellFormed. Use it wherever you name a type to read:
///
///     e.get<json::lossy_string>();    typed_event<int, std::optional<json::lossy_string>>;
///     text.get<std::map<json::lossy_string, int>>();
struct lossy_string : std::string {
    /// Made as a std::string is made.
    using std::string::string;
    constexpr lossy_string() noexcept = default;
    constexpr explicit lossy_string(std::string contents) noexcept : std::string(std::move(contents)) {}
};

} // namespace socketless::inline v0::json

#include <socketless/core/detail/epilogue.hpp>
