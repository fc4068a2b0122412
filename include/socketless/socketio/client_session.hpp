// socketio::client_session: the client's side: its sockets, over one connection after the other.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/must.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/limits.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/json/writer.hpp>
#include <socketless/socketio/acks.hpp>
#include <socketless/socketio/detail/client_socket.hpp>
#include <socketless/socketio/detail/inbox.hpp>
#include <socketless/socketio/encode.hpp>
#include <socketless/socketio/message_queue.hpp>
#include <socketless/socketio/packet.hpp>
#include <socketless/socketio/session.hpp>
#include <socketless/socketio/typed_event.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::socketio {

/// How a client behaves; names and defaults are socket.io-client's where it has them.
struct client_options {
    socketio::revision revision = revision::v5;
    /// How long an acknowledgement is awaited where the call does not say; for ever if empty.
    std::optional<milliseconds> ack_timeout = std::nullopt;
    /// How often an event that was not acknowledged is sent again. If it is not 0, events go one at a time, in order,
    /// each when the one before has been acknowledged or has failed: at least once, therefore, up to `retries` + 1
    /// tries. `ack_timeout` says how long a try takes.
    std::uint32_t retries = 0;
    /// Whether the state of a socket is recovered on the next connection, by a server that offers it.
    bool recovery = true;
    /// Bytes of events that may wait for a socket to connect or for their turn; another is refused (errc::buffer_full).
    std::size_t max_buffered = std::size_t{16} * 1024 * 1024;
    /// Bytes of events that may come before the answer to CONNECT; more ends the connection
    /// (disconnect_reason::queue_overflow).
    std::size_t max_early = std::size_t{1} * 1024 * 1024;
    /// Acknowledgements that may be awaited; asking for another is refused (errc::too_many_acks).
    std::size_t max_pending_acks = 65'536;
    /// Bytes that may wait for `poll_transmit`; more ends the connection (disconnect_reason::queue_overflow). A packet
    /// that is larger alone is refused (errc::message_too_large).
    std::size_t max_queued = std::size_t{16} * 1024 * 1024;
    socketless::limits limits = {};
};

/// Says that the auth of a namespace is asked for each time it is joined: event_type::connecting, answered by
/// `authenticate`.
struct ask_for_auth_t {};
inline constexpr ask_for_auth_t ask_for_auth{};

/// The client's sockets: messages in, messages out, over any channel that keeps their order. It outlives its
/// connections: sockets that are wanted are connected again on the next one, what was emitted meanwhile is sent then,
/// and where the server supports it their state is recovered.
///
///     A socket:
///                 connect()                      CONNECT                DISCONNECT, disconnect()
///     not wanted ----------> wanted: connecting ---------> connected ----------------------------> not wanted
///         ^                       |       ^                    |
///         '-- CONNECT_ERROR ------'       '--- connection lost-'   (connecting begins with the next `opened`)
///
///     disconnect() while connecting: the answer to CONNECT is awaited, and DISCONNECT sent then; nothing is told.
///
/// The loop is that of every session: after each input, or several (see `max_unread_inputs`), take events, then
/// transmits, until both run dry; then wait for input or `poll_timeout`. Packets are borrowed from the messages. The
/// time of a call that takes none is that of the last call that took one.
///
/// The application's write_json may throw, and so may an allocation. Then the call has done nothing; where it is
/// poll_event that throws, the connection ends (transport_error), since a message is lost.
class client_session {
public:
    /// `now` is what timeouts count from that are asked for before anything has happened.
    explicit client_session(client_options const& options = {}, time_point now = {}) : options_(options), now_(now) {}

    //=== what happened ===//

    /// A connection is open. Precondition: the last one, if any, has closed, and its events have been taken.
    void opened(time_point now) {
        SOCKETLESS_ASSERT(!is_open_ && !closed_due_ && ending_ == 0);
        now_ = now;
        is_open_ = true;
        root_ = root_state::awaited;
        for (socket& s : sockets_) {
            s.was_left = false;
            if (s.wanted && !socketless::detail::attempt([&] { begin_connect(s); })) return break_off();
        }
    }

