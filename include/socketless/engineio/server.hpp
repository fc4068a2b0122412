// engineio::server: the sessions of many connections: made, found, timed and forgotten.
#pragma once

#include <socketless/core/assert.hpp>
#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/index_queue.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/slot_map.hpp>
#include <socketless/core/detail/timer_wheel.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/connection_event.hpp>
#include <socketless/engineio/handshake_request.hpp>
#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/server_session.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/engineio/stream.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/text/percent.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio {

/// An event, and the session it belongs to.
struct server_event {
    session_handle session;
    engineio::event event;
};

/// All sessions of a process, or of one of its threads: two servers share nothing. Checks each request, answers those
/// that are wrong, hands the others to their session, and runs the timers of all.
///
///     for (;;) {
///         if (auto e = server.poll_event()) { ...; continue; }            // for the application
///         if (auto t = server.poll_transmit(buffer)) { ...; continue; }   // for the I/O layer
///         wait for input, or until server.poll_timeout();
///     }
///
/// The work for one input, event, transmit or timer is constant, however many sessions there are. Exchanges and
/// channels are named by the caller. Each exchange is answered exactly once, unless it was aborted.
///
/// The random source may throw, and so may an allocation. An input that throws was not taken: its exchange is the
/// caller's to answer (503), its channel to close. What throws while a session is worked for ends that one at most
/// (transport_error).
class server {
public:
    server(server_options options, random_source random)
        : options_(std::move(options)), random_(std::move(random)), log_(options_.max_connection_events) {}

    server(server const&) = delete; // the sessions refer to the options
    server& operator=(server const&) = delete;

    [[nodiscard]] server_options const& options() const noexcept { return options_; }

    //=== what happened ===//

    /// The head of a request has been read, its body is on its way; `http_received` or `http_aborted` follows.
    /// Optional: an I/O layer that tells this lets the server notice a second POST of a session while the first is
    /// still read, which the protocol asks for, and one that is given up half-way. Either closes the session.
    void http_started(http_request const& request, time_point) {
        if (request.method != http_method::post) return;
        auto const checked = check({request.target, transport_use::http, request.method, request.context});
        if (!checked) return; // it is refused when it is whole
        slot& s = slots_[checked.session];
        if (s.post) {
            s.session->break_off();
            return touch(checked.session);
        }
        if (exchanges_.emplace(request.exchange, checked.session).second) s.post = request.exchange;
    }

    /// A request by long-polling, its body whole; `http_started` may have told of it before.
    void http_received(http_request const& request, time_point now) {
        end_post(request.exchange);
        auto const checked = check({request.target, transport_use::http, request.method, request.context});
        if (!checked) return refuse(request, *checked.refused);
        if (checked.session == none)
            return make_session(exchanges_, request.exchange, checked, {request.target, request.context},
                                [&](server_session& s) { s.open_polling(request.exchange, now); });
        dispatch(request, checked.session, now);
    }

    /// The client has given up an exchange. An answer that is already due may still come, and is to be dropped.
    void http_aborted(exchange_id exchange, time_point) {
        auto const found = exchanges_.find(exchange);
        if (found == exchanges_.end()) return;
        std::uint32_t const index = found->second;
        server_session& session = *slots_[index].session;
        if (!end_post(exchange)) {
            exchanges_.erase(found);
            session.exchange_aborted(exchange);
        } else if (session.takes_polling()) {
            session.break_off();
        }
        touch(index);
    }

    /// Whether a target is this server's: see `is_under`. The I/O layer answers the others; given them, the server
    /// refuses them with 404.
    [[nodiscard]] bool takes(std::string_view target) const noexcept { return is_under(target, options_.path); }

    /// How the request for a WebSocket is to be refused; nothing if the WebSocket may be opened.
    [[nodiscard]] std::optional<refusal> websocket_refusal(std::string_view target, std::uint64_t context = 0) {
        auto const checked = check({target, transport_use::websocket, http_method::get, context});
        if (!checked) note_refusal(0, context, *checked.refused);
        return checked.refused;
    }

