// The requests for paths that are not the protocol's, as a wire::server hands them to the application, and the answers.
#pragma once

#include <socketless/core/error.hpp>
#include <socketless/core/result.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/wire/headers.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire {

/// A request that the application answers, when it likes, by `wire::server::respond`. It owns its bytes.
struct request {
    /// What `respond` is given.
    std::uint64_t exchange = 0;
    /// The method, "GET".
    std::string method = {};
    /// The target, "/chat.js?v=1".
    std::string target = {};
    /// The lines of the fields: see `fields`.
    std::string head = {};
    /// The body, whole.
    std::string body = {};
    /// The address of the client, in the words that `accepted` got.
    std::string address = {};

    /// The fields. The views live as long as the request.
    [[nodiscard]] http::field_view fields() const noexcept { return http::field_view(head); }
    /// The target up to its query. Valid as long as the request.
    [[nodiscard]] std::string_view path() const noexcept {
        return std::string_view(target).substr(0, target.find('?'));
    }
};

/// An answer to it. Borrowed for the call.
struct response {
    /// The HTTP status.
    int status = 200;
    /// Content-Type; no such field if it is empty.
    std::string_view content_type = {};
    /// The body.
    std::string_view body = {};
    /// Other fields: see `is_addable_to_answer`. The wire adds Content-Length, Connection, and what its options say.
    std::span<http::field const> fields = {};
};

/// Whether an answer can be sent. Errors: errc::invalid_start_line for a status below 200 or above 599;
/// errc::invalid_field with the index of a field that `is_addable_to_answer` refuses, or with their number for
/// `content_type`.
[[nodiscard]] constexpr result<void> check(response const& r) noexcept {
    if (r.status < 200 || r.status > 599) return errc::invalid_start_line;
    for (std::size_t i = 0; i != r.fields.size(); ++i)
        if (!is_addable_to_answer(r.fields[i])) return error{errc::invalid_field, i};
    if (!http::is_valid({"Content-Type", r.content_type})) return error{errc::invalid_field, r.fields.size()};
    return {};
}

} // namespace socketless::inline v0::wire

#include <socketless/core/detail/epilogue.hpp>