    /// A message of the server.
    void message_received(frame message, time_point now) {
        if (is_open_ && !lost_)
            inbox_.push(message, now, now_);
        else
            now_ = now;
    }

    /// The connection is gone. Nothing is sent until the next one.
    void closed(disconnect_reason reason, time_point now) {
        bool const is_unread = !inbox_.empty();
        inbox_.pass_time(now, now_);
        if (!is_unread) return lose(reason);
        lost_ = reason; // once that has been read
    }

    /// Time has passed: to be called when `poll_timeout` is due. A spurious call is harmless.
    void handle_timeout(time_point now) { inbox_.pass_time(now, now_); }

    //=== what the application wants: sockets ===//

    /// Joins a namespace, now or when a connection is open; without auth, or with the auth of the last time. In
    /// revision 4 a query may follow a '?'. Errors: errc::invalid_namespace, errc::already_connected.
    result<socket_handle> connect(std::string_view nsp = "/") {
        return connect_with(nsp, [](socket&) { return result<void>(); });
    }
    /// Joins it with auth: any value that is written as a JSON object; null and an empty json::text are no auth.
    /// Errors: as above; errc::invalid_payload; errc::depth_exceeded; errc::message_too_large.
    template <class Auth>
    result<socket_handle> connect(std::string_view nsp, Auth const& auth) {
        return connect_with(nsp, [&](socket& s) { return s.set_auth(auth, bounds()); });
    }
    /// Joins it with auth that is asked for afresh each time.
    result<socket_handle> connect(std::string_view nsp, ask_for_auth_t) {
        return connect_with(nsp, [](socket& s) {
            s.asks_for_auth = true;
            return result<void>();
        });
    }

    /// Answers event_type::connecting. Errors: errc::invalid_payload; errc::depth_exceeded; errc::already_connected
    /// where nothing was asked.
    template <class Auth>
    result<void> authenticate(socket_handle handle, Auth const& auth) {
        socket* const s = find(handle);
        if (s == nullptr || s->state != socket_state::authenticating) return error{errc::already_connected};
        if (auto const set = s->set_auth(auth, bounds()); !set) return set;
        s->asks_for_auth = true;
        send_connect(*s);
        return {};
    }

    /// Leaves the namespace. Events that wait for it stay, and go if it is joined again.
    void disconnect(socket_handle handle) {
        socket* const s = find(handle);
        if (s == nullptr) return;
        if (s->state == socket_state::connected) put_disconnect(*s);
        s->wanted = false;
        if (s->state == socket_state::connected) {
            begin_end(*s, disconnect_reason::io_client_disconnect);
        } else if (s->state == socket_state::connecting) {
            s->state = socket_state::leaving; // the answer to CONNECT is on its way
            s->drop_early(early_size_);
        } else if (s->state == socket_state::authenticating) {
            s->state = socket_state::idle;
        }
    }

    //=== what the application wants: events ===//

    /// Emits an event: at once if the socket is connected, else when it is. Errors: errc::not_connected for a handle
    /// that names no socket; errc::reserved_event_name, errc::invalid_utf8; what no receiver with the same limits
    /// takes: errc::too_many_attachments, errc::attachments_too_large, errc::depth_exceeded; errc::message_too_large:
    /// it is larger than `max_queued` alone; errc::buffer_full; errc::queue_overflow: with it more than `max_queued`
    /// bytes would wait, and the connection ends.
    template <class... Args, event_name_for<Args...> Name>
    result<void> emit(socket_handle handle, Name const& name, Args const&... args) {
        return emit_event(handle, {}, detail::name_of(name), json::detail::passed_on(args)...);
    }

    /// Emits an event if it can go at once; else it is dropped. Errors: errc::would_wait, and as above.
    template <class... Args, event_name_for<Args...> Name>
    result<void> emit_volatile(socket_handle handle, Name const& name, Args const&... args) {
        socket const* const s = find(handle);
        if (s == nullptr) return error{errc::not_connected};
        if (s->state != socket_state::connected || !queue_.empty()) return error{errc::would_wait};
        return put_event(*s, std::nullopt, detail::name_of(name), json::detail::passed_on(args)...);
    }

