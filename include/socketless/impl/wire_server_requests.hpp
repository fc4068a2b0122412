// How a wire server reads requests and answers them, part of wire/server.hpp. Only impl/wire_server.hpp includes it.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/http/part.hpp>
#include <socketless/http/status.hpp>
#include <socketless/http/writer.hpp>
#include <socketless/text/token.hpp>
#include <socketless/websocket/connection.hpp>
#include <socketless/websocket/handshake.hpp>
#include <socketless/wire/detail/server_connection.hpp>
#include <socketless/wire/detail/server_core.hpp>
#include <socketless/wire/server_options.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

//=== requests ===//

// Keeps what comes behind a request that is not answered yet. Of a client that sends too much of it, this request is
// the last.
SOCKETLESS_INLINE void server_core::keep_early(server_http& h, std::span<char> bytes) {
    if (h.is_last) return;
    if (bytes.size() > max_early - h.early.size())
        h.is_last = h.is_cut = true;
    else
        h.early.append(bytes.data(), bytes.size());
}

SOCKETLESS_INLINE bool server_core::take_request(std::uint32_t index, input& i) {
    server_http& h = *connections_[index].http;
    if (h.reader.is_idle()) arm(index, options_.request_timeout);
    for (;;) {
        auto const part = h.reader.read(i.bytes);
        if (!part) return take_error(index, part.error().code, i.now), true;
        if (!*part) return wait_for_more(index, i.now), false;
        switch ((*part)->type) {
        case http::part_type::head: take_head(index, i.bytes); break;
        case http::part_type::body: h.body.add((*part)->data); break;
        case http::part_type::end: return hand_in(index, i.now), true;
        }
    }
}

SOCKETLESS_INLINE void server_core::take_head(std::uint32_t index, std::span<char> rest) {
    server_http& h = *connections_[index].http;
    auto const& head = h.reader.head();
    if (++exchanges_ == 0) ++exchanges_; // 0 is no exchange
    h.exchange = std::uint64_t{exchanges_} << 32u | index;
    h.is_the_protocols = protocol_.takes(head.target);
    h.is_head = head.method == "HEAD";
    h.is_1_0 = head.minor_version == 0;
    h.is_last = h.is_last || !head.keep_alive || is_closing_; // bytes behind it may be lost already
    if (options_.cors.is_on() && h.is_the_protocols)
        h.origin = options_.cors.allowed(head.fields.find("Origin").value_or(""));
    if (!head.expects_continue || !rest.empty()) return;
    h.output += "HTTP/1.1 100 Continue\r\n\r\n";
    mark_busy(index);
}

// The request goes on in another input.
SOCKETLESS_INLINE void server_core::wait_for_more(std::uint32_t index, time_point now) {
    server_connection& c = connections_[index];
    server_http& h = *c.http;
    if (c.has_ended || h.is_cut) return close_after_write(index); // it will never be whole
    if (h.exchange == 0) return;
    h.reader.keep_head();
    h.body.keep();
    if (h.is_started || !h.is_the_protocols || h.reader.head().method != "POST") return;
    protocol_.http_started(describe(index, {}), now);
    h.is_started = true;
}

SOCKETLESS_INLINE void server_core::take_error(std::uint32_t index, errc error, time_point now) {
    server_http& h = *connections_[index].http;
    if (error != errc::payload_too_large || !h.is_started) return refuse(index, http::status_of(error));
    // The protocol knows of the request, and answers it. The session lives on.
    h.is_last = true;
    hand_to_protocol(index, {}, now, true);
}

SOCKETLESS_INLINE engineio::http_request server_core::describe(std::uint32_t index, std::span<char> body) const {
    server_connection const& c = connections_[index];
    auto const& head = c.http->reader.head();
    auto const method = head.method == "GET"    ? engineio::http_method::get
                        : head.method == "POST" ? engineio::http_method::post
                                                : engineio::http_method::other;
    auto const content = head.fields.find("Content-Type").value_or("");
    return {.exchange = c.http->exchange,
            .method = method,
            .target = head.target,
            .is_binary = token::equals(content, name(engineio::content_type::binary)),
            .body = body,
            .context = c.id,
            .fields = head.fields.raw(),
            .address = c.http->address};
}

