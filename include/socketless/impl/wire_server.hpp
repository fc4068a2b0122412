// The functions of a wire server, part of wire/server.hpp. With SOCKETLESS_SEPARATE_COMPILATION only source.hpp
// includes them.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/http/status.hpp>
#include <socketless/http/writer.hpp>
#include <socketless/text/token.hpp>
#include <socketless/websocket/connection.hpp>
#include <socketless/websocket/frame.hpp>
#include <socketless/websocket/handshake.hpp>
#include <socketless/wire/detail/server_core.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

SOCKETLESS_INLINE server_core::server_core(server_protocol& protocol, server_options options, time_point now)
    : protocol_(protocol), options_(std::move(options)), now_(now) {
    options_.limits.max_body = std::min<std::uint64_t>(options_.limits.max_body, protocol.engine_options().max_payload);
}

//=== what happened ===//

SOCKETLESS_INLINE void server_core::accepted(connection_id id, std::string_view address, time_point now) {
    now_ = now;
    closed(id, now); // harmless if the caller uses a name again without a word
    std::uint32_t const index = connections_.make();
    core_detail::rollback undo([&]() noexcept { connections_.free(index); });
    with_output_.reserve(connections_.indices());
    timers_.reserve(connections_.indices());
    server_connection& c = connections_[index];
    c.id = id;
    c.http = std::make_unique<server_http>(options_.limits, address);
    by_id_.emplace(id, index);
    undo.commit();
    arm(index, is_closing_ ? options_.closing_timeout : options_.request_timeout);
}

SOCKETLESS_INLINE void server_core::received(connection_id id, std::span<char> bytes, time_point now) {
    input_for(input_type::bytes, id, bytes, now);
}
SOCKETLESS_INLINE void server_core::ended(connection_id id, time_point now) {
    input_for(input_type::ended, id, {}, now);
}
SOCKETLESS_INLINE void server_core::closed(connection_id id, time_point now) {
    input_for(input_type::closed, id, {}, now);
    by_id_.erase(id); // the name is free
}

SOCKETLESS_INLINE void server_core::input_for(input_type type, connection_id id, std::span<char> bytes,
                                              time_point now) {
    now_ = now;
    std::uint32_t const index = find(id);
    if (index != none) inputs_.push({type, handle(index), bytes, now});
}

SOCKETLESS_INLINE std::uint32_t server_core::find(connection_id id) const {
    auto const found = by_id_.find(id);
    return found == by_id_.end() ? none : found->second;
}

SOCKETLESS_INLINE void server_core::pause(connection_id id) {
    std::uint32_t const index = find(id);
    if (index == none) return;
    server_connection& c = connections_[index];
    if (!std::exchange(c.is_paused, true) && c.has_channel) protocol_.pause_channel(handle(index).channel());
    set_deadline(index);
}

SOCKETLESS_INLINE void server_core::resume(connection_id id) {
    std::uint32_t const index = find(id);
    if (index == none) return;
    server_connection& c = connections_[index];
    if (!std::exchange(c.is_paused, false)) return;
    if (c.has_channel) protocol_.resume_channel(handle(index).channel());
    set_deadline(index);
    mark_busy(index);
}

SOCKETLESS_INLINE void server_core::handle_timeout(time_point now) {
    now_ = now;
    if (inputs_.empty()) return pass_time(now);
    inputs_.push({input_type::timeout, {}, {}, now}); // after what came before
}

SOCKETLESS_INLINE void server_core::pass_time(time_point now) {
    protocol_.pass_time(now);
    timers_.advance(now, [this](std::uint32_t index) {
        if (connections_[index].is_used()) expire(index);
    });
}

//=== the connections ===//

SOCKETLESS_INLINE void server_core::arm(std::uint32_t index, milliseconds wait) {
    timers_.set(index, deadline(now_, wait));
}

// A write has begun, has gone on, or has ended: what the connection waits for now has a time of its own.
SOCKETLESS_INLINE void server_core::set_deadline(std::uint32_t index) {
    server_connection const& c = connections_[index];
    if (c.phase != connection_phase::open) return arm(index, options_.closing_timeout);
    if (c.websocket) {
        if (!c.websocket->is_open()) arm(index, options_.closing_timeout);
        return;
    }
    if (c.http->phase == exchange_phase::waiting && !c.is_paused) return timers_.cancel(index);
    arm(index, options_.request_timeout);
}

// The deadline of what the connection is doing has passed.
SOCKETLESS_INLINE void server_core::expire(std::uint32_t index) {
    server_connection& c = connections_[index];
    bool const is_reading =
        c.phase == connection_phase::open && !c.is_paused && c.http && c.http->phase == exchange_phase::reading;
    if (!is_reading) return close_now(index);
    if (c.http->reader.is_idle()) return end(index);
    refuse(index, 408);
}