    /// Emits an event and asks for its acknowledgement, which ends in one event_type::ack with the id that is returned.
    /// `timeout` counts from now, or with `retries` from each try; without one it is `ack_timeout`.
    /// Errors: as above, and errc::too_many_acks.
    template <class... Args, event_name_for<Args...> Name>
    result<std::uint64_t> emit_with_ack(socket_handle handle, std::optional<milliseconds> timeout, Name const& name,
                                        Args const&... args) {
        if (acks_.size() >= options_.max_pending_acks) return error{errc::too_many_acks};
        ack_wish const wish{++last_ack_id_, timeout ? timeout : options_.ack_timeout};
        if (auto const emitted = emit_event(handle, wish, detail::name_of(name), json::detail::passed_on(args)...);
            !emitted)
            return emitted.error();
        return wish.id;
    }

    /// Acknowledges an event, once: `request` is empty afterwards. Errors: errc::already_acknowledged;
    /// errc::not_connected where the socket has been disconnected since; those of `emit`, after which it may be tried
    /// again.
    template <class... Args>
    result<void> acknowledge(ack_request& request, Args const&... args) {
        if (!request) return error{errc::already_acknowledged};
        socket const* const s = find(request.socket());
        bool const good = s != nullptr && s->state == socket_state::connected && request.connection() == s->connection;
        if (!good) return error{errc::not_connected};
        if (auto const put = queue_.put_ack(bounds(), {s->name(), request.id()}, json::detail::passed_on(args)...);
            !put)
            return put;
        request.clear();
        return check_queue();
    }

    //=== what it means, what to do, when to come back ===//

    /// The next event, or nothing until there is other input: connecting, connected, connect_error, event, ack,
    /// disconnected, and closed once for each connection.
    [[nodiscard]] std::optional<event> poll_event() {
        std::optional<event> e = detail::no_event();
        poll_event(e);
        return e;
    }
    /// The same in place, for the layers above: events are large. Precondition: `e` is empty.
    void poll_event(std::optional<event>& e) {
        socketless::detail::rollback undo([this]() noexcept { break_off(); });
        while (!e && step(e)) {
        }
        undo.commit();
    }

    /// The next thing to do, or nothing until there is other input.
    [[nodiscard]] std::optional<transmit> poll_transmit() noexcept {
        if (lost_) return std::nullopt;
        if (!queue_.empty()) {
            frame const message = queue_.front();
            queue_.pop();
            return transmit{transmit_type::message, message};
        }
        if (std::exchange(close_due_, false)) return transmit{transmit_type::close, {}};
        return std::nullopt;
    }

    /// Whether `poll_transmit` has something to give.
    [[nodiscard]] bool has_transmit() const noexcept { return !lost_ && (close_due_ || !queue_.empty()); }

    /// When `handle_timeout` is to be called, if ever. Changes with every input and every acknowledgement asked for.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept { return acks_.next_deadline(); }

    //=== what it is ===//

    [[nodiscard]] client_options const& options() const noexcept { return options_; }
    /// Whether any socket is connected or is to be.
    [[nodiscard]] bool is_active() const noexcept { return std::ranges::any_of(sockets_, &socket::wanted); }
    [[nodiscard]] bool is_connected(socket_handle handle) const noexcept {
        socket const* const s = find(handle);
        return s != nullptr && s->state == socket_state::connected;
    }
    /// The socket's id, and its namespace; empty where there is none.
    [[nodiscard]] std::string_view sid(socket_handle handle) const noexcept {
        return is_connected(handle) ? std::string_view(find(handle)->sid) : std::string_view();
    }
    [[nodiscard]] std::string_view nsp(socket_handle handle) const noexcept {
        socket const* const s = find(handle);
        return s == nullptr ? std::string_view() : s->name();
    }
    /// How many sockets there are: their handles are {0, 1} to {size() - 1, 1}.
    [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(sockets_.size()); }
    /// Why the last connection ended.
    [[nodiscard]] disconnect_reason reason() const noexcept { return reason_; }
    /// Bytes of events that wait for their socket to connect, or for their turn.
    [[nodiscard]] std::size_t buffered() const noexcept { return buffered_; }

private:
    using socket = detail::client_socket;
    using socket_state = detail::client_socket_state;
    using stored_packet = detail::stored_packet;

