// socketless::client: a whole Socket.IO client: an Engine.IO session, the sockets on it, and connecting again.
#pragma once

#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/limits.hpp>
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
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0 {

/// The options of socket.io-client that make sense without I/O, by their names and with their defaults. (`auth` is an
/// argument of `client::connect`.)
struct client_options {
    /// The path of all requests; engineio::normalize_path adds missing slashes and percent-encodes it.
    std::string path = "/socket.io/";
    /// Query parameters of your own. The library sets those of the protocol: EIO, transport, sid.
    std::vector<std::pair<std::string, std::string>> query = {};
    /// EIO=4 goes with revision 5 of Socket.IO, EIO=3 with 4.
    engineio::revision revision = engineio::revision::v4;
    /// The transports that may be used; the first opens the connection.
    std::vector<engineio::transport> transports = {engineio::transport::polling, engineio::transport::websocket,
                                                   engineio::transport::webtransport};
    /// Whether to move to a better transport when the server offers one.
    bool upgrade = true;
    bool remember_upgrade = false;
    bool try_all_transports = false;
    std::string timestamp_param = "t";
    bool force_base64 = false;

    /// Whether joining a namespace opens the connection; if not, call `open`.
    bool auto_connect = true;
    /// Whether to connect again when the connection is lost or could not be opened.
    bool reconnection = true;
    /// How many attempts that may take; any number if empty.
    std::optional<std::uint32_t> reconnection_attempts = std::nullopt;
    /// How long to wait before the first attempt, and at most; each wait is twice as long as the one before.
    milliseconds reconnection_delay{1'000};
    milliseconds reconnection_delay_max{5'000};
    /// Each wait is longer or shorter by a random part of itself, at most this: 0 to 1.
    double randomization_factor = 0.5;
    /// How long opening may take.
    milliseconds timeout{20'000};
    /// How long the client waits for an acknowledgement if the call does not say; for ever if empty.
    std::optional<milliseconds> ack_timeout = std::nullopt;
    /// How often the client sends an event again that was not acknowledged: see socketio::client_options.
    std::uint32_t retries = 0;
    /// Whether a socket recovers its state on the next connection, if the server offers that.
    bool recovery = true;

    /// Bytes that may wait for the transport (`max_queued`), and for a socket to connect (`max_buffered`, `max_early`):
    /// see engineio::client_options and socketio::client_options.
    std::size_t max_queued = std::size_t{16} * 1024 * 1024;
    std::size_t max_buffered = std::size_t{16} * 1024 * 1024;
    std::size_t max_early = std::size_t{1} * 1024 * 1024;
    std::size_t max_pending_acks = 65'536;
    /// Bytes that one packet of a stream may have.
    std::size_t max_payload = 100'000'000;
    socketless::limits limits = {};
};

/// A whole client: one connection at a time, any number of namespaces.
///
///                 open(), connect()                 handshake               close(), the last socket leaves
///     idle -------------------------> opening ------------------> open ------------------------------> closing -> idle
///                                       ^  | failed, timeout       | lost
///                           the delay   |  v                       |
///                           is over     '- waiting <---------------'     (without `reconnection`: idle)
///
/// The loop is that of every session; it runs after each input, or several (see `max_unread_inputs`):
///
///     for (;;) {
///         if (auto e = client.poll_event()) { ...; continue; }            // for the application
///         if (auto t = client.poll_transmit(buffer)) { ...; continue; }   // for the I/O layer
///         wait for input, or until client.poll_timeout();
///     }
///
/// Inputs and transmits are those of engineio::client_session, events those of socketio::client_session and opened,
/// upgraded, open_failed, reconnecting, reconnect_failed. Calls without a `now` use the time of the last call that had
/// one: when a timer of your own fires, call `handle_timeout(now)` first.
class client {
public:
    using event = socketio::event;
    using socket_handle = socketio::socket_handle;

    /// `random` spreads the attempts of many clients to connect again, and tells their requests apart. If the path
    /// of the options is invalid, `connect` and `open` return that error.
    client(client_options options, random_source random, time_point now)
        : options_(std::move(options)), random_(std::move(random)), now_(now),
          engine_(engine_options(options_, random_)), session_(session_options(options_), now),
          backoff_({options_.reconnection_delay, options_.reconnection_delay_max, options_.randomization_factor}) {}

    //=== what happened: see engineio::client_session ===//

    void http_response(engineio::exchange_id exchange, int status, bool is_binary, std::span<char> body,
                       time_point now) {
        advance_clock(now);
        engine_.http_response(exchange, status, is_binary, body, now);
    }
    void http_failed(engineio::exchange_id exchange, time_point now) {
        advance_clock(now);
        engine_.http_failed(exchange, now);
    }
    void channel_opened(engineio::channel_id channel, time_point now) {
        advance_clock(now);
        engine_.channel_opened(channel, now);
    }
    void websocket_received(engineio::channel_id channel, frame message, time_point now) {
        advance_clock(now);
        engine_.websocket_received(channel, message, now);
    }
    void stream_received(engineio::channel_id channel, std::string_view chunk, time_point now) {
        advance_clock(now);
        engine_.stream_received(channel, chunk, now);
    }
    void channel_closed(engineio::channel_id channel, time_point now) {
        advance_clock(now);
        engine_.channel_closed(channel, now);
    }
    void channel_refused(engineio::channel_id channel, int status, std::string_view body, time_point now) {
        advance_clock(now);
        engine_.channel_refused(channel, status, body, now);
    }
    void pause(engineio::channel_id channel) noexcept { engine_.pause(channel); }
    void resume(engineio::channel_id channel) noexcept { engine_.resume(channel); }

    /// Time has passed. Call it when `poll_timeout` is due, and before you act on a timer of your own. A spurious call
    /// is harmless.
    void handle_timeout(time_point now) {
        advance_clock(now);
        engine_.handle_timeout(now);
        if (phase_ == phase::waiting && now >= next_attempt_) {
            begin_open();
            reconnecting_due_ = backoff_.attempts() != 0; // 0 if the first attempt threw
        }
    }

    //=== what the application wants: the connection ===//

    /// Opens the connection, unless it is open or about to be. `connect` does so too unless `auto_connect` is off.
    /// Errors: errc::invalid_request_target: the path of the options is invalid.
    result<void> open() {
        if (auto const good = engine_.check_options(); !good) return good;
        is_wanted_ = true;
        may_be_idle_ = false;
        if (phase_ == phase::idle || phase_ == phase::waiting) try_to_open();
        return {};
    }

    /// Leaves all namespaces, closes the connection once all that is queued has gone, and does not open another.
    void close() {
        for (std::uint32_t i = 0; i != session_.size(); ++i) session_.disconnect({i, 1});
        stop_wanting_connection();
    }

    //=== what the application wants: see socketio::client_session ===//

    /// Joins a namespace. Errors: errc::invalid_namespace, errc::already_connected; errc::invalid_payload,
    /// errc::depth_exceeded, errc::message_too_large for `auth`; errc::invalid_request_target: the path of the options
    /// is invalid.
    result<socket_handle> connect(std::string_view nsp = "/") {
        if (auto const good = engine_.check_options(); !good) return good.error();
        return joined(session_.connect(nsp));
    }
    template <class Auth>
    result<socket_handle> connect(std::string_view nsp, Auth const& auth) {
        if (auto const good = engine_.check_options(); !good) return good.error();
        return joined(session_.connect(nsp, auth));
    }
    template <class Auth>
    result<void> authenticate(socket_handle socket, Auth const& auth) {
        return flushed(session_.authenticate(socket, auth));
    }

    /// Leaves the namespace. When no namespace is left, the client closes the connection.
    void disconnect(socket_handle socket) {
        session_.disconnect(socket);
        may_be_idle_ = true;
        static_cast<void>(flush());
    }

    /// Emits an event: now if the socket is connected, otherwise once it is; also if the connection is already lost but
    /// `disconnected` was not polled yet. Errors: those of socketio::client_session. With `retries`
    /// errc::queue_overflow is not returned: the event is sent again.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<void> emit(socket_handle socket, Name const& name, Args const&... args) {
        notice_lost_connection();
        auto const emitted = session_.emit(socket, socketio::detail::name_of(name), json::detail::passed_on(args)...);
        auto const sent = flush();
        bool const is_retried = options_.retries != 0; // whatever has become of the first try
        return emitted && !is_retried ? sent : emitted;
    }
    /// Emits an event if it can go at once; otherwise drops it: errc::would_wait.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<void> emit_volatile(socket_handle socket, Name const& name, Args const&... args) {
        notice_lost_connection();
        if (!engine_.writable()) return error{errc::would_wait};
        return flushed(
            session_.emit_volatile(socket, socketio::detail::name_of(name), json::detail::passed_on(args)...));
    }
    /// Emits an event and asks for its acknowledgement: event_type::ack, with the id that is returned.
    template <class... Args, socketio::event_name_for<Args...> Name>
    result<std::uint64_t> emit_with_ack(socket_handle socket, std::optional<milliseconds> timeout, Name const& name,
                                        Args const&... args) {
        notice_lost_connection();
        auto const id =
            session_.emit_with_ack(socket, timeout, socketio::detail::name_of(name), json::detail::passed_on(args)...);
        flush_or_break_off(); // a connection that cannot take it ends, and the acknowledgement with it
        return id;
    }
    /// emit("message", ...), as in Socket.IO.
    template <class... Args>
    result<void> send(socket_handle socket, Args const&... args) {
        return emit(socket, std::string_view("message"), json::detail::passed_on(args)...);
    }
    /// Acknowledges an event, once.
    template <class... Args>
    result<void> acknowledge(socketio::ack_request& request, Args const&... args) {
        notice_lost_connection();
        return flushed(session_.acknowledge(request, json::detail::passed_on(args)...));
    }

    //=== what it means, what to do, when to come back ===//

    /// The next event, or nothing until there is other input.
    [[nodiscard]] std::optional<event> poll_event() {
        std::optional<event> e = socketio::detail::no_event();
        while (!e && step(e)) {
        }
        return e;
    }

    /// The next thing to do, or nothing until there is other input. Targets and bodies are put together in
    /// `buffer`.
    [[nodiscard]] std::optional<engineio::transmit> poll_transmit(std::string& buffer) {
        return engine_.poll_transmit(buffer);
    }

    /// When to call `handle_timeout`, if ever. Changes with every input. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        auto const attempt = phase_ == phase::waiting ? std::optional(next_attempt_) : std::nullopt;
        return earlier(attempt, earlier(engine_.poll_timeout(), session_.poll_timeout()));
    }

    //=== what it is ===//

    [[nodiscard]] client_options const& options() const noexcept { return options_; }
    [[nodiscard]] bool is_open() const noexcept { return phase_ == phase::open; }
    /// Whether no connection is open, being opened or closed, or waited for.
    [[nodiscard]] bool is_idle() const noexcept { return phase_ == phase::idle; }
    [[nodiscard]] engineio::transport transport() const noexcept { return engine_.transport(); }
    [[nodiscard]] bool is_connected(socket_handle socket) const noexcept { return session_.is_connected(socket); }
    [[nodiscard]] std::string_view sid(socket_handle socket) const noexcept { return session_.sid(socket); }
    [[nodiscard]] std::string_view nsp(socket_handle socket) const noexcept { return session_.nsp(socket); }
    /// Bytes that wait for `poll_transmit`, and bytes that wait for a socket to connect.
    [[nodiscard]] std::size_t queued() const noexcept { return engine_.queued(); }
    [[nodiscard]] std::size_t buffered() const noexcept { return session_.buffered(); }

private:
    enum class phase : std::uint8_t { idle, opening, open, closing, waiting };

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
                .max_queued = detail::packet_limit(o.max_queued, o.limits),
                .limits = o.limits};
    }

    void advance_clock(time_point now) noexcept {
        now_ = now;
        time_due_ = true; // after what engine_ has not read yet
        if (!engine_.has_unread()) pass_time();
    }
    void pass_time() noexcept {
        if (std::exchange(time_due_, false)) session_.handle_timeout(now_);
    }

    //=== the connection ===//

    void begin_open() {
        phase_ = phase::waiting; // where it throws handle_timeout tries again
        next_attempt_ = now_;
        static_cast<void>(engine_.open(now_)); // the options have been checked
        phase_ = phase::opening;
        was_open_ = false;
    }

    void try_to_open() noexcept {
        detail::attempt([this] { begin_open(); });
    }

    // The connection may have died unnoticed (the machine slept). Checks that first, so that what is emitted is kept
    // for the next connection.
    void notice_lost_connection() {
        if (phase_ != phase::open) return;
        engine_.handle_timeout(now_);
        if (engine_.is_closed()) session_.closed(detail::reason_of(engine_.reason()), now_);
    }

    void stop_wanting_connection() {
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

    // Does one step of work, which may produce an event; false if there is nothing to do.
    [[nodiscard]] bool step(std::optional<event>& e) {
        if (std::exchange(may_be_idle_, false) && !session_.is_active()) stop_wanting_connection();
        if (std::exchange(reconnecting_due_, false)) return make_event(e, socketio::event_type::reconnecting), true;
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
        if (std::exchange(failed_due_, false)) return make_event(e, socketio::event_type::reconnect_failed), true;
        auto const below = engine_.poll_event();
        if (below) take_transport_event(e, *below);
        if (below || !time_due_) return below.has_value();
        pass_time();
        return true;
    }

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
        case engineio::event_type::message: session_.message_received(below.message, engine_.now()); break;
        case engineio::event_type::upgraded: make_event(e, socketio::event_type::upgraded); break;
        case engineio::event_type::closed:
            // If the session has closed by itself, it knows better why.
            reason_ = session_reason_.value_or(detail::reason_of(below.reason));
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
            if (is_wanted_) try_to_open(); // the application has asked for another meanwhile
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
        detail::rollback undo([this]() noexcept {
            session_reason_ = socketio::disconnect_reason::transport_error;
            engine_.abort();
        });
        result<void> sent;
        while (auto const t = session_.poll_transmit()) {
            if (t->type == socketio::transmit_type::close) {
                session_reason_ = session_.reason();
                engine_.abort();
            } else if (auto const done = engine_.send(t->message, now_); !done) {
                sent = done;
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
        detail::attempt([this] { static_cast<void>(flush()); });
    }

    result<void> flushed(result<void> done) {
        auto const sent = flush();
        return done ? sent : done;
    }

    result<socket_handle> joined(result<socket_handle> socket) {
        flush_or_break_off();
        if (!socket || !options_.auto_connect) return socket;
        is_wanted_ = true;
        if (phase_ == phase::idle) try_to_open(); // when waiting, the next attempt is enough
        return socket;
    }

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
    socketio::disconnect_reason reason_{};
    std::optional<socketio::disconnect_reason> session_reason_;
    time_point next_attempt_{};
    engineio::client_session engine_;
    socketio::client_session session_;
    socketio::backoff backoff_;
};

} // namespace socketless::inline v0

#include <socketless/core/detail/epilogue.hpp>
