// The functions of a wire client, part of wire/client.hpp. With SOCKETLESS_SEPARATE_COMPILATION only source.hpp
// includes them.
#pragma once

#include <socketless/core/detail/digits.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/core/error.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/http/fields.hpp>
#include <socketless/http/part.hpp>
#include <socketless/http/response.hpp>
#include <socketless/http/url.hpp>
#include <socketless/impl/wire_client_output.hpp>
#include <socketless/impl/wire_client_requests.hpp>
#include <socketless/text/base64.hpp>
#include <socketless/text/percent.hpp>
#include <socketless/text/token.hpp>
#include <socketless/websocket/connection.hpp>
#include <socketless/websocket/handshake.hpp>
#include <socketless/wire/client_options.hpp>
#include <socketless/wire/detail/client_connection.hpp>
#include <socketless/wire/detail/client_core.hpp>
#include <socketless/wire/transmit.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

SOCKETLESS_INLINE client_core::client_core(client_protocol& protocol, http::url const& url, client_options options,
                                           random_source const& random, time_point now)
    : protocol_(protocol), options_(std::move(options)), random_(random), now_(now), host_(url.host), port_(url.port),
      is_secure_(url.is_secure()), is_good_(check(options_).has_value()),
      cookies_(host_, is_secure_ ? http::cookie_channel::secure : http::cookie_channel::plain) {
    options_.limits.max_body = std::min<std::uint64_t>(options_.limits.max_body, protocol.max_payload());
    authority_ = url.is_ipv6 ? "[" + host_ + "]" : host_;
    tunnel_ = authority_;
    tunnel_.append(":").append(core_detail::decimal_text(port_).view());
    if (!url.has_usual_port()) authority_ = tunnel_;
    if (!is_good_ || options_.proxy.empty()) return;
    proxy_ = *http::parse_url(options_.proxy);
    if (proxy_.userinfo.empty()) return;
    auto const user = percent::decoded(proxy_.userinfo);
    proxy_credentials_ = "Basic ";
    std::size_t const begin = proxy_credentials_.size();
    proxy_credentials_.resize(begin + base64::encoded_size(user.size()));
    base64::encode(user, proxy_credentials_.data() + begin);
}

//=== what happened ===//

SOCKETLESS_INLINE void client_core::connected(connection_id id, time_point now) {
    input_for(input_type::connected, id, {}, now);
}
SOCKETLESS_INLINE void client_core::received(connection_id id, std::span<char> bytes, time_point now) {
    input_for(input_type::bytes, id, bytes, now);
}
SOCKETLESS_INLINE void client_core::ended(connection_id id, time_point now) {
    input_for(input_type::ended, id, {}, now);
}
SOCKETLESS_INLINE void client_core::closed(connection_id id, time_point now) {
    auto* const c = connections_.find(connection_handle::of(id));
    if (c == nullptr || c->is_gone) return;
    c->is_gone = true; // before what the server has sent is read
    push_input(input_type::closed, *c, id, {}, now);
}

SOCKETLESS_INLINE void client_core::input_for(input_type type, connection_id id, std::span<char> bytes,
                                              time_point now) {
    auto* const c = connections_.find(connection_handle::of(id));
    if (c != nullptr && !c->is_gone) push_input(type, *c, id, bytes, now);
}

SOCKETLESS_INLINE void client_core::push_input(input_type type, client_connection& c, connection_id id,
                                               std::span<char> bytes, time_point now) {
    now_ = now;
    core_detail::rollback undo([&]() noexcept { try_close(c); }); // a part of what it sends would be missing
    inputs_.push({type, {}, id, bytes, now});
    undo.commit();
}

SOCKETLESS_INLINE void client_core::pause(connection_id id) {
    auto* const c = connections_.find(connection_handle::of(id));
    if (c == nullptr) return;
    bool const was_paused = std::exchange(c->is_paused, true);
    if (c->websocket) {
        if (c->exchange == 0) return arm(*c, options_.closing_timeout);
        if (!was_paused) protocol_.pause_channel(c->exchange);
    } else if (c->exchange != 0) {
        arm(*c, options_.answer_timeout);
    }
}