    static constexpr std::size_t no_bound = std::numeric_limits<std::size_t>::max();

    [[nodiscard]] packet_bounds bounds() const noexcept { return {options_.max_queued, options_.limits}; }

    // Where "/" is in revision 4, in which a server joins it by itself: its CONNECT is to come, has come, or is undone.
    enum class root_state : std::uint8_t { awaited, joined, left };

    // The acknowledgement that an event asks for; none if the id is 0.
    struct ack_wish {
        std::uint64_t id = 0;
        std::optional<milliseconds> timeout;
    };

    //=== sockets ===//

    [[nodiscard]] socket const* find(socket_handle handle) const noexcept {
        return handle.generation == 1 && handle.index < sockets_.size() ? &sockets_[handle.index] : nullptr;
    }
    [[nodiscard]] socket* find(socket_handle handle) noexcept {
        return const_cast<socket*>(std::as_const(*this).find(handle));
    }
    [[nodiscard]] socket* find(std::string_view nsp) noexcept {
        for (socket& s : sockets_)
            if (s.name() == nsp) return &s;
        return nullptr;
    }

    template <class SetAuth>
    result<socket_handle> connect_with(std::string_view nsp, SetAuth set_auth) {
        if (auto const good = detail::check_namespace(nsp); !good) return good.error();
        // Long-polling of revision 4 cannot carry it.
        if (auto const separator = nsp.find('\x1e'); separator != std::string_view::npos)
            return error{errc::invalid_namespace, separator};
        auto const question = options_.revision == revision::v4 ? nsp.find('?') : std::string_view::npos;
        auto const name = nsp.substr(0, question);
        socket* s = find(name);
        if (s != nullptr && s->wanted) return error{errc::already_connected};
        bool const is_new = s == nullptr;
        if (is_new) s = &sockets_.emplace_back(static_cast<std::uint32_t>(sockets_.size()), name);
        socketless::detail::rollback undo([&]() noexcept {
            s->wanted = false;
            if (is_new) sockets_.pop_back();
        });
        s->query.reset();
        if (question != std::string_view::npos) s->query.emplace(nsp.substr(question + 1));
        if (auto const set = set_auth(*s); !set) return set.error();
        s->wanted = true;
        if (is_open_ && s->state == socket_state::idle) begin_connect(*s);
        undo.commit();
        return s->handle();
    }

    void begin_connect(socket& s) {
        if (!s.asks_for_auth) return send_connect(s);
        s.state = socket_state::authenticating;
        if (!std::exchange(s.question_due, true)) ++asking_; // it may be due since before the socket was left
    }

    void send_connect(socket& s) {
        if (options_.revision == revision::v4 && s.name() == "/" && root_ != root_state::left) {
            s.state = socket_state::connecting;
            root_due_ = root_ == root_state::joined;
            return;
        }
        auto const encode_it = [&](std::string& text, attachment_list&) {
            bool const bare = options_.revision == revision::v4 || (s.auth.empty() && s.pid.empty());
            if (!bare) return encode_connect(text, s.name(), s);
            packet connect;
            connect.type = packet_type::connect;
            connect.nsp = s.name();
            connect.query = s.query;
            return encode(text, connect);
        };
        socketless::detail::must(queue_.put(no_bound, encode_it)); // both were checked when they were given
        s.state = socket_state::connecting;
    }

    void put_disconnect(socket& s) {
        auto const encode_it = [&](std::string& text, attachment_list&) { return encode_disconnect(text, s.name()); };
        socketless::detail::must(queue_.put(no_bound, encode_it));
        s.was_left = true;
        if (s.name() == "/") root_ = root_state::left;
    }

