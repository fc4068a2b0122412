// The connections of a server: an Engine.IO session each, the Socket.IO session that speaks over it, and what passes
// between the two.
#pragma once

#include <socketless/core/detail/index_queue.hpp>
#include <socketless/core/detail/prefetch.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/stable_vector.hpp>
#include <socketless/core/detail/timer_wheel.hpp>
#include <socketless/core/frame.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/detail/reasons.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/server_options.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/server_session.hpp>
#include <socketless/socketio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::detail {

struct server_connection {
    [[no_unique_address]] socketio::server_session session;
    bool is_gone : 1 = false;     // its Engine.IO session has closed
    bool may_recover : 1 = true;  // the application has not disconnected it
    std::uint32_t generation = 0; // of its Engine.IO session
};

// A connection is called by the index of its Engine.IO session.
class server_connections {
public:
    // The options must outlive the connections.
    server_connections(server_options const& options, random_source random, time_point now)
        : options_(&options.sockets), now_(now), engine_(options.engine, std::move(random)) {
        engine_.leave_out_drained();
        queue_.use(options.sockets.parser, socketio::sender::server); // before its first session does
    }

    // The connections below, for an input that comes now.
    [[nodiscard]] engineio::server& input_at(time_point now) noexcept {
        now_ = now;
        return engine_;
    }
    [[nodiscard]] engineio::server& engine() noexcept { return engine_; }
    [[nodiscard]] engineio::server const& engine() const noexcept { return engine_; }
    [[nodiscard]] time_point now() const noexcept { return now_; }
    // Something that is none of its inputs has come now.
    void advance(time_point now) noexcept { now_ = std::max(now_, now); }

    // Precondition: the connection is there.
    [[nodiscard]] server_connection& operator[](std::uint32_t index) noexcept { return *all_[index]; }
    [[nodiscard]] server_connection const& operator[](std::uint32_t index) const noexcept { return *all_[index]; }
    // A call for the connection follows soon.
    void prefetch(std::uint32_t index) const noexcept {
        if (index < all_.size()) core_detail::prefetch(&all_[index], sizeof all_[index]);
        engine_.prefetch(index);
    }
    // Its Engine.IO session.
    [[nodiscard]] engineio::session_handle handle(std::uint32_t index) const noexcept {
        return {index, all_[index]->generation};
    }
    [[nodiscard]] bool contains(std::uint32_t index) const noexcept { return index < all_.size() && all_[index]; }

    //=== what happened ===//

    void handle_timeout(time_point now) {
        queue_.shrink(); // frees the memory of the largest packets; timers are due often enough
        input_at(now).handle_timeout(now);
        timers_.advance(now, [this, now](std::uint32_t index) {
            if (!all_[index]) return;
            // Unread input comes first: poll_event sets the timer again after it.
            auto const* const below = engine_.find(handle(index));
            if (below == nullptr || !below->has_unread()) all_[index]->session.handle_timeout(now);
            mark_busy(index);
        });
    }
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        return earlier(engine_.poll_timeout(), timers_.next());
    }

    // The session may have events. Its timer is set when they have been polled.
    void mark_busy(std::uint32_t index) noexcept { busy_.push(index); }

    // Works until a session has an event, and returns the connection; `none` if there is nothing to do.
    static constexpr std::uint32_t none = 0xffffffff;
    [[nodiscard]] std::uint32_t poll_event(std::optional<socketio::event>& e) {
        std::uint32_t index = none;
        while (!e) {
            if (!busy_.empty()) {
                poll_busy(index = busy_.front(), e);
            } else if (!take_message(index, e)) {
                auto const below = engine_.poll_event();
                if (!below) return none;
                take_transport_event(below->session, below->event);
            }
        }
        return index;
    }

    //=== what the server wants ===//

    // Ends all connections, and each that opens from now on.
    void close() {
        is_closing_ = true;
        for (std::uint32_t index = 0; index != all_.size(); ++index)
            if (all_[index]) end(index, socketio::disconnect_reason::server_shutting_down);
    }

    void end(std::uint32_t index, socketio::disconnect_reason reason) {
        core_detail::rollback undo([&]() noexcept { break_off(index); });
        all_[index]->session.close(reason);
        undo.commit();
        flush(index).ignore();
    }

    // A part of what the session sends is lost: the connection ends, and no other connection gets the rest.
    void break_off(std::uint32_t index) noexcept {
        queue_.clear();
        engine_.abort(handle(index), engineio::close_reason::transport_error);
    }

    // Calls `f(session)` and sends what that has queued: it is put where the transport keeps its messages, if that can
    // take it unchecked.
    template <class F>
    result<void> with_session(std::uint32_t index, F f) {
        server_connection& c = *all_[index];
        result<void> done;
        result<void> sent;
        bool const is_put = engine_.put({index, c.generation}, sent, [&](engineio::detail::outbox& below) {
            done =
                queue_.put_below(below.frames(), engineio::detail::outbox::message_heads, [&] { return f(c.session); });
        });
        if (!is_put) return with_queue(index, f);
        if (c.session.has_transmit()) [[unlikely]] // it has ended by itself
            if (auto const flushed = flush(index); sent) sent = flushed;
        return done ? sent : done;
    }
    // The same, and `f` can see `queued_text`.
    template <class F>
    result<void> with_queue(std::uint32_t index, F f) {
        auto const done = f(all_[index]->session);
        auto const sent = flush(index);
        return done ? sent : done;
    }

    // Hands what the session has queued to the transport.
    result<void> flush(std::uint32_t index) {
        server_connection& c = *all_[index];
        core_detail::rollback undo([&]() noexcept { break_off(index); });
        result<void> sent;
        while (auto const t = c.session.poll_transmit()) {
            if (t->type == socketio::transmit_type::close) {
                if (auto const cause = c.session.cause()) engine_.blame(handle(index), *cause);
                engine_.close(handle(index));
                mark_busy(index); // the session has ended by itself
            } else if (auto const done = hand_down(handle(index), t->message); !done) {
                if (sent) sent = done; // the first cause
            }
        }
        undo.commit();
        return sent;
    }
    // For calls that have already done something, which they must report.
    void flush_or_break_off(std::uint32_t index) noexcept {
        core_detail::attempt([&] { flush(index).ignore(); });
    }

    // Hands a message to the transport, past the session. If it is too large the connection ends: other messages of its
    // packet may have gone.
    template <class Message>
    result<void> hand_down(engineio::session_handle connection, Message const& message) {
        auto const done = engine_.send(connection, message);
        if (!done && done.error().code == errc::message_too_large)
            engine_.abort(connection, engineio::close_reason::queue_overflow);
        return done;
    }

    // The queue of all sessions.
    [[nodiscard]] socketio::message_queue& queue() noexcept { return queue_; }
    // The text of the packet that a session has just queued.
    [[nodiscard]] std::string_view queued_text() const noexcept { return queue_.front().data; }