SOCKETLESS_INLINE void client_core::resume(connection_id id) {
    auto* const c = connections_.find(connection_handle::of(id));
    if (c == nullptr || !std::exchange(c->is_paused, false)) return;
    if (c->websocket && c->exchange == 0) return arm(*c, options_.closing_timeout);
    if (c->websocket) return protocol_.resume_channel(c->exchange);
    if (c->exchange == 0) return;
    arm(*c, options_.answer_timeout);
    if (c->phase == client_phase::open && c->kind == request_kind::get) c->deadline.reset();
}

SOCKETLESS_INLINE void client_core::handle_timeout(time_point now) {
    now_ = now;
    if (inputs_.empty()) return pass_time(now);
    inputs_.push({input_type::timeout, {}, 0, {}, now}); // after what came before
}

SOCKETLESS_INLINE void client_core::pass_time(time_point now) {
    protocol_.pass_time(now);
    for (std::uint32_t index = 0; index != connections_.indices(); ++index) {
        client_connection& c = connections_[index];
        if (c.is_used() && c.deadline && *c.deadline <= now) close_now(c);
    }
}

//=== the connections ===//

// The connection of a request or a WebSocket. There are few.
SOCKETLESS_INLINE std::uint32_t client_core::find_exchange(std::uint64_t exchange) const noexcept {
    for (std::uint32_t index = 0; index != connections_.indices(); ++index)
        if (connections_[index].is_used() && connections_[index].exchange == exchange) return index;
    return none;
}

// Whether a request can go over it.
SOCKETLESS_INLINE bool client_core::is_idle(client_connection const& c) noexcept {
    return c.is_used() && c.phase == client_phase::open && !c.websocket && c.exchange == 0 && !c.is_gone;
}
SOCKETLESS_INLINE std::uint32_t client_core::find_idle() const noexcept {
    for (std::uint32_t index = 0; index != connections_.indices(); ++index)
        if (is_idle(connections_[index]) && !connections_[index].is_paused) return index;
    return none;
}

SOCKETLESS_INLINE std::uint32_t client_core::make_connection() {
    std::uint32_t const index = connections_.make();
    connections_[index].reader = http::response_reader(options_.limits);
    return index;
}

SOCKETLESS_INLINE void client_core::enter(client_connection& c, client_phase phase) {
    c.phase = phase;
    c.is_due = true;
    arm(c, phase == client_phase::tunnelling ? options_.answer_timeout : options_.connect_timeout);
}

SOCKETLESS_INLINE void client_core::tell_failure(request_kind kind, std::uint64_t exchange) {
    if (kind == request_kind::websocket)
        protocol_.channel_closed(exchange, now_);
    else
        protocol_.http_failed(exchange, now_);
}

// The protocol hears that its request or its WebSocket is gone.
SOCKETLESS_INLINE void client_core::let_go(client_connection& c) {
    if (c.exchange == 0) return;
    tell_failure(c.kind, c.exchange);
    c.exchange = 0; // if that throws, the end of the connection tells it
}

SOCKETLESS_INLINE void client_core::close_now(client_connection& c) {
    c.phase = client_phase::closing;
    c.deadline.reset();
    let_go(c);
}

// The same where something has been thrown already. If this throws too, next_step tries again.
SOCKETLESS_INLINE void client_core::try_close(client_connection& c) noexcept {
    core_detail::attempt([&] { close_now(c); });
}

// The server has ended the connection.
SOCKETLESS_INLINE void client_core::lose(client_connection& c) {
    send_again(c);
    close_now(c);
}

// Sends the request on a new connection, if it has met the end of a kept one: that the server has ended it may have
// crossed the request. A request that has not left is sent again in any case.
SOCKETLESS_INLINE void client_core::send_again(client_connection& c) {
    bool const is_unanswered = c.exchange != 0 && c.phase == client_phase::open && !c.websocket && c.reader.is_idle();
    if (!is_unanswered || !c.is_reused || (c.kind != request_kind::get && !c.is_due)) return;
    client_connection& next = connections_[make_connection()];
    next.kind = c.kind;
    next.request.swap(c.request);
    next.exchange = std::exchange(c.exchange, 0);
}

//=== what comes ===//