    //=== events ===//

    // Does the next thing that is to be done, of which an event may come. Returns false where there is nothing.
    [[nodiscard]] bool step(std::optional<event>& e) {
        inbox_.go_on(now_);
        if (auto const expired = acks_.take_expired(now_))
            return end_ack(e, *expired, ack_outcome::timed_out, {}), true;
        if (ending_ != 0) return end_socket(e), true;
        if (std::exchange(closed_due_, false)) {
            inbox_.clear(); // not before: the event that was being handled may have been in it
            e.emplace().reason = reason_;
            return true;
        }
        if (!is_open_) return false;
        if (asking_ != 0) return ask(e), true;
        if (early_ != 0) return deliver_early(e), true;
        if (std::exchange(root_due_, false)) return take(e, connect_of_root()), true;
        if (!inbox_.has_next()) {
            if (!inbox_.empty()) return true;
            release();
            if (!lost_) return false;
            return lose(*lost_), true;
        }
        message m;
        auto const any = [](header const&) { return true; };
        auto const complete = inbox_.next(m, options_.revision, options_.limits, any);
        if (!complete && complete.error().code == errc::queue_overflow)
            end(disconnect_reason::queue_overflow);
        else if (!complete && !take_other_revision(e))
            end(disconnect_reason::parse_error);
        else if (complete && *complete)
            take(e, m);
        return true;
    }

    // What the last events borrowed has been handled.
    void release() noexcept {
        inbox_.release();
        if (!std::exchange(is_current_, false)) return;
        stored_packet handled; // a string that is assigned an empty one would keep its memory
        std::swap(current_, handled);
        current_attachments_ = {};
    }

    static event& tell(std::optional<event>& e, event_type type, socket const& s) noexcept {
        event& told = e.emplace();
        told.type = type;
        told.socket = s.handle();
        told.nsp = s.name();
        return told;
    }

    //=== ends ===//

    void begin_end(socket& s, disconnect_reason reason) noexcept {
        s.state = socket_state::ending;
        s.reason = reason;
        s.last_ack_id = last_ack_id_;
        if (!s.early.empty()) --early_;
        s.drop_early(early_size_);
        ++ending_;
    }

    // The connection is gone.
    void lose(disconnect_reason reason) {
        lost_.reset();
        end(reason);
        close_due_ = false;
        queue_.clear();
    }

    // The connection ends: nothing is read any more.
    void end(disconnect_reason reason) noexcept {
        if (!std::exchange(is_open_, false)) return;
        reason_ = reason;
        closed_due_ = true;
        close_due_ = !lost_.has_value();
        if (lost_) queue_.clear();
        lost_.reset();
        inbox_.stop(); // the event that is being handled may be in it
        root_due_ = false;
        asking_ = 0;
        for (socket& s : sockets_) {
            s.question_due = false;
            if (s.state == socket_state::connected) {
                begin_end(s, reason);
            } else if (s.state != socket_state::ending) {
                s.state = socket_state::idle;
                s.drop_early(early_size_);
            }
        }
    }

    // A message was lost because memory was: the connection is worth no more than one that is cut.
    void break_off() noexcept {
        queue_.clear();
        end(disconnect_reason::transport_error);
    }

    // The next event of the sockets that are ending: each with the acknowledgements that are awaited on it.
    void end_socket(std::optional<event>& e) {
        for (socket& s : sockets_) {
            if (s.state != socket_state::ending) continue;
            if (auto const awaited = acks_.take_of(s.index, s.last_ack_id))
                return end_ack(e, *awaited, ack_outcome::disconnected, {});
            --ending_;
            tell(e, event_type::disconnected, s).reason = s.reason;
            s.state = socket_state::idle;
            // It was asked for meanwhile.
            if (is_open_ && s.wanted && !socketless::detail::attempt([&] { begin_connect(s); })) break_off();
            return;
        }
    }

