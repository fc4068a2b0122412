// The parts of an engineio::server: its sessions, how requests and streams find theirs, and how others are refused.
// `server` is its face.
#pragma once

#include <socketless/core/detail/fifo.hpp>
#include <socketless/core/detail/id_map.hpp>
#include <socketless/core/detail/index_queue.hpp>
#include <socketless/core/detail/index_table.hpp>
#include <socketless/core/detail/inlining.hpp>
#include <socketless/core/detail/prefetch.hpp>
#include <socketless/core/detail/rollback.hpp>
#include <socketless/core/detail/slot_map.hpp>
#include <socketless/core/detail/timer_wheel.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/result.hpp>
#include <socketless/core/time.hpp>
#include <socketless/engineio/connection_event.hpp>
#include <socketless/engineio/detail/connection_log.hpp>
#include <socketless/engineio/detail/new_streams.hpp>
#include <socketless/engineio/handshake_request.hpp>
#include <socketless/engineio/http_request.hpp>
#include <socketless/engineio/packet.hpp>
#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/request.hpp>
#include <socketless/engineio/server_session.hpp>
#include <socketless/engineio/session.hpp>
#include <socketless/json/validate.hpp>
#include <socketless/text/percent.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::engineio::detail {

class server_core {
public:
    server_core(server_core const&) = delete; // the sessions refer to the options
    server_core& operator=(server_core const&) = delete;

protected:
    server_core(server_options options, random_source random)
        : options_(std::move(options)), random_(std::move(random)), log_(options_.max_connection_events) {
        memory_.reserve(most_idle_memories);
    }
    ~server_core() = default;

    static constexpr std::uint32_t none = 0xffffffff;
    static constexpr std::size_t most_idle_memories = 16;

    enum class transport_use : std::uint8_t { http, websocket };

    struct slot : core_detail::slot {
        bool has_post = false; // its body is on its way
        bool has_timer = false;
        exchange_id post = 0;
        time_point timer{}; // for when it is set
        std::optional<server_session> session;
    };

    struct request_to_check {
        std::string_view target;
        transport_use use;
        http_method method;
        std::uint64_t context;
        std::string_view fields;
        std::string_view address;
        bool is_allowed = false; // the application has allowed it already
    };

