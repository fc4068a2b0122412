// The request with which a connection begins: whether the application allows it, and what a session keeps of it.
#pragma once

#include <socketless/engineio/request.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// The request with which a connection begins, or began: the GET of long-polling, or that of a WebSocket. A stream has
/// no request: its path and query are empty. Views of one that is kept live as long as its session.
///
///     auto const token = server.handshake(socket).query.get("token");
struct handshake_request {
    /// The path of the target; empty for a stream.
    std::string_view path = {};
    /// The query of the target.
    query_view query = {};
    /// The number that the I/O layer gave with the request. The library does not look at it: by it the I/O layer keeps
    /// what else it knows of the request, e.g. a certificate.
    std::uint64_t context = 0;
    /// The fields of the request's head as they came, one line each, "Name: value\r\n", if the I/O layer gave them with
    /// the request: `http::field_view(handshake.fields).find("Cookie")`.
    std::string_view fields = {};
    /// The address of the client, in the words of the I/O layer, if that gave it.
    std::string_view address = {};
};

/// A refusal by `server_options::allow_request` that tells the client why. UTF-8.
struct forbidden {
    /// The reason that the client gets.
    std::string message = "Forbidden";
};

/// What `server_options::allow_request` answers: true, false, or why not.
class request_verdict {
public:
    /// Takes a bool only: the compiler refuses a string literal, which would convert to true.
    template <std::same_as<bool> Bool>
    request_verdict(Bool is_allowed) : is_allowed_(is_allowed) {} // NOLINT(*-explicit-*)
    /// No, and why.
    request_verdict(forbidden reason) : is_allowed_(false), reason_(std::move(reason)) {} // NOLINT(*-explicit-*)

    /// Whether the request may begin a session.
    [[nodiscard]] explicit operator bool() const noexcept { return is_allowed_; }
    /// The reason that the client gets.
    [[nodiscard]] std::string const& message() const noexcept { return reason_.message; }

private:
    bool is_allowed_;
    forbidden reason_;
};

namespace detail {

// A handshake_request that a session keeps: one allocation of just its size; no allocation if there is nothing to keep.
class kept_request {
public:
    kept_request() noexcept = default;
    kept_request(std::string_view target, std::uint64_t context, std::string_view fields = {},
                 std::string_view address = {}) {
        if (target.empty() && context == 0 && fields.empty() && address.empty()) return;
        for (std::string_view* const part : {&target, &fields, &address}) *part = part->substr(0, longest);
        sizes const s{context, static_cast<std::uint32_t>(target.size()), static_cast<std::uint32_t>(fields.size()),
                      static_cast<std::uint32_t>(address.size())};
        // NOLINTNEXTLINE(modernize-make-unique): not zeroed first
        bytes_.reset(new char[sizeof s + target.size() + fields.size() + address.size()]);
        std::memcpy(bytes_.get(), &s, sizeof s);
        char* end = bytes_.get() + sizeof s;
        for (std::string_view const part : {target, fields, address}) end = std::ranges::copy(part, end).out;
    }

    [[nodiscard]] handshake_request get() const noexcept {
        if (!bytes_) return {};
        sizes s{};
        std::memcpy(&s, bytes_.get(), sizeof s);
        char const* const begin = bytes_.get() + sizeof s;
        auto const target = split_target({begin, s.target});
        return {target.path,
                target.query,
                s.context,
                {begin + s.target, s.fields},
                {begin + s.target + s.fields, s.address}};
    }

private:
    // Small: there is one for each connection.
    struct sizes {
        std::uint64_t context;
        std::uint32_t target;
        std::uint32_t fields;
        std::uint32_t address;
    };
    static constexpr std::size_t longest = 0xffffffff;

    std::unique_ptr<char[]> bytes_; // the sizes, then the target, the fields and the address
};

} // namespace detail
} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