// A whole request is there.
SOCKETLESS_INLINE void server_core::hand_in(std::uint32_t index, time_point now) {
    server_http& h = *connections_[index].http;
    auto const& head = h.reader.head();
    timers_.cancel(index);
    if (!h.is_the_protocols) return hand_to_application(index);
    if (head.method == "OPTIONS" && options_.cors.is_on()) return answer_preflight(index);
    if (is_closing_ && is_handshake(head.target)) return put_answer(index, {.status = 503});
    if (websocket::is_upgrade(head.fields)) {
        if (connections_[index].has_ended) return close_after_write(index); // nobody would speak on it
        return upgrade(index, now);
    }
    hand_to_protocol(index, h.body.get(), now);
}

SOCKETLESS_INLINE void server_core::hand_to_protocol(std::uint32_t index, std::span<char> body, time_point now,
                                                     bool is_too_large) {
    server_http& h = *connections_[index].http;
    h.phase = exchange_phase::waiting;
    h.is_started = false;
    if (connections_[index].has_ended) unanswered_.push_back({handle(index), h.exchange});
    auto request = describe(index, body);
    request.is_too_large = is_too_large;
    protocol_.http_received(request, now);
}

SOCKETLESS_INLINE void server_core::hand_to_application(std::uint32_t index) {
    server_http& h = *connections_[index].http;
    if (options_.other_paths == other_paths::not_found) return put_answer(index, {.status = 404});
    auto const& head = h.reader.head();
    auto const body = h.body.get();
    requests_.push({h.exchange, std::string(head.method), std::string(head.target), std::string(head.fields.raw()),
                    std::string(body.data(), body.size()), h.address});
    h.phase = exchange_phase::waiting;
}

// Whether a request would begin a session.
SOCKETLESS_INLINE bool server_core::is_handshake(std::string_view target) {
    auto const read = engineio::parse_request_target(target);
    return read && !read->sid;
}

SOCKETLESS_INLINE void server_core::upgrade(std::uint32_t index, time_point now) {
    server_connection& c = connections_[index];
    auto const& head = c.http->reader.head();
    auto const offer = websocket::read_request(head.method, head.minor_version, head.fields);
    if (!offer) return refuse_websocket(index, offer.error().code);
    engineio::websocket_request request{.channel = handle(index).number(),
                                        .target = head.target,
                                        .context = c.id,
                                        .fields = head.fields.raw(),
                                        .address = c.http->address};
    if (auto const refusal = protocol_.websocket_refusal(request)) {
        auto const body = refusal->body();
        return put_answer(
            index, {.status = refusal->status, .content_type = name(engineio::content_type::json), .body = body});
    }
    write_handshake(index, *offer);
    c.websocket.emplace(websocket::role::server,
                        websocket::reader_limits{.max_message = protocol_.engine_options().max_payload});
    request.is_checked = true;
    c.has_channel = true;
    protocol_.websocket_opened(request, now);
    if (c.is_paused) protocol_.pause_channel(request.channel);
    mark_busy(index);
}

//=== answers ===//

// The connection has broken the rules: it gets an answer, and ends.
SOCKETLESS_INLINE void server_core::refuse(std::uint32_t index, int status) {
    server_http& h = *connections_[index].http;
    if (h.is_started) protocol_.http_aborted(h.exchange, now_);
    h.is_started = false;
    h.is_last = true;
    put_answer(index, {.status = status});
}

SOCKETLESS_INLINE void server_core::refuse_websocket(std::uint32_t index, errc error) {
    http::field const version{"Sec-WebSocket-Version", websocket::protocol_version};
    int const status = websocket::status_of(error);
    put_answer(index, {.status = status, .fields = {&version, status == 426 ? 1u : 0u}});
}

SOCKETLESS_INLINE void server_core::answer_preflight(std::uint32_t index) {
    auto const& cors = options_.cors;
    auto const asked = connections_[index].http->reader.head().fields.find("Access-Control-Request-Headers");
    std::string_view const headers = cors.headers.empty() ? asked.value_or("") : std::string_view(cors.headers);
    core_detail::decimal_text const age(cors.max_age ? cors.max_age->count() / 1000 : 0);
    std::array<http::field, 4> fields{};
    std::size_t count = 0;
    if (cors.headers.empty()) fields[count++] = {"Vary", "Access-Control-Request-Headers"};
    if (!connections_[index].http->origin.empty()) {
        fields[count++] = {"Access-Control-Allow-Methods", cors.methods};
        if (!headers.empty()) fields[count++] = {"Access-Control-Allow-Headers", headers};
        if (cors.max_age) fields[count++] = {"Access-Control-Max-Age", age.view()};
    }
    put_answer(index, {.status = 204, .fields = std::span(fields).first(count)});
}