    // An acknowledgement has come to an end: of an event that is sent until it is acknowledged, or of another.
    void end_ack(std::optional<event>& e, pending_ack const& ack, ack_outcome outcome, message const& answer) {
        socket& s = sockets_[ack.socket];
        auto id = ack.id;
        if (s.awaits_try(ack.id)) {
            auto& first = s.retries.front();
            bool const done = outcome == ack_outcome::answered || first.tries > options_.retries;
            id = done ? first.ack_id : 0;
            first.is_pending = false;
            if (done) {
                buffered_ -= first.packet.size();
                s.retries.pop_front();
            }
            // A try that cannot be made ends the connection: the next one makes it.
            if (!socketless::detail::attempt([&] { send_next_try(s); })) break_off();
        } else if (outcome == ack_outcome::timed_out) {
            buffered_ -= s.forget_waiting(ack.id);
        }
        if (id == 0) return;
        event& told = tell(e, event_type::ack, s);
        told.packet = answer;
        told.id = id;
        told.outcome = outcome;
    }

    //=== packets in ===//

    // A socket whose auth is to be asked for.
    void ask(std::optional<event>& e) {
        for (socket& s : sockets_) {
            if (!std::exchange(s.question_due, false)) continue;
            --asking_;
            if (s.state != socket_state::authenticating) continue;
            tell(e, event_type::connecting, s);
            return;
        }
    }

    // What came before the answer to CONNECT, after it.
    void deliver_early(std::optional<event>& e) {
        for (socket& s : sockets_) {
            if (s.state != socket_state::connected || s.early.empty()) continue;
            current_ = std::move(s.early.front());
            is_current_ = true;
            s.early.pop();
            early_size_ -= current_.size();
            if (s.early.empty()) {
                s.early = {}; // gives the memory back
                --early_;
            }
            return take_event(e, s, current_.view(current_attachments_));
        }
    }

    // What the server has sent for "/" in revision 4, once more for a socket that was not there then.
    static message connect_of_root() noexcept {
        message m;
        m.packet.type = packet_type::connect;
        return m;
    }

    // What the server says of "/", which it joins unasked in revision 4.
    void note_root(packet_type type) noexcept {
        if (type == packet_type::connect) root_ = root_state::joined;
        if (type == packet_type::disconnect) root_ = root_state::left;
        // Refused, it does not come unasked any more. To one that has joined that is an error of the application's.
        if (type == packet_type::connect_error && root_ == root_state::awaited) root_ = root_state::left;
    }

    void take(std::optional<event>& e, message const& m) {
        packet const& p = m.packet;
        if (p.nsp == "/") note_root(p.type);
        socket* const s = find(p.nsp);
        if (s == nullptr) return;
        if (p.type == packet_type::connect) return take_connect(e, *s, p);
        if (p.type == packet_type::connect_error) return take_connect_error(e, *s, p);
        // After DISCONNECT, what comes before the answer to another CONNECT was sent before the server read it.
        bool const is_early = s->state == socket_state::connecting && !s->was_left;
        if (is_early && is_event(p.type)) return keep_early(*s, m);
        if (s->state != socket_state::connected) return;
        if (is_event(p.type)) return take_event(e, *s, m);
        if (p.type == packet_type::disconnect) {
            s->wanted = false;
            return begin_end(*s, disconnect_reason::io_server_disconnect);
        }
        if (auto const awaited = acks_.take(*p.id, s->index)) end_ack(e, *awaited, ack_outcome::answered, m);
    }

    void take_connect(std::optional<event>& e, socket& s, packet const& p) {
        if (s.state == socket_state::leaving) {
            put_disconnect(s);
            return has_left(s);
        }
        if (s.state != socket_state::connecting) return;
        auto const text_of = [&p](std::string_view key) {
            auto const value = p.data.find(key);
            return value ? value->get<std::string>().value_or("") : std::string();
        };
        s.sid = text_of("sid");
        if (s.sid.empty() && options_.revision == revision::v5) return refuse_revision(e, s);
        auto pid = text_of("pid");
        put_waiting(s); // may throw, as may what is above: nothing of the socket has changed then
        bool const recovered = !pid.empty() && pid == s.pid;
        if (!recovered) s.offset.clear();
        s.pid = options_.recovery ? std::move(pid) : std::string();
        s.state = socket_state::connected;
        ++s.connection;
        if (!s.early.empty()) ++early_;
        forget_waiting(s);
        static_cast<void>(check_queue());
        // A try that cannot be made ends the connection: the next one makes it.
        if (!socketless::detail::attempt([&] { send_next_try(s); })) break_off();
        event& told = tell(e, event_type::connected, s);
        told.sid = s.sid;
        told.recovered = recovered;
    }