    [[nodiscard]] static request_to_check to_check(http_request const& r) noexcept {
        return {r.target, transport_use::http, r.method, r.context, r.fields, r.address};
    }
    [[nodiscard]] static request_to_check to_check(websocket_request const& r) noexcept {
        return {r.target, transport_use::websocket, http_method::get, r.context, r.fields, r.address, r.is_checked};
    }

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
        std::string body; // empty if `what` shows one of the protocol's own
    };

    [[nodiscard]] static checked_request refused(request_error e) { return {.refused = refusal{e, status(e)}}; }

    // What its session keeps of a request.
    template <class Request>
    [[nodiscard]] kept_request kept(Request const& r) const {
        if (options_.keep_fields) return {r.target, r.context, r.fields, r.address};
        return {r.target, r.context};
    }

    // The reference's checks, in its order.
    [[nodiscard]] checked_request check(request_to_check const& r) const {
        if (r.target.size() > options_.max_target) return refused(request_error::bad_request);
        auto const t = parse_request_target(r.target);
        if (!t) return refused(request_error::bad_request);
        if (!is_under(r.target, options_.path)) return {.refused = refusal{request_error::bad_request, 404}};
        if (!t->transport || !options_.transports.contains(*t->transport) || *t->transport == transport::webtransport)
            return refused(request_error::unknown_transport);
        bool const fits = *t->transport == (r.use == transport_use::http ? transport::polling : transport::websocket);
        if (t->sid) {
            std::uint32_t const index = find_encoded(*t->sid);
            if (index == none || slots_[index].session->is_closed()) return refused(request_error::unknown_sid);
            server_session const& session = *slots_[index].session;
            bool const takes_it = r.use == transport_use::http ? session.takes_polling() : true;
            if (!fits || !takes_it || t->revision != session.revision()) return refused(request_error::bad_request);
            return {.session = index, .revision = session.revision(), .base64 = t->base64};
        }
        if (r.method != http_method::get) return refused(request_error::bad_handshake_method);
        if (!fits) return refused(request_error::bad_request);
        if (options_.allow_request && !r.is_allowed) {
            auto const verdict = options_.allow_request({t->path, t->query, r.context, r.fields, r.address});
            if (!verdict)
                return {.refused =
                            refusal{request_error::forbidden, status(request_error::forbidden), verdict.message()}};
        }
        if (t->revision == revision::v3 && !options_.allow_v3)
            return refused(request_error::unsupported_protocol_version);
        return {.revision = t->revision, .base64 = t->base64};
    }

    // Hands a request to its session.
    void take_request(http_request const& request, std::uint32_t index, time_point now) {
        bool const is_post = request.method == http_method::post;
        bool const is_too_large = request.is_too_large || request.body.size() > options_.max_payload;
        if (is_post && !slots_[index].has_post && is_too_large) return refuse_body(request);
        bool const is_taken = request.method == http_method::get ? take_poll(request, index, now)
                                                                 : is_post && take_post(request, index, now);
        if (!is_taken) refuse(request, {});
        mark_busy(index);
    }

    [[nodiscard]] bool take_poll(http_request const& request, std::uint32_t index, time_point now) {
        return assign(exchanges_, request.exchange, index,
                      [&] { return slots_[index].session->poll(request.exchange, now); });
    }

    [[nodiscard]] bool take_post(http_request const& request, std::uint32_t index, time_point now) {
        server_session& session = *slots_[index].session;
        bool const v4 = session.revision() == revision::v4;
        bool const is_second = slots_[index].has_post;
        if (is_second || (v4 && request.is_binary)) return session.break_off(), false;
        auto const form = format_of(session.revision(), request.is_binary ? frame_kind::binary : frame_kind::text);
        return assign(exchanges_, request.exchange, index,
                      [&] { return session.post(request.exchange, request.body, form, now); });
    }

    // Calls `take()`, which returns whether the session takes the exchange or channel of this name: then the session
    // owns it.
    template <class Names, class Take>
    [[nodiscard]] static bool assign(Names& names, std::uint64_t name, std::uint32_t index, Take take) {
        bool const is_new = names.emplace(name, index);
        core_detail::rollback undo([&]() noexcept {
            if (is_new) names.erase(name);
        });
        if (!take()) return false;
        undo.commit();
        return true;
    }

    // The body of a POST has arrived, or never will. Returns whether it was on its way.
    bool end_post(exchange_id exchange) {
        auto const* const found = exchanges_.find(exchange);
        if (found == nullptr || !slots_[*found].has_post || slots_[*found].post != exchange) return false;
        slots_[*found].has_post = false;
        exchanges_.erase(exchange);
        return true;
    }

    // The first packet of a stream: "0" for a new session, "0{"sid":...}" for an upgrade.
    void open_stream(channel_id channel, new_streams::opening opening, time_point now) {
        auto& stream = opening.stream;
        auto const p = opening.first ? decode(*opening.first) : result<packet>(opening.first.error());
        if (!p || p->type != packet_type::open) return refuse_channel(channel, stream.context, {});
        if (p->data.empty()) {
            make_session(channels_, channel, {}, {{}, stream.context},
                         [&](server_session& s) { s.open_stream(channel, std::move(stream.reader), now); });
        } else {
            std::uint32_t const index = find_in_json(p->data);
            if (index == none) return refuse_channel(channel, stream.context, {request_error::unknown_sid});
            auto const offer = [&] {
                return slots_[index].session->offer_channel(channel, std::move(stream.reader), now);
            };
            if (!assign(channels_, channel, index, offer)) return refuse_channel(channel, stream.context, {});
            mark_busy(index);
        }
        if (auto const* const found = channels_.find(channel); stream.is_paused && found != nullptr)
            slots_[*found].session->pause(channel);
    }

    // Answers a request without a session.
    void refuse(http_request const& request, refusal const& r) {
        note_refusal(request.exchange, request.context, r);
        transmit const answer{.type = transmit_type::respond,
                              .id = request.exchange,
                              .status = r.status,
                              .content = content_type::json,
                              .data = {frame_kind::text, body(r.code)}};
        immediate_.push({answer, r.message.empty() ? std::string() : r.body()});
    }

    void refuse_body(http_request const& request) {
        note_refusal(request.exchange, request.context, {request_error::bad_request, 413});
        immediate_.push({{.type = transmit_type::respond, .id = request.exchange, .status = 413}, {}});
    }

    void refuse_channel(channel_id channel, std::uint64_t context, refusal const& r) {
        note_refusal(channel, context, r);
        immediate_.push({{.type = transmit_type::close, .id = channel}, {}});
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

    //=== the sessions ===//

    [[nodiscard]] session_handle handle(std::uint32_t index) const noexcept {
        return {index, slots_[index].generation()};
    }

    [[nodiscard]] std::uint32_t find(std::string_view sid) const {
        if (sid.size() != session_id{}.size()) return none;
        return by_sid_.find(core_detail::key_of(sid), [&](std::uint32_t i) { return slots_[i].session->id() == sid; });
    }

    // The same, for a sid in a JSON text.
    [[nodiscard]] std::uint32_t find_in_json(std::string_view text) const {
        auto const object = json::validate(text, options_.limits.max_depth);
        return object ? find(json::detail::string_member(*object, "sid")) : none;
    }

    // The same, for a sid as it stands in a query.
    [[nodiscard]] std::uint32_t find_encoded(std::string_view sid) const {
        std::array<char, 3 * session_id{}.size()> buffer;
        auto const decoded = percent::decode(sid, buffer);
        return decoded ? find(*decoded) : none;
    }

    [[nodiscard]] session_id new_session_id() const {
        for (;;) {
            session_id const id = make_random_id(random_);
            if (find(view(id)) == none) return id;
        }
    }
    [[nodiscard]] auto key_of_session() const noexcept {
        return [this](std::uint32_t i) { return core_detail::key_of(slots_[i].session->id()); };
    }

    // Makes a session for the handshake that came by this exchange or channel, and opens it by `open(session)`. If that
    // throws, nothing has changed.
    template <class Names, class Open>
    void make_session(Names& names, std::uint64_t name, checked_request const& asked, kept_request request, Open open) {
        session_id const id = new_session_id();
        by_sid_.reserve(key_of_session());
        std::uint32_t const index = make_slot();
        server_session& session = slots_[index].session.emplace(options_, id, asked.revision);
        if (!tells_drained_) session.leave_out_drained();
        by_sid_.insert(index, core_detail::key_of(view(id)));
        core_detail::rollback undo([&]() noexcept { forget(index); });
        static_cast<void>(assign(names, name, index, [&] {
            session.keep_request(std::move(request));
            if (asked.base64) session.use_base64();
            open(session);
            return true;
        }));
        undo.commit();
        mark_busy(index);
    }

    // A place for a session, with all that its events, its timer and its end need: these cannot fail.
    [[nodiscard]] std::uint32_t make_slot() {
        std::uint32_t const index = slots_.make();
        core_detail::rollback undo([&]() noexcept { slots_.free(index); });
        with_events_.reserve(slots_.indices());
        with_transmits_.reserve(slots_.indices());
        timers_.reserve(slots_.indices());
        undo.commit();
        return index;
    }

    // Memory ran out and something of the session is lost: it ends.
    void fail(std::uint32_t index) noexcept {
        slots_[index].session->abort(close_reason::transport_error);
        mark_busy(index);
    }

    void forget(std::uint32_t index) noexcept {
        slot const& s = slots_[index];
        timers_.cancel(index);
        by_sid_.erase(index, key_of_session());
        if (s.has_post) end_post(s.post);
        slots_.free(index);
    }

    template <class F>
    result<void> with_session(session_handle session, F f) {
        slot* const s = slots_.find(session);
        if (s == nullptr) return error{errc::not_open};
        auto const done = f(*s->session);
        mark_sending(session.index, *s->session);
        return done;
    }

    // The session may have events or transmits. Its timer is set when they have been polled.
    void mark_busy(std::uint32_t index) noexcept { with_events_.push(index); }

    // An event of the first session in the queue was taken. In the usual case it need not be asked again.
    void note_read(std::uint32_t index, server_session const& s) noexcept {
        if (!s.is_read()) return;
        with_events_.pop();
        with_transmits_.push(index);
    }

    void lend_memory(server_session& s) noexcept {
        if (!s.wants_memory()) return;
        if (memory_.empty()) reclaim_memory();
        if (memory_.empty()) return;
        s.take_memory(std::move(memory_.back()));
        memory_.pop_back();
    }
    // Takes the memory back that a session has no more use for. Its last transmit has gone.
    void reclaim_memory() noexcept {
        std::uint32_t const index = std::exchange(at_rest_, none);
        if (index == none || !slots_[index].session || !slots_[index].session->has_memory_to_give()) return;
        reclaim_memory(*slots_[index].session);
    }
    SOCKETLESS_NEVER_INLINE void reclaim_memory(server_session& s) noexcept {
        auto memory = s.give_memory();
        if (memory.is_little() && memory_.size() < memory_.capacity()) memory_.push_back(std::move(memory));
    }

    [[nodiscard]] std::optional<transmit> next_transmit(std::string& buffer) {
        reclaim_memory();
        std::optional<transmit> t = no_transmit();
        if (!immediate_.empty()) {
            t = immediate_.front().what;
            if (auto const& body = immediate_.front().body; !body.empty()) {
                buffer = body;
                t->data.data = buffer;
            }
            immediate_.pop();
            return t;
        }
        while (!with_transmits_.empty()) {
            std::uint32_t const index = with_transmits_.front();
            server_session& session = *slots_[index].session;
            core_detail::rollback undo([&]() noexcept { fail(index); }); // what could not be written is lost
            session.poll_transmit(t, buffer);
            undo.commit();
            if (t) {
                if (t->type == transmit_type::respond) exchanges_.erase(t->id);
                if (t->type == transmit_type::close) channels_.erase(t->id);
                if (!session.is_at_rest()) {
                    mark_busy(index); // it may have drained, or ended
                    return t;
                }
            }
            with_transmits_.pop();
            if (!with_transmits_.empty()) core_detail::prefetch(&slots_[with_transmits_.front()], sizeof(slot));
            if (!with_events_.contains(index) && session.is_done()) {
                forget(index);
            } else {
                set_timer(index);
                at_rest_ = index;
            }
            if (t) return t;
            reclaim_memory();
        }
        return t;
    }

    // The session has been given something to send, and nothing to read.
    void mark_sending(std::uint32_t index, server_session const& s) noexcept {
        if (s.has_events())
            mark_busy(index);
        else
            with_transmits_.push(index);
    }

    void set_timer(std::uint32_t index) {
        slot& s = slots_[index];
        auto const deadline = s.session->poll_timeout();
        if (deadline && s.has_timer && s.timer == *deadline) return; // as after most transmits
        s.has_timer = deadline.has_value();
        if (!deadline) return timers_.cancel(index);
        s.timer = *deadline;
        timers_.set(index, *deadline);
    }

    server_options options_;
    random_source random_;
    time_point now_{}; // of the last input
    bool tells_drained_ = true;
    core_detail::slot_map<slot> slots_;
    core_detail::index_table by_sid_;
    core_detail::id_map channels_;
    core_detail::id_map exchanges_;
    new_streams new_streams_;
    core_detail::index_queue with_events_;
    core_detail::index_queue with_transmits_;
    core_detail::fifo<immediate_transmit> immediate_;
    connection_log log_;
    core_detail::timer_wheel timers_;
    std::vector<outbox::memory> memory_; // for the queues of sessions
    std::uint32_t at_rest_ = none;       // the session whose last transmit was polled last
};

} // namespace socketless::inline v0::engineio::detail

#include <socketless/core/detail/epilogue.hpp>
