// Sessions driven by hand: each input returns what came of it, drained into readable lines.
//
//     opened polling                 the events, as they are called; `drained` is only counted
//     message hi
//     closed: transport error
//     answer 2: 200 html ok          what the I/O layer is to do, and with which exchange or channel
//     get 1, post 2: 4hi, open websocket 3, open stream 3, send 3: 2probe, close 3, abort 2
//
// Binary stands as <hex>, and '|' for the record separator of v4 bodies, in what comes out and in what is put in.
#pragma once

#include "support/catch.hpp"
#include "support/hex.hpp"
#include "support/mutations.hpp"

#include <socketless/core/time.hpp>
#include <socketless/engineio/client_session.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/engineio/server_session.hpp>
#include <socketless/engineio/session.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace support {

namespace engineio = socketless::engineio;
using socketless::frame;
using socketless::frame_kind;

using lines = std::vector<std::string>;

// When the clock of each test begins. Tests tell the time in milliseconds since then.
inline constexpr socketless::time_point start{std::chrono::hours(1000)};

inline std::string with_separators(std::string_view text) {
    std::string body(text);
    std::ranges::replace(body, '|', engineio::packet_separator);
    return body;
}

inline std::string show(frame f) {
    if (f.kind == frame_kind::binary) return "<" + to_hex(f.data) + ">";
    std::string text(f.data);
    std::ranges::replace(text, engineio::packet_separator, '|');
    return text;
}

inline std::string show(engineio::event const& e) {
    using enum engineio::event_type;
    switch (e.type) {
    case opened: return "opened " + std::string(name(e.transport));
    case message: return "message " + show(e.message);
    case upgrading: return "upgrading to " + std::string(name(e.transport));
    case upgraded: return "upgraded to " + std::string(name(e.transport));
    case upgrade_failed: return "upgrade failed";
    case drained: return "drained";
    case closed: return "closed: " + std::string(name(e.reason));
    }
    return "?";
}

inline std::string show(engineio::transmit const& t) {
    using enum engineio::transmit_type;
    constexpr std::string_view contents[] = {"", " text ", " html ", " binary ", " json "};
    std::string const id = std::to_string(t.id);
    switch (t.type) {
    case respond:
        return "answer " + id + ": " + std::to_string(t.status) +
               std::string(contents[static_cast<std::size_t>(t.content)]) + show(t.data);
    case get: return "get " + id;
    case post: return "post " + id + ": " + show(t.data);
    case open_websocket: return "open websocket " + id;
    case open_stream: return "open stream " + id;
    case send: return "send " + id + ": " + show(t.data);
    case close: return "close " + id;
    case abort: return "abort " + id;
    }
    return "?";
}

// A binary frame, and one of a stream.
inline frame binary(std::string_view bytes) {
    return {frame_kind::binary, bytes};
}
inline frame text(std::string_view characters) {
    return {frame_kind::text, characters};
}

inline std::string stream_frame(std::string_view data, frame_kind kind = frame_kind::text) {
    return std::string(engineio::stream_header(kind, data.size()).view()) + std::string(data);
}

// The clock and the loop that drive any session. What must hold of all of them is checked here: each exchange is
// answered, or each channel closed, once; nothing follows the end.
template <class Session>
class driver {
public:
    template <class... Arguments>
    explicit driver(Arguments&&... arguments) : session(std::forward<Arguments>(arguments)...) {}

    Session session;
    socketless::time_point now = start;
    int drains = 0;
    // Exchanges that have not been answered, and channels that are open.
    std::set<std::uint64_t> exchanges;
    std::set<std::uint64_t> channels;
    // Targets of a client's requests.
    std::map<std::uint64_t, std::string> targets;
    // The sessions of a server, in the order in which they opened.
    std::vector<engineio::session_handle> handles;
    // Where the bytes of the last send lay.
    char const* sent_from = nullptr;