private:
    // The next event of the first connection that may have some, or nothing: then it is no longer busy.
    void poll_busy(std::uint32_t index, std::optional<socketio::event>& e) {
        server_connection& c = *all_[index];
        c.session.poll_event(e); // ends the connection if it throws
        if (c.session.has_transmit()) flush_or_break_off(index);
        if (e && !is_last(c, *e)) return;
        busy_.pop();
        if (c.is_gone) all_[index].reset();
        set_timer(index);
    }

    // Nothing is left behind most events that a client emits. Others make the server do more.
    [[nodiscard]] static bool is_last(server_connection const& c, socketio::event const& e) noexcept {
        return e.type == socketio::event_type::event && !c.session.is_due() && !c.is_gone;
    }

    // What most events come of: a transport's next event is a message. Hands it to its session, and takes what the
    // session makes of it. False, and nothing has happened, if it is something else. Precondition: nobody is busy.
    [[nodiscard]] bool take_message(std::uint32_t& index, std::optional<socketio::event>& e) {
        engineio::session_handle from;
        frame m;
        auto const* const below = engine_.next_message(from, m);
        if (below == nullptr) return false;
        index = from.index;
        if (!contains(index)) return true; // there was no memory for its session
        server_connection& c = *all_[index];
        hand_on(c, index, m, below->now());
        core_detail::rollback is_busy([&]() noexcept { mark_busy(index); }); // unless this was its last event
        c.session.poll_event(e);                                             // ends the connection if it throws
        if (c.session.has_transmit()) [[unlikely]]
            flush_or_break_off(index);
        if (e && !is_last(c, *e)) return true;
        is_busy.commit();
        set_timer(index);
        return true;
    }

    // The transport has checked text.
    void hand_on(server_connection& c, std::uint32_t index, frame m, time_point now) {
        core_detail::rollback undo([&]() noexcept { break_off(index); });
        c.session.message_received(m, now, text_check::done);
        undo.commit();
    }

    void take_transport_event(engineio::session_handle handle, engineio::event const& e) {
        std::uint32_t const index = handle.index;
        if (e.type == engineio::event_type::opened) return open(handle);
        bool const is_message = e.type == engineio::event_type::message;
        if (!is_message && e.type != engineio::event_type::closed) return; // the session need not know
        if (!contains(index)) return;                                      // there was no memory for its session
        auto const* const below = engine_.find(handle);
        if (below == nullptr) return;
        if (is_message) {
            hand_on(*all_[index], index, e.message, below->now());
        } else {
            all_[index]->session.connection_closed(reason_of(e.reason), below->now());
            all_[index]->is_gone = true;
        }
        mark_busy(index);
    }

    void open(engineio::session_handle handle) {
        auto const* const opened = engine_.find(handle);
        if (opened == nullptr) return;
        core_detail::rollback undo([&]() noexcept { engine_.abort(handle, engineio::close_reason::transport_error); });
        while (handle.index >= all_.size()) {
            busy_.reserve(all_.size() + 1);
            timers_.reserve(all_.size() + 1);
            all_.push();
        }
        bool const v3 = opened->revision() == engineio::revision::v3;
        auto const revision = v3 ? socketio::revision::v4 : socketio::revision::v5;
        all_[handle.index].emplace(server_connection{socketio::server_session(*options_, queue_, revision, now_)});
        all_[handle.index]->generation = handle.generation;
        undo.commit();
        if (is_closing_) return end(handle.index, socketio::disconnect_reason::server_shutting_down);
        mark_busy(handle.index);
    }

    void set_timer(std::uint32_t index) {
        auto const deadline = all_[index] ? all_[index]->session.poll_timeout() : std::optional<time_point>();
        if (deadline)
            timers_.set(index, *deadline);
        else
            timers_.cancel(index);
    }

    socketio::server_options const* options_;
    time_point now_;
    bool is_closing_ = false;
    engineio::server engine_;
    socketio::message_queue queue_; // shared by all sessions: each is flushed before another is called
    core_detail::stable_vector<std::optional<server_connection>> all_;
    core_detail::index_queue busy_;
    core_detail::timer_wheel timers_;
};

} // namespace socketless::inline v0::detail

#include <socketless/core/detail/epilogue.hpp>