    /// A WebSocket is open. Where `websocket_refusal` would refuse it, it is closed.
    void websocket_opened(websocket_request const& request, time_point now) {
        auto const [channel, target, context, is_checked] = request;
        auto const checked = check({target, transport_use::websocket, http_method::get, context, is_checked});
        if (!checked) return refuse_channel(channel, context, *checked.refused);
        if (checked.session == none)
            return make_session(channels_, channel, checked, {target, context},
                                [&, name = channel](server_session& s) { s.open_websocket(name, now); });
        server_session& session = *slots_[checked.session].session;
        auto const offer = [&, name = channel] { return session.offer_channel(name, nullptr, now); };
        if (!assign(channels_, channel, checked.session, offer)) return refuse_channel(channel, context, {});
        if (checked.base64) session.use_base64(channel);
        touch(checked.session);
    }
    void websocket_opened(channel_id channel, std::string_view target, time_point now) {
        websocket_opened({.channel = channel, .target = target}, now);
    }

    /// A message of a WebSocket.
    void websocket_received(channel_id channel, frame message, time_point now) {
        auto const found = channels_.find(channel);
        if (found == channels_.end()) return;
        slots_[found->second].session->websocket_received(channel, message, now);
        touch(found->second);
    }

    /// A stream is open; its first packet, within `upgrade_timeout`, says which session it is for.
    /// `context`: see handshake_request.
    void stream_opened(channel_id channel, time_point now, std::uint64_t context = 0) {
        if (!options_.transports.contains(transport::webtransport))
            return refuse_channel(channel, context, {request_error::unknown_transport});
        new_stream_deadlines_.push_back({socketless::deadline(now, options_.upgrade_timeout), channel, ++last_stream_});
        new_streams_.emplace(channel,
                             new_stream{std::make_unique<stream_reader>(options_.max_payload), last_stream_, context});
    }

    /// The next bytes of a stream.
    void stream_received(channel_id channel, std::string_view chunk, time_point now) {
        if (auto const found = channels_.find(channel); found != channels_.end()) {
            socketless::detail::rollback undo([&]() noexcept { fail(found->second); }); // the rest would make no sense
            slots_[found->second].session->stream_received(channel, chunk, now);
            undo.commit();
            return touch(found->second);
        }
        auto const fresh = new_streams_.find(channel);
        if (fresh == new_streams_.end()) return;
        fresh->second.reader->push(chunk);
        auto const first = fresh->second.reader->next();
        if (!first) return;
        auto stream = std::move(fresh->second);
        new_streams_.erase(fresh);
        open_stream(channel, *first, std::move(stream), now);
    }

    /// A WebSocket or a stream is gone. A close of it that is already due may still come, and is to be dropped.
    void channel_closed(channel_id channel, time_point now) {
        new_streams_.erase(channel);
        auto const found = channels_.find(channel);
        if (found == channels_.end()) return;
        std::uint32_t const index = found->second;
        channels_.erase(found);
        slots_[index].session->channel_closed(channel, now);
        touch(index);
    }

    /// Nothing more is to be sent on a channel until `resume`, because a write is under way.
    void pause(channel_id channel) {
        if (auto const found = channels_.find(channel); found != channels_.end())
            slots_[found->second].session->pause(channel);
        else if (auto const fresh = new_streams_.find(channel); fresh != new_streams_.end())
            fresh->second.paused = true;
    }
    void resume(channel_id channel) {
        if (auto const fresh = new_streams_.find(channel); fresh != new_streams_.end()) fresh->second.paused = false;
        auto const found = channels_.find(channel);
        if (found == channels_.end()) return;
        slots_[found->second].session->resume(channel);
        touch(found->second);
    }

    /// Time has passed. A spurious call is harmless.
    void handle_timeout(time_point now) {
        timers_.advance(now, [this, now](std::uint32_t index) {
            if (!slots_[index].is_used()) return;
            slots_[index].session->handle_timeout(now);
            touch(index);
        });
        for (; !new_stream_deadlines_.empty() && new_stream_deadlines_.front().at <= now;
             new_stream_deadlines_.pop_front()) {
            auto const& expired = new_stream_deadlines_.front();
            auto const found = new_streams_.find(expired.channel);
            if (found == new_streams_.end() || found->second.number != expired.number) continue;
            refuse_channel(expired.channel, found->second.context, {});
            new_streams_.erase(found);
        }
    }