// Sends what is due, and ends.
SOCKETLESS_INLINE void server_core::end(std::uint32_t index) {
    server_connection& c = connections_[index];
    if (c.phase != connection_phase::open) return;
    c.phase = connection_phase::ending;
    arm(index, options_.closing_timeout);
    mark_busy(index);
}

SOCKETLESS_INLINE void server_core::close_now(std::uint32_t index) {
    let_go(index);
    connections_[index].phase = connection_phase::closing;
    mark_busy(index);
}

// The protocol hears that its request or its channel is gone.
SOCKETLESS_INLINE void server_core::let_go(std::uint32_t index) {
    end_channel(index);
    if (!connections_[index].http) return;
    server_http& h = *connections_[index].http;
    auto const exchange = std::exchange(h.exchange, 0);
    bool const is_waiting = h.phase == exchange_phase::waiting && h.is_the_protocols;
    if (exchange != 0 && (h.is_started || is_waiting)) protocol_.http_aborted(exchange, now_);
}

// The connection is gone, and the caller knows.
SOCKETLESS_INLINE void server_core::forget(std::uint32_t index) {
    let_go(index);
    timers_.cancel(index);
    if (find(connections_[index].id) == index) by_id_.erase(connections_[index].id);
    connections_.free(index);
}

//=== what comes ===//

SOCKETLESS_INLINE bool server_core::take_input() {
    while (!inputs_.empty()) {
        input& i = inputs_.front();
        if (i.type == input_type::timeout) {
            auto const now = i.now;
            inputs_.pop();
            pass_time(now);
            return true;
        }
        if (connections_.find(i.connection) == nullptr) {
            inputs_.pop();
            continue;
        }
        core_detail::rollback undo([&]() noexcept { fail(i.connection.index); }); // what was not read is lost
        bool const has_more = take(i.connection.index, i);
        undo.commit();
        if (!has_more) inputs_.pop();
        return true;
    }
    return false;
}

// Memory ran out, or a callback has thrown, while an input was read: its connection ends.
SOCKETLESS_INLINE void server_core::fail(std::uint32_t index) noexcept {
    inputs_.pop();
    core_detail::attempt([&] { close_now(index); });
}

// Reads the next request or message; false if the input holds no other.
SOCKETLESS_INLINE bool server_core::take(std::uint32_t index, input& i) {
    server_connection& c = connections_[index];
    switch (i.type) {
    case input_type::bytes:
        if (!c.http || c.http->early.empty()) return take_bytes(index, i);
        return keep_early(*c.http, i.bytes), false; // others came before
    case input_type::early:
        if (!c.http) return false;
        early_ = std::exchange(c.http->early, {});
        i.bytes = early_;
        i.type = input_type::early_bytes;
        return take_bytes(index, i);
    case input_type::early_bytes: return take_bytes(index, i);
    case input_type::ended: return take_end(index), false;
    case input_type::unanswered: return take_silence(index, i.exchange), false;
    default: return forget(index), false;
    }
}

SOCKETLESS_INLINE bool server_core::take_bytes(std::uint32_t index, input& i) {
    server_connection& c = connections_[index];
    if (c.phase != connection_phase::open) return false; // they come too late
    if (c.websocket) return take_message(index, i);
    if (c.http->phase != exchange_phase::reading) return keep_early(*c.http, i.bytes), false;
    return take_request(index, i);
}

// The client has ended its side. What it has asked for by then is answered, if the answer is there at once; so is its
// close frame. An answer that is being written goes out.
SOCKETLESS_INLINE void server_core::take_end(std::uint32_t index) {
    server_connection& c = connections_[index];
    c.has_ended = true;
    if (c.phase == connection_phase::ending) return;
    if (c.phase != connection_phase::open) return close_now(index);
    if (c.websocket) {
        bool const owes_close = !c.websocket->is_open() && c.websocket->has_output();
        return owes_close ? end(index) : close_now(index);
    }
    if (c.http->phase == exchange_phase::reading) return close_after_write(index);
    if (c.http->phase == exchange_phase::waiting && c.http->is_the_protocols)
        unanswered_.push_back({handle(index), c.http->exchange});
}

// No request follows. An answer that is being written goes out, until the deadline of the pause.
SOCKETLESS_INLINE void server_core::close_after_write(std::uint32_t index) {
    if (!connections_[index].is_paused) return close_now(index);
    connections_[index].phase = connection_phase::ending;
}

// The client has ended its side, and the protocol had nothing to say by then.
SOCKETLESS_INLINE void server_core::take_silence(std::uint32_t index, engineio::exchange_id exchange) {
    server_connection const& c = connections_[index];
    if (c.http && c.http->exchange == exchange && c.http->phase == exchange_phase::waiting) close_now(index);
}