SOCKETLESS_INLINE bool client_core::take_input() {
    body_.clear();
    while (!inputs_.empty()) {
        input& i = inputs_.front();
        if (i.type == input_type::timeout || i.type == input_type::not_possible) {
            input const taken = i;
            inputs_.pop();
            if (taken.type == input_type::timeout)
                pass_time(taken.now);
            else
                tell_failure(taken.kind, taken.id);
            return true;
        }
        auto const h = connection_handle::of(i.id);
        bool is_taken = false;
        if (connections_.find(h) != nullptr) {
            core_detail::rollback undo([&, id = i.id]() noexcept { fail(id); }); // what was not read is lost
            is_taken = take(h.index, i);
            undo.commit();
        }
        if (is_taken) return true;
        inputs_.pop();
    }
    return false;
}

// Memory ran out, or the random source has thrown, while an input was read: its connection ends.
SOCKETLESS_INLINE void client_core::fail(connection_id id) noexcept {
    inputs_.pop();
    if (auto* const c = connections_.find(connection_handle::of(id))) try_close(*c);
}

// Reads the next answer or message; false if the input holds no more.
SOCKETLESS_INLINE bool client_core::take(std::uint32_t index, input& i) {
    client_connection& c = connections_[index];
    switch (i.type) {
    case input_type::bytes: return take_bytes(c, i);
    case input_type::connected: take_connected(c); break;
    case input_type::ended: take_end(c); break;
    case input_type::closed: take_closed(index); break;
    default: return false;
    }
    i.type = input_type::done; // the protocol may have something to say now
    return true;
}

SOCKETLESS_INLINE void client_core::take_connected(client_connection& c) {
    if (c.is_due) return; // nobody has asked for it
    if (c.phase == client_phase::connecting && !options_.proxy.empty()) {
        c.reader.expect("CONNECT");
        enter(c, client_phase::tunnelling);
    } else if (c.phase == client_phase::connecting || c.phase == client_phase::securing) {
        enter(c, client_phase::open);
    }
}

SOCKETLESS_INLINE bool client_core::take_bytes(client_connection& c, input& i) {
    if (c.websocket) return take_message(c, i);
    if (i.bytes.empty()) return false;
    bool const is_asked = (c.phase == client_phase::open || c.phase == client_phase::tunnelling) && c.exchange != 0;
    if (!is_asked || c.is_due) { // an answer to nothing
        i.bytes = {};
        return lose(c), true;
    }
    for (;;) {
        auto const part = c.reader.read(i.bytes);
        if (!part) {
            failure_ = part.error().code;
            return close_now(c), true;
        }
        if (!*part) return c.body.keep(), false;
        switch ((*part)->type) {
        case http::part_type::head: take_head(c); break;
        case http::part_type::body: c.body.add((*part)->data); break;
        case http::part_type::end: return take_answer(c, i.bytes), true;
        }
    }
}

// The server has ended its side.
SOCKETLESS_INLINE void client_core::take_end(client_connection& c) {
    c.has_ended = true;
    if (c.phase == client_phase::closing) return;
    if (c.websocket) {
        if (c.phase == client_phase::lingering && c.websocket->has_output()) return; // that is sent first
        return close_now(c);
    }
    bool const is_asked = c.exchange != 0 && !c.is_due;
    if (!is_asked) return lose(c);
    auto const part = c.reader.finish();
    if (part && *part) return take_answer(c, {}); // it ends with the connection
    if (!part) failure_ = part.error().code;
    lose(c);
}

// The connection is gone, and the caller knows. An answer may be lost with it, and the messages in that: a poll that is
// sent again would hide the loss.
SOCKETLESS_INLINE void client_core::take_closed(std::uint32_t index) {
    client_connection& c = connections_[index];
    if (c.is_due) send_again(c);
    close_now(c);
    connections_.free(index);
}

//=== HTTP ===//

SOCKETLESS_INLINE void client_core::take_head(client_connection& c) {
    auto const& head = c.reader.head();
    bool const is_interim = head.status / 100 == 1 && head.status != 101;
    if (is_interim) return; // as 100 Continue: the answer has yet to come
    c.status = head.status;
    c.keep_alive = head.keep_alive && head.status != 101;
    c.is_binary = token::equals(head.fields.find("Content-Type").value_or(""), name(engineio::content_type::binary));
    if (c.phase != client_phase::open) return;
    keep_cookies(c);
    if (c.kind == request_kind::websocket && head.status == 101) take_handshake(c);
}

