// The parts of a client: an Engine.IO session, the Socket.IO session that speaks over it, and connecting again when the
// connection is lost. `client` is its face.
#pragma once

#include <socketless/client_options.hpp>
#include <socketless/core/detail/function_ref.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/packet_limit.hpp>
#include <socketless/detail/reasons.hpp>
#include <socketless/engineio/client_session.hpp>
#include <socketless/json/text.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/socketio/client_session.hpp>
#include <socketless/socketio/reconnection.hpp>
#include <socketless/socketio/session.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {
class client;
} // namespace socketless::inline v0

namespace socketless::inline v0::detail {

class client_core {
public:
    using event = socketio::event;
    using socket_handle = socketio::socket_handle;

    enum class phase : std::uint8_t { idle, opening, open, closing, waiting };

    client_core(client_options&& options, random_source&& random, time_point now)
        : options_(std::move(options)), random_(std::move(random)), now_(now),
          engine_(engine_options(options_, random_)), session_(session_options(options_), now),
          backoff_({options_.reconnection_delay, options_.reconnection_delay_max, options_.randomization_factor}) {
        engine_.leave_out_drained();
    }

    static engineio::client_options engine_options(client_options const& o, random_source const& random) {
        return {.path = o.path,
                .query = o.query,
                .transports = o.transports,
                .upgrade = o.upgrade,
                .remember_upgrade = o.remember_upgrade,
                .try_all_transports = o.try_all_transports,
                .timestamp_param = o.timestamp_param,
                .timestamp_seed = random_bits(random),
                .revision = o.revision,
                .force_base64 = o.force_base64,
                .open_timeout = o.timeout,
                .max_payload = o.max_payload,
                .max_queued = o.max_queued,
                .limits = o.limits};
    }
    static socketio::client_options session_options(client_options const& o) {
        bool const v4 = o.revision == engineio::revision::v4;
        return {.revision = v4 ? socketio::revision::v5 : socketio::revision::v4,
                .ack_timeout = o.ack_timeout,
                .retries = o.retries,
                .recovery = o.recovery,
                .max_buffered = o.max_buffered,
                .max_early = o.max_early,
                .max_pending_acks = o.max_pending_acks,
                .max_queued = packet_limit(o.max_queued, o.limits),
                .parser = o.parser,
                .limits = o.limits};
    }

    //=== time ===//

    void advance_clock(time_point now) noexcept {
        is_quiet_ = false;
        now_ = now;
        time_due_ = true; // once engine_ has read its input
        if (!engine_.has_unread()) pass_time();
    }
    // The connection below, for an input that comes now.
    [[nodiscard]] engineio::client_session& input_at(time_point now) noexcept {
        advance_clock(now);
        return engine_;
    }

    void pass_time() noexcept {
        if (std::exchange(time_due_, false)) session_.handle_timeout(now_);
    }

    //=== the connection ===//

    void begin_open() {
        phase_ = phase::waiting; // if it throws, handle_timeout tries again
        next_attempt_ = now_;
        engine_.open(now_).ignore(); // the options have been checked
        phase_ = phase::opening;
        was_open_ = false;
    }

    void reconnect_if_due() {
        if (phase_ != phase::waiting || now_ < next_attempt_) return;
        begin_open();
        reconnecting_due_ = backoff_.attempts() != 0; // 0 if the first attempt threw
    }

    void try_to_open() noexcept {
        core_detail::attempt([this] { begin_open(); });
    }

    // The connection may have died unnoticed (the machine slept). Checks that first, so that the event is kept for the
    // next connection.
    void notice_lost_connection() {
        if (phase_ != phase::open) return;
        if (engine_.is_timeout_due(now_)) engine_.handle_timeout(now_);
        if (!engine_.is_closed()) return;
        is_quiet_ = false;
        session_.closed(reason_of(engine_.reason()), now_);
    }

    void stop_wanting_connection() {
        is_quiet_ = false;
        is_wanted_ = false;
        flush_or_break_off();
        if (phase_ == phase::waiting) {
            phase_ = phase::idle;
            backoff_.reset();
        } else if (phase_ == phase::opening || phase_ == phase::open) {
            phase_ = phase::closing;
            session_.closed(socketio::disconnect_reason::forced_close, now_); // sockets that connect now need another
            engine_.close(now_);
        }
    }

    //=== what the application wants ===//

    result<void> open() {
        if (auto const good = engine_.check_options(); !good) return good;
        is_quiet_ = false;
        is_wanted_ = true;
        may_be_idle_ = false;
        if (phase_ == phase::idle || phase_ == phase::waiting) try_to_open();
        return {};
    }

    void close() {
        for (std::uint32_t i = 0; i != session_.size(); ++i) session_.disconnect({i, 1});
        stop_wanting_connection();
    }

    // `connect(session)` returns the socket.
    template <class Connect>
    result<socket_handle> join(Connect connect) {
        is_quiet_ = false;
        if (auto const good = engine_.check_options(); !good) return good.error();
        result<socket_handle> const socket = connect(session_);
        flush_or_break_off();
        if (!socket || !options_.auto_connect) return socket;
        is_wanted_ = true;
        if (phase_ == phase::idle) try_to_open(); // when waiting, the next attempt is enough
        return socket;
    }