    //=== what the application wants ===//

    /// Queues a message. Errors: those of server_session::send; errc::not_open also for a session that has ended.
    result<void> send(session_handle session, frame message) {
        return with(session, [&](server_session& s) { return s.send(message); });
    }
    result<void> send(session_handle session, shared_message message) {
        return with(session, [&](server_session& s) { return s.send(std::move(message)); });
    }

    /// Sends a message if it would go at once. Errors: errc::would_wait, and those of `send`.
    result<void> send_volatile(session_handle session, frame message) {
        return with(session, [&](server_session& s) { return s.send_volatile(message); });
    }
    result<void> send_volatile(session_handle session, shared_message message) {
        return with(session, [&](server_session& s) { return s.send_volatile(std::move(message)); });
    }

    /// Closes a session once all that is queued for it has gone.
    void close(session_handle session, time_point now) {
        if (find(session) == nullptr) return;
        slots_[session.index].session->close(now);
        touch(session.index);
    }

    /// The layer above could not read a message of the session, and is about to close it: connection_event says so.
    void blame(session_handle session, errc cause) {
        if (find(session) != nullptr) slots_[session.index].session->blame(cause);
    }

    /// Closes a session at once.
    void abort(session_handle session, close_reason reason = close_reason::forced_close) {
        if (find(session) == nullptr) return;
        slots_[session.index].session->abort(reason);
        touch(session.index);
    }

    /// Closes all sessions once all that is queued has gone. Linear in their number.
    void close_all(time_point now) {
        for (std::uint32_t index = 0; index != slots_.indices(); ++index)
            if (slots_[index].is_used()) close(handle(index), now);
    }

    /// The session, or null where it has ended. Valid until the next call that is not const.
    [[nodiscard]] server_session const* find(session_handle session) const noexcept {
        auto const* const found = slots_.find(session);
        return found == nullptr ? nullptr : &*found->session;
    }

    /// The request with which the session began; empty where it has ended. Views live as long as the session.
    [[nodiscard]] handshake_request handshake(session_handle session) const noexcept {
        auto const* const s = find(session);
        return s == nullptr ? handshake_request() : s->handshake();
    }

    /// How many sessions there are.
    [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }

    //=== what it means, what to do, when to come back ===//

    /// The next event of any session.
    [[nodiscard]] std::optional<server_event> poll_event() {
        while (!with_events_.empty()) {
            std::uint32_t const index = with_events_.front();
            socketless::detail::rollback undo([&]() noexcept { fail(index); }); // what could not be read is lost
            auto const e = slots_[index].session->poll_event();
            undo.commit();
            if (e) {
                if (log_.is_on() && e->type != event_type::message)
                    socketless::detail::attempt([&] { note(index, *e); }); // the event counts more than the note of it
                return server_event{handle(index), *e};
            }
            with_events_.pop();
            with_transmits_.push(index);
        }
        return std::nullopt;
    }

    /// What has happened to connections and requests, if `max_connection_events` asks for it: to be taken, as the
    /// events are, after each input. It says nothing that the protocol needs.
    [[nodiscard]] std::optional<connection_event> poll_connection_event() noexcept { return log_.take(); }

    /// The next thing to do, for any session. Its views live until the next call that is not const, or until
    /// `buffer` is used again.
    [[nodiscard]] std::optional<transmit> poll_transmit(std::string& buffer) {
        if (!immediate_.empty()) {
            transmit t = immediate_.front().what;
            if (auto const& body = immediate_.front().body; !body.empty()) {
                buffer = body;
                t.data.data = buffer;
            }
            immediate_.pop();
            return t;
        }
        while (!with_transmits_.empty()) {
            std::uint32_t const index = with_transmits_.front();
            server_session& session = *slots_[index].session;
            socketless::detail::rollback undo([&]() noexcept { fail(index); }); // and what could not be written
            auto const t = session.poll_transmit(buffer);
            undo.commit();
            if (t) {
                if (t->type == transmit_type::respond) exchanges_.erase(t->id);
                if (t->type == transmit_type::close) channels_.erase(t->id);
                touch(index); // it may have drained, or ended
                return t;
            }
            with_transmits_.pop();
            if (!with_events_.contains(index) && session.is_done())
                forget(index);
            else
                set_timer(index);
        }
        return std::nullopt;
    }

