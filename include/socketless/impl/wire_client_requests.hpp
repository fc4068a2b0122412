// How a wire client makes its requests, part of wire/client.hpp. Only impl/wire_client.hpp includes it.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/http/writer.hpp>
#include <socketless/text/percent.hpp>
#include <socketless/text/token.hpp>
#include <socketless/websocket/handshake.hpp>
#include <socketless/wire/client_options.hpp>
#include <socketless/wire/detail/client_connection.hpp>
#include <socketless/wire/detail/client_core.hpp>
#include <socketless/wire/transmit.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

SOCKETLESS_INLINE void add_query(std::vector<std::pair<std::string, std::string>>& parameters, std::string_view query) {
    std::size_t const own = parameters.size(); // the URL may have a name twice
    for (engineio::query_parameter const p : engineio::query_view(query)) {
        auto name = percent::decoded(p.name);
        auto const end = parameters.begin() + static_cast<std::ptrdiff_t>(own);
        bool const is_there =
            std::any_of(parameters.begin(), end, [&](auto const& known) { return known.first == name; });
        if (!is_there) parameters.emplace_back(std::move(name), percent::decoded(p.value));
    }
}

SOCKETLESS_INLINE void client_core::perform(engineio::transmit const& t) {
    switch (t.type) {
    case engineio::transmit_type::get: return begin(t, request_kind::get);
    case engineio::transmit_type::post: return begin(t, request_kind::post);
    case engineio::transmit_type::open_websocket: return begin(t, request_kind::websocket);
    case engineio::transmit_type::close:
    case engineio::transmit_type::abort: return end_channel(t.id);
    default: return; // those of servers and streams
    }
}

SOCKETLESS_INLINE void client_core::begin(engineio::transmit const& t, request_kind kind) {
    if (!is_good_) return inputs_.push({input_type::not_possible, kind, t.id, {}, now_});
    core_detail::rollback undo([&, id = t.id]() noexcept {
        core_detail::attempt([&] { tell_failure(kind, id); }); // it has not begun
    });
    auto const key = kind == request_kind::websocket ? websocket::make_key(random_) : websocket::key_value{};
    write_request(t, kind, key);
    std::uint32_t index = kind == request_kind::websocket ? none : find_idle();
    if (index == none) index = make_connection();
    undo.commit();
    client_connection& c = connections_[index];
    c.exchange = t.id;
    c.kind = kind;
    c.key = key;
    c.request.swap(request_);
    c.is_due = true;
}

SOCKETLESS_INLINE void client_core::write_request(engineio::transmit const& t, request_kind kind,
                                                  websocket::key_value const& key) {
    fields_.clear();
    put_field(kind, "Host", authority_);
    core_detail::decimal_text const length(t.data.data.size());
    if (kind == request_kind::websocket) {
        websocket::write_request_fields(std::string_view(key.data(), key.size()), {},
                                        [this](std::string_view name, std::string_view value) {
                                            fields_.push_back({name, value});
                                        });
    } else {
        put_field(kind, "Accept", "*/*");
    }
    if (kind == request_kind::post) {
        put_field(kind, "Content-Type", name(t.content));
        fields_.push_back({"Content-Length", length.view()});
    }
    cookie_.clear();
    if (options_.keeps_cookies) core_detail::must(cookies_.write(cookie_, t.target, now_));
    put_own_fields(kind);
    request_.clear();
    core_detail::must(
        http::write_request_head(request_, kind == request_kind::post ? "POST" : "GET", t.target, fields_));
    request_.append(t.data.data);
}

SOCKETLESS_INLINE void client_core::write_tunnel_request(std::string& out) {
    std::array<http::field, 2> const fields{{{"Host", tunnel_}, {"Proxy-Authorization", proxy_credentials_}}};
    std::size_t const count = proxy_credentials_.empty() ? 1 : 2;
    core_detail::must(http::write_request_head(out, "CONNECT", tunnel_, std::span(fields).first(count)));
}

SOCKETLESS_INLINE std::array<headers_type const*, 2> client_core::headers_of(request_kind kind) const noexcept {
    return {&options_.headers,
            kind == request_kind::websocket ? &options_.websocket_headers : &options_.polling_headers};
}

// A field of the client's own, unless the options have another for it.
SOCKETLESS_INLINE void client_core::put_field(request_kind kind, std::string_view name, std::string_view value) {
    for (auto const* const headers : headers_of(kind))
        for (auto const& h : *headers)
            if (token::equals(h.first, name)) return;
    fields_.push_back({name, value});
}

// Those of the options. All cookies go in one field.
SOCKETLESS_INLINE void client_core::put_own_fields(request_kind kind) {
    for (auto const* const headers : headers_of(kind)) {
        for (auto const& [name, value] : *headers) {
            if (!token::equals(name, "Cookie")) {
                fields_.push_back({name, value});
            } else if (!value.empty()) {
                cookie_.insert(0, cookie_.empty() ? value : value + "; ");
            }
        }
    }
    if (!cookie_.empty()) fields_.push_back({"Cookie", cookie_});
}

SOCKETLESS_INLINE bool client_core::has_offered(std::string_view subprotocol) const noexcept {
    for (auto const* const headers : headers_of(request_kind::websocket))
        for (auto const& [name, value] : *headers)
            if (token::equals(name, "Sec-WebSocket-Protocol"))
                for (std::string_view const offered : token::list(value))
                    if (offered == subprotocol) return true;
    return false;
}

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