    // The server speaks another revision: 4 answers CONNECT without an id, 5 with what revision 4 cannot read.
    void refuse_revision(std::optional<event>& e, socket& s) {
        constexpr std::string_view of_v4 = R"("the server speaks revision 5 of Socket.IO, this client revision 4")";
        constexpr std::string_view of_v5 = R"("the server speaks revision 4 of Socket.IO, this client revision 5")";
        refuse(s);
        event& told = tell(e, event_type::connect_error, s);
        told.reason = disconnect_reason::unsupported_revision;
        told.message = json::text::trusted(options_.revision == revision::v4 ? of_v4 : of_v5);
    }

    // Whether what could not be read is the answer of revision 5 to CONNECT.
    [[nodiscard]] bool take_other_revision(std::optional<event>& e) {
        frame const last = inbox_.last();
        if (options_.revision != revision::v4 || last.kind != frame_kind::text) return false;
        auto const p = decode(last.data, revision::v5, options_.limits);
        if (!p || p->type != packet_type::connect || !p->data.find("sid")) return false;
        socket* const s = find(p->nsp.substr(0, p->nsp.find('?')));
        if (s == nullptr || s->state != socket_state::connecting) return false;
        refuse_revision(e, *s);
        return true;
    }

    void take_connect_error(std::optional<event>& e, socket& s, packet const& p) {
        if (s.state == socket_state::leaving) return has_left(s);
        if (s.state != socket_state::connecting) return;
        refuse(s);
        event& told = tell(e, event_type::connect_error, s);
        if (!p.data.is(json::kind::object)) {
            told.message = p.data;
        } else if (options_.revision == revision::v4) { // the data of the error instead of its message
            told.data = p.data;
        } else {
            told.message = p.data.find("message").value_or(json::text());
            told.data = p.data.find("data").value_or(json::text());
        }
    }

    // The server does not let it in.
    void refuse(socket& s) {
        s.wanted = false;
        s.state = socket_state::idle;
        s.drop_early(early_size_);
    }

    // It was left before it was joined; it may have been asked for again since.
    void has_left(socket& s) {
        s.state = socket_state::idle;
        if (s.wanted) begin_connect(s);
    }

    void take_event(std::optional<event>& e, socket& s, message const& m) {
        auto const& id = m.packet.id;
        if (!s.pid.empty() && !id) s.note_offset(m.arguments());
        event& told = tell(e, event_type::event, s);
        told.packet = m;
        if (id) told.ack = ack_request(told.socket, *id, s.connection);
    }

    void keep_early(socket& s, message const& m) {
        auto copy = stored_packet::copy_of(m);
        std::size_t const size = copy.size();
        s.early.push(std::move(copy));
        early_size_ += size;
        if (early_size_ > options_.max_early) end(disconnect_reason::queue_overflow);
    }

    //=== packets out ===//