    /// When `handle_timeout` is to be called, if ever; a call at that time may find nothing to do. Constant time.
    [[nodiscard]] std::optional<time_point> poll_timeout() const noexcept {
        auto const streams =
            new_stream_deadlines_.empty() ? std::nullopt : std::optional(new_stream_deadlines_.front().at);
        return earlier(timers_.next(), streams);
    }

private:
    static constexpr std::uint32_t none = 0xffffffff;

    enum class transport_use : std::uint8_t { http, websocket };

    struct slot : socketless::detail::slot {
        std::optional<server_session> session;
        std::optional<exchange_id> post; // its body is on its way
    };

    struct request_to_check {
        std::string_view target;
        transport_use use;
        http_method method;
        std::uint64_t context;
        bool is_allowed = false; // the application has said so already
    };

    // What a request asks for, or why it is refused.
    struct checked_request {
        std::optional<refusal> refused = {};
        std::uint32_t session = none; // none: a handshake
        engineio::revision revision = revision::v4;
        bool base64 = false;

        explicit operator bool() const noexcept { return !refused; }
    };

    struct immediate_transmit {
        transmit what;
        std::string body; // where it is not one of the protocol's own
    };

    // A stream that has not said yet which session it is for. Its number tells it from others of the same name.
    struct new_stream {
        std::unique_ptr<stream_reader> reader;
        std::uint64_t number;
        std::uint64_t context;
        bool paused = false;
    };

    struct stream_deadline {
        time_point at;
        channel_id channel;
        std::uint64_t number;
    };

    [[nodiscard]] static checked_request refused(request_error e) { return {.refused = refusal{e, status(e)}}; }

    // The reference's checks, in its order.
    [[nodiscard]] checked_request check(request_to_check const& r) const {
        if (r.target.size() > options_.max_target) return refused(request_error::bad_request);
        auto const t = parse_request_target(r.target);
        if (!t) return refused(request_error::bad_request);
        if (!takes(r.target)) return {.refused = refusal{request_error::bad_request, 404}};
        if (!t->transport || !options_.transports.contains(*t->transport) || *t->transport == transport::webtransport)
            return refused(request_error::unknown_transport);
        bool const fits = *t->transport == (r.use == transport_use::http ? transport::polling : transport::websocket);
        if (t->sid) {
            std::uint32_t const index = find_encoded(*t->sid);
            if (index == none) return refused(request_error::unknown_sid);
            server_session const& session = *slots_[index].session;
            bool const takes_it = r.use == transport_use::http ? session.takes_polling() : true;
            if (!fits || !takes_it || t->revision != session.revision()) return refused(request_error::bad_request);
            return {.session = index, .revision = session.revision(), .base64 = t->base64};
        }
        if (r.method != http_method::get) return refused(request_error::bad_handshake_method);
        if (!fits) return refused(request_error::bad_request);
        if (options_.allow_request && !r.is_allowed) {
            auto const verdict = options_.allow_request({t->path, t->query, r.context});
            if (!verdict)
                return {.refused =
                            refusal{request_error::forbidden, status(request_error::forbidden), verdict.message()}};
        }
        if (t->revision == revision::v3 && !options_.allow_v3)
            return refused(request_error::unsupported_protocol_version);
        return {.revision = t->revision, .base64 = t->base64};
    }

