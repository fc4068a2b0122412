// Who may join a namespace of a socketless::server, and who decides that.
#pragma once

#include <socketless/core/callback.hpp>
#include <socketless/json/text.hpp>

#include <cstdint>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// Who decides whether a client may join a namespace.
enum class admission : std::uint8_t {
    /// Nobody: every client is accepted.
    automatic,
    /// The application: event_type::connecting asks it, and it accepts or refuses, then or later.
    ask,
};

/// Whether a client may join the namespace of this name, which was not declared, with this auth (an object or nothing).
/// If it throws, the server refuses the client, and poll_event throws the same.
using namespace_predicate = callback<bool(std::string_view name, json::text auth)>;

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