    void disconnect(socket_handle socket) {
        is_quiet_ = false;
        session_.disconnect(socket);
        may_be_idle_ = true;
        flush().ignore();
    }

    result<void> emit(socket_handle socket, std::string_view name, json::detail::values const& args) {
        notice_lost_connection();
        result<void> sent;
        auto const emitted = put(sent, [&] { return session_.emit(socket, name, args); });
        bool const is_retried = options_.retries != 0; // whatever has become of the first try
        return emitted && !is_retried ? sent : emitted;
    }

    result<void> emit_volatile(socket_handle socket, std::string_view name, json::detail::values const& args) {
        notice_lost_connection();
        if (!engine_.writable()) return error{errc::would_wait};
        return flushed([&] { return session_.emit_volatile(socket, name, args); });
    }

    result<std::uint64_t> emit_with_ack(socket_handle socket, std::optional<milliseconds> timeout,
                                        std::string_view name, json::detail::values const& args) {
        is_quiet_ = false;
        notice_lost_connection();
        auto const id = session_.emit_with_ack(socket, timeout, name, args);
        flush_or_break_off(); // a connection that cannot take it ends, and the acknowledgement with it
        return id;
    }

    result<void> acknowledge(socketio::ack_request& request, json::detail::values const& args) {
        notice_lost_connection();
        return flushed([&] { return session_.acknowledge(request, args); });
    }

    //=== what it means, when to come back, what it is ===//

    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        auto const attempt = phase_ == phase::waiting ? std::optional(next_attempt_) : std::nullopt;
        return earlier(attempt, earlier(engine_.poll_timeout(), session_.poll_timeout()));
    }
    [[nodiscard]] bool is_open() const noexcept { return phase_ == phase::open; }
    [[nodiscard]] bool is_idle() const noexcept { return phase_ == phase::idle; }

    void poll_event(std::optional<event>& e) {
        if (is_quiet_) return;
        while (!e && step(e)) {
        }
        // Nothing is left behind most events that a server emits.
        is_quiet_ = !e || (e->type == socketio::event_type::event && !has_more());
    }

    void poll_transmit(std::optional<engineio::transmit>& t, std::string& buffer) {
        if (engine_.is_at_rest()) return;
        bool const was_quiet = std::exchange(is_quiet_, false); // if it throws, the connection ends
        engine_.poll_transmit(t, buffer);
        is_quiet_ = was_quiet && !engine_.has_events();
    }

    // Whether there may be something to do behind an event of a socket.
    [[nodiscard]] bool has_more() const noexcept {
        return session_.is_due() || !engine_.is_read() || may_be_idle_ || reconnecting_due_ || closed_due_ ||
               failed_due_ || time_due_;
    }

    // Does one step of work, which may produce an event; false if there is nothing to do.
    [[nodiscard]] bool step(std::optional<event>& e) {
        if (may_be_idle_) {
            may_be_idle_ = false;
            if (!session_.is_active()) stop_wanting_connection();
        }
        if (reconnecting_due_) {
            reconnecting_due_ = false;
            return make_event(e, socketio::event_type::reconnecting), true;
        }
        session_.poll_event(e);
        if (session_.has_transmit()) flush_or_break_off();
        if (e) {
            take_socket_event(e);
            return true;
        }
        if (closed_due_) {
            bool const failed = !was_open_ && phase_ == phase::opening;
            event& told = make_event(e, failed ? socketio::event_type::open_failed : socketio::event_type::closed);
            told.reason = reason_;
            add_failure(told);
            after_close();
            closed_due_ = false; // last: if after_close throws, the next step makes the event again
            return true;
        }
        if (failed_due_) {
            failed_due_ = false;
            return make_event(e, socketio::event_type::reconnect_failed), true;
        }
        if (frame m; engine_.next_message(m)) { // the usual case
            take_message(m);
            return true;
        }
        if (engine_.is_read() && !time_due_) return false;
        auto const below = engine_.poll_event();
        if (below) take_transport_event(e, *below);
        if (below || !time_due_) return below.has_value();
        pass_time();
        return true;
    }

    // The connection has checked text.
    void take_message(frame m) { session_.message_received(m, engine_.now(), text_check::done); }

    event& make_event(std::optional<event>& e, socketio::event_type type) const noexcept {
        event& told = e.emplace();
        told.type = type;
        told.attempt = backoff_.attempts();
        return told;
    }

    // Adds the server's answer, if that was the cause.
    void add_failure(event& told) const noexcept {
        auto const& answer = engine_.failure();
        told.status = answer.status;
        auto const body = json::validate(answer.body, options_.limits.max_depth);
        if (!body || !body->is(json::kind::object)) return;
        told.data = *body;
        told.message = body->find("message").value_or(json::text());
    }