    void dispatch(http_request const& request, std::uint32_t index, time_point now) {
        server_session& session = *slots_[index].session;
        bool taken = false;
        if (request.method == http_method::get) {
            taken = assign(exchanges_, request.exchange, index, [&] { return session.poll(request.exchange, now); });
        } else if (request.method == http_method::post) {
            bool const v4 = session.revision() == revision::v4;
            bool const is_second = slots_[index].post.has_value();
            if (!is_second && request.body.size() > options_.max_payload) {
                note_refusal(request.exchange, request.context, {request_error::bad_request, 413});
                return respond({.type = transmit_type::respond, .id = request.exchange, .status = 413});
            }
            if (is_second || (v4 && request.is_binary))
                session.break_off();
            else
                taken = assign(exchanges_, request.exchange, index, [&] {
                    auto const form = v4                  ? payload_format::v4
                                      : request.is_binary ? payload_format::v3_binary
                                                          : payload_format::v3_text;
                    return session.post(request.exchange, request.body, form, now);
                });
        }
        if (!taken) refuse(request, {});
        touch(index);
    }

    // Calls `take()`, which says whether the session takes what is called by this name: an exchange or a channel.
    template <class Names, class Take>
    [[nodiscard]] static bool assign(Names& names, std::uint64_t name, std::uint32_t index, Take take) {
        bool const is_new = names.emplace(name, index).second;
        socketless::detail::rollback undo([&]() noexcept {
            if (is_new) names.erase(name);
        });
        if (!take()) return false;
        undo.commit();
        return true;
    }

    // The body of a POST is on its way no more. Returns whether it was.
    bool end_post(exchange_id exchange) {
        auto const found = exchanges_.find(exchange);
        if (found == exchanges_.end() || slots_[found->second].post != exchange) return false;
        slots_[found->second].post.reset();
        exchanges_.erase(found);
        return true;
    }

    // The first packet of a stream: "0" for a new session, "0{"sid":...}" for an upgrade.
    void open_stream(channel_id channel, result<frame> const& first, new_stream stream, time_point now) {
        auto const p = first ? decode(*first) : result<packet>(first.error());
        if (!p || p->type != packet_type::open) return refuse_channel(channel, stream.context, {});
        if (p->data.empty()) {
            make_session(channels_, channel, {}, {{}, stream.context},
                         [&](server_session& s) { s.open_stream(channel, std::move(stream.reader), now); });
        } else {
            auto const json = json::validate(p->data, options_.limits.max_depth);
            auto const sid = json ? json->find("sid") : std::nullopt;
            std::uint32_t const index = sid ? find(sid->get<std::string>().value_or("")) : none;
            if (index == none) return refuse_channel(channel, stream.context, {request_error::unknown_sid});
            auto const offer = [&] {
                return slots_[index].session->offer_channel(channel, std::move(stream.reader), now);
            };
            if (!assign(channels_, channel, index, offer)) return refuse_channel(channel, stream.context, {});
            touch(index);
        }
        if (stream.paused) pause(channel);
    }

    void respond(transmit const& answer) { immediate_.push({answer, {}}); }

    void refuse(http_request const& request, refusal const& r) {
        note_refusal(request.exchange, request.context, r);
        transmit const answer{.type = transmit_type::respond,
                              .id = request.exchange,
                              .status = r.status,
                              .content = content_type::json,
                              .data = {frame_kind::text, body(r.code)}};
        immediate_.push({answer, r.message.empty() ? std::string() : r.body()});
    }

    void refuse_channel(channel_id channel, std::uint64_t context, refusal const& r) {
        note_refusal(channel, context, r);
        close(channel);
    }

    void note_refusal(std::uint64_t id, std::uint64_t context, refusal const& r) {
        if (!log_.is_on()) return;
        log_.push(
            {.type = connection_event_type::refused, .context = context, .id = id, .code = r.code, .status = r.status});
    }

    // An event of a session, for the log.
    void note(std::uint32_t index, event const& e) {
        server_session const& s = *slots_[index].session;
        auto type = connection_event_type::closed;
        if (e.type == event_type::opened)
            type = connection_event_type::opened;
        else if (e.type == event_type::upgraded)
            type = connection_event_type::upgraded;
        else if (e.type != event_type::closed)
            return;
        log_.push({.type = type,
                   .session = handle(index),
                   .context = s.handshake().context,
                   .transport = e.transport,
                   .reason = e.reason,
                   .error = s.cause()});
    }

    void close(channel_id channel) { immediate_.push({{.type = transmit_type::close, .id = channel}, {}}); }