    // What the session has to say and to ask for, until both run dry.
    lines drain() {
        lines all;
        std::string buffer;
        for (;;) {
            if (auto const e = session.poll_event()) {
                take(*e, all);
            } else if (auto const t = session.poll_transmit(buffer)) {
                take(*t);
                all.push_back(show(*t));
            } else {
                return all;
            }
        }
    }

    // What `input` leads to.
    template <class Input>
    lines after(Input input) {
        input();
        return drain();
    }

    // Lets time pass until so many milliseconds after the start; the session is called when it wants to be.
    lines at(std::int64_t milliseconds) {
        auto const until = start + std::chrono::milliseconds(milliseconds);
        lines all;
        int calls = 0;
        for (auto due = session.poll_timeout(); due && *due <= until; due = session.poll_timeout()) {
            REQUIRE(++calls < 10'000);
            now = std::max(now, *due);
            session.handle_timeout(now);
            append(all, drain());
        }
        now = until;
        session.handle_timeout(now); // one too many does no harm
        append(all, drain());
        return all;
    }

protected:
    static void append(lines& all, lines const& more) { all.insert(all.end(), more.begin(), more.end()); }

private:
    void take(engineio::event const& e, lines& all) {
        REQUIRE_FALSE(closed_);
        closed_ = e.type == engineio::event_type::closed && !std::is_same_v<Session, engineio::client_session>;
        if (e.type == engineio::event_type::drained)
            ++drains;
        else
            all.push_back(show(e));
    }
    void take(engineio::server_event const& e, lines& all) {
        auto& closed = ended_[{e.session.index, e.session.generation}];
        REQUIRE_FALSE(closed);
        closed = e.event.type == engineio::event_type::closed;
        if (e.event.type == engineio::event_type::opened) handles.push_back(e.session);
        if (e.event.type == engineio::event_type::drained)
            ++drains;
        else
            all.push_back(std::to_string(e.session.index) + " " + show(e.event));
    }

    void take(engineio::transmit const& t) {
        using enum engineio::transmit_type;
        switch (t.type) {
        case respond:
        case abort: REQUIRE(exchanges.erase(t.id) == 1); break;
        case get:
        case post:
            REQUIRE(exchanges.insert(t.id).second);
            targets[t.id] = t.target;
            break;
        case open_websocket:
        case open_stream:
            REQUIRE(channels.insert(t.id).second);
            targets[t.id] = t.target;
            break;
        case send:
            REQUIRE(channels.contains(t.id));
            sent_from = t.data.data.data();
            break;
        case close: REQUIRE(channels.erase(t.id) == 1); break;
        }
    }

    bool closed_ = false;
    std::map<std::pair<std::uint32_t, std::uint32_t>, bool> ended_;
};

//=== one session of a server ===//

inline constexpr std::string_view test_sid = "abcdefghijklmnopqrst";

// The open packet of that session with the default options.
inline std::string open_packet(std::string_view upgrades = R"("websocket")") {
    return R"(0{"sid":")" + std::string(test_sid) + R"(","upgrades":[)" + std::string(upgrades) +
           R"(],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})";
}

// Options that stay where they are when what refers to them moves.
struct held_options {
    std::unique_ptr<engineio::server_options> options;
};

class server_session_driver : private held_options, public driver<engineio::server_session> {
public:
    explicit server_session_driver(engineio::server_options const& o = {},
                                   engineio::revision r = engineio::revision::v4)
        : held_options{std::make_unique<engineio::server_options>(o)}, driver(*options, id(), r) {}

    lines open_polling(std::uint64_t exchange, bool base64 = false) {
        exchanges.insert(exchange);
        if (base64) session.use_base64();
        return after([&] { session.open_polling(exchange, now); });
    }
    lines open_websocket(std::uint64_t channel) {
        channels.insert(channel);
        return after([&] { session.open_websocket(channel, now); });
    }
    lines open_stream(std::uint64_t channel) {
        channels.insert(channel);
        return after([&] { session.open_stream(channel, reader(), now); });
    }