    void take_socket_event(std::optional<event>& e) noexcept {
        if (e->type == socketio::event_type::closed)
            e.reset(); // step makes it when the transport has closed
        else if (e->type == socketio::event_type::disconnected || e->type == socketio::event_type::connect_error)
            may_be_idle_ = true;
    }

    void take_transport_event(std::optional<event>& e, engineio::event const& below) {
        switch (below.type) {
        case engineio::event_type::opened:
            make_event(e, socketio::event_type::opened);
            was_open_ = true;
            backoff_.reset();
            phase_ = phase::open;
            session_.opened(now_);
            flush_or_break_off();
            break;
        case engineio::event_type::message: take_message(below.message); break;
        case engineio::event_type::upgraded: make_event(e, socketio::event_type::upgraded); break;
        case engineio::event_type::closed:
            // If the session has closed by itself, it knows better why.
            reason_ = session_reason_.value_or(reason_of(below.reason));
            session_reason_.reset();
            session_.closed(reason_, engine_.now());
            closed_due_ = true;
            break;
        default: break;
        }
    }

    // The connection is gone: opens another now or later, if one is wanted. If the random source throws, nothing has
    // changed.
    void after_close() {
        bool const was_asked = phase_ == phase::closing;
        bool const gives_up = backoff_.attempts() >= options_.reconnection_attempts.value_or(0xffffffff);
        bool const waits = !was_asked && is_wanted_ && options_.reconnection && !gives_up;
        std::uint64_t const random = waits ? random_bits(random_) >> 11u : 0; // 53 bits
        phase_ = phase::idle;
        if (was_asked || !is_wanted_) {
            backoff_.reset();
            if (is_wanted_) try_to_open(); // the application has asked for a new one meanwhile
            return;
        }
        if (!options_.reconnection) return;
        if (gives_up) {
            backoff_.reset();
            failed_due_ = true;
            return;
        }
        phase_ = phase::waiting;
        next_attempt_ = deadline(now_, backoff_.next_of(random));
    }

    static std::uint64_t random_bits(random_source const& random) {
        std::uint64_t bits = 0;
        std::array<std::byte, sizeof bits> bytes{};
        random(bytes);
        std::memcpy(&bits, bytes.data(), sizeof bits);
        return bits;
    }

    //=== from the sockets to the transport ===//

    // If it throws, a part of what the session sends is lost, so the connection ends.
    result<void> flush() {
        core_detail::rollback undo([this]() noexcept {
            session_reason_ = socketio::disconnect_reason::transport_error;
            engine_.abort();
        });
        result<void> sent;
        while (auto const t = session_.poll_transmit()) {
            if (t->type == socketio::transmit_type::close) {
                session_reason_ = session_.reason();
                engine_.abort();
            } else if (auto const done = engine_.send(t->message, now_); !done) {
                if (sent) sent = done; // the first cause
                if (done.error().code != errc::message_too_large) continue;
                session_reason_ = socketio::disconnect_reason::queue_overflow; // part of its packet may have gone
                engine_.abort();
            }
        }
        undo.commit();
        return sent;
    }
    // For calls that have already done something, which they must report.
    void flush_or_break_off() noexcept {
        core_detail::attempt([this] { flush().ignore(); });
    }

    using queueing_call = core_detail::function_ref<result<void>()>;

    // Returns what `call()` returns, which queues packets. They are put where the transport keeps its messages, if that
    // can take them unchecked. `sent` tells what has become of them.
    SOCKETLESS_ALWAYS_INLINE result<void> put(result<void>& sent, queueing_call call) {
        bool const was_quiet = std::exchange(is_quiet_, false);
        result<void> done;
        bool const is_put = !session_.has_transmit() && engine_.put(now_, sent, [&](engineio::detail::outbox& below) {
            done = session_.put_below(below.frames(), engineio::detail::outbox::message_heads, call);
        });
        if (!is_put) done = call();
        if (session_.has_transmit()) [[unlikely]]
            if (auto const flushed = flush(); sent) sent = flushed;
        is_quiet_ = was_quiet && done && sent && !session_.is_due() && !engine_.has_events();
        return done;
    }
    result<void> flushed(queueing_call call) {
        result<void> sent;
        auto const done = put(sent, call);
        return done ? sent : done;
    }

private:
    friend class socketless::client;

    client_options options_;
    random_source random_;
    time_point now_;
    phase phase_ = phase::idle;
    bool is_wanted_ = false; // the connection, by the application
    bool was_open_ = false;
    bool may_be_idle_ = false;
    // Events that step makes next.
    bool reconnecting_due_ = false;
    bool closed_due_ = false;
    bool failed_due_ = false;
    bool time_due_ = false; // session_ does not know the time yet
    bool is_quiet_ = false; // poll_event has returned nothing, and nothing has happened since
    socketio::disconnect_reason reason_{};
    std::optional<socketio::disconnect_reason> session_reason_;
    time_point next_attempt_{};
    engineio::client_session engine_;
    socketio::client_session session_;
    socketio::backoff backoff_;
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