    //=== the sessions ===//

    [[nodiscard]] session_handle handle(std::uint32_t index) const noexcept {
        return {index, slots_[index].generation()};
    }

    [[nodiscard]] std::uint32_t find(std::string_view sid) const {
        if (sid.size() != session_id{}.size()) return none;
        auto const found = by_sid_.find(socketless::detail::key_of(sid));
        if (found == by_sid_.end()) return none;
        return slots_[found->second].session->id() == sid ? found->second : none;
    }

    // The same of a sid as it stands in a query.
    [[nodiscard]] std::uint32_t find_encoded(std::string_view sid) const {
        std::array<char, 3 * session_id{}.size()> buffer;
        auto const decoded = percent::decode(sid, buffer);
        return decoded ? find(*decoded) : none;
    }

    [[nodiscard]] session_id new_session_id() const {
        for (;;) {
            session_id const id = make_random_id(random_);
            if (!by_sid_.contains(socketless::detail::key_of(view(id)))) return id;
        }
    }

    // Makes a session for the handshake that came by this exchange or channel, and opens it by `open(session)`. All of
    // it, or nothing where that throws.
    template <class Names, class Open>
    void make_session(Names& names, std::uint64_t name, checked_request const& asked, detail::kept_request request,
                      Open open) {
        session_id const id = new_session_id();
        std::uint32_t const index = make_slot();
        server_session& session = slots_[index].session.emplace(options_, id, asked.revision);
        socketless::detail::rollback undo([&]() noexcept { forget(index); });
        by_sid_.emplace(socketless::detail::key_of(view(id)), index);
        static_cast<void>(assign(names, name, index, [&] {
            session.keep_request(std::move(request));
            if (asked.base64) session.use_base64();
            open(session);
            return true;
        }));
        undo.commit();
        touch(index);
    }

    // A place for a session, with all that its events, its timer and its end need: these cannot fail.
    [[nodiscard]] std::uint32_t make_slot() {
        std::uint32_t const index = slots_.make();
        socketless::detail::rollback undo([&]() noexcept { slots_.free(index); });
        with_events_.reserve(slots_.indices());
        with_transmits_.reserve(slots_.indices());
        timers_.reserve(slots_.indices());
        undo.commit();
        return index;
    }

    // Something of the session's was lost because memory was: it ends.
    void fail(std::uint32_t index) noexcept {
        slots_[index].session->abort(close_reason::transport_error);
        touch(index);
    }

    void forget(std::uint32_t index) noexcept {
        slot const& s = slots_[index];
        timers_.cancel(index);
        by_sid_.erase(socketless::detail::key_of(s.session->id()));
        if (s.post) end_post(*s.post);
        slots_.free(index);
    }

    template <class F>
    result<void> with(session_handle session, F f) {
        if (find(session) == nullptr) return error{errc::not_open};
        auto const done = f(*slots_[session.index].session);
        touch(session.index);
        return done;
    }

    // The session may have something to say. Its timer is set when it has said it.
    void touch(std::uint32_t index) noexcept { with_events_.push(index); }

    void set_timer(std::uint32_t index) {
        if (auto const deadline = slots_[index].session->poll_timeout())
            timers_.set(index, *deadline);
        else
            timers_.cancel(index);
    }

    server_options options_;
    random_source random_;
    socketless::detail::slot_map<slot> slots_;
    std::unordered_map<std::uint64_t, std::uint32_t> by_sid_;
    std::unordered_map<channel_id, std::uint32_t> channels_;
    std::unordered_map<exchange_id, std::uint32_t> exchanges_;
    std::unordered_map<channel_id, new_stream> new_streams_;
    std::uint64_t last_stream_ = 0;
    std::deque<stream_deadline> new_stream_deadlines_;
    socketless::detail::index_queue with_events_;
    socketless::detail::index_queue with_transmits_;
    socketless::detail::fifo<immediate_transmit> immediate_;
    detail::connection_log log_;
    socketless::detail::timer_wheel timers_;
};

} // namespace socketless::inline v0::engineio

#include <socketless/core/detail/epilogue.hpp>
