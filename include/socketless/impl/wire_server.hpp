// The functions of a wire server, part of wire/server.hpp. With SOCKETLESS_SEPARATE_COMPILATION only source.hpp
// includes them.
#pragma once

#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/separate.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/impl/wire_server_output.hpp>
#include <socketless/impl/wire_server_requests.hpp>
#include <socketless/websocket/connection.hpp>
#include <socketless/wire/detail/server_core.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::wire::detail {

SOCKETLESS_INLINE server_core::server_core(server_protocol& protocol, server_options options, time_point now)
    : protocol_(protocol), options_(std::move(options)), now_(now), is_good_(check(options_).has_value()) {
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
    if (!is_good_) return close_now(index);
    arm(index, is_closing_ ? options_.closing_timeout : options_.request_timeout);
}

SOCKETLESS_INLINE void server_core::received(connection_id id, std::span<char> bytes, time_point now) {
    input_for(input_type::bytes, id, bytes, now);
}
SOCKETLESS_INLINE void server_core::ended(connection_id id, time_point now) {
    input_for(input_type::ended, id, {}, now);
}
SOCKETLESS_INLINE void server_core::closed(connection_id id, time_point now) {
    std::uint32_t const index = find(id);
    if (index == none) return;
    by_id_.erase(id);                   // the name is free: another connection may have it
    connections_[index].is_gone = true; // before what it has sent is read
    push_input(input_type::closed, index, {}, now);
}

SOCKETLESS_INLINE void server_core::input_for(input_type type, connection_id id, std::span<char> bytes,
                                              time_point now) {
    std::uint32_t const index = find(id);
    if (index != none) push_input(type, index, bytes, now);
}

SOCKETLESS_INLINE void server_core::push_input(input_type type, std::uint32_t index, std::span<char> bytes,
                                               time_point now) {
    now_ = now;
    core_detail::rollback undo([&]() noexcept { try_close(index); }); // a part of what it sends would be missing
    inputs_.push({type, handle(index), bytes, now});
    undo.commit();
}

SOCKETLESS_INLINE std::uint32_t server_core::find(connection_id id) const {
    auto const found = by_id_.find(id);
    return found == by_id_.end() ? none : found->second;
}

SOCKETLESS_INLINE void server_core::pause(connection_id id) {
    std::uint32_t const index = find(id);
    if (index == none) return;
    server_connection& c = connections_[index];
    if (!std::exchange(c.is_paused, true) && c.has_channel) protocol_.pause_channel(handle(index).number());
    set_deadline(index);
}

SOCKETLESS_INLINE void server_core::resume(connection_id id) {
    std::uint32_t const index = find(id);
    if (index == none) return;
    server_connection& c = connections_[index];
    if (!std::exchange(c.is_paused, false)) return;
    if (c.has_channel) protocol_.resume_channel(handle(index).number());
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
    core_detail::rollback undo([&]() noexcept { try_close(index); });
    bool const is_reading =
        c.phase == connection_phase::open && !c.is_paused && c.http && c.http->phase == exchange_phase::reading;
    if (!is_reading)
        close_now(index);
    else if (c.http->reader.is_idle())
        end(index);
    else
        refuse(index, 408);
    undo.commit();
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
    connections_[index].phase = connection_phase::closing; // first: if the protocol throws, it hears of it later
    mark_busy(index);
    let_go(index);
}

// The same where something has been thrown already.
SOCKETLESS_INLINE void server_core::try_close(std::uint32_t index) noexcept {
    core_detail::attempt([&] { close_now(index); });
}

// The protocol hears that its request or its channel is gone.
SOCKETLESS_INLINE void server_core::let_go(std::uint32_t index) {
    end_channel(index);
    if (!connections_[index].http) return;
    server_http& h = *connections_[index].http;
    bool const is_waiting = h.phase == exchange_phase::waiting && h.is_the_protocols;
    if (h.exchange != 0 && (h.is_started || is_waiting)) protocol_.http_aborted(h.exchange, now_);
    h.exchange = 0;
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
    try_close(index);
}

// Whether what came early is to be read now: that input is in the queue.
SOCKETLESS_INLINE bool server_core::is_early_next(server_connection const& c) noexcept {
    return c.phase == connection_phase::open && c.http && c.http->phase == exchange_phase::reading &&
           !c.http->early.empty();
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
    case input_type::ended:
        if (!is_early_next(c)) return take_end(index), false;
        inputs_.push({i.type, i.connection, {}, i.now}); // behind it
        return false;
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
    if (c.http && c.http->exchange == exchange && c.http->phase == exchange_phase::waiting) close_after_write(index);
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
        protocol_.websocket_received(handle(index).number(), e->message(), i.now);
        return true;
    }
    if (c.websocket->has_output()) mark_busy(index);
    return false;
}

// The WebSocket is gone: the protocol hears of it.
SOCKETLESS_INLINE void server_core::end_channel(std::uint32_t index) {
    if (!connections_[index].has_channel) return;
    protocol_.channel_closed(handle(index).number(), now_);
    connections_[index].has_channel = false;
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

SOCKETLESS_INLINE result<void> server_core::respond(std::uint64_t exchange, response const& r, time_point now) {
    now_ = now;
    if (auto const good = check(r); !good) return good.error();
    auto const index = static_cast<std::uint32_t>(exchange);
    if (index >= connections_.indices() || !connections_[index].http || connections_[index].is_gone)
        return errc::not_open;
    server_http const& h = *connections_[index].http;
    if (h.exchange != exchange || h.phase != exchange_phase::waiting || h.is_the_protocols) return errc::not_open;
    put_answer(index, {.status = r.status, .content_type = r.content_type, .body = r.body, .fields = r.fields});
    return {};
}

SOCKETLESS_INLINE void server_core::close() {
    if (is_closing_) return;
    protocol_.close_sessions();
    is_closing_ = true;
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

} // namespace socketless::inline v0::wire::detail

#include <socketless/core/detail/epilogue.hpp>
