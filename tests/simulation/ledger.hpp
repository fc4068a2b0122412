// Everything that was sent, has arrived, was done and has ended: holds sessions to their promises.
#pragma once

#include "tools/random.hpp"

#include <socketless/engineio/payload.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/engineio/session.hpp>

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace support {

struct message {
    socketless::frame_kind kind;
    std::string data;
};

// The messages that go one way.
struct direction {
    std::vector<message> sent;
    std::size_t received = 0;

    [[nodiscard]] bool is_complete() const noexcept { return received == sent.size(); }
};

// One `open` of a client, and all that has happened to it and may end it.
struct attempt {
    std::size_t client = 0;
    // Something was lost or late: messages may be missing.
    bool faulty = false;
    bool may_open = true;
    socketless::time_point begun{};
    socketless::time_point open_deadline{};
    bool exchange_failed = false;
    bool get_refused = false;
    bool exchange_aborted = false;
    bool channel_closed = false;
    bool channel_closed_at_server = false;
    bool request_cut = false;
    bool response_cut = false;
    bool garbled = false;
    bool message_too_large = false;
    bool overflowed = false;
    bool close_asked = false;
    bool closes_gracefully = false;
    // The index of the server's session, once it is open.
    std::optional<std::size_t> connection = std::nullopt;
    bool closed = false;
    socketless::engineio::close_reason reason{};
};

// One session of the server.
struct connection {
    std::size_t attempt = 0;
    socketless::engineio::session_handle handle = {};
    std::string sid = {};
    direction up = {};
    direction down = {};
    bool overflowed = false;
    bool close_asked = false;
    bool closes_gracefully = false;
    bool closed = false;
    socketless::engineio::close_reason reason{};
};

class ledger {
public:
    using close_reason = socketless::engineio::close_reason;

    // The first error; empty if there was no error.
    [[nodiscard]] std::string const& error() const noexcept { return error_; }

    void fail(std::string_view what) {
        if (error_.empty()) error_ = what;
    }
    void expect(bool good, std::string_view otherwise) {
        if (!good) fail(otherwise);
    }

    [[nodiscard]] std::deque<attempt>& attempts() noexcept { return attempts_; }
    [[nodiscard]] attempt& at(std::size_t a) noexcept { return attempts_[a]; }
    [[nodiscard]] std::deque<connection> const& connections() const noexcept { return connections_; }

    //=== the client's side ===//

    std::size_t begin_attempt(std::size_t client, bool faulty) {
        attempts_.push_back({.client = client, .faulty = faulty});
        return attempts_.size() - 1;
    }

    void opened_at_client(std::size_t a, std::string_view sid) {
        expect(!at(a).connection && !at(a).closed, "a client is opened twice, or after its end");
        for (std::size_t n = 0; n != connections_.size(); ++n)
            if (connections_[n].sid == sid && connections_[n].attempt == a) at(a).connection = n;
        expect(at(a).connection.has_value(), "a client is joined to a session that is not its own");
    }

    void sent_by_client(std::size_t a, message const& m) {
        if (!at(a).connection) return fail("a client sends before it is open");
        connections_[*at(a).connection].up.sent.push_back(m);
    }

    void refused_at_client(std::size_t a, socketless::errc code, bool was_open) {
        at(a).overflowed |= code == socketless::errc::queue_overflow;
        expect(was_open || code == socketless::errc::not_open || code == socketless::errc::would_wait,
               "a closed client refuses a message for another reason");
    }

    void received_at_client(std::size_t a, socketless::frame m) {
        if (!at(a).connection || at(a).closed) return fail("a message before opened or after closed");
        receive(connections_[*at(a).connection].down, m);
    }

    void close_asked_at_client(std::size_t a, bool gracefully) {
        if (!at(a).close_asked) at(a).closes_gracefully = gracefully;
        at(a).close_asked = true;
        at(a).closes_gracefully &= gracefully;
    }

    void closed_at_client(std::size_t a, close_reason reason, socketless::time_point now) {
        attempt& t = at(a);
        expect(!t.closed, "a client closes twice");
        t.closed = true;
        t.reason = reason;
        bool const server_ended = std::any_of(connections_.begin(), connections_.end(),
                                              [a](connection const& c) { return c.attempt == a && c.closed; });
        expect(fits_client(t, reason, server_ended, now),
               "a client closes with a reason that does not fit: " + text(reason));
        if (t.faulty || !t.may_open) return;
        expect(t.close_asked || t.overflowed || server_ended,
               "a client closes though nothing was wrong: " + text(reason));
        if (t.connection && !t.close_asked && connections_[*t.connection].closes_gracefully)
            expect(!t.get_refused, "the server closes without telling the client");
        bool const told = reason == close_reason::transport_close && !t.close_asked;
        if (told && connections_[*t.connection].closes_gracefully)
            expect(connections_[*t.connection].down.is_complete(), "the server closes before all has gone");
    }

    //=== the server's side ===//

    void opened_at_server(socketless::engineio::session_handle handle, std::string_view sid, std::size_t a,
                          std::string_view initial_message) {
        for (connection const& c : connections_) expect(c.handle != handle, "a session is opened twice");
        connections_.push_back({.attempt = a, .handle = handle, .sid = std::string(sid)});
        if (initial_message.empty()) return;
        connections_.back().down.sent.push_back({socketless::frame_kind::text, std::string(initial_message)});
    }

    // The session, unless it has ended.
    [[nodiscard]] std::optional<std::size_t> connection_of(socketless::engineio::session_handle handle) const {
        for (std::size_t n = connections_.size(); n-- != 0;)
            if (connections_[n].handle == handle && !connections_[n].closed) return n;
        return std::nullopt;
    }

    [[nodiscard]] std::optional<std::size_t> any_at_server(random_source& random) const {
        if (connections_.empty()) return std::nullopt;
        std::size_t const n = random.below(connections_.size());
        if (connections_[n].closed) return std::nullopt;
        return n;
    }

    void sent_by_server(std::size_t n, message const& m) { connections_[n].down.sent.push_back(m); }

    void refused_at_server(std::size_t n, socketless::errc code) {
        connections_[n].overflowed |= code == socketless::errc::queue_overflow;
    }

    void received_at_server(std::size_t n, socketless::frame m) { receive(connections_[n].up, m); }

    void close_asked_at_server(std::size_t n, bool gracefully) {
        if (!connections_[n].close_asked) connections_[n].closes_gracefully = gracefully;
        connections_[n].close_asked = true;
        connections_[n].closes_gracefully &= gracefully;
    }

    void closed_at_server(std::size_t n, close_reason reason) {
        connection& c = connections_[n];
        c.closed = true;
        c.reason = reason;
        attempt const& t = at(c.attempt);
        expect(fits_server(c, t, reason), "a session closes with a reason that does not fit: " + text(reason));
        if (t.faulty) return;
        bool const client_ended = t.close_asked || t.closed;
        expect(c.close_asked || c.overflowed || client_ended,
               "a session closes though nothing was wrong: " + text(reason));
        if (!t.closes_gracefully || c.close_asked || c.overflowed || t.overflowed || t.connection != n) return;
        expect(reason == close_reason::transport_close, "a client that closes is not understood: " + text(reason));
        expect(c.up.is_complete(), "a client closes before all has gone");
    }

    //=== exchanges ===//

    // A body exceeds its limit only if it is one packet.
    void check_body(socketless::frame body, socketless::engineio::revision r, std::size_t max_payload) {
        using enum socketless::engineio::payload_format;
        if (body.data.size() <= max_payload) return;
        bool const text = body.kind == socketless::frame_kind::text;
        std::string buffer(body.data.size(), '\0');
        socketless::engineio::payload_reader reader(body.data, buffer,
                                                    r == socketless::engineio::revision::v4 ? v4
                                                    : text                                  ? v3_text
                                                                                            : v3_binary);
        static_cast<void>(reader.next());
        expect(!reader.next(), "a body over max_payload");
    }

    void check_response(socketless::engineio::transmit const& t, bool is_get, socketless::engineio::revision r,
                        std::size_t max_payload) {
        using socketless::engineio::content_type;
        if (t.status != 200) {
            expect(t.status == 400 || (t.status == 413 && !is_get), "a status that is not known");
        } else if (is_get) {
            expect(t.content == content_type::text || t.content == content_type::binary,
                   "a GET is answered in another form");
            expect(!t.data.data.empty(), "a GET is answered with nothing");
            check_body(t.data, r, max_payload);
        } else {
            expect(t.content == content_type::html && t.data.data == "ok", "a POST is not told ok");
        }
    }

    //=== the end ===//

    // Whether all messages that must arrive have arrived, and all sessions that must open are open.
    [[nodiscard]] bool all_has_arrived() const {
        return std::all_of(attempts_.begin(), attempts_.end(), [this](attempt const& t) {
            if (t.faulty || t.closed || t.close_asked || t.overflowed || !t.may_open) return true;
            if (!t.connection) return false;
            connection const& c = connections_[*t.connection];
            return c.close_asked || c.closed || (c.up.is_complete() && c.down.is_complete());
        });
    }

    void check_end() {
        for (attempt const& t : attempts_) expect(t.closed, "a client has not closed");
        for (connection const& c : connections_) expect(c.closed, "a session has not closed");
    }

private:
    static std::string text(close_reason reason) { return std::string(name(reason)); }

    // Messages arrive as they were sent, in order and without a gap.
    void receive(direction& d, socketless::frame m) {
        if (d.received == d.sent.size()) return fail("a message arrives that was not sent, or a second time");
        message const& next = d.sent[d.received++];
        expect(next.kind == m.kind && next.data == m.data, "a message arrives that is not the next one");
    }

    static bool fits_client(attempt const& t, close_reason reason, bool server_ended, socketless::time_point now) {
        switch (reason) {
        case close_reason::transport_error:
            return t.exchange_failed || t.channel_closed || t.response_cut || t.garbled ||
                   (server_ended && !t.connection) || !t.may_open;
        case close_reason::transport_close: return t.connection && (t.channel_closed || server_ended);
        case close_reason::forced_close: return t.close_asked;
        case close_reason::ping_timeout: return t.connection && t.faulty;
        case close_reason::parse_error: return false;
        case close_reason::queue_overflow: return t.overflowed;
        case close_reason::open_timeout: return !t.connection && now >= t.open_deadline && t.faulty;
        }
        return false;
    }

    static bool fits_server(connection const& c, attempt const& t, close_reason reason) {
        switch (reason) {
        case close_reason::transport_error: return t.exchange_aborted || t.faulty;
        case close_reason::transport_close: return t.channel_closed_at_server || t.close_asked;
        case close_reason::forced_close: return c.close_asked;
        case close_reason::ping_timeout: return t.faulty || t.closed || t.close_asked;
        case close_reason::parse_error: return t.request_cut || t.garbled || t.message_too_large;
        case close_reason::queue_overflow: return c.overflowed;
        case close_reason::open_timeout: return false;
        }
        return false;
    }

    std::string error_;
    std::deque<attempt> attempts_;
    std::deque<connection> connections_;
};

} // namespace support
