// The fields that a program adds to the messages of the wire.
#pragma once

#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/text/token.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire {

/// Names and values.
using headers_type = std::vector<std::pair<std::string, std::string>>;

/// Whether a program may add the field to the requests of a client: HTTP allows it, and it is none of those that frame
/// a message or open a WebSocket, which the wire sets by itself: Connection, Content-Length, Expect, Keep-Alive,
/// Sec-WebSocket-Accept, Sec-WebSocket-Extensions, Sec-WebSocket-Key, Sec-WebSocket-Version, Transfer-Encoding and
/// Upgrade.
[[nodiscard]] constexpr bool is_addable(http::field const& f) noexcept {
    constexpr std::string_view reserved[] = {"Connection",
                                             "Content-Length",
                                             "Expect",
                                             "Keep-Alive",
                                             "Sec-WebSocket-Accept",
                                             "Sec-WebSocket-Extensions",
                                             "Sec-WebSocket-Key",
                                             "Sec-WebSocket-Version",
                                             "Transfer-Encoding",
                                             "Upgrade"};
    for (std::string_view const name : reserved)
        if (token::equals(f.name, name)) return false;
    return http::is_valid(f);
}

/// The same for the answers of a server. There Sec-WebSocket-Protocol is the wire's too.
[[nodiscard]] constexpr bool is_addable_to_answer(http::field const& f) noexcept {
    return is_addable(f) && !token::equals(f.name, "Sec-WebSocket-Protocol");
}

/// Whether all of the fields are good. Errors: errc::invalid_field with the index of one that is not.
[[nodiscard]] inline result<void> check(headers_type const& headers, bool (*is_good)(http::field const&)) noexcept {
    for (std::size_t i = 0; i != headers.size(); ++i)
        if (!is_good({headers[i].first, headers[i].second})) return error{errc::invalid_field, i};
    return {};
}

} // namespace socketless::inline v0::wire

#include <socketless/core/detail/epilogue.hpp>