    template <class Name, class... Args>
    result<void> emit_event(socket_handle handle, ack_wish const& wish, Name const& name, Args const&... args) {
        socket* const s = find(handle);
        if (s == nullptr) return error{errc::not_connected};
        auto const id = wish.id != 0 && options_.retries == 0 ? std::optional(wish.id) : std::nullopt;
        if (s->state == socket_state::connected && options_.retries == 0) {
            if (!id) return put_event(*s, id, name, args...);
            await(*s, wish.id, wish.timeout);
            socketless::detail::rollback undo([&]() noexcept { static_cast<void>(acks_.take(*id, s->index)); });
            if (auto const put = put_event(*s, id, name, args...); !put) return put;
            undo.commit();
            return {};
        }
        auto packet = stored_packet::event(bounds(), {s->name(), id}, detail::name_of(name), args...);
        if (!packet) return packet.error();
        std::size_t const size = packet->size();
        if (size > options_.max_buffered - buffered_) return error{errc::buffer_full};
        if (options_.retries != 0) {
            s->retries.push_back({std::move(*packet), wish.id, wish.timeout ? wish.timeout : options_.ack_timeout});
            buffered_ += size;
            // A try that cannot be made ends the connection: the next one makes it.
            if (!socketless::detail::attempt([&] { send_next_try(*s); })) break_off();
            static_cast<void>(check_queue()); // it is tried again
            return {};
        }
        s->waiting.push_back({std::move(*packet), wish.id});
        socketless::detail::rollback undo([s]() noexcept { s->waiting.pop_back(); });
        if (id) await(*s, wish.id, wish.timeout);
        undo.commit();
        buffered_ += size;
        return {};
    }

    template <class Name, class... Args>
    result<void> put_event(socket const& s, std::optional<std::uint64_t> id, Name const& name, Args const&... args) {
        if (auto const put = queue_.put_event(bounds(), {s.name(), id}, name, args...); !put) return put;
        return check_queue();
    }

    void await(socket const& s, std::uint64_t id, std::optional<milliseconds> timeout) {
        acks_.await({id, s.index, 0, timeout ? std::optional(deadline(now_, *timeout)) : std::nullopt});
    }

    // The socket is connected: what was emitted before goes now.
    void put_waiting(socket const& s) {
        for (auto const& waiting : s.waiting) put_stored(waiting.packet, std::nullopt);
    }
    void forget_waiting(socket& s) noexcept {
        for (auto const& waiting : s.waiting) buffered_ -= waiting.packet.size();
        std::vector<socket::waiting_event>().swap(s.waiting);
    }

    // Sends the first of the events that are sent until they are acknowledged, unless that is under way.
    void send_next_try(socket& s) {
        if (s.state != socket_state::connected || s.retries.empty() || s.retries.front().is_pending) return;
        auto& first = s.retries.front();
        auto const id = ++last_ack_id_;
        await(s, id, first.timeout);
        socketless::detail::rollback undo([&]() noexcept { static_cast<void>(acks_.take(id, s.index)); });
        put_stored(first.packet, id);
        undo.commit();
        first.is_pending = true;
        ++first.tries;
        first.try_id = id;
    }

    void put_stored(stored_packet const& packet, std::optional<std::uint64_t> id) {
        socketless::detail::must(packet.put(queue_, id)); // it has been encoded before
    }

    result<void> check_queue() {
        if (!queue_.exceeds(options_.max_queued)) return {};
        queue_.clear();
        end(disconnect_reason::queue_overflow);
        return error{errc::queue_overflow};
    }

    client_options options_;
    disconnect_reason reason_{};
    std::optional<disconnect_reason> lost_; // the connection, while the inbox holds what came before
    bool is_open_ = false;
    bool closed_due_ = false; // the event
    bool close_due_ = false;  // the transmit
    root_state root_ = root_state::awaited;
    bool root_due_ = false; // it is joined already, and is to be told so
    // How many sockets are ending, have a question to ask, have early events to deliver.
    std::size_t ending_ = 0;
    std::size_t asking_ = 0;
    std::size_t early_ = 0;
    std::size_t early_size_ = 0;
    std::size_t buffered_ = 0;
    std::uint64_t last_ack_id_ = 0;
    time_point now_{};
    std::deque<socket> sockets_;
    detail::inbox inbox_;
    message_queue queue_;
    pending_acks acks_;
    stored_packet current_; // the early event that was delivered last, if it may be borrowed still
    bool is_current_ = false;
    attachment_list current_attachments_;
};

} // namespace socketless::inline v0::socketio

#include <socketless/core/detail/epilogue.hpp>