    // What the session does not take is the caller's to refuse: the first line says so.
    lines get(std::uint64_t exchange) {
        REQUIRE(session.takes_polling());
        if (!session.poll(exchange, now)) return refused(exchange);
        exchanges.insert(exchange);
        return drain();
    }
    lines post(std::uint64_t exchange, std::string_view body,
               engineio::payload_format form = engineio::payload_format::v4) {
        REQUIRE(session.takes_polling());
        exact_copy const copy(with_separators(body));
        if (!session.post(exchange, copy.span(), form, now)) return refused(exchange);
        exchanges.insert(exchange);
        return drain();
    }
    lines abort(std::uint64_t exchange) {
        exchanges.erase(exchange);
        return after([&] { session.exchange_aborted(exchange); });
    }

    lines offer_websocket(std::uint64_t channel) { return offer(channel, nullptr); }
    lines offer_stream(std::uint64_t channel) { return offer(channel, reader()); }

    lines websocket(std::uint64_t channel, frame message) {
        exact_copy const copy(message.data);
        return after([&] { session.websocket_received(channel, {message.kind, copy.view()}, now); });
    }
    lines websocket(std::uint64_t channel, std::string_view message) { return websocket(channel, text(message)); }
    lines stream(std::uint64_t channel, std::string_view chunk) {
        exact_copy const copy(chunk);
        return after([&] { session.stream_received(channel, copy.view(), now); });
    }
    lines cut(std::uint64_t channel) {
        channels.erase(channel);
        return after([&] { session.channel_closed(channel, now); });
    }

    lines send(frame message) {
        return after([&] { REQUIRE(session.send(message).has_value()); });
    }
    lines send(std::string_view message) { return send(text(message)); }
    lines close() {
        return after([&] { session.close(now); });
    }

private:
    static engineio::session_id id() {
        engineio::session_id id{};
        std::ranges::copy(test_sid, id.begin());
        return id;
    }
    [[nodiscard]] std::unique_ptr<engineio::stream_reader> reader() const {
        return std::make_unique<engineio::stream_reader>(options->max_payload);
    }
    lines refused(std::uint64_t id) {
        lines all{"refused " + std::to_string(id)};
        append(all, drain());
        return all;
    }
    lines offer(std::uint64_t channel, std::unique_ptr<engineio::stream_reader> r) {
        if (!session.offer_channel(channel, std::move(r), now)) return refused(channel);
        channels.insert(channel);
        return drain();
    }
};

//=== a server ===//

// Randomness that is none, but differs each time.
inline socketless::random_source counting_randomness() {
    return [count = 0u](std::span<std::byte> bytes) mutable {
        ++count;
        for (std::size_t i = 0; i != bytes.size(); ++i) bytes[i] = static_cast<std::byte>(count * 37 + i * 11);
    };
}

class server_driver : public driver<engineio::server> {
public:
    explicit server_driver(engineio::server_options const& o = {}) : driver(o, counting_randomness()) {}
    server_driver(engineio::server_options const& o, socketless::random_source random) : driver(o, std::move(random)) {}

    // The id of the session that opened as the nth.
    [[nodiscard]] std::string sid(std::size_t nth = 0) const {
        REQUIRE(nth < handles.size());
        auto const* const s = session.find(handles[nth]);
        REQUIRE(s != nullptr);
        return std::string(s->id());
    }
    // A query for it.
    [[nodiscard]] std::string query(std::string_view transport, std::size_t nth = 0, std::string_view eio = "4") const {
        return "EIO=" + std::string(eio) + "&transport=" + std::string(transport) + "&sid=" + sid(nth);
    }