SOCKETLESS_INLINE void client_core::keep_cookies(client_connection const& c) {
    if (!options_.keeps_cookies) return;
    auto target = std::string_view(c.request);
    target.remove_prefix(target.find(' ') + 1);
    target = target.substr(0, target.find(' '));
    for (http::field const f : c.reader.head().fields)
        if (token::equals(f.name, "Set-Cookie")) cookies_.store(f.value, target, now_);
}

// The server agrees to a WebSocket, as it says.
SOCKETLESS_INLINE void client_core::take_handshake(client_connection& c) {
    auto const& head = c.reader.head();
    auto const chosen = head.fields.find("Sec-WebSocket-Protocol").value_or("");
    std::span const offered(&chosen, has_offered(chosen) ? 1 : 0);
    auto const agreed =
        websocket::check_response(head.status, head.fields, std::string_view(c.key.data(), c.key.size()), offered);
    if (!agreed)
        failure_ = agreed.error().code;
    else
        c.websocket.emplace(websocket::role::client, websocket::reader_limits{.max_message = protocol_.max_payload()});
}

// The whole answer is there. `rest` is what has come behind it.
SOCKETLESS_INLINE void client_core::take_answer(client_connection& c, std::span<char> rest) {
    if (c.phase == client_phase::tunnelling && c.status / 100 == 2) return take_tunnel(c, rest);
    if (c.websocket) {
        protocol_.channel_opened(c.exchange, now_);
        c.deadline.reset();
        c.reader = http::response_reader();
        std::string().swap(c.request);
        if (c.is_paused) protocol_.pause_channel(c.exchange);
        return;
    }
    body_ = std::exchange(c.body, {});
    auto const body = body_.get();
    if (c.kind != request_kind::websocket)
        protocol_.http_response(c.exchange, c.status, c.is_binary, body, now_);
    else if (c.status == 101)
        protocol_.channel_closed(c.exchange, now_);
    else
        protocol_.channel_refused(c.exchange, c.status, {body.data(), body.size()}, now_);
    c.exchange = 0;
    bool const is_read = !c.is_paused; // by the server, which may answer before
    bool const is_kept =
        c.phase == client_phase::open && c.kind != request_kind::websocket && c.keep_alive && is_read && rest.empty();
    if (!is_kept) return close_now(c);
    c.is_reused = true;
    arm(c, options_.idle_timeout);
    constexpr std::size_t kept = std::size_t{4} * 1024;
    if (c.request.capacity() > kept) std::string().swap(c.request);
}

// The proxy has made the tunnel: HTTP begins anew in it.
SOCKETLESS_INLINE void client_core::take_tunnel(client_connection& c, std::span<char> rest) {
    if (!rest.empty()) return close_now(c); // servers speak when they are asked
    c.reader = http::response_reader(options_.limits);
    enter(c, is_secure_ ? client_phase::securing : client_phase::open);
}

//=== WebSocket ===//

SOCKETLESS_INLINE bool client_core::take_message(client_connection& c, input& i) {
    while (auto const e = c.websocket->read(i.bytes)) {
        if (e->type == websocket::connection_event_type::closed) {
            if (e->error != errc{}) failure_ = e->error;
            if (c.phase == client_phase::open) c.phase = client_phase::lingering;
            arm(c, options_.closing_timeout);
            let_go(c);
            return true;
        }
        if (c.exchange == 0) continue; // the protocol has closed it
        protocol_.websocket_received(c.exchange, e->message(), i.now);
        return true;
    }
    return false;
}

// The protocol closes a WebSocket, open or not.
SOCKETLESS_INLINE void client_core::end_channel(engineio::channel_id channel) {
    std::uint32_t const index = find_exchange(channel);
    if (index == none) return; // it is gone
    client_connection& c = connections_[index];
    c.exchange = 0;
    if (!c.websocket) return close_now(c);
    c.websocket->close().ignore();
    arm(c, options_.closing_timeout);
}

//=== what to do, when to come back ===//

SOCKETLESS_INLINE std::optional<time_point> client_core::poll_timeout() const noexcept {
    if (!inputs_.empty()) return now_;
    auto next = protocol_.next_timeout();
    for (std::uint32_t index = 0; index != connections_.indices(); ++index)
        if (connections_[index].is_used()) next = earlier(next, connections_[index].deadline);
    return next;
}

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