// Keeps an answer until it can be sent.
SOCKETLESS_INLINE void server_core::put_answer(std::uint32_t index, answer const& a) {
    server_http& h = *connections_[index].http;
    std::size_t const size = h.output.size();
    core_detail::rollback undo([&]() noexcept { h.output.resize(size); });
    write_answer(h, a, h.output);
    undo.commit();
    h.phase = exchange_phase::answered;
    if (connections_[index].is_paused) arm(index, options_.request_timeout);
    mark_busy(index);
}

SOCKETLESS_INLINE void server_core::write_answer(server_http const& h, answer const& a, std::string& out) {
    core_detail::decimal_text const size(a.body.size());
    bool const has_body = a.status >= 200 && a.status != 204 && a.status != 304;
    fields_.clear();
    if (!a.content_type.empty()) fields_.push_back({"Content-Type", a.content_type});
    if (has_body) fields_.push_back({"Content-Length", size.view()});
    fields_.insert(fields_.end(), a.fields.begin(), a.fields.end());
    if (h.is_the_protocols) fields_.push_back({"Cache-Control", engineio::cache_control});
    add_cors(h);
    add_own_fields();
    std::string cookie;
    if (!a.sid.empty() && !options_.cookie.name.empty()) {
        cookie = cookie_of(a.sid);
        fields_.push_back({"Set-Cookie", cookie});
    }
    if (h.is_last)
        fields_.push_back({"Connection", "close"});
    else if (h.is_1_0)
        fields_.push_back({"Connection", "keep-alive"});
    core_detail::must(http::write_response_head(out, a.status, fields_));
    if (has_body && !h.is_head) out += a.body;
}

SOCKETLESS_INLINE void server_core::add_cors(server_http const& h) {
    auto const& cors = options_.cors;
    if (!cors.is_on() || !h.is_the_protocols) return;
    if (h.origin != "*") fields_.push_back({"Vary", "Origin"}); // for caches
    if (h.origin.empty()) return;
    fields_.push_back({"Access-Control-Allow-Origin", h.origin});
    if (cors.credentials) fields_.push_back({"Access-Control-Allow-Credentials", "true"});
    if (!cors.exposed_headers.empty()) fields_.push_back({"Access-Control-Expose-Headers", cors.exposed_headers});
}

SOCKETLESS_INLINE void server_core::add_own_fields() {
    for (auto const& [name, value] : options_.headers) fields_.push_back({name, value});
}

SOCKETLESS_INLINE std::string server_core::cookie_of(std::string_view sid) const {
    auto const& c = options_.cookie;
    std::string cookie = c.name;
    cookie.append("=").append(sid);
    if (!c.path.empty()) cookie.append("; Path=").append(c.path);
    if (c.http_only) cookie += "; HttpOnly";
    if (c.secure) cookie += "; Secure";
    return cookie.append("; SameSite=").append(name(c.same_site));
}

// What a WebSocket begins with.
SOCKETLESS_INLINE void server_core::write_handshake(std::uint32_t index,
                                                    websocket::handshake_offer<http::field_view> const& offer) {
    auto const accept = websocket::accept_of(offer.key);
    auto const subprotocol = choose_subprotocol(offer.subprotocols);
    fields_.clear();
    websocket::write_response_fields(accept, subprotocol, [this](std::string_view name, std::string_view value) {
        fields_.push_back({name, value});
    });
    add_own_fields();
    core_detail::must(http::write_response_head(connections_[index].http->output, 101, fields_));
}

SOCKETLESS_INLINE std::string server_core::choose_subprotocol(offered_subprotocols const& offered) const {
    if (!options_.choose_subprotocol || offered.empty()) return std::string(offered.first());
    std::vector<std::string_view> const names(offered.begin(), std::ranges::next(offered.begin(), offered.end()));
    auto chosen = options_.choose_subprotocol(names);
    if (std::ranges::find(names, chosen) == names.end()) chosen.clear();
    return chosen;
}

// The answer has been sent: the next request may come.
SOCKETLESS_INLINE void server_core::end_exchange(std::uint32_t index) {
    server_connection& c = connections_[index];
    server_http& h = *c.http;
    h.exchange = 0;
    h.phase = exchange_phase::reading;
    h.body.clear();
    std::span<char> nothing;
    h.reader.read(nothing).ignore(); // frees the head
    if (h.is_last) return end(index);
    if (!h.early.empty()) return inputs_.push({input_type::early, handle(index), {}, now_});
    if (c.has_ended) return end(index);
    arm(index, options_.request_timeout);
}

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