    // The head of a request; its body, or its end, is still to come.
    lines begin(std::uint64_t exchange, engineio::http_method method, std::string_view query) {
        std::string const target = "/engine.io/?" + std::string(query);
        return after([&] { session.http_started({.exchange = exchange, .method = method, .target = target}, now); });
    }
    lines begin_post(std::uint64_t exchange, std::string_view query) {
        return begin(exchange, engineio::http_method::post, query);
    }
    lines request(std::uint64_t exchange, engineio::http_method method, std::string_view query,
                  std::string_view body = {}, bool is_binary = false) {
        exchanges.insert(exchange);
        exact_copy const copy(with_separators(body));
        std::string const target = "/engine.io/?" + std::string(query);
        return after([&] {
            session.http_received(
                {.exchange = exchange, .method = method, .target = target, .is_binary = is_binary, .body = copy.span()},
                now);
        });
    }
    lines get(std::uint64_t exchange, std::string_view query) {
        return request(exchange, engineio::http_method::get, query);
    }
    lines post(std::uint64_t exchange, std::string_view query, std::string_view body) {
        return request(exchange, engineio::http_method::post, query, body);
    }
    lines abort(std::uint64_t exchange) {
        exchanges.erase(exchange);
        return after([&] { session.http_aborted(exchange, now); });
    }
    // The code of the refusal of a WebSocket.
    std::optional<engineio::request_error> refusal_of_websocket(std::string_view target) {
        auto const refusal = session.websocket_refusal(target);
        if (!refusal) return std::nullopt;
        CHECK(refusal->status == status(refusal->code));
        CHECK(refusal->body() == body(refusal->code));
        return refusal->code;
    }
    lines open_websocket(std::uint64_t channel, std::string_view query) {
        channels.insert(channel);
        std::string const target = "/engine.io/?" + std::string(query);
        return after([&] { session.websocket_opened(channel, target, now); });
    }
    lines open_stream(std::uint64_t channel) {
        channels.insert(channel);
        return after([&] { session.stream_opened(channel, now); });
    }
    lines websocket(std::uint64_t channel, std::string_view message) {
        exact_copy const copy(message);
        return after([&] { session.websocket_received(channel, text(copy.view()), now); });
    }
    lines stream(std::uint64_t channel, std::string_view chunk) {
        exact_copy const copy(chunk);
        return after([&] { session.stream_received(channel, copy.view(), now); });
    }
    lines cut(std::uint64_t channel) {
        channels.erase(channel);
        return after([&] { session.channel_closed(channel, now); });
    }
    lines send(std::string_view message, std::size_t nth = 0) {
        return after([&] { REQUIRE(session.send(handles.at(nth), text(message)).has_value()); });
    }
};

//=== a client ===//

class client_driver : public driver<engineio::client_session> {
public:
    explicit client_driver(engineio::client_options const& o = {}) : driver(o) {}

    lines open() {
        return after([&] { CHECK(session.open(now).has_value()); });
    }
    lines answer(std::uint64_t exchange, std::string_view body, int status = 200) {
        exchanges.erase(exchange);
        exact_copy const copy(with_separators(body));
        return after([&] { session.http_response(exchange, status, false, copy.span(), now); });
    }
    lines answer_binary(std::uint64_t exchange, std::string_view body) {
        exchanges.erase(exchange);
        exact_copy const copy(body);
        return after([&] { session.http_response(exchange, 200, true, copy.span(), now); });
    }
    lines fail(std::uint64_t exchange) {
        exchanges.erase(exchange);
        return after([&] { session.http_failed(exchange, now); });
    }
    lines channel_opened(std::uint64_t channel) {
        return after([&] { session.channel_opened(channel, now); });
    }
    lines websocket(std::uint64_t channel, frame message) {
        exact_copy const copy(message.data);
        return after([&] { session.websocket_received(channel, {message.kind, copy.view()}, now); });
    }
    lines websocket(std::uint64_t channel, std::string_view message) { return websocket(channel, text(message)); }
    lines stream(std::uint64_t channel, std::string_view chunk) {
        exact_copy const copy(chunk);
        return after([&] { session.stream_received(channel, copy.view(), now); });
    }
    lines cut(std::uint64_t channel) {
        channels.erase(channel);
        return after([&] { session.channel_closed(channel, now); });
    }
    lines send(frame message) {
        return after([&] { REQUIRE(session.send(message, now).has_value()); });
    }
    lines send(std::string_view message) { return send(text(message)); }
    lines close() {
        return after([&] { session.close(now); });
    }
};

} // namespace support