//=== HTTP ===//

// Keeps what comes behind a request that is not answered yet. Of a client that sends too much of it, this request is
// the last.
SOCKETLESS_INLINE void server_core::keep_early(server_http& h, std::span<char> bytes) {
    if (h.is_last) return;
    if (bytes.size() > max_early - h.early.size())
        h.is_last = true;
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
    if (c.has_ended) return close_after_write(index);
    server_http& h = *c.http;
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
    std::string too_large(protocol_.engine_options().max_payload + 1, '\0');
    hand_to_protocol(index, too_large, now);
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
    if (websocket::is_upgrade(head.fields)) return upgrade(index, now);
    hand_to_protocol(index, h.body.get(), now);
}

SOCKETLESS_INLINE void server_core::hand_to_protocol(std::uint32_t index, std::span<char> body, time_point now) {
    server_http& h = *connections_[index].http;
    h.phase = exchange_phase::waiting;
    h.is_started = false;
    if (connections_[index].has_ended) unanswered_.push_back({handle(index), h.exchange});
    protocol_.http_received(describe(index, body), now);
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
    engineio::websocket_request request{.channel = handle(index).channel(),
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
    protocol_.websocket_opened(request, now);
    c.has_channel = true;
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

//=== WebSocket ===//

SOCKETLESS_INLINE bool server_core::take_message(std::uint32_t index, input& i) {
    server_connection& c = connections_[index];
    while (auto const e = c.websocket->read(i.bytes)) {
        if (e->type == websocket::connection_event_type::closed) {
            end_channel(index);
            arm(index, options_.closing_timeout); // the client may not read the answer
            mark_busy(index);
            return true;
        }
        if (!c.has_channel) continue; // the protocol has closed it
        protocol_.websocket_received(handle(index).channel(), e->message(), i.now);
        return true;
    }
    if (c.websocket->has_output()) mark_busy(index);
    return false;
}

// The WebSocket is gone: the protocol hears of it.
SOCKETLESS_INLINE void server_core::end_channel(std::uint32_t index) {
    if (std::exchange(connections_[index].has_channel, false)) protocol_.channel_closed(handle(index).channel(), now_);
}

// The protocol closes a WebSocket.
SOCKETLESS_INLINE void server_core::close_channel(std::uint32_t index) {
    server_connection& c = connections_[index];
    c.has_channel = false;
    c.websocket->close().ignore();
    arm(index, options_.closing_timeout);
    mark_busy(index);
}

//=== what the application wants ===//

SOCKETLESS_INLINE bool server_core::respond(std::uint64_t exchange, response const& r) {
    auto const index = static_cast<std::uint32_t>(exchange);
    if (index >= connections_.indices() || !connections_[index].http) return false;
    server_http const& h = *connections_[index].http;
    if (h.exchange != exchange || h.phase != exchange_phase::waiting || h.is_the_protocols) return false;
    put_answer(index, {.status = r.status, .content_type = r.content_type, .body = r.body, .fields = r.fields});
    return true;
}

SOCKETLESS_INLINE void server_core::close() {
    if (std::exchange(is_closing_, true)) return;
    protocol_.close_sessions();
}

//=== what to do, when to come back ===//

SOCKETLESS_INLINE std::optional<request> server_core::poll_request() {
    if (requests_.empty()) return std::nullopt;
    request r = std::move(requests_.front());
    requests_.pop();
    return r;
}

SOCKETLESS_INLINE std::optional<time_point> server_core::poll_timeout() const noexcept {
    if (!inputs_.empty()) return now_;
    return earlier(protocol_.next_timeout(), timers_.next());
}

SOCKETLESS_INLINE std::optional<transmit> server_core::poll_transmit(std::string& buffer) {
    buffer.clear();
    piece p{buffer};
    if (auto const next = std::exchange(next_, std::nullopt); next && connections_.find(*next) != nullptr) {
        p.receiver = next->index;
        std::swap(buffer, spare_);
        p.lead = std::exchange(next_lead_, {});
    }
    do {
        auto const t = protocol_.next_transmit(scratch_);
        if (!t) break;
        std::uint32_t const index = receiver_of(*t);
        if (index == none) continue;
        if (p.receiver == none) begin(p, index);
        if (index != p.receiver) {
            spare_.clear();
            piece next{spare_};
            begin(next, index);
            put(next, *t);
            next_ = handle(index);
            next_lead_ = next.lead;
            break;
        }
        put(p, *t);
    } while (p.size() < options_.max_write);
    if (p.receiver != none) return send(p);
    shared_.clear();
    return poll_own(buffer);
}

// The connection that a transmit of the protocol is for; none if it is not to be sent now.
SOCKETLESS_INLINE std::uint32_t server_core::receiver_of(engineio::transmit const& t) {
    auto const h = connection_handle::of(t.id);
    if (t.type == engineio::transmit_type::respond) {
        if (h.index >= connections_.indices()) return none;
        server_connection& c = connections_[h.index];
        if (!c.http || c.http->exchange != t.id || c.http->phase != exchange_phase::waiting) return none; // aborted
        if (!c.is_paused) return h.index;
        put_answer(h.index, answer_of(t));
        return none;
    }
    server_connection const* const c = connections_.find(h);
    if (c == nullptr || !c->has_channel) return none; // it has gone
    if (t.type == engineio::transmit_type::send) return h.index;
    close_channel(h.index);
    return none;
}

SOCKETLESS_INLINE server_core::answer server_core::answer_of(engineio::transmit const& t) {
    return {.status = t.status, .content_type = name(t.content), .body = t.data.data, .sid = t.sid};
}

SOCKETLESS_INLINE void server_core::begin(piece& p, std::uint32_t receiver) {
    p.receiver = receiver;
    put_own(receiver, p.buffer);
}

SOCKETLESS_INLINE void server_core::put(piece& p, engineio::transmit const& t) {
    if (t.type == engineio::transmit_type::respond) {
        write_answer(*connections_[p.receiver].http, answer_of(t), p.buffer);
        return end_exchange(p.receiver);
    }
    // A shared frame is copied only if something else goes with it.
    p.buffer.append(std::exchange(p.lead, {}));
    if (t.shared == nullptr)
        core_detail::must(websocket::write_frame(p.buffer, websocket::opcode_of(t.data.kind), t.data.data));
    else if (p.buffer.empty())
        p.lead = shared_.of(t);
    else
        p.buffer.append(shared_.of(t));
}

SOCKETLESS_INLINE transmit server_core::send(piece const& p) const {
    return {.type = transmit_type::send,
            .connection = connections_[p.receiver].id,
            .data = p.lead.empty() ? std::string_view(p.buffer) : p.lead};
}

// What the wire itself has to say: answers that had to wait, and control frames.
SOCKETLESS_INLINE void server_core::put_own(std::uint32_t index, std::string& out) {
    server_connection& c = connections_[index];
    if (c.http && !c.http->output.empty()) {
        out += c.http->output;
        std::string().swap(c.http->output);
        if (c.http->phase == exchange_phase::answered) end_exchange(index);
    }
    if (!c.websocket) return;
    c.http.reset();
    if (c.websocket->has_output()) c.websocket->write_output(out);
}

SOCKETLESS_INLINE std::optional<transmit> server_core::poll_own(std::string& buffer) {
    for (;;) {
        while (!with_output_.empty()) {
            std::uint32_t const index = with_output_.front();
            with_output_.pop();
            if (!connections_[index].is_used()) continue;
            if (auto const t = next_step(index, buffer)) return t;
        }
        for (auto const& u : unanswered_) inputs_.push({input_type::unanswered, u.connection, {}, now_, u.exchange});
        unanswered_.clear();
        if (!end_idle_connections()) return std::nullopt;
    }
}

// What the connection does next by itself.
SOCKETLESS_INLINE std::optional<transmit> server_core::next_step(std::uint32_t index, std::string& buffer) {
    server_connection& c = connections_[index];
    connection_id const id = c.id;
    if (c.phase == connection_phase::closing) {
        forget(index);
        return transmit{.type = transmit_type::close, .connection = id};
    }
    if (c.is_paused) return std::nullopt;
    put_own(index, buffer);
    if (c.websocket && c.websocket->is_done()) end(index);
    if (!buffer.empty()) {
        mark_busy(index); // it may end next
        return transmit{.type = transmit_type::send, .connection = id, .data = buffer};
    }
    if (c.phase != connection_phase::ending) return std::nullopt;
    if (c.has_ended) {
        forget(index);
        return transmit{.type = transmit_type::close, .connection = id};
    }
    c.phase = connection_phase::lingering;
    arm(index, options_.closing_timeout);
    return transmit{.type = transmit_type::end, .connection = id};
}

// Once the last session has ended, a server that closes needs no connection any more. Returns whether it ends some.
SOCKETLESS_INLINE bool server_core::end_idle_connections() {
    if (!is_closing_ || are_idle_ended_ || protocol_.session_count() != 0) return false;
    are_idle_ended_ = true;
    for (std::uint32_t index = 0; index != connections_.indices(); ++index) {
        server_connection& c = connections_[index];
        if (!c.is_used() || c.phase != connection_phase::open || !c.http || c.websocket) continue;
        if (c.http->phase == exchange_phase::reading)
            end(index);
        else
            c.http->is_last = true;
    }
    return true;
}

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
